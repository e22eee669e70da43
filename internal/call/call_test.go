package call_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/call"
	"talkstack/internal/media"
	"talkstack/internal/recording"
	"talkstack/internal/store"
	"talkstack/internal/voice"
)

// fakeLeg is a party on virtual time: it says nothing, and hangs up when told.
type fakeLeg struct {
	mu      sync.Mutex
	next    time.Time
	gone    chan struct{}
	once    sync.Once
	silent  time.Duration
	ended   talkstack.EndReason
	loudest int16
}

func newLeg() *fakeLeg { return &fakeLeg{next: time.Now(), gone: make(chan struct{})} }

func (l *fakeLeg) ReadFrame(ctx context.Context) (media.Frame, error) {
	l.next = l.next.Add(media.FrameDuration)
	t := time.NewTimer(time.Until(l.next))
	defer t.Stop()
	select {
	case <-t.C:
		return media.NewFrame(8000), nil
	case <-l.gone:
		return media.Frame{}, io.EOF
	case <-ctx.Done():
		return media.Frame{}, ctx.Err()
	}
}

func (l *fakeLeg) WriteFrame(f media.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range f.Samples() {
		l.loudest = max(l.loudest, s)
	}
	return nil
}

func (l *fakeLeg) Digits() <-chan media.Digit { return nil }
func (l *fakeLeg) Silent() time.Duration      { return l.silent }
func (l *fakeLeg) Rate() int                  { return 8000 }

func (l *fakeLeg) Hangup(_ context.Context, r talkstack.EndReason) error {
	l.ended = r
	l.leave()
	return nil
}

func (l *fakeLeg) leave() { l.once.Do(func() { close(l.gone) }) }

// tone speaks every text as one second of sound.
type tone struct{}

func (tone) Speak(context.Context, talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		pcm := make([]int16, 8000)
		for i := range pcm {
			pcm[i] = int16(5000 * math.Sin(float64(i)/3))
		}
		yield(pcm, nil)
	}
}

// deaf hears nothing.
type deaf struct{ out chan talkstack.Transcript }

func (deaf) Hear(*media.Frame, bool)                    {}
func (deaf) Flush()                                     {}
func (deaf) Reset()                                     {}
func (d deaf) Transcripts() <-chan talkstack.Transcript { return d.out }
func (deaf) Close()                                     {}

type never struct{}

func (never) Hear(*media.Frame) bool { return false }

// oneLine says one sentence and hangs up, or stays on the line.
type oneLine struct{ panics, stays bool }

func (b oneLine) Reply(context.Context, brain.Input) brain.Reply {
	if b.panics {
		panic("a brain with a fault")
	}
	if b.stays {
		return brain.NewPrepared([]brain.Piece{{Text: "Hello."}}, nil)
	}
	return brain.NewPrepared([]brain.Piece{{Text: "Goodbye."}, {Action: brain.Action{Kind: brain.Hangup}}}, nil)
}
func (oneLine) Slots() map[string]string   { return map[string]string{"day": "2026-11-26"} }
func (oneLine) ExpectsDigits() (bool, int) { return false, 0 }

// fixture is a switchboard over a real database, with everything else on virtual time.
type fixture struct {
	*call.Switchboard
	db    *store.DB
	cfg   call.Config
	user  talkstack.UserID
	proj  talkstack.ProjectID
	agent talkstack.Agent
	node  talkstack.NodeID
	dial  func(ctx context.Context, d call.Dialing) (call.Leg, error)
	full  bool
	brain oneLine
}

const number = "+15005550100"

func setUp(t *testing.T, change func(*talkstack.AgentSettings)) *fixture {
	t.Helper()
	f := &fixture{node: talkstack.NewNodeID()}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "db"), Log: log})
	must(t, err)
	must(t, db.Migrate(t.Context()))
	t.Cleanup(func() { must(t, db.Close()) })
	f.db = db
	user, err := db.CreateUser(t.Context(), talkstack.User{Email: "a@example.com", Name: "A"})
	must(t, err)
	project, err := db.CreateProject(t.Context(), talkstack.Project{UserID: user.ID, Name: "P", MaxCalls: 2})
	must(t, err)
	settings := talkstack.DefaultAgentSettings()
	if change != nil {
		change(&settings)
	}
	f.agent, err = db.CreateAgent(t.Context(), talkstack.Agent{
		UserID: user.ID, ProjectID: project.ID, Name: "Heart", Prompt: "You talk to {{name}} of {{company}}.", Settings: settings,
	}, number)
	must(t, err)
	f.user, f.proj = user.ID, project.ID
	recordings, err := recording.Open(t.TempDir(), log)
	must(t, err)
	t.Cleanup(func() { must(t, recordings.Close()) })
	f.cfg = call.Config{
		DB: db, Node: f.node, Recordings: recordings, MaxCalls: 3, Log: log, Wake: func() {},
		OnTurn: func(talkstack.Turn) {}, OnEnd: func(talkstack.Ending) {},
		NewBrain: func(talkstack.Agent, string, map[string]any, func(talkstack.ChatUsage)) (brain.Brain, string, error) {
			return f.brain, "fake", nil
		},
		Dial: func(ctx context.Context, d call.Dialing) (call.Leg, error) { return f.dial(ctx, d) },
		Speech: call.Speech{
			Synthesizer:    voice.NewCache(tone{}, 1<<20),
			NewTranscriber: func(int) voice.Transcriber { return deaf{make(chan talkstack.Transcript)} },
			NewDetector:    func(int) voice.Detector { return never{} },
			Voice:          func(string) talkstack.Voice { return talkstack.Voice{ID: "v"} },
			Saturated:      func() bool { return f.full },
		},
	}
	f.Switchboard = call.New(f.cfg)
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// claimed places a call and claims it, as the dispatcher does.
func (f *fixture) claimed(t *testing.T) talkstack.Call {
	t.Helper()
	_, err := f.Place(t.Context(), talkstack.Placement{UserID: f.user, ProjectID: f.proj, AgentID: f.agent.ID, To: "+14155550148"})
	must(t, err)
	must(t, f.db.Heartbeat(t.Context(), f.node))
	calls, err := f.db.Claim(t.Context(), f.node, 1)
	must(t, err)
	if len(calls) != 1 {
		t.Fatalf("claimed %d calls, want 1", len(calls))
	}
	return calls[0]
}

func (f *fixture) stored(t *testing.T, sid talkstack.CallSID) talkstack.Call {
	t.Helper()
	c, err := f.db.Call(t.Context(), f.user, string(sid))
	must(t, err)
	return c
}

func wantEnding(t *testing.T, c talkstack.Call, status talkstack.CallStatus, code talkstack.EndCode) {
	t.Helper()
	if c.State != talkstack.StateEnded || c.Status != status || c.EndReason == nil || c.EndReason.Code != code {
		t.Fatalf("call is %s/%s with %+v, want ended/%s with %s", c.State, c.Status, c.EndReason, status, code)
	}
}

func TestOutboundCallFromPlaceToEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		c := f.claimed(t)
		leg := newLeg()
		f.dial = func(_ context.Context, d call.Dialing) (call.Leg, error) {
			// The INVITE leaves here: the attempt must be on disk by now.
			if now := f.stored(t, c.SID); now.State != talkstack.StateDialing || now.CarrierSID != d.CallID {
				t.Errorf("at the INVITE the call is %s with carrier id %q, want dialing with %q", now.State, now.CarrierSID, d.CallID)
			}
			if d.From != number || d.To != "+14155550148" || !strings.HasPrefix(d.CallID, string(c.SID)) {
				t.Errorf("dialled %+v", d)
			}
			d.OnRinging()
			leg.next = time.Now()
			return leg, nil
		}
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		wantEnding(t, got, talkstack.StatusCompleted, talkstack.EndAgentHangup)
		if got.Slots["day"] != "2026-11-26" || got.AnsweredAt.IsZero() || got.Recording == "" {
			t.Errorf("stored %+v", got)
		}
		if len(got.MissingVariables) != 2 || got.MissingVariables[0] != "name" || got.MissingVariables[1] != "company" {
			t.Errorf("missing variables %q, want name and company", got.MissingVariables)
		}
		turns, err := f.db.Turns(t.Context(), f.user, string(c.SID))
		must(t, err)
		if len(turns) != 1 || turns[0].Text != "Goodbye." || leg.loudest < 4000 {
			t.Errorf("turns %+v, loudest sample at the other party %d", turns, leg.loudest)
		}
		if leg.ended.Code != talkstack.EndAgentHangup || f.Live() != 0 {
			t.Errorf("leg ended with %q, %d calls left", leg.ended.Code, f.Live())
		}
		wav, size, err := f.cfg.Recordings.Open(t.Context(), got.Recording)
		must(t, err)
		if must(t, wav.Close()); size < 44+8000*4 {
			t.Errorf("the recording has %d bytes, want a second at least", size)
		}
	})
}

func TestUnansweredCallEndsAsTheCarrierSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		c := f.claimed(t)
		busy := talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy}}
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return nil, &call.DialError{Ending: busy} }
		f.Dial(t.Context(), c)
		wantEnding(t, f.stored(t, c.SID), talkstack.StatusBusy, talkstack.EndDialBusy)
	})
}

func TestAttemptThatIsNotOursIsNotDialled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		c := f.claimed(t)
		must(t, f.db.MarkDialing(t.Context(), c)) // as if this attempt's INVITE had left before
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) {
			t.Error("the attempt was dialled a second time")
			return nil, errors.New("dialled")
		}
		f.Dial(t.Context(), c)
	})
}

func TestFaultsEndTheCallAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  func(f *fixture, leg *fakeLeg)
		status talkstack.CallStatus
		code   talkstack.EndCode
	}{
		{"brain panics", func(f *fixture, _ *fakeLeg) { f.brain.panics = true }, talkstack.StatusFailed, talkstack.EndErrorInternal},
		{"party's packets stop", func(_ *fixture, l *fakeLeg) { l.silent = time.Minute }, talkstack.StatusFailed, talkstack.EndMediaTimeout},
		{"party hangs up", func(_ *fixture, l *fakeLeg) { l.leave() }, talkstack.StatusCompleted, talkstack.EndUserHangup},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t, nil)
				claimed := f.claimed(t)
				leg := newLeg()
				c.fault(f, leg)
				f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return leg, nil }
				f.Dial(t.Context(), claimed)
				wantEnding(t, f.stored(t, claimed.SID), c.status, c.code)
			})
		})
	}
}

// fakeIncoming rings until it is answered or refused.
type fakeIncoming struct {
	to      string
	leg     *fakeLeg
	refusal *call.Refusal
}

func (*fakeIncoming) From() string   { return "+14155550148" }
func (i *fakeIncoming) To() string   { return i.to }
func (*fakeIncoming) CallID() string { return "carrier-1" }
func (*fakeIncoming) Ring()          {}
func (i *fakeIncoming) Answer(context.Context) (call.Leg, error) {
	i.leg = newLeg()
	return i.leg, nil
}
func (i *fakeIncoming) Reject(r call.Refusal) { i.refusal = &r }

func TestInboundCallFindsItsAgent(t *testing.T) {
	t.Parallel()
	for _, to := range []string{number, strings.TrimPrefix(number, "+")} { // some carriers leave the + out
		testInbound(t, to)
	}
}

func testInbound(t *testing.T, to string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		in := &fakeIncoming{to: to}
		f.Answer(t.Context(), in)
		c, err := f.db.Call(t.Context(), f.user, "carrier-1")
		must(t, err)
		wantEnding(t, c, talkstack.StatusCompleted, talkstack.EndAgentHangup)
		if c.Direction != talkstack.Inbound || c.AgentID != f.agent.ID || c.From != "+14155550148" || c.To != number {
			t.Errorf("stored %+v", c)
		}
	})
}

func TestInboundCallsAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		to    string
		full  bool
		code  talkstack.Code
		later bool
	}{
		{"nobody's number", "+15005550999", false, talkstack.CodeNotFound, false},
		{"speech is saturated", number, true, talkstack.CodeUnavailable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t, nil)
				f.full = c.full
				in := &fakeIncoming{to: c.to}
				f.Answer(t.Context(), in)
				if in.refusal == nil || in.refusal.Code != c.code || c.later && in.refusal.RetryAfter == 0 {
					t.Fatalf("refusal %+v, want %s, Retry-After %v", in.refusal, c.code, c.later)
				}
			})
		})
	}
}

func TestDrainWaitsAndThenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, func(s *talkstack.AgentSettings) { s.SilenceLimit = 60_000 })
		f.brain.stays = true
		c := f.claimed(t)
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return newLeg(), nil }
		over := make(chan struct{})
		go func() { defer close(over); f.Dial(t.Context(), c) }()
		time.Sleep(time.Second)
		limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		f.Drain(limit)
		if took := time.Since(begin); took < 10*time.Second {
			t.Errorf("the call had %v to end by itself, want 10 s", took)
		}
		<-over
		wantEnding(t, f.stored(t, c.SID), talkstack.StatusFailed, talkstack.EndShutdown)
		in := &fakeIncoming{to: number}
		if f.Answer(t.Context(), in); in.refusal == nil || in.refusal.Code != talkstack.CodeUnavailable {
			t.Errorf("a call while draining: %+v, want a refusal", in.refusal)
		}
	})
}

func TestPlaceChecksWhatItIsGiven(t *testing.T) {
	t.Parallel()
	f := setUp(t, nil)
	other, err := f.db.CreateUser(t.Context(), talkstack.User{Email: "b@example.com", Name: "B"})
	must(t, err)
	good := talkstack.Placement{UserID: f.user, ProjectID: f.proj, AgentID: f.agent.ID, To: "+14155550148"}
	for _, c := range []struct {
		name   string
		change func(p *talkstack.Placement)
		code   talkstack.Code
	}{
		{"all right", func(*talkstack.Placement) {}, ""},
		{"not a number", func(p *talkstack.Placement) { p.To = "12345" }, talkstack.CodeInvalid},
		{"no agent anywhere", func(p *talkstack.Placement) { p.AgentID = "" }, talkstack.CodeInvalid},
		{"unknown agent", func(p *talkstack.Placement) { p.AgentID = talkstack.NewAgentID() }, talkstack.CodeNotFound},
		{"unknown project", func(p *talkstack.Placement) { p.ProjectID = talkstack.NewProjectID() }, talkstack.CodeNotFound},
		{"somebody else's", func(p *talkstack.Placement) { p.UserID = other.ID }, talkstack.CodeNotFound},
	} {
		p := good
		c.change(&p)
		if _, err := f.Place(t.Context(), p); talkstack.ErrorCode(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
		}
	}
}

// TestALongCallIsStoredToItsEnd: a call may last for longer than its last writes may take.
func TestALongCallIsStoredToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, func(s *talkstack.AgentSettings) {
			s.SilenceLimit, s.MaxDuration, s.Recording = 600_000, 900_000, false
			s.IdlePrompts = []talkstack.IdlePrompt{{After: 590_000, Text: "Are you still there?"}}
		})
		f.brain.stays = true
		c := f.claimed(t)
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return newLeg(), nil }
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		wantEnding(t, got, talkstack.StatusCompleted, talkstack.EndMaxDuration)
		turns, err := f.db.Turns(t.Context(), f.user, string(c.SID))
		must(t, err)
		if n := len(turns); n != 3 || turns[n-1].Start < 14*time.Minute {
			t.Errorf("turns %+v, want the greeting, the prompt and the goodbye after 14 minutes", turns)
		}
	})
}

// TestACallGoesOnWithoutItsRecording: the folder of the recordings is gone, and the call does not notice.
func TestACallGoesOnWithoutItsRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		must(t, f.cfg.Recordings.Close())
		c := f.claimed(t)
		leg := newLeg()
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return leg, nil }
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		wantEnding(t, got, talkstack.StatusCompleted, talkstack.EndAgentHangup)
		if leg.loudest < 4000 {
			t.Errorf("the loudest sample at the other party was %d: the agent was not heard", leg.loudest)
		}
		if n := f.cfg.Recordings.Failures(); n != 1 || got.Recording != "" {
			t.Errorf("%d failures were counted and the call has recording %q, want 1 and none", n, got.Recording)
		}
	})
}
