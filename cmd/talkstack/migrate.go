package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"talkstack/internal/config"
	"talkstack/internal/store"
	"talkstack/internal/telemetry"
)

type migrateCommand struct {
	config.Config
}

// Run migrates the database. The server does so too when it starts; this is for those who want it apart.
func (m *migrateCommand) Run(ctx context.Context, c *console) (err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	log, err := telemetry.NewLogger(c.err, m.LogLevel, m.LogFormat)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	db, err := store.Open(ctx, store.Config{URL: m.DatabaseURL.Reveal(), Path: m.DatabasePath(), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	before, _, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	after, _, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if before == after {
		fmt.Fprintf(c.out, "The database has schema %d already.\n", after)
	} else {
		fmt.Fprintf(c.out, "The database went from schema %d to %d.\n", before, after)
	}
	return nil
}
