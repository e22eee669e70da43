package voice

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

const testRate = 8000

// scene is a call on virtual time: the test plays the caller, frame by frame, and the providers follow a script.
// Provider delays are odd numbers of milliseconds, so that nothing but frames falls on a frame boundary.
type scene struct {
	t      *testing.T
	cfg    Config
	conv   *Conversation
	ear    *fakeTranscriber
	brain  *fakeBrain
	mouth  *fakeSynthesizer
	in     chan Heard
	digits chan media.Digit
	at     time.Duration
	sent   []int16 // what the agent sent, from zero of the media clock
	ended  chan talkstack.Ending

	mu     sync.Mutex
	turns  []talkstack.Turn
	events []Event
}

// play runs a story on virtual time.
func play(t *testing.T, setup func(*scene), story func(*scene)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		if setup != nil {
			setup(s)
		}
		s.start()
		story(s)
		s.finish()
	})
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{
		t:      t,
		ear:    newFakeTranscriber(),
		brain:  &fakeBrain{delay: 31 * time.Millisecond},
		mouth:  &fakeSynthesizer{delay: 47 * time.Millisecond, fail: map[string]int{}},
		in:     make(chan Heard, 8),
		digits: make(chan media.Digit),
		ended:  make(chan talkstack.Ending, 1),
	}
	s.cfg = Config{
		Settings: talkstack.DefaultAgentSettings(), Rate: testRate, Direction: talkstack.Inbound,
		Brain: s.brain, Transcriber: s.ear, Synthesizer: s.mouth, Detector: loudness{},
		OnTurn: func(turn talkstack.Turn) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.turns = append(s.turns, turn)
		},
		OnEvent: func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	}
	s.cfg.Settings.FirstSpeaker = talkstack.FirstSpeakerCaller
	s.cfg.Settings.SilenceLimit = 60_000
	return s
}

// greets makes the agent open the conversation.
func (s *scene) greets(text string) {
	s.cfg.Settings.FirstSpeaker = talkstack.FirstSpeakerAgent
	s.cfg.Greeting = text
}

func (s *scene) start() {
	s.conv = New(s.cfg)
	go func() { s.ended <- s.conv.Run(s.t.Context(), s.in, s.digits) }()
	synctest.Wait()
}

// finish hangs up when the story did not. A goroutine that is left behind fails the test: synctest does not return
// before all of its bubble have ended, and calls it a deadlock when they cannot.
func (s *scene) finish() {
	if s.in != nil {
		close(s.in)
		<-s.ended
	}
}

// tick is one turn of the media loop.
func (s *scene) tick(f media.Frame) {
	out := s.conv.Playout().Next(s.at)
	s.sent = append(s.sent, out.Samples()...)
	select {
	case s.in <- Heard{Frame: f, At: s.at}:
	default:
	}
	synctest.Wait()
	s.at += media.FrameDuration
	<-time.After(media.FrameDuration)
}

// silent lets the caller say nothing for d.
func (s *scene) silent(d time.Duration) {
	for range d / media.FrameDuration {
		s.tick(media.NewFrame(testRate))
	}
}

// says lets the caller speak for d; text is what will be recognised of it.
func (s *scene) says(text string, d time.Duration) {
	s.ear.expect(text)
	s.noise(d)
}

// noise is sound that the detector takes for speech.
func (s *scene) noise(d time.Duration) {
	for range d / media.FrameDuration {
		s.tick(loudFrame())
	}
}

func loudFrame() media.Frame {
	f := media.NewFrame(testRate)
	for i := range f.Samples() {
		f.Samples()[i] = int16(3000 - 6000*(i%2))
	}
	return f
}

// until plays silence until the condition holds.
func (s *scene) until(what string, cond func() bool) {
	s.t.Helper()
	for range 3000 {
		if cond() {
			return
		}
		s.tick(media.NewFrame(testRate))
	}
	s.t.Fatalf("one minute passed without: %s", what)
}

// speaking reports whether the agent's last frame held sound.
func (s *scene) speaking() bool {
	if len(s.sent) < 160 {
		return false
	}
	for _, v := range s.sent[len(s.sent)-160:] {
		if v != 0 {
			return true
		}
	}
	return false
}

// hears waits until the agent has started to speak, and until it has fallen silent for a while.
func (s *scene) hears() {
	s.t.Helper()
	s.until("the agent speaking", s.speaking)
	quiet := 0
	s.until("the agent falling silent", func() bool {
		if quiet++; s.speaking() {
			quiet = 0
		}
		return quiet > 15
	})
}

// spoke waits until the agent has finished n replies.
func (s *scene) spoke(n int) {
	s.t.Helper()
	s.until("the agent's replies", func() bool { return s.count(EventAgentStopped) >= n })
}

// ending plays silence until the conversation is over.
func (s *scene) ending() talkstack.Ending {
	s.t.Helper()
	var e talkstack.Ending
	s.until("the end of the call", func() bool {
		select {
		case e = <-s.ended:
			s.in = nil
			return true
		default:
			return false
		}
	})
	return e
}

// hangup is the caller going away.
func (s *scene) hangup() talkstack.Ending {
	close(s.in)
	s.in = nil
	return <-s.ended
}

func (s *scene) transcript() []talkstack.Turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]talkstack.Turn(nil), s.turns...)
}

// wantTurns compares the turns with lines such as "user: hello" and "agent: Hi there. (interrupted)".
func (s *scene) wantTurns(want ...string) {
	s.t.Helper()
	var got []string
	for i, turn := range s.transcript() {
		line := string(turn.Role) + ": " + turn.Text
		if turn.Interrupted {
			line += " (interrupted)"
		}
		if turn.Seq != i {
			s.t.Errorf("turn %d has the number %d", i, turn.Seq)
		}
		got = append(got, line)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("turns:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (s *scene) wantEnding(e talkstack.Ending, status talkstack.CallStatus, party talkstack.Party, code talkstack.EndCode) {
	s.t.Helper()
	if e.Status != status || e.Reason.Party != party || e.Reason.Code != code {
		s.t.Errorf("the call ended as %s %s/%s, want %s %s/%s", e.Status, e.Reason.Party, e.Reason.Code, status, party, code)
	}
}

// when is the moment of the n-th event of a kind, counted from 0.
func (s *scene) when(kind EventKind, n int) time.Duration {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			if n == 0 {
				return e.At
			}
			n--
		}
	}
	s.t.Fatalf("no event %s", kind)
	return 0
}

func (s *scene) count(kind EventKind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// voiceOf is the audio the fake synthesizer makes of a text: sound in every sample, 60 ms a letter.
func voiceOf(text string) []int16 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, text)
	x := h.Sum32() | 1
	pcm := make([]int16, len([]rune(text))*testRate*60/1000)
	for i := range pcm {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		pcm[i] = int16(500 + x%4000)
	}
	return pcm
}

// loudness takes any loud frame for speech.
type loudness struct{}

func (loudness) Hear(f *media.Frame) bool { return f.Samples()[0] > 1000 }

// fakeTranscriber recognises what the test tells it to, a while after each flush.
type fakeTranscriber struct {
	out   chan talkstack.Transcript
	delay time.Duration

	mu        sync.Mutex
	heard     time.Duration
	voiced    int // frames of speech since the last reset
	utterance int
	coming    []string // recognised at the beginning of the next speech
	text      string
	speaking  bool
	mute      bool // answers no flush
	err       error
	closed    bool
	wg        sync.WaitGroup
	flushes   int
}

func newFakeTranscriber() *fakeTranscriber {
	return &fakeTranscriber{out: make(chan talkstack.Transcript, 64), delay: 73 * time.Millisecond}
}

func (f *fakeTranscriber) expect(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coming = append(f.coming, text)
}

func (f *fakeTranscriber) Hear(_ *media.Frame, speech bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard += media.FrameDuration
	if speech && len(f.coming) > 0 {
		f.text = join(f.text, f.coming[0])
		f.coming = f.coming[1:]
	}
}

func (f *fakeTranscriber) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes++
	if f.mute {
		return
	}
	f.send(talkstack.Transcript{Utterance: f.utterance, Text: f.text, Final: true, UpTo: f.heard, Err: f.err})
}

// interim sends what is recognised so far.
func (f *fakeTranscriber) interim() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.send(talkstack.Transcript{Utterance: f.utterance, Text: f.text, UpTo: f.heard})
}

func (f *fakeTranscriber) send(t talkstack.Transcript) {
	if t.Err != nil {
		t.Text = ""
	}
	f.wg.Go(func() {
		<-time.After(f.delay)
		f.out <- t
	})
}

func (f *fakeTranscriber) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.utterance++
	f.text = ""
}

func (f *fakeTranscriber) Transcripts() <-chan talkstack.Transcript { return f.out }

func (f *fakeTranscriber) Close() {
	f.wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.out)
	}
}

// fakeSynthesizer makes voiceOf each text, in stretches, after a delay.
type fakeSynthesizer struct {
	delay time.Duration

	mu    sync.Mutex
	asked []string
	fail  map[string]int // how many times a text fails; -1: always; key "": any text
}

var errFake = errors.New("the provider is away")

func (f *fakeSynthesizer) fails(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, text)
	for _, k := range []string{text, ""} {
		if n := f.fail[k]; n != 0 {
			f.fail[k]--
			return true
		}
	}
	return false
}

func (f *fakeSynthesizer) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *fakeSynthesizer) Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			yield(nil, ctx.Err())
			return
		}
		if f.fails(req.Text) {
			yield(nil, errFake)
			return
		}
		buf := make([]int16, testRate/10) // reused: whoever keeps it is caught
		for pcm := voiceOf(req.Text); len(pcm) > 0; {
			n := copy(buf, pcm)
			pcm = pcm[n:]
			if !yield(buf[:n], nil) {
				return
			}
		}
	}
}

// answer is what the fake brain says to an input.
type answer struct {
	to     string // the caller's text, "#1234" for keys, "" for a greeting
	pieces []brain.Piece
	err    error // after the pieces
	fails  int   // this many times, with err, before it works
	pause  time.Duration
}

// fakeBrain answers from a script; what is not in it is answered with "I heard: …".
type fakeBrain struct {
	delay  time.Duration
	script []answer
	digits int // wanted; -1: any number

	mu        sync.Mutex
	asked     []brain.Input
	committed []string
	retracted []string
	closed    []string
}

func (b *fakeBrain) answers(to, text string) {
	b.script = append(b.script, answer{to: to, pieces: []brain.Piece{{Text: text}}})
}

func (b *fakeBrain) Reply(ctx context.Context, in brain.Input) brain.Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, in)
	key := in.Text
	if in.Kind == brain.Keypad {
		key = "#" + in.Digits
	}
	a := answer{to: key, pieces: []brain.Piece{{Text: "I heard: " + key + "."}}}
	for i := range b.script {
		if b.script[i].to != key {
			continue
		}
		a = b.script[i]
		if a.fails > 0 {
			b.script[i].fails--
			a.pieces = nil
		} else if a.fails == 0 && len(a.pieces) > 0 && a.pause == 0 {
			a.err = nil
		}
		break
	}
	return &fakeReply{brain: b, answer: a, ctx: ctx, done: make(chan struct{})}
}

func (b *fakeBrain) inputs() []brain.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]brain.Input(nil), b.asked...)
}

func (b *fakeBrain) Slots() map[string]string { return nil }

func (b *fakeBrain) ExpectsDigits() (bool, int) { return b.digits != 0, max(0, b.digits) }

type fakeReply struct {
	brain  *fakeBrain
	answer answer
	ctx    context.Context //nolint:containedctx // as a real reply has it
	once   sync.Once
	done   chan struct{}
	n      int
}

func (r *fakeReply) Next() (brain.Piece, error) {
	delay := r.brain.delay
	if r.n > 0 {
		delay = r.answer.pause
	}
	select {
	case <-time.After(delay):
	case <-r.done:
		return brain.Piece{}, context.Canceled
	case <-r.ctx.Done():
		return brain.Piece{}, r.ctx.Err()
	}
	if r.n == len(r.answer.pieces) {
		if r.answer.err != nil {
			return brain.Piece{}, r.answer.err
		}
		return brain.Piece{}, io.EOF
	}
	r.n++
	return r.answer.pieces[r.n-1], nil
}

func (r *fakeReply) Commit() {
	r.brain.mu.Lock()
	defer r.brain.mu.Unlock()
	r.brain.committed = append(r.brain.committed, r.answer.to)
}

func (r *fakeReply) Retract() {
	r.brain.mu.Lock()
	defer r.brain.mu.Unlock()
	r.brain.retracted = append(r.brain.retracted, r.answer.to)
}

func (r *fakeReply) Close() {
	r.once.Do(func() {
		close(r.done)
		r.brain.mu.Lock()
		defer r.brain.mu.Unlock()
		r.brain.closed = append(r.brain.closed, r.answer.to)
	})
}
