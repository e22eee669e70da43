package store

import (
	"context"
	"database/sql"
	"errors"

	"talkstack"
	"talkstack/internal/store/query"
)

// HubSpotSync returns the writing of a call to HubSpot.
func (db *DB) HubSpotSync(ctx context.Context, sid talkstack.CallSID) (talkstack.HubSpotSync, error) {
	return hubspotSyncOf(db.reader().HubSpotSync(ctx, sid))
}

// HubSpotSyncs returns up to limit of an account's calls as they stand with HubSpot, newest first, from behind the cursor
// on. An empty state wants all.
func (db *DB) HubSpotSyncs(ctx context.Context, user talkstack.UserID, state talkstack.HubSpotSyncState, after Cursor, limit int) ([]talkstack.HubSpotSync, error) {
	at, sid := after.before()
	rows, err := db.reader().HubSpotSyncs(ctx, query.HubSpotSyncsParams{
		UserID: user, State: string(state), BeforeAt: at, BeforeSID: talkstack.CallSID(cleanText(sid)), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, wrap("list HubSpot syncs", err)
	}
	out := make([]talkstack.HubSpotSync, len(rows))
	for i, r := range rows {
		out[i], _ = hubspotSyncOf(r, nil) // it passes errors on alone
	}
	return out, nil
}

// HubSpotSyncCounts returns how many of an account's calls are in each state.
func (db *DB) HubSpotSyncCounts(ctx context.Context, user talkstack.UserID) (map[talkstack.HubSpotSyncState]int64, error) {
	rows, err := db.reader().CountHubSpotSyncs(ctx, user)
	if err != nil {
		return nil, wrap("count HubSpot syncs", err)
	}
	out := make(map[talkstack.HubSpotSyncState]int64, len(rows))
	for _, r := range rows {
		out[talkstack.HubSpotSyncState(r.State)] = r.Syncs
	}
	return out, nil
}

// RetryHubSpotSync has one of the user's calls that was given up written after all, for another 72 hours. One that is
// written already is a conflict; so is an account that is not connected.
func (db *DB) RetryHubSpotSync(ctx context.Context, user talkstack.UserID, sid talkstack.CallSID) (talkstack.HubSpotSync, error) {
	var out talkstack.HubSpotSync
	err := db.transact(ctx, "retry a HubSpot sync", func(q *tx) error {
		if _, err := hubspotSyncOf(q.HubSpotSyncOfUser(ctx, query.HubSpotSyncOfUserParams{UserID: user, CallSID: sid})); err != nil {
			return err
		}
		_, err := q.HubSpotConnection(ctx, user)
		if errors.Is(err, sql.ErrNoRows) {
			return talkstack.Errorf(talkstack.CodeConflict, "The account is not connected to HubSpot: connect it first.")
		}
		if err != nil {
			return err
		}
		now := db.now()
		row, err := q.RetryHubSpotSync(ctx, query.RetryHubSpotSyncParams{UserID: user, CallSID: sid, GiveUpAt: now.Add(hubspotTries), Now: now})
		if errors.Is(err, sql.ErrNoRows) {
			return talkstack.Errorf(talkstack.CodeConflict, "The call is in HubSpot already.")
		}
		if out, err = hubspotSyncOf(row, err); err != nil {
			return err
		}
		if err := db.enqueueHubSpot(ctx, q, []talkstack.CallSID{sid}); err != nil {
			return err
		}
		return db.audit(ctx, q, user, "hubspot_sync.retry", "hubspot_sync", string(sid), nil)
	})
	return out, err
}

// HubSpotContact returns the id of the contact that stands for a number in the connection's portal, empty when none is
// known. A contact that is about to be created is not known.
func (db *DB) HubSpotContact(ctx context.Context, c talkstack.HubSpotConnection, e164 string) (string, error) {
	row, err := db.reader().HubSpotContact(ctx, query.HubSpotContactParams{UserID: c.UserID, PortalID: c.PortalID, E164: e164})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return row.ContactID, wrap("look up a HubSpot contact", err)
}

// ClaimHubSpotContact reports whether the caller is the one who may create the contact of a number: nobody else began to
// within HubSpotSettled. After that HubSpot's search tells whether they did, so it must be asked once more.
func (db *DB) ClaimHubSpotContact(ctx context.Context, c talkstack.HubSpotConnection, e164 string) (bool, error) {
	claimed := false
	err := db.transact(ctx, "claim a HubSpot contact", func(q *tx) error {
		now := db.now()
		n, err := q.InsertHubSpotContact(ctx, query.InsertHubSpotContactParams{UserID: c.UserID, PortalID: c.PortalID, E164: e164, Now: now})
		if err == nil && n == 0 {
			n, err = q.AttemptHubSpotContact(ctx, query.AttemptHubSpotContactParams{
				UserID: c.UserID, PortalID: c.PortalID, E164: e164, Now: now, Settled: now.Add(-HubSpotSettled),
			})
		}
		claimed = n == 1
		return err
	})
	return claimed, err
}

// SetHubSpotContact keeps the id of the contact that stands for a number.
func (db *DB) SetHubSpotContact(ctx context.Context, c talkstack.HubSpotConnection, e164, contactID string) error {
	return wrap("keep a HubSpot contact", db.writer().SetHubSpotContact(ctx, query.SetHubSpotContactParams{
		UserID: c.UserID, PortalID: c.PortalID, E164: e164, ContactID: cleanText(contactID), Now: db.now(),
	}))
}

// ForgetHubSpotContact forgets the contact of a number: it is gone from HubSpot, or its creation was refused.
func (db *DB) ForgetHubSpotContact(ctx context.Context, c talkstack.HubSpotConnection, e164 string) error {
	return wrap("forget a HubSpot contact", db.writer().ForgetHubSpotContact(ctx, query.ForgetHubSpotContactParams{
		UserID: c.UserID, PortalID: c.PortalID, E164: e164,
	}))
}

// SetHubSpotSyncContact keeps the contact of a call that waits.
func (db *DB) SetHubSpotSyncContact(ctx context.Context, sid talkstack.CallSID, portalID, contactID string) error {
	_, err := db.writer().SetHubSpotSyncContact(ctx, query.SetHubSpotSyncContactParams{
		CallSID: sid, PortalID: portalID, ContactID: cleanText(contactID), Now: db.now(),
	})
	return wrap("keep a HubSpot contact", err)
}

// AttemptHubSpotSync notes that the call is about to be created in HubSpot, where that is not safe to repeat. It reports
// false when somebody else began to within HubSpotSettled.
func (db *DB) AttemptHubSpotSync(ctx context.Context, sid talkstack.CallSID) (bool, error) {
	now := db.now()
	n, err := db.writer().AttemptHubSpotSync(ctx, query.AttemptHubSpotSyncParams{CallSID: sid, Now: &now, Settled: new(now.Add(-HubSpotSettled))})
	return n == 1, wrap("note a HubSpot sync", err)
}

// ForgetHubSpotAttempt takes AttemptHubSpotSync back: HubSpot has answered that nothing was created.
func (db *DB) ForgetHubSpotAttempt(ctx context.Context, sid talkstack.CallSID) error {
	return wrap("note a HubSpot sync", db.writer().ForgetHubSpotAttempt(ctx, query.ForgetHubSpotAttemptParams{CallSID: sid, Now: db.now()}))
}

// FinishHubSpotSync notes that a call is in HubSpot.
func (db *DB) FinishHubSpotSync(ctx context.Context, sid talkstack.CallSID, portalID, contactID, engagementID string) error {
	return wrap("finish a HubSpot sync", db.writer().FinishHubSpotSync(ctx, query.FinishHubSpotSyncParams{
		CallSID: sid, PortalID: portalID, ContactID: cleanText(contactID), EngagementID: cleanText(engagementID), Now: db.now(),
	}))
}

// NoteHubSpotError keeps what went wrong at the last try of a call that waits.
func (db *DB) NoteHubSpotError(ctx context.Context, sid talkstack.CallSID, reason string) error {
	return wrap("note a HubSpot error", db.writer().NoteHubSpotError(ctx, query.NoteHubSpotErrorParams{
		CallSID: sid, LastError: cleanText(reason), Now: db.now(),
	}))
}

// FailHubSpotSync gives a call that waits up.
func (db *DB) FailHubSpotSync(ctx context.Context, sid talkstack.CallSID, reason string) error {
	return wrap("give up a HubSpot sync", db.writer().FailHubSpotSync(ctx, query.FailHubSpotSyncParams{
		CallSID: sid, LastError: cleanText(reason), Now: db.now(),
	}))
}

func hubspotSyncOf(r query.HubspotSync, err error) (talkstack.HubSpotSync, error) {
	if err != nil {
		return talkstack.HubSpotSync{}, lookup("HubSpot sync", err)
	}
	return talkstack.HubSpotSync{
		CallSID: r.CallSID, UserID: r.UserID, State: talkstack.HubSpotSyncState(r.State), PortalID: r.PortalID, ContactID: r.ContactID,
		EngagementID: r.EngagementID, AttemptedAt: timeOrZero(r.AttemptedAt), LastError: r.LastError, GiveUpAt: r.GiveUpAt.UTC(),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}
