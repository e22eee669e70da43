package local

import (
	"math"
	"time"

	"talkstack/internal/media"
)

// Levels of synthesised speech, full scale 1. The level is that of ITU-T P.56's active speech, a little above the -26 dBov
// that telephony is laid out for, because agents compete with noise at the listener's end.
const (
	targetLevel = 0.079 // -22 dBov
	peakLimit   = 0.89
	maxGain     = 2.0
	minGain     = 0.5
)

// shape cuts the silence off a clause, brings it half of the way to the target level and fades its edges.
// Half of the way keeps a whisper softer than a shout.
func shape(pcm []float32, rate int) []float32 {
	start, end, level, peak := activity(pcm, rate)
	if start >= end {
		return nil
	}
	lead, trail := rate*15/1000, rate*40/1000
	pcm = pcm[max(0, start-lead):min(len(pcm), end+trail)]
	gain := math.Sqrt(targetLevel / max(level, 1e-6))
	gain = min(max(gain, minGain), maxGain, peakLimit/max(peak, 1e-6))
	for i := range pcm {
		pcm[i] *= float32(gain)
	}
	fade(pcm, rate*5/1000, rate*15/1000)
	return pcm
}

// activity finds where speech begins and ends, its root mean square while it is active, and its peak.
func activity(pcm []float32, rate int) (start, end int, level, peak float64) {
	for _, x := range pcm {
		peak = max(peak, math.Abs(float64(x)))
	}
	// Windows of 5 ms: the network's silence is not digital, and the onset of an "s" is soft.
	window := rate / 200
	threshold := max(0.012*peak, 0.0008)
	start, end = len(pcm), 0
	var sum float64
	active := 0
	for i := 0; i+window <= len(pcm); i += window {
		var e float64
		for _, x := range pcm[i : i+window] {
			e += float64(x) * float64(x)
		}
		if math.Sqrt(e/float64(window)) < threshold {
			continue
		}
		start = min(start, i)
		end = i + window
		sum += e
		active += window
	}
	return start, end, math.Sqrt(sum / float64(max(active, 1))), peak
}

// fade takes the clicks off both ends.
func fade(pcm []float32, in, out int) {
	in, out = min(in, len(pcm)), min(out, len(pcm))
	for i := range in {
		pcm[i] *= float32(i) / float32(in)
	}
	for i := range out {
		pcm[len(pcm)-1-i] *= float32(i) / float32(out)
	}
}

// toPCM makes 16-bit samples of a clause at the wanted rate, with a pause behind it.
func toPCM(speech []float32, from, rate int, pause time.Duration) ([]int16, error) {
	pcm := make([]int16, len(speech))
	for i, x := range speech {
		pcm[i] = int16(max(-32768, min(32767, math.Round(float64(x)*32767))))
	}
	r, err := media.NewResampler(from, rate)
	if err != nil {
		return nil, err
	}
	silence := int(pause.Seconds() * float64(rate))
	out := r.Flush(r.Resample(make([]int16, 0, len(pcm)*rate/from+silence+1), pcm))
	return append(out, make([]int16, silence)...), nil
}
