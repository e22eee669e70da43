package sdp

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/media/g711"
)

// Limits on what a peer may send. Real descriptions are below 2 KiB.
const (
	maxSize    = 32 << 10
	maxStreams = 16
	maxFormats = 64
)

// Parse reads a session description. It takes lines in any order and skips what it does not know, since peers that
// break the grammar still want to talk: T.38 m-lines, session numbers that are words, attributes before their time
// line. The error is a talkstack.Error with CodeInvalid.
func Parse(b []byte) (*Description, error) {
	if len(b) > maxSize {
		return nil, invalid("it is longer than %d bytes", maxSize)
	}
	p := parser{session: Stream{Dir: SendRecv}}
	first := true
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' {
			return nil, invalid("line %.20q has no type", line)
		}
		if first && line != "v=0" {
			return nil, invalid("it does not start with v=0")
		}
		first = false
		if err := p.line(line[0], strings.TrimSpace(line[2:])); err != nil {
			return nil, err
		}
	}
	if first {
		return nil, invalid("it is empty")
	}
	for i := range p.streams {
		p.streams[i].finish()
	}
	p.desc.Streams = make([]Stream, len(p.streams))
	for i := range p.streams {
		p.desc.Streams[i] = p.streams[i].Stream
	}
	return &p.desc, nil
}

func invalid(format string, args ...any) error {
	return talkstack.Errorf(talkstack.CodeInvalid, "The session description cannot be used: "+format+".", args...)
}

// parser collects lines. Session-level values are the defaults of the streams that follow them.
type parser struct {
	desc    Description
	session Stream
	streams []stream
}

// stream is a Stream with the attributes that need the whole section to be understood.
type stream struct {
	Stream
	rtpmap map[uint8]string // payload type → "NAME/8000"
	rtcp   string
}

func (p *parser) line(kind byte, value string) error {
	switch kind {
	case 'o':
		if f := strings.Fields(value); len(f) >= 3 {
			p.desc.SessionID, p.desc.SessionVersion = f[1], f[2]
		}
	case 'c':
		p.current().Addr = connection(value)
	case 'm':
		return p.media(value)
	case 'a':
		p.attribute(value)
	}
	return nil
}

// current is what a line belongs to: the last m-line, or the session before the first.
func (p *parser) current() *Stream {
	if n := len(p.streams); n > 0 {
		return &p.streams[n-1].Stream
	}
	return &p.session
}

// connection reads "IN IP4 192.0.2.1/127". A host name gives the zero Addr: it is not looked up, since the peer would
// choose what we ask the name server.
func connection(value string) netip.Addr {
	f := strings.Fields(value)
	if len(f) < 3 {
		return netip.Addr{}
	}
	text, _, _ := strings.Cut(f[2], "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}
	}
	return addr.Unmap()
}

func (p *parser) media(value string) error {
	f := strings.Fields(value)
	if len(f) < 3 {
		return invalid("media line %.40q is short", value)
	}
	if len(p.streams) == maxStreams || len(f)-3 > maxFormats {
		return invalid("it has too many streams or formats")
	}
	text, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return invalid("port %.10q is not a port", f[1])
	}
	s := stream{Stream: p.session, rtpmap: map[uint8]string{}}
	s.Kind, s.Port, s.Proto, s.Formats = strings.ToLower(f[0]), uint16(port), f[2], f[3:]
	p.streams = append(p.streams, s)
	return nil
}

func (p *parser) attribute(value string) {
	name, arg, _ := strings.Cut(value, ":")
	name, arg = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(arg)
	cur := p.current()
	switch name {
	case string(SendRecv), string(SendOnly), string(RecvOnly), string(Inactive):
		cur.Dir = Direction(name)
	case "ptime":
		cur.Ptime = milliseconds(arg)
	case "maxptime":
		cur.MaxPtime = milliseconds(arg)
	case "rtcp-mux":
		cur.RTCPMux = true
	}
	if len(p.streams) == 0 {
		return
	}
	s := &p.streams[len(p.streams)-1]
	switch name {
	case "rtcp":
		s.rtcp = arg
	case "rtpmap":
		if number, encoding, ok := strings.Cut(arg, " "); ok {
			if pt, err := strconv.ParseUint(number, 10, 7); err == nil {
				s.rtpmap[uint8(pt)] = strings.TrimSpace(encoding)
			}
		}
	}
}

// milliseconds reads "20" or "20.5"; 0 for anything that is not a packet time.
func milliseconds(s string) time.Duration {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v <= 1000) {
		return 0
	}
	return time.Duration(v * float64(time.Millisecond)).Round(time.Millisecond)
}

// finish works out the formats and the RTCP address once all attributes are known.
func (s *stream) finish() {
	for _, text := range s.Formats {
		n, err := strconv.ParseUint(text, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		encoding, mapped := s.rtpmap[pt]
		if !mapped { // static payload types need no rtpmap (RFC 3551 table 4)
			encoding = map[uint8]string{0: "PCMU/8000", 8: "PCMA/8000"}[pt]
		}
		name, clock, ok := eightKilohertz(encoding)
		if !ok {
			continue
		}
		if c, ok := g711.Parse(name); ok && clock {
			s.Codecs = append(s.Codecs, Format{Codec: c, PayloadType: pt})
		} else if strings.EqualFold(name, "telephone-event") && clock && s.TelephoneEvent == 0 {
			s.TelephoneEvent = pt
		}
	}
	s.RTCP = s.rtcpAddr()
}

// eightKilohertz splits "PCMU/8000/1" into its name and whether it is mono at the clock rate we speak.
func eightKilohertz(encoding string) (name string, clock, ok bool) {
	f := strings.Split(encoding, "/")
	if len(f) < 2 {
		return "", false, false
	}
	mono := len(f) == 2 || f[2] == "1"
	return strings.TrimSpace(f[0]), strings.TrimSpace(f[1]) == "8000" && mono, true
}

// rtcpAddr is where the writer wants RTCP: "a=rtcp:53020" or "a=rtcp:53020 IN IP4 192.0.2.1" (RFC 3605), else the
// port above RTP's.
func (s *stream) rtcpAddr() netip.AddrPort {
	if s.Port == 0 || !s.Addr.IsValid() {
		return netip.AddrPort{}
	}
	if s.RTCPMux {
		return netip.AddrPortFrom(s.Addr, s.Port)
	}
	number, rest, _ := strings.Cut(s.rtcp, " ")
	if port, err := strconv.ParseUint(number, 10, 16); err == nil && port > 0 {
		addr := s.Addr
		if a := connection(rest); a.IsValid() {
			addr = a
		}
		return netip.AddrPortFrom(addr, uint16(port))
	}
	if s.Port == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(s.Addr, s.Port+1)
}
