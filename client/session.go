package client

import (
	"context"
	"errors"
	"net"
	"time"

	"talkstack"
)

// tokens are the tokens of an answer.
type tokens struct {
	Token          talkstack.Secret `json:"token"`
	RefreshToken   talkstack.Secret `json:"refreshToken"`
	ExpirationTime time.Time        `json:"expirationTime"`
}

func (t tokens) session(u User) Session {
	return Session{User: u, Token: t.Token, RefreshToken: t.RefreshToken, Expires: t.ExpirationTime}
}

// session owns the tokens of a login. Whoever holds the baton reads, replaces or renews them.
type session struct {
	baton chan struct{}
	tokens
	renewAt time.Time // by our clock; zero: when the server refuses the token
}

func newSession() *session {
	s := &session{baton: make(chan struct{}, 1)}
	s.baton <- struct{}{}
	return s
}

func (s *session) keep(t tokens) {
	<-s.baton
	s.set(t)
	s.baton <- struct{}{}
}

// renewBefore is how long before its end a token is renewed.
const renewBefore = time.Minute

// set replaces the tokens; its caller has the baton. Where our clock is so far ahead that a new token looks old, renewing by
// the clock would renew for every request.
func (s *session) set(t tokens) {
	s.tokens, s.renewAt = t, time.Time{}
	if at := t.ExpirationTime.Add(-renewBefore); t.RefreshToken != "" && time.Now().Before(at) {
		s.renewAt = at
	}
}

// usesToken reports whether a request goes by the token of a login.
func (c *Client) usesToken(r *request) bool { return !r.open && (r.bearer || c.key == "") }

// token is the token to send, renewed when it is about to expire; empty when nobody has logged in.
func (c *Client) token(ctx context.Context) (talkstack.Secret, error) {
	select {
	case <-c.session.baton:
	case <-ctx.Done():
		return "", talkstack.WrapError(talkstack.CodeUnavailable, context.Cause(ctx), "The request was given up.")
	}
	defer func() { c.session.baton <- struct{}{} }()
	if at := c.session.renewAt; at.IsZero() || time.Now().Before(at) {
		return c.session.Token, nil
	}
	err := c.exchange(ctx)
	if err != nil && (talkstack.ErrorCode(err) != talkstack.CodeUnavailable || time.Now().After(c.session.ExpirationTime)) {
		return "", err
	}
	return c.session.Token, nil
}

// renew gets a new token after the server has refused one. Of many requests that were refused at once the first does it:
// a refresh token is for one use, and a second one ends the session.
func (c *Client) renew(ctx context.Context, refused talkstack.Secret) error {
	select {
	case <-c.session.baton:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { c.session.baton <- struct{}{} }()
	t := c.session.tokens
	switch {
	case t.Token != refused:
		return nil // somebody has been quicker
	case t.RefreshToken == "":
		return talkstack.Errorf(talkstack.CodeUnauthenticated, "Log in first.")
	}
	return c.exchange(ctx)
}

// exchange replaces the tokens; its caller has the baton. A refresh token whose answer is lost may be used up, and using it
// again would end the session: it is forgotten, unless the request cannot have arrived.
func (c *Client) exchange(ctx context.Context) error {
	fresh, err := c.refresh(ctx, c.session.RefreshToken)
	if err == nil {
		c.session.set(fresh)
		return nil
	}
	if network, ok := errors.AsType[*net.OpError](err); !ok || network.Op != "dial" {
		c.session.RefreshToken, c.session.renewAt = "", time.Time{}
	}
	return err
}

// refresh sends a refresh token once.
func (c *Client) refresh(ctx context.Context, token talkstack.Secret) (tokens, error) {
	var answer struct {
		envelope
		tokens
		Documented talkstack.Secret `json:"resfreshToken"` // the documented spelling
	}
	err := c.call(ctx, opened("/auth/refresh-token", map[string]string{"refreshToken": token.Reveal()}, &answer))
	return answer.tokens, err
}
