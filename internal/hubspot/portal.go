package hubspot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"talkstack"
)

// portal is an account's connection at work: one job's, in one goroutine.
type portal struct {
	c    *Connector
	conn talkstack.HubSpotConnection
}

// errBroken says that HubSpot refuses the account until it is connected again.
var errBroken = errors.New("hubspot: the connection is broken") //nolint:gochecknoglobals // a sentinel

// tooEarlyError says that nothing went wrong, and it is too early.
type tooEarlyError struct {
	wait time.Duration
}

func (e *tooEarlyError) Error() string { return fmt.Sprintf("hubspot: not before %s", e.wait) }

// renewalError says that there is no new access token for now. Whatever HubSpot has answered, it was not about the call.
type renewalError struct {
	cause error
}

func (e *renewalError) Error() string { return "hubspot: renew the access token: " + e.cause.Error() }
func (e *renewalError) Unwrap() error { return e.cause }

const (
	// refreshLimit is how long one may take to get a new access token before somebody else tries.
	refreshLimit = 30 * time.Second
	// refreshEarly is how long before its end an access token is renewed.
	refreshEarly = time.Minute
	// refreshWait is how long to wait for a token that somebody else is getting.
	refreshWait = time.Second
)

// fresh renews the access token when it is about to expire.
func (p *portal) fresh(ctx context.Context) error {
	if p.conn.Kind != talkstack.HubSpotOAuth || p.conn.ExpiresAt.IsZero() || p.c.now().Before(p.conn.ExpiresAt.Add(-refreshEarly)) {
		return nil
	}
	return p.refresh(ctx)
}

// refresh gets a new access token, unless somebody else, here or on another node, has done so or is at it.
func (p *portal) refresh(ctx context.Context) error {
	claimed, err := p.c.db.ClaimHubSpotRefresh(ctx, p.conn, refreshLimit)
	if err != nil {
		return err
	}
	if !claimed {
		return p.reread(ctx)
	}
	t, err := p.c.client.refresh(ctx, p.conn.RefreshToken)
	// What HubSpot has answered is stored even when the job is told to stop.
	ctx = context.WithoutCancel(ctx)
	if e, ok := errors.AsType[*apiError](err); ok && e.grantRefused() {
		return errors.Join(p.breaks(ctx, err), errBroken)
	}
	if err != nil {
		return errors.Join(&renewalError{err}, p.c.db.EndHubSpotRefresh(ctx, p.conn))
	}
	if t.Refresh == "" {
		t.Refresh = p.conn.RefreshToken // it may be left out when it stays (RFC 6749 section 6)
	}
	next := p.conn
	next.AccessToken, next.RefreshToken = t.Access, t.Refresh
	next.ExpiresAt = p.c.now().Add(time.Duration(t.ExpiresIn) * time.Second)
	if err := p.c.db.StoreHubSpotTokens(ctx, p.conn, next); err != nil {
		return err
	}
	p.conn = next
	return nil
}

// reread takes the token that somebody else has got meanwhile.
func (p *portal) reread(ctx context.Context) error {
	now, err := p.c.db.HubSpotConnection(ctx, p.conn.UserID)
	switch {
	case err != nil:
		return err
	case now.State == talkstack.HubSpotBroken:
		return errBroken
	case now.AccessToken == p.conn.AccessToken:
		return &tooEarlyError{wait: refreshWait}
	case now.PortalID != p.conn.PortalID:
		return &tooEarlyError{} // begin again with the other portal
	}
	p.conn = now
	return nil
}

// breaks notes that HubSpot refuses the account.
func (p *portal) breaks(ctx context.Context, cause error) error {
	p.c.log.Warn("hubspot connection is broken", "user_id", p.conn.UserID, "portal_id", p.conn.PortalID, "error", cause)
	return p.c.db.BreakHubSpot(ctx, p.conn, explain(cause)+" Connect HubSpot again.")
}

// call sends a request in its turn. A token that HubSpot takes for expired is renewed once: nothing was done then.
func (p *portal) call(ctx context.Context, method, path string, in, out any) error {
	return p.paced(ctx, requestEvery, method, path, in, out)
}

// search is call for the search endpoints, which have a limit of their own.
func (p *portal) search(ctx context.Context, objects string, in searchRequest, out any) error {
	return p.paced(ctx, searchEvery, http.MethodPost, objects+"/search", in, out)
}

func (p *portal) paced(ctx context.Context, every time.Duration, method, path string, in, out any) error {
	if err := p.c.pace.wait(ctx, p.conn.UserID, every); err != nil {
		return err
	}
	err := p.c.client.call(ctx, p.conn.AccessToken, method, path, in, out)
	if !isStatus(err, http.StatusUnauthorized) || p.conn.Kind != talkstack.HubSpotOAuth {
		return err
	}
	if err := p.refresh(ctx); err != nil {
		return err
	}
	return p.c.client.call(ctx, p.conn.AccessToken, method, path, in, out)
}
