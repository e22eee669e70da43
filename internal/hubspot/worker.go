package hubspot

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
)

// Worker writes calls to HubSpot, one job each. A job may run several times, and on several nodes at once: what is there
// already is found again.
type Worker struct {
	river.WorkerDefaults[store.HubSpotJob]

	Connector *Connector
	// Recording is a link to a call's recording that works for long, empty when there is none. HubSpot plays it when it is
	// https.
	Recording func(c *talkstack.Call) string
}

const (
	// workLimit bounds one run of a job: a handful of requests, some of which wait for their turn.
	workLimit = 2 * time.Minute
	// brokenWait is how often a call that waits for its account to be connected again looks at the clock. Connecting
	// wakes it at once.
	brokenWait = time.Hour
	// firstRetry and lastRetry bound the pause after a failure; it doubles in between.
	firstRetry = 10 * time.Second
	lastRetry  = time.Hour
)

// Timeout bounds one run.
func (w *Worker) Timeout(*river.Job[store.HubSpotJob]) time.Duration { return workLimit }

// NextRetry is when a job that has failed runs again.
func (w *Worker) NextRetry(job *river.Job[store.HubSpotJob]) time.Time {
	d := lastRetry
	if n := job.Attempt - 1; n < 10 {
		d = min(lastRetry, firstRetry<<max(0, n))
	}
	return w.Connector.now().Add(spread(d))
}

// spread makes a pause up to a quarter longer, so that those who wait together do not come back together.
func spread(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*float64(d)/4) //nolint:gosec // it only spreads load
}

// Work writes the job's call.
func (w *Worker) Work(ctx context.Context, job *river.Job[store.HubSpotJob]) error {
	db, sid := w.Connector.db, job.Args.CallSID
	sync, err := db.HubSpotSync(ctx, sid)
	switch {
	case talkstack.ErrorCode(err) == talkstack.CodeNotFound:
		return nil // the call is gone
	case err != nil:
		return err
	case sync.State != talkstack.HubSpotSyncPending:
		return nil // another job was quicker, or its owner has disconnected
	}
	conn, err := db.HubSpotConnection(ctx, sync.UserID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return db.FailHubSpotSync(ctx, sid, "The account is not connected to HubSpot.")
	}
	if err != nil {
		return err
	}
	now := w.Connector.now()
	switch {
	case !now.Before(sync.GiveUpAt):
		reason := sync.LastError
		if reason == "" {
			reason = conn.LastError
		}
		return db.FailHubSpotSync(ctx, sid, "Given up after 72 hours. "+reason)
	case conn.State == talkstack.HubSpotBroken:
		return w.snooze(now, sync, brokenWait)
	case conn.PausedUntil.After(now):
		return w.snooze(now, sync, spread(conn.PausedUntil.Sub(now)))
	}
	p := &portal{c: w.Connector, conn: conn}
	return w.settle(ctx, p, sync, w.write(ctx, p, sync))
}

// snooze puts a job off, at most until its call is given up.
func (w *Worker) snooze(now time.Time, sync talkstack.HubSpotSync, d time.Duration) error {
	return river.JobSnooze(max(0, min(d, sync.GiveUpAt.Sub(now))))
}

// settle turns the end of a try into what happens next with the call, its account and the job.
func (w *Worker) settle(ctx context.Context, p *portal, sync talkstack.HubSpotSync, err error) error {
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	db, now := w.Connector.db, w.Connector.now()
	if off, ok := errors.AsType[*tooEarlyError](err); ok {
		return w.snooze(now, sync, off.wait)
	}
	if errors.Is(err, errBroken) {
		return errors.Join(db.NoteHubSpotError(ctx, sync.CallSID, "HubSpot refuses the connection: connect again."), w.snooze(now, sync, brokenWait))
	}
	e, ok := errors.AsType[*apiError](err)
	_, renewal := errors.AsType[*renewalError](err)
	switch {
	case !ok, renewal && e.pause() == 0:
		return errors.Join(db.NoteHubSpotError(ctx, sync.CallSID, explain(err)), err)
	case e.pause() > 0:
		if err := db.PauseHubSpot(ctx, p.conn.UserID, now.Add(e.pause())); err != nil {
			return err
		}
		return w.put(ctx, sync, e, spread(e.pause()))
	case e.status == statusLocked:
		return w.put(ctx, sync, e, spread(lockedPause))
	case e.refused():
		if err := p.breaks(ctx, err); err != nil {
			return err
		}
		return w.put(ctx, sync, e, brokenWait)
	case e.permanent():
		w.Connector.log.Warn("hubspot refuses a call", "user_id", sync.UserID, "call_id", sync.CallSID, "error", err)
		return db.FailHubSpotSync(ctx, sync.CallSID, explain(err))
	}
	return errors.Join(db.NoteHubSpotError(ctx, sync.CallSID, explain(err)), err)
}

// put notes what HubSpot said, and puts the job off.
func (w *Worker) put(ctx context.Context, sync talkstack.HubSpotSync, e *apiError, d time.Duration) error {
	if err := w.Connector.db.NoteHubSpotError(ctx, sync.CallSID, explain(e)); err != nil {
		return err
	}
	return w.snooze(w.Connector.now(), sync, d)
}

// write brings the call into the portal: contact, engagement, and the note that it is done.
func (w *Worker) write(ctx context.Context, p *portal, sync talkstack.HubSpotSync) error {
	db := w.Connector.db
	c, err := db.CallBySID(ctx, sync.CallSID)
	if err != nil {
		return err
	}
	turns, err := db.TurnsBySID(ctx, sync.CallSID)
	if err != nil {
		return err
	}
	if err := p.fresh(ctx); err != nil {
		return err
	}
	tried := sync.PortalID == p.conn.PortalID
	if !tried {
		sync.ContactID = "" // it is of another portal
	}
	e164, err := talkstack.ParseE164(c.Counterpart())
	if known := err == nil; known && sync.ContactID == "" { // callers may hide their number
		if sync.ContactID, err = p.contact(ctx, e164); err != nil {
			return err
		}
	}
	// From here on the call may be in the portal.
	if err := db.SetHubSpotSyncContact(ctx, sync.CallSID, p.conn.PortalID, sync.ContactID); err != nil {
		return err
	}
	text := written{call: c, turns: turns, recording: w.Recording(&c)}
	id, err := p.engagement(ctx, sync, text.properties(), tried)
	if isPermanent(err) && sync.ContactID != "" {
		return w.forgetContact(ctx, p, sync, e164, err)
	}
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return db.FinishHubSpotSync(ctx, sync.CallSID, p.conn.PortalID, sync.ContactID, id)
}

// forgetContact begins again without a contact that somebody has deleted in HubSpot.
func (w *Worker) forgetContact(ctx context.Context, p *portal, sync talkstack.HubSpotSync, e164 string, cause error) error {
	db := w.Connector.db
	err := p.call(ctx, http.MethodGet, contactsPath+"/"+sync.ContactID, nil, nil)
	if !isStatus(err, http.StatusNotFound) {
		return cause // the contact is there: something else is not
	}
	if err := db.ForgetHubSpotContact(ctx, p.conn, e164); err != nil {
		return err
	}
	if err := db.SetHubSpotSyncContact(ctx, sync.CallSID, p.conn.PortalID, ""); err != nil {
		return err
	}
	return &tooEarlyError{}
}

// engagement makes sure that the call is in the portal, once, and returns its id there.
func (p *portal) engagement(ctx context.Context, sync talkstack.HubSpotSync, properties map[string]string, tried bool) (string, error) {
	unique, err := p.hasCallKey(ctx)
	if err != nil {
		return "", err
	}
	if unique && sync.AttemptedAt.IsZero() { // a try without the property can not be found by it
		id, err := p.upsertCall(ctx, sync.CallSID, properties)
		if isPermanent(err) {
			// somebody may have removed the property
			if unique, err = p.checkCallKey(ctx); err == nil && unique {
				id, err = p.upsertCall(ctx, sync.CallSID, properties)
			}
		}
		if err == nil && unique && sync.ContactID != "" {
			err = p.associate(ctx, id, sync.ContactID)
		}
		if err != nil || unique {
			return id, err
		}
	}
	if tried {
		id, err := p.findCall(ctx, sync)
		if err != nil || id != "" {
			return id, err
		}
	}
	free, err := p.c.db.AttemptHubSpotSync(ctx, sync.CallSID)
	if err != nil {
		return "", err
	}
	if !free {
		return "", &tooEarlyError{wait: store.HubSpotSettled}
	}
	id, err := p.createCall(ctx, properties, sync.ContactID)
	if err != nil && answered(err) { // nothing was made, for certain
		err = errors.Join(err, p.c.db.ForgetHubSpotAttempt(context.WithoutCancel(ctx), sync.CallSID))
	}
	return id, err
}

// findCall looks for a call that an earlier try may have created: among the contact's calls, which are known at once, and
// then by a search, which is only asked when it can know.
func (p *portal) findCall(ctx context.Context, sync talkstack.HubSpotSync) (string, error) {
	if sync.ContactID != "" {
		id, err := p.callOfContact(ctx, sync.ContactID, sync.CallSID)
		if err != nil || id != "" {
			return id, err
		}
	}
	if settled := sync.AttemptedAt.Add(store.HubSpotSettled); !sync.AttemptedAt.IsZero() && p.c.now().Before(settled) {
		return "", &tooEarlyError{wait: settled.Sub(p.c.now())}
	}
	return p.searchCalls(ctx, sync.CallSID)
}

// hasCallKey reports whether the portal's calls have our unique property, and makes it at the first call.
func (p *portal) hasCallKey(ctx context.Context) (bool, error) {
	if p.conn.CallKey != nil {
		return *p.conn.CallKey, nil
	}
	return p.checkCallKey(ctx)
}

func (p *portal) checkCallKey(ctx context.Context) (bool, error) {
	unique, err := p.makeCallKey(ctx)
	if err != nil {
		return false, err
	}
	if !unique {
		p.c.log.Info("hubspot portal has no unique property of calls: they are looked up instead", "user_id", p.conn.UserID, "portal_id", p.conn.PortalID)
	}
	p.conn.CallKey = &unique
	return unique, p.c.db.SetHubSpotCallKey(ctx, p.conn, unique)
}
