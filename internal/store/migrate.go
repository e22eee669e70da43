package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"talkstack"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema up to this program's version. On PostgreSQL it holds a lock meanwhile, so that several
// nodes may start at once; on SQLite the file lock of Open does that. A schema that is newer than this program is an
// error of CodeUnavailable: an old program must not write what it does not understand.
func (db *DB) Migrate(ctx context.Context) error {
	p, err := db.provider()
	if err != nil {
		return err
	}
	if err := checkNewer(ctx, p); err != nil {
		return err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return wrap("migrate", err)
	}
	for _, r := range results {
		db.log.Info("schema migrated", "version", r.Source.Version, "duration", r.Duration)
	}
	return db.migrateJobs(ctx)
}

// Schema returns the version of the database's schema, 0 for an empty one, and the version this program wants.
func (db *DB) Schema(ctx context.Context) (have, want int64, err error) {
	p, err := db.provider()
	if err != nil {
		return 0, 0, err
	}
	have, want, err = p.GetVersions(ctx)
	return have, want, wrap("read the schema's version", err)
}

func checkNewer(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return wrap("read the schema's version", err)
	}
	if have > want {
		return talkstack.Errorf(talkstack.CodeUnavailable,
			"The database was made by a newer talkstack (schema %d; this program knows %d). Use that version, or another database.", have, want)
	}
	return nil
}

func (db *DB) provider() (*goose.Provider, error) {
	dialect, folder := goose.DialectSQLite3, "migrations/sqlite"
	var options []goose.ProviderOption
	if db.engine == PostgreSQL {
		dialect, folder = goose.DialectPostgres, "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // every second, for 5 minutes
		if err != nil {
			return nil, fmt.Errorf("store: migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, db.write, files, options...)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}
