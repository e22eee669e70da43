// Package phonetest is a telephone made for tests: a SIP user agent that answers with a behaviour, speaks with a
// synthetic voice, hears with a recogniser, presses keys and hangs up, over real SIP and RTP. In development mode it
// is the far end of every outbound call, and `talkstack phone` is the same thing at the command line.
// It owns what the other party does; it knows nothing of agents, storage or the API.
package phonetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/media/rtp"
	"talkstack/internal/sip"
)

// Ears recognise what the phone hears. The phone tells them which frames hold speech.
type Ears interface {
	Hear(f *media.Frame, speech bool)
	Flush()
	Reset()
	Transcripts() <-chan talkstack.Transcript
	Close()
}

// Detector tells speech from silence, for one call.
type Detector interface {
	Hear(f *media.Frame) bool
}

// Speech is what a phone speaks and hears with.
type Speech struct {
	Speak       func(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error]
	NewEars     func(rate int) Ears // nil: the phone is deaf, and takes each pause of the other side for its turn
	NewDetector func(rate int) Detector
	Voice       talkstack.Voice
	KeepAudio   bool // keep each line's audio in memory
}

// Config is what a phone needs.
type Config struct {
	Addr   string // "127.0.0.1:0": any free port
	Ports  *rtp.Ports
	Speech Speech
	Log    *slog.Logger
}

// Behaviour is what the phone does with one call: a function that reads from top to bottom. When it returns, the
// phone hangs up.
type Behaviour func(ctx context.Context, ring *Ringing) error

// Phone is a telephone that answers calls by the number they are for.
type Phone struct {
	cfg    Config
	ua     *sip.UserAgent
	lines  *repertoire
	mu     sync.Mutex
	behave map[string]Behaviour
	other  Behaviour
	calls  []Received
}

// Received is one INVITE as the far end saw it: what a test counts to be sure that nobody was dialled twice.
type Received struct {
	CallID, From, To string
	At               time.Time
	Answered         time.Time // zero: never, as the following
	Ended            time.Time // when the leg was over. That of a peer that has died ends with its last packet
	Died             bool      // the peer was gone without a BYE
}

// New makes a phone that declines every number until On gives it a behaviour.
func New(cfg Config) *Phone {
	return &Phone{cfg: cfg, lines: newRepertoire(), behave: map[string]Behaviour{}, other: Decline}
}

// On sets what the phone does when number is called; the empty number stands for all others.
func (p *Phone) On(number string, b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number == "" {
		p.other = b
		return
	}
	p.behave[number] = b
}

// Start binds the phone's SIP port.
func (p *Phone) Start(ctx context.Context) error {
	p.ua = sip.New(sip.Config{
		Addr: p.cfg.Addr, Ports: p.cfg.Ports, Log: p.cfg.Log, UserAgent: "Talkstack-Testphone",
		Allow: func(a netip.Addr) bool { return a.IsLoopback() },
	})
	p.ua.OnInvite(p.serve)
	if err := p.ua.Start(ctx); err != nil {
		return fmt.Errorf("test phone: %w", err)
	}
	return nil
}

// Stop hangs up what is left and frees the port.
func (p *Phone) Stop(ctx context.Context) { p.ua.Stop(ctx) }

// Addr is the bound SIP address.
func (p *Phone) Addr() netip.AddrPort { return p.ua.Addr() }

// Calls lists every INVITE since the start, oldest first.
func (p *Phone) Calls() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Received(nil), p.calls...)
}

func (p *Phone) serve(ctx context.Context, inv *sip.Invite) {
	p.mu.Lock()
	n := len(p.calls)
	p.calls = append(p.calls, Received{CallID: inv.CallID, From: inv.From, To: inv.To, At: time.Now()})
	behave, ok := p.behave[inv.To]
	if !ok {
		behave = p.other
	}
	p.mu.Unlock()
	ring := &Ringing{phone: p, inv: inv}
	if err := behave(ctx, ring); err != nil && !errors.Is(err, ErrGone) && ctx.Err() == nil {
		p.cfg.Log.Warn("test phone gave up", "to", talkstack.MaskNumber(inv.To), "error", err)
	}
	over := Received{Ended: time.Now()}
	if ring.line != nil {
		over = ring.line.end()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.calls[n]
	r.Answered, r.Ended, r.Died = over.Answered, over.Ended, over.Died
}

// Dial calls target ("sip:+1555…@127.0.0.1:5060") and returns the line when it is answered.
func (p *Phone) Dial(ctx context.Context, target, from string) (*Line, error) {
	leg, err := p.ua.Dial(ctx, sip.DialRequest{Target: target, From: from})
	if err != nil {
		return nil, err
	}
	return newLine(leg, p.cfg.Speech, p.lines, p.cfg.Log), nil
}

// Ringing is a call that the phone has not answered yet.
type Ringing struct {
	phone *Phone
	inv   *sip.Invite
	line  *Line
}

// To is the number that was called.
func (r *Ringing) To() string { return r.inv.To }

// Ring tells the caller that the phone rings.
func (r *Ringing) Ring() { _ = r.inv.Ring() } // it fails when the caller has given up: Answer will say so

// Reject refuses the call with a SIP status.
func (r *Ringing) Reject(code int, reason string) error {
	return r.inv.Reject(code, reason, 0)
}

// Rehearse makes the sound of a text before the phone is answered, as a machine has recorded its own.
func (r *Ringing) Rehearse(ctx context.Context, text string) error {
	_, err := r.phone.cfg.Speech.voice(ctx, r.phone.lines, text, lineRate)
	return err
}

// lineRate is the sample rate of SIP lines, in Hz.
const lineRate = 8000

// Answer picks up. The line is hung up when the behaviour returns.
func (r *Ringing) Answer(ctx context.Context) (*Line, error) {
	leg, err := r.inv.Answer(ctx)
	if err != nil {
		return nil, err
	}
	r.line = newLine(leg, r.phone.cfg.Speech, r.phone.lines, r.phone.cfg.Log)
	return r.line, nil
}
