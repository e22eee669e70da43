package voice

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
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
