package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store/query"
)

// Engine is the kind of database.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
)

// Config says which database to open. Either URL or Path must be set; URL wins.
type Config struct {
	URL      string           // "postgres://user:password@host/name"
	Path     string           // of the SQLite file; its folder must exist
	ReadOnly bool             // look only: nothing is locked, migrated or written
	MaxConns int              // connections to PostgreSQL; 0 means 20
	Now      func() time.Time // the clock; nil means time.Now
	Prices   talkstack.Prices // of calls whose process has died
	// OnChange is told of each call that has changed, or one of whose turns has, and of HangupWishes, after the commit.
	// It must not block.
	OnChange func(sid talkstack.CallSID)
	Log      *slog.Logger // nil means slog.Default
}

const (
	defaultMaxConns = 20
	// openLimit bounds the first connection: a database that is away is told at once, not at the first request.
	openLimit = 15 * time.Second
	// conflictRetries is how often a transaction is tried again that PostgreSQL ended for a deadlock or a
	// serialization failure.
	conflictRetries = 4
)

// DB is an open database. Its methods may be used by many goroutines.
type DB struct {
	engine Engine
	url    string  // of PostgreSQL
	write  *sql.DB // on SQLite one connection: writers queue in Go instead of meeting in the file
	read   *sql.DB // on PostgreSQL the same pool as write
	beat   *sql.DB // heartbeats alone, so that no crowd of queries can delay them; nil on SQLite
	lock   *os.File
	jobs   *river.Client[*sql.Tx] // inserts alone; nil when read-only
	clock  func() time.Time
	log    *slog.Logger
	zones  sync.Map // time zones by the lists of their names, as []*time.Location

	onChange  func(sid talkstack.CallSID)
	prices    talkstack.Prices
	keysSwept atomic.Int64 // when old idempotency keys were last removed, Unix nanoseconds
}

// Open opens the database and makes sure that it answers. It does not migrate it. On SQLite it takes the lock that lets
// one process at a time own the file; when another process has it, the error is of CodeUnavailable.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{clock: cfg.Now, log: cfg.Log, onChange: cfg.OnChange, prices: cfg.Prices}
	if db.onChange == nil {
		db.onChange = func(talkstack.CallSID) {}
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	if db.log == nil {
		db.log = slog.Default()
	}
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	var err error
	switch {
	case cfg.URL != "":
		err = db.openPostgreSQL(ctx, cfg)
	case cfg.Path != "":
		err = db.openSQLite(ctx, cfg)
	default:
		return nil, errors.New("store: neither a database URL nor a path is set")
	}
	if err == nil && !cfg.ReadOnly {
		db.jobs, err = db.NewJobClient(&river.Config{FetchCooldown: announcePause})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close waits for running queries and closes the database. Closing again does nothing.
func (db *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.beat, db.read, db.write} {
		if pool != nil {
			errs = append(errs, pool.Close()) // closing the same pool twice is fine
		}
	}
	if db.lock != nil { // last: nothing of ours can write any more when it is given up
		// Unlocking a closed file fails, and so does closing it: it was closed before.
		unlocked, closed := unlock(db.lock), db.lock.Close()
		if !errors.Is(closed, os.ErrClosed) {
			errs = append(errs, unlocked, closed)
		}
	}
	return errors.Join(errs...)
}

// Engine is the kind of database this is.
func (db *DB) Engine() Engine { return db.engine }

// Ping asks the database for a sign of life.
func (db *DB) Ping(ctx context.Context) error {
	return wrap("ping", db.read.PingContext(ctx))
}

// now is the clock in the precision that both databases keep.
func (db *DB) now() time.Time { return db.clock().UTC().Truncate(time.Microsecond) }

// reader runs queries outside a transaction.
func (db *DB) reader() *query.Queries { return query.New(db.dialect(db.read)) }

// writer runs single statements that are their own transaction.
func (db *DB) writer() *query.Queries { return query.New(db.dialect(db.write)) }

// transact runs f in one transaction, which is rolled back when f fails. f may run more than once, and must use q alone:
// on SQLite a second connection would wait for this one for ever.
func (db *DB) transact(ctx context.Context, doing string, f func(q *tx) error) error {
	for try := 1; ; try++ {
		err := db.transactOnce(ctx, f)
		if err == nil || try > conflictRetries || !mayRetry(err) {
			return wrap(doing, err)
		}
	}
}

// tx is a running transaction: the queries, the connection that jobs are inserted on, and which calls have changed.
type tx struct {
	*query.Queries
	sql     *sql.Tx
	changed []talkstack.CallSID
}

// touch notes that a call or its turns have changed: who listens is told once the transaction is committed.
func (t *tx) touch(sid talkstack.CallSID) { t.changed = append(t.changed, sid) }

func (db *DB) transactOnce(ctx context.Context, f func(q *tx) error) error {
	raw, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Rollback() }() // does nothing after Commit; otherwise the cause is already returned
	t := &tx{Queries: query.New(db.dialect(raw)), sql: raw}
	if err := f(t); err != nil {
		return err
	}
	if err := raw.Commit(); err != nil {
		return err
	}
	for _, sid := range t.changed {
		db.onChange(sid)
	}
	return nil
}

// Empty reports whether the database holds no account yet.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	_, err := db.reader().AnyUser(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, wrap("look for an account", err)
}

// missingFile is the error of looking into a database that is not there.
func missingFile(path string, err error) error {
	return talkstack.WrapError(talkstack.CodeUnavailable, err, fmt.Sprintf("There is no database at %s.", path))
}
