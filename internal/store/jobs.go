package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"talkstack"
)

// Jobs are inserted in the transaction that makes them true, and worked at least once by some node (package jobs).

// The queues that jobs are taken from beside the default one. Subjects whose jobs wait for servers outside have their own.
const (
	QueueWebhook  = "webhook"
	QueueAnalysis = "analysis"
	QueueHubSpot  = "hubspot"
)

// announcePause is how long this process is silent about further jobs of a queue after it has told of one. Those it is
// silent about, if they are committed after the workers have looked, are found when those look next by themselves.
const announcePause = time.Millisecond

// maxJobAttempts is enough for any outage of the database: no job is given up for that.
const maxJobAttempts = 1000

// WebhookJob delivers what is due in one lane of a project's webhook messages.
type WebhookJob struct {
	ProjectID talkstack.ProjectID `json:"project_id"`
	Lane      int                 `json:"lane"`
	Alarm     time.Time           `json:"alarm,omitzero"` // the lane's, if the job is that
}

// Kind names the job.
func (WebhookJob) Kind() string { return "webhook" }

// InsertOpts names the queue.
func (WebhookJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueWebhook, MaxAttempts: maxJobAttempts}
}

// WebhookUpkeepJob wakes lanes that were forgotten, and removes messages that are old.
type WebhookUpkeepJob struct{}

// Kind names the job.
func (WebhookUpkeepJob) Kind() string { return "webhook_upkeep" }

// AnalysisJob analyses a call that has ended, by its project's questions, and tells the webhook.
type AnalysisJob struct {
	CallSID talkstack.CallSID `json:"call_sid"`
}

// Kind names the job.
func (AnalysisJob) Kind() string { return "analysis" }

// InsertOpts names the queue.
func (AnalysisJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueAnalysis, MaxAttempts: maxJobAttempts}
}

// HubSpotJob writes a call that has ended and was analysed to its owner's HubSpot portal.
type HubSpotJob struct {
	CallSID talkstack.CallSID `json:"call_sid"`
}

// Kind names the job.
func (HubSpotJob) Kind() string { return "hubspot" }

// InsertOpts names the queue.
func (HubSpotJob) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueHubSpot} }

// BatchJob does to the calls of a batch what its state wants: it ends those of a cancelled one, puts those that wait on
// new times after a change of the calling windows, and cancels a batch that nobody loads any more.
type BatchJob struct {
	BatchID    talkstack.BatchID `json:"batch_id"`
	Reschedule bool              `json:"reschedule,omitempty"` // the calling windows have changed
}

// Kind names the job.
func (BatchJob) Kind() string { return "batch" }

// EndCallsJob ends the calls that were waiting when their project or agent was deleted, where they were many.
type EndCallsJob struct {
	ProjectID talkstack.ProjectID `json:"project_id"`
	AgentID   talkstack.AgentID   `json:"agent_id"` // empty: all of the project's
	Why       string              `json:"why"`      // of the end reason
}

// Kind names the job.
func (EndCallsJob) Kind() string { return "end_calls" }

// ResetMailJob makes a password reset for a user and mails its link. The token is not in the job: it would lie in the
// database in clear.
type ResetMailJob struct {
	UserID talkstack.UserID `json:"user_id"`
}

// Kind names the job.
func (ResetMailJob) Kind() string { return "reset_mail" }

// NewJobWorker makes a client that works the jobs of this database, by the queues and workers of its configuration. On
// PostgreSQL it listens on a connection of its own. closeListener frees that, once the client has stopped.
func (db *DB) NewJobWorker(ctx context.Context, cfg *river.Config) (client *river.Client[*sql.Tx], closeListener func(), err error) {
	var listen *pgxpool.Pool
	closeListener = func() {}
	if db.engine == PostgreSQL {
		pool, err := pgxpool.ParseConfig(db.url)
		if err != nil {
			return nil, nil, fmt.Errorf("store: database URL: %w", err)
		}
		pool.MinConns, pool.MaxConns = 0, 1
		if listen, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
			return nil, nil, wrap("listen for jobs", err)
		}
		closeListener = listen.Close
	}
	if client, err = river.NewClient(db.jobDriver(listen), cfg); err != nil {
		closeListener()
		return nil, nil, fmt.Errorf("store: job client: %w", err)
	}
	return client, closeListener, nil
}

// NewJobClient makes a client that inserts jobs and looks at them, and works none.
func (db *DB) NewJobClient(cfg *river.Config) (*river.Client[*sql.Tx], error) {
	if cfg.Logger == nil {
		cfg.Logger = db.log
	}
	client, err := river.NewClient(db.jobDriver(nil), cfg)
	if err != nil {
		return nil, fmt.Errorf("store: job client: %w", err)
	}
	return client, nil
}

func (db *DB) jobDriver(listen *pgxpool.Pool) riverdriver.Driver[*sql.Tx] {
	switch {
	case db.engine == SQLite:
		return riversqlite.New(db.write)
	case listen != nil:
		return riverdatabasesql.NewWithPgxListener(db.write, listen)
	default:
		return riverdatabasesql.New(db.write)
	}
}

// migrateJobs makes or updates the job queue's own tables.
func (db *DB) migrateJobs(ctx context.Context) error {
	unlock, err := db.lockJobMigration(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := rivermigrate.New(db.jobDriver(nil), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("store: job migrations: %w", err)
	}
	result, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return wrap("migrate the job queue", err)
	}
	if n := len(result.Versions); n > 0 {
		db.log.Info("job queue migrated", "version", result.Versions[n-1].Version)
	}
	return nil
}

// jobMigrationLock is the key of an advisory lock of PostgreSQL, any number that nobody else has.
const jobMigrationLock = 0x74616c6b

// lockJobMigration keeps two nodes that start at once from making the same tables. It asks again and again instead of
// waiting inside the database: there it would hold a snapshot, which a migration that builds an index waits for.
func (db *DB) lockJobMigration(ctx context.Context) (unlock func(), err error) {
	if db.engine == SQLite {
		return func() {}, nil // the file's lock does
	}
	conn, err := db.beat.Conn(ctx)
	if err != nil {
		return nil, wrap("lock the job queue's schema", err)
	}
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		var locked bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", jobMigrationLock).Scan(&locked); err != nil {
			return nil, errors.Join(wrap("lock the job queue's schema", err), conn.Close())
		}
		if locked {
			break
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(wrap("lock the job queue's schema", ctx.Err()), conn.Close())
		case <-retry.C:
		}
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", jobMigrationLock); err != nil {
			// The lock is the connection's: it goes with it.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}, nil
}

// enqueue inserts a job: it is worked if, and only if, the transaction is committed.
func (db *DB) enqueue(ctx context.Context, q *tx, job river.JobArgs, opts *river.InsertOpts) error {
	_, err := db.jobs.InsertTx(ctx, q.sql, job, opts)
	return err
}

// releaseJobsOf puts the jobs that a dead node was working back into the queue. The queue itself would find them only
// once they have been running for longer than any job may.
func (db *DB) releaseJobsOf(ctx context.Context, q *tx, dead talkstack.NodeID) error {
	_, err := q.sql.ExecContext(ctx,
		"UPDATE river_job SET state = 'available' WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1", string(dead))
	return err
}

// releaseJobsOfOthers does so on SQLite, where every process but this one is dead.
func (db *DB) releaseJobsOfOthers(ctx context.Context, node talkstack.NodeID) error {
	_, err := db.write.ExecContext(ctx,
		"UPDATE river_job SET state = 'available' WHERE state = 'running' AND json_extract(attempted_by, '$[#-1]') <> ?1", string(node))
	return wrap("release the jobs of a process that has died", err)
}
