package hubspot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Config is what a Connector needs. Every field without "optional" must be set.
type Config struct {
	DB           *store.DB
	ClientID     string           // optional: of the app; without it accounts connect by a token of their own
	ClientSecret talkstack.Secret // optional: of the app; workflow requests are signed with it too
	BaseURL      string           // optional: DefaultBaseURL
	AppURL       string           // optional: DefaultAppURL
	Now          func() time.Time // optional: time.Now
	Log          *slog.Logger
}

// Connector connects accounts with HubSpot portals. Its methods may be used by many goroutines.
type Connector struct {
	db     *store.DB
	client *client
	app    string
	state  *stateSealer
	pace   *pacer
	now    func() time.Time
	log    *slog.Logger
}

// requestLimit bounds one request to HubSpot.
const requestLimit = 10 * time.Second

// New makes a Connector. The addresses are the operator's: they may be private. It fails when they are no addresses.
func New(ctx context.Context, c Config) (*Connector, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	base, app := cmp.Or(c.BaseURL, DefaultBaseURL), cmp.Or(c.AppURL, DefaultAppURL)
	for _, address := range []string{base, app} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("hubspot: %q is not an http or https address", address)
		}
	}
	key, err := c.DB.Secret(ctx, "hubspot_state")
	if err != nil {
		return nil, err
	}
	return &Connector{
		db: c.DB, app: strings.TrimRight(app, "/"), state: &stateSealer{key: key, now: c.Now}, pace: newPacer(), now: c.Now, log: c.Log,
		client: &client{base: strings.TrimRight(base, "/"), id: c.ClientID, secret: c.ClientSecret, http: &http.Client{
			Timeout: requestLimit,
			Transport: &http.Transport{ // no proxy
				MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
	}, nil
}

// Close lets go of idle connections.
func (c *Connector) Close() { c.client.http.CloseIdleConnections() }

// errNoApp is for servers whose operator has made no app at HubSpot.
func errNoApp() error {
	return talkstack.Errorf(talkstack.CodeConflict,
		"This server has no HubSpot app (HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET): connect with a private app's token instead.")
}

// HasApp reports whether the operator has made an app at HubSpot: accounts can connect by OAuth, and workflows can call.
func (c *Connector) HasApp() bool { return c.client.id != "" && c.client.secret != "" }

// AuthorizeURL is where the account's owner lets our app into their portal. HubSpot sends them back to redirectURI, which
// must be among the app's, with a code, and the state that says whose it is. It works for ten minutes.
func (c *Connector) AuthorizeURL(user talkstack.UserID, redirectURI string) (address string, expires time.Time, err error) {
	if !c.HasApp() {
		return "", time.Time{}, errNoApp()
	}
	state, expires := c.state.seal(user, redirectURI)
	return authorizeURL(c.app, c.client.id, redirectURI, state), expires, nil
}

// Callback connects the account that state was made for.
func (c *Connector) Callback(ctx context.Context, code, state string) (talkstack.HubSpotConnection, error) {
	user, redirectURI, err := c.state.open(state)
	if err != nil {
		return talkstack.HubSpotConnection{}, err
	}
	return c.ConnectCode(ctx, user, code, redirectURI)
}

// ConnectCode connects an account by an OAuth code, in place of any other portal. redirectURI must be the one that the
// code was sent to.
func (c *Connector) ConnectCode(ctx context.Context, user talkstack.UserID, code, redirectURI string) (talkstack.HubSpotConnection, error) {
	if !c.HasApp() {
		return talkstack.HubSpotConnection{}, errNoApp()
	}
	t, err := c.client.exchange(ctx, code, redirectURI)
	if err != nil {
		return talkstack.HubSpotConnection{}, connectError(err, "HubSpot does not take the code: it works once, for some minutes, and with the redirect_uri it was made for.")
	}
	if t.HubID == 0 {
		if t.HubID, err = c.client.introspect(ctx, t.Access); err != nil {
			return talkstack.HubSpotConnection{}, connectError(err, "HubSpot does not take its own new token.")
		}
	}
	return c.connect(ctx, t.connection(user, t.HubID, c.now()))
}

// ConnectToken connects an account by the token of a private app or a service key, in place of any other portal.
func (c *Connector) ConnectToken(ctx context.Context, user talkstack.UserID, token talkstack.Secret) (talkstack.HubSpotConnection, error) {
	if strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return talkstack.HubSpotConnection{}, talkstack.Errorf(talkstack.CodeInvalid, "A HubSpot token has no spaces or special characters: copy it again.")
	}
	portalID, err := c.client.account(ctx, token)
	if err != nil {
		return talkstack.HubSpotConnection{}, connectError(err, "HubSpot does not take the token.")
	}
	return c.connect(ctx, talkstack.HubSpotConnection{
		UserID: user, Kind: talkstack.HubSpotPrivateApp, PortalID: strconv.FormatInt(portalID, 10), AccessToken: token,
	})
}

func (c *Connector) connect(ctx context.Context, conn talkstack.HubSpotConnection) (talkstack.HubSpotConnection, error) {
	conn, err := c.db.SetHubSpotConnection(ctx, conn)
	if err == nil {
		c.log.Info("hubspot connected", "user_id", conn.UserID, "kind", conn.Kind, "portal_id", conn.PortalID)
	}
	return conn, err
}

// connectError is a failure to connect, as the account's owner sees it.
func connectError(err error, refused string) error {
	e, ok := errors.AsType[*apiError](err)
	switch {
	case !ok:
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "HubSpot could not be reached. Try again in a moment.")
	case e.pause() > 0:
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "HubSpot asks for a pause. Try again in a moment.")
	case e.status >= 500:
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "HubSpot has a fault. Try again in a moment.")
	}
	return talkstack.WrapError(talkstack.CodeInvalid, err, refused+" "+explain(err))
}

// revokeLimit bounds how long a disconnecting owner waits for HubSpot.
const revokeLimit = 5 * time.Second

// Disconnect forgets an account's connection and its tokens, and revokes the refresh token at HubSpot. When HubSpot can
// not be reached the tokens are forgotten all the same, and revoked is false; so it is with a private app's token, which
// is its owner's to revoke.
func (c *Connector) Disconnect(ctx context.Context, user talkstack.UserID) (revoked bool, err error) {
	conn, err := c.db.DeleteHubSpotConnection(ctx, user)
	if err != nil {
		return false, err
	}
	c.log.Info("hubspot disconnected", "user_id", user, "portal_id", conn.PortalID)
	if conn.RefreshToken == "" || !c.HasApp() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	if err := c.client.revoke(ctx, conn.RefreshToken); err != nil {
		c.log.Warn("hubspot token was not revoked", "user_id", user, "error", err)
		return false, nil
	}
	return true, nil
}
