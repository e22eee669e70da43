package store

import (
	"context"

	"talkstack"
)

// followEnd does what follows from the end of a call, in the transaction that ends it.
func (db *DB) followEnd(ctx context.Context, q *tx, sid talkstack.CallSID) error {
	q.touch(sid)
	return db.enqueue(ctx, q, AnalysisJob{CallSID: sid}, nil)
}
