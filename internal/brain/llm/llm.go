// Package llm is the brain that asks a language model. It owns the prompt, the history as the model sees it and the
// tools the model may call, with hanging up among them. It does not know any vendor: a Chat does the talking.
package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"

	"talkstack"
	"talkstack/internal/brain"
)

// Chat asks a language model for the next message. Text comes as it is made, a tool call when it is complete. The
// last thing yielded may be an error. Cancelling ctx, or leaving the loop, stops it soon.
type Chat interface {
	Stream(ctx context.Context, req talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error]
}

// Tool is something the model may do in mid-call. Run is given the arguments as the model wrote them; its error is
// told to the model. It runs only once the caller has certainly finished.
type Tool struct {
	Spec talkstack.ToolSpec
	Run  func(ctx context.Context, arguments string) (string, error)
}

// EndCall is the name of the tool that hangs up.
const EndCall = "end_call"

// Goodbye is said when the model hangs up without a word.
const Goodbye = "Thank you for your call. Goodbye."

// maxRounds is how often a model may call tools before it has to answer: it keeps one that only ever calls from
// holding the caller in silence.
const maxRounds = 4

// Config says who the agent is and what answers for it.
type Config struct {
	Prompt string // the agent's instruction, with its variables filled in
	Chat   Chat
	Tools  []Tool // beside EndCall
	// OnUsage is told what each request has used, those for answers that were thrown away too. It is called from any
	// goroutine, before the reply's Close returns. It may be nil, and must not block.
	OnUsage func(talkstack.ChatUsage)
	Log     *slog.Logger
}

// Brain answers for one agent in one call by asking a language model. It remembers nothing itself: all it knows
// comes with the history.
type Brain struct {
	cfg   Config
	specs []talkstack.ToolSpec
}

var _ brain.Brain = (*Brain)(nil)

// New makes a brain.
func New(cfg Config) *Brain {
	if cfg.OnUsage == nil {
		cfg.OnUsage = func(talkstack.ChatUsage) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Brain{cfg: cfg, specs: []talkstack.ToolSpec{{
		Name: EndCall,
		Description: "Hangs up the telephone. Say goodbye to the caller first, in the same answer. " +
			"Use it when the conversation is over or the caller wants to end it.",
		Parameters: json.RawMessage(`{"type":"object","properties":{}}`),
	}}}
	for _, t := range cfg.Tools {
		b.specs = append(b.specs, t.Spec)
	}
	return b
}

// Slots is nil: a model keeps no slots.
func (b *Brain) Slots() map[string]string { return nil }

// ExpectsDigits is false: what a model has asked for is not known.
func (b *Brain) ExpectsDigits() (bool, int) { return false, 0 }

// Reply asks the model at once; nothing is remembered and no tool runs before Commit. The time limit is ctx's.
func (b *Brain) Reply(ctx context.Context, in brain.Input) brain.Reply {
	ctx, cancel := context.WithCancel(ctx)
	r := &reply{
		brain:     b,
		pieces:    make(chan brain.Piece),
		committed: make(chan struct{}),
		done:      make(chan struct{}),
		cancel:    cancel,
	}
	go r.run(ctx, b.messages(in))
	return r
}

// reply runs one exchange with the model. Its goroutine ends with the answer or by Close, which waits for it.
type reply struct {
	brain     *Brain
	pieces    chan brain.Piece
	committed chan struct{}
	done      chan struct{} // closed when the goroutine has ended; err is readable then
	err       error
	cancel    context.CancelFunc
	spoken    bool // some words have come
}

func (r *reply) Next() (brain.Piece, error) {
	select {
	case p := <-r.pieces:
		return p, nil
	case <-r.done:
		if r.err != nil {
			return brain.Piece{}, r.err
		}
		return brain.Piece{}, io.EOF
	}
}

func (r *reply) Commit() { close(r.committed) }

func (r *reply) Close() {
	r.cancel()
	<-r.done
}

func (r *reply) run(ctx context.Context, messages []talkstack.ChatMessage) {
	defer close(r.done)
	defer r.cancel()
	r.err = r.converse(ctx, messages)
}

// converse asks, runs the tools the model calls, and asks again with their results.
func (r *reply) converse(ctx context.Context, messages []talkstack.ChatMessage) error {
	for round := range maxRounds {
		req := talkstack.ChatRequest{Messages: messages, Tools: r.brain.specs}
		if round == maxRounds-1 {
			req.Tools = nil // it has to answer now
		}
		text, calls, err := r.ask(ctx, req)
		if err != nil {
			return err
		}
		if len(calls) == 0 {
			if !r.spoken {
				return talkstack.Errorf(talkstack.CodeUnavailable, "The language model gave an empty answer.")
			}
			return nil
		}
		for _, call := range calls {
			if call.Name == EndCall {
				return r.hangUp(ctx)
			}
		}
		messages = append(messages, talkstack.ChatMessage{Role: talkstack.ChatAssistant, Text: text, ToolCalls: calls})
		results, err := r.runTools(ctx, calls)
		if err != nil {
			return err
		}
		messages = append(messages, results...)
	}
	return talkstack.Errorf(talkstack.CodeUnavailable, "The language model kept calling tools and gave no answer.")
}

// ask streams one answer: words go out as they come, tool calls are returned.
func (r *reply) ask(ctx context.Context, req talkstack.ChatRequest) (string, []talkstack.ToolCall, error) {
	var text strings.Builder
	var calls []talkstack.ToolCall
	gap := ""
	if r.spoken {
		gap = " " // words before a tool call and words after it are two sentences
	}
	var spent spending
	defer func() { r.brain.cfg.OnUsage(spent.total(req, ctx.Err() != nil)) }()
	for delta, err := range r.brain.cfg.Chat.Stream(ctx, req) {
		if err != nil {
			return "", nil, err
		}
		spent.add(delta)
		switch {
		case delta.ToolCall != nil:
			calls = append(calls, *delta.ToolCall)
		case delta.Text != "":
			text.WriteString(delta.Text)
			r.spoken = r.spoken || strings.TrimSpace(delta.Text) != ""
			if err := r.send(ctx, brain.Piece{Text: gap + delta.Text}); err != nil {
				return "", nil, err
			}
			gap = ""
		}
	}
	// A stream that was cancelled may end without an error: half an answer must not pass as a whole one.
	return text.String(), calls, context.Cause(ctx)
}

// hangUp ends the reply with the action. An agent does not hang up without a word.
func (r *reply) hangUp(ctx context.Context) error {
	if !r.spoken {
		if err := r.send(ctx, brain.Piece{Text: Goodbye}); err != nil {
			return err
		}
	}
	return r.send(ctx, brain.Piece{Action: brain.Action{Kind: brain.Hangup}})
}

// runTools waits for the commit, then runs the calls in turn. A tool that fails is told to the model.
func (r *reply) runTools(ctx context.Context, calls []talkstack.ToolCall) ([]talkstack.ChatMessage, error) {
	select {
	case <-r.committed:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var results []talkstack.ChatMessage
	for _, call := range calls {
		text, err := r.brain.runTool(ctx, call)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			r.brain.cfg.Log.WarnContext(ctx, "tool failed", "tool", call.Name, "error", err)
			text = "Error: " + talkstack.ErrorMessage(err)
		}
		results = append(results, talkstack.ChatMessage{Role: talkstack.ChatTool, Text: text, ToolCallID: call.ID})
	}
	return results, nil
}

func (b *Brain) runTool(ctx context.Context, call talkstack.ToolCall) (string, error) {
	for _, t := range b.cfg.Tools {
		if t.Spec.Name == call.Name {
			return t.Run(ctx, call.Arguments)
		}
	}
	return "", talkstack.Errorf(talkstack.CodeNotFound, "there is no tool of this name")
}

func (r *reply) send(ctx context.Context, p brain.Piece) error {
	select {
	case r.pieces <- p:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("reply: %w", errors.Join(errClosed, context.Cause(ctx)))
	}
}

// errClosed marks an answer nobody wanted any more.
var errClosed = errors.New("closed before its end")
