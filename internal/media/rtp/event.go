package rtp

import (
	"encoding/binary"
	"strings"
	"time"

	"talkstack/internal/media"
)

// keys are the events that are digits, by event code (RFC 4733 table 3).
const keys = "0123456789*#ABCD"

const (
	eventSize    = 4
	endBit       = 0x80
	eventVolume  = 10                     // dBm0 below zero: what telephones send
	eventTimeout = 200 * clockRate / 1000 // without its end by then, an event is over
	eventSlack   = 30 * clockRate / 1000  // how far a segment's timestamp may be from where it should be
	maxDuration  = int64(0xFFFF)          // what an event packet can say: 8.19 s
	maxHeld      = int64(60 * clockRate)  // a key held longer is a fault
)

// eventDecoder turns telephone-event packets into digits, each once (RFC 4733 section 2.5.2). A key is reported when
// it is released, when the next one comes, or when its packets stop.
//
// Peers take liberties: three end packets, or none; timestamps that stand still from one key to the next, or that
// move with each packet of one key; keys held past what the duration field can hold, which continue as segments.
type eventDecoder struct {
	emit func(media.Digit)

	active   bool   // a key is down
	seen     bool   // the fields below are of the last key, down or up
	code     byte   // which
	sequence uint16 // of its newest packet
	start    uint32 // timestamp of its present segment
	length   int64  // of its present segment
	before   int64  // of the segments before
	heard    int64  // when its newest packet came
}

// packet takes one event packet. The payload's first four bytes are: event, end bit and volume, duration.
func (d *eventDecoder) packet(payload []byte, sequence uint16, timestamp uint32, marker bool, now int64) {
	if len(payload) < eventSize {
		return
	}
	code, end, length := payload[0], payload[1]&endBit != 0, int64(binary.BigEndian.Uint16(payload[2:]))
	if int(code) >= len(keys) {
		return // flash, fax tones and the like are not digits
	}
	if d.seen && now-d.heard < 2*clockRate && int16(sequence-d.sequence) <= 0 { //nolint:gosec // modulo 2^16
		return // overtaken or repeated
	}
	if !d.continues(code, end, length, timestamp, marker, now) {
		d.release()
		d.active, d.seen, d.code, d.start, d.length, d.before = true, true, code, timestamp, 0, 0
	}
	d.sequence, d.heard = sequence, now
	if !d.active {
		d.start = timestamp
		return // a second or third end packet
	}
	if timestamp != d.start && d.length > maxDuration/2 { // the next segment; else the timestamp moves, and the length is of all
		d.before += d.length
		d.length = 0
	}
	d.start = timestamp
	d.length = max(d.length, length)
	if end || d.before+d.length > maxHeld {
		d.release()
	}
}

// continues reports whether a packet is of the last key rather than of a new press.
func (d *eventDecoder) continues(code byte, end bool, length int64, timestamp uint32, marker bool, now int64) bool {
	if !d.seen || code != d.code {
		return false
	}
	ahead := int64(int32(timestamp - d.start)) //nolint:gosec // modulo 2^32
	switch {
	case ahead == 0 && d.active:
		return true
	case ahead == 0: // after its end: one more end packet, or a press whose timestamp did not move
		return end && length >= d.length || !end && !marker && length >= d.length && now-d.heard < eventTimeout
	case marker:
		return false
	case d.active:
		return ahead > 0 && ahead <= d.length+eventSlack
	default:
		return end && ahead > 0 && ahead <= eventSlack
	}
}

// release reports the key that is down, if one is.
func (d *eventDecoder) release() {
	if !d.active {
		return
	}
	d.active = false
	d.emit(media.Digit{Key: keys[d.code], Duration: duration(min(d.before+d.length, maxHeld))})
}

// expire releases a key whose packets have stopped.
func (d *eventDecoder) expire(now int64) {
	if d.active && now-d.heard >= eventTimeout {
		d.release()
	}
}

// eventCode is a key's event code.
func eventCode(key byte) (byte, bool) {
	if key >= 'a' && key <= 'd' {
		key -= 'a' - 'A'
	}
	i := strings.IndexByte(keys, key)
	return byte(max(i, 0)), i >= 0 //nolint:gosec // at most 15
}

// putEvent writes an event payload into the first eventSize bytes of b.
func putEvent(b []byte, code byte, end bool, held time.Duration) {
	b[0], b[1] = code, eventVolume
	if end {
		b[1] |= endBit
	}
	binary.BigEndian.PutUint16(b[2:], uint16(min(samples(held), maxDuration))) //nolint:gosec // at most 65,535
}
