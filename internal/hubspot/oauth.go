package hubspot

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"talkstack"
)

// Scopes of the app. The optional one lets us make a property of calls that is unique (Worker); without it calls are
// looked up before they are written again.
const (
	requiredScopes = "oauth crm.objects.contacts.read crm.objects.contacts.write"
	optionalScopes = "crm.schemas.contacts.write"
)

// tokens are what the token endpoint answers (OAuth guide, AccessTokenResponse).
type tokens struct {
	Access    talkstack.Secret `json:"access_token"`
	Refresh   talkstack.Secret `json:"refresh_token"`
	ExpiresIn int64            `json:"expires_in"` // seconds
	HubID     int64            `json:"hub_id"`     // may be missing
}

// valid checks what must be there.
func (t tokens) valid() error {
	if t.Access == "" || t.ExpiresIn <= 0 {
		return errors.New("hubspot: the token endpoint has answered without a token")
	}
	return nil
}

// authorizeURL is where somebody lets our app into their portal.
func authorizeURL(app, clientID, redirectURI, state string) string {
	return app + "/oauth/authorize?" + url.Values{
		"client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {requiredScopes}, "optional_scope": {optionalScopes}, "state": {state},
	}.Encode()
}

// exchange turns an OAuth code into tokens. A code works once.
func (c *client) exchange(ctx context.Context, code, redirectURI string) (tokens, error) {
	var t tokens
	err := c.form(ctx, "/oauth/"+apiVersion+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI},
	}, &t)
	if err == nil {
		err = t.valid()
	}
	if err == nil && t.Refresh == "" {
		err = errors.New("hubspot: the token endpoint has answered without a refresh token")
	}
	return t, err
}

// refresh gets a new access token.
func (c *client) refresh(ctx context.Context, refreshToken talkstack.Secret) (tokens, error) {
	var t tokens
	err := c.form(ctx, "/oauth/"+apiVersion+"/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refreshToken.Reveal()},
	}, &t)
	if err == nil {
		err = t.valid()
	}
	return t, err
}

// introspect tells the portal of an access token.
func (c *client) introspect(ctx context.Context, token talkstack.Secret) (portalID int64, err error) {
	var info struct {
		Active bool  `json:"active"`
		HubID  int64 `json:"hub_id"`
	}
	err = c.form(ctx, "/oauth/"+apiVersion+"/token/introspect", url.Values{
		"token": {token.Reveal()}, "token_type_hint": {"access_token"},
	}, &info)
	if err == nil && (!info.Active || info.HubID == 0) {
		err = errors.New("hubspot: the new token is not active")
	}
	return info.HubID, err
}

// revoke ends a refresh token. Access tokens that came from it live on until they expire.
func (c *client) revoke(ctx context.Context, refreshToken talkstack.Secret) error {
	return c.form(ctx, "/oauth/"+apiVersion+"/token/revoke", url.Values{
		"token": {refreshToken.Reveal()}, "token_type_hint": {"refresh_token"},
	}, nil)
}

// account tells the portal of a token of any kind (account information API).
func (c *client) account(ctx context.Context, token talkstack.Secret) (portalID int64, err error) {
	var details struct {
		PortalID int64 `json:"portalId"`
	}
	err = c.call(ctx, token, http.MethodGet, "/account-info/"+apiVersion+"/details", nil, &details)
	if err == nil && details.PortalID == 0 {
		err = errors.New("hubspot: the account details do not name the portal")
	}
	return details.PortalID, err
}

// connection is what the tokens are kept as.
func (t tokens) connection(user talkstack.UserID, portalID int64, now time.Time) talkstack.HubSpotConnection {
	return talkstack.HubSpotConnection{
		UserID: user, Kind: talkstack.HubSpotOAuth, PortalID: strconv.FormatInt(portalID, 10),
		AccessToken: t.Access, RefreshToken: t.Refresh, ExpiresAt: now.Add(time.Duration(t.ExpiresIn) * time.Second),
	}
}
