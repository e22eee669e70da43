package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// renderOrigin writes the lines that change with each new version.
func renderOrigin(addr netip.Addr, id, version uint64) []byte {
	return fmt.Appendf(nil, "v=0\r\no=- %d %d IN %s %s\r\n", id, version, family(addr), addr)
}

// renderStreams writes the rest of a description.
func renderStreams(addr netip.Addr, streams []Stream) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "s=-\r\nc=IN %s %s\r\nt=0 0\r\n", family(addr), addr)
	for i := range streams {
		renderStream(&b, &streams[i])
	}
	return b.Bytes()
}

func family(addr netip.Addr) string {
	if addr.Is4() {
		return "IP4"
	}
	return "IP6"
}

func renderStream(b *bytes.Buffer, s *Stream) {
	if s.Port == 0 { // a refused stream still needs its formats (RFC 3264 section 6)
		formats := s.Formats
		if len(formats) == 0 {
			formats = []string{"0"}
		}
		fmt.Fprintf(b, "m=%s 0 %s %s\r\n", s.Kind, s.Proto, strings.Join(formats, " "))
		return
	}
	fmt.Fprintf(b, "m=%s %d %s", s.Kind, s.Port, s.Proto)
	for _, f := range s.Codecs {
		fmt.Fprintf(b, " %d", f.PayloadType)
	}
	if s.TelephoneEvent != 0 {
		fmt.Fprintf(b, " %d", s.TelephoneEvent)
	}
	b.WriteString("\r\n")
	for _, f := range s.Codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %v/8000\r\n", f.PayloadType, f.Codec)
	}
	if s.TelephoneEvent != 0 { // 0-15 are the sixteen keys (RFC 4733 section 3.2)
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", s.TelephoneEvent, s.TelephoneEvent)
	}
	fmt.Fprintf(b, "a=ptime:%d\r\na=%s\r\n", s.Ptime.Milliseconds(), s.Dir)
	if s.RTCPMux {
		b.WriteString("a=rtcp-mux\r\n")
	}
}
