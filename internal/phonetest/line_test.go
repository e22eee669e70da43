package phonetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// otherSide is a leg on virtual time: it plays what the other side says, and keeps what the phone sends.
type otherSide struct {
	mu     sync.Mutex
	next   time.Time
	says   []int16
	sent   []int16
	keys   string
	held   []bool
	gone   chan struct{}
	once   sync.Once
	reason talkstack.EndReason
}

func (o *otherSide) Silent() time.Duration { return 0 }

func (o *otherSide) ReadFrame(context.Context) (media.Frame, error) {
	o.next = o.next.Add(media.FrameDuration)
	t := time.NewTimer(time.Until(o.next))
	defer t.Stop()
	select {
	case <-o.gone:
		return media.Frame{}, io.EOF
	case <-t.C:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	f := media.NewFrame(8000)
	n := copy(f.Samples(), o.says)
	o.says = o.says[n:]
	return f, nil
}

func (o *otherSide) WriteFrame(f media.Frame) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, f.Samples()...)
	return nil
}

func (o *otherSide) SendDigits(_ context.Context, digits string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys += digits
	return nil
}

func (o *otherSide) Hold(_ context.Context, on bool) error {
	o.held = append(o.held, on)
	return nil
}

func (o *otherSide) Digits() <-chan media.Digit { return nil }
func (o *otherSide) Rate() int                  { return 8000 }

func (o *otherSide) Hangup(_ context.Context, r talkstack.EndReason) error {
	o.reason = r
	o.leave()
	return nil
}

func (o *otherSide) leave() { o.once.Do(func() { close(o.gone) }) }

// say lets the other side be heard for d.
func (o *otherSide) say(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.says = append(o.says, loud(d)...)
}

func (o *otherSide) heard() (sent []int16, keys string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]int16(nil), o.sent...), o.keys
}

func loud(d time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*8000))
	for i := range pcm {
		pcm[i] = 8000
	}
	return pcm
}

// loudness is a detector without memory.
type loudness struct{}

func (loudness) Hear(f *media.Frame) bool { return f.Samples()[0] > 1000 }

// ticking speaks every letter of a text as 100 ms of sound.
func ticking(_ context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		for range req.Text {
			if !yield(loud(100*time.Millisecond), nil) {
				return
			}
		}
	}
}

// onLine runs a test on a line of a deaf phone, on virtual time.
func onLine(t *testing.T, test func(t *testing.T, line *Line, o *otherSide)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &otherSide{next: time.Now(), gone: make(chan struct{})}
		speech := Speech{Speak: ticking, NewDetector: func(int) Detector { return loudness{} }, KeepAudio: true}
		line := newLine(o, speech, newRepertoire(), slog.New(slog.DiscardHandler))
		defer line.Hangup()
		test(t, line, o)
	})
}

func TestWhatIsSaidIsSentOnceAndWhole(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *Line, o *otherSide) {
		begin := time.Now()
		if err := line.Say(t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 500*time.Millisecond || took > 540*time.Millisecond {
			t.Errorf("saying it took %v, want its length of 500 ms", took)
		}
		sent, _ := o.heard()
		n := 0
		for _, s := range sent {
			if s == 8000 {
				n++
			}
		}
		if n != 4000 {
			t.Errorf("%d samples of speech were sent, want 4000", n)
		}
		if said := line.Conversation(); len(said) != 1 || !said[0].Mine || said[0].Text != "hello" {
			t.Errorf("the phone remembers %+v", said)
		}
		if in, out := line.Audio(); len(in) != len(out) || len(out) != len(sent) {
			t.Errorf("kept %d samples received and %d sent, want %d each", len(in), len(out), len(sent))
		}
	})
}

func TestListenReturnsWhenTheOtherSideHasFinished(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *Line, o *otherSide) {
		o.say(2 * time.Second)
		if err := line.WaitSpeech(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !line.Talking() {
			t.Error("the other side speaks, and the phone does not notice")
		}
		begin := time.Now()
		u, err := line.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 2*time.Second+deafPause-100*time.Millisecond || took > 2*time.Second+deafPause+100*time.Millisecond {
			t.Errorf("the utterance came after %v, want %v", took, 2*time.Second+deafPause)
		}
		if d := u.End - u.Start; d < 1900*time.Millisecond || d > 2100*time.Millisecond || u.Mine {
			t.Errorf("heard %+v, want 2 s of the other side", u)
		}
	})
}

func TestEverythingEndsWhenTheOtherSideHangsUp(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(context.Context, *Line) error{
		"listening": func(ctx context.Context, l *Line) error { _, err := l.Listen(ctx); return err },
		"waiting":   func(ctx context.Context, l *Line) error { return l.WaitSpeech(ctx) },
		"speaking":  func(ctx context.Context, l *Line) error { return l.Say(ctx, strings.Repeat("long ", 20)) },
		"silent":    func(ctx context.Context, l *Line) error { return l.Wait(ctx, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onLine(t, func(t *testing.T, line *Line, o *otherSide) {
				time.AfterFunc(time.Second, o.leave)
				begin := time.Now()
				if err := wait(t.Context(), line); !errors.Is(err, ErrGone) {
					t.Errorf("got %v, want ErrGone", err)
				}
				if took := time.Since(begin); took > 1100*time.Millisecond {
					t.Errorf("it was noticed after %v, want 1 s", took)
				}
			})
		})
	}
}

func TestScriptSpeaksInTurnAndPressesKeys(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *Line, o *otherSide) {
		o.say(time.Second)
		time.AfterFunc(10*time.Second, func() { o.say(time.Second) })
		var out bytes.Buffer
		s := Script{Sentences: []string{"one", "two"}, Press: "12#", Stay: time.Second}
		if err := s.Run(t.Context(), line, &out); err != nil {
			t.Fatal(err)
		}
		if want := "< (1.0 s of speech)\n> one\n< (1.0 s of speech)\n> two\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
		if _, keys := o.heard(); keys != "12#" {
			t.Errorf("pressed %q", keys)
		}
		wrong := Script{Play: &media.Audio{Rate: 16000, Channels: 1, Samples: loud(time.Second)}}
		if err := wrong.Run(t.Context(), line, &out); err == nil || !strings.Contains(err.Error(), "8000 Hz") {
			t.Errorf("a recording at 16 kHz: %v, want to be told the line's rate", err)
		}
	})
}

func TestTalkDoesWhatIsTyped(t *testing.T) {
	t.Parallel()
	onLine(t, func(t *testing.T, line *Line, o *otherSide) {
		var out bytes.Buffer
		in := strings.NewReader("hello\n\n/press 42#\n/dance\n/hangup\n")
		if err := Talk(t.Context(), line, in, &out); err != nil {
			t.Fatal(err)
		}
		if _, keys := o.heard(); keys != "42#" {
			t.Errorf("pressed %q", keys)
		}
		if !strings.Contains(out.String(), "/dance is not known") {
			t.Errorf("printed %q", out.String())
		}
		if said := line.Conversation(); len(said) != 1 || said[0].Text != "hello" {
			t.Errorf("said %+v", said)
		}
		line.Hangup()
		if o.reason.Party != talkstack.PartyCaller {
			t.Errorf("hung up by %q, want the caller", o.reason.Party)
		}
	})
}

func TestThePatientAnswersTheQuestion(t *testing.T) {
	t.Parallel()
	for heard, want := range map[string]string{
		"Hello, this is the Talkstack demo clinic. On which day would you like to come?": "Thursday",
		"At what time?": "Half past three",
		"Is it for a check-up, a cleaning, or a toothache?":      "check-up",
		"And what is your name?":                                 "Anna Smith",
		"Shall we send a reminder to the number you are on now?": "Yes",
		"So that is Thursday, at half past three, for a check-up, under the name Anna Smith. Is that all correct?": "right",
		"How can I help you?": "appointment",
		"Brzl.":               "say that again",
	} {
		if say, _ := reply(patient(), heard); !strings.Contains(say, want) {
			t.Errorf("to %q the patient says %q, want something of %q", heard, say, want)
		}
	}
	if say, known := reply(patient(), "Thank you, Anna Smith. We will see you on Thursday. Goodbye."); say != "" || !known {
		t.Errorf("to a goodbye the patient says %q", say)
	}
}
