package voice

import (
	"context"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

func sine(freq float64, n int, amplitude float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*freq*float64(i)/testRate))
	}
	return pcm
}

func mix(a, b []int16) []int16 {
	out := slices.Clone(a)
	for i := range out {
		out[i] += b[i]
	}
	return out
}

// sweep is a tone that glides, as a whistle does.
func sweep(from, to float64, n int) []int16 {
	pcm, phase := make([]int16, n), 0.0
	for i := range pcm {
		phase += 2 * math.Pi * (from + (to-from)*float64(i)/float64(n)) / testRate
		pcm[i] = int16(8000 * math.Sin(phase))
	}
	return pcm
}

func TestBeepDetector(t *testing.T) {
	t.Parallel()
	const second = testRate
	noisy := sine(1400, second/2, 4000)
	for i := range noisy {
		noisy[i] += voiceOf("noise in the line")[i%8000] / 16
	}
	for _, c := range []struct {
		name string
		pcm  []int16
		want int
	}{
		{"1000 Hz", sine(1000, second/2, 8000), 1},
		{"440 Hz", sine(440, second/2, 8000), 1},
		{"2000 Hz, quiet", sine(2000, second/2, 400), 1},
		{"1400 Hz with noise", noisy, 1},
		{"two beeps", slices.Concat(sine(1000, second/2, 8000), make([]int16, second/2), sine(1000, second/2, 8000)), 2},
		{"too short", sine(1000, second*15/100, 8000), 0},
		{"DTMF 5", mix(sine(770, second/2, 6000), sine(1336, second/2, 6000)), 0},
		{"ringback, North America", mix(sine(440, second, 6000), sine(480, second, 6000)), 0},
		{"ringback, elsewhere", sine(425, second, 8000), 0},
		{"busy, North America", mix(sine(480, second, 6000), sine(620, second, 6000)), 0},
		{"whistle", sweep(800, 2000, second/2), 0},
		{"low hum", sine(100, second, 8000), 0},
		{"silence", make([]int16, second), 0},
		{"faint tone", sine(1000, second, 60), 0},
		{"noise", voiceOf("this is just a lot of noise"), 0},
	} {
		var b beepDetector
		got := 0
		for pcm := c.pcm; len(pcm) >= 160; pcm = pcm[160:] {
			f := media.NewFrame(testRate)
			copy(f.Samples(), pcm)
			if b.hear(&f) {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d beeps, want %d", c.name, got, c.want)
		}
	}
}

// hearAll gives an ear what pcm holds; a frame is speech when any sample of it is loud, and for hold frames after.
// The first `late` frames of speech are taken for silence.
func hearAll(e *ear, pcm []int16, hold, late int) (changes []segmentChange) {
	held := 0
	for at := time.Duration(0); len(pcm) >= 160; at += media.FrameDuration {
		f := media.NewFrame(testRate)
		copy(f.Samples(), pcm)
		pcm = pcm[160:]
		speech := slices.ContainsFunc(f.Samples(), func(v int16) bool { return v > 1000 })
		if speech && late > 0 {
			late--
			speech = false
		}
		if speech {
			held = hold
		} else if held > 0 {
			held--
			speech = true
		}
		if c := e.hear(&f, at, speech); c != noChange {
			changes = append(changes, c)
		}
	}
	return changes
}

func TestEarLocatesTheEndOfSpeech(t *testing.T) {
	t.Parallel()
	noise := sine(50, testRate*2, 90)
	for _, c := range []struct {
		hold int // frames for which the detector holds on
		late int // frames by which it is late
		tail []int16
		line []int16
	}{
		{0, 0, nil, nil},
		{3, 3, nil, nil},
		{3, 0, nil, noise}, // a hum is not speech
		{4, 3, sine(300, testRate*60/1000, 200), nil}, // a word may end very quietly
	} {
		pcm := make([]int16, testRate*2)
		copy(pcm, c.line)
		speech := append(sine(400, testRate/2+77, 8000), c.tail...)
		copy(pcm[1600:], speech)
		e := ear{rate: testRate}
		changes := hearAll(&e, pcm, c.hold, c.late)
		if !slices.Equal(changes, []segmentChange{segmentStarted, segmentEnded}) {
			t.Fatalf("segments %v", changes)
		}
		want := time.Duration(1600+len(speech)) * time.Second / testRate
		if d := (e.end - want).Abs(); d > time.Millisecond {
			t.Errorf("holding %d frames, %d samples of tail: the end is %s off", c.hold, len(c.tail), d)
		}
		if want := 200*time.Millisecond + time.Duration(c.late)*media.FrameDuration; e.start != want {
			t.Errorf("the start is %s", e.start)
		}
	}
}

// A plosive at the end of a word is let go after a pause that looks like the end: "right", "that's it".
func TestEarWaitsForTheReleaseOfTheLastSound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		closure, release time.Duration
		belongs          bool
	}{
		{60 * time.Millisecond, 50 * time.Millisecond, true},
		{150 * time.Millisecond, 60 * time.Millisecond, true},
		{400 * time.Millisecond, 60 * time.Millisecond, false}, // a noise of its own
	} {
		pcm := make([]int16, 2*testRate)
		spoken := testRate / 2
		copy(pcm[testRate/4:], sine(400, spoken, 8000))
		from := testRate/4 + spoken + int(c.closure*testRate/time.Second)
		release := sine(1900, int(c.release*testRate/time.Second), 1200)
		e := ear{rate: testRate}
		copy(pcm[from:], release)
		hearWhere(&e, pcm, func(at int) bool { return at >= testRate/4 && at < testRate/4+spoken })
		want := testRate/4 + spoken
		if c.belongs {
			want = from + len(release)
		}
		if d := (e.end - time.Duration(want)*time.Second/testRate).Abs(); d > time.Millisecond {
			t.Errorf("closed for %s: the end is %s off", c.closure, d)
		}
	}
}

// hearWhere has e hear pcm with a detector that says speech for the frames that begin where speech does.
func hearWhere(e *ear, pcm []int16, speech func(at int) bool) {
	at := time.Duration(0)
	for i := 0; i+testRate/50 <= len(pcm); i += testRate / 50 {
		f := media.NewFrame(testRate)
		copy(f.Samples(), pcm[i:])
		e.hear(&f, at, speech(i))
		at += media.FrameDuration
	}
}

func TestEarIgnoresAClick(t *testing.T) {
	t.Parallel()
	pcm := make([]int16, testRate)
	copy(pcm[1600:], sine(400, 160, 8000))
	e := ear{rate: testRate}
	if changes := hearAll(&e, pcm, 0, 0); len(changes) > 0 {
		t.Errorf("segments %v", changes)
	}
}

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
		for range c.Speak(t.Context(), req) { //nolint:revive // it never comes so far
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

func TestReplyIsMadeAheadButNotWithoutBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPlayout(testRate)
		s := p.newSpeech()
		p.play(s)
		s.begin("a very long clause")
		written := atomic.Int64{}
		go func() {
			for range 300 { // 30 s
				if s.write(t.Context(), make([]int16, testRate/10)) != nil {
					return
				}
				written.Add(1)
			}
		}()
		synctest.Wait()
		if got := written.Load(); got != 100 {
			t.Errorf("%d tenths of a second were made ahead", got)
		}
		for at := time.Duration(0); at < time.Second; at += media.FrameDuration {
			p.Next(at)
			synctest.Wait()
		}
		if got := written.Load(); got != 110 {
			t.Errorf("after one second, %d were made", got)
		}
		p.cut()
		synctest.Wait()
	})
}

func TestPlayoutJoinsClausesWithAPause(t *testing.T) {
	t.Parallel()
	p := NewPlayout(testRate)
	s := p.newSpeech()
	p.play(s)
	one, two := sine(400, 1000, 8000), sine(600, 1000, 8000)
	for i := range one {
		one[i] |= 1 << 8
		two[i] |= 1 << 8
	}
	for _, c := range []struct {
		text string
		pcm  []int16
	}{{"One.", one}, {"Two.", two}} {
		s.begin(c.text)
		if err := s.write(t.Context(), c.pcm); err != nil {
			t.Fatal(err)
		}
		s.done()
	}
	s.close()
	var sent []int16
	at := time.Duration(0)
	for ; !p.progress().finished; at += media.FrameDuration {
		f := p.Next(at)
		sent = append(sent, f.Samples()...)
	}
	gap := p.samples(pauseAfter("One."))
	want := slices.Concat(one, make([]int16, gap), two)
	if !slices.Equal(sent[:len(want)], want) {
		t.Error("the clauses were not sent one after the other with a pause")
	}
	if end, want := p.progress().end, time.Duration(len(want))*time.Second/testRate; end != want {
		t.Errorf("the end is %s, want %s", end, want)
	}
}

func TestPlayoutDoesNotAllocate(t *testing.T) {
	p := NewPlayout(testRate)
	s := p.newSpeech()
	p.play(s)
	s.begin("words")
	if err := s.write(t.Context(), make([]int16, testRate*9)); err != nil {
		t.Fatal(err)
	}
	at := time.Duration(0)
	if n := testing.AllocsPerRun(400, func() { p.Next(at); at += media.FrameDuration }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkPlayoutNext(b *testing.B) {
	p := NewPlayout(testRate)
	pcm := make([]int16, testRate*9)
	at := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		if at%(9*time.Second) == 0 {
			b.StopTimer()
			s := p.newSpeech()
			p.play(s)
			s.begin("words")
			_ = s.write(b.Context(), pcm)
			s.done()
			b.StartTimer()
		}
		p.Next(at)
		at += media.FrameDuration
	}
}

// idle is a transcriber that hears everything and says nothing.
type idle struct{}

func (idle) Hear(*media.Frame, bool)                  {}
func (idle) Flush()                                   {}
func (idle) Reset()                                   {}
func (idle) Transcripts() <-chan talkstack.Transcript { return nil }
func (idle) Close()                                   {}

func newIdle() *Conversation {
	s := talkstack.DefaultAgentSettings()
	s.FirstSpeaker, s.SilenceLimit, s.MaxDuration = talkstack.FirstSpeakerCaller, math.MaxInt32, math.MaxInt32
	c := New(Config{
		Settings: s, Rate: testRate, Direction: talkstack.Outbound, Brain: &fakeBrain{}, Transcriber: idle{},
		Synthesizer: &fakeSynthesizer{}, Detector: loudness{},
	})
	c.quiet.greeted = true
	return c
}

func TestHearingDoesNotAllocate(t *testing.T) {
	c := newIdle()
	quiet, loud := media.NewFrame(testRate), loudFrame()
	at, n := time.Duration(0), 0
	ctx := t.Context()
	got := testing.AllocsPerRun(1000, func() {
		f := &quiet
		if n%100 < 50 {
			f = &loud
		}
		n++
		c.hear(ctx, Heard{Frame: *f, At: at})
		at += media.FrameDuration
	})
	if got != 0 {
		t.Errorf("%v allocations a frame", got)
	}
}

func BenchmarkHear(b *testing.B) {
	c := newIdle()
	f := loudFrame()
	ctx := b.Context()
	at := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		c.hear(ctx, Heard{Frame: f, At: at})
		at += media.FrameDuration
	}
}
