package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store/query"
)

const (
	// hubspotTries is how long a call is tried to be written to HubSpot.
	hubspotTries = 72 * time.Hour
	// hubspotAttempts bounds the job's own count of failures. Time ends a sync, not this: waiting counts as none.
	hubspotAttempts = 1000
	// HubSpotSettled is how long after a creation HubSpot's search is taken to find what was created. HubSpot says "a few
	// moments" (CRM search guide, "Limits"); a creation whose answer was lost is looked for again only after it.
	HubSpotSettled = 2 * time.Minute
)

// SetHubSpotConnection connects an account to a portal in place of any other, and has the calls that wait for HubSpot
// written now.
func (db *DB) SetHubSpotConnection(ctx context.Context, c talkstack.HubSpotConnection) (talkstack.HubSpotConnection, error) {
	if err := checkText("portal_id", c.PortalID, "token", c.AccessToken.Reveal(), "refresh_token", c.RefreshToken.Reveal()); err != nil {
		return talkstack.HubSpotConnection{}, err
	}
	var out talkstack.HubSpotConnection
	err := db.transact(ctx, "connect HubSpot", func(q *tx) error {
		row, err := q.UpsertHubSpotConnection(ctx, query.UpsertHubSpotConnectionParams{
			UserID: c.UserID, Kind: string(c.Kind), PortalID: c.PortalID, AccessToken: c.AccessToken.Reveal(),
			RefreshToken: c.RefreshToken.Reveal(), ExpiresAt: timeOrNull(c.ExpiresAt), Now: db.now(),
		})
		if out, err = hubspotConnectionOf(row, err); err != nil {
			return err
		}
		waiting, err := q.PendingHubSpotSyncs(ctx, c.UserID)
		if err != nil {
			return err
		}
		if err := db.enqueueHubSpot(ctx, q, waiting); err != nil {
			return err
		}
		return db.audit(ctx, q, c.UserID, "hubspot.connect", "hubspot", c.PortalID, map[string]any{"kind": c.Kind, "portal_id": c.PortalID})
	})
	return out, err
}

// HubSpotConnection returns the portal that an account is connected to.
func (db *DB) HubSpotConnection(ctx context.Context, user talkstack.UserID) (talkstack.HubSpotConnection, error) {
	return hubspotConnectionOf(db.reader().HubSpotConnection(ctx, user))
}

// maxPortalAccounts bounds the accounts that a portal's request is matched with.
const maxPortalAccounts = 100

// HubSpotConnectionsOfPortal returns the accounts that are connected to a portal, oldest first, at most 100.
func (db *DB) HubSpotConnectionsOfPortal(ctx context.Context, portalID string) ([]talkstack.HubSpotConnection, error) {
	rows, err := db.reader().HubSpotConnectionsOfPortal(ctx, query.HubSpotConnectionsOfPortalParams{
		PortalID: cleanText(portalID), MaxRows: maxPortalAccounts,
	})
	if err != nil {
		return nil, wrap("look up a HubSpot portal", err)
	}
	out := make([]talkstack.HubSpotConnection, len(rows))
	for i, r := range rows {
		out[i], _ = hubspotConnectionOf(r, nil) // it passes errors on alone
	}
	return out, nil
}

// DeleteHubSpotConnection forgets the connection with its tokens, and gives up the calls that wait for it. It returns what
// was forgotten, so that the token can be revoked.
func (db *DB) DeleteHubSpotConnection(ctx context.Context, user talkstack.UserID) (talkstack.HubSpotConnection, error) {
	var out talkstack.HubSpotConnection
	err := db.transact(ctx, "disconnect HubSpot", func(q *tx) (err error) {
		if out, err = hubspotConnectionOf(q.DeleteHubSpotConnection(ctx, user)); err != nil {
			return err
		}
		_, err = q.FailHubSpotSyncs(ctx, query.FailHubSpotSyncsParams{
			UserID: user, LastError: "HubSpot was disconnected before the call was written.", Now: db.now(),
		})
		if err != nil {
			return err
		}
		return db.audit(ctx, q, user, "hubspot.disconnect", "hubspot", out.PortalID, map[string]any{"portal_id": out.PortalID})
	})
	return out, err
}

// ClaimHubSpotRefresh reports whether the caller is the one who gets a new access token for a connection: its token is
// still c's, and nobody else, on any node, is at it. The claim ends with StoreHubSpotTokens, BreakHubSpot or
// EndHubSpotRefresh, and by itself after the limit.
func (db *DB) ClaimHubSpotRefresh(ctx context.Context, c talkstack.HubSpotConnection, limit time.Duration) (bool, error) {
	now := db.now()
	n, err := db.writer().ClaimHubSpotRefresh(ctx, query.ClaimHubSpotRefreshParams{
		UserID: c.UserID, AccessToken: c.AccessToken.Reveal(), Now: &now, RefreshUntil: new(now.Add(limit)),
	})
	return n == 1, wrap("claim a HubSpot token", err)
}

// EndHubSpotRefresh gives a claim back that brought no token.
func (db *DB) EndHubSpotRefresh(ctx context.Context, c talkstack.HubSpotConnection) error {
	return wrap("give a HubSpot token back", db.writer().EndHubSpotRefresh(ctx, query.EndHubSpotRefreshParams{
		UserID: c.UserID, AccessToken: c.AccessToken.Reveal(),
	}))
}

// StoreHubSpotTokens replaces the tokens of the connection c by those of next. It does nothing when the connection has
// other tokens than c by now.
func (db *DB) StoreHubSpotTokens(ctx context.Context, c, next talkstack.HubSpotConnection) error {
	_, err := db.writer().StoreHubSpotTokens(ctx, query.StoreHubSpotTokensParams{
		UserID: c.UserID, OldToken: c.AccessToken.Reveal(), AccessToken: next.AccessToken.Reveal(),
		RefreshToken: next.RefreshToken.Reveal(), ExpiresAt: timeOrNull(next.ExpiresAt), Now: db.now(),
	})
	return wrap("store HubSpot tokens", err)
}

// BreakHubSpot notes that HubSpot refuses the tokens of c: nothing is written until somebody connects again. It does
// nothing when the connection has other tokens by now.
func (db *DB) BreakHubSpot(ctx context.Context, c talkstack.HubSpotConnection, reason string) error {
	return wrap("break a HubSpot connection", db.writer().BreakHubSpot(ctx, query.BreakHubSpotParams{
		UserID: c.UserID, AccessToken: c.AccessToken.Reveal(), LastError: cleanText(reason), Now: db.now(),
	}))
}

// PauseHubSpot keeps an account's requests to HubSpot back until a time. An earlier one does not shorten a longer pause.
func (db *DB) PauseHubSpot(ctx context.Context, user talkstack.UserID, until time.Time) error {
	return wrap("pause HubSpot", db.writer().PauseHubSpot(ctx, query.PauseHubSpotParams{UserID: user, PausedUntil: timeOrNull(until)}))
}

// SetHubSpotCallKey notes whether the calls of the portal of c have our unique property.
func (db *DB) SetHubSpotCallKey(ctx context.Context, c talkstack.HubSpotConnection, unique bool) error {
	return wrap("note a HubSpot property", db.writer().SetHubSpotCallKey(ctx, query.SetHubSpotCallKeyParams{
		UserID: c.UserID, PortalID: c.PortalID, CallKey: callKeyText(unique),
	}))
}

func callKeyText(unique bool) string {
	if unique {
		return "yes"
	}
	return "no"
}

// queueHubSpot has a call written to HubSpot when its owner is connected: the intent, and the job that works on it. Doing
// it again does nothing.
func (db *DB) queueHubSpot(ctx context.Context, q *tx, user talkstack.UserID, sid talkstack.CallSID) error {
	_, err := q.HubSpotConnection(ctx, user)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	now := db.now()
	n, err := q.InsertHubSpotSync(ctx, query.InsertHubSpotSyncParams{CallSID: sid, UserID: user, GiveUpAt: now.Add(hubspotTries), Now: now})
	if err != nil || n == 0 {
		return err
	}
	return db.enqueueHubSpot(ctx, q, []talkstack.CallSID{sid})
}

func (db *DB) enqueueHubSpot(ctx context.Context, q *tx, sids []talkstack.CallSID) error {
	for _, sid := range sids {
		if err := db.enqueue(ctx, q, HubSpotJob{CallSID: sid}, &river.InsertOpts{MaxAttempts: hubspotAttempts}); err != nil {
			return err
		}
	}
	return nil
}

func hubspotConnectionOf(r query.HubspotConnection, err error) (talkstack.HubSpotConnection, error) {
	if err != nil {
		return talkstack.HubSpotConnection{}, lookup("HubSpot connection", err)
	}
	c := talkstack.HubSpotConnection{
		UserID: r.UserID, Kind: talkstack.HubSpotKind(r.Kind), PortalID: r.PortalID, AccessToken: talkstack.Secret(r.AccessToken),
		RefreshToken: talkstack.Secret(r.RefreshToken), ExpiresAt: timeOrZero(r.ExpiresAt), PausedUntil: timeOrZero(r.PausedUntil),
		State: talkstack.HubSpotState(r.State), LastError: r.LastError, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.CallKey != "" {
		c.CallKey = new(r.CallKey == callKeyText(true))
	}
	return c, nil
}
