package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"talkstack"
)

// MaxNotification is how long the text of a notification may be, in bytes (PostgreSQL manual, NOTIFY: under 8,000).
const MaxNotification = 7999

// Notify sends a text to every node that listens to a channel. On SQLite there is no other node, and it does nothing.
func (db *DB) Notify(ctx context.Context, channel, text string) error {
	if db.engine != PostgreSQL {
		return nil
	}
	_, err := db.write.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, text)
	return wrap("notify other nodes", err)
}

// Listen waits for notifications of a channel on a connection of its own, and gives each to got. ready is called once it
// listens: what was sent before is lost. It returns when ctx ends or the connection breaks. PostgreSQL only.
func (db *DB) Listen(ctx context.Context, channel string, ready func(), got func(text string)) error {
	if db.engine != PostgreSQL {
		return talkstack.Errorf(talkstack.CodeInternal, "Only PostgreSQL has notifications.")
	}
	conn, err := pgx.Connect(ctx, db.url)
	if err != nil {
		return wrap("listen", err)
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = conn.Close(limited) // it may be broken
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return wrap("listen", err)
	}
	ready()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return wrap("listen", err)
		}
		got(n.Payload)
	}
}
