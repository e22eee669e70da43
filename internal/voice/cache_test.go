package voice

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
)

func TestCacheMakesASentenceOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mouth := &fakeSynthesizer{delay: 100 * time.Millisecond, fail: map[string]int{}}
		c := NewCache(mouth, 1<<20)
		req := talkstack.SpeechRequest{Text: "Hello there.", Rate: testRate}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got := collect(t, c.SpeakFixed(t.Context(), req)); !slices.Equal(got, voiceOf(req.Text)) {
					t.Error("wrong audio")
				}
			})
		}
		wg.Wait()
		if n := len(mouth.texts()); n != 1 {
			t.Errorf("made %d times", n)
		}
		start := time.Now()
		if got := collect(t, c.Speak(t.Context(), req)); !slices.Equal(got, voiceOf(req.Text)) {
			t.Error("wrong audio")
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %s", d)
		}
	})
}

func collect(t *testing.T, audio iter.Seq2[[]int16, error]) []int16 {
	t.Helper()
	var all []int16
	for pcm, err := range audio {
		if err != nil {
			t.Error(err)
			return nil
		}
		all = append(all, pcm...)
	}
	return all
}

// patientSynthesizer makes what is asked for ahead only when somebody waits for it.
type patientSynthesizer struct{ asked chan struct{} }

func (p patientSynthesizer) Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		p.asked <- struct{}{}
		select {
		case <-req.Hurry:
			yield(voiceOf(req.Text), nil)
		case <-ctx.Done():
			yield(nil, ctx.Err())
		}
	}
}

func TestCacheHurriesWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	mouth := patientSynthesizer{make(chan struct{}, 4)}
	c := NewCache(mouth, 1<<20)
	req := talkstack.SpeechRequest{Text: "At what time?", Rate: testRate}
	ahead := req
	ahead.Ahead = true
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if err := c.Warm(t.Context(), ahead); err != nil {
			t.Error(err)
		}
	})
	<-mouth.asked
	for range 2 {
		if got := collect(t, c.Speak(t.Context(), req)); !slices.Equal(got, voiceOf(req.Text)) {
			t.Error("wrong audio")
		}
	}
	if n := len(mouth.asked); n != 0 {
		t.Errorf("it was made %d times more", n)
	}
}

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	mouth := &fakeSynthesizer{fail: map[string]int{}}
	c := NewCache(mouth, 2*2*len(voiceOf("aaaa"))) // two of them
	for _, text := range []string{"aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"} {
		if err := c.Warm(t.Context(), talkstack.SpeechRequest{Text: text, Rate: testRate}); err != nil {
			t.Fatal(err)
		}
	}
	if got := mouth.texts(); !slices.Equal(got, []string{"aaaa", "bbbb", "cccc", "bbbb"}) {
		t.Errorf("made %q", got)
	}
	if c.bytes > c.maxBytes {
		t.Errorf("%d bytes of %d", c.bytes, c.maxBytes)
	}
}

func TestCacheLearnsWhatIsSaidAgain(t *testing.T) {
	t.Parallel()
	mouth := &fakeSynthesizer{fail: map[string]int{}}
	c := NewCache(mouth, 1<<20)
	req := talkstack.SpeechRequest{Text: "What day would you like?", Rate: testRate}
	for range 4 {
		if got := collect(t, c.Speak(t.Context(), req)); !slices.Equal(got, voiceOf(req.Text)) {
			t.Fatal("wrong audio")
		}
	}
	// A listener who leaves in the middle leaves nothing behind; one who does so again finds it whole the third time.
	for range 2 {
		for _, err := range c.Speak(t.Context(), talkstack.SpeechRequest{Text: "Another sentence.", Rate: testRate}) {
			if err != nil {
				t.Error(err)
			}
			break
		}
	}
	if got := collect(t, c.Speak(t.Context(), talkstack.SpeechRequest{Text: "Another sentence.", Rate: testRate})); !slices.Equal(got, voiceOf("Another sentence.")) {
		t.Error("half a sentence was kept")
	}
	c.Close()
	if n := len(mouth.texts()); n != 4 {
		t.Errorf("the synthesizer was asked %d times: %q", n, mouth.texts())
	}
}

// brokenSynthesizer panics.
type brokenSynthesizer struct{}

func (brokenSynthesizer) Speak(context.Context, talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(func([]int16, error) bool) { panic("broken") }
}

func TestCacheSurvivesAPanicOfWhatItMakesOnItsOwn(t *testing.T) {
	t.Parallel()
	c := NewCache(brokenSynthesizer{}, 1<<20)
	defer c.Close()
	req := talkstack.SpeechRequest{Text: "Hello.", Rate: testRate}
	func() { // the first one is not kept: the panic is its listener's
		defer func() { _ = recover() }()
		for _, err := range c.Speak(t.Context(), req) {
			t.Errorf("the panic became audio, or %v", err)
		}
	}()
	var err error
	for _, err = range c.Speak(t.Context(), req) { //nolint:revive // only the error counts
	}
	if err == nil {
		t.Error("the panic was hidden")
	}
}

func TestCacheDoesNotKeepFailures(t *testing.T) {
	t.Parallel()
	mouth := &fakeSynthesizer{fail: map[string]int{"Hello.": 1}}
	c := NewCache(mouth, 1<<20)
	req := talkstack.SpeechRequest{Text: "Hello.", Rate: testRate}
	if err := c.Warm(t.Context(), req); err == nil {
		t.Error("the failure was hidden")
	}
	if err := c.Warm(t.Context(), req); err != nil {
		t.Error(err)
	}
}

func TestCacheOutlivesTheCallThatAskedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewCache(&fakeSynthesizer{delay: 100 * time.Millisecond, fail: map[string]int{}}, 1<<20)
		req := talkstack.SpeechRequest{Text: "Hello.", Rate: testRate}
		first, hangup := context.WithCancel(t.Context())
		var gone, served atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { gone.Store(c.Warm(first, req) != nil) })
		synctest.Wait()
		wg.Go(func() { served.Store(c.Warm(t.Context(), req) == nil) })
		synctest.Wait()
		hangup()
		wg.Wait()
		if !gone.Load() || !served.Load() {
			t.Errorf("the first gave up: %t; the second was served: %t", gone.Load(), served.Load())
		}
	})
}
