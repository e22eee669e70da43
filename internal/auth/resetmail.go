package auth

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/mail"
	"talkstack/internal/store"
)

// ResetWorker mails the links that set a new password. The token is made when the mail is, so that it lies nowhere in
// clear; the newest link is the one that works, so that a job worked twice does no harm but a second mail.
type ResetWorker struct {
	river.WorkerDefaults[store.ResetMailJob]
	accounts *Accounts
	base     string
}

// NewResetWorker makes a ResetWorker. base is what links start with, "https://talk.example": of the settings, and never
// of a request, since whoever asks for somebody else's reset chooses the Host header.
func NewResetWorker(a *Accounts, base string) *ResetWorker {
	return &ResetWorker{accounts: a, base: strings.TrimRight(base, "/")}
}

// Timeout leaves room for a slow mail server.
func (w *ResetWorker) Timeout(*river.Job[store.ResetMailJob]) time.Duration { return time.Minute }

// Work makes a token and mails its link. What fails is tried again.
func (w *ResetWorker) Work(ctx context.Context, job *river.Job[store.ResetMailJob]) error {
	if job.Args.UserID == "" { // the address had no account
		return nil
	}
	a := w.accounts
	u, err := a.db.User(ctx, job.Args.UserID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	token := NewResetToken()
	if err := a.db.CreatePasswordReset(ctx, u.ID, Digest(token), a.now().Add(ResetLifetime)); err != nil {
		return err
	}
	name := u.Name
	if !u.Verified {
		name = "" // whoever chose it need not be who reads this
	}
	link := w.base + "/reset-password?" + url.Values{"token": {token.Reveal()}}.Encode()
	if err := a.mail.Send(ctx, mail.PasswordReset(u.Email, name, talkstack.Secret(link), ResetLifetime)); err != nil {
		a.log.Error("reset mail not sent", "user_id", u.ID, "attempt", job.Attempt, "error", err)
		return fmt.Errorf("auth: mail a reset link: %w", err)
	}
	return nil
}
