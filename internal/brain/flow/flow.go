// Package flow is the brain that follows a dialogue graph.
package flow

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

// Config is a flow and what it runs with.
type Config struct {
	Flow      *talkstack.Flow
	Variables map[string]any // values for {{variables}}
	Caller    string         // the number of the agent's other party, for "the number I'm calling from"; may be empty
	Now       func() time.Time
	Location  *time.Location // where "tomorrow" and "three o'clock" are; nil: that of Now
	HTTP      *http.Client   // for http nodes; brings the rules on where requests may go. nil: http nodes fail
	Log       *slog.Logger
}

// Brain follows one flow in one call.
type Brain struct {
	cfg Config
}

var _ brain.Brain = (*Brain)(nil)

// New makes a brain for a flow whose Check found nothing.
func New(cfg Config) *Brain { return &Brain{cfg: cfg} }

// Slots are the values the caller has given so far.
func (b *Brain) Slots() map[string]string { return nil }

// ExpectsDigits reports whether the caller was asked for digits, and how many.
func (b *Brain) ExpectsDigits() (bool, int) { return false, 0 }

// Close ends a request that still runs, and waits for it.
func (b *Brain) Close() error { return nil }

// Sentences are the texts the brain may say that are known before the call.
func (b *Brain) Sentences() []string { return nil }

// Reply answers.
func (b *Brain) Reply(context.Context, brain.Input) brain.Reply {
	return brain.NewPrepared(nil, nil)
}
