package sdp

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"talkstack/internal/media/g711"
	"talkstack/internal/media/rtp"
)

// TelephoneEventType is the payload type we offer for telephone events: what everybody uses.
const TelephoneEventType = 101

const defaultPtime = 20 * time.Millisecond

// Negotiation is our side of one leg's offers and answers. It remembers what RFC 3264 section 8 asks to be kept over
// the life of a dialog: the version, and the number and order of the streams. One goroutine at a time uses it.
type Negotiation struct {
	local   netip.AddrPort
	codecs  []g711.Codec
	id      uint64
	version uint64
	sent    []byte // the last description without its origin, to see whether the next one is new

	streams []Stream // the m-lines of the last offer, either side's; ours is at index audio
	audio   int
	offered []Format // what our last offer gave the payload types
}

// New starts a negotiation: local is where we receive RTP (RTCP is on the port above), codecs are in our order of
// preference, by default PCMU and PCMA.
func New(local netip.AddrPort, codecs ...g711.Codec) *Negotiation {
	if len(codecs) == 0 {
		codecs = []g711.Codec{g711.PCMU, g711.PCMA}
	}
	return &Negotiation{
		local:  netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
		codecs: slices.Clone(codecs),
		id:     rand.Uint64() >> 2, //nolint:gosec // an identifier, not a secret; 62 bits, as some peers read it as signed
	}
}

// Offer writes our offer: all our codecs and telephone events. SendOnly and Inactive put the peer on hold.
func (n *Negotiation) Offer(dir Direction) []byte {
	ours := Stream{Kind: "audio", Port: n.local.Port(), Proto: "RTP/AVP", Dir: dir, Ptime: defaultPtime, TelephoneEvent: TelephoneEventType}
	for _, c := range n.codecs {
		ours.Codecs = append(ours.Codecs, Format{Codec: c, PayloadType: uint8(c)})
	}
	if len(n.streams) == 0 {
		n.streams, n.audio = []Stream{ours}, 0
	}
	n.streams[n.audio] = ours
	n.offered = ours.Codecs
	return n.write(n.streams)
}

// Accept reads the peer's answer to our last offer. The error is a talkstack.Error with CodeInvalid: the call cannot
// go on.
func (n *Negotiation) Accept(answer []byte) (rtp.Remote, error) {
	d, err := Parse(answer)
	if err != nil {
		return rtp.Remote{}, err
	}
	if n.audio >= len(d.Streams) || len(n.streams) == 0 {
		return rtp.Remote{}, invalid("the answer has no audio stream where the offer has it")
	}
	theirs := d.Streams[n.audio]
	if err := theirs.usable(); err != nil {
		return rtp.Remote{}, err
	}
	i := slices.IndexFunc(theirs.Codecs, func(f Format) bool {
		return slices.ContainsFunc(n.offered, func(o Format) bool { return o.Codec == f.Codec })
	})
	if i < 0 {
		return rtp.Remote{}, invalid("the answer has none of the codecs offered")
	}
	return remote(&theirs, theirs.Codecs[i], answerTo(&theirs, n.streams[n.audio].Dir)), nil
}

// Answer reads the peer's offer and writes our answer: the first codec of the peer's that we speak, its payload
// types, the direction turned round, and any stream that is not the first usable audio refused with port 0
// (RFC 3264 section 6). The error is a talkstack.Error with CodeInvalid: answer 488.
func (n *Negotiation) Answer(offer []byte) ([]byte, rtp.Remote, error) {
	d, err := Parse(offer)
	if err != nil {
		return nil, rtp.Remote{}, err
	}
	audio, format, err := n.choose(d)
	if err != nil {
		return nil, rtp.Remote{}, err
	}
	theirs := &d.Streams[audio]
	dir := answerTo(theirs, SendRecv)
	streams := make([]Stream, len(d.Streams))
	for i, s := range d.Streams {
		streams[i] = Stream{Kind: s.Kind, Proto: s.Proto, Formats: s.Formats}
	}
	streams[audio] = Stream{
		Kind: "audio", Port: n.local.Port(), Proto: theirs.Proto, Dir: dir, RTCPMux: theirs.RTCPMux,
		Codecs: []Format{format}, TelephoneEvent: theirs.TelephoneEvent, Ptime: packetTime(theirs),
	}
	n.streams, n.audio = streams, audio
	n.offered = streams[audio].Codecs
	return n.write(streams), remote(theirs, format, dir), nil
}

// choose finds the first audio stream we can take, and its first codec that we speak: the peer's preference counts.
func (n *Negotiation) choose(d *Description) (int, Format, error) {
	err := invalid("it offers no audio")
	for i := range d.Streams {
		s := &d.Streams[i]
		if s.Kind != "audio" {
			continue
		}
		if unusable := s.usable(); unusable != nil {
			err = unusable
			continue
		}
		for _, f := range s.Codecs {
			if slices.Contains(n.codecs, f.Codec) {
				return i, f, nil
			}
		}
		err = invalid("it offers neither PCMU nor PCMA")
	}
	return 0, Format{}, err
}

// usable says why a stream cannot carry our audio.
func (s *Stream) usable() error {
	switch {
	case s.Kind != "audio":
		return invalid("stream %.20q is not audio", s.Kind)
	case s.Port == 0:
		return invalid("the audio stream is refused")
	case !strings.EqualFold(s.Proto, "RTP/AVP") && !strings.EqualFold(s.Proto, "RTP/AVPF"):
		return invalid("transport %.20q is not plain RTP", s.Proto)
	case !s.Addr.IsValid():
		return invalid("the audio stream has no IP address")
	case s.Addr.IsMulticast():
		return invalid("the audio stream's address is multicast")
	}
	return nil
}

// answerTo is our direction given the peer's stream and what we are willing to do. An unspecified address is the hold
// of RFC 2543: the peer cannot be sent to.
func answerTo(theirs *Stream, ours Direction) Direction {
	sends := ours.sends() && theirs.Dir.receives() && !theirs.Addr.IsUnspecified()
	receives := ours.receives() && theirs.Dir.sends()
	return direction(sends, receives)
}

func remote(theirs *Stream, format Format, dir Direction) rtp.Remote {
	return rtp.Remote{
		RTP: netip.AddrPortFrom(theirs.Addr, theirs.Port), RTCP: theirs.RTCP,
		Codec: format.Codec, PayloadType: format.PayloadType, TelephoneEventType: theirs.TelephoneEvent,
		Send: dir.sends(), Receive: dir.receives(),
		Ptime: packetTime(theirs),
	}
}

// packetTime is how much audio the peer wants in a packet: whole tens of milliseconds from 10 to 60.
func packetTime(s *Stream) time.Duration {
	want := s.Ptime
	if want == 0 {
		want = defaultPtime
	}
	if s.MaxPtime > 0 {
		want = min(want, s.MaxPtime)
	}
	const step = 10 * time.Millisecond
	return min(max(want/step*step, step), 6*step)
}

// write renders the streams, with a new version if they are not what was sent last (RFC 3264 section 8).
func (n *Negotiation) write(streams []Stream) []byte {
	body := renderStreams(n.local.Addr(), streams)
	if !bytes.Equal(body, n.sent) {
		n.version++
		n.sent = body
	}
	return append(renderOrigin(n.local.Addr(), n.id, n.version), body...)
}
