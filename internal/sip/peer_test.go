package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
)

// patience is how long a test waits for what must happen. It is no measure of speed: only a test that fails takes it.
const patience = 20 * time.Second

// startUA starts a user agent on loopback and stops it when the test ends.
func startUA(t *testing.T, configure func(*Config)) *UserAgent {
	t.Helper()
	c := Config{Addr: "127.0.0.1:0", T1: 20 * time.Millisecond}
	if configure != nil {
		configure(&c)
	}
	ua := New(c)
	return start(t, ua)
}

func start(t *testing.T, ua *UserAgent) *UserAgent {
	t.Helper()
	if err := ua.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ua.Stop(ctx)
	})
	return ua
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wait returns the next value of c, or fails.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
	}
	panic("not reached")
}

// peer is the other end, played by the test: a UDP socket and the messages that came in.
type peer struct {
	t     *testing.T
	conn  *net.UDPConn
	media *net.UDPConn // takes RTP and RTCP, and says nothing
	in    chan sip.Message
	done  chan struct{} // closed when the socket is
	tag   string
	seq   uint32
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	media, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: conn, media: media, in: make(chan sip.Message, 1000), done: make(chan struct{}), tag: newTag(), seq: 100}
	go func() {
		defer close(p.done)
		buf := make([]byte, 65535)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m, err := sip.ParseMessage(append([]byte(nil), buf[:n]...))
			if err != nil {
				t.Errorf("peer cannot read %q: %v", buf[:n], err)
				continue
			}
			m.SetSource(from.String())
			p.in <- m
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); _ = media.Close(); <-p.done })
	return p
}

func (p *peer) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// request waits for a request of a method; it skips copies and everything else.
func (p *peer) request(method sip.RequestMethod) *sip.Request {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-p.in:
			if req, ok := m.(*sip.Request); ok && req.Method == method {
				return req
			}
		case <-deadline:
			p.t.Fatalf("no %s", method)
		}
	}
}

// response waits for a response to a method that is not a 100.
func (p *peer) response(method sip.RequestMethod) *sip.Response {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-p.in:
			if res, ok := m.(*sip.Response); ok && res.CSeq().MethodName == method && res.StatusCode != 100 {
				return res
			}
		case <-deadline:
			p.t.Fatalf("no response to %s", method)
		}
	}
}

// codes waits until requests of n methods have had a response, and gives the last code of each.
func (p *peer) codes(n int) map[sip.RequestMethod]int {
	p.t.Helper()
	codes := map[sip.RequestMethod]int{}
	for len(codes) < n {
		if res, ok := wait(p.t, p.in, "response").(*sip.Response); ok {
			codes[res.CSeq().MethodName] = res.StatusCode
		}
	}
	return codes
}

func (p *peer) send(to string, message string) {
	p.t.Helper()
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteToUDPAddrPort([]byte(message), addr); err != nil {
		p.t.Fatal(err)
	}
}

// reply answers a request of the user agent under test.
func (p *peer) reply(req *sip.Request, code int, reason string, body string, headers ...string) {
	p.t.Helper()
	p.replyAs(p.tag, req, code, reason, body, headers...)
}

func (p *peer) replyAs(tag string, req *sip.Request, code int, reason string, body string, headers ...string) {
	p.t.Helper()
	c := req.Clone()
	if !c.To().Params.Has("tag") {
		c.To().Params.Add("tag", tag)
	}
	res := sip.NewResponseFromRequest(c, code, reason, []byte(body))
	res.AppendHeader(sip.NewHeader("Contact", fmt.Sprintf("<sip:peer@%s>", p.addr())))
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		res.AppendHeader(sip.NewHeader(name, value))
	}
	p.send(req.Source(), res.String())
}

// message makes a request as text. The lines come after the usual ones and may hold a body after an empty line.
func (p *peer) message(ua *UserAgent, method, callID, toTag string, seq uint32, lines ...string) string {
	to := fmt.Sprintf("<sip:+15550001@%s>", ua.Addr())
	if toTag != "" {
		to += ";tag=" + toTag
	}
	all := []string{
		fmt.Sprintf("%s sip:+15550001@%s SIP/2.0", method, ua.Addr()),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s;rport", p.addr(), sip.GenerateBranch()),
		fmt.Sprintf("From: \"Anna\" <sip:+15559999@%s>;tag=%s", p.addr(), p.tag),
		"To: " + to,
		"Call-ID: " + callID,
		fmt.Sprintf("CSeq: %d %s", seq, method),
		fmt.Sprintf("Contact: <sip:anna@%s>", p.addr()),
	}
	body := ""
	for _, l := range lines {
		if kind, b, ok := strings.Cut(l, "\n\n"); ok {
			all, body = append(all, kind), b
			continue
		}
		all = append(all, l)
	}
	all = append(all, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	return strings.Join(all, "\r\n")
}

// offer is a line for message: a body that offers PCMU.
func (p *peer) offer(dir string) string { return "Content-Type: application/sdp\n\n" + p.sdp("0", dir) }

// sdp describes audio at the peer.
func (p *peer) sdp(format, dir string) string {
	addr := p.media.LocalAddr().(*net.UDPAddr).AddrPort()
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP %[3]s 101\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=%[4]s\r\n", addr.Addr(), addr.Port(), format, dir)
}

// call places a call to ua that is answered, and returns its dialog as the peer has it: our tag and the SDP answer.
func (p *peer) call(ua *UserAgent, callID string) (tag string, answer *sip.Response) {
	p.t.Helper()
	p.send(ua.Addr().String(), p.message(ua, "INVITE", callID, "", p.seq, p.offer("sendrecv")))
	res := p.response(sip.INVITE)
	for res.StatusCode < 200 {
		res = p.response(sip.INVITE)
	}
	if res.StatusCode != 200 {
		p.t.Fatalf("INVITE: %d %s", res.StatusCode, res.Reason)
	}
	_, tag = tags(res)
	p.send(ua.Addr().String(), p.message(ua, "ACK", callID, tag, p.seq))
	return tag, res
}

func endReason(code talkstack.EndCode) talkstack.EndReason {
	return talkstack.EndReason{Party: talkstack.PartyAgent, Code: code, Message: "test"}
}

// answering makes a handler that answers, shows its leg and holds it until the test, or the other side, ends it.
func answering(t *testing.T, legs chan<- *Leg) func(context.Context, *Invite) {
	return func(ctx context.Context, inv *Invite) {
		if err := inv.Ring(); err != nil {
			t.Errorf("ring: %v", err)
		}
		leg, err := inv.Answer(ctx)
		if err != nil {
			t.Errorf("answer: %v", err)
			return
		}
		legs <- leg
		<-leg.Done()
	}
}
