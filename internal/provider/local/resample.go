package local

import "math"

// resampler changes the sample rate of a stream by a rational factor: a windowed sinc, one set of taps for each phase.
// It is for one goroutine; the taps are shared.
type resampler struct {
	*filter
	history []float32 // samples that later output still needs
	phase   int       // of the next output sample, in units of 1/up input samples
}

// filter is the immutable part.
type filter struct {
	up, down int
	taps     [][]float32 // by phase
	width    int         // taps of a phase
}

// lobes is how many zero crossings of the sinc each side of the filter has: a transition band of a tenth of the band.
const lobes = 16

func newFilter(from, to int) *filter {
	d := gcd(from, to)
	f := &filter{up: to / d, down: from / d}
	if f.up == f.down {
		return f
	}
	cutoff := 0.94 * min(1, float64(to)/float64(from)) // of the input's band
	half := lobes / min(1, float64(to)/float64(from))
	f.width = 2 * int(math.Ceil(half))
	f.taps = make([][]float32, f.up)
	for p := range f.taps {
		f.taps[p] = make([]float32, f.width)
		sum := 0.0
		row := make([]float64, f.width)
		for k := range row {
			x := float64(k-f.width/2+1) - float64(p)/float64(f.up)
			if math.Abs(x) >= half {
				continue
			}
			v := cutoff
			if x != 0 {
				v = math.Sin(math.Pi*cutoff*x) / (math.Pi * x)
			}
			row[k] = v * (0.42 + 0.5*math.Cos(math.Pi*x/half) + 0.08*math.Cos(2*math.Pi*x/half)) // Blackman
			sum += row[k]
		}
		for k := range row {
			f.taps[p][k] = float32(row[k] / sum)
		}
	}
	return f
}

// newResampler starts a stream.
func (f *filter) newResampler() *resampler {
	r := &resampler{filter: f}
	r.reset()
	return r
}

func (r *resampler) reset() {
	r.phase = 0
	r.history = make([]float32, max(0, r.width/2-1), r.width+512)
}

// appendTo resamples in and appends the result to out. Output lags by half a filter; flush brings the rest.
func (r *resampler) appendTo(out, in []float32) []float32 {
	if r.taps == nil {
		return append(out, in...)
	}
	r.history = append(r.history, in...)
	pos := 0
	for {
		start := pos + r.phase/r.up
		if start+r.width > len(r.history) {
			break
		}
		pos, r.phase = start, r.phase%r.up
		taps, h := r.taps[r.phase], r.history[pos:pos+r.width]
		var sum float32
		for k, x := range h {
			sum += x * taps[k]
		}
		out = append(out, sum)
		r.phase += r.down
	}
	whole := r.phase / r.up
	if pos+whole <= len(r.history) {
		pos += whole
		r.phase %= r.up
	}
	r.history = r.history[:copy(r.history, r.history[pos:])]
	return out
}

// flush appends what silence after the end brings out of the filter.
func (r *resampler) flush(out []float32) []float32 {
	return r.appendTo(out, make([]float32, r.width/2))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
