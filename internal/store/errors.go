package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"talkstack"
)

// ErrNotHeld says that a call is not in the hands of the node and attempt that wanted to change it, or is past the state
// from which the change is allowed: it was reaped, requeued, told to hang up, or has ended. Whoever gets it must stop
// working on the call.
var ErrNotHeld error = &talkstack.Error{Code: talkstack.CodeConflict, Message: "The call is no longer held by this attempt."}

// ErrLeaseLost says that a node is not alive in the eyes of the others: it must send a heartbeat before it takes calls.
var ErrLeaseLost error = &talkstack.Error{Code: talkstack.CodeUnavailable, Message: "This node has lost its lease on the database."}

func notFound(what string) error {
	return talkstack.Errorf(talkstack.CodeNotFound, "There is no such %s.", what)
}

// lookup is wrap for a query that must find one row. A key that no database can hold finds nothing.
func lookup(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) || postgresCode(err) == pgBadText {
		return notFound(what)
	}
	return wrap("look up "+what, err)
}

// ignoreNoRows is err, but that finding nothing is none.
func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// PostgreSQL error codes (PostgreSQL manual, appendix A).
const (
	pgBadText       = "22021" // character_not_in_repertoire: NUL, or not UTF-8
	pgBadEscape     = "22P05" // untranslatable_character: \u0000 in JSON
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgDiskFull      = "53100"
)

func postgresCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// sqliteCode is the primary result code, or 0.
func sqliteCode(err error) (primary, extended int) {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff, e.Code()
	}
	return 0, 0
}

func isUnique(err error) bool {
	_, extended := sqliteCode(err)
	return postgresCode(err) == pgUnique ||
		extended == sqlite3.SQLITE_CONSTRAINT_UNIQUE || extended == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// mayRetry reports whether the database undid a transaction only because of the company it was in.
func mayRetry(err error) bool {
	code := postgresCode(err)
	return code == pgSerialization || code == pgDeadlock
}

// wrap says what was being done, and gives the error its code where the cause is known.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*talkstack.Error](err); ok {
		return err
	}
	err = fmt.Errorf("store: %s: %w", doing, err)
	switch code := postgresCode(err); {
	case errors.Is(err, context.Canceled):
		return err // nobody waits for the answer
	case isUnique(err):
		return talkstack.WrapError(talkstack.CodeConflict, err, "This already exists.")
	case code == pgBadText, code == pgBadEscape:
		return talkstack.WrapError(talkstack.CodeInvalid, err, "A text holds characters that can not be stored.")
	case isAway(err):
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "The database is not available. Try again in a moment.")
	}
	return err
}

// isAway reports whether the same request may succeed later without anybody changing it.
func isAway(err error) bool {
	switch primary, _ := sqliteCode(err); primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return true
	}
	code := postgresCode(err)
	for _, class := range []string{"08", "53", "57", "58"} { // connection, resources, operator, system
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	if code == "25006" || code == pgSerialization || code == pgDeadlock { // 25006: a standby after a failover
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}
