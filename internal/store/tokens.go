package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// CodeVerdict is what became of a guess at an e-mail verification code.
type CodeVerdict string

// The verdicts.
const (
	CodeRight CodeVerdict = "right" // the code is used up and the account is verified
	CodeWrong CodeVerdict = "wrong" // one try is gone
	CodeSpent CodeVerdict = "spent" // no code, expired, or no tries left: a new one must be sent
)

// SetEmailCode stores the digest of the account's verification code in place of any other, with all its tries.
func (db *DB) SetEmailCode(ctx context.Context, id talkstack.UserID, digest string, expires time.Time) error {
	return wrap("store a verification code", db.writer().SetEmailCode(ctx, query.SetEmailCodeParams{
		UserID: id, Digest: digest, ExpiresAt: expires.UTC().Truncate(time.Microsecond),
	}))
}

// CheckEmailCode counts a try and compares it. A right one uses the code up and verifies the account in the same
// transaction. Parallel guesses get no more than maxTries between them.
func (db *DB) CheckEmailCode(ctx context.Context, id talkstack.UserID, digest string, maxTries int) (CodeVerdict, error) {
	verdict := CodeSpent
	err := db.transact(ctx, "check a verification code", func(q *tx) error {
		verdict = CodeSpent
		want, err := q.TryEmailCode(ctx, query.TryEmailCodeParams{UserID: id, MaxTries: int64(maxTries), Now: db.now()})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(digest)) == 0 {
			verdict = CodeWrong
			return nil // committed: the try is gone
		}
		verdict = CodeRight
		if err := q.DeleteEmailCode(ctx, id); err != nil {
			return err
		}
		return db.markVerified(ctx, q, id)
	})
	if err != nil {
		return "", err
	}
	return verdict, nil
}

// CreateRefreshToken stores the digest of the first token of a new family, and forgets the account's expired families.
// The family is the session: it returns its id.
func (db *DB) CreateRefreshToken(ctx context.Context, id talkstack.UserID, digest string, expires time.Time) (session string, err error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	family := hex.EncodeToString(b[:])
	expires = expires.UTC().Truncate(time.Microsecond)
	return family, db.transact(ctx, "store a refresh token", func(q *tx) error {
		now := db.now()
		if err := q.DeleteExpiredRefreshFamilies(ctx, query.DeleteExpiredRefreshFamiliesParams{UserID: id, Now: now}); err != nil {
			return err
		}
		if err := q.InsertRefreshFamily(ctx, query.InsertRefreshFamilyParams{ID: family, UserID: id, ExpiresAt: expires, CreatedAt: now}); err != nil {
			return err
		}
		if err := q.InsertRefreshToken(ctx, query.InsertRefreshTokenParams{Digest: digest, FamilyID: family, ExpiresAt: expires}); err != nil {
			return err
		}
		return db.audit(ctx, q, id, "session.create", "session", family, nil)
	})
}

// RotateRefreshToken uses up the token with digest old, stores the next one of its family and returns whose it is, and
// the session.
// An unknown or expired token is CodeUnauthenticated. So is a token that was used before, and it ends its family: either
// the thief or the owner has come second, and both must log in again.
func (db *DB) RotateRefreshToken(ctx context.Context, old, next string, expires time.Time) (id talkstack.UserID, session string, err error) {
	var refused error
	expires = expires.UTC().Truncate(time.Microsecond)
	err = db.transact(ctx, "rotate a refresh token", func(q *tx) error {
		refused = nil
		now := db.now()
		family, err := q.LockRefreshFamily(ctx, query.LockRefreshFamilyParams{Digest: old, ExpiresAt: expires}) // rotations of a family queue here
		if errors.Is(err, sql.ErrNoRows) {
			return talkstack.Errorf(talkstack.CodeUnauthenticated, "The refresh token is not valid.")
		}
		if err != nil {
			return err
		}
		token, err := q.RefreshToken(ctx, old)
		if errors.Is(err, sql.ErrNoRows) {
			return talkstack.Errorf(talkstack.CodeUnauthenticated, "The refresh token is not valid.")
		}
		if err != nil {
			return err
		}
		if token.UsedAt != nil {
			refused = talkstack.Errorf(talkstack.CodeUnauthenticated, "The refresh token was used before. Log in again.")
			if err := q.DeleteRefreshFamily(ctx, family.ID); err != nil { // committed
				return err
			}
			return db.audit(ctx, q, family.UserID, "session.end", "session", family.ID, map[string]any{"reason": "a refresh token was used twice"})
		}
		if !now.Before(token.ExpiresAt) {
			return talkstack.Errorf(talkstack.CodeUnauthenticated, "The refresh token has expired. Log in again.")
		}
		id, session = family.UserID, family.ID
		if err := q.UseRefreshToken(ctx, query.UseRefreshTokenParams{Digest: old, Now: &now}); err != nil {
			return err
		}
		return q.InsertRefreshToken(ctx, query.InsertRefreshTokenParams{Digest: next, FamilyID: family.ID, ExpiresAt: expires})
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return "", "", err
	}
	return id, session, nil
}

// SetAPIKey stores the digest of the account's API key in place of any other.
func (db *DB) SetAPIKey(ctx context.Context, id talkstack.UserID, digest string) error {
	return db.transact(ctx, "store an API key", func(q *tx) error {
		if err := q.SetAPIKey(ctx, query.SetAPIKeyParams{UserID: id, Digest: digest, CreatedAt: db.now()}); err != nil {
			return err
		}
		return db.audit(ctx, q, id, "api_key.create", "api_key", string(id), nil)
	})
}

// APIKeyTime is when the account's API key was made; the zero time when it has none.
func (db *DB) APIKeyTime(ctx context.Context, id talkstack.UserID) (time.Time, error) {
	at, err := db.reader().APIKeyTime(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at.UTC(), wrap("look up an API key", err)
}

// Failures is how often something was guessed wrongly.
type Failures struct {
	Count int
	Until time.Time // when the count starts anew
}

// RecordFailure counts a wrong guess for a key, such as "user:…" or "address:…". The count starts anew a window after its
// first failure.
func (db *DB) RecordFailure(ctx context.Context, key string, window time.Duration) (Failures, error) {
	now := db.now()
	record := func() (Failures, error) {
		f, err := db.writer().RecordFailure(ctx, query.RecordFailureParams{GuessKey: cleanText(key), ExpiresAt: now.Add(window)})
		return Failures{Count: int(f.Failures), Until: f.ExpiresAt.UTC()}, wrap("count a failure", err)
	}
	f, err := record()
	over := f.Count > 1 && !f.Until.After(now) // it was counted in a window that has passed
	if err != nil || f.Count > 1 && !over {
		return f, err
	}
	if err := db.writer().DeleteExpiredFailures(ctx, now); err != nil { // new keys clean up behind the old ones
		return Failures{}, wrap("forget old failures", err)
	}
	if over {
		return record()
	}
	return f, nil
}

// Failures returns the wrong guesses that count now for a key.
func (db *DB) Failures(ctx context.Context, key string) (Failures, error) {
	f, err := db.reader().Failures(ctx, query.FailuresParams{GuessKey: cleanText(key), Now: db.now()})
	if errors.Is(err, sql.ErrNoRows) {
		return Failures{}, nil
	}
	return Failures{Count: int(f.Failures), Until: f.ExpiresAt.UTC()}, wrap("count failures", err)
}

// ClearFailures forgets a key's wrong guesses, after a right one.
func (db *DB) ClearFailures(ctx context.Context, key string) error {
	return wrap("clear failures", db.writer().ClearFailures(ctx, cleanText(key)))
}

// secretSize is the length of a named key, in bytes.
const secretSize = 32

// Secret returns the installation's random key of this name: 32 bytes, made at first use, the same on every node and
// after every start.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	value, err := db.reader().Secret(ctx, name)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return value, wrap("read a secret", err)
	}
	value = make([]byte, secretSize)
	_, _ = rand.Read(value)
	err = db.transact(ctx, "make a secret", func(q *tx) (err error) {
		if err := q.InsertSecret(ctx, query.InsertSecretParams{Name: name, Value: value, CreatedAt: db.now()}); err != nil {
			return err
		}
		value, err = q.Secret(ctx, name) // another node's, if it was first
		return err
	})
	return value, err
}
