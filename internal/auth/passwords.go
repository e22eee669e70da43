package auth

import (
	"context"
	"errors"
	"net/netip"

	"talkstack"
	"talkstack/internal/store"
)

// ChangePassword replaces the caller's password. The session it was done from goes on, all others end, and the API key
// stays. A wrong old password is ErrOldPassword and counts as a wrong login would.
func (a *Accounts) ChangePassword(ctx context.Context, c Caller, old, next talkstack.Secret, from netip.Addr) error {
	if err := checkFields(
		field{"oldPassword", old.Reveal(), MaxPasswordLength},
		field{"newPassword", next.Reveal(), MaxPasswordLength},
	); err != nil {
		return err
	}
	g := guessOf(c.User.Email, from)
	if err := a.admit(ctx, g); err != nil {
		return err
	}
	right, err := a.judge(ctx, g, c.User.PasswordHash, old)
	if err != nil {
		return err
	}
	if !right {
		return ErrOldPassword
	}
	hash, err := a.hasher.Hash(ctx, next.Reveal())
	if err != nil {
		return err
	}
	if _, err := a.db.UpdatePassword(ctx, c.User.ID, hash, c.Session); err != nil {
		return err
	}
	a.log.Info("password changed", "user_id", c.User.ID)
	return nil
}

// ForgotPassword has a link mailed that sets a new password (ResetWorker). Whether the address has an account can be told
// neither from the answer nor from its time: the same rows are read and written for both, and the mail is made later.
func (a *Accounts) ForgotPassword(ctx context.Context, email string, from netip.Addr) error {
	email, err := checkEmail(email)
	if err != nil {
		return err
	}
	perAccount, perAddress := mailLimits()
	if err := a.take(ctx, "mail:address:"+clientKey(from), perAddress); err != nil {
		return err
	}
	if err := a.take(ctx, "reset:"+email, perAccount); err != nil {
		return err
	}
	u, err := a.byEmail(ctx, email)
	if err != nil && !errors.Is(err, ErrUnknownAccount) {
		return err
	}
	return a.db.RequestPasswordReset(ctx, u.ID)
}

// ResetPassword sets a new password with the token of the mailed link, verifies the address, and ends all sessions. A
// token that does not count is store.ErrBadReset.
func (a *Accounts) ResetPassword(ctx context.Context, token, next talkstack.Secret, from netip.Addr) error {
	if err := checkFields(
		field{"token", token.Reveal(), maxTokenLength},
		field{"newPassword", next.Reveal(), MaxPasswordLength},
	); err != nil {
		return err
	}
	addressKey := "reset:address:" + clientKey(from)
	if err := a.check(ctx, addressKey, guessLimit()); err != nil {
		return err
	}
	u, err := a.resetPassword(ctx, Digest(token), next)
	if errors.Is(err, store.ErrBadReset) {
		return errors.Join(err, a.fail(ctx, addressKey, guessLimit()))
	}
	if err != nil {
		return err
	}
	a.log.Info("password reset", "user_id", u.ID)
	g := guessOf(u.Email, from)
	return errors.Join(a.db.ClearFailures(ctx, g.pair), a.db.ClearFailures(ctx, g.account)) // of whoever did not know it
}

// maxTokenLength bounds what is taken for a reset token, in bytes.
const maxTokenLength = 1024

// resetPassword hashes only for a token that counts: it costs what a stranger could not pay for otherwise.
func (a *Accounts) resetPassword(ctx context.Context, digest string, next talkstack.Secret) (talkstack.User, error) {
	if err := a.db.CheckPasswordReset(ctx, digest); err != nil {
		return talkstack.User{}, err
	}
	hash, err := a.hasher.Hash(ctx, next.Reveal())
	if err != nil {
		return talkstack.User{}, err
	}
	return a.db.ResetPassword(ctx, digest, hash)
}
