package auth

import (
	"context"
	"net/netip"
	"time"

	"talkstack"
)

// limit is how often something may happen for a key before it must wait.
type limit struct {
	max    int
	window time.Duration
}

// loginLimits bounds wrong passwords. An account is guessed at from one address, from many addresses, or many accounts
// from one address; the first is tight, the others leave room for people who share a network.
func loginLimits() (pair, account, address limit) {
	const window = 15 * time.Minute
	return limit{10, window}, limit{100, window}, limit{100, window}
}

// mailLimits bounds what can be sent to one person, and what one address can have sent.
func mailLimits() (account, address limit) {
	return limit{5, time.Hour}, limit{100, time.Hour}
}

// codeTries is how often one verification code may be guessed: with 30 bits nobody gets lucky.
const codeTries = 5

// LimitError says that a limit was reached, and when to come back.
type LimitError struct {
	RetryAfter time.Duration
}

func (e *LimitError) Error() string { return "Too many tries. Wait a while, then try again." }

// Unwrap makes a LimitError a talkstack.Error of CodeLimited.
func (e *LimitError) Unwrap() error {
	return &talkstack.Error{Code: talkstack.CodeLimited, Message: e.Error()}
}

// take counts a try for a key and refuses it beyond the limit. Counting first means that parallel tries get no extra.
func (a *Accounts) take(ctx context.Context, key string, l limit) error {
	f, err := a.db.RecordFailure(ctx, key, l.window)
	if err != nil {
		return err
	}
	if f.Count > l.max {
		return &LimitError{RetryAfter: f.Until.Sub(a.now())}
	}
	return nil
}

// check refuses a try for a key that has reached its limit, without counting it.
func (a *Accounts) check(ctx context.Context, key string, l limit) error {
	f, err := a.db.Failures(ctx, key)
	if err != nil {
		return err
	}
	if f.Count >= l.max {
		return &LimitError{RetryAfter: f.Until.Sub(a.now())}
	}
	return nil
}

// clientKey is the part of an address that one customer of a network cannot change at will: for IPv6 the /64.
func clientKey(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
