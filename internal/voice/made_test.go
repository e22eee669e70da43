package voice

import (
	"sync/atomic"
	"testing"

	"talkstack"
)

// Only what is really synthesised is counted: once for all who wait for it, and never for what the cache has.
func TestCacheTellsWhatItHasMade(t *testing.T) {
	t.Parallel()
	c := NewCache(&fakeSynthesizer{fail: map[string]int{}}, 1<<20)
	var characters atomic.Int64
	req := talkstack.SpeechRequest{Text: "Grüezi.", Rate: testRate, Made: func(n int) { characters.Add(int64(n)) }}
	count := func(what string, want int64) {
		t.Helper()
		if n := characters.Swap(0); n != want {
			t.Errorf("%s: %d characters, want %d", what, n, want)
		}
	}
	audio := c.Speak(t.Context(), req)
	count("asked for, not listened to", 0)
	collect(t, audio)
	count("the first time", 7)
	collect(t, c.Speak(t.Context(), req))
	count("the second time, for the cache", 7)
	collect(t, c.Speak(t.Context(), req))
	collect(t, c.SpeakFixed(t.Context(), req))
	count("from the cache", 0)
	req.Text = "Hello there. How are you?"
	if err := c.Warm(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	count("ahead", int64(len("Hello there.")+len("How are you?")))
}
