package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// CreateUser stores an account and returns it as stored. An empty id is made up. An e-mail address that is taken, in any
// case of letters, is a conflict.
func (db *DB) CreateUser(ctx context.Context, u talkstack.User) (talkstack.User, error) {
	if err := checkText("email", u.Email, "name", u.Name, "company_name", u.CompanyName); err != nil {
		return talkstack.User{}, err
	}
	if u.ID == "" {
		u.ID = talkstack.NewUserID()
	}
	u.Email = strings.ToLower(u.Email)
	u.ActiveProject = ""
	u.CreatedAt = db.now()
	u.UpdatedAt = u.CreatedAt
	err := db.writer().InsertUser(ctx, query.InsertUserParams{
		ID: u.ID, Email: u.Email, Name: u.Name, CompanyName: u.CompanyName, PasswordHash: u.PasswordHash.Reveal(),
		Verified: u.Verified, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	})
	if isUnique(err) {
		return talkstack.User{}, talkstack.WrapError(talkstack.CodeConflict, err, "An account with this e-mail address already exists.")
	}
	return u, wrap("create an account", err)
}

// User returns an account.
func (db *DB) User(ctx context.Context, id talkstack.UserID) (talkstack.User, error) {
	return userOf(db.reader().User(ctx, id))
}

// UserByEmail returns the account with an e-mail address, whatever the case of its letters.
func (db *DB) UserByEmail(ctx context.Context, email string) (talkstack.User, error) {
	return userOf(db.reader().UserByEmail(ctx, strings.ToLower(email)))
}

// UserByAPIKey returns the account whose API key has this digest.
func (db *DB) UserByAPIKey(ctx context.Context, digest string) (talkstack.User, error) {
	return userOf(db.reader().UserByAPIKey(ctx, digest))
}

// MarkVerified notes that the account's e-mail address is its owner's.
func (db *DB) MarkVerified(ctx context.Context, id talkstack.UserID) (talkstack.User, error) {
	return userOf(db.writer().MarkVerified(ctx, query.MarkVerifiedParams{ID: id, Now: db.now()}))
}

// UpdatePassword replaces an account's password and ends all its refresh tokens: whoever knew the old one is out as soon
// as the access token runs out.
func (db *DB) UpdatePassword(ctx context.Context, id talkstack.UserID, hash talkstack.Secret) (talkstack.User, error) {
	var u talkstack.User
	err := db.transact(ctx, "update a password", func(q *tx) (err error) {
		u, err = db.replacePassword(ctx, q, id, hash)
		return err
	})
	return u, err
}

func (db *DB) replacePassword(ctx context.Context, q *tx, id talkstack.UserID, hash talkstack.Secret) (talkstack.User, error) {
	u, err := userOf(q.UpdatePassword(ctx, query.UpdatePasswordParams{ID: id, PasswordHash: hash.Reveal(), Now: db.now()}))
	if err != nil {
		return talkstack.User{}, err
	}
	if err := q.DeletePasswordResets(ctx, id); err != nil {
		return talkstack.User{}, err
	}
	return u, q.DeleteRefreshFamilies(ctx, id)
}

// SetActiveProject makes one of the account's projects its active one, and returns both.
func (db *DB) SetActiveProject(ctx context.Context, id talkstack.UserID, project talkstack.ProjectID) (talkstack.User, talkstack.Project, error) {
	var u talkstack.User
	var p talkstack.Project
	err := db.transact(ctx, "set the active project", func(q *tx) (err error) {
		if p, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: project, UserID: id})); err != nil {
			return err
		}
		u, err = userOf(q.SetActiveProject(ctx, query.SetActiveProjectParams{ID: id, ProjectID: orNull(project), Now: db.now()}))
		return err
	})
	return u, p, err
}

// CreatePasswordReset stores the digest of a token that lets its bearer set a new password until it expires.
func (db *DB) CreatePasswordReset(ctx context.Context, id talkstack.UserID, digest string, expires time.Time) error {
	return wrap("store a password reset", db.writer().InsertPasswordReset(ctx, query.InsertPasswordResetParams{
		Digest: digest, UserID: id, ExpiresAt: expires.UTC().Truncate(time.Microsecond),
	}))
}

// ResetPassword replaces the password of the account that a reset token was made for. The token, all others of the
// account and its refresh tokens are used up. An unknown or expired one is CodeInvalid.
func (db *DB) ResetPassword(ctx context.Context, digest string, hash talkstack.Secret) (talkstack.User, error) {
	var u talkstack.User
	err := db.transact(ctx, "reset a password", func(q *tx) error {
		reset, err := q.TakePasswordReset(ctx, digest)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !db.now().Before(reset.ExpiresAt) {
			return talkstack.Errorf(talkstack.CodeInvalid, "The reset token is invalid or has expired.")
		}
		if err != nil {
			return err
		}
		u, err = db.replacePassword(ctx, q, reset.UserID, hash)
		return err
	})
	return u, err
}

func userOf(r query.User, err error) (talkstack.User, error) {
	if err != nil {
		return talkstack.User{}, lookup("user", err)
	}
	return talkstack.User{
		ID: r.ID, Email: r.Email, Name: r.Name, CompanyName: r.CompanyName, PasswordHash: talkstack.Secret(r.PasswordHash),
		Verified: r.Verified, ActiveProject: orEmpty[talkstack.ProjectID](r.ActiveProject),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}
