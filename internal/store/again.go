package store

import (
	"context"
	"slices"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// lastCalls is how few open calls a batch must have for the end of one of them to look, with the batch's row locked,
// whether it was the last. More than that can not all end in transactions that do not see each other; and before it, ends
// of the same batch do not wait for one another.
const lastCalls = 200

// followTry decides whether somebody is called again after a call that has ended, and whether a batch is complete, in the
// transaction that ends the call.
func (db *DB) followTry(ctx context.Context, q *tx, c *talkstack.Call) error {
	if c.Direction != talkstack.Outbound || c.EndReason == nil {
		return nil
	}
	interrupted := c.EndReason.Code == talkstack.EndInterrupted
	if c.BatchID != "" {
		return db.followBatch(ctx, q, c, interrupted)
	}
	if !interrupted {
		return nil
	}
	times, err := redials(ctx, q, c.ProjectID)
	if err != nil || c.Try > times {
		return err
	}
	return db.callAgain(ctx, q, c, db.now())
}

// redials is how often the project lets a call be dialled again that a crash of ours cut off.
func redials(ctx context.Context, q *tx, project talkstack.ProjectID) (int, error) {
	p, err := q.CrashPolicy(ctx, project)
	return int(p), err
}

func (db *DB) followBatch(ctx context.Context, q *tx, c *talkstack.Call, interrupted bool) error {
	b, err := batchOf(q.BatchByID(ctx, c.BatchID))
	if err != nil {
		return err
	}
	pause, again, err := nextTry(ctx, q, b, c, interrupted)
	if err != nil {
		return err
	}
	if !again {
		open, err := q.SomeOpenBatchCalls(ctx, query.SomeOpenBatchCallsParams{BatchID: orNull(b.ID), MaxRows: lastCalls})
		if err != nil || len(open) == lastCalls {
			return err
		}
	}
	// From here on nobody cancels or changes it, and other ends of its calls come before or after this one.
	if b, err = batchOf(q.LockBatch(ctx, b.ID)); err != nil || b.State != talkstack.BatchRunning && b.State != talkstack.BatchPaused {
		return err
	}
	if again {
		return db.callAgain(ctx, q, c, db.Opening(b, c.TimeZone, db.now().Add(pause)))
	}
	open, err := q.SomeOpenBatchCalls(ctx, query.SomeOpenBatchCallsParams{BatchID: orNull(b.ID), MaxRows: 1})
	if err != nil || len(open) > 0 {
		return err
	}
	return db.setBatchState(ctx, q, &b, talkstack.BatchCompleted)
}

// nextTry says whether a batch's recipient is called again after this call, and how long after.
func nextTry(ctx context.Context, q *tx, b talkstack.Batch, c *talkstack.Call, interrupted bool) (pause time.Duration, again bool, err error) {
	limit := 0
	switch {
	case interrupted: // not the recipient's doing: the project alone says
		if limit, err = redials(ctx, q, c.ProjectID); err != nil {
			return 0, false, err
		}
	case worthAnother(c):
		for _, rule := range b.Retry {
			if rule.Outcome == c.Status {
				limit, pause = rule.Times, time.Duration(rule.After)*time.Second
				break
			}
		}
	}
	if limit == 0 {
		return 0, false, nil
	}
	tries, err := q.TriesOfRow(ctx, query.TriesOfRowParams{BatchID: orNull(b.ID), BatchRow: int64(c.BatchRow)})
	if err != nil {
		return 0, false, err
	}
	same := 0 // with this one
	for _, t := range tries {
		if (t.EndCode == talkstack.EndInterrupted) == interrupted && (interrupted || t.Status == c.Status) {
			same++
		}
	}
	return pause, same <= limit, nil
}

// worthAnother reports whether another try can make sense and is allowed: not for a number that does not exist or must not be
// called, nor for a call that somebody cancelled.
func worthAnother(c *talkstack.Call) bool {
	hopeless := []talkstack.EndCode{talkstack.EndDoNotCall, talkstack.EndAgentHangup, talkstack.EndInvalidDestination}
	return c.Status != talkstack.StatusFailed || !slices.Contains(hopeless, c.EndReason.Code)
}

// callAgain queues the next try of a call, as a call of its own with the same texts and values.
func (db *DB) callAgain(ctx context.Context, q *tx, c *talkstack.Call, notBefore time.Time) error {
	next := talkstack.Call{
		SID: derivedSID(string(c.SID) + " again"), UserID: c.UserID, ProjectID: c.ProjectID, AgentID: c.AgentID, AgentVersion: c.AgentVersion,
		Direction: talkstack.Outbound, From: c.From, To: c.To, Status: talkstack.StatusQueued, State: talkstack.StateQueued,
		DynamicVariables: c.DynamicVariables, MissingVariables: c.MissingVariables,
		BatchID: c.BatchID, BatchRow: c.BatchRow, TimeZone: c.TimeZone, Try: c.Try + 1, RetryOf: c.SID,
		NotBefore: notBefore, CreatedAt: db.now(),
	}
	err := db.insertCall(ctx, q, &next)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return nil // its project or agent was deleted meanwhile
	}
	if err != nil {
		return err
	}
	q.touch(next.SID)
	return q.Supersede(ctx, c.SID)
}
