package media

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func rates() []int { return []int{8000, 16000, 22050, 24000, 44100, 48000} }

func tone(rate int, seconds, level float64, frequencies ...float64) []int16 {
	pcm := make([]int16, int(seconds*float64(rate)))
	NewTone(rate, level, frequencies...).Read(pcm)
	return pcm
}

func resample(t testing.TB, from, to int, pcm []int16) []int16 {
	t.Helper()
	r, err := NewResampler(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r.Flush(r.Resample(nil, pcm))
}

func TestAToneKeepsItsPitchLevelAndPurityAtAnyRate(t *testing.T) {
	t.Parallel()
	for _, from := range rates() {
		for _, to := range rates() {
			for _, frequency := range []float64{300, 1000, 3300} {
				out := resample(t, from, to, tone(from, 0.3, -10, frequency))
				middle := out[to/20 : to/4]
				level, share := MeasureTone(middle, to, frequency)
				if math.Abs(level+10) > 0.1 || share < 0.99999 {
					t.Errorf("%d to %d Hz: %.0f Hz has %.2f dBFS and %.6f of the power", from, to, frequency, level, share)
				}
			}
		}
	}
}

func TestWhatTheLowerRateCannotHoldIsTakenOut(t *testing.T) {
	t.Parallel()
	for _, from := range []int{16000, 22050, 24000, 44100, 48000} {
		for _, frequency := range []float64{4300, 5000, 7500} { // would fold to 3700, 3000 and 500 Hz
			out := resample(t, from, 8000, tone(from, 1, -6, frequency))
			if level := Level(out[800:7200]); level > -75 {
				t.Errorf("%d to 8000 Hz: %.0f Hz leaves %.1f dBFS", from, frequency, level)
			}
		}
	}
}

func TestLengthAndPlaceAreKept(t *testing.T) {
	t.Parallel()
	for _, from := range rates() {
		for _, to := range rates() {
			in := make([]int16, from) // a second, a click in its middle
			in[from/2] = 20000
			out := resample(t, from, to, in)
			if len(out) != to {
				t.Errorf("%d to %d Hz: a second has %d samples", from, to, len(out))
			}
			peak, at := 0, 0
			for i, s := range out {
				if int(s) > peak {
					peak, at = int(s), i
				}
			}
			if d := at - to/2; d < -1 || d > 1 {
				t.Errorf("%d to %d Hz: the click is %d samples off", from, to, d)
			}
		}
	}
}

func TestPiecesGiveWhatTheWholeGives(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]int{{24000, 8000}, {8000, 16000}, {44100, 8000}, {22050, 16000}, {8000, 48000}} {
		in := tone(pair[0], 0.5, -6, 440, 1234)
		whole := resample(t, pair[0], pair[1], in)
		r, err := NewResampler(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for round := range 2 { // the second shows that Flush leaves nothing behind
			var got []int16
			for rest := in; len(rest) > 0; {
				n := min(random.IntN(700), len(rest))
				got = r.Resample(got, rest[:n])
				rest = rest[n:]
			}
			got = r.Flush(got)
			if len(got) != len(whole) {
				t.Fatalf("%v round %d: %d samples, want %d", pair, round, len(got), len(whole))
			}
			for i := range got {
				if got[i] != whole[i] {
					t.Fatalf("%v round %d: sample %d is %d, want %d", pair, round, i, got[i], whole[i])
				}
			}
		}
	}
}

func TestFullScaleDoesNotWrapAround(t *testing.T) {
	t.Parallel()
	in := make([]int16, 8000) // a square wave overshoots
	for i := range in {
		in[i] = math.MaxInt16
		if i/40%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	out := resample(t, 8000, 16000, in)
	for i := 1000; i < 15000; i++ {
		if d := int(out[i]) - int(out[i-1]); d > 45000 || d < -45000 {
			t.Fatalf("sample %d jumps from %d to %d", i, out[i-1], out[i])
		}
	}
}

func TestRatesWithoutASmallRatioAreRefused(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]int{{0, 8000}, {8000, -1}, {44101, 8000}, {8000, 1000000}} {
		if _, err := NewResampler(pair[0], pair[1]); err == nil {
			t.Errorf("%v was taken", pair)
		}
	}
}

func TestResampleAllocatesNothing(t *testing.T) {
	r, err := NewResampler(24000, 8000)
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]int16, 480), make([]int16, 0, 200)
	if n := testing.AllocsPerRun(100, func() { r.Resample(out, in) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkResample20ms(b *testing.B) {
	for _, pair := range [][2]int{{8000, 16000}, {24000, 8000}, {22050, 8000}, {44100, 16000}} {
		b.Run(fmt.Sprintf("%d-%d", pair[0], pair[1]), func(b *testing.B) {
			r, err := NewResampler(pair[0], pair[1])
			if err != nil {
				b.Fatal(err)
			}
			in, out := make([]int16, pair[0]/50), make([]int16, 0, pair[1]/50+2)
			b.ReportAllocs()
			for b.Loop() {
				r.Resample(out, in)
			}
		})
	}
}
