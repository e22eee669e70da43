package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// The bounds of one claim: they keep its transactions short, whatever the queue holds.
const (
	maxClaimProjects = 16  // whose rows are locked together
	maxClaimBatches  = 16  // of one project
	maxClaimRows     = 256 // of one batch that are looked at, when each recipient has windows of its own
	maxClaimRounds   = 64  // transactions that only clear rows out of the way which may not be dialled now
)

// dialBurst is how much of a pace that was not used can be made good for at once: what a node misses that looks for due
// calls once a second.
const dialBurst = time.Second

// Claim moves up to free due calls into the hands of a node and returns them: within a project first those that were
// placed one by one, oldest first, then those of its running batches, which take turns. No project passes its limit of
// open calls or its pace, whoever claims at the same time, and the projects that have waited longest are served first and
// share what is free. A batch is served at its own pace and in its calling windows: a call outside of them is put off to
// their next opening. A call to a number on its account's do-not-call list ends here. A node that the others take for
// dead gets ErrLeaseLost.
func (db *DB) Claim(ctx context.Context, node talkstack.NodeID, free int) ([]talkstack.Call, error) {
	if free <= 0 {
		return nil, nil
	}
	// Most of the time nothing is due: find that out without the write lock.
	if due, err := db.NextDue(ctx); err != nil || due.IsZero() || due.After(db.now()) {
		return nil, err
	}
	for range maxClaimRounds {
		var c claim
		err := db.transact(ctx, "claim calls", func(q *tx) error {
			c = claim{db: db, q: q, node: node, now: db.now()}
			return c.run(ctx, free)
		})
		if err != nil || len(c.out) > 0 || c.moved == 0 {
			return c.out, err
		}
	}
	return nil, nil
}

// NextDue is when the next queued call may be dialled, as far as it and its batch are concerned; zero when none is queued.
func (db *DB) NextDue(ctx context.Context) (time.Time, error) {
	due, err := db.reader().NextDue(ctx, time.Time{})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, wrap("look for due calls", err)
	}
	if err == nil && !due.After(db.now()) {
		return due.UTC(), nil // none can be due sooner than now
	}
	batches, err := db.reader().NextBatchDues(ctx)
	if err != nil {
		return time.Time{}, wrap("look for due batches", err)
	}
	for _, b := range batches {
		at := b.NotBefore
		if b.NextDialAt.After(at) {
			at = b.NextDialAt
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due.UTC(), nil
}

// claim is one transaction of Claim.
type claim struct {
	db    *DB
	q     *tx
	node  talkstack.NodeID
	now   time.Time
	out   []talkstack.Call
	moved int // rows that are out of the way now: put off, or ended
}

func (c *claim) run(ctx context.Context, free int) error {
	if err := c.db.requireLease(ctx, c.q, c.node); err != nil {
		return err
	}
	projects, err := c.q.LockDueProjects(ctx, query.LockDueProjectsParams{Now: c.now, MaxProjects: int64(min(free, maxClaimProjects))})
	if err != nil {
		return err
	}
	for i, p := range projects {
		waiting := len(projects) - i
		share := (free - len(c.out) + waiting - 1) / waiting
		if err := c.project(ctx, p, share); err != nil {
			return err
		}
	}
	return c.spare(ctx)
}

// project claims up to share calls of a project.
func (c *claim) project(ctx context.Context, p query.LockDueProjectsRow, share int) error {
	// Counted by a statement of its own: the one that took the lock saw the rows from before it had it, and two nodes
	// could pass the limit together.
	open, err := c.q.CountOpenCalls(ctx, p.ID)
	if err != nil {
		return err
	}
	pace := paceOf(p.CallsPerSecond, p.NextDialAt, c.now)
	room := min(int(p.MaxCalls-open), share, pace.allowed)
	if room <= 0 {
		return nil
	}
	before, moved := len(c.out), c.moved
	rows, err := c.q.ClaimCalls(ctx, query.ClaimCallsParams{Node: c.node, ProjectID: p.ID, Now: c.now, MaxCalls: int64(room)})
	if err != nil {
		return err
	}
	calls, err := callsOf(rows)
	if err != nil {
		return err
	}
	slices.SortFunc(calls, func(a, b talkstack.Call) int { // RETURNING promises no order
		if n := a.NotBefore.Compare(b.NotBefore); n != 0 {
			return n
		}
		return strings.Compare(string(a.SID), string(b.SID))
	})
	c.out = append(c.out, calls...)
	if room -= len(calls); room > 0 {
		if err := c.batches(ctx, p.ID, room); err != nil {
			return err
		}
	}
	claimed := len(c.out) - before
	if claimed == 0 && c.moved == moved {
		return nil
	}
	// Only who was served goes to the back: otherwise one free line would always go to the same project.
	next := p.NextDialAt
	if p.CallsPerSecond > 0 {
		next = pace.after(claimed)
	}
	return c.q.MarkServed(ctx, query.MarkServedParams{ID: p.ID, Now: c.now, NextDialAt: next.UTC()})
}

// batches claims up to room calls of a project's running batches. A batch that is paused or cancelled meanwhile waits
// for the end of this transaction: from its commit on nothing of it is claimed.
func (c *claim) batches(ctx context.Context, project talkstack.ProjectID, room int) error {
	rows, err := c.q.LockDueBatches(ctx, query.LockDueBatchesParams{ProjectID: project, Now: c.now, MaxBatches: maxClaimBatches})
	if err != nil {
		return err
	}
	for i, r := range rows {
		b, err := batchOf(r, nil)
		if err != nil {
			return err
		}
		waiting := len(rows) - i
		n, err := c.batch(ctx, b, r.NextDialAt, (room+waiting-1)/waiting)
		if err != nil {
			return err
		}
		room -= n
	}
	return nil
}

// batch claims up to share calls of a batch, and says how many.
func (c *claim) batch(ctx context.Context, b talkstack.Batch, nextDial time.Time, share int) (int, error) {
	pace := paceOf(b.CallsPerSecond, nextDial, c.now)
	share = min(share, pace.allowed)
	if share <= 0 {
		return 0, nil
	}
	look := share
	switch {
	case len(b.Windows) > 0 && b.TimeZone != "": // all its calls are open or closed together
		if opening := c.db.Opening(b, "", c.now); opening.After(c.now) {
			c.moved++
			return 0, c.q.SetBatchNextDial(ctx, query.SetBatchNextDialParams{ID: b.ID, NextDialAt: opening})
		}
		b.Windows = nil
	case len(b.Windows) > 0:
		look = max(share, maxClaimRows)
	}
	due, err := c.q.LockDueBatchCalls(ctx, query.LockDueBatchCallsParams{BatchID: orNull(b.ID), Now: c.now, MaxCalls: int64(look)})
	if err != nil {
		return 0, err
	}
	claimed := 0
	for _, d := range due {
		if claimed == share {
			break
		}
		if opening := c.db.Opening(b, d.TimeZone, c.now); opening.After(c.now) {
			c.moved++
			if err := c.q.PostponeCall(ctx, query.PostponeCallParams{SID: d.SID, NotBefore: opening}); err != nil {
				return 0, err
			}
			continue
		}
		call, err := callOf(c.q.ClaimCall(ctx, query.ClaimCallParams{SID: d.SID, Node: c.node}))
		if err != nil {
			return 0, err
		}
		c.out = append(c.out, call)
		claimed++
	}
	next := c.now // to the back of the project's batches
	if b.CallsPerSecond > 0 {
		next = pace.after(claimed).UTC()
	}
	return claimed, c.q.SetBatchNextDial(ctx, query.SetBatchNextDialParams{ID: b.ID, NextDialAt: next})
}

// Opening is when a recipient of a batch may be called, at the given time at the earliest: at the next opening of the
// batch's windows. zones are the recipient's own, by commas; they count when the batch has none. Without a zone that is
// known it is a day later, time and again: that nobody is called at night is worth more than that everybody is called.
func (db *DB) Opening(b talkstack.Batch, zones string, at time.Time) time.Time {
	if len(b.Windows) == 0 {
		return at
	}
	if b.TimeZone != "" {
		zones = b.TimeZone
	}
	if opening, ok := talkstack.NextOpening(b.Windows, db.locations(zones), at); ok {
		return opening.UTC().Truncate(time.Microsecond)
	}
	return at.Add(24 * time.Hour)
}

// locations are the zones of a list by commas; none when one of them is unknown. They are kept: finding one reads a file.
func (db *DB) locations(zones string) []*time.Location {
	if known, ok := db.zones.Load(zones); ok {
		return known.([]*time.Location) //nolint:forcetypeassert // stored below
	}
	var list []*time.Location
	for name := range strings.SplitSeq(zones, ",") {
		zone, err := talkstack.LoadZone(name)
		if err != nil {
			return nil
		}
		list = append(list, zone)
	}
	db.zones.Store(zones, list)
	return list
}

// spare ends the calls among the claimed ones whose numbers are on their account's do-not-call list.
func (c *claim) spare(ctx context.Context) error {
	if len(c.out) == 0 {
		return nil
	}
	listed, err := c.listed(ctx)
	if err != nil || len(listed) == 0 {
		return err
	}
	dial := c.out[:0]
	for _, call := range c.out {
		if !listed[listing{call.UserID, call.To}] {
			dial = append(dial, call)
			continue
		}
		c.moved++
		if err := c.db.end(ctx, c.q, &call, doNotCall()); err != nil {
			return err
		}
	}
	c.out = dial
	return nil
}

// listing is an entry of a do-not-call list.
type listing struct {
	user talkstack.UserID
	e164 string
}

// listed are the numbers of the claimed calls that are on do-not-call lists. The text of this query depends on how many
// calls there are, so that it is not a generated one.
func (c *claim) listed(ctx context.Context) (map[listing]bool, error) {
	var text strings.Builder
	text.WriteString("SELECT user_id, e164 FROM do_not_call WHERE (user_id, e164) IN (VALUES ")
	args := make([]any, 0, 2*len(c.out))
	for i, call := range c.out {
		if i > 0 {
			text.WriteByte(',')
		}
		args = append(args, string(call.UserID), call.To)
		fmt.Fprintf(&text, "(?%d,?%d)", len(args)-1, len(args))
	}
	text.WriteByte(')')
	rows, err := c.db.dialect(c.q.sql).QueryContext(ctx, text.String(), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	listed := map[listing]bool{}
	for rows.Next() {
		var l listing
		if err := rows.Scan(&l.user, &l.e164); err != nil {
			return nil, err
		}
		listed[l] = true
	}
	return listed, rows.Err()
}

func doNotCall() talkstack.EndReason {
	return talkstack.EndReason{
		Party: talkstack.PartyAgent, Code: talkstack.EndDoNotCall, Message: "The number is on the account's do-not-call list; it was not dialled.",
	}
}

// pace is what calls_per_second leaves at an instant: a bucket that fills at that rate and holds dialBurst of it.
type pace struct {
	allowed int
	from    time.Time // the first of the allowed calls was due then
	every   time.Duration
}

// paceOf reads calls_per_second and next_dial_at; a rate of 0 is no limit.
func paceOf(rate float64, next, now time.Time) pace {
	if rate <= 0 {
		return pace{allowed: math.MaxInt, from: now}
	}
	p := pace{from: next, every: time.Duration(float64(time.Second) / rate)}
	if oldest := now.Add(-dialBurst); next.Before(oldest) {
		p.from = oldest
	}
	if !p.from.After(now) {
		p.allowed = int(float64(now.Sub(p.from))*rate/float64(time.Second)) + 1
	}
	return p
}

// after is next_dial_at once n calls were claimed.
func (p pace) after(n int) time.Time {
	return p.from.Add(time.Duration(n) * p.every).Truncate(time.Microsecond)
}
