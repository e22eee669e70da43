package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"talkstack/internal/store/query"
)

func (db *DB) openPostgreSQL(ctx context.Context, cfg Config) error {
	db.engine, db.url = PostgreSQL, cfg.URL
	pool, err := sql.Open("pgx", cfg.URL)
	if err != nil {
		return fmt.Errorf("store: database URL: %w", err)
	}
	db.write, db.read = pool, pool
	limit := cfg.MaxConns
	if limit <= 0 {
		limit = defaultMaxConns
	}
	pool.SetMaxOpenConns(limit)
	pool.SetMaxIdleConns(limit)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if db.beat, err = sql.Open("pgx", cfg.URL); err != nil {
		return fmt.Errorf("store: database URL: %w", err)
	}
	db.beat.SetMaxOpenConns(1)
	return wrap("connect", pool.PingContext(ctx))
}

// dialect makes generated queries fit the database.
func (db *DB) dialect(d query.DBTX) query.DBTX {
	if db.engine == PostgreSQL {
		return postgres{d}
	}
	return d
}

// postgres runs queries that were generated for SQLite. It numbers placeholders as $1 instead of ?1, and puts in force
// the row locks that stand in comments: /*FOR UPDATE*/.
type postgres struct{ query.DBTX }

func (p postgres) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return p.DBTX.ExecContext(ctx, rewritten(text), args...)
}

func (p postgres) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return p.DBTX.QueryContext(ctx, rewritten(text), args...)
}

func (p postgres) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return p.DBTX.QueryRowContext(ctx, rewritten(text), args...)
}

// rewrites holds each query's PostgreSQL text. There are as many as queries in package query.
var rewrites sync.Map //nolint:gochecknoglobals // a pure function's results, shared by all databases

func rewritten(text string) string {
	if t, ok := rewrites.Load(text); ok {
		return t.(string)
	}
	t := rewrite(text)
	rewrites.Store(text, t)
	return t
}

// rewrite leaves quoted texts as they are.
func rewrite(text string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '?' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			c = '$'
		case strings.HasPrefix(text[i:], "/*FOR "):
			if lock, _, ok := strings.Cut(text[i+2:], "*/"); ok {
				b.WriteString(lock)
				i += len(lock) + 3
				continue
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
