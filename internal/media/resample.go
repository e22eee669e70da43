package media

import (
	"fmt"
	"math"
)

// The filter of the resampler: a sinc of crossings zero crossings to each side at the lower of the two rates, under a
// Kaiser window. Between 8 kHz and more, it is flat to 3.4 kHz and 80 dB down from 4.2 kHz, so that only the
// uppermost, inaudible part of the band is folded, and telephone speech not at all.
const (
	crossings  = 24
	kaiserBeta = 8.0
	cutoff     = 0.475 // of the lower rate; half the amplitude is left there

	minRate      = 4000
	maxRate      = 192000
	maxTaps      = 1 << 18 // of all phases together, 1 MiB
	resampleStep = 320     // samples taken at a time, so that the buffer has a size
)

// Resampler changes the sample rate of one stream of mono PCM. It keeps its state from one call to the next, so a
// stream may come in pieces of any size; the audio keeps its place: output sample n is of the time of input sample
// n*from/to. One goroutine uses it.
type Resampler struct {
	up, down int       // to/from in lowest terms: one output sample each down/up input samples
	taps     int       // of one phase, even
	filter   []float32 // up phases of taps each

	buf   []float32 // input that is still needed
	have  int       // samples in buf
	phase int       // of the next output sample
	at    int       // first sample in buf under its filter
	in    int       // samples taken since the start or the last Flush
	out   int       // samples given
}

// NewResampler makes a resampler between two rates in Hz. Any two of 8000, 16000, 22050, 24000, 44100 and 48000 do;
// rates whose ratio needs too large a filter are an error.
func NewResampler(from, to int) (*Resampler, error) {
	if min(from, to) < minRate || max(from, to) > maxRate {
		return nil, fmt.Errorf("media: cannot resample from %d to %d Hz: rates are %d to %d", from, to, minRate, maxRate)
	}
	d := gcd(from, to)
	r := &Resampler{up: to / d, down: from / d}
	if from == to {
		return r, nil
	}
	half := (crossings*max(from, to) + to - 1) / to // of the filter, in input samples
	r.taps = 2 * half
	if r.up*r.taps > maxTaps {
		return nil, fmt.Errorf("media: cannot resample from %d to %d Hz: they have no small ratio", from, to)
	}
	r.filter = sincFilter(r.up, half, cutoff*min(1, float64(to)/float64(from)))
	r.buf = make([]float32, r.taps+resampleStep+r.down)
	r.reset()
	return r, nil
}

// reset puts silence before the first sample: half a filter less one.
func (r *Resampler) reset() {
	clear(r.buf)
	r.have, r.phase, r.at, r.in, r.out = r.taps/2-1, 0, 0, 0, 0
}

// Resample appends to dst what src gives, and returns it. The last 3 ms or less wait for what follows or for Flush.
// Nothing is allocated when dst has room for len(src)*to/from+1 samples.
func (r *Resampler) Resample(dst, src []int16) []int16 {
	if r.taps == 0 {
		return append(dst, src...)
	}
	r.in += len(src)
	for len(src) > 0 {
		n := min(len(src), len(r.buf)-r.have)
		for i, s := range src[:n] {
			r.buf[r.have+i] = float32(s)
		}
		r.have += n
		src = src[n:]
		dst = r.run(dst)
	}
	return dst
}

// Flush appends the rest of the stream to dst and makes the resampler ready for a new one.
func (r *Resampler) Flush(dst []int16) []int16 {
	if r.taps == 0 {
		return dst
	}
	in := r.in
	want := (in*r.up + r.down - 1) / r.down
	var silence [resampleStep]int16
	for r.out < want {
		before := r.out
		start := len(dst)
		dst = r.Resample(dst, silence[:])
		if r.out > want {
			dst = dst[:start+want-before]
		}
	}
	r.reset()
	return dst
}

// run makes all the output that the buffer holds, and forgets the input that no longer matters.
func (r *Resampler) run(dst []int16) []int16 {
	for r.at+r.taps <= r.have {
		h := r.filter[r.phase*r.taps:][:r.taps]
		dst = append(dst, roundInt16(dot(h, r.buf[r.at:])))
		r.out++
		r.phase += r.down
		r.at += r.phase / r.up
		r.phase %= r.up
	}
	used := min(r.at, r.have)
	copy(r.buf, r.buf[used:r.have])
	r.have -= used
	r.at -= used
	return dst
}

func dot(h, x []float32) float32 {
	x = x[:len(h)]
	var a, b, c, d float32
	i := 0
	for ; i+4 <= len(h); i += 4 {
		a += h[i] * x[i]
		b += h[i+1] * x[i+1]
		c += h[i+2] * x[i+2]
		d += h[i+3] * x[i+3]
	}
	for ; i < len(h); i++ {
		a += h[i] * x[i]
	}
	return a + b + c + d
}

func roundInt16(v float32) int16 {
	if v >= 0 {
		return int16(min(v+0.5, math.MaxInt16))
	}
	return int16(max(v-0.5, math.MinInt16))
}

// sincFilter makes the phases of a low-pass. Cut is in cycles per input sample. Each phase is scaled to pass a constant
// unchanged, so that silence with an offset makes no tone.
func sincFilter(phases, half int, cut float64) []float32 {
	filter := make([]float32, phases*2*half)
	norm := bessel(kaiserBeta)
	for p := range phases {
		h := filter[p*2*half:][:2*half]
		values := make([]float64, len(h))
		var sum float64
		for k := range values {
			x := float64(k-half+1) - float64(p)/float64(phases) // in input samples from the output's place
			window := bessel(kaiserBeta*math.Sqrt(max(0, 1-x*x/float64(half*half)))) / norm
			values[k] = sinc(2*cut*x) * window
			sum += values[k]
		}
		for k := range h {
			h[k] = float32(values[k] / sum)
		}
	}
	return filter
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
