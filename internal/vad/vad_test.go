package vad

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"talkstack/internal/media"
)

func modelDir() string {
	if dir := os.Getenv("TALKSTACK_MODELS_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "data", "models")
}

func open(t testing.TB) *Model {
	t.Helper()
	m, err := Open(modelDir())
	if err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	t.Cleanup(m.Close)
	return m
}

// The recording: three sentences after a second of silence each, at 8 kHz. The times are when its sound begins and ends.
func sentences() [][2]time.Duration {
	const ms = time.Millisecond
	return [][2]time.Duration{{1000 * ms, 2950 * ms}, {3990 * ms, 4510 * ms}, {5510 * ms, 8810 * ms}}
}

func recording(t testing.TB) []int16 {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "speech.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := media.ReadWAV(f)
	if err != nil {
		t.Fatal(err)
	}
	return a.Samples
}

func frames(pcm []int16, rate int) []media.Frame {
	var out []media.Frame
	for len(pcm) >= rate/50 {
		f := media.NewFrame(rate)
		copy(f.Samples(), pcm)
		out = append(out, f)
		pcm = pcm[rate/50:]
	}
	return out
}

// withNoise adds white noise of a level in dB below full scale.
func withNoise(pcm []int16, level float64) []int16 {
	random := rand.New(rand.NewPCG(7, 11))
	amplitude := 32768 * math.Pow(10, level/20)
	out := make([]int16, len(pcm))
	for i, x := range pcm {
		out[i] = int16(max(-32768, min(32767, float64(x)+amplitude*random.NormFloat64())))
	}
	return out
}

// detector is what Detector and Energy share.
type detector interface{ Hear(f *media.Frame) bool }

// hear gives for each frame whether there was speech.
func hear(d detector, frames []media.Frame) []bool {
	out := make([]bool, len(frames))
	for i := range frames {
		out[i] = d.Hear(&frames[i])
	}
	return out
}

func newDetector(t testing.TB, m *Model, rate int) *Detector {
	t.Helper()
	d, err := m.NewDetector(rate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Err(); err != nil {
			t.Errorf("the network failed: %v", err)
		}
		d.Close()
	})
	return d
}

func TestSpeechIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	m := open(t)
	pcm := recording(t)
	up, err := media.NewResampler(8000, 16000)
	if err != nil {
		t.Fatal(err)
	}
	wide := up.Flush(up.Resample(nil, pcm))
	for name, test := range map[string]struct {
		pcm  []int16
		rate int
	}{
		"8 kHz":             {pcm, 8000},
		"16 kHz":            {wide, 16000},
		"noise of -50 dB":   {withNoise(pcm, -50), 8000},
		"noise of -40 dB":   {withNoise(pcm, -40), 8000},
		"half as loud":      {scale(pcm, 0.5), 8000},
		"a fifth as loud":   {scale(pcm, 0.2), 8000},
		"as loud as it can": {scale(pcm, 3), 8000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkSentences(t, hear(newDetector(t, m, test.rate), frames(test.pcm, test.rate)))
		})
	}
}

// checkSentences checks that each sentence is found early, held and left early, and nothing else is found.
func checkSentences(t *testing.T, speech []bool) {
	t.Helper()
	const (
		onset  = 140 * time.Millisecond // the first sentence begins with a breathed "h"
		offset = 320 * time.Millisecond
	)
	for i, s := range sentences() {
		start, end := -1, -1
		for f := range speech {
			at := time.Duration(f+1) * media.FrameDuration
			if speech[f] && at > s[0]-40*time.Millisecond && at < s[1]+offset+time.Second/2 {
				if start < 0 {
					start = f
				}
				end = f
			}
		}
		if start < 0 {
			t.Errorf("sentence %d was not found", i)
			continue
		}
		if late := time.Duration(start+1)*media.FrameDuration - s[0]; late > onset {
			t.Errorf("sentence %d was found %v after its beginning", i, late)
		}
		if late := time.Duration(end+1)*media.FrameDuration - s[1]; late > offset || late < -offset {
			t.Errorf("sentence %d was left %v after its end", i, late)
		}
		active := 0
		for f := start; f <= end; f++ {
			if speech[f] {
				active++
			}
		}
		if active*100 < (end-start)*85 {
			t.Errorf("only %d of %d frames of sentence %d are speech", active, end-start, i)
		}
	}
	for f := range speech {
		at := time.Duration(f+1) * media.FrameDuration
		inside := false
		for _, s := range sentences() {
			inside = inside || at >= s[0]-40*time.Millisecond && at <= s[1]+offset
		}
		if speech[f] && !inside {
			t.Errorf("speech at %v, where there is none", at)
		}
	}
}

func scale(pcm []int16, gain float64) []int16 {
	out := make([]int16, len(pcm))
	for i, x := range pcm {
		out[i] = int16(max(-32768, min(32767, gain*float64(x))))
	}
	return out
}

func TestNoiseAndTonesAreNoSpeech(t *testing.T) {
	t.Parallel()
	m := open(t)
	const seconds = 10
	silence := make([]int16, seconds*8000)
	ringback, dtmf := make([]int16, len(silence)), make([]int16, len(silence))
	media.NewTone(8000, 0.2, 440, 480).Read(ringback)
	low, high := media.DTMFFrequencies('5')
	media.NewTone(8000, 0.2, low, high).Read(dtmf)
	for name, pcm := range map[string][]int16{
		"white noise of -40 dB": withNoise(silence, -40),
		"white noise of -25 dB": withNoise(silence, -25),
		"ringback":              ringback,
		"a held key":            dtmf,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := 0
			for _, s := range hear(newDetector(t, m, 8000), frames(pcm, 8000)) {
				if s {
					found++
				}
			}
			if found > seconds*50/50 { // a frame a second
				t.Errorf("%d of %d frames are taken for speech", found, seconds*50)
			}
		})
	}
}

func TestSilenceCostsNothing(t *testing.T) {
	t.Parallel()
	m := open(t)
	hear(newDetector(t, m, 8000), frames(make([]int16, 20*8000), 8000))
	if s := m.Stats(); s.Windows != 0 || s.Skipped != 1000 {
		t.Errorf("digital silence: %+v", s)
	}
	// Steady noise costs only until its level is known.
	before := m.Stats()
	hear(newDetector(t, m, 8000), frames(withNoise(make([]int16, 20*8000), -45), 8000))
	if n := m.Stats().Windows - before.Windows; n > 20*31/5 {
		t.Errorf("20 s of steady noise ran the network %d times", n)
	}
}

func TestCallsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	m := open(t)
	all := frames(recording(t), 8000)
	want := hear(newDetector(t, m, 8000), all)
	var wg sync.WaitGroup
	for call := range 8 {
		d := newDetector(t, m, 8000)
		wg.Go(func() {
			for i, got := range hear(d, all) {
				if got != want[i] {
					t.Errorf("call %d differs at frame %d", call, i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestOtherRatesAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := open(t).NewDetector(44100); err == nil {
		t.Error("44100 Hz was taken")
	}
}

func TestEnergyFindsSpeechWithoutTheNetwork(t *testing.T) {
	t.Parallel()
	for name, pcm := range map[string][]int16{"clean": recording(t), "noise of -50 dB": withNoise(recording(t), -50)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speech := hear(NewEnergy(), frames(pcm, 8000))
			for i, s := range sentences() {
				found := 0
				for f := int(s[0] / media.FrameDuration); f < int(s[1]/media.FrameDuration); f++ {
					if speech[f] {
						found++
					}
				}
				if total := int((s[1] - s[0]) / media.FrameDuration); found*2 < total {
					t.Errorf("%d of %d frames of sentence %d are speech", found, total, i)
				}
			}
			wrong := 0
			for _, s := range speech[4*50-30 : 4*50-10] {
				if s {
					wrong++
				}
			}
			if wrong > 0 {
				t.Errorf("%d frames between the sentences are speech", wrong)
			}
		})
	}
}

func BenchmarkHear(b *testing.B) {
	m := open(b)
	all := frames(recording(b), 8000)
	b.Run("speech", func(b *testing.B) {
		d := newDetector(b, m, 8000)
		speech := all[260:440] // the third sentence
		for i := 0; b.Loop(); i++ {
			d.Hear(&speech[i%len(speech)])
		}
	})
	b.Run("silence", func(b *testing.B) {
		d := newDetector(b, m, 8000)
		f := media.NewFrame(8000)
		b.ReportAllocs()
		for b.Loop() {
			d.Hear(&f)
		}
	})
}
