package rtp

import (
	"math"
	"math/rand/v2"
	"testing"

	"talkstack/internal/media"
)

// lose plays in through a concealer, with the frames that gone picks missing.
func lose(in []int16, gone func(frame int) bool) []int16 {
	var c concealer
	out := append([]int16(nil), in...)
	for i := 0; (i+1)*frameSamples <= len(out); i++ {
		f := out[i*frameSamples:][:frameSamples]
		if gone(i) {
			c.conceal(f)
		} else {
			c.good(f)
		}
	}
	return out
}

// distortion is the power of out's difference from in, against in's, in dB.
func distortion(in, out []int16) float64 {
	var signal, noise float64
	for i := range in {
		d := float64(in[i]) - float64(out[i])
		signal += float64(in[i]) * float64(in[i])
		noise += d * d
	}
	return 10 * math.Log10(noise/signal)
}

func TestOneLostFrameOfATonePassesUnheard(t *testing.T) {
	t.Parallel()
	for _, frequency := range []float64{100, 180, 220, 440, 700, 1000} { // below 66 Hz there is no pitch
		in := sine(1, -10, frequency)
		out := lose(in, func(i int) bool { return i == 25 })
		lost := in[25*160 : 26*160]
		if d := distortion(lost, out[25*160:26*160]); d > -10 {
			t.Errorf("%.0f Hz: the frame made up differs by %.1f dB", frequency, d)
		}
		if level, share := media.MeasureTone(out[20*160:30*160], clockRate, frequency); math.Abs(level+10) > 1 || share < 0.97 {
			t.Errorf("%.0f Hz: %.1f dBFS, %.3f of the power", frequency, level, share)
		}
	}
}

// TestConcealmentOfSpeechBeatsSilence compares with what a receiver without concealment would play.
func TestConcealmentOfSpeechBeatsSilence(t *testing.T) {
	t.Parallel()
	in := voice(20)
	random := rand.New(rand.NewPCG(11, 11))
	gone := map[int]bool{}
	for i := 10; i < 1000; i++ {
		gone[i] = random.IntN(10) == 0
	}
	out := lose(in, func(i int) bool { return gone[i] })
	silenced := append([]int16(nil), in...)
	for i, g := range gone {
		if g {
			clear(silenced[i*160:][:160])
		}
	}
	concealed, silent := distortion(in, out), distortion(in, silenced)
	if concealed > silent-4 {
		t.Errorf("concealed speech differs by %.1f dB, silence in its place by %.1f dB", concealed, silent)
	}
}

// TestConcealmentMakesNoClicks looks at the jumps from sample to sample, which are what a click is.
func TestConcealmentMakesNoClicks(t *testing.T) {
	t.Parallel()
	in := voice(20)
	largest := 0.0
	for i := 1; i < len(in); i++ {
		largest = max(largest, math.Abs(float64(in[i])-float64(in[i-1])))
	}
	random := rand.New(rand.NewPCG(13, 13))
	out := lose(in, func(i int) bool { return i > 10 && random.IntN(10) == 0 })
	for i := 1; i < len(out); i++ {
		if d := math.Abs(float64(out[i]) - float64(out[i-1])); d > 1.2*largest {
			t.Fatalf("sample %d jumps by %.0f; speech by at most %.0f", i, d, largest)
		}
	}
}

func TestALongGapFadesToSilenceAndSpeechFadesIn(t *testing.T) {
	t.Parallel()
	in := sine(1, -10, 200)
	out := lose(in, func(i int) bool { return i >= 10 && i < 20 })
	level := func(frame int) float64 { return media.Level(out[frame*160:][:160]) }
	if first := level(10); first < -15 {
		t.Errorf("the first frame made up has %.1f dBFS", first)
	}
	for i := 11; i < 13; i++ {
		if level(i) >= level(i-1) {
			t.Errorf("frame %d is not fainter than the one before", i)
		}
	}
	for i := 13; i < 20; i++ {
		if level(i) != media.SilenceLevel {
			t.Errorf("frame %d has %.1f dBFS", i, level(i))
		}
	}
	if got := level(21); math.Abs(got+13) > 0.5 {
		t.Errorf("after the gap, the tone has %.1f dBFS", got)
	}
}

func TestNothingHeardYetIsConcealedBySilence(t *testing.T) {
	t.Parallel()
	var c concealer
	f := make([]int16, 160)
	f[0] = 99
	c.conceal(f)
	if media.Peak(f) != 0 {
		t.Error("audio out of nothing")
	}
}

func BenchmarkConceal(b *testing.B) {
	in := voice(1)
	var c concealer
	var f [frameSamples]int16
	b.ReportAllocs()
	for b.Loop() { // the expensive case: each other frame begins a gap
		copy(f[:], in[4000:])
		c.good(f[:])
		c.conceal(f[:])
	}
}
