package rtp

const (
	maxDropout  = 3000 // packets; a greater step forward is not loss (RFC 3550 appendix A.1)
	maxMisorder = 100
)

// sequence keeps count of one source's packets: how many were expected, which came twice. It is RFC 3550 appendix A.1
// and A.3 with a window that finds duplicates.
type sequence struct {
	valid    bool
	first    int64  // extended number of the first packet
	newest   int64  // of the newest
	window   uint64 // bit i: newest-i has come
	received int64
	bad      int64 // number that would confirm a jump; -1: none is suspected

	lostBefore             int64 // by streams that have ended
	priorLost, priorExpect int64 // at the last report
}

// verdict is what a packet's number says of it.
type verdict uint8

const (
	fresh verdict = iota
	duplicate
	stray // too far from the others; the next one decides
)

// note takes the next packet's number.
func (s *sequence) note(number uint16) verdict {
	if !s.valid {
		s.start(number)
		return fresh
	}
	step := int64(int16(number - uint16(s.newest))) //nolint:gosec // arithmetic modulo 2^16
	switch {
	case step > maxDropout || step < -maxMisorder:
		if s.bad == int64(number) {
			s.finish()
			s.start(number)
			return fresh
		}
		s.bad = int64(number + 1)
		return stray
	case step > 0:
		s.window = s.window<<step | 1
		s.newest += step
	case step > -64:
		if s.window>>-step&1 != 0 {
			return duplicate
		}
		s.window |= 1 << -step
	}
	s.bad = -1
	s.received++
	return fresh
}

func (s *sequence) start(number uint16) {
	s.valid, s.first, s.newest, s.window, s.received, s.bad = true, int64(number), int64(number), 1, 1, -1
	s.priorLost, s.priorExpect = 0, 0
}

// finish ends this stream's count; the next packet begins a new one.
func (s *sequence) finish() {
	s.lostBefore += s.lost()
	s.valid = false
}

func (s *sequence) expected() int64 {
	if !s.valid {
		return 0
	}
	return s.newest - s.first + 1
}

// lost is how many of this stream's packets have not come.
func (s *sequence) lost() int64 {
	if !s.valid {
		return 0
	}
	return max(0, s.expected()-s.received)
}

// total is how many have not come from all streams.
func (s *sequence) total() int64 { return s.lostBefore + s.lost() }

// fraction is the share lost since the last call, in 256ths (RFC 3550 section 6.4.1).
func (s *sequence) fraction() uint8 {
	expected, lost := s.expected(), s.lost()
	e, l := expected-s.priorExpect, lost-s.priorLost
	s.priorExpect, s.priorLost = expected, lost
	if e <= 0 || l <= 0 {
		return 0
	}
	return uint8(min(l*256/e, 255)) //nolint:gosec // at most 255
}
