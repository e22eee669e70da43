package store

import (
	"context"
	"slices"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// batchChunk is how many calls of a batch one transaction ends or puts on a new time.
const batchChunk = 200

// PauseBatch stops the dialling of one of the user's running batches, from this commit on: calls in progress go on, one
// that was claimed and not dialled yet goes back into the queue. Pausing again changes nothing.
func (db *DB) PauseBatch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	return db.moveBatch(ctx, user, id, talkstack.BatchPaused, talkstack.BatchRunning)
}

// ResumeBatch lets one of the user's paused batches go on. Resuming a running one changes nothing.
func (db *DB) ResumeBatch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	return db.moveBatch(ctx, user, id, talkstack.BatchRunning, talkstack.BatchPaused)
}

// CancelBatch ends one of the user's batches: from this commit on nothing of it is dialled, calls in progress go on. The
// calls that wait are ended by a BatchJob. Cancelling again changes nothing.
func (db *DB) CancelBatch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	return db.moveBatch(ctx, user, id, talkstack.BatchCancelled, talkstack.BatchLoading, talkstack.BatchRunning, talkstack.BatchPaused)
}

func (db *DB) moveBatch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID, to talkstack.BatchState, from ...talkstack.BatchState) (talkstack.Batch, error) {
	var b talkstack.Batch
	err := db.transact(ctx, "change the state of a batch", func(q *tx) (err error) {
		if b, err = db.lockBatchOf(ctx, q, user, id); err != nil || b.State == to {
			return err
		}
		if !slices.Contains(from, b.State) {
			return talkstack.Errorf(talkstack.CodeConflict, "A batch that is %s can not become %s.", b.State, to)
		}
		was := b.State
		if err := db.setBatchState(ctx, q, &b, to); err != nil {
			return err
		}
		return db.audit(ctx, q, user, "batch.update", "batch", string(id), map[string]any{"state": to, "was": was})
	})
	return b, err
}

// setBatchState moves a batch whose row is locked, and does at once what must be true from this commit on.
func (db *DB) setBatchState(ctx context.Context, q *tx, b *talkstack.Batch, to talkstack.BatchState) error {
	b.State = to
	if to == talkstack.BatchCancelled || to == talkstack.BatchCompleted {
		b.CompletedAt = db.now()
	}
	if err := q.SetBatchState(ctx, query.SetBatchStateParams{ID: b.ID, State: to, CompletedAt: timeOrNull(b.CompletedAt)}); err != nil {
		return err
	}
	if to == talkstack.BatchPaused || to == talkstack.BatchCancelled {
		// Nothing was sent for a claimed call, and whoever holds it is refused when it wants to dial.
		if err := q.RequeueClaimedOfBatch(ctx, orNull(b.ID)); err != nil {
			return err
		}
	}
	if to == talkstack.BatchCancelled {
		return db.enqueue(ctx, q, BatchJob{BatchID: b.ID}, nil)
	}
	return nil
}

// lockBatchOf locks one of the user's batches.
func (db *DB) lockBatchOf(ctx context.Context, q *tx, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	b, err := batchOf(q.LockBatch(ctx, id))
	if err == nil && b.UserID != user {
		return talkstack.Batch{}, notFound("batch")
	}
	return b, err
}

// BatchUpdate holds the fields of a batch to change; nil leaves one as it is.
type BatchUpdate struct {
	Name           *string
	CallsPerSecond *float64
	Windows        *[]talkstack.CallingWindow
	TimeZone       *string
	Retry          *[]talkstack.RetryRule
}

// UpdateBatch changes how one of the user's batches goes on and returns it as stored. A batch that is over is CodeConflict.
// New calling windows hold at once; calls that wait for an opening of the old ones are put on their new time by a
// BatchJob.
func (db *DB) UpdateBatch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID, change BatchUpdate) (talkstack.Batch, error) {
	var b talkstack.Batch
	err := db.transact(ctx, "update a batch", func(q *tx) (err error) {
		if b, err = db.lockBatchOf(ctx, q, user, id); err != nil {
			return err
		}
		if b.State == talkstack.BatchCompleted || b.State == talkstack.BatchCancelled {
			return talkstack.Errorf(talkstack.CodeConflict, "The batch is %s: nothing of it can be changed any more.", b.State)
		}
		changes := change.apply(&b)
		if len(changes) == 0 {
			return nil
		}
		if err := checkText("name", b.Name); err != nil {
			return err
		}
		windows, retry, err := encodeRules(b)
		if err != nil {
			return err
		}
		next := db.now()
		if b.StartAt.After(next) {
			next = b.StartAt
		}
		if err := q.UpdateBatch(ctx, query.UpdateBatchParams{
			ID: id, Name: b.Name, CallsPerSecond: b.CallsPerSecond, Windows: windows, TimeZone: b.TimeZone, Retry: retry, NextDialAt: next,
		}); err != nil {
			return err
		}
		if change.Windows != nil || change.TimeZone != nil {
			if err := db.enqueue(ctx, q, BatchJob{BatchID: id, Reschedule: true}, nil); err != nil {
				return err
			}
		}
		return db.audit(ctx, q, user, "batch.update", "batch", string(id), changes)
	})
	return b, err
}

// apply makes the changes and returns them for the audit log.
func (u BatchUpdate) apply(b *talkstack.Batch) map[string]any {
	changes := map[string]any{}
	if u.Name != nil {
		b.Name, changes["name"] = *u.Name, *u.Name
	}
	if u.CallsPerSecond != nil {
		b.CallsPerSecond, changes["calls_per_second"] = *u.CallsPerSecond, *u.CallsPerSecond
	}
	if u.Windows != nil {
		b.Windows, changes["windows"] = *u.Windows, *u.Windows
	}
	if u.TimeZone != nil {
		b.TimeZone, changes["time_zone"] = *u.TimeZone, *u.TimeZone
	}
	if u.Retry != nil {
		b.Retry, changes["retry"] = *u.Retry, *u.Retry
	}
	return changes
}

// EndCancelled ends the waiting calls of a batch that was cancelled, some in each transaction. It may be repeated.
func (db *DB) EndCancelled(ctx context.Context, id talkstack.BatchID) error {
	for {
		ended := 0
		err := db.transact(ctx, "end the calls of a cancelled batch", func(q *tx) error {
			ended = 0
			b, err := batchOf(q.LockBatch(ctx, id))
			if err != nil || b.State != talkstack.BatchCancelled {
				return err
			}
			rows, err := q.LockQueuedBatchCalls(ctx, query.LockQueuedBatchCallsParams{BatchID: orNull(id), MaxRows: batchChunk})
			if err != nil {
				return err
			}
			calls, err := callsOf(rows)
			if err != nil {
				return err
			}
			for i := range calls {
				if err := db.end(ctx, q, &calls[i], cancelled()); err != nil {
					return err
				}
			}
			ended = len(calls)
			return nil
		})
		if err != nil || ended == 0 {
			return err
		}
	}
}

// CancelAbandoned cancels a batch that is loading, when no row of it was stored for AbandonedAfter. Otherwise it returns
// when to look again; zero when the batch is not loading.
func (db *DB) CancelAbandoned(ctx context.Context, id talkstack.BatchID) (again time.Time, err error) {
	err = db.transact(ctx, "look after a loading batch", func(q *tx) error {
		again = time.Time{}
		r, err := q.LockBatch(ctx, id)
		if err != nil {
			return lookup("batch", err)
		}
		if r.State != talkstack.BatchLoading {
			return nil
		}
		if due := r.LoadedAt.Add(AbandonedAfter); due.After(db.now()) {
			again = due
			return nil
		}
		b, err := batchOf(r, nil)
		if err != nil {
			return err
		}
		if err := db.setBatchState(ctx, q, &b, talkstack.BatchCancelled); err != nil {
			return err
		}
		return db.audit(ctx, q, b.UserID, "batch.update", "batch", string(id), map[string]any{
			"state": b.State, "was": talkstack.BatchLoading, "reason": "the sheet was not sent to its end",
		})
	})
	return again, err
}

// RescheduleBatch puts the first calls to a batch's recipients that were not made yet on the next opening of the windows
// it has now, some in each transaction. A recipient who is called again keeps the pause that was promised: such a call is
// put off when it is due. It may be repeated.
func (db *DB) RescheduleBatch(ctx context.Context, id talkstack.BatchID) error {
	for after, found := int64(0), batchChunk; found == batchChunk; {
		err := db.transact(ctx, "reschedule a batch", func(q *tx) error {
			b, err := batchOf(q.LockBatch(ctx, id))
			if err != nil {
				return err
			}
			from := db.now()
			if b.StartAt.After(from) {
				from = b.StartAt
			}
			rows, err := q.WaitingBatchCalls(ctx, query.WaitingBatchCallsParams{BatchID: orNull(id), AfterRow: after, MaxRows: batchChunk})
			if err != nil {
				return err
			}
			for _, r := range rows {
				opening := db.Opening(b, r.TimeZone, from)
				if opening.Equal(r.NotBefore) || opening.Equal(from) && r.NotBefore.Before(from) {
					continue
				}
				if err := q.PostponeCall(ctx, query.PostponeCallParams{SID: r.SID, NotBefore: opening}); err != nil {
					return err
				}
			}
			if found = len(rows); found > 0 {
				after = rows[found-1].BatchRow
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
