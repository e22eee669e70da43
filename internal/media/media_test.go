package media

import (
	"math"
	"slices"
	"testing"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	sine := tone(8000, 1, 0, 1000)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"a full sine's RMS level", Level(sine), -3.01},
		{"a half sine's RMS level", Level(tone(8000, 1, -6.02, 1000)), -9.03},
		{"silence", Level(make([]int16, 100)), SilenceLevel},
		{"nothing", Level(nil), SilenceLevel},
		{"the largest sample", DBFS(float64(Peak([]int16{1, math.MinInt16, 7}))), 0},
	} {
		if math.Abs(c.got-c.want) > 0.02 {
			t.Errorf("%s: %.2f dBFS, want %.2f", c.name, c.got, c.want)
		}
	}
}

func TestMeasureToneTellsTonesApart(t *testing.T) {
	t.Parallel()
	pcm := tone(8000, 0.5, -12, 697, 1209)
	for frequency, want := range map[float64]float64{697: -12, 1209: -12} {
		level, share := MeasureTone(pcm, 8000, frequency)
		if math.Abs(level-want) > 0.1 || math.Abs(share-0.5) > 0.01 {
			t.Errorf("%.0f Hz: %.2f dBFS, share %.3f", frequency, level, share)
		}
	}
	if level, share := MeasureTone(pcm, 8000, 941); level > -70 || share > 0.001 {
		t.Errorf("941 Hz is not there, but reads %.2f dBFS, share %.3f", level, share)
	}
}

func TestToneHasNoSeam(t *testing.T) {
	t.Parallel()
	whole, parts := make([]int16, 1000), make([]int16, 1000)
	NewTone(8000, -3, 440).Read(whole)
	pieces := NewTone(8000, -3, 440)
	for rest := parts; len(rest) > 0; rest = rest[min(37, len(rest)):] {
		pieces.Read(rest[:min(37, len(rest))])
	}
	if !slices.Equal(whole, parts) {
		t.Error("a tone read in pieces is another tone")
	}
}

func TestDTMFFrequencies(t *testing.T) {
	t.Parallel()
	for key, want := range map[byte][2]float64{'1': {697, 1209}, '0': {941, 1336}, '#': {941, 1477}, 'D': {941, 1633}, 'x': {0, 0}} {
		if low, high := DTMFFrequencies(key); low != want[0] || high != want[1] {
			t.Errorf("%c: %v and %v, want %v", key, low, high, want)
		}
	}
}

func TestFrameSlicer(t *testing.T) {
	t.Parallel()
	s := NewFrameSlicer(8000)
	in := make([]int16, 1000)
	for i := range in {
		in[i] = int16(i + 1)
	}
	var got []int16
	for _, n := range []int{1, 159, 0, 500, 340} {
		for f := range s.Slice(in[:n]) {
			got = append(got, f.Samples()...)
		}
		in = in[n:]
	}
	if len(got) != 960 {
		t.Fatalf("%d samples in whole frames, want 960", len(got))
	}
	last, ok := s.Flush()
	if !ok {
		t.Fatal("nothing was left")
	}
	got = append(got, last.Samples()...)
	for i, v := range got {
		want := int16(i + 1)
		if i >= 1000 {
			want = 0 // padding
		}
		if v != want {
			t.Fatalf("sample %d is %d, want %d", i, v, want)
		}
	}
	if _, ok := s.Flush(); ok {
		t.Error("flushed twice")
	}
}

func TestCopyingAFrameCopiesItsAudio(t *testing.T) {
	t.Parallel()
	a := NewFrame(16000)
	b := a
	b.Samples()[0] = 7
	if len(a.Samples()) != 320 || a.Samples()[0] != 0 {
		t.Error("frames share their audio")
	}
}
