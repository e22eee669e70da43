package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"talkstack"
	"talkstack/internal/store"
)

func (e *examination) dataFolder(context.Context) Finding {
	dir := e.cfg.DataDir
	existing := dir
	for { // what is not there yet is made below the nearest folder that is
		info, err := os.Stat(existing)
		if err == nil {
			if !info.IsDir() {
				return notReady("move it away, or set TALKSTACK_DATA_DIR", "%s is a file, not a folder", existing)
			}
			break
		}
		if parent := filepath.Dir(existing); errors.Is(err, fs.ErrNotExist) && parent != existing {
			existing = parent
			continue
		}
		return notReady("check the folder's permissions, or set TALKSTACK_DATA_DIR", "%v", err)
	}
	f, err := os.CreateTemp(existing, ".talkstack-doctor-*")
	if err != nil {
		return notReady("allow this user to write there, or set TALKSTACK_DATA_DIR", "%s cannot be written: %v", existing, err)
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return notReady("check the folder's permissions", "%v", err)
	}
	if existing != dir {
		return ready("%s will be made at the first start", dir)
	}
	return ready("%s can be written", dir)
}

func (e *examination) database(ctx context.Context) Finding {
	cfg := store.Config{URL: e.cfg.DatabaseURL.Reveal(), ReadOnly: true}
	name := "PostgreSQL"
	advice := "check TALKSTACK_DATABASE_URL and that the database is running"
	if cfg.URL == "" {
		cfg.Path = e.cfg.DatabasePath()
		name = cfg.Path
		advice = "check the file, or restore it from a backup"
		if _, err := os.Stat(cfg.Path); errors.Is(err, fs.ErrNotExist) {
			return ready("SQLite: %s will be made at the first start", cfg.Path)
		}
	}
	db, err := store.Open(ctx, cfg)
	if err != nil {
		return notReady(advice, "%s: %s", name, talkstack.ErrorMessage(err))
	}
	defer func() { _ = db.Close() }()
	have, want, err := db.Schema(ctx)
	switch {
	case err != nil:
		return notReady(advice, "%s: %s", name, talkstack.ErrorMessage(err))
	case have > want:
		return notReady("run the newer version, or use another database", "%s has schema %d; this program knows %d", name, have, want)
	case have < want:
		return ready("%s has schema %d; the next start brings it to %d", name, have, want)
	}
	return ready("%s answers, schema %d", name, have)
}
