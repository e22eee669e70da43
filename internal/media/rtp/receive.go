package rtp

import (
	"net/netip"

	"talkstack/internal/media"
	"talkstack/internal/media/g711"
)

// receiver is the way of a packet in: whose it is, what it is, and into the jitter buffer or the event decoder. It is
// pure: bytes and times go in, audio and digits come out.
type receiver struct {
	remote  Remote
	active  bool           // a remote is known
	peer    netip.AddrPort // who sent the first valid packet; zero: nobody yet
	ssrc    uint32
	known   bool // ssrc is
	suspect struct {
		ssrc uint32
		next uint16
		any  bool
	}
	sequence sequence
	jitter   jitterBuffer
	events   eventDecoder
	heard    int64 // when the last valid packet came, or the remote did

	transit int64 // of the last audio packet, for the jitter of RFC 3550
	timed   bool
	spread  float64 // that jitter, in samples

	packets, bytes                 int64
	duplicates, malformed, foreign int64
	pcm                            [maxBytes]int16
}

// update takes what was agreed. The peer may come from elsewhere now, so the next valid packet decides again.
func (r *receiver) update(remote Remote, now int64) {
	if r.active && remote.RTP != r.remote.RTP {
		r.peer = netip.AddrPort{}
	}
	r.remote, r.active, r.heard = remote, true, now
	r.relatch()
}

// relatch lets the next valid packet name the peer; until then the old one is sent to.
func (r *receiver) relatch() {
	r.known = false
	r.suspect.any = false
}

// target is where our packets go: where the peer's come from, which is right behind NAT too, else where it said.
func (r *receiver) target() netip.AddrPort {
	if r.peer.IsValid() {
		return r.peer
	}
	return r.remote.RTP
}

// packet takes one datagram.
func (r *receiver) packet(b []byte, from netip.AddrPort, now int64) {
	if !r.active {
		return
	}
	if r.known && from != r.peer && from != r.remote.RTP {
		r.foreign++
		return
	}
	p, ok := parsePacket(b)
	if !ok || !r.wants(&p) {
		r.malformed++
		return
	}
	if from != r.peer || !r.known {
		// The first to send what was agreed is the peer; the address in its description is, whenever it speaks up.
		other := from != r.peer || p.ssrc != r.ssrc
		r.peer, r.known, r.ssrc = from, true, p.ssrc
		if other {
			r.newSource()
		}
	}
	r.deliver(&p, now)
}

// wants reports whether a packet's payload is one of those agreed, and of a possible size. PCMU and PCMA keep their
// static types whichever is preferred, since a peer may change between the codecs it answered with.
func (r *receiver) wants(p *packet) bool {
	switch t := p.payloadType; {
	case t == r.remote.PayloadType:
	case r.isEvent(t):
		return len(p.payload) >= eventSize
	case t == comfortNoiseType:
		return true
	case t != uint8(g711.PCMU) && t != uint8(g711.PCMA):
		return false
	}
	return len(p.payload) > 0 && len(p.payload) <= maxBytes
}

func (r *receiver) isEvent(payloadType uint8) bool {
	return r.remote.TelephoneEventType != 0 && payloadType == r.remote.TelephoneEventType
}

func (r *receiver) codec(payloadType uint8) g711.Codec {
	if payloadType == r.remote.PayloadType {
		return r.remote.Codec
	}
	return g711.Codec(payloadType)
}

// deliver takes a packet that is the peer's.
func (r *receiver) deliver(p *packet, now int64) {
	r.heard = now
	if r.isEvent(p.payloadType) { // some peers send events as a source of their own
		r.packets++
		r.bytes += int64(len(p.payload))
		if p.ssrc == r.ssrc && r.sequence.note(p.sequence) == duplicate {
			r.duplicates++
			return
		}
		r.jitter.pause()
		r.events.packet(p.payload, p.sequence, p.timestamp, p.marker, now)
		return
	}
	if p.ssrc != r.ssrc && !r.change(p) {
		return
	}
	switch r.sequence.note(p.sequence) {
	case duplicate:
		r.duplicates++
		return
	case stray:
		return
	case fresh:
	}
	r.packets++
	r.bytes += int64(len(p.payload))
	if p.payloadType == comfortNoiseType {
		r.jitter.pause()
		return
	}
	r.measure(now - int64(p.timestamp))
	if !r.remote.Receive {
		return
	}
	pcm := r.pcm[:len(p.payload)]
	r.codec(p.payloadType).Decode(pcm, p.payload)
	r.jitter.put(p.timestamp, p.marker, pcm, now)
}

// change follows the peer to a new source once two packets in a row come from it (RFC 3550 appendix A.1).
func (r *receiver) change(p *packet) bool {
	if !r.suspect.any || r.suspect.ssrc != p.ssrc || r.suspect.next != p.sequence {
		r.suspect.any, r.suspect.ssrc, r.suspect.next = true, p.ssrc, p.sequence+1
		return false
	}
	r.suspect.any = false
	r.ssrc = p.ssrc
	r.newSource()
	return true
}

func (r *receiver) newSource() {
	if r.sequence.valid {
		r.sequence.finish()
	}
	r.jitter.renew()
	r.timed = false
}

// measure is the interarrival jitter of RFC 3550 appendix A.8.
func (r *receiver) measure(transit int64) {
	if r.timed {
		d := abs(int64(int32(transit - r.transit))) //nolint:gosec // modulo 2^32, as timestamps wrap
		if d < clockRate {                          // a jump of the peer's clock is not jitter
			r.spread += (float64(d) - r.spread) / 16
		}
	}
	r.transit, r.timed = transit, true
}

// read fills a frame with what is due now.
func (r *receiver) read(f *media.Frame, now int64) {
	r.events.expire(now)
	if !r.remote.Receive {
		return
	}
	r.jitter.read(f.Samples(), now)
}

// skip passes over audio that nobody read in time.
func (r *receiver) skip(n int64) { r.jitter.skip(n) }
