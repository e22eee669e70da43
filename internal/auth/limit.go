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

// guessLimit bounds what one address may guess wrongly of codes and of reset tokens.
func guessLimit() limit { return limit{100, 15 * time.Minute} }

// badKeyLimit bounds the wrong API keys from one address. A key has 256 bits and cannot be guessed; the limit keeps
// whoever tries from being served for nothing.
func badKeyLimit() limit { return limit{300, 5 * time.Minute} }

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

// take counts a try for a key and refuses it beyond the limit. Counting first means that parallel tries get no extra;
// looking before that, that a flood of them writes nothing.
func (a *Accounts) take(ctx context.Context, key string, l limit) error {
	if err := a.check(ctx, key, l); err != nil {
		return err
	}
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

// fail counts a wrong guess for a key that was checked before.
func (a *Accounts) fail(ctx context.Context, key string, l limit) error {
	_, err := a.db.RecordFailure(ctx, key, l.window)
	return err
}

// guess is a try at an account's password, by the keys that it counts for.
type guess struct {
	pair, account, address string
}

func guessOf(email string, from netip.Addr) guess {
	address := clientKey(from)
	return guess{pair: "login:" + email + ":" + address, account: "login:user:" + email, address: "login:address:" + address}
}

// admit lets a guess through that is within all limits. It counts for the pair at once.
func (a *Accounts) admit(ctx context.Context, g guess) error {
	perPair, perAccount, perAddress := loginLimits()
	if err := a.check(ctx, g.account, perAccount); err != nil {
		return err
	}
	if err := a.check(ctx, g.address, perAddress); err != nil {
		return err
	}
	return a.take(ctx, g.pair, perPair)
}

// judge compares a guess that was admitted. A wrong one counts, a right one gives the pair its tries back.
// An empty hash is nobody's: it takes as long, and is wrong.
func (a *Accounts) judge(ctx context.Context, g guess, hash, password talkstack.Secret) (bool, error) {
	right, err := a.hasher.Matches(ctx, hash, password.Reveal())
	if err != nil {
		return false, err
	}
	if right {
		return true, a.db.ClearFailures(ctx, g.pair)
	}
	_, perAccount, perAddress := loginLimits()
	if err := a.fail(ctx, g.account, perAccount); err != nil {
		return false, err
	}
	return false, a.fail(ctx, g.address, perAddress)
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
