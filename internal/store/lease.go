package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// reapBatch is how many calls one transaction gives back.
const reapBatch = 500

// Reaped is what became of the calls of nodes that have died.
type Reaped struct {
	Requeued int              // were claimed: nothing was sent, so they are dialled again
	Ended    []talkstack.Call // were dialing or live: ended as interrupted, and never dialled again
}

// Heartbeat says that the node lives; the first makes it known. It has a connection of its own. On SQLite it does
// nothing: there the file lock says who lives.
func (db *DB) Heartbeat(ctx context.Context, node talkstack.NodeID) error {
	if db.engine == SQLite {
		return nil
	}
	return wrap("heartbeat", query.New(db.dialect(db.beat)).UpsertNode(ctx, node))
}

// Leave says that the node has stopped in good order and holds nothing.
func (db *DB) Leave(ctx context.Context, node talkstack.NodeID) error {
	if db.engine == SQLite {
		return nil
	}
	return wrap("leave", db.writer().DeleteNode(ctx, node))
}

// requireLease refuses new calls to a node that the others have buried, and keeps them from doing so until the
// transaction ends.
func (db *DB) requireLease(ctx context.Context, q *tx, node talkstack.NodeID) error {
	if db.engine == SQLite {
		return nil
	}
	_, err := q.ShareNode(ctx, node)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLeaseLost
	}
	return err
}

// Reap takes the calls of dead nodes out of their hands: claimed ones go back into the queue, dialing and live ones end
// as failed with the end reason interrupted. On PostgreSQL a node is dead when its last heartbeat is older than the lease
// by the database's own clock. On SQLite every node but this one is: the file lock proves it.
func (db *DB) Reap(ctx context.Context, node talkstack.NodeID, lease time.Duration) (Reaped, error) {
	if db.engine == PostgreSQL {
		return db.reapExpired(ctx, node, lease)
	}
	if err := db.releaseJobsOfOthers(ctx, node); err != nil {
		return Reaped{}, err
	}
	return db.reapOrphans(ctx, node)
}

func (db *DB) reapExpired(ctx context.Context, node talkstack.NodeID, lease time.Duration) (Reaped, error) {
	var now time.Time // the nodes' own clocks may differ
	if err := db.read.QueryRowContext(ctx, "SELECT CURRENT_TIMESTAMP").Scan(&now); err != nil {
		return Reaped{}, wrap("read the database's clock", err)
	}
	err := db.transact(ctx, "bury dead nodes", func(q *tx) error {
		dead, err := q.LockDeadNodes(ctx, now.Add(-lease))
		if err != nil {
			return err
		}
		for _, n := range dead {
			if n == node {
				continue // this one speaks
			}
			// Its calls are orphans from the commit on. Dying before they are given back leaves them to the next reaper.
			if err := q.DeleteNode(ctx, n); err != nil {
				return err
			}
			if err := db.releaseJobsOf(ctx, q, n); err != nil {
				return err
			}
			db.log.Warn("node has died", "node", string(n))
		}
		return nil
	})
	if err != nil {
		return Reaped{}, err
	}
	return db.reapOrphans(ctx, node)
}

// reapOrphans takes the calls that are in the hands of a node nobody knows, in batches until there are none left.
func (db *DB) reapOrphans(ctx context.Context, node talkstack.NodeID) (Reaped, error) {
	var total Reaped
	for {
		var batch Reaped
		var found int
		err := db.transact(ctx, "reap calls", func(q *tx) error {
			batch = Reaped{}
			rows, err := q.LockOrphanedCalls(ctx, query.LockOrphanedCallsParams{Node: node, MaxCalls: reapBatch})
			if err != nil {
				return err
			}
			found = len(rows)
			return db.reap(ctx, q, rows, &batch)
		})
		if err != nil {
			return total, err
		}
		total.Requeued += batch.Requeued
		total.Ended = append(total.Ended, batch.Ended...)
		if found < reapBatch {
			return total, nil
		}
	}
}

func (db *DB) reap(ctx context.Context, q *tx, rows []query.Call, out *Reaped) error {
	for _, r := range rows {
		c, requeued, err := db.giveBack(ctx, q, r, r.NotBefore)
		if err != nil {
			return err
		}
		switch {
		case requeued:
			out.Requeued++
		case c.State == talkstack.StateEnded:
			out.Ended = append(out.Ended, c)
		}
	}
	return nil
}

// giveBack takes an open call out of its node's hands.
func (db *DB) giveBack(ctx context.Context, q *tx, r query.Call, notBefore time.Time) (_ talkstack.Call, requeued bool, err error) {
	c, err := callOf(r, nil)
	if err != nil {
		return c, false, err
	}
	if c.State != talkstack.StateClaimed {
		return c, false, db.end(ctx, q, &c, interrupted())
	}
	if r.HangupRequestedAt != nil {
		return c, false, db.end(ctx, q, &c, cancelled())
	}
	return c, true, q.RequeueCall(ctx, query.RequeueCallParams{SID: c.SID, NotBefore: notBefore})
}

func interrupted() talkstack.EndReason {
	return talkstack.EndReason{
		Party: talkstack.PartyPlatform, Code: talkstack.EndInterrupted, Message: "The server that ran the call stopped unexpectedly.",
	}
}

// Abandon takes a call out of the hands of a node that finds nobody at work on it any more, as Reap does for a dead
// node: a claimed one is due again at notBefore, or when it was if that is zero. It reports whether the call was still
// in this hold; if not, nothing changes.
func (db *DB) Abandon(ctx context.Context, h Hold, notBefore time.Time) (bool, error) {
	held := false
	err := db.transact(ctx, "abandon a call", func(q *tx) error {
		held = false
		r, err := q.LockCall(ctx, h.SID)
		if err != nil {
			return lookup("call", err)
		}
		open := r.State == talkstack.StateClaimed || r.State == talkstack.StateDialing || r.State == talkstack.StateLive
		if !open || r.Node != h.Node || int(r.Attempt) != h.Attempt {
			return nil
		}
		held = true
		if notBefore.IsZero() {
			notBefore = r.NotBefore
		}
		_, _, err = db.giveBack(ctx, q, r, *timeOrNull(notBefore))
		return err
	})
	return held, err
}
