package store

import (
	"context"
	"strings"

	"talkstack"
)

// Rewrite is rewrite.
func Rewrite(text string) string { return rewrite(text) }

// Prepare lets the database check a generated query.
func (db *DB) Prepare(ctx context.Context, text string) error {
	if db.engine == PostgreSQL {
		text = rewrite(text)
	}
	stmt, err := db.write.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer stmt.Close()
	return nil
}

// Exec runs a statement that no method has, written as queries are.
func (db *DB) Exec(ctx context.Context, text string, args ...any) error {
	_, err := db.dialect(db.write).ExecContext(ctx, text, args...)
	return err
}

// Rollback takes the schema down to nothing, step by step.
func (db *DB) Rollback(ctx context.Context) error {
	p, err := db.provider()
	if err != nil {
		return err
	}
	_, err = p.DownTo(ctx, 0)
	return err
}

// ExplainCalls is how SQLite would look for a page of calls, a step a line.
func (db *DB) ExplainCalls(ctx context.Context, user talkstack.UserID, f CallFilter) (string, error) {
	h := history{db: db, user: user, filter: f, limit: 21}
	rest, err := h.statement(ctx)
	if err != nil {
		return "", err
	}
	rows, err := db.read.QueryContext(ctx, "EXPLAIN QUERY PLAN SELECT * FROM calls "+rest, h.values()...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", err
		}
		plan.WriteString(detail + "\n")
	}
	return plan.String(), rows.Err()
}
