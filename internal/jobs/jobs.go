// Package jobs works what is to be done later and must not be lost: webhooks, analyses, and all else that package store
// inserts as a job in the transaction that makes it true. It owns the one worker of this process, which takes jobs from
// the database, and the settings that hold for all of them. What a job does is known by the package of its subject,
// which gives its worker. Every job is worked at least once, by some node.
package jobs

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
)

// Config is what a Runner needs.
type Config struct {
	DB       *store.DB
	Node     talkstack.NodeID
	Workers  *river.Workers       // one for each kind of job; kinds without one wait for a node that knows them
	Periodic []*river.PeriodicJob // inserted by one node at a time
	Log      *slog.Logger
}

const (
	// timeLimit is how long a job may take whose worker sets no limit of its own.
	timeLimit = time.Minute
	// rescueAfter is when a job that still counts as running is given to another node: its own must have died. A kind
	// with a longer limit of its own is waited for until that.
	rescueAfter = 90 * time.Second
	// softStop is how long Stop waits for jobs before it cancels them.
	softStop = 5 * time.Second
	// keepCompleted is short: a job's row says nothing that the thing it did does not.
	keepCompleted = time.Hour
	// fetchCooldown is the pause between two looks at a queue that has jobs. Its workers divided by it is the most that
	// is begun in a second.
	fetchCooldown = 50 * time.Millisecond
	// pollInterval is the pause between looks at a queue of which nothing is heard. Nearly all insertions announce
	// themselves; two transactions within a millisecond may do so for the first alone.
	pollInterval = 500 * time.Millisecond
)

// queues are the queues and how many jobs of each a node works at once. Each subject has its own, so that jobs that are
// slow or many hold up nothing else.
func queues() map[string]river.QueueConfig {
	return map[string]river.QueueConfig{
		river.QueueDefault:  {MaxWorkers: 20},
		store.QueueWebhook:  {MaxWorkers: 400}, // nearly all of them wait for somebody's server
		store.QueueAnalysis: {MaxWorkers: 16},
		store.QueueHubSpot:  {MaxWorkers: 16},
	}
}

// Runner works jobs until it is stopped.
type Runner struct {
	client *river.Client[*sql.Tx]
	close  func()
	log    *slog.Logger
}

// Start begins to work jobs. The database must be migrated.
func Start(ctx context.Context, cfg Config) (*Runner, error) {
	client, closeListener, err := cfg.DB.NewJobWorker(ctx, &river.Config{
		ID: string(cfg.Node), Queues: queues(), Workers: cfg.Workers, PeriodicJobs: cfg.Periodic,
		JobTimeout: timeLimit, RescueStuckJobsAfter: rescueAfter, SoftStopTimeout: softStop,
		CompletedJobRetentionPeriod: keepCompleted, FetchCooldown: fetchCooldown, FetchPollInterval: pollInterval,
		// During an upgrade node by node, jobs of a kind that only the new version knows stay for it.
		FetchOnlyKnownKinds: true,
		Logger:              quiet(cfg.Log),
	})
	if err != nil {
		return nil, err
	}
	// The client's own context would end jobs at once when the start's does: Stop ends them.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		closeListener()
		return nil, talkstack.WrapError(talkstack.CodeUnavailable, err, "The job queue could not be started.")
	}
	return &Runner{client: client, close: closeListener, log: cfg.Log}, nil
}

// Stop takes no more jobs and waits until those that run have ended: by themselves for a few seconds, then cancelled,
// and at once when ctx ends. What was cancelled is worked again, by another node or after the next start.
func (r *Runner) Stop(ctx context.Context) {
	stopped := make(chan error, 1)
	go func() { stopped <- r.client.Stop(context.WithoutCancel(ctx)) }()
	select {
	case err := <-stopped:
		r.stopped(err)
	case <-ctx.Done():
		r.stopped(r.client.StopAndCancel(context.WithoutCancel(ctx)))
		r.stopped(<-stopped) // it has been waiting for the same
	}
	r.close()
}

func (r *Runner) stopped(err error) {
	if err != nil {
		r.log.Error("job queue was not stopped", "error", err)
	}
}
