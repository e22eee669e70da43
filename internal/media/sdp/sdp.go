// Package sdp agrees on audio with a SIP peer: offers and answers (RFC 3264) in the Session Description Protocol
// (RFC 8866) for PCMU, PCMA and telephone events (RFC 4733) over plain RTP. It reads what other parties write, with
// patience for their habits and none for hostile sizes; it knows nothing of SIP messages or sockets.
package sdp

import (
	"net/netip"
	"time"

	"talkstack/internal/media/g711"
)

// Direction says who may send, from the point of view of the party that wrote it (RFC 8866 section 6.7).
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// sends and receives are a direction's two halves.
func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// Description is one parsed session description.
type Description struct {
	SessionID      string
	SessionVersion string
	Streams        []Stream // its m-lines, in order
}

// Stream is one m-line with what belongs to it.
type Stream struct {
	Kind     string // "audio", "video", "image"
	Port     uint16 // 0: refused, or switched off
	Proto    string // "RTP/AVP"
	Formats  []string
	Addr     netip.Addr     // from its c-line or the session's; zero: none that is an IP address
	RTCP     netip.AddrPort // from a=rtcp (RFC 3605), or the port above RTP
	RTCPMux  bool           // RFC 5761
	Dir      Direction
	Ptime    time.Duration // 0: not said
	MaxPtime time.Duration // 0: not said

	Codecs         []Format // those of ours, in the writer's order of preference
	TelephoneEvent uint8    // its payload type; 0: none
}

// Format is a codec with the payload type it was given.
type Format struct {
	Codec       g711.Codec
	PayloadType uint8
}
