package store

import (
	"context"

	"github.com/riverqueue/river"

	"talkstack"
)

// followEnd does what follows from the end of a call, in the transaction that ends it. c is the call as it ended.
func (db *DB) followEnd(ctx context.Context, q *tx, c *talkstack.Call) error {
	q.touch(c.SID)
	if err := db.deliver(ctx, q, c, talkstack.EventCallStatus, talkstack.EventCallEnded); err != nil {
		return err
	}
	if err := db.followTry(ctx, q, c); err != nil {
		return err
	}
	if err := db.countUsage(ctx, q, c); err != nil {
		return err
	}
	return db.enqueue(ctx, q, AnalysisJob{CallSID: c.SID}, &river.InsertOpts{Priority: analysisPriority(c)})
}

// analysisPriority puts the calls that somebody waits to read about first: a cancelled batch of 100,000 holds up nobody.
// The least is worked first, among those of a queue.
func analysisPriority(c *talkstack.Call) int {
	switch {
	case !c.AnsweredAt.IsZero():
		return 1
	case !neverDialed(c):
		return 2
	}
	return 3
}

// neverDialed reports whether a call has ended before anybody was rung.
func neverDialed(c *talkstack.Call) bool {
	return c.Direction == talkstack.Outbound && c.DialedAt.IsZero()
}
