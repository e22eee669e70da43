package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"talkstack"
)

// sqliteReaders is the size of the reader pool. Readers never wait for the writer in WAL mode.
const sqliteReaders = 8

// sqliteOptions hold for each connection, so they are part of its address: a PRAGMA run once would reach one
// connection of the pool alone. busy_timeout is first, because switching to WAL may itself find the file busy.
// synchronous=FULL keeps the last commits at a power cut: a call that was marked dialing must still be so afterwards.
// _txlock=immediate takes the write lock at BEGIN: a transaction that reads first and then finds another writer ahead
// fails at once, whatever the timeout. Without the time options the driver writes Go's own text, with its zone.
const sqliteOptions = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
	"&_time_format=sqlite&_timezone=UTC&_txlock=immediate"

const sqliteReadOnly = "mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)&_time_format=sqlite&_timezone=UTC"

func (db *DB) openSQLite(ctx context.Context, cfg Config) error {
	db.engine = SQLite
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if cfg.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return missingFile(path, err)
		}
	} else if db.lock, err = lockFile(path + ".lock"); err != nil {
		return err
	}
	address := "file:" + escapePath(path) + "?"
	readAddress := address + sqliteReadOnly
	if cfg.ReadOnly {
		if db.write, err = sql.Open("sqlite", readAddress); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		db.read = db.write
		return wrap("open "+path, db.write.PingContext(ctx))
	}
	if db.write, err = sql.Open("sqlite", address+sqliteOptions); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	db.write.SetMaxOpenConns(1)
	db.write.SetMaxIdleConns(1)
	if err := db.write.PingContext(ctx); err != nil { // makes the file
		return wrap("open "+path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // it holds password hashes
		return fmt.Errorf("store: %w", err)
	}
	if db.read, err = sql.Open("sqlite", readAddress); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	db.read.SetMaxOpenConns(sqliteReaders)
	db.read.SetMaxIdleConns(sqliteReaders)
	return wrap("open "+path, db.read.PingContext(ctx))
}

// escapePath keeps a path's own ? and # from ending it (RFC 3986 section 3.3).
func escapePath(path string) string {
	return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// lockFile takes the exclusive lock that lets one process own the database. It holds until the process dies, however it
// dies, so a lock file that is left over locks nothing.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, talkstack.WrapError(talkstack.CodeUnavailable, err,
			fmt.Sprintf("The data folder %s can not be written: check that it exists and who owns it.", filepath.Dir(path)))
	}
	if err := tryLock(f); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0)
		who := "Another talkstack process"
		if pid := strings.TrimSpace(string(owner[:n])); pid != "" {
			who += " (pid " + pid + ")"
		}
		return nil, errors.Join(talkstack.WrapError(talkstack.CodeUnavailable, err,
			fmt.Sprintf("%s uses the data folder %s. Stop it first, or give this one another data folder.", who, filepath.Dir(path))), f.Close())
	}
	// For people and for the message above; nothing depends on it.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}
