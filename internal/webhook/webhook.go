// Package webhook delivers the messages that package store keeps for the webhooks of projects: signed, in the order of
// each call, tried again for days, and never so that one receiver's trouble is another's. It owns the requests and
// what follows from an answer. It does not decide which messages there are (package store, in the transactions that
// make them true) or what they say (package httpapi, which owns the call object).
//
// Messages are sent in lanes (store.Lanes), by one sender each. A project's streams are spread over its lanes: a receiver
// that hangs keeps as many senders waiting as it has lanes, and while it can not be reached each lane rests longer from
// try to try.
package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
)

const (
	// runLimit is how long a sender goes on before it hands its lane to the next job: a process that stops waits for
	// no long queue.
	runLimit = 4 * time.Second
	// defaultRequestLimit is Config.RequestLimit when that is not set.
	defaultRequestLimit = 10 * time.Second
	// jobLimit is more than a sender needs that began its last try just before runLimit.
	jobLimit = 25 * time.Second
	// databaseSenders is how many senders of this process use the database at once: a crowd of them must not delay
	// what the calls write.
	databaseSenders = 4
	// releaseLimit is how long a sender that is told to stop may take to give its lane up.
	releaseLimit = 2 * time.Second
)

// Config is what a Worker needs.
type Config struct {
	DB *store.DB
	// Render makes the body of a message from what is stored with it. It is asked once for each message.
	Render       func(ctx context.Context, d talkstack.Delivery) ([]byte, error)
	AllowPrivate bool             // receivers may be in private networks
	Version      string           // of this program, for the User-Agent
	RequestLimit time.Duration    // of one try, from the look-up of the name to the answer; 0: 10 s
	Now          func() time.Time // nil: time.Now
	Log          *slog.Logger
}

// Worker delivers messages.
type Worker struct {
	river.WorkerDefaults[store.WebhookJob]
	Config
	client *http.Client
	room   chan struct{} // of databaseSenders
	jitter func() float64
}

// New makes a worker.
func New(c Config) *Worker {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RequestLimit == 0 {
		c.RequestLimit = defaultRequestLimit
	}
	return &Worker{
		Config: c, client: newClient(c.AllowPrivate), room: make(chan struct{}, databaseSenders), jitter: randomJitter,
	}
}

// Timeout bounds one run.
func (w *Worker) Timeout(*river.Job[store.WebhookJob]) time.Duration { return jobLimit }

// NextRetry is soon: a run fails only when the database is away.
func (w *Worker) NextRetry(job *river.Job[store.WebhookJob]) time.Time {
	return time.Now().Add(min(time.Duration(job.Attempt)*2*time.Second, time.Minute))
}

// Work delivers what is due in a lane.
func (w *Worker) Work(ctx context.Context, job *river.Job[store.WebhookJob]) error {
	return w.Deliver(ctx, job.Args)
}

// Deliver sends the messages that are due in a lane, until there are none left, somebody else has the lane, or a few
// seconds have passed: then a new job goes on. A message that ctx interrupts is sent again, under the same id.
func (w *Worker) Deliver(ctx context.Context, lane store.WebhookJob) error {
	sender := rand.Text()
	deadline := time.Now().Add(runLimit)
	var last *store.Attempt
	for {
		next, err := w.next(ctx, lane, sender, last, time.Now().After(deadline))
		if errors.Is(err, store.ErrLaneLost) {
			w.Log.Warn("webhook message took longer than its lane's lease", "project_id", string(lane.ProjectID))
			return nil
		}
		if err != nil || next == nil {
			return err
		}
		if last, err = w.try(ctx, next); err != nil {
			w.release(ctx, lane, sender)
			return err
		}
	}
}

// next is a step of the lane in the database.
func (w *Worker) next(ctx context.Context, lane store.WebhookJob, sender string, last *store.Attempt, stop bool) (*store.Sending, error) {
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-w.room }()
	return w.DB.NextDelivery(ctx, lane, sender, last, stop)
}

// release gives the lane up after a try that counts for nothing. If that fails the lease ends by itself.
func (w *Worker) release(ctx context.Context, lane store.WebhookJob, sender string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if _, err := w.next(ctx, lane, sender, nil, true); err != nil {
		w.Log.Warn("webhook lane was not given up", "project_id", string(lane.ProjectID), "error", err)
	}
}

// try sends a message and says what follows. An error means that it was not sent or that nobody waited for the answer:
// the try does not count.
func (w *Worker) try(ctx context.Context, s *store.Sending) (*store.Attempt, error) {
	if s.Project.WebhookURL == "" {
		return &store.Attempt{ID: s.ID, State: talkstack.DeliveryDead, Error: "The project has no webhook URL any more."}, nil
	}
	body := s.Body
	if body == nil {
		made, err := w.Render(ctx, s.Delivery)
		if err != nil {
			return nil, err
		}
		if body, err = w.DB.SetDeliveryBody(ctx, s.ID, made); err != nil {
			return nil, err
		}
	}
	a := w.send(ctx, s, body)
	if ctx.Err() != nil && a.status == 0 {
		return nil, context.Cause(ctx)
	}
	return w.judge(s, a), nil
}
