package rtp

import "math"

const (
	ringSize    = 4096              // 512 ms, a power of two
	maxDelay    = maxTarget         // the buffer waits no longer than this for late packets
	starved     = 10 * frameSamples // without a packet for this long, the next one starts afresh
	slackLow    = -frameSamples / 2 // below the target by this: a frame is put in, in silence
	slackHigh   = frameSamples + 40 // above it by this: a frame is taken out, in silence
	slackUrgent = 3 * frameSamples  // above it by this: pitch periods are taken out, in speech too
	maxBytes    = 960               // 120 ms, more than any packet of G.711 holds
	silentRMS   = 200               // about -44 dBFS
	quietRMS    = 600               // silence never is louder than this, however loud the line's noise
)

// jitterBuffer puts packets in order and on time: audio goes in by timestamp as it comes, and out 20 ms at a time. It
// keeps as little delay as the network allows, and what is missing is made up. Time is the caller's, in samples.
//
// Samples are kept by timestamp, so packets of any length, pauses with moving or standing timestamps, and reordering
// are all the same to it.
type jitterBuffer struct {
	ring   [ringSize]int16
	filled [ringSize]bool
	delay  delayEstimator
	plc    concealer

	playing bool  // else it waits for audio to build up
	any     bool  // a packet has come since the last start
	pos     int64 // timestamp of the next sample to play; before the start, of the first there is
	end     int64 // one past the newest sample
	last    int64 // newest timestamp seen, to extend 32-bit ones from
	lastLen int64 // samples in the newest packet
	heard   int64 // when the newest packet came

	owed      int64   // concealed while the stream stood still, to be made good by a hole that turns out to be real
	stretched int     // frames until a pitch period may be taken out again
	floor     float64 // level of the line's noise
	dry       bool    // nothing is expected: the peer said it is silent
	strayed   bool    // the last packet's timestamp was too far away
	stray     int64   // what it was

	started                    bool // a packet has come, ever
	played, concealed, skipped int64
	late                       int64
	current                    int64 // the delay when the last frame was read
}

// extend makes a 32-bit timestamp one that does not wrap: the nearest to the newest.
func (j *jitterBuffer) extend(timestamp uint32) int64 {
	if !j.started {
		return int64(timestamp)
	}
	return j.last + int64(int32(timestamp-uint32(j.last))) //nolint:gosec // arithmetic modulo 2^32
}

// put takes a packet's audio.
func (j *jitterBuffer) put(timestamp uint32, marker bool, pcm []int16, now int64) {
	ts, n := j.extend(timestamp), int64(len(pcm))
	if j.any && j.far(ts, n) && !j.isStarved(now) {
		// Two in a row mean that the peer has changed its clock; one alone is a stray.
		again := j.strayed && ts-j.stray >= 0 && ts-j.stray <= clockRate
		if j.strayed, j.stray = true, ts; !marker && !again {
			return
		}
		j.restart()
	}
	if j.isStarved(now) {
		j.restart()
	}
	j.dry, j.strayed = false, false
	if !j.any {
		j.any, j.pos, j.end = true, ts, ts+n
		if j.delay.known && abs(now-ts-j.delay.base()) > maxDelay {
			j.delay.rebase() // timestamps that stood still through a pause
		}
	}
	j.started, j.last, j.lastLen, j.heard = true, ts, n, now
	j.delay.observe(ts, now)
	if !j.playing && ts < j.pos { // overtaken by one that came first
		j.pos = ts
	}
	if ts+n <= j.pos {
		j.late++
		return
	}
	if ts < j.pos {
		pcm, ts = pcm[j.pos-ts:], j.pos
	}
	for i, s := range pcm {
		at := (ts + int64(i)) & (ringSize - 1)
		j.ring[at], j.filled[at] = s, true
	}
	j.end = max(j.end, ts+int64(len(pcm)))
}

// far reports whether a packet does not fit into the ring as it stands, or is so old that it is of another clock.
func (j *jitterBuffer) far(ts, n int64) bool {
	return ts+n > j.pos+ringSize || ts < j.pos-clockRate || !j.playing && j.end-ts > ringSize
}

// isStarved reports whether the peer has sent nothing for so long that the old timing means nothing.
func (j *jitterBuffer) isStarved(now int64) bool {
	return j.any && j.end <= j.pos && now-j.heard >= starved
}

// restart throws away what is buffered and waits for the next packet.
func (j *jitterBuffer) restart() {
	j.filled = [ringSize]bool{}
	j.playing, j.any, j.owed = false, false, 0
}

// renew is restart for a new sender: its timestamps have nothing to do with the old one's.
func (j *jitterBuffer) renew() {
	j.restart()
	j.delay.rebase()
}

// pause tells that the peer is silent on purpose: what does not come is not lost.
func (j *jitterBuffer) pause() { j.dry = true }

// read fills dst, 20 ms, with what is due now.
func (j *jitterBuffer) read(dst []int16, now int64) {
	if j.isStarved(now) {
		j.restart()
	}
	if !j.playing && !j.begin(now) {
		j.plc.conceal(dst) // fades what was, and is silent then
		return
	}
	j.played += int64(len(dst))
	j.current = j.waited(now)
	slack := j.slack(now)
	quiet := j.quiet()
	switch {
	case quiet && slack >= slackHigh:
		j.drop(dst, frameSamples)
		return
	case quiet && slack < slackLow && j.run(j.pos, frameSamples) == frameSamples:
		j.plc.conceal(dst) // the delay grows by a frame
		return
	case slack >= slackUrgent && j.stretched <= 0:
		if lag := j.period(); lag > 0 {
			j.drop(dst, lag)
			j.stretched = 3
			return
		}
	}
	j.stretched--
	j.play(dst, now)
}

// begin starts to play once the first audio has waited long enough.
func (j *jitterBuffer) begin(now int64) bool {
	if !j.any || now-j.pos-j.delay.base() < j.delay.target()+j.straddle() {
		return false
	}
	j.playing = true
	return true
}

// straddle is how much later than the frame's first sample the last packet it needs is due.
func (j *jitterBuffer) straddle() int64 {
	if j.lastLen == 0 {
		return 0
	}
	last := j.pos + frameSamples - 1
	into := (last - j.last) % j.lastLen
	if into < 0 {
		into += j.lastLen
	}
	return max(0, last-into-j.pos)
}

// slack is how much longer than needed the audio about to be played has waited.
func (j *jitterBuffer) slack(now int64) int64 {
	return j.waited(now) - j.straddle() - j.delay.target()
}

// waited is the buffer's delay: how long ago the fastest packet would have brought the sample that is due.
func (j *jitterBuffer) waited(now int64) int64 {
	if !j.any {
		return 0
	}
	return now - j.pos - j.delay.base()
}

// play hands out what is there, and makes up what is not.
func (j *jitterBuffer) play(dst []int16, now int64) {
	for len(dst) > 0 {
		if n := j.run(j.pos, int64(len(dst))); n > 0 {
			j.take(dst[:n])
			dst = dst[n:]
			continue
		}
		hole := j.hole()
		switch {
		case hole == 0: // nothing newer: late, or lost, or the peer is silent
			n := int64(len(dst))
			if j.waited(now)+n <= maxDelay && !j.dry {
				j.owed += n // stand still: should it come, nothing is cut
			} else {
				j.advance(n)
			}
			j.makeUp(dst)
			return
		case j.owed > 0: // it was made up already
			n := min(j.owed, hole)
			j.owed -= n
			j.advance(n)
		case j.plc.gap > 0 && j.slack(now) >= frameSamples: // there is too much delay anyhow: what is missing need not be made up
			j.advance(min(hole, j.slack(now)))
		default:
			n := min(hole, int64(len(dst)))
			j.advance(n)
			j.makeUp(dst[:n])
			dst = dst[n:]
		}
	}
}

// run is how many samples from ts on are there, up to limit.
func (j *jitterBuffer) run(ts, limit int64) int64 {
	n := int64(0)
	for n < limit && j.filled[(ts+n)&(ringSize-1)] {
		n++
	}
	return n
}

// hole is how many samples are missing before the next one that is there; 0: there is none.
func (j *jitterBuffer) hole() int64 {
	for n := int64(0); j.pos+n < j.end; n++ {
		if j.filled[(j.pos+n)&(ringSize-1)] {
			return n
		}
	}
	return 0
}

// take plays samples that are there.
func (j *jitterBuffer) take(dst []int16) {
	for i := range dst {
		dst[i] = j.ring[(j.pos+int64(i))&(ringSize-1)]
	}
	j.advance(int64(len(dst)))
	j.plc.good(dst)
}

// makeUp plays samples that are not.
func (j *jitterBuffer) makeUp(dst []int16) {
	if !j.plc.silent() && !j.dry {
		j.concealed += int64(len(dst))
	}
	j.plc.conceal(dst)
}

// advance moves on, and frees what is passed.
func (j *jitterBuffer) advance(n int64) {
	for i := range min(n, ringSize) {
		j.filled[(j.pos+i)&(ringSize-1)] = false
	}
	j.pos += n
}

// skip passes over audio that nobody read in time.
func (j *jitterBuffer) skip(n int64) {
	j.skipped += n
	if !j.playing {
		return
	}
	j.advance(n)
}

// drop plays a frame that is shorter by lag samples: the two ends of the cut are blended.
func (j *jitterBuffer) drop(dst []int16, lag int64) {
	blend := min(lag, frameSamples)
	var cut [frameSamples]int16
	for i := range blend {
		cut[i] = j.ring[(j.pos+i)&(ringSize-1)]
	}
	j.advance(lag)
	for i := range dst {
		dst[i] = j.ring[(j.pos+int64(i))&(ringSize-1)]
	}
	j.advance(int64(len(dst)))
	for i := range blend {
		dst[i] = int16((int64(cut[i])*(blend-i) + int64(dst[i])*i) / blend)
	}
	j.plc.good(dst)
}

// quiet reports whether the next 40 ms are there and hold no speech, and learns the line's noise.
func (j *jitterBuffer) quiet() bool {
	const n = 2 * frameSamples
	if j.run(j.pos, n) < n {
		// Only a frame may be there, when one is to be put in.
		return j.run(j.pos, frameSamples) == frameSamples && j.level(frameSamples) < silentRMS
	}
	level := j.level(n)
	if level < j.floor || j.floor == 0 {
		j.floor = level
	} else {
		j.floor += j.floor / 256
	}
	return level < silentRMS || level < quietRMS && level < 1.5*j.floor
}

func (j *jitterBuffer) level(n int64) float64 {
	var sum int64
	for i := range n {
		s := int64(j.ring[(j.pos+i)&(ringSize-1)])
		sum += s * s
	}
	return math.Sqrt(float64(sum) / float64(n))
}

// period finds a pitch period at the front of the buffer that can be taken out unheard; 0: there is none.
func (j *jitterBuffer) period() int64 {
	const need = frameSamples + pitchMax
	if j.run(j.pos, need) < need {
		return 0
	}
	var x [need]int16
	for i := range x {
		x[i] = j.ring[(j.pos+int64(i))&(ringSize-1)]
	}
	best, bestScore := 0, 0.5 // of a squared correlation: about 0.7
	for lag := pitchMin; lag <= pitchMax; lag++ {
		if s := similarity(x[:pitchMax], x[lag:lag+pitchMax], 2); s > bestScore {
			best, bestScore = lag, s
		}
	}
	return int64(best)
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
