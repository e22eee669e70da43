package server

import (
	"context"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/auth"
	"talkstack/internal/hubspot"
)

// recordingLinkLifetime is how long the link works that stands on a contact's timeline in HubSpot.
const recordingLinkLifetime = 365 * 24 * time.Hour

// makeHubSpot joins HubSpot to the store. Nothing is asked of it yet.
func (s *Server) makeHubSpot(ctx context.Context) error {
	var err error
	s.hubspot, err = hubspot.New(ctx, hubspot.Config{
		DB: s.db, ClientID: s.cfg.HubSpotClientID, ClientSecret: s.cfg.HubSpotClientSecret,
		BaseURL: s.cfg.HubSpotBaseURL, AppURL: s.cfg.HubSpotAppURL, Log: s.log.With("part", "hubspot"),
	})
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) { s.hubspot.Close() })
	return nil
}

// hubspotWorker writes calls to HubSpot.
func (s *Server) hubspotWorker(ctx context.Context) (*hubspot.Worker, error) {
	signer, err := auth.LoadSigner(ctx, s.db, nil)
	if err != nil {
		return nil, err
	}
	return &hubspot.Worker{Connector: s.hubspot, Recording: func(c *talkstack.Call) string {
		if c.Recording == "" || s.cfg.PublicURL == "" {
			return "" // without a public address no link can be made outside of a request
		}
		path := "/v1/calls/" + string(c.SID) + "/recording"
		return strings.TrimRight(s.cfg.PublicURL, "/") + path + "?" + signer.Sign(path, c.EndedAt.Add(recordingLinkLifetime))
	}}, nil
}
