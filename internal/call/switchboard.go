// Package call owns live calls: who is on the phone, how an accepted call becomes an INVITE, how an incoming one
// finds its agent, and how each ends and is stored. It joins a leg to a conversation; it knows nothing of SIP,
// of speech models or of HTTP.
package call

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/recording"
	"talkstack/internal/store"
	"talkstack/internal/voice"
)

// Speech is what agents speak and hear with.
type Speech struct {
	Synthesizer    *voice.Cache
	NewTranscriber func(rate int) voice.Transcriber
	NewDetector    func(rate int) voice.Detector
	// Voice finds a voice by its id; an unknown id gives the default voice.
	Voice func(id string) talkstack.Voice
	// Saturated reports that one more call would degrade those that run.
	Saturated func() bool
}

// Config is what a Switchboard needs.
type Config struct {
	DB     *store.DB
	Node   talkstack.NodeID
	Speech Speech
	// NewBrain makes what decides an agent's words in one call, and says which kind it is. The brain tells spent what each
	// request to a language model has used, from any goroutine.
	NewBrain   func(agent talkstack.Agent, prompt string, vars map[string]any, spent func(talkstack.ChatUsage)) (b brain.Brain, name string, err error)
	Prices     talkstack.Prices
	Recordings *recording.Store
	// Dial sends the INVITE of an outbound call and returns when it is answered; its error is a *DialError.
	Dial     func(ctx context.Context, d Dialing) (Leg, error)
	Wake     func() // tells the dispatcher that a call is due
	MaxCalls int    // live calls this node takes
	// OnTurn and OnEnd tell who counts of each turn and each end, before they are stored. They must not block.
	OnTurn func(t talkstack.Turn)
	OnEnd  func(e talkstack.Ending)
	Log    *slog.Logger
}

// Dialing is one attempt at an outbound call.
type Dialing struct {
	CallID      string // the carrier's id for the attempt: one attempt, one id
	From, To    string
	RingTimeout time.Duration
	OnRinging   func()
}

// DialError says how an attempt that was not answered ends its call.
type DialError struct {
	Ending talkstack.Ending
	Err    error
}

func (e *DialError) Error() string { return e.Ending.Reason.Message }

func (e *DialError) Unwrap() error { return e.Err }

// Switchboard knows who is on the phone on this node.
type Switchboard struct {
	cfg Config

	mu       sync.Mutex
	live     map[talkstack.CallSID]context.CancelCauseFunc
	draining bool
	idle     chan struct{} // closed once draining has found nobody left
	idleOnce sync.Once
	wg       sync.WaitGroup

	hurry   context.Context //nolint:containedctx // ends when Drain has no time left
	hurryUp context.CancelFunc
}

// New makes a switchboard.
func New(cfg Config) *Switchboard {
	s := &Switchboard{cfg: cfg, live: map[talkstack.CallSID]context.CancelCauseFunc{}, idle: make(chan struct{})}
	s.hurry, s.hurryUp = context.WithCancel(context.Background())
	return s
}

// openLedger opens the ledger of a call, which must be closed.
func (s *Switchboard) openLedger(ctx context.Context, log *slog.Logger) *ledger {
	l := newLedger(ctx, log)
	l.hurry = s.hurry
	return l
}

// Live is the number of calls on the phone or being dialled on this node.
func (s *Switchboard) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// SIDs are the calls on the phone or being dialled on this node.
func (s *Switchboard) SIDs() []talkstack.CallSID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.live))
}

// Owns reports whether this node works on a call.
func (s *Switchboard) Owns(sid talkstack.CallSID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[sid] != nil
}

// Hangup ends a call because its owner asked for it. A call that is not here is left alone.
func (s *Switchboard) Hangup(sid talkstack.CallSID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.live[sid]; cancel != nil {
		cancel(&endingError{talkstack.Ending{Status: talkstack.StatusCompleted, Reason: talkstack.EndReason{
			Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup, Message: "The call was hung up on request.",
		}}})
	}
}

// Room is how many more calls this node takes now: none while it drains or its speech models are saturated.
func (s *Switchboard) Room() int {
	if s.cfg.Speech.Saturated() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return 0
	}
	return max(0, s.cfg.MaxCalls-len(s.live))
}

// admit registers a call if there is room for it; enter does so for a call that is already ours, unless we drain.
// The returned context ends with the call's cause; leave must be called once.
func (s *Switchboard) admit(ctx context.Context, sid talkstack.CallSID) (_ context.Context, leave func(), ok bool) {
	if s.cfg.Speech.Saturated() {
		return ctx, nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || len(s.live) >= s.cfg.MaxCalls {
		return ctx, nil, false
	}
	ctx, leave = s.register(ctx, sid)
	return ctx, leave, true
}

func (s *Switchboard) enter(ctx context.Context, sid talkstack.CallSID) (_ context.Context, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return ctx, nil, false
	}
	ctx, leave = s.register(ctx, sid)
	return ctx, leave, true
}

// register needs the lock.
func (s *Switchboard) register(ctx context.Context, sid talkstack.CallSID) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.live[sid] = cancel
	s.wg.Add(1)
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, sid)
		s.wg.Done()
		if s.draining && len(s.live) == 0 {
			s.idleOnce.Do(func() { close(s.idle) })
		}
	}
}

// Drain takes no more calls, waits for those that run until ctx ends, then ends the rest and waits for them.
// It is called once.
func (s *Switchboard) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	left := len(s.live)
	if left == 0 {
		s.idleOnce.Do(func() { close(s.idle) })
	}
	s.mu.Unlock()
	if left > 0 {
		s.cfg.Log.Info("waiting for live calls", "calls", left)
	}
	select {
	case <-s.idle:
	case <-ctx.Done():
		s.mu.Lock()
		for sid, cancel := range s.live {
			s.cfg.Log.Warn("call ended by the stop of the server", "call_id", sid)
			cancel(&endingError{shutdownEnding()})
		}
		s.mu.Unlock()
		s.hurryUp()
	}
	s.wg.Wait()
	s.hurryUp()
}
