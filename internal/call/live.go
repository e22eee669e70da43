package call

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/recording"
	"talkstack/internal/voice"
)

// Leg is one party of a call, as a call needs it.
type Leg interface {
	// ReadFrame is the clock of the call: it returns a frame every 20 ms, io.EOF when the party has gone.
	ReadFrame(ctx context.Context) (media.Frame, error)
	WriteFrame(f media.Frame) error
	Digits() <-chan media.Digit
	Hangup(ctx context.Context, reason talkstack.EndReason) error
	// Silent is how long no packet has come from the party; zero while it is on hold.
	Silent() time.Duration
	Rate() int // of the frames, in Hz
}

const (
	// frameBacklog is how many frames the conversation may be behind before frames are dropped for it.
	frameBacklog = 8
	// mediaTimeout ends a call whose party's packets have stopped: its BYE was lost, or it crashed.
	mediaTimeout = 45 * time.Second
	// hangupLimit bounds the goodbye to a peer that no longer answers.
	hangupLimit = 5 * time.Second
	// diskLimit bounds the wait for the last of a recording.
	diskLimit = 10 * time.Second
)

// Live is one call that runs: a leg, a conversation and a recording joined by one media loop. Its goroutines are
// that loop, and the conversation in the goroutine of Run; both are gone when Run returns.
type Live struct {
	leg     Leg
	conv    *voice.Conversation
	rec     *recording.Writer // nil: not recorded
	log     *slog.Logger
	dropped atomic.Int64
	stalled atomic.Bool
	broken  atomic.Bool // the media loop panicked
}

// Run holds the conversation until it ends, hangs up, and returns how it ended and when, which is before the goodbyes to
// the peer and the disk. When ctx is cancelled the cause says why: a talkstack.Ending made into an error by endingError,
// or a plain shutdown.
func (l *Live) Run(ctx context.Context) (talkstack.Ending, time.Time) {
	heard := make(chan voice.Heard, frameBacklog)
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		defer close(heard)
		l.pump(ctx, heard)
	}()

	ending := l.converse(ctx, heard)
	at := time.Now()
	if l.broken.Load() {
		ending = internalEnding()
	}
	if l.stalled.Load() {
		ending = talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{
			Party: talkstack.PartyCarrier, Code: talkstack.EndMediaTimeout,
			Message: fmt.Sprintf("No audio came from the other party for %s.", mediaTimeout),
		}}
	}
	drained := make(chan struct{})
	go func() { // frames still in flight have nobody to go to
		defer close(drained)
		for range heard { //nolint:revive // emptied until the media loop closes it
		}
	}()
	hangUp(ctx, l.leg, ending.Reason, l.log)
	<-pumped // the leg is over, so ReadFrame has returned
	<-drained
	l.closeRecording()
	if n := l.dropped.Load(); n > 0 {
		l.log.Warn("frames were dropped for the conversation", "frames", n)
	}
	return ending, at
}

// hangUp says goodbye, within the limit and whatever has become of ctx.
func hangUp(ctx context.Context, leg Leg, reason talkstack.EndReason, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupLimit)
	defer cancel()
	if err := leg.Hangup(ctx, reason); err != nil {
		log.Warn("hang-up was not acknowledged", "error", err)
	}
}

// closeRecording waits for the disk, but not for one that hangs: the call has to end.
func (l *Live) closeRecording() {
	if l.rec == nil {
		return
	}
	closed := make(chan error, 1)
	go func() { closed <- l.rec.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			l.log.Error("recording was not closed", "error", err)
		}
	case <-time.After(diskLimit):
		l.log.Error("recording was not closed in time: the disk does not answer")
	}
}

// converse runs the conversation; a panic in it ends this call, not the others.
func (l *Live) converse(ctx context.Context, heard <-chan voice.Heard) (ending talkstack.Ending) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("conversation panicked", "panic", p, "stack", string(debug.Stack()))
			ending = internalEnding()
		}
	}()
	ending = l.conv.Run(ctx, heard, l.leg.Digits())
	if ctx.Err() != nil {
		return endingOf(context.Cause(ctx))
	}
	return ending
}

// pump is the media loop: each tick of the leg's clock takes a frame in and puts a frame out, so both
// channels of the recording and every latency are on one sample clock.
func (l *Live) pump(ctx context.Context, heard chan<- voice.Heard) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("media loop panicked", "panic", p, "stack", string(debug.Stack()))
			l.broken.Store(true)
		}
	}()
	playout := l.conv.Playout()
	for at := time.Duration(0); ; at += media.FrameDuration {
		in, err := l.leg.ReadFrame(ctx)
		if err != nil {
			return
		}
		out := playout.Next(at)
		if err := l.leg.WriteFrame(out); err != nil {
			return
		}
		if l.rec != nil {
			l.rec.Write(&in, &out)
		}
		select {
		case heard <- voice.Heard{Frame: in, At: at}:
		default:
			l.dropped.Add(1)
		}
		if at%time.Second == 0 && l.leg.Silent() > mediaTimeout {
			l.stalled.Store(true)
			return
		}
	}
}

// endingError carries an ending as the cause of a cancelled context.
type endingError struct{ ending talkstack.Ending }

func (e *endingError) Error() string { return string(e.ending.Reason.Code) }

// endingOf is the ending that a context's cause stands for; any cause but ours is a shutdown.
func endingOf(cause error) talkstack.Ending {
	if e, ok := cause.(*endingError); ok { //nolint:errorlint // set by us, never wrapped
		return e.ending
	}
	return shutdownEnding()
}

func shutdownEnding() talkstack.Ending {
	return talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{
		Party: talkstack.PartyPlatform, Code: talkstack.EndShutdown, Message: "The server was stopped while the call ran.",
	}}
}

func internalEnding() talkstack.Ending {
	return talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{
		Party: talkstack.PartyPlatform, Code: talkstack.EndErrorInternal, Message: "An internal error ended the call.",
	}}
}
