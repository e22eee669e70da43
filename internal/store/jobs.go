package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"talkstack"
)

// Jobs are inserted in the transaction that makes them true, and worked at least once by some node (package jobs).

// WebhookJob delivers the pending messages of a stream, in order.
type WebhookJob struct {
	Stream string `json:"stream"` // sid of a call, or id of a message of its own
}

// Kind names the job.
func (WebhookJob) Kind() string { return "webhook" }

// AnalysisJob analyses a call that has ended, by its project's questions, and tells the webhook.
type AnalysisJob struct {
	CallSID talkstack.CallSID `json:"call_sid"`
}

// Kind names the job.
func (AnalysisJob) Kind() string { return "analysis" }

// HubSpotJob writes a call that has ended and was analysed to its owner's HubSpot portal.
type HubSpotJob struct {
	CallSID talkstack.CallSID `json:"call_sid"`
}

// Kind names the job.
func (HubSpotJob) Kind() string { return "hubspot" }

// BatchJob moves the calls of a batch to where the batch's state wants them: into the queue, out of it, or to their end.
type BatchJob struct {
	BatchID talkstack.BatchID `json:"batch_id"`
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

// NewJobClient makes a client of the job queue that lives in this database. With workers and queues in its configuration
// it can work jobs; without, it inserts them. On PostgreSQL a working client listens on a connection of its own.
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
	m, err := rivermigrate.New(db.jobDriver(nil), &rivermigrate.Config{Logger: db.log})
	if err != nil {
		return fmt.Errorf("store: job migrations: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return wrap("migrate the job queue", err)
	}
	return nil
}

// enqueue inserts a job: it is worked if, and only if, the transaction is committed.
func (db *DB) enqueue(ctx context.Context, q *tx, job river.JobArgs, opts *river.InsertOpts) error {
	_, err := db.jobs.InsertTx(ctx, q.sql, job, opts)
	return err
}
