package sdp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/sdp/v3"

	"talkstack"
	"talkstack/internal/media/g711"
	"talkstack/internal/media/rtp"
)

func local() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.10:20000") }

// lines makes a description of lines.
func lines(l ...string) []byte { return []byte(strings.Join(l, "\r\n") + "\r\n") }

func head(addr string) []string {
	family := "IP4"
	if strings.Contains(addr, ":") {
		family = "IP6"
	}
	return []string{"v=0", "o=peer 1 1 IN " + family + " " + addr, "s=-", "c=IN " + family + " " + addr, "t=0 0"}
}

func offer(addr string, rest ...string) []byte { return lines(append(head(addr), rest...)...) }

// strict reads a description with a reader that takes no liberties.
func strict(t *testing.T, b []byte) *pion.SessionDescription {
	t.Helper()
	var d pion.SessionDescription
	if err := d.Unmarshal(b); err != nil {
		t.Fatalf("%v in:\n%s", err, b)
	}
	return &d
}

func TestOfferAndAnswerAgree(t *testing.T) {
	t.Parallel()
	for _, peers := range [][2]string{{"192.0.2.1:4000", "192.0.2.2:5000"}, {"[2001:db8::1]:4000", "[2001:db8::2]:5000"}} {
		ours, theirs := netip.MustParseAddrPort(peers[0]), netip.MustParseAddrPort(peers[1])
		caller, callee := New(ours), New(theirs, g711.PCMA)
		o := caller.Offer(SendRecv)
		strict(t, o)
		a, atCallee, err := callee.Answer(o)
		if err != nil {
			t.Fatal(err)
		}
		strict(t, a)
		atCaller, err := caller.Accept(a)
		if err != nil {
			t.Fatal(err)
		}
		want := rtp.Remote{
			RTP: ours, RTCP: netip.AddrPortFrom(ours.Addr(), ours.Port()+1), Codec: g711.PCMA, PayloadType: 8, TelephoneEventType: 101,
			Send: true, Receive: true, Ptime: 20 * time.Millisecond,
		}
		if atCallee != want {
			t.Errorf("callee: %+v, want %+v", atCallee, want)
		}
		want.RTP, want.RTCP = theirs, netip.AddrPortFrom(theirs.Addr(), theirs.Port()+1)
		if atCaller != want {
			t.Errorf("caller: %+v, want %+v", atCaller, want)
		}
	}
}

func TestThePeersPreferenceCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offer   []string
		payload uint8
		codec   g711.Codec
		event   uint8
		ptime   int
	}{
		"A-law first":               {[]string{"m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000"}, 8, g711.PCMA, 101, 20},
		"µ-law first":               {[]string{"m=audio 4000 RTP/AVP 0 8"}, 0, g711.PCMU, 0, 20},
		"others before":             {[]string{"m=audio 4000 RTP/AVP 9 18 96 8", "a=rtpmap:96 opus/48000/2"}, 8, g711.PCMA, 0, 20},
		"dynamic types":             {[]string{"m=audio 4000 RTP/AVP 100 99", "a=rtpmap:99 telephone-event/8000", "a=rtpmap:100 pcma/8000/1"}, 100, g711.PCMA, 99, 20},
		"events of another clock":   {[]string{"m=audio 4000 RTP/AVP 0 101 110", "a=rtpmap:101 telephone-event/48000", "a=rtpmap:110 telephone-event/8000"}, 0, g711.PCMU, 110, 20},
		"a static type given anew":  {[]string{"m=audio 4000 RTP/AVP 0 8", "a=rtpmap:0 PCMU/16000"}, 8, g711.PCMA, 0, 20},
		"packets of 30 ms":          {[]string{"m=audio 4000 RTP/AVP 0", "a=ptime:30"}, 0, g711.PCMU, 0, 30},
		"packets of at most 10 ms":  {[]string{"m=audio 4000 RTP/AVP 0", "a=maxptime:10"}, 0, g711.PCMU, 0, 10},
		"packets of 1 and 900 ms":   {[]string{"a=ptime:900", "m=audio 4000 RTP/AVP 0"}, 0, g711.PCMU, 0, 60},
		"a packet time that is not": {[]string{"m=audio 4000 RTP/AVP 0", "a=ptime:NaN"}, 0, g711.PCMU, 0, 20},
	} {
		a, r, err := New(local()).Answer(offer("192.0.2.1", c.offer...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.PayloadType != c.payload || r.Codec != c.codec || r.TelephoneEventType != c.event || r.Ptime != time.Duration(c.ptime)*time.Millisecond {
			t.Errorf("%s: %+v", name, r)
		}
		if d := strict(t, a); len(d.MediaDescriptions) != 1 || d.MediaDescriptions[0].MediaName.Port.Value != 20000 {
			t.Errorf("%s: answer\n%s", name, a)
		}
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addr, direction string
		answer          Direction
		send, receive   bool
	}{
		"no hold":                {"192.0.2.1", "sendrecv", SendRecv, true, true},
		"on hold with music":     {"192.0.2.1", "sendonly", RecvOnly, false, true},
		"on hold":                {"192.0.2.1", "inactive", Inactive, false, false},
		"listening":              {"192.0.2.1", "recvonly", SendOnly, true, false},
		"old hold":               {"0.0.0.0", "sendrecv", RecvOnly, false, true},
		"old hold and sendonly":  {"0.0.0.0", "sendonly", RecvOnly, false, true},
		"old hold and inactive":  {"0.0.0.0", "inactive", Inactive, false, false},
		"old hold and listening": {"0.0.0.0", "recvonly", Inactive, false, false},
	} {
		a, r, err := New(local()).Answer(offer(c.addr, "m=audio 4000 RTP/AVP 0", "a="+c.direction))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, ok := strict(t, a).MediaDescriptions[0].Attribute(string(c.answer)); !ok || r.Send != c.send || r.Receive != c.receive {
			t.Errorf("%s: send %v, receive %v, answer\n%s", name, r.Send, r.Receive, a)
		}
	}
	session := append(head("192.0.2.1"), "a=sendonly", "m=audio 4000 RTP/AVP 0") // for all streams
	if _, r, err := New(local()).Answer(lines(session...)); err != nil || r.Send || !r.Receive {
		t.Errorf("hold for the session: %+v, %v", r, err)
	}
}

func TestOurHoldIsAccepted(t *testing.T) {
	t.Parallel()
	us, peer := New(local()), New(netip.MustParseAddrPort("192.0.2.1:4000"))
	for _, c := range []struct {
		offer         Direction
		send, receive bool
	}{{SendRecv, true, true}, {SendOnly, true, false}, {Inactive, false, false}, {SendRecv, true, true}} {
		a, _, err := peer.Answer(us.Offer(c.offer))
		if err != nil {
			t.Fatal(err)
		}
		r, err := us.Accept(a)
		if err != nil || r.Send != c.send || r.Receive != c.receive {
			t.Errorf("%s: %+v, %v", c.offer, r, err)
		}
	}
}

func TestOtherStreamsAreRefusedInPlace(t *testing.T) {
	t.Parallel()
	n := New(local())
	a, r, err := n.Answer(offer("192.0.2.1",
		"m=video 5000 RTP/AVP 96", "a=rtpmap:96 H264/90000",
		"m=audio 4002 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxx",
		"m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.77", "a=rtcp:4444 IN IP4 192.0.2.78",
		"m=image 6000 udptl t38", "m=audio 4004 RTP/AVP 8"))
	if err != nil {
		t.Fatal(err)
	}
	if r.RTP != netip.MustParseAddrPort("192.0.2.77:4000") || r.RTCP != netip.MustParseAddrPort("192.0.2.78:4444") {
		t.Errorf("RTP to %v, RTCP to %v", r.RTP, r.RTCP)
	}
	check := func(what string, b []byte) {
		d, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Streams) != 5 {
			t.Fatalf("%s has %d streams:\n%s", what, len(d.Streams), b)
		}
		for i, want := range []struct {
			kind string
			port uint16
		}{{"video", 0}, {"audio", 0}, {"audio", 20000}, {"image", 0}, {"audio", 0}} {
			if s := d.Streams[i]; s.Kind != want.kind || s.Port != want.port {
				t.Errorf("%s: stream %d is %s on port %d, want %+v", what, i, s.Kind, s.Port, want)
			}
		}
	}
	check("the answer", a)
	check("our next offer", n.Offer(SendRecv)) // RFC 3264 section 8: streams stay where they are
}

func TestTheVersionGrowsWithEachChangeOnly(t *testing.T) {
	t.Parallel()
	n := New(local())
	var id string
	for i, want := range []uint64{1, 1, 2, 3} {
		b := n.Offer([]Direction{SendRecv, SendRecv, SendOnly, SendRecv}[i])
		o := strict(t, b).Origin
		if o.SessionVersion != want {
			t.Errorf("offer %d has version %d, want %d", i, o.SessionVersion, want)
		}
		d, err := Parse(b)
		if err != nil || id != "" && d.SessionID != id {
			t.Errorf("offer %d: session %s, was %s, %v", i, d.SessionID, id, err)
		}
		id = d.SessionID
	}
}

func TestMultiplexedReports(t *testing.T) {
	t.Parallel()
	a, r, err := New(local()).Answer(offer("192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=rtcp-mux"))
	if err != nil || r.RTCP != r.RTP {
		t.Errorf("%+v, %v", r, err)
	}
	if _, ok := strict(t, a).MediaDescriptions[0].Attribute("rtcp-mux"); !ok {
		t.Errorf("answer\n%s", a)
	}
}

func TestPeersHabitsAreTaken(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"line feeds only":        []byte("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n"),
		"no last line end":       []byte("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0"),
		"words in the origin":    lines("v=0", "o=pbx abc def IN IP4 pbx.local", "s=", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 0"),
		"attributes before time": lines("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "a=x", "c=IN IP4 192.0.2.1/127", "t=0 0", "m=audio 4000/1 RTP/AVP 0"),
		"unknown lines":          offer("192.0.2.1", "y=what", "m=audio 4000 RTP/AVP 0", "a=", "a=rtpmap:x", "a=rtpmap:0"),
		"capitals":               offer("192.0.2.1", "m=AUDIO 4000 rtp/avp 0", "a=SENDRECV"),
		"a stream of no address": append(offer("192.0.2.1", "m=audio 4000 RTP/AVP 0"), lines("m=audio 4002 RTP/AVP 0", "c=IN IP4 host.example")...),
	} {
		if _, r, err := New(local()).Answer(b); err != nil || r.RTP != netip.MustParseAddrPort("192.0.2.1:4000") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestWhatCannotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"empty":              nil,
		"not SDP":            []byte("hello"),
		"another version":    lines("v=1", "m=audio 4000 RTP/AVP 0"),
		"no streams":         offer("192.0.2.1"),
		"video only":         offer("192.0.2.1", "m=video 4000 RTP/AVP 96"),
		"no common codec":    offer("192.0.2.1", "m=audio 4000 RTP/AVP 9 18"),
		"encrypted":          offer("192.0.2.1", "m=audio 4000 RTP/SAVP 0"),
		"switched off":       offer("192.0.2.1", "m=audio 0 RTP/AVP 0"),
		"no address":         lines("v=0", "m=audio 4000 RTP/AVP 0"),
		"a host name":        lines("v=0", "c=IN IP4 host.example", "m=audio 4000 RTP/AVP 0"),
		"multicast":          offer("224.0.0.1", "m=audio 4000 RTP/AVP 0"),
		"a zone":             offer("fe80::1%eth0", "m=audio 4000 RTP/AVP 0"),
		"a port too high":    offer("192.0.2.1", "m=audio 65536 RTP/AVP 0"),
		"a negative port":    offer("192.0.2.1", "m=audio -1 RTP/AVP 0"),
		"a short media line": offer("192.0.2.1", "m=audio"),
		"too long":           offer("192.0.2.1", "m=audio 4000 RTP/AVP 0", "a="+strings.Repeat("x", maxSize)),
		"too many streams":   offer("192.0.2.1", strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", maxStreams+1)),
		"too many formats":   offer("192.0.2.1", "m=audio 4000 RTP/AVP"+strings.Repeat(" 0", maxFormats+1)),
	} {
		if _, r, err := New(local()).Answer(b); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestAnswersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"refused":        offer("192.0.2.1", "m=audio 0 RTP/AVP 0"),
		"not offered":    offer("192.0.2.1", "m=audio 4000 RTP/AVP 8"),
		"another stream": offer("192.0.2.1", "m=video 4000 RTP/AVP 0"),
		"no stream":      offer("192.0.2.1"),
	} {
		n := New(local(), g711.PCMU)
		n.Offer(SendRecv)
		if r, err := n.Accept(b); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := New(local()).Accept(offer("192.0.2.1", "m=audio 4000 RTP/AVP 0")); err == nil {
		t.Error("an answer without an offer was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New(local()).Offer(SendRecv))
	f.Add(offer("192.0.2.1", "m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:20", "a=rtcp:4001", "a=sendonly"))
	f.Add(offer("2001:db8::1", "m=image 6000 udptl t38", "m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=rtcp-mux"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := New(local())
		a, r, err := n.Answer(b)
		if err != nil {
			return
		}
		if !r.RTP.IsValid() || r.RTP.Port() == 0 || r.Ptime < 10*time.Millisecond || r.Ptime > 60*time.Millisecond {
			t.Fatalf("%+v", r)
		}
		theirs, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Parse(a)
		if err != nil {
			t.Fatalf("our answer cannot be read: %v\n%s", err, a)
		}
		if len(ours.Streams) != len(theirs.Streams) {
			t.Fatalf("%d streams offered, %d answered", len(theirs.Streams), len(ours.Streams))
		}
		live := 0
		for _, s := range ours.Streams {
			if s.Port != 0 {
				live++
			}
		}
		if live != 1 {
			t.Fatalf("%d streams taken", live)
		}
	})
}
