package store

import (
	"context"

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
	return db.enqueue(ctx, q, AnalysisJob{CallSID: c.SID}, nil)
}
