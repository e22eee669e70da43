package local

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

func TestTextIsWrittenOutForReading(t *testing.T) {
	t.Parallel()
	us, gb := newNormalizer(false), newNormalizer(true)
	for _, test := range []struct{ in, want string }{
		{"See you at 3:30 pm.", "See you at 3 30 P M"},
		{"Come at 3:00 or 9:05.", "Come at 3 o'clock or 9 oh 5."},
		{"We open at 9am.", "We open at 9 ay M"},
		{"Call +1 (415) 555-0123.", "Call plus 1, 4 1 5, 5 5 5, 0 1 2 3."},
		{"Call 415-555-0123 now", "Call 4 1 5, 5 5 5, 0 1 2 3 now"},
		{"Call +442079460958", "Call plus 4 4, 2 0 7, 9 4 6, 0 9 5 8"},
		{"It costs $20.", "It costs 20 dollars."},
		{"It costs $1,234.50 or €1.", "It costs 1234 dollars and 50 cents or 1 euro."},
		{"$3.5 million", "3.5 million dollars"},
		{"£0.99", "99 pence"},
		{"Due 11/23/2026.", "Due November 23rd, 20 26."},
		{"Due 2026-03-01.", "Due March 1st, 20 26."},
		{"On Nov. 2 and May 11th", "On November 2nd and May 11th"},
		{"Mail john.doe@example.com today", "Mail john dot doe at example dot com today"},
		{"Visit https://www.example.com/help.", "Visit example dot com slash help."},
		{"The API and the FAQ of NASA", "The ay P I and the F ay Q of NASA"},
		{"Your code is XK29Q", "Your code is X K 2 9 Q"},
		{"Dr. Smith lives on Main St. in Rome.", "Doctor Smith lives on Main Street in Rome."},
		{"We take e.g. cash & cards", "We take for example cash and cards"},
		{"50% off, 9-5", "50 percent off, 9 to 5"},
		{"Order 12345678", "Order 1 2 3, 4 5 6, 7 8"},
		{"**Bold** and _plain_ 😀 text", "Bold and _plain_ text"},
		{"PLEASE HOLD THE LINE", "please hold the line"},
		{"I am a US citizen. No. I said no.", "I am a U S citizen. No. I said no."},
		{"since 1999", "since 19 99"},
		{"It is -5°C", "It is minus 5 degrees Celsius"},
	} {
		if got := us.normalize(test.in); got != test.want {
			t.Errorf("%q is read as %q, wanted %q", test.in, got, test.want)
		}
	}
	if got, want := gb.normalize("Due 3/4/2026."), "Due 3rd of April 20 26."; got != want {
		t.Errorf("British date %q, wanted %q", got, want)
	}
}

func TestTheFirstClauseIsShort(t *testing.T) {
	t.Parallel()
	for text, first := range map[string]string{
		"Sure, let me check.": "Sure, let me check.",
		"Thank you for calling Acme Dental, this is Heart speaking. How can I help you?": "Thank you for calling Acme Dental,",
		"I would like to book an appointment for next Thursday afternoon with you.":      "I would like to book an appointment",
	} {
		all := clauses(fragments(text))
		if got := all[0].text(); got != first {
			t.Errorf("%q begins with %q, wanted %q", text, got, first)
		}
		var parts []string
		for _, c := range all {
			parts = append(parts, c.text())
		}
		if got := strings.Join(parts, " "); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// A clause is made while the one before it is heard.
func TestClausesGrowSlowly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"November twenty-sixth, at three thirty P M, for a check-up, under the name Anna Smith, with Doctor Miller.": {
			"November twenty-sixth,", "at three thirty P M, for a check-up,", "under the name Anna Smith, with Doctor Miller.",
		},
		"Yes, of course, I can do that.": {"Yes, of course,", "I can do that."},
	} {
		var got []string
		for _, c := range clauses(fragments(text)) {
			got = append(got, c.text())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is spoken as %q", text, got)
		}
	}
}

// TestWhatIsSpokenIsUnderstood goes all the way round: text, speech, telephone, text.
func TestWhatIsSpokenIsUnderstood(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	for _, test := range []struct{ text, voice, want string }{
		{"We have an opening on Thursday at 3:30 pm.", "kokoro-af_heart", "thursday at three thirty"},
		// No digit thrice in a row: the recogniser miscounts those, whoever says them.
		{"Our number is +1 415 867 0123.", "kokoro-am_michael", "four one five eight six seven zero one two three"},
		{"Please hold the line.", "kokoro-bf_emma", "please hold the line"},
		{"It costs twenty dollars.", "kokoro-bm_george", "dollars"},
	} {
		listen(tr, slices.Concat(silence(0.4), say(t, e, test.text, test.voice), silence(0.3)))
		got := final(t, tr)
		tr.Reset()
		words := strings.Join(plainWords(got.Text), " ")
		words = strings.ReplaceAll(words, "three three zero", "three thirty")
		if !strings.Contains(words, test.want) {
			t.Errorf("%q was heard as %q", test.text, got.Text)
		}
	}
}

func TestSpeechBeginsAndEndsClose(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, rate := range []int{8000, 16000, 24000} {
		for _, voice := range []string{"kokoro-af_heart", "espeak-en-us"} {
			pcm := speak(t, e, talkstack.SpeechRequest{Text: "Good morning.", Rate: rate, Voice: talkstack.Voice{ID: voice}})
			ms := func(samples int) int { return samples * 1000 / rate }
			if n := ms(len(pcm)); n < 400 || n > 2000 {
				t.Errorf("%s at %d Hz: %d ms", voice, rate, n)
			}
			loud := func(x int16) bool { return x > 500 || x < -500 }
			if lead := ms(slices.IndexFunc(pcm, loud)); lead > 60 {
				t.Errorf("%s at %d Hz: %d ms of silence before the speech", voice, rate, lead)
			}
			if abs(pcm[0]) > 50 || abs(pcm[len(pcm)-1]) > 50 {
				t.Errorf("%s at %d Hz: begins at %d and ends at %d: a click", voice, rate, pcm[0], pcm[len(pcm)-1])
			}
			if level := media.Level(pcm); level < -32 || level > -14 {
				t.Errorf("%s at %d Hz: level of %.1f dB", voice, rate, level)
			}
			if peak := media.Peak(pcm); peak > 32000 {
				t.Errorf("%s at %d Hz: clipped", voice, rate)
			}
		}
	}
}

func abs(x int16) int { return max(int(x), -int(x)) }

func TestSpeedChangesTheLength(t *testing.T) {
	t.Parallel()
	e := engine(t)
	length := func(speed float64) int {
		return len(speak(t, e, talkstack.SpeechRequest{Text: "The quick brown fox jumps over the lazy dog.", Rate: 8000, Speed: speed}))
	}
	slow, normal, fast := length(0.8), length(0), length(1.3)
	if slow*10 < normal*11 || fast*10 > normal*9 {
		t.Errorf("%d samples at speed 0.8, %d at 1, %d at 1.3", slow, normal, fast)
	}
}

func TestLongTextIsSpokenToTheEnd(t *testing.T) {
	t.Parallel()
	e := engine(t)
	// One endless sentence: more phonemes than the network takes at once.
	text := strings.Repeat("one more thing to say ", 24) + "and that is the end"
	var all []int16
	n := 0
	for pcm, err := range e.Speak(context.Background(), talkstack.SpeechRequest{Text: text, Rate: 8000}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pcm...)
		n++
	}
	if seconds := len(all) / 8000; n < 3 || seconds < 20 {
		t.Errorf("%d words became %d s in %d clauses", len(strings.Fields(text)), seconds, n)
	}
}

func TestStoppingEndsTheSynthesis(t *testing.T) {
	t.Parallel()
	e, err := Open(Config{Dir: modelDir()}) // its own, to see its queue
	if err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	defer e.Close()
	text := strings.Repeat("This is a sentence that the caller will never hear to its end. ", 20)
	for _, err := range e.Speak(context.Background(), talkstack.SpeechRequest{Text: text, Rate: 8000}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	count := 0
	for _, err := range e.Speak(ctx, talkstack.SpeechRequest{Text: text, Rate: 8000}) {
		count++
		cancel()
		if count > 1 && !errors.Is(err, context.Canceled) {
			t.Errorf("after the cancel: %v", err)
		}
	}
	if count != 2 {
		t.Errorf("%d yields, wanted the first clause and the error", count)
	}
	if s := e.Stats().Speaking; s.Queued != 0 || s.Jobs > 5 {
		t.Errorf("work goes on after the stop: %+v", s)
	}
}

func TestSaturationKeepsServingCallsInProgress(t *testing.T) {
	t.Parallel()
	e, err := Open(Config{Dir: modelDir()})
	if err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	defer e.Close()
	if e.Saturated() {
		t.Fatal("saturated without work")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	text := "This sentence is long enough to keep the synthesiser busy for a while, you will see."
	var speeches []*utterance
	for range 12 {
		s, err := e.newSpeech(ctx, talkstack.SpeechRequest{Text: text, Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		speeches = append(speeches, s.start(ctx, 0))
	}
	if !e.Saturated() {
		t.Errorf("twelve sentences at once do not saturate: %+v", e.Stats().Speaking)
	}
	for i, u := range speeches[:2] {
		if <-u.job.done; u.err != nil || len(u.pcm) == 0 {
			t.Errorf("sentence %d of a call in progress: %v", i, u.err)
		}
	}
	cancel()
	for _, u := range speeches {
		<-u.job.done
	}
	if e.Saturated() {
		t.Errorf("still saturated without work: %+v", e.Stats().Speaking)
	}
}

func TestTheMostUrgentJobGoesFirst(t *testing.T) {
	t.Parallel()
	l := newLane(1)
	defer l.close()
	now := time.Now()
	block, order := make(chan struct{}), make(chan string, 3)
	started := make(chan struct{})
	l.submit(&job{ctx: t.Context(), deadline: now, run: func(context.Context) time.Duration { close(started); <-block; return 0 }})
	<-started
	add := func(name string, deadline time.Time) *job {
		j := &job{ctx: t.Context(), deadline: deadline, run: func(context.Context) time.Duration { order <- name; return 0 }}
		l.submit(j)
		return j
	}
	last := add("later clause", now.Add(3*time.Second))
	add("first clause", now)
	add("second clause, soon needed", now.Add(time.Second))
	close(block)
	<-last.done
	got := []string{<-order, <-order, <-order}
	if want := []string{"first clause", "second clause, soon needed", "later clause"}; !slices.Equal(got, want) {
		t.Errorf("order %q, wanted %q", got, want)
	}
}

func TestUnknownVoicesAndSillyRequestsAreErrors(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for name, req := range map[string]talkstack.SpeechRequest{
		"voice": {Text: "Hello.", Rate: 8000, Voice: talkstack.Voice{ID: "kokoro-nobody"}},
		"path":  {Text: "Hello.", Rate: 8000, Voice: talkstack.Voice{Provider: ProviderKokoro, Key: "../../../etc/passwd"}},
		"rate":  {Text: "Hello.", Rate: 100},
		"speed": {Text: "Hello.", Rate: 8000, Speed: 100},
	} {
		var got error
		for _, err := range e.Speak(context.Background(), req) {
			got = err
		}
		if code := talkstack.ErrorCode(got); code != talkstack.CodeNotFound && code != talkstack.CodeInvalid {
			t.Errorf("%s: error %v", name, got)
		}
	}
	for _, err := range e.Speak(context.Background(), talkstack.SpeechRequest{Text: " … 😀 ", Rate: 8000}) {
		t.Errorf("a text without words gave audio or an error: %v", err)
	}
}

func TestEveryVoiceSpeaks(t *testing.T) {
	t.Parallel()
	e := engine(t)
	ids := map[string]bool{}
	for _, v := range e.Voices() {
		if ids[v.ID] || v.Name == "" || v.Labels["gender"] == "" || v.Labels["accent"] == "" || v.Labels["use_case"] == "" {
			t.Errorf("voice %+v is not complete or listed twice", v)
		}
		ids[v.ID] = true
		if pcm := speak(t, e, talkstack.SpeechRequest{Text: "Hi.", Rate: 8000, Voice: talkstack.Voice{ID: v.ID}}); len(pcm) < 1200 {
			t.Errorf("%s says %d ms", v.ID, len(pcm)/8)
		}
	}
	if !ids[DefaultVoice] || len(ids) != 30 {
		t.Errorf("%d voices", len(ids))
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"Call +1 (415) 555-0123 at 3:30 pm.", "$1,000,000.50 on 11/23/2026", "a@b.c", "\xff\xfe", "# Title\n- item", "A.B.C. 1/2 24/7"} {
		f.Add(s)
	}
	n := newNormalizer(false)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range clauses(fragments(n.normalize(text))) {
			if len(c) == 0 {
				t.Fatalf("%q has an empty clause", text)
			}
			for _, fr := range c {
				if strings.TrimSpace(fr.words) == "" || strings.ContainsAny(fr.words, "\n;:,!?<>|") {
					t.Fatalf("%q has the fragment %q", text, fr.words)
				}
			}
		}
	})
}

func BenchmarkSpeak(b *testing.B) {
	e := engine(b)
	for _, text := range []string{"Sure.", "Sure, let me check.", "Thank you for calling Acme Dental, this is Heart speaking. How can I help you today?"} {
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			var first, total time.Duration
			audio := 0
			for b.Loop() {
				start := time.Now()
				began := false
				for pcm, err := range e.Speak(context.Background(), talkstack.SpeechRequest{Text: text, Rate: 8000}) {
					if err != nil {
						b.Fatal(err)
					}
					if !began {
						first += time.Since(start)
						began = true
					}
					audio += len(pcm)
				}
				total += time.Since(start)
			}
			b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "ms-to-first-audio")
			b.ReportMetric(total.Seconds()*8000/float64(audio), "rtf")
		})
	}
}
