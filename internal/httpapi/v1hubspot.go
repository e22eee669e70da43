package httpapi

import (
	"context"
	"net/http"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Settings of the HubSpot endpoints.
const (
	hubspotList     = "hubspot-syncs" // for cursors
	hubspotCallback = "/v1/hubspot/callback"
	shownSyncs      = 5 // of the status
	// hubspotLoginLimit is how long a login waits for HubSpot.
	hubspotLoginLimit = 5 * time.Second
)

// v1HubSpot is an account's connection to HubSpot.
type v1HubSpot struct {
	Connected   bool              `json:"connected" doc:"Calls are written to the portal."`
	Kind        *string           `json:"kind" nullable:"true" doc:"How it is connected: oauth, or private_app; null: not at all."`
	PortalID    *string           `json:"portal_id" nullable:"true" doc:"HubSpot's number of the portal, also called Hub ID." example:"62515"`
	State       string            `json:"state" enum:"disconnected,connected,broken" doc:"broken: HubSpot refuses us; calls wait until somebody connects again."`
	LastError   *string           `json:"last_error" nullable:"true" doc:"Why it is broken."`
	PausedUntil optionalTimestamp `json:"paused_until" doc:"HubSpot has asked for a pause until then; null: it has not."`
	ConnectedAt optionalTimestamp `json:"connected_at"`
	OAuth       bool              `json:"oauth_available" doc:"The server has a HubSpot app: authorize-url works. Without, connect by a private app's token."`
	Syncs       v1HubSpotCounts   `json:"syncs"`
	LastSyncs   []v1HubSpotSync   `json:"last_syncs" doc:"The newest five."`
}

// v1HubSpotCounts is how many calls are in each state.
type v1HubSpotCounts struct {
	Pending int64 `json:"pending"`
	Done    int64 `json:"done"`
	Failed  int64 `json:"failed"`
}

// v1HubSpotSync is the writing of one call.
type v1HubSpotSync struct {
	CallSID      talkstack.CallSID `json:"call_sid" example:"CA00000000000000000000000000000000"`
	State        string            `json:"state" enum:"pending,done,failed"`
	PortalID     *string           `json:"portal_id" nullable:"true" example:"62515"`
	ContactID    *string           `json:"contact_id" nullable:"true" doc:"HubSpot's id of the contact; null: not known yet, or the number is hidden." example:"904"`
	EngagementID *string           `json:"engagement_id" nullable:"true" doc:"HubSpot's id of its call; null: not written yet." example:"512"`
	LastError    *string           `json:"last_error" nullable:"true" doc:"Of the last try."`
	GiveUpAt     timestamp         `json:"give_up_at" doc:"A call that is pending then has failed."`
	CreatedAt    timestamp         `json:"created_at"`
	UpdatedAt    timestamp         `json:"updated_at"`
}

type hubspotConnectRequest struct {
	Token       string `json:"token,omitempty" maxLength:"2048" doc:"Of a private app, or a service key. This, or code."`
	Code        string `json:"code,omitempty" maxLength:"2048" doc:"OAuth code that HubSpot has sent to redirect_uri."`
	RedirectURI string `json:"redirect_uri,omitempty" maxLength:"2048" doc:"Where the code was sent to; missing: this server's own callback."`
}

type hubspotAuthorizeURL struct {
	URL       string    `json:"url" doc:"Open it in a browser."`
	ExpiresAt timestamp `json:"expires_at"`
}

type hubspotDisconnected struct {
	Revoked bool `json:"revoked" doc:"HubSpot has revoked its token too. false with a private app, whose token is yours to revoke, or when HubSpot could not be reached."`
}

type hubspotSyncQuery struct {
	PageQuery
	State string `query:"state" enum:"pending,done,failed"`
}

type hubspotSyncPath struct {
	SID talkstack.CallSID `path:"sid"`
}

func (a *API) v1HubSpotRoutes() {
	const tag = "HubSpot"
	get(a, "/v1/hubspot", operation{ID: "v1GetHubSpot", Tag: tag, Summary: "The connection to HubSpot"}, a.v1GetHubSpot)
	post(a, "/v1/hubspot/connect", operation{
		ID: "v1ConnectHubSpot", Tag: tag, Summary: "Connect a HubSpot portal, in place of any other",
		Description: "By a private app's token, or by an OAuth code. Calls that wait are written at once.",
		Errors: map[int]string{
			http.StatusBadRequest: "Neither token nor code is sent, or HubSpot does not take it.",
			http.StatusConflict:   "A code was sent, and the server has no HubSpot app.",
		},
	}, a.v1ConnectHubSpot)
	get(a, "/v1/hubspot/authorize-url", operation{
		ID: "v1GetHubSpotAuthorizeURL", Tag: tag, Summary: "Where to let this server into a HubSpot portal",
		Description: "HubSpot leads the browser back to " + hubspotCallback + ", which connects the account. It works for ten minutes.",
		Errors:      map[int]string{http.StatusConflict: "The server has no HubSpot app."},
	}, a.v1GetHubSpotAuthorizeURL)
	a.hubspotCallbackRoute(tag)
	del(a, "/v1/hubspot", operation{
		ID: "v1DisconnectHubSpot", Tag: tag, Summary: "Disconnect from HubSpot",
		Description: "The tokens are forgotten and revoked. Calls that wait are given up.",
		Errors:      map[int]string{http.StatusNotFound: "The account is not connected."},
	}, a.v1DisconnectHubSpot)
	get(a, "/v1/hubspot/syncs", operation{
		ID: "v1ListHubSpotSyncs", Tag: tag, Summary: "The calls that are, or will be, in HubSpot; newest first",
		Errors: map[int]string{http.StatusBadRequest: "A parameter is malformed, or the cursor is not of this list."},
	}, a.v1ListHubSpotSyncs)
	post(a, "/v1/hubspot/syncs/{sid}/retry", operation{
		ID: "v1RetryHubSpotSync", Tag: tag, Summary: "Write a call to HubSpot that was given up",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such call, or none that was to be written.",
			http.StatusConflict: "The call is in HubSpot already, or the account is not connected.",
		},
	}, a.v1RetryHubSpotSync)
	a.hubspotActionRoute(tag)
}

func (a *API) v1GetHubSpot(ctx context.Context, _ *struct{}) (*body[v1HubSpot], error) {
	w, err := a.hubspotStatus(ctx, caller(ctx).ID)
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}

func (a *API) hubspotStatus(ctx context.Context, user talkstack.UserID) (v1HubSpot, error) {
	w := v1HubSpot{State: "disconnected", OAuth: a.HubSpot.HasApp(), LastSyncs: []v1HubSpotSync{}}
	counts, err := a.DB.HubSpotSyncCounts(ctx, user)
	if err != nil {
		return w, err
	}
	w.Syncs = v1HubSpotCounts{
		Pending: counts[talkstack.HubSpotSyncPending], Done: counts[talkstack.HubSpotSyncDone], Failed: counts[talkstack.HubSpotSyncFailed],
	}
	syncs, err := a.DB.HubSpotSyncs(ctx, user, "", store.Cursor{}, shownSyncs)
	if err != nil {
		return w, err
	}
	for _, s := range syncs {
		w.LastSyncs = append(w.LastSyncs, wireHubSpotSync(s))
	}
	c, err := a.DB.HubSpotConnection(ctx, user)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	w.Connected, w.State = c.State == talkstack.HubSpotConnected, string(c.State)
	w.Kind, w.PortalID, w.LastError = textOrNull(c.Kind), textOrNull(c.PortalID), textOrNull(c.LastError)
	w.ConnectedAt = optionalTimestamp{c.CreatedAt}
	if c.PausedUntil.After(a.Now()) {
		w.PausedUntil = optionalTimestamp{c.PausedUntil}
	}
	return w, nil
}

func (a *API) v1ConnectHubSpot(ctx context.Context, in *struct{ Body hubspotConnectRequest }) (*body[v1HubSpot], error) {
	user := caller(ctx).ID
	var err error
	switch {
	case in.Body.Token != "" && in.Body.Code != "":
		return nil, invalid("code", "and token cannot both be sent")
	case in.Body.Token != "":
		_, err = a.HubSpot.ConnectToken(ctx, user, talkstack.Secret(in.Body.Token))
	case in.Body.Code != "":
		_, err = a.HubSpot.ConnectCode(ctx, user, in.Body.Code, a.hubspotRedirect(ctx, in.Body.RedirectURI))
	default:
		return nil, invalid("token", "or code is required")
	}
	if err != nil {
		return nil, err
	}
	return a.v1GetHubSpot(ctx, nil)
}

// hubspotRedirect is where HubSpot sends the browser: what the client says, or our own callback.
func (a *API) hubspotRedirect(ctx context.Context, sent string) string {
	if sent != "" {
		return sent
	}
	return originOf(ctx).base + hubspotCallback
}

func (a *API) v1GetHubSpotAuthorizeURL(ctx context.Context, _ *struct{}) (*body[hubspotAuthorizeURL], error) {
	address, expires, err := a.HubSpot.AuthorizeURL(caller(ctx).ID, a.hubspotRedirect(ctx, ""))
	if err != nil {
		return nil, err
	}
	return reply(hubspotAuthorizeURL{URL: address, ExpiresAt: timestamp{expires}}), nil
}

func (a *API) v1DisconnectHubSpot(ctx context.Context, _ *struct{}) (*body[hubspotDisconnected], error) {
	revoked, err := a.HubSpot.Disconnect(ctx, caller(ctx).ID)
	if err != nil {
		return nil, err
	}
	return reply(hubspotDisconnected{Revoked: revoked}), nil
}

func (a *API) v1ListHubSpotSyncs(ctx context.Context, in *hubspotSyncQuery) (*body[page[v1HubSpotSync]], error) {
	after, err := openTimeCursor(hubspotList, in.Cursor)
	if err != nil {
		return nil, err
	}
	syncs, err := a.DB.HubSpotSyncs(ctx, caller(ctx).ID, talkstack.HubSpotSyncState(in.State), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(syncs, in.Limit, wireHubSpotSync, func(s talkstack.HubSpotSync) string {
		return sealTimeCursor(hubspotList, s.CreatedAt, string(s.CallSID))
	})), nil
}

func (a *API) v1RetryHubSpotSync(ctx context.Context, in *hubspotSyncPath) (*body[v1HubSpotSync], error) {
	s, err := a.DB.RetryHubSpotSync(ctx, caller(ctx).ID, in.SID)
	if err != nil {
		return nil, err
	}
	return reply(wireHubSpotSync(s)), nil
}

func wireHubSpotSync(s talkstack.HubSpotSync) v1HubSpotSync {
	return v1HubSpotSync{
		CallSID: s.CallSID, State: string(s.State), PortalID: textOrNull(s.PortalID), ContactID: textOrNull(s.ContactID),
		EngagementID: textOrNull(s.EngagementID), LastError: textOrNull(s.LastError),
		GiveUpAt: timestamp{s.GiveUpAt}, CreatedAt: timestamp{s.CreatedAt}, UpdatedAt: timestamp{s.UpdatedAt},
	}
}

// connectAtLogin connects an account to HubSpot while it logs in, and says how that went. It takes no longer than a
// person waits, and never fails the login.
func (a *API) connectAtLogin(ctx context.Context, user talkstack.UserID, code, redirectURI string) loginStatus {
	if code == "" {
		return loginSuccess
	}
	ctx, cancel := context.WithTimeout(ctx, hubspotLoginLimit)
	defer cancel()
	if _, err := a.HubSpot.ConnectCode(ctx, user, code, a.hubspotRedirect(ctx, redirectURI)); err != nil {
		logger(ctx).Warn("hubspot was not connected at login", "user_id", user, "error", err)
		return loginHubSpotFailed
	}
	return loginHubSpotConnected
}
