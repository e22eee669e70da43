package rtp

import "time"

// Delays are counted in samples of the 8 kHz clock: 8 are a millisecond.
const (
	clockRate    = 8000
	frameSamples = 160
	minTarget    = frameSamples      // 20 ms: room for one packet to be missed and known to be missing
	maxTarget    = 10 * frameSamples // 200 ms: above this, talking gets hard and losing packets is better

	binSamples   = 40 // 5 ms
	bins         = 50 // up to 250 ms
	wanted       = 0.97
	forget       = 0.995 // weight of the past per packet: about four seconds are remembered
	windowLength = 5 * clockRate
)

// delayEstimator learns how unevenly packets come. Transit is arrival less timestamp: its minimum is the path's fixed
// part, which needs no buffering, and what a packet takes longer than that is what the buffer must wait for.
type delayEstimator struct {
	known    bool
	current  int64 // least transit of this window
	previous int64 // and of the one before: the minimum over 5 to 10 s, so that it follows a drifting clock
	opened   int64 // when this window was opened
	weight   [bins]float64
}

// observe notes one packet's timestamp and arrival, and returns how late it was against the fastest.
func (d *delayEstimator) observe(timestamp, arrival int64) int64 {
	transit := arrival - timestamp
	if !d.known {
		d.known = true
		d.current, d.previous, d.opened = transit, transit, arrival
	}
	if arrival-d.opened >= windowLength {
		d.previous, d.current, d.opened = d.current, transit, arrival
	}
	d.current = min(d.current, transit)
	late := transit - d.base()
	for i := range d.weight {
		d.weight[i] *= forget
	}
	d.weight[min(late/binSamples, bins-1)] += 1 - forget
	return late
}

// base is the least transit of late.
func (d *delayEstimator) base() int64 { return min(d.current, d.previous) }

// rebase forgets the minimum but not the spread: the peer's timestamps have jumped, its network has not changed.
func (d *delayEstimator) rebase() { d.known = false }

// target is the delay that lets nearly all packets come in time.
func (d *delayEstimator) target() int64 {
	var total float64
	for _, w := range d.weight {
		total += w
	}
	var sum float64
	for i, w := range d.weight {
		if sum += w; sum >= wanted*total {
			return min(max(int64(i+1)*binSamples, minTarget), maxTarget)
		}
	}
	return minTarget
}

// samples is a time on the media clock.
func samples(d time.Duration) int64 { return int64(d) * clockRate / int64(time.Second) }

// duration is the length of n samples.
func duration(n int64) time.Duration { return time.Duration(n) * time.Second / clockRate }
