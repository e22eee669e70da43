package store

import (
	"context"
	"strings"

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
	err := db.transact(ctx, "create an account", func(q *tx) error {
		if err := q.InsertUser(ctx, query.InsertUserParams{
			ID: u.ID, Email: u.Email, Name: u.Name, CompanyName: u.CompanyName, PasswordHash: u.PasswordHash.Reveal(),
			Verified: u.Verified, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
		}); err != nil {
			return err
		}
		return db.audit(ctx, q, u.ID, "user.create", "user", string(u.ID), map[string]any{
			"email": u.Email, "name": u.Name, "company_name": u.CompanyName, "verified": u.Verified,
		})
	})
	if isUnique(err) {
		return talkstack.User{}, talkstack.WrapError(talkstack.CodeConflict, err, "An account with this e-mail address already exists.")
	}
	if err != nil {
		return talkstack.User{}, err
	}
	return u, nil
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

// UserBySession returns an account while this session of it lasts (CreateRefreshToken).
func (db *DB) UserBySession(ctx context.Context, id talkstack.UserID, session string) (talkstack.User, error) {
	return userOf(db.reader().UserBySession(ctx, query.UserBySessionParams{ID: id, Session: session}))
}

// markVerified notes that the account's e-mail address is its owner's.
func (db *DB) markVerified(ctx context.Context, q *tx, id talkstack.UserID) error {
	if _, err := q.MarkVerified(ctx, query.MarkVerifiedParams{ID: id, Now: db.now()}); err != nil {
		return err
	}
	return db.audit(ctx, q, id, "user.verify", "user", string(id), map[string]any{"verified": true})
}

// UserUpdate holds the fields of an account to change; nil leaves one as it is.
type UserUpdate struct {
	Name        *string
	CompanyName *string // empty: none
}

// UpdateUser changes an account and returns it as stored.
func (db *DB) UpdateUser(ctx context.Context, id talkstack.UserID, change UserUpdate) (talkstack.User, error) {
	var u talkstack.User
	err := db.transact(ctx, "update an account", func(q *tx) (err error) {
		if u, err = userOf(q.User(ctx, id)); err != nil {
			return err
		}
		changes := map[string]any{}
		for field, c := range map[string]struct{ now, to *string }{"name": {&u.Name, change.Name}, "company_name": {&u.CompanyName, change.CompanyName}} {
			if c.to != nil {
				*c.now, changes[field] = *c.to, *c.to
			}
		}
		if err := checkText("name", u.Name, "company_name", u.CompanyName); err != nil {
			return err
		}
		if u, err = userOf(q.UpdateUser(ctx, query.UpdateUserParams{ID: id, Name: u.Name, CompanyName: u.CompanyName, Now: db.now()})); err != nil {
			return err
		}
		return db.audit(ctx, q, id, "user.update", "user", string(id), changes)
	})
	return u, err
}

// SetActiveProject makes one of the account's projects its active one, and returns both.
func (db *DB) SetActiveProject(ctx context.Context, id talkstack.UserID, project talkstack.ProjectID) (talkstack.User, talkstack.Project, error) {
	var u talkstack.User
	var p talkstack.Project
	err := db.transact(ctx, "set the active project", func(q *tx) (err error) {
		if p, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: project, UserID: id})); err != nil {
			return err
		}
		if u, err = userOf(q.SetActiveProject(ctx, query.SetActiveProjectParams{ID: id, ProjectID: orNull(project), Now: db.now()})); err != nil {
			return err
		}
		return db.audit(ctx, q, id, "user.update", "user", string(id), map[string]any{"active_project": project})
	})
	return u, p, err
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
