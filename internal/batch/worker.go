package batch

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
)

// workLimit bounds one job: ending 100,000 calls takes a minute or two.
const workLimit = 15 * time.Minute

// Worker works store.BatchJob. All it does may be repeated.
type Worker struct {
	river.WorkerDefaults[store.BatchJob]

	DB  *store.DB
	Log *slog.Logger
}

// Timeout is how long one job may take.
func (*Worker) Timeout(*river.Job[store.BatchJob]) time.Duration { return workLimit }

// Work does to a batch's calls what the batch's state wants.
func (w *Worker) Work(ctx context.Context, job *river.Job[store.BatchJob]) error {
	id := job.Args.BatchID
	if job.Args.Reschedule {
		return w.DB.RescheduleBatch(ctx, id)
	}
	again, err := w.DB.CancelAbandoned(ctx, id)
	switch {
	case talkstack.ErrorCode(err) == talkstack.CodeNotFound:
		return river.JobCancel(err)
	case err != nil:
		return err
	case !again.IsZero():
		return river.JobSnooze(max(time.Second, time.Until(again)))
	}
	return w.DB.EndCancelled(ctx, id)
}
