package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

const (
	// keyLifetime is how long a request with an Idempotency-Key may be repeated; 24 h are promised.
	keyLifetime = 48 * time.Hour
	// sweepEvery is how often old keys are removed, while new ones come.
	sweepEvery = time.Minute
)

// IdempotencyKey is a client's name for one request that makes something, so that it can be repeated.
type IdempotencyKey struct {
	UserID    talkstack.UserID
	Operation string // keys of different operations are different keys
	Key       string // as the client sent it
	Digest    string // of the request: the same key with another one is a mistake
}

// ReserveKey reserves the id of a thing before it is made, and returns the id to make it with and whether the key is
// new. When the key was reserved before, that is the id of then, whether or not its thing was made: the process may have
// died in between, or the first request is still at work. The same key with another digest is CodeConflict.
func (db *DB) ReserveKey(ctx context.Context, k IdempotencyKey, id string) (reserved string, fresh bool, err error) {
	if err := checkText("Idempotency-Key", k.Key); err != nil {
		return "", false, err
	}
	for {
		n, err := db.writer().ReserveKey(ctx, query.ReserveKeyParams{
			UserID: k.UserID, Operation: k.Operation, IdempotencyKey: k.Key, Digest: k.Digest, ResourceID: id, CreatedAt: db.now(),
		})
		if err != nil {
			return "", false, wrap("reserve an idempotency key", err)
		}
		if n == 1 {
			db.sweepKeys(ctx)
			return id, true, nil
		}
		r, err := db.reader().ReservedKey(ctx, query.ReservedKeyParams{UserID: k.UserID, Operation: k.Operation, IdempotencyKey: k.Key})
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue // it was so old that it was removed just now
		case err != nil:
			return "", false, wrap("look up an idempotency key", err)
		case r.Digest != k.Digest:
			return "", false, talkstack.Errorf(talkstack.CodeConflict, "This Idempotency-Key was sent with another request before: use a new one.")
		}
		return r.ResourceID, false, nil
	}
}

// RepointKey lets a key stand for another thing than the one whose id was reserved: the request has found it there already.
func (db *DB) RepointKey(ctx context.Context, k IdempotencyKey, id string) error {
	return wrap("repoint an idempotency key", db.writer().RepointKey(ctx, query.RepointKeyParams{
		ResourceID: id, UserID: k.UserID, Operation: k.Operation, IdempotencyKey: k.Key,
	}))
}

// sweepKeys removes keys that nobody may count on any more, once in a while: a minute's worth of them at a time is little.
func (db *DB) sweepKeys(ctx context.Context) {
	now := db.now()
	last := db.keysSwept.Load()
	if now.UnixNano()-last < int64(sweepEvery) || !db.keysSwept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	if err := db.writer().DeleteOldKeys(ctx, now.Add(-keyLifetime)); err != nil {
		db.log.Warn("old idempotency keys were not removed", "error", err)
	}
}
