package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"talkstack"
	"talkstack/internal/auth"
	"talkstack/internal/batch"
	"talkstack/internal/httpapi"
	"talkstack/internal/mail"
)

// newAPI joins the API to the parts it shows.
func (s *Server) newAPI(ctx context.Context) (*httpapi.API, error) {
	sender, err := mail.Open(mail.Config{URL: s.cfg.SMTPURL, Dir: s.cfg.OutboxPath(), Log: s.log})
	if err != nil {
		return nil, err
	}
	if s.accounts, err = auth.NewAccounts(ctx, auth.Config{DB: s.db, Mail: sender, Log: s.log}); err != nil {
		return nil, err
	}
	signer, err := auth.LoadSigner(ctx, s.db, nil)
	if err != nil {
		return nil, err
	}
	uploads := filepath.Join(s.cfg.DataDir, "uploads")
	if err := os.MkdirAll(uploads, 0o700); err != nil {
		return nil, fmt.Errorf("folder of uploads: %w", err)
	}
	return httpapi.New(httpapi.Config{
		DB: s.db, Accounts: s.accounts, Signer: signer, Calls: s.board, Batches: s.newBatches(), Analyses: s.analyses, Voices: s.speech, Recordings: s.recordings, HubSpot: s.hubspot,
		PublicURL: s.cfg.PublicURL, TrustProxy: s.cfg.TrustProxy, PrivateWebhooks: s.cfg.PrivateWebhooks(), Ready: s.checks, Metrics: s.metrics, Version: s.version, Log: s.log, Events: s.events, Uploads: uploads,
	})
}

// checks is what /readyz shows. The speech models are not part of it: without them the server serves, with less.
func (s *Server) checks(ctx context.Context) []httpapi.Check {
	var starting error
	if !s.ready.Load() {
		starting = errors.New("starting or stopping")
	}
	return []httpapi.Check{
		{Name: "server", Err: starting},
		{Name: "database", Err: s.db.Ping(ctx)},
	}
}

// welcomeText is what a newcomer needs for a first call.
const welcomeText = `
Talkstack %s is ready.

  API            %s
  documentation  %s/docs
  SIP            %s (UDP and TCP)
  outbound calls %s
  agents think   with %s
  agents hear    %s
`

// demoText follows it in development mode.
const demoText = `
  demo login     %s
  password       %s
  API key        %s

Make a first call (the test phone answers; +15005550001 … +15005550008 behave differently):

  curl -s %s/call/makeCall -H 'x-api-key: %s' -H 'Content-Type: application/json' \
    -d '{"projectId":"%s","agentId":"%s","number":"+15005550001","dynamicVariables":{"name":"Anna"}}'

and see what was said, with the call_id of the answer:

  curl -s %s/v1/calls/CALL_ID/transcript -H 'x-api-key: %s'

`

// carrierName says where outbound calls go, for people.
func (s *Server) carrierName() string {
	switch {
	case s.phone != nil:
		return "to the test phone (no carrier is configured)"
	case s.cfg.SIPTrunk != "":
		return "through the configured trunk"
	}
	return "nowhere: set TALKSTACK_SIP_TRUNK"
}

func (s *Server) hearing() string {
	if s.speech.hears {
		return "with the local recogniser"
	}
	return "nothing: " + talkstack.ErrorMessage(s.speech.fault)
}

// newBatches is what turns lists into calls.
func (s *Server) newBatches() *batch.Batches {
	return batch.New(batch.Config{DB: s.db, Region: s.cfg.DefaultRegion, Wake: s.dispatcher.Wake, Log: s.log.With("part", "batches")})
}
