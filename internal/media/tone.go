package media

import (
	"math"
	"strings"
)

// Tone makes a sum of sines without a seam from one Read to the next.
type Tone struct {
	amplitude float64
	steps     []float64 // radians per sample
	phases    []float64
}

// NewTone makes a tone of the given frequencies in Hz; level is the peak of each of them in dBFS.
func NewTone(rate int, level float64, frequencies ...float64) *Tone {
	t := &Tone{amplitude: fullScale * math.Pow(10, level/20), phases: make([]float64, len(frequencies))}
	for _, f := range frequencies {
		t.steps = append(t.steps, 2*math.Pi*f/float64(rate))
	}
	return t
}

// Read fills dst with the tone's next samples.
func (t *Tone) Read(dst []int16) {
	for i := range dst {
		var sum float64
		for k, step := range t.steps {
			sum += math.Sin(t.phases[k])
			if t.phases[k] += step; t.phases[k] > 2*math.Pi {
				t.phases[k] -= 2 * math.Pi
			}
		}
		dst[i] = toInt16(sum * t.amplitude)
	}
}

// MeasureTone looks for a frequency in pcm. Level is the peak of that sine in dBFS, as NewTone takes it; share is its
// part of all power, 0 to 1: near 1 the tone is all there is. It is Goertzel's algorithm under a Hann window; two tones
// nearer than 2*rate/len(pcm) Hz are one to it.
func MeasureTone(pcm []int16, rate int, frequency float64) (level, share float64) {
	if len(pcm) < 2 {
		return SilenceLevel, 0
	}
	coefficient := 2 * math.Cos(2*math.Pi*frequency/float64(rate))
	var s1, s2, gain, gain2, total float64
	for i, sample := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
		x := w * float64(sample)
		s1, s2 = x+coefficient*s1-s2, s1
		gain += w
		gain2 += w * w
		total += x * x
	}
	if total == 0 {
		return SilenceLevel, 0
	}
	power := s1*s1 + s2*s2 - coefficient*s1*s2
	amplitude := 2 * math.Sqrt(max(power, 0)) / gain
	return DBFS(amplitude), min(amplitude*amplitude/2*gain2/total, 1)
}

// DTMFFrequencies are the two tones of a key in Hz (ITU-T Q.23); 0 for what is no key.
func DTMFFrequencies(key byte) (low, high float64) {
	i := strings.IndexByte("123A456B789C*0#D", key)
	if i < 0 {
		return 0, 0
	}
	return [4]float64{697, 770, 852, 941}[i/4], [4]float64{1209, 1336, 1477, 1633}[i%4]
}

func toInt16(v float64) int16 {
	return int16(min(max(math.Round(v), math.MinInt16), math.MaxInt16))
}
