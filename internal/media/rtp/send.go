package rtp

import (
	"time"

	"talkstack/internal/media/g711"
)

const (
	defaultPtime = 20 * time.Millisecond
	maxPtime     = 60 * time.Millisecond
	sendGap      = 100 * time.Millisecond // without a frame for longer, the stream has paused
)

// sender is the way of a packet out: frames and digits go in, packets come out, with one run of sequence numbers and
// timestamps. It is pure; sending is the session's.
type sender struct {
	codec       g711.Codec
	payloadType uint8
	eventType   uint8
	size        int // bytes of audio in a packet

	ssrc      uint32
	sequence  uint16
	timestamp uint32 // of the first byte that waits
	marker    bool   // the next packet begins a talk spurt
	waiting   int    // bytes that wait for a packet to be full
	audio     [frameSamples + maxBytes]byte
	out       [headerSize + maxBytes]byte

	last time.Duration // when the timestamp was last right
	live bool          // last is set

	packets, bytes int64
}

// update takes what was agreed. What waits for a fuller packet is dropped: it is at most 60 ms of a codec that is
// spoken no more.
func (s *sender) update(remote *Remote) {
	ptime := remote.Ptime
	if ptime <= 0 {
		ptime = defaultPtime
	}
	size := int(samples(min(max(ptime, defaultPtime/2), maxPtime)))
	if size != s.size || remote.Codec != s.codec {
		s.timestamp += uint32(s.waiting) //nolint:gosec // below 1,200
		s.waiting = 0
	}
	s.codec, s.payloadType, s.eventType, s.size = remote.Codec, remote.PayloadType, remote.TelephoneEventType, size
	s.marker = true
}

// sync moves the timestamp on if nothing was written for a while: it counts time, not packets (RFC 3550 section 5.1).
func (s *sender) sync(now time.Duration) {
	if gap := now - s.last; s.live && gap > sendGap {
		missed := (gap - defaultPtime/2) / defaultPtime
		s.pass(int(missed) * frameSamples)
		s.last += missed * defaultPtime
	}
	if !s.live {
		s.live, s.last = true, now-defaultPtime
	}
}

// pass lets time go by in silence: what waited is dropped, and the next audio begins a talk spurt.
func (s *sender) pass(n int) {
	s.timestamp += uint32(n + s.waiting) //nolint:gosec // modulo 2^32 anyhow
	s.waiting = 0
	s.marker = true
}

// tick notes that a frame's time has been dealt with.
func (s *sender) tick(now time.Duration) {
	s.last += defaultPtime
	if s.last-now > sendGap { // frames come faster than time passes
		s.last = now
	}
}

// add encodes a frame's samples; next gives the packets that are full now.
func (s *sender) add(pcm []int16) {
	s.codec.Encode(s.audio[s.waiting:], pcm)
	s.waiting += len(pcm)
}

// next is the next full packet. It is valid until the next call.
func (s *sender) next() ([]byte, bool) {
	if s.waiting < s.size {
		return nil, false
	}
	n := copy(s.out[headerSize:], s.audio[:s.size])
	b := s.finish(s.payloadType, s.timestamp, n)
	copy(s.audio[:], s.audio[s.size:s.waiting])
	s.waiting -= s.size
	s.timestamp += uint32(s.size) //nolint:gosec // at most 480
	return b, true
}

// event is a packet of a key that went down at start and has been held for held. First is the first of its segment.
func (s *sender) event(code byte, start uint32, held time.Duration, first, end bool) []byte {
	putEvent(s.out[headerSize:], code, end, held)
	s.marker = first
	b := s.finish(s.eventType, start, eventSize)
	s.marker = true // audio that follows is a talk spurt
	return b
}

// finish puts the header before a payload of n bytes.
func (s *sender) finish(payloadType uint8, timestamp uint32, n int) []byte {
	putHeader(s.out[:], &packet{payloadType: payloadType, marker: s.marker, sequence: s.sequence, timestamp: timestamp, ssrc: s.ssrc})
	s.sequence++
	s.marker = false
	s.packets++
	s.bytes += int64(n)
	return s.out[:headerSize+n]
}
