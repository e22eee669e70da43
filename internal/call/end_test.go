package call_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/call"
	"talkstack/internal/media"
)

// TestCallsThatWereNotSentStayInTheQueue: what stops us before the INVITE ends no call that somebody has accepted.
func TestCallsThatWereNotSentStayInTheQueue(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(ctx context.Context, f *fixture, cancel context.CancelFunc){
		"the server drains": func(ctx context.Context, f *fixture, _ context.CancelFunc) { f.Drain(ctx) },
		"the server stops while the call is prepared": func(_ context.Context, f *fixture, cancel context.CancelFunc) {
			f.cfg.NewBrain = func(talkstack.Agent, string, map[string]any, func(talkstack.ChatUsage)) (brain.Brain, string, error) {
				cancel()
				return f.brain, "fake", nil
			}
			f.Switchboard = call.New(f.cfg)
		},
		"the server stops while the agent is loaded": func(_ context.Context, _ *fixture, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t, nil)
				c := f.claimed(t)
				f.dial = func(context.Context, call.Dialing) (call.Leg, error) {
					t.Error("the call was dialled")
					return nil, errors.New("dialled")
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stop(t.Context(), f, cancel)
				f.Dial(ctx, c)
				if got := f.stored(t, c.SID); got.State != talkstack.StateClaimed || got.Status != talkstack.StatusQueued {
					t.Errorf("the call is %s/%s, want it claimed, to be queued again", got.State, got.Status)
				}
			})
		})
	}
}

// refusing is an incoming call that cannot be answered.
type refusing struct {
	fakeIncoming
	fails func() error
}

func (r *refusing) Answer(context.Context) (call.Leg, error) { return nil, r.fails() }

func TestInboundCallsThatAreNotAnsweredSayWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		gaveUp bool
		party  talkstack.Party
		code   talkstack.EndCode
	}{
		{"the caller gives up", true, talkstack.PartyCaller, talkstack.EndUserHangup},
		{"no codec in common", false, talkstack.PartyCarrier, talkstack.EndDialFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f.Answer(ctx, &refusing{fakeIncoming{to: number}, func() error {
					if c.gaveUp {
						cancel()
					}
					return errors.New("not answered")
				}})
				got := f.stored(t, "carrier-1")
				wantEnding(t, got, talkstack.StatusFailed, c.code)
				if got.EndReason.Party != c.party {
					t.Errorf("ended by the %s, want the %s", got.EndReason.Party, c.party)
				}
			})
		})
	}
}

// oddLeg breaks in its media, or takes long to say goodbye.
type oddLeg struct {
	*fakeLeg
	panics bool
	slow   time.Duration
}

func (l oddLeg) WriteFrame(f media.Frame) error {
	if l.panics {
		panic("a codec with a fault")
	}
	return l.fakeLeg.WriteFrame(f)
}

func (l oddLeg) Hangup(ctx context.Context, r talkstack.EndReason) error {
	l.leave() // media ends with the BYE, not with its answer
	time.Sleep(l.slow)
	return l.fakeLeg.Hangup(ctx, r)
}

func TestFaultInTheMediaEndsThatCallAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		c := f.claimed(t)
		leg := oddLeg{fakeLeg: newLeg(), panics: true}
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return leg, nil }
		f.Dial(t.Context(), c)
		wantEnding(t, f.stored(t, c.SID), talkstack.StatusFailed, talkstack.EndErrorInternal)
		if leg.ended.Code != talkstack.EndErrorInternal {
			t.Errorf("the party was left with %q", leg.ended.Code)
		}
	})
}

func TestGoodbyesAreNotConnectedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, nil)
		c := f.claimed(t)
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) {
			return oddLeg{fakeLeg: newLeg(), slow: 5 * time.Second}, nil
		}
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		wantEnding(t, got, talkstack.StatusCompleted, talkstack.EndAgentHangup)
		if d := got.Duration(time.Now()); d < time.Second || d > 4*time.Second {
			t.Errorf("a call of one sentence lasted for %v", d)
		}
	})
}
