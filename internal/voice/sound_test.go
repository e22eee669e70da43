package voice

import (
	"math"
	"slices"
	"testing"
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
		if want := 200 * time.Millisecond; e.start != want {
			t.Errorf("%d frames late: the start is %s", c.late, e.start)
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
