package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"talkstack"
)

// V1HubSpot is the account's connection to HubSpot.
type V1HubSpot struct {
	Connected      bool                  `json:"connected"`
	Kind           talkstack.HubSpotKind `json:"kind"` // empty: not connected
	PortalID       string                `json:"portal_id"`
	State          string                `json:"state"` // disconnected, connected, broken
	LastError      string                `json:"last_error"`
	PausedUntil    time.Time             `json:"paused_until"` // zero: not
	ConnectedAt    time.Time             `json:"connected_at"` // zero: not
	OAuthAvailable bool                  `json:"oauth_available"`
	Syncs          V1HubSpotCounts       `json:"syncs"`
	LastSyncs      []V1HubSpotSync       `json:"last_syncs"` // the newest five
}

// V1HubSpotCounts counts calls by how far their writing to HubSpot has come.
type V1HubSpotCounts struct {
	Pending int64 `json:"pending"`
	Done    int64 `json:"done"`
	Failed  int64 `json:"failed"`
}

// V1HubSpotSync is the writing of one call to HubSpot.
type V1HubSpotSync struct {
	CallSID      talkstack.CallSID          `json:"call_sid"`
	State        talkstack.HubSpotSyncState `json:"state"`
	PortalID     string                     `json:"portal_id"`
	ContactID    string                     `json:"contact_id"`
	EngagementID string                     `json:"engagement_id"`
	LastError    string                     `json:"last_error"`
	GiveUpAt     time.Time                  `json:"give_up_at"`
	CreatedAt    time.Time                  `json:"created_at"`
	UpdatedAt    time.Time                  `json:"updated_at"`
}

// GetHubSpot reads the account's connection to HubSpot.
func (v V1) GetHubSpot(ctx context.Context) (V1HubSpot, error) {
	var h V1HubSpot
	err := v.c.call(ctx, get("/v1/hubspot", &h))
	return h, err
}

// GetHubSpotAuthorizeURL is a page of HubSpot where somebody can connect the account, and until when it works.
func (v V1) GetHubSpotAuthorizeURL(ctx context.Context) (target string, expires time.Time, err error) {
	var answer struct {
		URL       string    `json:"url"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	err = v.c.call(ctx, get("/v1/hubspot/authorize-url", &answer))
	return answer.URL, answer.ExpiresAt, err
}

// V1HubSpotConnect connects the account: by a private app's token, or by an OAuth code and where it was sent to.
type V1HubSpotConnect struct {
	Token       talkstack.Secret
	Code        string
	RedirectURI string
}

// ConnectHubSpot connects the account to HubSpot.
func (v V1) ConnectHubSpot(ctx context.Context, req V1HubSpotConnect) (V1HubSpot, error) {
	var h V1HubSpot
	in := map[string]string{}
	for name, value := range map[string]string{"token": req.Token.Reveal(), "code": req.Code, "redirect_uri": req.RedirectURI} {
		if value != "" {
			in[name] = value
		}
	}
	r := send(http.MethodPost, "/v1/hubspot/connect", in, &h)
	r.repeat = req.Code == "" // a code is for one use
	err := v.c.call(ctx, r)
	return h, err
}

// DisconnectHubSpot ends the connection, and tells whether HubSpot has revoked its token too.
func (v V1) DisconnectHubSpot(ctx context.Context) (revoked bool, err error) {
	var answer struct {
		Revoked bool `json:"revoked"`
	}
	err = v.c.call(ctx, del("/v1/hubspot", nil, &answer))
	return answer.Revoked, err
}

// ListHubSpotSyncs reads how far the writing of calls to HubSpot has come, newest first. An empty state allows all.
func (v V1) ListHubSpotSyncs(ctx context.Context, state talkstack.HubSpotSyncState) iter.Seq2[V1HubSpotSync, error] {
	return list[V1HubSpotSync](ctx, v.c, "/v1/hubspot/syncs", filters("state", string(state)))
}

// RetryHubSpotSync writes a call to HubSpot that was given up.
func (v V1) RetryHubSpotSync(ctx context.Context, sid talkstack.CallSID) (V1HubSpotSync, error) {
	var s V1HubSpotSync
	err := v.c.call(ctx, set(http.MethodPost, "/v1/hubspot/syncs/"+segment(sid)+"/retry", nil, &s))
	return s, err
}
