package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
	"talkstack/internal/media"
)

// live is a running call between the peer, who called, and the user agent.
func live(t *testing.T) (p *peer, ua *UserAgent, leg *Leg, tag string) {
	t.Helper()
	p = newPeer(t)
	legs := make(chan *Leg, 1)
	ua = New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(answering(t, legs))
	start(t, ua)
	tag, _ = p.call(ua, "call")
	leg = wait(t, legs, "leg")
	t.Cleanup(func() { // an answer for the BYE, or Stop would wait for it
		go func() {
			for {
				select {
				case m := <-p.in:
					if req, ok := m.(*sip.Request); ok && req.Method == sip.BYE {
						p.reply(req, 200, "OK", "")
						return
					}
				case <-p.done:
					return
				}
			}
		}()
	})
	return p, ua, leg, tag
}

// ask sends a request inside the call and returns the answer.
func (p *peer) ask(ua *UserAgent, method, tag string, seq uint32, lines ...string) *sip.Response {
	p.t.Helper()
	p.send(ua.Addr().String(), p.message(ua, method, "call", tag, seq, lines...))
	for {
		if res := p.response(sip.RequestMethod(method)); res.CSeq().SeqNo == seq {
			return res
		}
	}
}

func direction(res *sip.Response) string {
	for _, d := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		if strings.Contains(string(res.Body()), "a="+d) {
			return d
		}
	}
	return ""
}

func TestPeerHoldsAndResumes(t *testing.T) {
	t.Parallel()
	p, ua, leg, tag := live(t)
	seq := p.seq
	for _, step := range []struct{ offer, answer string }{{"sendonly", "recvonly"}, {"inactive", "inactive"}, {"sendrecv", "sendrecv"}} {
		seq++
		res := p.ask(ua, "INVITE", tag, seq, p.offer(step.offer))
		if res.StatusCode != 200 || direction(res) != step.answer {
			t.Errorf("%s: %d, %s", step.offer, res.StatusCode, direction(res))
		}
		p.send(ua.Addr().String(), p.message(ua, "ACK", "call", tag, seq))
	}
	// Another codec, at another address of the peer.
	seq++
	res := p.ask(ua, "INVITE", tag, seq, "Content-Type: application/sdp\n\n"+p.sdp("8", "sendrecv"))
	if res.StatusCode != 200 || !strings.Contains(string(res.Body()), "PCMA/8000") || strings.Contains(string(res.Body()), "PCMU") {
		t.Errorf("PCMA: %d %s", res.StatusCode, res.Body())
	}
	p.send(ua.Addr().String(), p.message(ua, "ACK", "call", tag, seq))
	// None of our codecs: refused, and the call goes on as it was.
	seq++
	if res := p.ask(ua, "INVITE", tag, seq, "Content-Type: application/sdp\n\n"+p.sdp("18", "sendrecv")); res.StatusCode != 488 {
		t.Errorf("G.729: %d", res.StatusCode)
	}
	// Without an offer it is ours to make one (a refresh of the session, or a third party's control).
	seq++
	res = p.ask(ua, "INVITE", tag, seq)
	if res.StatusCode != 200 || !strings.Contains(string(res.Body()), "PCMU") {
		t.Errorf("no offer: %d %s", res.StatusCode, res.Body())
	}
	p.send(ua.Addr().String(), p.message(ua, "ACK", "call", tag, seq, p.offer("sendrecv")))
	// UPDATE does the same without an ACK, and refreshes.
	seq++
	if res := p.ask(ua, "UPDATE", tag, seq, p.offer("sendonly")); res.StatusCode != 200 || direction(res) != "recvonly" {
		t.Errorf("UPDATE: %d %s", res.StatusCode, direction(res))
	}
	seq++
	if res := p.ask(ua, "UPDATE", tag, seq); res.StatusCode != 200 {
		t.Errorf("UPDATE without a body: %d", res.StatusCode)
	}
	select {
	case <-leg.Done():
		t.Error("the call is over")
	default:
	}
	if res := p.ask(ua, "BYE", tag, seq+1); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	wait(t, leg.Done(), "end")
}

func TestSpoofedRequests(t *testing.T) {
	t.Parallel()
	p, ua, leg, tag := live(t)
	for name, m := range map[string]string{
		"wrong tag of ours": p.message(ua, "BYE", "call", tag+"x", 900),
		"wrong call-id":     p.message(ua, "BYE", "call2", tag, 901),
		"wrong tag of his":  strings.Replace(p.message(ua, "BYE", "call", tag, 902), "tag="+p.tag, "tag=guess", 1),
		"re-invite":         strings.Replace(p.message(ua, "INVITE", "call", tag, 903, p.offer("sendrecv")), "tag="+p.tag, "tag=guess", 1),
	} {
		p.send(ua.Addr().String(), m)
		method := sip.RequestMethod(strings.Fields(m)[0])
		if res := p.response(method); res.StatusCode != 481 && res.StatusCode != 200 || res.StatusCode == 200 && method == sip.BYE {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	// Right tags, but older than what has been: a replay.
	p.send(ua.Addr().String(), p.message(ua, "BYE", "call", tag, p.seq-50))
	if res := p.response(sip.BYE); res.StatusCode != 500 {
		t.Errorf("old CSeq: %d", res.StatusCode)
	}
	select {
	case <-leg.Done():
		t.Fatal("a spoofed request ended the call")
	default:
	}
	if s := ua.Stats(); s.Unmatched != 4 || s.Live != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestDigitsByInfo(t *testing.T) {
	t.Parallel()
	p, ua, leg, tag := live(t)
	bodies := []struct {
		kind, body string
		code       int
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=250\r\n", 200},
		{"application/dtmf", "#", 200},
		{"application/dtmf-relay", "Signal= 10 \r\nDuration= 100", 200},
		{"application/dtmf-relay", "Signal=!\r\n", 400},
		{"application/media_control+xml", "<x/>", 415},
	}
	for i, b := range bodies {
		res := p.ask(ua, "INFO", tag, p.seq+1+uint32(i), "Content-Type: "+b.kind+"\n\n"+b.body)
		if res.StatusCode != b.code {
			t.Errorf("%s %q: %d, want %d", b.kind, b.body, res.StatusCode, b.code)
		}
	}
	for _, want := range []media.Digit{
		{Key: '5', Duration: 250 * time.Millisecond}, {Key: '#', Duration: defaultKeyPress}, {Key: '*', Duration: 100 * time.Millisecond},
	} {
		if got := wait(t, leg.Digits(), "digit"); got != want {
			t.Errorf("got %c %v, want %c %v", got.Key, got.Duration, want.Key, want.Duration)
		}
	}
}

func TestTargetRefresh(t *testing.T) {
	t.Parallel()
	p, ua, leg, tag := live(t)
	moved := newPeer(t)
	m := p.message(ua, "INVITE", "call", tag, p.seq+1, p.offer("sendrecv"))
	m = strings.Replace(m, fmt.Sprintf("Contact: <sip:anna@%s>", p.addr()), fmt.Sprintf("Contact: <sip:anna@%s>", moved.addr()), 1)
	p.send(ua.Addr().String(), m)
	if res := p.response(sip.INVITE); res.StatusCode != 200 {
		t.Fatalf("re-INVITE: %d", res.StatusCode)
	}
	p.send(ua.Addr().String(), p.message(ua, "ACK", "call", tag, p.seq+1))
	go leg.Hangup(within(t), endReason(talkstack.EndAgentHangup)) //nolint:errcheck // the BYE is what counts
	bye := moved.request(sip.BYE)
	if want := fmt.Sprintf("sip:anna@%s", moved.addr()); bye.Recipient.String() != want {
		t.Errorf("BYE goes to %s, want %s", bye.Recipient.String(), want)
	}
	moved.reply(bye, 200, "OK", "")
}

func TestWeHoldAndMeet(t *testing.T) {
	t.Parallel()
	p, ua, leg, tag := live(t)
	held := make(chan error, 1)
	go func() { held <- leg.Hold(within(t), true) }()
	offer := p.request(sip.INVITE)
	if !strings.Contains(string(offer.Body()), "a=inactive") {
		t.Errorf("hold offers %s", offer.Body())
	}
	// The peer wants a change at the same moment.
	if res := p.ask(ua, "INVITE", tag, p.seq+1, p.offer("sendonly")); res.StatusCode != 491 {
		t.Errorf("glare: %d, want 491", res.StatusCode)
	}
	p.send(ua.Addr().String(), p.message(ua, "ACK", "call", tag, p.seq+1))
	p.reply(offer, 491, "Request Pending", "")
	again := p.request(sip.INVITE)
	for again.CSeq().SeqNo == offer.CSeq().SeqNo {
		again = p.request(sip.INVITE)
	}
	p.reply(again, 200, "OK", p.sdp("0", "inactive"))
	if ack := p.request(sip.ACK); ack.CSeq().SeqNo != again.CSeq().SeqNo && ack.CSeq().SeqNo != offer.CSeq().SeqNo {
		t.Errorf("ACK %d", ack.CSeq().SeqNo)
	}
	if err := wait(t, held, "end of Hold"); err != nil {
		t.Fatalf("hold: %v", err)
	}
	go func() { held <- leg.Hold(within(t), false) }()
	offer = p.request(sip.INVITE)
	for !strings.Contains(string(offer.Body()), "a=sendrecv") {
		offer = p.request(sip.INVITE)
	}
	p.reply(offer, 488, "Not Acceptable Here", "")
	if err := wait(t, held, "end of Hold"); talkstack.ErrorCode(err) != talkstack.CodeConflict {
		t.Errorf("a refused change: %v", err)
	}
	select {
	case <-leg.Done():
		t.Error("a refused change ended the call")
	default:
	}
}

func TestPeerLosesCall(t *testing.T) {
	t.Parallel()
	p, _, leg, _ := live(t)
	held := make(chan error, 1)
	go func() { held <- leg.Hold(within(t), true) }()
	p.reply(p.request(sip.INVITE), 481, "Call Does Not Exist", "")
	p.reply(p.request(sip.BYE), 481, "Call Does Not Exist", "")
	wait(t, leg.Done(), "end")
	if err := wait(t, held, "end of Hold"); err == nil {
		t.Error("hold of a lost call succeeds")
	}
	if byPeer, reason := leg.Ended(); byPeer || reason.Party != talkstack.PartyCarrier {
		t.Errorf("by peer %v, %+v", byPeer, reason)
	}
}

func TestHoldOfDialledCall(t *testing.T) {
	t.Parallel()
	legs := make(chan *Leg, 1)
	callee := New(Config{Addr: "127.0.0.1:0"})
	callee.OnInvite(answering(t, legs))
	start(t, callee)
	caller := startUA(t, nil)
	out, err := caller.Dial(within(t), DialRequest{From: "1", Target: fmt.Sprintf("sip:2@%s", callee.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	in := wait(t, legs, "leg")
	for _, leg := range []*Leg{out, in, out} {
		for _, on := range []bool{true, false} {
			if err := leg.Hold(within(t), on); err != nil {
				t.Errorf("hold %v: %v", on, err)
			}
		}
	}
	if err := in.Hangup(context.Background(), endReason(talkstack.EndAgentHangup)); err != nil {
		t.Error(err)
	}
	if err := out.Hold(within(t), true); err == nil {
		wait(t, out.Done(), "end")
	}
}
