package dispatch

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"talkstack/internal/store"
)

// endLimit bounds one try of an EndCallsWorker; the next goes on where it stopped.
const endLimit = 10 * time.Minute

// EndCallsWorker ends calls that will never be dialled, because their project or agent was deleted.
type EndCallsWorker struct {
	river.WorkerDefaults[store.EndCallsJob]
	DB *store.DB
}

// Work ends what is left of them.
func (w *EndCallsWorker) Work(ctx context.Context, job *river.Job[store.EndCallsJob]) error {
	return w.DB.EndCalls(ctx, job.Args)
}

// Timeout is how long one try may take.
func (w *EndCallsWorker) Timeout(*river.Job[store.EndCallsJob]) time.Duration { return endLimit }
