package voice

import (
	"math"
	"time"

	"talkstack/internal/media"
)

const (
	// beepTime is how long a single tone must last to be an answering machine's beep.
	beepTime = 200 * time.Millisecond
	// beepPurity is the part of a frame's energy that must lie on one frequency. A second tone (DTMF, North
	// American ringback, dial and busy tones) leaves at most half, and a voice has its harmonics.
	beepPurity = 0.85
	// beepDrift is how far the frequency may move between frames, relative to it.
	beepDrift = 0.02
	// beepLevel is the least mean square of a frame: about -46 dBov.
	beepLevel = 160 * 160
	lowBeep   = 300.0 // Hz
	highBeep  = 2500.0
	// ringback is the tone of most of the world (ITU-T E.180), which is a single one.
	ringback, ringbackWidth = 425.0, 10.0
)

// beepDetector finds a steady single tone.
type beepDetector struct {
	run  time.Duration // how long the tone has lasted
	freq float64
}

// hear takes a frame. It returns true once for each beep: when the tone has lasted long enough.
func (b *beepDetector) hear(f *media.Frame) bool {
	freq, ok := pureTone(f.Samples(), float64(f.Rate))
	if !ok {
		b.run = 0
		return false
	}
	if b.run > 0 && math.Abs(freq-b.freq) > beepDrift*b.freq {
		b.run = 0
	}
	b.freq = freq
	b.run += media.FrameDuration
	return b.run == beepTime
}

// sounding reports whether a tone is on.
func (b *beepDetector) sounding() bool { return b.run > 0 }

// pureTone finds the frequency of a frame that is one sine and nothing else.
func pureTone(x []int16, rate float64) (freq float64, ok bool) {
	var num, den, energy float64
	for n := 2; n < len(x); n++ {
		a, b, c := float64(x[n]), float64(x[n-1]), float64(x[n-2])
		num += b * (a + c)
		den += 2 * b * b
		energy += a * a
	}
	n := float64(len(x) - 2)
	if den == 0 || energy < beepLevel*n {
		return 0, false
	}
	// A sine obeys x[n] + x[n-2] = 2 cos(w) x[n-1]; the least squares solution is its frequency.
	cos := num / den
	if cos <= -1 || cos >= 1 {
		return 0, false
	}
	w := math.Acos(cos)
	freq = w * rate / (2 * math.Pi)
	if freq < lowBeep || freq > highBeep || math.Abs(freq-ringback) < ringbackWidth {
		return 0, false
	}
	// How much of the energy is at that frequency (Goertzel).
	var s1, s2 float64
	k := 2 * cos
	for _, v := range x[2:] {
		s1, s2 = float64(v)+k*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - k*s1*s2
	return freq, 2*power/(n*energy) >= beepPurity
}
