package local

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// phoneSentences are what callers say, without figures that could be written in several ways.
func phoneSentences() []string {
	return []string{
		"Hello, I would like to book an appointment for next Thursday.",
		"Can you tell me what time you open on Saturday?",
		"My name is Jennifer Miller and I am calling about my order.",
		"I need to cancel my reservation for tomorrow night.",
		"Could you please transfer me to the billing department?",
		"I have been waiting for a delivery since last week.",
		"Yes, that works for me.",
		"No, I would prefer the morning.",
		"How much does it cost to replace the screen?",
		"The number on the invoice is four seven one nine.",
		"I forgot my password and I cannot log in to my account.",
		"Do you accept credit cards or only cash?",
		"Is the doctor available on Friday afternoon?",
		"I would like to speak to a real person, please.",
		"There is a problem with the heating in my apartment.",
		"Please send the confirmation to my email address.",
		"What is your return policy for damaged items?",
		"I moved last month and need to update my address.",
		"Thank you very much for your help, goodbye.",
		"Can we make it a quarter past ten instead?",
	}
}

func TestPhoneSentencesAreUnderstood(t *testing.T) {
	t.Parallel()
	e := engine(t)
	voices := []string{"kokoro-af_heart", "kokoro-am_michael", "kokoro-bf_emma"}
	wrong, all := 0, 0
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	for i, text := range phoneSentences() {
		listen(tr, slices.Concat(silence(0.4), say(t, e, text, voices[i%len(voices)]), silence(0.3)))
		got := final(t, tr)
		tr.Reset()
		want := plainWords(text)
		n := wordErrors(want, plainWords(got.Text))
		if n > 0 {
			t.Logf("%d of %d words wrong: %q heard as %q", n, len(want), text, got.Text)
		}
		wrong += n
		all += len(want)
	}
	t.Logf("word error rate %.1f%% (%d of %d)", 100*float64(wrong)/float64(all), wrong, all)
	if wrong*100 > all*6 {
		t.Errorf("%d of %d words are wrong", wrong, all)
	}
}

// TestShortWordsAreHeard guards the answers that decide most turns. The recogniser likes to add a polite word ("Yes,
// sir"), which does no harm; losing or changing the answer does.
func TestShortWordsAreHeard(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	lost, all := 0, 0
	for _, voice := range []string{"kokoro-af_heart", "kokoro-am_michael", "kokoro-bf_emma", "kokoro-bm_george"} {
		for _, text := range []string{"Yes.", "No.", "No, thank you.", "Okay.", "Yes, please.", "Goodbye."} {
			listen(tr, slices.Concat(silence(0.4), say(t, e, text, voice), silence(0.3)))
			got := final(t, tr)
			tr.Reset()
			all++
			if want := strings.Join(plainWords(text), " "); !strings.HasPrefix(strings.Join(plainWords(got.Text), " "), want) {
				t.Logf("%s: %q was heard as %q", voice, text, got.Text)
				lost++
			}
		}
	}
	if lost > 2 {
		t.Errorf("%d of %d answers are lost", lost, all)
	}
}

func TestCallerPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tr := e.NewTranscriber(8000)
	defer tr.Close()

	listen(tr, slices.Concat(silence(1), say(t, e, "My number is", "kokoro-af_heart"), silence(0.3)))
	first := final(t, tr)
	if want := "my number is"; strings.Join(plainWords(first.Text), " ") != want {
		t.Errorf("before the pause: %q", first.Text)
	}
	listen(tr, slices.Concat(silence(1), say(t, e, "five five five, four one two three.", "kokoro-af_heart"), silence(0.5)))
	second := final(t, tr)
	words := strings.Join(plainWords(second.Text), " ")
	if !strings.HasPrefix(words, "my number is") || !strings.Contains(words, "one two three") {
		t.Errorf("after the pause: %q, wanted all of it", second.Text)
	}
	if second.UpTo <= first.UpTo || second.Utterance != first.Utterance {
		t.Errorf("second transcript is of utterance %d up to %v, after utterance %d up to %v", second.Utterance, second.UpTo, first.Utterance, first.UpTo)
	}
	if n := len(strings.Fields(second.Text)); len(second.Words) != n {
		t.Fatalf("%d words are timed, %d are in the text", len(second.Words), n)
	}
	if w := second.Words[0]; w.Start < 900*time.Millisecond || w.Start > 1200*time.Millisecond {
		t.Errorf("the first word starts at %v, wanted about 1 s", w.Start)
	}
	for i := 1; i < len(second.Words); i++ {
		if second.Words[i].Start < second.Words[i-1].End {
			t.Errorf("word %d starts at %v, before the end of the one before", i, second.Words[i].Start)
		}
	}

	tr.Reset()
	listen(tr, slices.Concat(silence(0.3), say(t, e, "Goodbye.", "kokoro-af_heart"), silence(0.3)))
	third := final(t, tr)
	if strings.Join(plainWords(third.Text), " ") != "goodbye" || third.Utterance != 1 {
		t.Errorf("after the reset: utterance %d, %q", third.Utterance, third.Text)
	}
}

func TestLongSpeechWithoutAPauseKeepsItsWords(t *testing.T) {
	t.Parallel()
	e := engine(t)
	var pcm []int16
	var text []string
	for _, s := range []int{0, 3, 5, 12, 10} {
		text = append(text, phoneSentences()[s])
		pcm = slices.Concat(pcm, say(t, e, phoneSentences()[s], "kokoro-am_michael"), silence(0.1))
	}
	if len(pcm) < 12*8000 {
		t.Fatalf("only %d s of speech", len(pcm)/8000)
	}
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	listen(tr, slices.Concat(silence(0.3), pcm, silence(0.3)))
	got := final(t, tr)
	want := plainWords(strings.Join(text, " "))
	if n := wordErrors(want, plainWords(got.Text)); n*10 > len(want) {
		t.Errorf("%d of %d words are wrong: %q", n, len(want), got.Text)
	}
}

func TestInterimsComeWhileTheCallerSpeaks(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	listen(tr, slices.Concat(silence(0.4), say(t, e, phoneSentences()[2], "kokoro-af_heart"), silence(0.2)))
	for r := range tr.Transcripts() {
		if r.Final {
			t.Fatal("a final transcript without a flush")
		}
		if strings.Contains(strings.ToLower(r.Text), "my name is") {
			return
		}
	}
}

func TestSilenceAndNoiseHaveNoWords(t *testing.T) {
	t.Parallel()
	e := engine(t)
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	f := media.NewFrame(8000)
	for range 100 {
		tr.Hear(&f, false)
	}
	if got := final(t, tr); got.Text != "" {
		t.Errorf("silence was heard as %q", got.Text)
	}
	// A click that the detector took for speech.
	random := rand.New(rand.NewPCG(1, 2))
	for i := range f.Samples() {
		f.Samples()[i] = int16(random.IntN(8000) - 4000)
	}
	tr.Hear(&f, true)
	tr.Hear(&f, true)
	if got := final(t, tr); got.Text != "" {
		t.Errorf("a click was heard as %q", got.Text)
	}
}

func TestManyCallersAreHeardAtOnce(t *testing.T) {
	t.Parallel()
	e := engine(t)
	var wg sync.WaitGroup
	for i := range 4 {
		text := phoneSentences()[i]
		pcm := slices.Concat(silence(0.3), say(t, e, text, "kokoro-af_heart"), silence(0.3))
		wg.Go(func() {
			tr := e.NewTranscriber(8000)
			defer tr.Close()
			listen(tr, pcm)
			got := final(t, tr)
			if want := plainWords(text); wordErrors(want, plainWords(got.Text))*4 > len(want) {
				t.Errorf("%q was heard as %q", text, got.Text)
			}
		})
	}
	wg.Wait()
}

func TestAnEngineWithoutModelsSaysSo(t *testing.T) {
	t.Parallel()
	_, err := Open(Config{Dir: t.TempDir()})
	if talkstack.ErrorCode(err) != talkstack.CodeUnavailable || !strings.Contains(talkstack.ErrorMessage(err), "talkstack models install") {
		t.Errorf("error %v does not say how to get the models", err)
	}
	e, err := OpenEspeak(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if pcm := speak(t, e, talkstack.SpeechRequest{Text: "Hello there.", Rate: 8000}); len(pcm) < 3000 {
		t.Errorf("espeak-ng said %d ms", len(pcm)/8)
	}
	tr := e.NewTranscriber(8000)
	defer tr.Close()
	f := media.NewFrame(8000)
	for i := range f.Samples() {
		f.Samples()[i] = int16(1000 * (i%2*2 - 1))
	}
	for range 20 {
		tr.Hear(&f, true)
	}
	tr.Flush()
	for r := range tr.Transcripts() {
		if talkstack.ErrorCode(r.Err) != talkstack.CodeUnavailable {
			t.Errorf("transcript %+v, wanted an error", r)
		}
		if r.Final {
			return
		}
	}
}

func TestClosingEndsARunningRecognition(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	tr := newTranscriber(8000, func(ctx context.Context, _ []float32, _ time.Time) (hearing, error) {
		close(started)
		<-ctx.Done()
		return hearing{}, ctx.Err()
	}, func() bool { return true })
	f := media.NewFrame(8000)
	for range 10 {
		tr.Hear(&f, true)
	}
	tr.Flush()
	<-started
	tr.Close()
	if _, open := <-tr.Transcripts(); open {
		t.Error("a transcript came after the close")
	}
}

func BenchmarkRecognise(b *testing.B) {
	e := engine(b)
	r, err := media.NewResampler(8000, asrRate)
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{"Yes.", "No, thank you.", phoneSentences()[0]} {
		pcm := floats(r.Resample(nil, say(b, e, text, "kokoro-af_heart")))
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				if _, err := e.moonshine.transcribe(context.Background(), pcm); err != nil {
					b.Fatal(err)
				}
			}
			seconds := float64(len(pcm)) / asrRate
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/seconds, "rtf")
		})
	}
}

// The detector is late: the first frames of a word that begins at the endpoint of the last one must not be lost.
func TestResetKeepsTheOnsetOfTheNextWord(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, []float32, time.Time) (hearing, error) { return hearing{}, nil }
	tr := newTranscriber(asrRate, nothing, func() bool { return false })
	defer tr.Close()
	hear := func(frames int, speech bool) {
		f := media.NewFrame(asrRate)
		for range frames {
			tr.Hear(&f, speech)
		}
	}
	hear(20, true)
	hear(15, false) // 300 ms: the endpoint
	tr.Reset()
	hear(1, false)
	hear(1, true)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if got, want := len(tr.open.pcm)/frameLength, 7+1+1; got != want { // after the last word's 160 ms of tail
		t.Errorf("the next word begins with %d frames, wanted %d", got, want)
	}
}
