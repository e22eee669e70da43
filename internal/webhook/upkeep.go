package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"talkstack/internal/store"
)

const (
	// Retention is how long a message is kept after it was delivered or given up.
	Retention = 30 * 24 * time.Hour
	// upkeepInterval is how often the rows are looked after.
	upkeepInterval = 5 * time.Minute
	// forgottenAfter is more than any pause in which nobody looks at a message that is due.
	forgottenAfter = 2 * time.Minute
)

// Upkeep removes old messages, and wakes lanes whose jobs were lost.
type Upkeep struct {
	river.WorkerDefaults[store.WebhookUpkeepJob]
	DB  *store.DB
	Now func() time.Time
	Log *slog.Logger
}

// Work looks once.
func (u *Upkeep) Work(ctx context.Context, _ *river.Job[store.WebhookUpkeepJob]) error {
	now := u.Now()
	woken, err := u.DB.WakeForgottenLanes(ctx, now.Add(-forgottenAfter))
	if err != nil {
		return err
	}
	if woken > 0 {
		u.Log.Warn("webhook messages had no job", "lanes", woken)
	}
	removed, err := u.DB.DeleteOldDeliveries(ctx, now.Add(-Retention))
	if removed > 0 {
		u.Log.Info("old webhook messages removed", "count", removed)
	}
	return err
}

// PeriodicUpkeep inserts the job of Upkeep.
func PeriodicUpkeep() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(upkeepInterval), func() (river.JobArgs, *river.InsertOpts) {
		return store.WebhookUpkeepJob{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}
