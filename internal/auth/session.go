package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"talkstack"
)

// Login checks a password. Wrong guesses are limited for each account and address; an unknown account takes as long to
// refuse as a wrong password.
func (a *Accounts) Login(ctx context.Context, email string, password talkstack.Secret, from netip.Addr) (Session, error) {
	email, err := checkEmail(email)
	if err != nil {
		return Session{}, err
	}
	if err := checkFields(field{"password", password.Reveal(), MaxPasswordLength}); err != nil {
		return Session{}, err
	}
	g := guessOf(email, from)
	if err := a.admit(ctx, g); err != nil {
		return Session{}, err
	}
	u, missing := a.byEmail(ctx, email)
	if missing != nil && !errors.Is(missing, ErrUnknownAccount) {
		return Session{}, missing
	}
	right, err := a.judge(ctx, g, u.PasswordHash, password)
	switch {
	case err != nil:
		return Session{}, err
	case missing != nil:
		return Session{}, missing
	case !right:
		a.log.Info("login refused", "user_id", u.ID)
		return Session{}, ErrWrongPassword
	}
	if !u.Verified {
		return Session{}, ErrNotVerified
	}
	return a.session(ctx, u)
}

// Refresh exchanges a refresh token for a new session. A token works once: a second use ends the session, with all its
// tokens, because one of the two who held it is a thief. Two uses at once are a second use as well: clients must not
// refresh in parallel.
func (a *Accounts) Refresh(ctx context.Context, token talkstack.Secret) (Session, error) {
	next := NewRefreshToken()
	id, session, err := a.db.RotateRefreshToken(ctx, Digest(token), Digest(next), a.now().Add(RefreshLifetime))
	if err != nil {
		return Session{}, err
	}
	u, err := a.db.User(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return a.issue(u, session, next)
}

// session begins a session of an account.
func (a *Accounts) session(ctx context.Context, u talkstack.User) (Session, error) {
	refresh := NewRefreshToken()
	session, err := a.db.CreateRefreshToken(ctx, u.ID, Digest(refresh), a.now().Add(RefreshLifetime))
	if err != nil {
		return Session{}, err
	}
	return a.issue(u, session, refresh)
}

func (a *Accounts) issue(u talkstack.User, session string, refresh talkstack.Secret) (Session, error) {
	access, expires, err := a.tokens.Issue(u.ID, session)
	if err != nil {
		return Session{}, fmt.Errorf("auth: issue a token: %w", err)
	}
	return Session{User: u, Access: access, Refresh: refresh, Expires: expires}, nil
}

// GenerateAPIKey makes the account's API key; the one before it stops working.
func (a *Accounts) GenerateAPIKey(ctx context.Context, id talkstack.UserID) (talkstack.Secret, error) {
	key := NewAPIKey()
	if err := a.db.SetAPIKey(ctx, id, Digest(key)); err != nil {
		return "", err
	}
	a.log.Info("api key made", "user_id", id)
	return key, nil
}

// Caller is who asks: an account, and the session that the token is of (empty with an API key).
type Caller struct {
	User    talkstack.User
	Session string
}

// Authenticate tells whose credentials these are. A Bearer token, when there is one, is the only thing that counts (Q30).
// Bad credentials are CodeUnauthenticated, and so are a session that has ended and an account that is not verified. Wrong
// API keys are limited for each address; right ones never are.
func (a *Accounts) Authenticate(ctx context.Context, token string, key talkstack.Secret, from netip.Addr) (Caller, error) {
	c, err := a.whose(ctx, token, key)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		err = talkstack.WrapError(talkstack.CodeUnauthenticated, err, "Unauthorized.")
	}
	if token == "" && key != "" && talkstack.ErrorCode(err) == talkstack.CodeUnauthenticated {
		if after := a.badKeys.fail(clientKey(from)); after > 0 {
			return Caller{}, &LimitError{RetryAfter: after}
		}
	}
	if err != nil {
		return Caller{}, err
	}
	if !c.User.Verified {
		return Caller{}, ErrNotVerified
	}
	return c, nil
}

func (a *Accounts) whose(ctx context.Context, token string, key talkstack.Secret) (c Caller, err error) {
	if token != "" {
		var id talkstack.UserID
		if id, c.Session, err = a.tokens.Read(token); err != nil {
			return Caller{}, err
		}
		c.User, err = a.db.UserBySession(ctx, id, c.Session)
		return c, err
	}
	if !IsAPIKey(key.Reveal()) {
		return Caller{}, talkstack.Errorf(talkstack.CodeUnauthenticated, "Unauthorized.")
	}
	c.User, err = a.db.UserByAPIKey(ctx, Digest(key))
	return c, err
}
