// Package flow is the brain that follows a dialogue graph, without a language model. It owns where in its flow a call
// is, what has been asked, and the values the caller has given. How values are read from words is spoken's business;
// where HTTP requests may go is that of the client it is given.
package flow

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/spoken"
)

// Config is a flow and what it runs with.
type Config struct {
	Flow      *talkstack.Flow
	Variables map[string]any   // values for {{variables}}
	Caller    string           // number of the agent's other party, for "the number I'm calling from"; may be empty
	Now       func() time.Time // nil: time.Now
	Location  *time.Location   // where "tomorrow" and "three o'clock" are; nil: that of Now
	HTTP      *http.Client     // for http nodes; brings the rules on where requests may go. nil: http nodes fail
	Log       *slog.Logger     // nil: none
}

// Brain follows one flow in one call.
type Brain struct {
	cfg   Config
	types map[string]talkstack.FlowSlotType

	mu      sync.Mutex
	state   *state
	running *exchange // the request under way; nil: none
}

var (
	_ brain.Brain     = (*Brain)(nil)
	_ brain.Retractor = (*reply)(nil)
)

// New makes a brain for a flow whose Check found nothing. One that did not pass is followed as far as it goes.
func New(cfg Config) *Brain {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Brain{cfg: cfg, types: map[string]talkstack.FlowSlotType{}, state: newState()}
	for _, n := range cfg.Flow.Nodes {
		if n.Slot != nil {
			b.types[n.Slot.Name] = n.Slot.Type
		}
	}
	return b
}

// Slots are the values the caller has given so far, and those that requests have saved.
func (b *Brain) Slots() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.state.slots)
}

// ExpectsDigits reports whether the caller was asked for digits or a phone number, and how many digits (0: any).
func (b *Brain) ExpectsDigits() (bool, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.cfg.Flow.Node(b.state.at)
	if n == nil || n.Slot == nil || b.state.over || len(b.state.confirming) > 0 {
		return false, 0
	}
	switch n.Slot.Type {
	case talkstack.SlotDigits, talkstack.SlotPhone:
		return true, n.Slot.Length
	default:
		return false, 0
	}
}

// Close breaks off a request that still runs, and waits for it. A reply that is closed does not: what a caller has
// agreed to is carried out even when they speak over the agent.
func (b *Brain) Close() error {
	b.mu.Lock()
	x := b.running
	b.mu.Unlock()
	if x != nil {
		x.cancel()
		<-x.done
	}
	return nil
}

// Sentences are the texts this brain may say that are known before anybody has spoken, for the cache of speech.
func (b *Brain) Sentences() []string {
	var list []string
	add := func(text string) {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, n := range b.cfg.Flow.Nodes {
		for _, text := range append([]string{n.Text}, n.Reprompts...) {
			if filled, ok := b.fixed(text); ok {
				add(filled)
			}
		}
	}
	for _, text := range ownSentences() {
		add(text)
	}
	return list
}

// fixed fills a text that holds no slot.
func (b *Brain) fixed(text string) (string, bool) {
	t := talkstack.ParseTemplate(text)
	saved := map[string]bool{}
	for _, n := range b.cfg.Flow.Nodes {
		if n.Request != nil {
			for name := range n.Request.Save {
				saved[name] = true
			}
		}
	}
	for _, name := range t.Variables() {
		if _, ok := b.types[name]; ok || saved[name] {
			return "", false
		}
	}
	filled, _ := t.Fill(b.cfg.Variables)
	return tidy(filled), true
}

// reader reads values as of now, in the flow's place.
func (b *Brain) reader() spoken.Reader {
	now := b.cfg.Now()
	if b.cfg.Location != nil {
		now = now.In(b.cfg.Location)
	}
	return spoken.Reader{Now: now, Caller: b.cfg.Caller}
}

// Reply works out the answer. Nothing is remembered before Commit.
func (b *Brain) Reply(ctx context.Context, in brain.Input) brain.Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &turn{brain: b, reader: b.reader(), state: b.state.clone()}
	if t.state.request == "" { // else the answer is what comes after the request
		t.take(in)
	}
	return &reply{
		brain: b, state: t.state, pieces: t.out,
		committed: make(chan struct{}), closed: make(chan struct{}), cancelled: ctx.Done(),
	}
}

// reply is one answer: the pieces that follow from the state alone, and those after requests.
type reply struct {
	brain     *Brain
	state     *state // to be the brain's after Commit
	before    *state // the brain's until then
	cancelled <-chan struct{}
	committed chan struct{}
	closed    chan struct{}
	closing   sync.Once
	commit    sync.Once

	mu     sync.Mutex
	pieces []brain.Piece
}

func (r *reply) Next() (brain.Piece, error) {
	for {
		if p, ok := r.pop(); ok {
			return p, nil
		}
		if !r.pending() {
			return brain.Piece{}, io.EOF
		}
		if !r.wait(r.committed) {
			return brain.Piece{}, errClosed()
		}
		x := r.brain.exchange()
		if x == nil { // an earlier reply's request, which that reply has gone on from
			return brain.Piece{}, io.EOF
		}
		if !r.wait(x.done) {
			return brain.Piece{}, errClosed()
		}
		pieces, state := r.brain.resume(x)
		r.mu.Lock()
		r.pieces, r.state = append(r.pieces, pieces...), state
		r.mu.Unlock()
	}
}

func (r *reply) pop() (brain.Piece, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isClosed() || len(r.pieces) == 0 {
		return brain.Piece{}, false
	}
	p := r.pieces[0]
	r.pieces = r.pieces[1:]
	return p, true
}

// pending reports whether the answer goes on after a request.
func (r *reply) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.isClosed() && r.state != nil && r.state.request != ""
}

func (r *reply) isClosed() bool {
	select {
	case <-r.closed:
		return true
	default:
		return false
	}
}

// wait reports whether ch was closed before the reply was.
func (r *reply) wait(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-r.closed:
	case <-r.cancelled:
	}
	return false
}

func (r *reply) Commit() {
	r.commit.Do(func() {
		r.brain.mu.Lock()
		r.before, r.brain.state = r.brain.state, r.state
		r.brain.mu.Unlock()
		close(r.committed)
	})
}

// Retract goes back to before the reply: the caller went on before anything of it was heard. A reply whose request has
// left is not taken back.
func (r *reply) Retract() {
	r.brain.mu.Lock()
	defer r.brain.mu.Unlock()
	if r.before != nil && r.brain.state == r.state && r.brain.running == nil {
		r.brain.state = r.before
	}
}

func (r *reply) Close() { r.closing.Do(func() { close(r.closed) }) }

func errClosed() error {
	return talkstack.Errorf(talkstack.CodeUnavailable, "The answer was closed before its end.")
}
