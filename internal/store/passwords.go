package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store/query"
)

// UpdatePassword replaces an account's password. All its sessions end but the one to keep, which may be empty: whoever
// knew the old password is out at once. The API key stays. Open password resets are void.
func (db *DB) UpdatePassword(ctx context.Context, id talkstack.UserID, hash talkstack.Secret, keep string) (talkstack.User, error) {
	var u talkstack.User
	err := db.transact(ctx, "update a password", func(q *tx) (err error) {
		if u, err = db.replacePassword(ctx, q, id, hash, keep); err != nil {
			return err
		}
		return db.audit(ctx, q, id, "password.update", "password", string(id), nil)
	})
	return u, err
}

func (db *DB) replacePassword(ctx context.Context, q *tx, id talkstack.UserID, hash talkstack.Secret, keep string) (talkstack.User, error) {
	u, err := userOf(q.UpdatePassword(ctx, query.UpdatePasswordParams{ID: id, PasswordHash: hash.Reveal(), Now: db.now()}))
	if err != nil {
		return talkstack.User{}, err
	}
	if err := q.DeletePasswordResets(ctx, id); err != nil {
		return talkstack.User{}, err
	}
	return u, q.DeleteOtherRefreshFamilies(ctx, query.DeleteOtherRefreshFamiliesParams{UserID: id, Kept: keep})
}

// resetMailAttempts is how often a reset mail is tried: with River's growing pauses about a quarter of an hour. Later it
// would surprise more than help.
const resetMailAttempts = 6

// RequestPasswordReset has a reset link mailed to an account. An empty id does the same work for nobody.
func (db *DB) RequestPasswordReset(ctx context.Context, id talkstack.UserID) error {
	return db.transact(ctx, "request a password reset", func(q *tx) error {
		return db.enqueue(ctx, q, ResetMailJob{UserID: id}, &river.InsertOpts{MaxAttempts: resetMailAttempts})
	})
}

// CreatePasswordReset stores the digest of a token that lets its bearer set a new password until it expires. It takes
// the place of any other of the account.
func (db *DB) CreatePasswordReset(ctx context.Context, id talkstack.UserID, digest string, expires time.Time) error {
	return db.transact(ctx, "store a password reset", func(q *tx) error {
		if err := q.DeletePasswordResets(ctx, id); err != nil {
			return err
		}
		return q.InsertPasswordReset(ctx, query.InsertPasswordResetParams{
			Digest: digest, UserID: id, ExpiresAt: expires.UTC().Truncate(time.Microsecond),
		})
	})
}

// ErrBadReset says that a reset token is unknown, used up, replaced by a newer one, or too old.
var ErrBadReset error = &talkstack.Error{
	Code: talkstack.CodeInvalid, Message: "Token is invalid or has expired.",
	Fields: []talkstack.FieldError{{Field: "token", Message: "is invalid or has expired"}},
}

// CheckPasswordReset returns ErrBadReset for a token that ResetPassword would refuse now.
func (db *DB) CheckPasswordReset(ctx context.Context, digest string) error {
	reset, err := db.reader().PasswordReset(ctx, digest)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !db.now().Before(reset.ExpiresAt) {
		return ErrBadReset
	}
	return wrap("look up a password reset", err)
}

// ResetPassword replaces the password of the account that a reset token was made for, and ends all its sessions. The
// token proves the e-mail address, so that the account is verified by it: nothing is left of whoever signed up with
// somebody else's address. A token that does not count is ErrBadReset.
func (db *DB) ResetPassword(ctx context.Context, digest string, hash talkstack.Secret) (talkstack.User, error) {
	var u talkstack.User
	err := db.transact(ctx, "reset a password", func(q *tx) error {
		reset, err := q.TakePasswordReset(ctx, digest)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !db.now().Before(reset.ExpiresAt) {
			return ErrBadReset
		}
		if err != nil {
			return err
		}
		if u, err = db.replacePassword(ctx, q, reset.UserID, hash, ""); err != nil {
			return err
		}
		if err := db.audit(ctx, q, u.ID, "password.reset", "password", string(u.ID), nil); err != nil {
			return err
		}
		if u.Verified {
			return nil
		}
		u.Verified = true
		if err := q.DeleteEmailCode(ctx, u.ID); err != nil {
			return err
		}
		return db.markVerified(ctx, q, u.ID)
	})
	return u, err
}
