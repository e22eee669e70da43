// Package rtp carries one leg's audio: RTP and RTCP sockets (RFC 3550, 3551), the jitter buffer, concealment of lost
// packets, telephone events (RFC 4733) and the 20 ms clock that paces a call. It owns the media ports. It knows
// nothing of SIP or SDP: what the parties agreed comes in as a Remote.
package rtp

import (
	"net/netip"
	"time"

	"talkstack/internal/media/g711"
)

// Remote is what was agreed with the peer: where to send, what, and who may talk.
type Remote struct {
	RTP  netip.AddrPort // where the peer wants RTP
	RTCP netip.AddrPort // where it wants RTCP; equal to RTP: multiplexed (RFC 5761); zero: the port above RTP

	Codec              g711.Codec
	PayloadType        uint8 // of audio, both ways
	TelephoneEventType uint8 // of RFC 4733 events, both ways; 0: the peer takes none, digits are sent as tones

	Send    bool // false: the peer does not want to hear us (hold)
	Receive bool // false: what the peer sends is thrown away

	Ptime time.Duration // audio in each packet we send: 10 to 60 ms; 0: 20 ms
}

// Stats is a session's counters since Open. Packets and counts are of the RTP stream alone.
type Stats struct {
	PacketsReceived int64 // accepted from the peer: audio, events and comfort noise
	PacketsSent     int64
	BytesReceived   int64 // of payload
	BytesSent       int64

	Lost      int64 // expected but never seen, by sequence number (RFC 3550 appendix A.3)
	Late      int64 // came after their time had been played
	Duplicate int64 // came twice
	Malformed int64 // not RTP, or not a payload of ours
	Foreign   int64 // from an address that is not the peer's
	Dropped   int64 // digits nobody collected

	Played    time.Duration // audio handed out by ReadFrame since the first packet
	Concealed time.Duration // of it, made up in place of audio that was lost or late
	Skipped   time.Duration // audio passed over after ReadFrame had not been called for long

	Jitter time.Duration // interarrival jitter (RFC 3550 section 6.4.1)
	Delay  time.Duration // the jitter buffer's present delay

	Peer PeerReport
}

// PeerReport is what the peer last told by RTCP of the audio we send.
type PeerReport struct {
	At           time.Time // when it came; zero: never
	Lost         int64     // of our packets, since the start
	FractionLost float64   // since its report before, 0 to 1
	Jitter       time.Duration
	RoundTrip    time.Duration // 0: not known yet
}
