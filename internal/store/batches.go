package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store/query"
)

const (
	// AbandonedAfter is how long a batch may be loading without a row being stored before it is cancelled: whoever sent
	// it has died, and not sent it again.
	AbandonedAfter = time.Hour
	// MaxLoadRows is how many rows LoadBatch takes at once: it bounds how long others wait for the database.
	MaxLoadRows = 500
)

// Recipient is a row of a batch that can be called.
type Recipient struct {
	Row              int    // from 1
	Number           string // E.164
	TimeZone         string // IANA; several by commas; empty: unknown
	DynamicVariables map[string]any
	MissingVariables []string
	NotBefore        time.Time // when it may be called at the earliest
}

// Rejection is a row of a batch that can not be called.
type Rejection struct {
	Row    int    // from 1
	Number string // as it was written
	Reason string
}

// BatchCallSID is the sid of the first call to a row of a batch. Made from both, it is the same whoever loads the row, so
// that loading again changes nothing; batch ids are random, so that nobody can guess it.
func BatchCallSID(batch talkstack.BatchID, row int) talkstack.CallSID {
	return derivedSID(fmt.Sprintf("%s row %d", batch, row))
}

func derivedSID(from string) talkstack.CallSID {
	sum := sha256.Sum256([]byte(from))
	return talkstack.CallSID("CA" + hex.EncodeToString(sum[:16]))
}

// CreateBatch stores a batch without rows, as loading, and returns it as stored. The agent must be the project's. The
// same id again is no error and changes nothing: what was stored first is returned, whatever its state. When nothing
// loads it for AbandonedAfter, it is cancelled.
func (db *DB) CreateBatch(ctx context.Context, b talkstack.Batch) (talkstack.Batch, error) {
	if err := checkText("name", b.Name); err != nil {
		return talkstack.Batch{}, err
	}
	windows, retry, err := encodeRules(b)
	if err != nil {
		return talkstack.Batch{}, err
	}
	var stored talkstack.Batch
	err = db.transact(ctx, "create a batch", func(q *tx) error {
		now := db.now()
		start := b.StartAt.UTC().Truncate(time.Microsecond)
		if start.Before(now) {
			start = now
		}
		if err := lockedIn(ctx, q, b.UserID, b.ProjectID); err != nil {
			return err
		}
		a, err := q.ShareAgent(ctx, query.ShareAgentParams{ID: b.AgentID, UserID: b.UserID})
		if err != nil {
			return lookup("agent", err)
		}
		if a.ProjectID != b.ProjectID {
			return notFound("agent")
		}
		version := int64(b.AgentVersion)
		if version == 0 {
			version = a.Version
		}
		n, err := q.InsertBatch(ctx, query.InsertBatchParams{
			ID: b.ID, UserID: b.UserID, ProjectID: b.ProjectID, AgentID: b.AgentID, AgentVersion: version, FromNumber: b.From, Name: b.Name,
			Total: int64(b.Total), CallsPerSecond: b.CallsPerSecond, StartAt: start, Windows: windows, TimeZone: b.TimeZone, Retry: retry, CreatedAt: now,
		})
		if err != nil {
			return err
		}
		if stored, err = batchOf(q.Batch(ctx, query.BatchParams{ID: b.ID, UserID: b.UserID})); err != nil || n == 0 {
			return err
		}
		if err := db.audit(ctx, q, b.UserID, "batch.create", "batch", string(b.ID), map[string]any{
			"project_id": b.ProjectID, "agent_id": b.AgentID, "name": b.Name, "total": b.Total,
		}); err != nil {
			return err
		}
		return db.enqueue(ctx, q, BatchJob{BatchID: b.ID}, &river.InsertOpts{ScheduledAt: now.Add(AbandonedAfter)})
	})
	return stored, err
}

// LoadBatch stores rows of a batch that is loading: recipients as queued calls, which nobody claims before the batch is
// running. Rows that are stored already stay as they are. It takes MaxLoadRows at once. A batch that is not loading is
// CodeConflict, unless another request has loaded it to its end meanwhile: then there is nothing left to do.
func (db *DB) LoadBatch(ctx context.Context, b talkstack.Batch, recipients []Recipient, rejections []Rejection) error {
	if len(recipients)+len(rejections) > MaxLoadRows {
		return fmt.Errorf("store: %d rows of a batch at once", len(recipients)+len(rejections))
	}
	var inserts []insert
	for some := range slices.Chunk(recipients, insertRows) {
		i, err := insertRecipients(b, some, db.now())
		if err != nil {
			return err
		}
		inserts = append(inserts, i)
	}
	return db.transact(ctx, "load a batch", func(q *tx) error {
		locked, err := batchOf(q.LockBatch(ctx, b.ID))
		if err != nil {
			return err
		}
		switch locked.State {
		case talkstack.BatchLoading:
		case talkstack.BatchRunning, talkstack.BatchPaused, talkstack.BatchCompleted:
			return nil
		case talkstack.BatchCancelled:
			return errCancelled()
		}
		for _, i := range inserts {
			if _, err := db.dialect(q.sql).ExecContext(ctx, i.text, i.args...); err != nil {
				return err
			}
		}
		for _, r := range rejections {
			if err := q.InsertRejection(ctx, query.InsertRejectionParams{
				BatchID: b.ID, BatchRow: int64(r.Row), Number: cleanText(r.Number), Reason: cleanText(r.Reason),
			}); err != nil {
				return err
			}
		}
		return q.TouchBatch(ctx, query.TouchBatchParams{ID: b.ID, Now: db.now()})
	})
}

func errCancelled() error {
	return talkstack.Errorf(talkstack.CodeConflict, "The batch was cancelled: send it again with another Idempotency-Key.")
}

// insertRows is how many rows one statement inserts. A statement for each row would take several times as long, and so
// would one for all: SQLite looks numbered parameters up one by one.
const insertRows = 50

// insert is a statement and its parameters.
type insert struct {
	text string
	args []any
}

// insertRecipients is one statement for some rows. What all rows have in common is sent once.
func insertRecipients(b talkstack.Batch, recipients []Recipient, now time.Time) (insert, error) {
	args := []any{string(b.UserID), string(b.ProjectID), string(b.AgentID), int64(b.AgentVersion), b.From, string(b.ID), now}
	var sql strings.Builder
	sql.WriteString(`INSERT INTO calls (
  sid, carrier_sid, user_id, project_id, agent_id, agent_version, direction, from_number, to_number, status, state,
  end_party, end_code, end_message, dynamic_variables, missing_variables, slots, cost, cost_parts, usage, analysis, recording,
  latency_p50_us, latency_p95_us, latency_turns, node, attempt, batch_id, batch_row, time_zone, try, retry_of, superseded,
  not_before, created_at) VALUES `)
	for i, r := range recipients {
		if r.DynamicVariables == nil {
			r.DynamicVariables = map[string]any{}
		}
		if r.MissingVariables == nil {
			r.MissingVariables = []string{}
		}
		variables, err := encode("dynamicVariables", r.DynamicVariables)
		if err != nil {
			return insert{}, err
		}
		missing, err := encode("missingVariables", r.MissingVariables)
		if err != nil {
			return insert{}, err
		}
		if i > 0 {
			sql.WriteByte(',')
		}
		n := len(args)
		fmt.Fprintf(&sql, "(?%d,'',?1,?2,?3,?4,'outbound',?5,?%d,'queued','queued','','','',?%d,?%d,'{}',0,'{}','{}','','',0,0,0,'',0,?6,?%d,?%d,1,'',FALSE,?%d,?7)",
			n+1, n+2, n+3, n+4, n+5, n+6, n+7)
		args = append(args, string(BatchCallSID(b.ID, r.Row)), r.Number, variables, missing, int64(r.Row), r.TimeZone, r.NotBefore.UTC().Truncate(time.Microsecond))
	}
	sql.WriteString(" ON CONFLICT (sid) DO NOTHING")
	return insert{text: sql.String(), args: args}, nil
}

// FinishLoading ends the loading of a batch and returns it as stored: from here on its calls are dialled. One of which
// nothing is left to be dialled is complete. Of a batch that another request has loaded to its end meanwhile nothing
// changes.
func (db *DB) FinishLoading(ctx context.Context, b talkstack.Batch) (talkstack.Batch, error) {
	var stored talkstack.Batch
	err := db.transact(ctx, "finish loading a batch", func(q *tx) (err error) {
		if stored, err = batchOf(q.LockBatch(ctx, b.ID)); err != nil {
			return err
		}
		switch stored.State {
		case talkstack.BatchLoading:
		case talkstack.BatchRunning, talkstack.BatchPaused, talkstack.BatchCompleted:
			return nil
		case talkstack.BatchCancelled:
			return errCancelled()
		}
		calls, err := q.CountBatchCalls(ctx, orNull(b.ID))
		if err != nil {
			return err
		}
		rejected, err := q.CountRejections(ctx, b.ID)
		if err != nil {
			return err
		}
		stored.State, stored.Queued, stored.Rejected, stored.Total = talkstack.BatchRunning, int(calls), int(rejected), int(calls+rejected)
		if err := q.FinishLoading(ctx, query.FinishLoadingParams{
			ID: b.ID, Queued: calls, Rejected: rejected, Total: calls + rejected, Now: db.now(),
		}); err != nil {
			return err
		}
		open, err := q.SomeOpenBatchCalls(ctx, query.SomeOpenBatchCallsParams{BatchID: orNull(b.ID), MaxRows: 1})
		if err != nil || len(open) > 0 {
			return err // the end of the last of them completes the batch
		}
		return db.setBatchState(ctx, q, &stored, talkstack.BatchCompleted)
	})
	return stored, err
}

// Batch returns one of the user's batches.
func (db *DB) Batch(ctx context.Context, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	return batchOf(db.reader().Batch(ctx, query.BatchParams{ID: id, UserID: user}))
}

// BatchFilter says which batches are wanted. Zero fields want all.
type BatchFilter struct {
	ProjectID talkstack.ProjectID
	State     talkstack.BatchState
}

// Batches returns up to limit batches of a user, newest first, from behind the cursor on.
func (db *DB) Batches(ctx context.Context, user talkstack.UserID, f BatchFilter, after Cursor, limit int) ([]talkstack.Batch, error) {
	at, id := after.before()
	rows, err := db.reader().Batches(ctx, query.BatchesParams{
		UserID: user, BeforeAt: at, BeforeID: talkstack.BatchID(cleanText(id)), ProjectID: cleanText(string(f.ProjectID)),
		State: cleanText(string(f.State)), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, wrap("list batches", err)
	}
	out := make([]talkstack.Batch, 0, len(rows))
	for _, r := range rows {
		b, err := batchOf(r, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func encodeRules(b talkstack.Batch) (windows, retry string, err error) {
	if b.Windows == nil {
		b.Windows = []talkstack.CallingWindow{}
	}
	if b.Retry == nil {
		b.Retry = []talkstack.RetryRule{}
	}
	if windows, err = encode("windows", b.Windows); err != nil {
		return "", "", err
	}
	retry, err = encode("retry", b.Retry)
	return windows, retry, err
}

func batchOf(r query.Batch, err error) (talkstack.Batch, error) {
	if err != nil {
		return talkstack.Batch{}, lookup("batch", err)
	}
	b := talkstack.Batch{
		ID: r.ID, UserID: r.UserID, ProjectID: r.ProjectID, AgentID: r.AgentID, AgentVersion: int(r.AgentVersion), From: r.FromNumber,
		Name: r.Name, State: r.State, Total: int(r.Total), Queued: int(r.Queued), Rejected: int(r.Rejected), CallsPerSecond: r.CallsPerSecond,
		TimeZone: r.TimeZone, StartAt: r.StartAt.UTC(), CreatedAt: r.CreatedAt.UTC(), CompletedAt: timeOrZero(r.CompletedAt),
	}
	if err := decode("windows", r.Windows, &b.Windows); err != nil {
		return b, err
	}
	return b, decode("retry", r.Retry, &b.Retry)
}
