package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store/query"
)

// Lanes is how many webhook messages of one project are sent at once, at most. It must not change while messages are
// pending: a stream's lane follows from it.
const Lanes = 16

// LaneLease is how long a lane stays with a sender that says nothing more, and so the longest that a crash delays its
// messages. It must exceed the time that one try may take.
const LaneLease = 30 * time.Second

// ErrLaneLost says that somebody else sends a lane's messages by now: the lease had run out.
var ErrLaneLost error = &talkstack.Error{Code: talkstack.CodeConflict, Message: "The lane of webhook messages is no longer held."}

// Attempt is how a try to deliver a message went, and what is to become of the message and of its lane.
type Attempt struct {
	ID            talkstack.DeliveryID
	State         talkstack.DeliveryState
	NextAttemptAt time.Time // of a message that stays pending
	Status        int       // HTTP status of the answer, 0: none came
	Error         string    // empty: none
	LaneFailures  int       // how often in a row the lane could not reach the receiver
	PauseLane     time.Duration
}

// Sending is a message that is due, and where it goes.
type Sending struct {
	talkstack.Delivery
	Project      talkstack.Project // its webhook alone; an empty URL: there is none any more
	LaneFailures int               // as of Attempt
}

// NextDelivery is one step of a sender, which has a name of its own: it takes the lane if it has not got it, notes how
// its last try went (nil: none), and returns the next message that is due. Nil means that the sender no longer has the
// lane: nothing is due, somebody else has it, or stop was set.
//
// Nothing is left behind. Who finds a lane taken relies on its holder to look again; the holder looks and gives the lane
// up in one transaction. Something that is due later, and a holder that dies, are found by the lane's alarm: a job that
// is always scheduled while there is something to come.
func (db *DB) NextDelivery(ctx context.Context, job WebhookJob, sender string, last *Attempt, stop bool) (*Sending, error) {
	var next *Sending
	err := db.transact(ctx, "take a webhook message", func(q *tx) (err error) {
		next = nil
		key := query.LockLaneParams{ProjectID: job.ProjectID, Lane: int64(job.Lane)}
		l, err := q.LockLane(ctx, key)
		if errors.Is(err, sql.ErrNoRows) {
			if err := q.InsertLane(ctx, query.InsertLaneParams{ProjectID: job.ProjectID, Lane: int64(job.Lane), Now: db.now()}); err != nil {
				return err
			}
			l, err = q.LockLane(ctx, key)
		}
		if err != nil {
			return err
		}
		next, err = db.stepLane(ctx, q, &l, job.Alarm, sender, last, stop)
		return err
	})
	return next, err
}

func (db *DB) stepLane(ctx context.Context, q *tx, l *query.DeliveryLane, alarm time.Time, sender string, last *Attempt, stop bool) (*Sending, error) {
	now := db.now()
	if !alarm.IsZero() && alarm.Equal(l.AlarmAt) {
		l.AlarmAt = now // it has rung, whatever the clock of this node says: it is no longer to come
	}
	switch {
	case last != nil && l.Holder != sender:
		return nil, ErrLaneLost // what became of the try is not known to who has the lane: the message is sent again
	case l.Holder != "" && l.Holder != sender && l.HeldUntil.After(now):
		before := l.AlarmAt
		if err := db.setAlarm(ctx, q, l, now, l.HeldUntil); err != nil || l.AlarmAt.Equal(before) {
			return nil, err
		}
		return nil, updateLane(ctx, q, l)
	}
	if last != nil {
		if err := db.noteAttempt(ctx, q, l, now, last); err != nil {
			return nil, err
		}
	}
	// Looked for by a statement of its own after the lane's row is locked: who has inserted a message and found the lane
	// taken did so before, and is seen.
	r, err := q.NextDelivery(ctx, query.NextDeliveryParams{ProjectID: l.ProjectID, Lane: l.Lane})
	if errors.Is(err, sql.ErrNoRows) {
		l.Holder = ""
		return nil, updateLane(ctx, q, l)
	}
	if err != nil {
		return nil, err
	}
	due := *r.NextAttemptAt
	if l.PausedUntil.After(due) {
		due = l.PausedUntil
	}
	if stop || due.After(now) {
		l.Holder = ""
		if err := db.setAlarm(ctx, q, l, now, due); err != nil {
			return nil, err
		}
		return nil, updateLane(ctx, q, l)
	}
	l.Holder, l.HeldUntil = sender, now.Add(LaneLease)
	if err := db.setAlarm(ctx, q, l, now, l.HeldUntil); err != nil {
		return nil, err
	}
	if err := updateLane(ctx, q, l); err != nil {
		return nil, err
	}
	return sendingOf(ctx, q, r, int(l.Failures))
}

// setAlarm makes sure that a job looks at the lane at an instant or before it.
func (db *DB) setAlarm(ctx context.Context, q *tx, l *query.DeliveryLane, now, at time.Time) error {
	if l.AlarmAt.After(now) && !l.AlarmAt.After(at) {
		return nil
	}
	at = at.Truncate(time.Microsecond) // as it is stored
	l.AlarmAt = at
	return db.enqueue(ctx, q, WebhookJob{ProjectID: l.ProjectID, Lane: int(l.Lane), Alarm: at}, &river.InsertOpts{ScheduledAt: at})
}

func updateLane(ctx context.Context, q *tx, l *query.DeliveryLane) error {
	return q.UpdateLane(ctx, query.UpdateLaneParams{
		ProjectID: l.ProjectID, Lane: l.Lane, Holder: l.Holder, HeldUntil: l.HeldUntil, PausedUntil: l.PausedUntil,
		Failures: l.Failures, AlarmAt: l.AlarmAt,
	})
}

// noteAttempt writes how a try went. A message that is finished makes way for the next of its stream.
func (db *DB) noteAttempt(ctx context.Context, q *tx, l *query.DeliveryLane, now time.Time, a *Attempt) error {
	l.Failures, l.PausedUntil = int64(a.LaneFailures), now.Add(a.PauseLane)
	change := query.SetAttemptParams{ID: a.ID, State: a.State, LastStatus: int64(a.Status), LastError: cleanText(a.Error)}
	if a.State == talkstack.DeliveryPending {
		change.NextAttemptAt = timeOrNull(a.NextAttemptAt)
	} else {
		change.FinishedAt = &now
	}
	stream, err := q.SetAttempt(ctx, change)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // removed, or finished: nothing is left to note
	}
	if err != nil || a.State == talkstack.DeliveryPending {
		return err
	}
	return q.PromoteDelivery(ctx, query.PromoteDeliveryParams{Stream: stream, Now: &now})
}

func sendingOf(ctx context.Context, q *tx, r query.Delivery, failures int) (*Sending, error) {
	d, err := deliveryOf(r, nil)
	if err != nil {
		return nil, err
	}
	to, err := q.Receiver(ctx, d.ProjectID)
	if err = ignoreNoRows(err); err != nil {
		return nil, err
	}
	return &Sending{Delivery: d, LaneFailures: failures, Project: talkstack.Project{
		ID: d.ProjectID, UserID: d.UserID, WebhookURL: to.WebhookURL, WebhookSecret: talkstack.Secret(to.WebhookSecret),
		WebhookOldSecret: talkstack.Secret(to.WebhookSecretOld), WebhookOldUntil: timeOrZero(to.WebhookSecretOldUntil),
	}}, nil
}

// SetDeliveryBody stores what a message says, before it is first sent, and returns it: each try sends the same. Once
// there is a body, that one stays and is returned.
func (db *DB) SetDeliveryBody(ctx context.Context, id talkstack.DeliveryID, body []byte) ([]byte, error) {
	n, err := db.writer().SetDeliveryBody(ctx, query.SetDeliveryBodyParams{ID: id, Body: string(body)})
	if err != nil || n > 0 {
		return body, wrap("store a webhook message", err)
	}
	stored, err := db.reader().DeliveryBody(ctx, id)
	if err != nil {
		return nil, lookup("webhook message", err)
	}
	return []byte(stored), nil
}

// WakeForgottenLanes looks for messages that should have been tried before an instant and that nobody is about to try,
// and inserts jobs for them. There are none unless jobs were lost, as by somebody who empties the job table.
func (db *DB) WakeForgottenLanes(ctx context.Context, before time.Time) (int, error) {
	lanes, err := db.reader().ForgottenLanes(ctx, timeOrNull(before))
	if err != nil {
		return 0, wrap("look for forgotten webhook messages", err)
	}
	for _, l := range lanes {
		err := db.transact(ctx, "wake webhook messages", func(q *tx) error {
			return db.enqueue(ctx, q, WebhookJob{ProjectID: l.ProjectID, Lane: int(l.Lane)}, nil)
		})
		if err != nil {
			return 0, err
		}
	}
	return len(lanes), nil
}
