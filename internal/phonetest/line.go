package phonetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// ErrGone says that the other side has hung up.
var ErrGone = errors.New("the other side has hung up")

// Leg is the call as the line needs it.
type Leg interface {
	ReadFrame(ctx context.Context) (media.Frame, error)
	WriteFrame(f media.Frame) error
	SendDigits(ctx context.Context, digits string) error
	Digits() <-chan media.Digit
	Hold(ctx context.Context, on bool) error
	Hangup(ctx context.Context, reason talkstack.EndReason) error
	Silent() time.Duration // since the last packet came
	Rate() int
}

const (
	hearPause  = 700 * time.Millisecond  // silence that ends what the other side says
	deafPause  = 1100 * time.Millisecond // the same without ears, where a short pause says nothing
	hangupWait = 5 * time.Second
)

// Line is the phone's end of an answered call. One goroutine, the pump, owns the leg's audio; the behaviour
// speaks and listens through channels. Its methods are for that one behaviour, not for several goroutines at once.
type Line struct {
	leg    Leg
	speech Speech
	log    *slog.Logger
	rate   int

	say    chan []int16   // to be spoken
	spoken chan struct{}  // all of it has left
	heard  chan Utterance // finished utterances of the other side
	voiced chan struct{}  // the other side has begun to speak (a hint, never blocks)
	gone   chan struct{}  // closed when the pump has ended

	talking atomic.Bool // the other side speaks
	lines   *repertoire

	answered time.Time
	goneAt   time.Time // set before gone is closed
	hangup   sync.Once
	mu       sync.Mutex
	over     Received // how the leg ended, once it has
	said     []Utterance
	ticks    int
	in       []int16
	out      []int16
}

// Utterance is what one side said.
type Utterance struct {
	Mine  bool
	Text  string // empty when the phone is deaf or nothing was understood
	Start time.Duration
	End   time.Duration
}

func newLine(leg Leg, speech Speech, lines *repertoire, log *slog.Logger) *Line {
	l := &Line{
		lines: lines,
		leg:   leg, speech: speech, log: log, rate: leg.Rate(),
		say: make(chan []int16), spoken: make(chan struct{}, 1), heard: make(chan Utterance, 64),
		voiced: make(chan struct{}, 1), gone: make(chan struct{}), answered: time.Now(),
	}
	go l.pump()
	return l
}

// Say speaks text and returns when its last sample has left.
func (l *Line) Say(ctx context.Context, text string) error {
	pcm, err := l.Voice(ctx, text)
	if err != nil {
		return err
	}
	l.noteOwn(text)
	return l.Play(ctx, pcm)
}

// noteOwn writes down what the phone is about to say.
func (l *Line) noteOwn(text string) {
	now := l.now()
	l.note(Utterance{Mine: true, Text: text, Start: now, End: now})
}

// Voice makes the sound of text without playing it. The phone keeps what it has said once.
func (l *Line) Voice(ctx context.Context, text string) ([]int16, error) {
	return l.speech.voice(ctx, l.lines, text, l.rate)
}

func (s *Speech) voice(ctx context.Context, lines *repertoire, text string, rate int) ([]int16, error) {
	if pcm, ok := lines.get(text, rate); ok {
		return pcm, nil
	}
	var pcm []int16
	for part, err := range s.Speak(ctx, talkstack.SpeechRequest{Text: text, Voice: s.Voice, Speed: 1, Rate: rate}) {
		if err != nil {
			return nil, err
		}
		pcm = append(pcm, part...)
	}
	lines.put(text, rate, pcm)
	return pcm, nil
}

// Talking reports whether the other side speaks now, or has said something that was not listened to.
func (l *Line) Talking() bool { return l.talking.Load() || len(l.heard) > 0 }

// Play plays audio at the line's rate and returns when its last sample has left.
func (l *Line) Play(ctx context.Context, pcm []int16) error {
	select { // of one that gave up waiting
	case <-l.spoken:
	default:
	}
	select {
	case l.say <- pcm:
	case <-l.gone:
		return ErrGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-l.spoken:
		return nil
	case <-l.gone:
		return ErrGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Rate is the sample rate of the line, in Hz.
func (l *Line) Rate() int { return l.rate }

// Listen returns the next finished utterance of the other side.
func (l *Line) Listen(ctx context.Context) (Utterance, error) {
	select {
	case u := <-l.heard:
		return u, nil
	default:
	}
	select {
	case u := <-l.heard:
		return u, nil
	case <-l.gone:
		return Utterance{}, ErrGone
	case <-ctx.Done():
		return Utterance{}, context.Cause(ctx)
	}
}

// WaitSpeech returns when the other side begins to speak.
func (l *Line) WaitSpeech(ctx context.Context) error {
	select {
	case <-l.voiced:
		return nil
	case <-l.gone:
		return ErrGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Wait keeps the line open and silent for d.
func (l *Line) Wait(ctx context.Context, d time.Duration) error {
	return l.Play(ctx, make([]int16, int(d.Seconds()*float64(l.rate))))
}

// Press sends keys (RFC 4733).
func (l *Line) Press(ctx context.Context, digits string) error {
	return l.leg.SendDigits(ctx, digits)
}

// Hold puts the other side on hold, or takes it back. While it is held no audio goes either way; a silent frame a tick
// still moves the line's clock.
func (l *Line) Hold(ctx context.Context, on bool) error { return l.leg.Hold(ctx, on) }

// Hangup ends the call, and returns when the line is down.
func (l *Line) Hangup() { l.end() }

// end hangs up and says when the leg was over.
func (l *Line) end() Received {
	l.hangup.Do(func() {
		now := time.Now()
		select {
		case <-l.gone: // the peer has hung up
			now = l.goneAt
		default:
		}
		lastPacket := now.Add(-l.leg.Silent())
		ctx, cancel := context.WithTimeout(context.Background(), hangupWait)
		defer cancel()
		over := Received{Answered: l.answered, Ended: now}
		if err := l.leg.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyCaller, Code: talkstack.EndUserHangup}); err != nil {
			l.log.Debug("test phone hangs up", "error", err)
			over.Ended, over.Died = lastPacket, true
		}
		l.mu.Lock()
		l.over = over
		l.mu.Unlock()
	})
	<-l.gone
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// Gone is closed when the call is over.
func (l *Line) Gone() <-chan struct{} { return l.gone }

// Conversation is what was said so far, by both sides.
func (l *Line) Conversation() []Utterance {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Utterance(nil), l.said...)
}

// Audio is what the line has received and sent so far, on one clock; empty unless Speech.KeepAudio is set.
func (l *Line) Audio() (received, sent []int16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int16(nil), l.in...), append([]int16(nil), l.out...)
}

func (l *Line) now() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.ticks) * media.FrameDuration
}

func (l *Line) note(u Utterance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, u)
}

// keep counts the line's clock and, when asked to, keeps its audio.
func (l *Line) keep(in, out *media.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ticks++
	if l.speech.KeepAudio {
		l.in = append(l.in, in.Samples()...)
		l.out = append(l.out, out.Samples()...)
	}
}

// pump moves one frame each way every 20 ms until the leg is over.
func (l *Line) pump() {
	defer func() {
		l.goneAt = time.Now()
		close(l.gone)
	}()
	e := newEar(l)
	defer e.close()
	var queue []int16
	speaking := false
	for {
		in, err := l.leg.ReadFrame(context.Background())
		if err != nil {
			return
		}
		if !speaking {
			select {
			case queue = <-l.say:
				speaking = true
			default:
			}
		}
		out := media.NewFrame(l.rate)
		n := copy(out.Samples(), queue)
		queue = queue[n:]
		if err := l.leg.WriteFrame(out); err != nil {
			return
		}
		l.keep(&in, &out)
		e.hear(&in)
		if speaking && len(queue) == 0 {
			speaking = false
			select {
			case l.spoken <- struct{}{}:
			default: // the one who spoke has given up waiting
			}
		}
	}
}

// ear finds the utterances of the other side. It lives in the pump's goroutine.
type ear struct {
	line     *Line
	ears     Ears
	detector Detector
	pause    time.Duration

	at      time.Duration
	talking bool
	start   time.Duration
	last    time.Duration // of the last voiced frame
	flushed bool
	text    string
	round   int // utterance number of the recogniser
}

func newEar(l *Line) *ear {
	e := &ear{line: l, detector: l.speech.NewDetector(l.rate), pause: hearPause}
	if l.speech.NewEars == nil {
		e.pause = deafPause
		return e
	}
	e.ears = l.speech.NewEars(l.rate)
	return e
}

func (e *ear) close() {
	if e.ears != nil {
		e.ears.Close()
	}
}

func (e *ear) hear(f *media.Frame) {
	speech := e.detector.Hear(f)
	e.at += media.FrameDuration
	if e.ears != nil {
		e.ears.Hear(f, speech)
		e.collect()
	}
	switch {
	case speech && !e.talking:
		e.talking, e.start, e.last, e.flushed, e.text = true, e.at, e.at, false, ""
		e.line.talking.Store(true)
		select {
		case e.line.voiced <- struct{}{}:
		default:
		}
	case speech:
		e.last, e.flushed = e.at, false
	case e.talking && e.at-e.last >= e.pause && !e.flushed:
		e.flushed = true
		if e.ears == nil {
			e.finish("")
			return
		}
		e.ears.Flush()
	}
}

// collect takes what the recogniser has; the final transcript after a flush ends the utterance.
func (e *ear) collect() {
	for {
		select {
		case t, ok := <-e.ears.Transcripts():
			if !ok {
				return
			}
			if t.Utterance != e.round || !e.talking {
				continue
			}
			e.text = t.Text
			if t.Err != nil {
				e.line.log.Warn("test phone cannot hear", "error", t.Err)
			}
			if t.Final && e.flushed {
				e.round++
				e.ears.Reset()
				e.finish(strings.TrimSpace(e.text))
			}
		default:
			return
		}
	}
}

func (e *ear) finish(text string) {
	e.talking = false
	u := Utterance{Text: text, Start: e.start, End: e.last}
	e.line.note(u)
	select {
	case e.line.heard <- u:
	default: // nobody has listened for 64 utterances
	}
	e.line.talking.Store(false)
}

// repertoire keeps the sound of what a phone has said once.
type repertoire struct {
	mu    sync.Mutex
	lines map[string][]int16
}

func newRepertoire() *repertoire { return &repertoire{lines: map[string][]int16{}} }

func repertoireKey(text string, rate int) string { return fmt.Sprintf("%d %s", rate, text) }

func (r *repertoire) get(text string, rate int) ([]int16, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pcm, ok := r.lines[repertoireKey(text, rate)]
	return pcm, ok
}

// maxRepertoire bounds a phone that a person types at for days.
const maxRepertoire = 200

func (r *repertoire) put(text string, rate int, pcm []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < maxRepertoire {
		r.lines[repertoireKey(text, rate)] = pcm
	}
}
