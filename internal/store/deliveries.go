package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// DeliveryLimit is how long a webhook message is tried.
const DeliveryLimit = 72 * time.Hour

// deliver inserts messages to the webhook of a call's project, if it has one: the call as it is now, and events that
// have become true by the change that the transaction makes. The transaction must have changed the call's row, which
// keeps others from inserting messages of this call meanwhile. Messages of a call are delivered one after the other.
func (db *DB) deliver(ctx context.Context, q *tx, c *talkstack.Call, events ...talkstack.EventType) error {
	url, err := q.WebhookURL(ctx, c.ProjectID)
	if err != nil || url == "" {
		return ignoreNoRows(err) // a project that was deleted has nobody to tell
	}
	snapshot, err := encode("snapshot", c)
	if err != nil {
		return err
	}
	d := talkstack.Delivery{UserID: c.UserID, ProjectID: c.ProjectID, CallSID: c.SID, CreatedAt: db.now()}
	d.GiveUpAt = d.CreatedAt.Add(DeliveryLimit)
	for _, event := range events {
		d.ID, d.Type = talkstack.NewDeliveryID(), event
		if err := db.insertDelivery(ctx, q, d, string(c.SID), snapshot); err != nil {
			return err
		}
	}
	return nil
}

// insertDelivery stores a message, and wakes its lane when nothing of its stream is ahead of it.
func (db *DB) insertDelivery(ctx context.Context, q *tx, d talkstack.Delivery, stream, snapshot string) error {
	// Who finishes the message ahead changes its row and then looks for the next: the lock makes sure that it either
	// finds this one, or is found to have finished.
	ahead, err := q.LockPendingOfStream(ctx, stream)
	if err != nil {
		return err
	}
	var due *time.Time
	if len(ahead) == 0 {
		due = &d.CreatedAt
	}
	lane := laneOf(stream)
	err = q.InsertDelivery(ctx, query.InsertDeliveryParams{
		ID: d.ID, UserID: d.UserID, ProjectID: d.ProjectID, Stream: stream, Lane: int64(lane), EventType: d.Type, Snapshot: snapshot,
		NextAttemptAt: due, CreatedAt: d.CreatedAt, GiveUpAt: d.GiveUpAt,
	})
	if err != nil || due == nil {
		return err
	}
	return db.enqueue(ctx, q, WebhookJob{ProjectID: d.ProjectID, Lane: lane}, nil)
}

// laneOf is the lane of a stream, always the same.
func laneOf(stream string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream))
	return int(h.Sum32() % Lanes)
}

// Delivery returns one of the user's webhook messages.
func (db *DB) Delivery(ctx context.Context, user talkstack.UserID, id talkstack.DeliveryID) (talkstack.Delivery, error) {
	return deliveryOf(db.reader().Delivery(ctx, query.DeliveryParams{ID: id, UserID: user}))
}

// ReplayDelivery sends one of the user's webhook messages again that was delivered or given up: under the same id, with
// the same body, for as long as a new one. One that is still pending is a conflict.
func (db *DB) ReplayDelivery(ctx context.Context, user talkstack.UserID, id talkstack.DeliveryID) (talkstack.Delivery, error) {
	var d talkstack.Delivery
	err := db.transact(ctx, "replay a webhook message", func(q *tx) error {
		r, err := q.LockDelivery(ctx, query.LockDeliveryParams{ID: id, UserID: user})
		if err != nil {
			return lookup("webhook message", err)
		}
		if r.State == talkstack.DeliveryPending {
			return talkstack.Errorf(talkstack.CodeConflict, "The message is still being delivered.")
		}
		now := db.now()
		until := now.Add(DeliveryLimit)
		if r.EventType == talkstack.EventTest {
			until = now
		}
		if d, err = deliveryOf(q.ReplayDelivery(ctx, query.ReplayDeliveryParams{ID: id, Now: &now, GiveUpAt: until})); err != nil {
			return err
		}
		if err := db.audit(ctx, q, user, "webhook_delivery.replay", "webhook_delivery", string(id), nil); err != nil {
			return err
		}
		return db.enqueue(ctx, q, WebhookJob{ProjectID: r.ProjectID, Lane: int(r.Lane)}, nil)
	})
	return d, err
}

// DeliveryFilter says which webhook messages are wanted. Empty fields want all.
type DeliveryFilter struct {
	ProjectID talkstack.ProjectID
	CallSID   talkstack.CallSID
	State     talkstack.DeliveryState
	Type      talkstack.EventType
}

// Deliveries returns up to limit of the user's webhook messages, newest first, from behind the cursor on. They come
// without their bodies and calls.
func (db *DB) Deliveries(ctx context.Context, user talkstack.UserID, f DeliveryFilter, after Cursor, limit int) ([]talkstack.Delivery, error) {
	at, id := after.before()
	text := "SELECT id, user_id, project_id, stream, seq, lane, event_type, '', '', state, attempts, next_attempt_at, " +
		"last_status, last_error, created_at, give_up_at, finished_at FROM deliveries " +
		"WHERE user_id = ?1 AND (created_at < ?2 OR (created_at = ?2 AND id < ?3))"
	args := []any{user, at, cleanText(id)}
	var where strings.Builder
	for _, c := range []struct{ column, value string }{
		{"project_id", string(f.ProjectID)}, {"stream", string(f.CallSID)}, {"state", string(f.State)}, {"event_type", string(f.Type)},
	} {
		if c.value != "" {
			args = append(args, cleanText(c.value))
			where.WriteString(" AND " + c.column + " = " + fmt.Sprintf("?%d", len(args)))
		}
	}
	args = append(args, limit)
	rows, err := db.dialect(db.read).QueryContext(ctx,
		text+where.String()+" ORDER BY created_at DESC, id DESC LIMIT "+fmt.Sprintf("?%d", len(args)), args...)
	if err != nil {
		return nil, wrap("list webhook messages", err)
	}
	defer rows.Close()
	out := []talkstack.Delivery{}
	for rows.Next() {
		var r query.Delivery
		if err := rows.Scan(&r.ID, &r.UserID, &r.ProjectID, &r.Stream, &r.Seq, &r.Lane, &r.EventType, &r.Snapshot, &r.Body, &r.State, &r.Attempts,
			&r.NextAttemptAt, &r.LastStatus, &r.LastError, &r.CreatedAt, &r.GiveUpAt, &r.FinishedAt); err != nil {
			return nil, wrap("list webhook messages", err)
		}
		d, err := deliveryOf(r, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, wrap("list webhook messages", rows.Err())
}

// deleteBatch is how many rows one transaction removes.
const deleteBatch = 1000

// DeleteOldDeliveries removes webhook messages that were finished before an instant, and says how many.
func (db *DB) DeleteOldDeliveries(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n, err := db.writer().DeleteOldDeliveries(ctx, query.DeleteOldDeliveriesParams{Before: timeOrNull(before), MaxRows: deleteBatch})
		total += int(n)
		if err != nil || n < deleteBatch {
			return total, wrap("remove old webhook messages", err)
		}
	}
}

func deliveryOf(r query.Delivery, err error) (talkstack.Delivery, error) {
	if err != nil {
		return talkstack.Delivery{}, lookup("webhook message", err)
	}
	d := talkstack.Delivery{
		ID: r.ID, UserID: r.UserID, ProjectID: r.ProjectID, Seq: int(r.Seq), Type: r.EventType, State: r.State, Attempts: int(r.Attempts),
		NextAttemptAt: timeOrZero(r.NextAttemptAt), LastStatus: int(r.LastStatus), LastError: r.LastError,
		CreatedAt: r.CreatedAt.UTC(), GiveUpAt: r.GiveUpAt.UTC(), FinishedAt: timeOrZero(r.FinishedAt),
	}
	if r.Stream != string(r.ID) {
		d.CallSID = talkstack.CallSID(r.Stream)
	}
	if r.Body != "" {
		d.Body = []byte(r.Body)
	}
	if r.Snapshot != "" {
		return d, decode("snapshot", r.Snapshot, &d.Call)
	}
	return d, nil
}
