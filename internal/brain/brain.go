// Package brain decides what an agent says next. It owns the shape of that question and its answer;
// the brains themselves are in its subpackages: llm (a language model), flow (a dialogue graph) and
// retrieval (sentences of the prompt). It knows nothing of audio, telephony or storage.
package brain

import (
	"context"

	"talkstack"
)

// Kind says what a brain is asked to react to.
type Kind int

// The kinds of input.
const (
	Greeting  Kind = iota // the call has begun and the agent speaks first, with no greeting configured
	Utterance             // the caller has said Text
	Keypad                // the caller has keyed Digits
)

// Input is one question to a brain.
type Input struct {
	Kind    Kind
	Text    string
	Digits  string
	History []talkstack.Turn // turns so far, without this one; an agent's text is what was really heard
}

// ActionKind is something a brain wants done after its words have been heard.
type ActionKind int

// The actions.
const (
	NoAction ActionKind = iota
	Hangup
	Transfer // to Action.Target
)

// Action is what to do once the reply has been heard.
type Action struct {
	Kind   ActionKind
	Target string // Transfer: E.164 number
}

// Piece is a stretch of a reply: some text to speak, or the action that ends it.
type Piece struct {
	Text   string // to be spoken after the text before it; may be cut anywhere
	Action Action
}

// Brain answers for one agent in one call. It is used from one goroutine at a time; its replies run beside it.
type Brain interface {
	// Reply begins an answer, and returns at once. It may be asked ahead of time and its answer thrown away (speculation), so
	// nothing it does may be visible or remembered before Reply.Commit.
	Reply(ctx context.Context, in Input) Reply
	// Slots are the values the caller has given so far; nil for brains without slots.
	Slots() map[string]string
	// ExpectsDigits reports whether the last committed reply asked for digits, and how many (0: any number),
	// so that the conversation can wait for a dictated number and read the keypad.
	ExpectsDigits() (bool, int)
}

// Reply is an answer as it comes.
type Reply interface {
	// Next returns the next piece, io.EOF after the last one, or a talkstack.Error. It blocks until there is one.
	Next() (Piece, error)
	// Commit makes the answer real. It is called at most once, when the caller has certainly finished: before
	// it, actions with an effect outside (an HTTP request, a tool) have not run, and Next blocks on them.
	// It returns at once, and may come while another goroutine waits in Next.
	Commit()
	// Close frees what the reply holds. It may be called at any time, from any goroutine, more than once;
	// an answer that was not committed leaves no trace.
	Close()
}

// Retractor is a Reply that can be taken back after Commit: the caller went on speaking before anything of it was
// heard, and is answered anew. A brain that keeps a position (a flow) returns to where it was before the reply.
type Retractor interface {
	// Retract undoes Commit. It is called at most once, before Close.
	Retract()
}
