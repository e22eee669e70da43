package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
)

func TestCallBetweenTwo(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		for _, callerEnds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s caller ends %v", transport, callerEnds), func(t *testing.T) {
				t.Parallel()
				legs := make(chan *Leg, 1)
				invites := make(chan *Invite, 1)
				freed := make(chan struct{})
				rang := make(chan struct{}, 1)
				callee := New(Config{Addr: "127.0.0.1:0"})
				callee.OnInvite(func(ctx context.Context, inv *Invite) {
					invites <- inv
					defer close(freed)
					if err := inv.Ring(); err != nil {
						t.Errorf("ring: %v", err)
					}
					wait(t, rang, "ringing")
					answering(t, legs)(ctx, inv)
				})
				start(t, callee)
				caller := startUA(t, nil)
				out, err := caller.Dial(within(t), DialRequest{
					From: "+14155550100", To: "+14155550148", CallID: "CA77-1@here",
					Target: fmt.Sprintf("sip:+14155550148@%s;transport=%s", callee.Addr(), transport), OnRinging: func() { rang <- struct{}{} },
				})
				if err != nil {
					t.Fatal(err)
				}
				in := wait(t, legs, "leg")
				inv := wait(t, invites, "invite")
				if inv.From != "+14155550100" || inv.To != "+14155550148" || inv.CallID != "CA77-1@here" || inv.Asserted != "+14155550100" {
					t.Errorf("invite %+v", inv)
				}
				if out.CallID() != "CA77-1@here" || in.CallID() != out.CallID() || out.Rate() != 8000 {
					t.Errorf("call ids %q and %q, rate %d", out.CallID(), in.CallID(), out.Rate())
				}
				for range 3 {
					f, err := in.ReadFrame(within(t))
					if err != nil || f.Rate != 8000 {
						t.Fatalf("frame of %d Hz, %v", f.Rate, err)
					}
					if err := out.WriteFrame(f); err != nil {
						t.Errorf("write: %v", err)
					}
				}
				ends, other := out, in
				if !callerEnds {
					ends, other = in, out
				}
				if err := ends.Hangup(within(t), endReason(talkstack.EndAgentHangup)); err != nil {
					t.Errorf("hangup: %v", err)
				}
				wait(t, other.Done(), "end of the other leg")
				if byPeer, reason := other.Ended(); !byPeer || reason.Party != talkstack.PartyCaller || reason.Code != talkstack.EndUserHangup {
					t.Errorf("other leg: by peer %v, %+v", byPeer, reason)
				}
				if _, err := other.ReadFrame(within(t)); !errors.Is(err, io.EOF) {
					t.Errorf("a leg that is over reads %v", err)
				}
				wait(t, freed, "end of the handler")
				if a, b := caller.Stats(), callee.Stats(); a.Live != 0 || b.Live != 0 || a.InvitesOut != 1 || b.InvitesIn != 1 || b.Answered != 1 {
					t.Errorf("stats %+v, %+v", a, b)
				}
			})
		}
	}
}

func TestHandlerReturnHangsUp(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		if _, err := inv.Answer(ctx); err != nil {
			t.Errorf("answer: %v", err)
		}
	})
	start(t, ua)
	tag, _ := p.call(ua, "a")
	bye := p.request(sip.BYE)
	if from, to := tags(bye); from != tag || to != p.tag {
		t.Errorf("BYE from %q to %q", from, to)
	}
	p.reply(bye, 200, "OK", "")
}

func TestHandlerThatDecidesNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(_ context.Context, inv *Invite) {
		if inv.CallID == "panic" {
			panic("a bug in a handler")
		}
	})
	start(t, ua)
	for _, id := range []string{"nothing", "panic"} {
		p.send(ua.Addr().String(), p.message(ua, "INVITE", id, "", 1, p.offer("sendrecv")))
		if res := p.response(sip.INVITE); res.StatusCode != 500 {
			t.Errorf("%s: %d", id, res.StatusCode)
		}
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		if err := inv.Reject(200, "OK", 0); err == nil {
			t.Error("200 is taken as a refusal")
		}
		if err := inv.Reject(503, "Full\r\nX: y", 1500*time.Millisecond); err != nil {
			t.Error(err)
		}
		if err := inv.Reject(486, "Busy", 0); err == nil {
			t.Error("a call can be refused twice")
		}
		if _, err := inv.Answer(ctx); err == nil {
			t.Error("a refused call can be answered")
		}
		if err := inv.Ring(); err == nil {
			t.Error("a refused call can ring")
		}
	})
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "a", "", 1, p.offer("sendrecv")))
	res := p.response(sip.INVITE)
	if res.StatusCode != 503 || res.GetHeader("Retry-After").Value() != "2" || res.GetHeader("X") != nil {
		t.Errorf("got\n%s", res)
	}
}

func TestCallerCancels(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ended := make(chan error, 1)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		_ = inv.Ring()
		<-ctx.Done()
		_, err := inv.Answer(ctx)
		ended <- errors.Join(context.Cause(ctx), err)
	})
	start(t, ua)
	invite := p.message(ua, "INVITE", "a", "", 1, p.offer("sendrecv"))
	p.send(ua.Addr().String(), invite)
	p.response(sip.INVITE)
	// The CANCEL is the INVITE's in all but method and body.
	head, _, _ := strings.Cut(invite, "Content-Type")
	cancel := strings.ReplaceAll(head, "INVITE", "CANCEL") + "Content-Length: 0\r\n\r\n"
	p.send(ua.Addr().String(), cancel)
	codes := map[sip.RequestMethod]int{}
	for len(codes) < 2 {
		res := wait(t, p.in, "response").(*sip.Response)
		codes[res.CSeq().MethodName] = res.StatusCode
	}
	if codes[sip.CANCEL] != 200 || codes[sip.INVITE] != 487 {
		t.Errorf("got %v", codes)
	}
	if err := wait(t, ended, "end of the handler"); !errors.Is(err, ErrCanceled) {
		t.Errorf("handler ended with %v", err)
	}
}

func TestCallerEndsRingingCallByBye(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ended := make(chan error, 1)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		_ = inv.Ring()
		<-ctx.Done()
		ended <- context.Cause(ctx)
	})
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "a", "", 1, p.offer("sendrecv")))
	_, tag := tags(p.response(sip.INVITE))
	p.send(ua.Addr().String(), p.message(ua, "BYE", "a", tag, 2))
	codes := map[sip.RequestMethod]int{}
	for len(codes) < 2 {
		res := wait(t, p.in, "response").(*sip.Response)
		codes[res.CSeq().MethodName] = res.StatusCode
	}
	if codes[sip.BYE] != 200 || codes[sip.INVITE] != 487 {
		t.Errorf("got %v", codes)
	}
	if err := wait(t, ended, "end of the handler"); !errors.Is(err, ErrCanceled) {
		t.Errorf("handler ended with %v", err)
	}
}

func TestAnswerUntilAck(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	legs := make(chan *Leg, 1)
	ua := New(Config{Addr: "127.0.0.1:0", T1: 5 * time.Millisecond})
	ua.OnInvite(answering(t, legs))
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "late", "", 1, p.offer("sendrecv")))
	var tag string
	for copies := 0; copies < 4; { // no ACK, so the 200 comes again
		if res := p.response(sip.INVITE); res.StatusCode == 200 {
			copies++
			_, tag = tags(res)
		}
	}
	leg := wait(t, legs, "leg")
	p.send(ua.Addr().String(), p.message(ua, "ACK", "late", tag, 1))
	p.send(ua.Addr().String(), p.message(ua, "OPTIONS", "late", tag, 2))
	for p.response(sip.OPTIONS) == nil {
	}
	select {
	case <-leg.Done():
		t.Error("a call with a late ACK ended")
	default:
	}
	p.send(ua.Addr().String(), p.message(ua, "BYE", "late", tag, 3))
	p.response(sip.BYE)
	wait(t, leg.Done(), "end")
}

func TestAnswerNeverAcknowledged(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	legs := make(chan *Leg, 1)
	ua := New(Config{Addr: "127.0.0.1:0", T1: 2 * time.Millisecond})
	ua.OnInvite(answering(t, legs))
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "never", "", 1, p.offer("sendrecv")))
	bye := p.request(sip.BYE)
	p.reply(bye, 200, "OK", "")
	leg := wait(t, legs, "leg")
	wait(t, leg.Done(), "end")
	if byPeer, reason := leg.Ended(); byPeer || reason.Party != talkstack.PartyCarrier || !strings.Contains(reason.Message, "no ACK") {
		t.Errorf("by peer %v, %+v", byPeer, reason)
	}
}

func TestDelayedOffer(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	legs := make(chan *Leg, 1)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(answering(t, legs))
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "a", "", 1))
	res := p.response(sip.INVITE)
	for res.StatusCode != 200 {
		res = p.response(sip.INVITE)
	}
	if offer := string(res.Body()); !strings.Contains(offer, "PCMU/8000") || !strings.Contains(offer, "PCMA/8000") || !strings.Contains(offer, "telephone-event") {
		t.Errorf("the 200 has no full offer: %q", offer)
	}
	select {
	case <-legs:
		t.Error("answered before the ACK brought the answer")
	default:
	}
	_, tag := tags(res)
	p.send(ua.Addr().String(), p.message(ua, "ACK", "a", tag, 1, p.offer("sendrecv")))
	leg := wait(t, legs, "leg")
	p.send(ua.Addr().String(), p.message(ua, "BYE", "a", tag, 2))
	wait(t, leg.Done(), "end")
}

func TestDelayedOfferWithoutAnswer(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	failed := make(chan error, 1)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		_, err := inv.Answer(ctx)
		failed <- err
	})
	start(t, ua)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "a", "", 1))
	_, tag := tags(p.response(sip.INVITE))
	p.send(ua.Addr().String(), p.message(ua, "ACK", "a", tag, 1))
	p.reply(p.request(sip.BYE), 200, "OK", "")
	if err := wait(t, failed, "end of Answer"); !errors.Is(err, ErrNoCodec) {
		t.Errorf("answer: %v", err)
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	legs := make(chan *Leg, 10)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		if leg, err := inv.Answer(ctx); err == nil {
			legs <- leg
		}
	})
	start(t, ua)
	tests := []struct {
		name   string
		change func(string) string
		code   int
		header string
		value  string
	}{
		{"no codec", func(m string) string { return strings.Replace(m, "RTP/AVP 0 101", "RTP/AVP 9 101", 1) }, 488, "", ""},
		{"srtp", func(m string) string { return strings.Replace(m, "RTP/AVP 0", "RTP/SAVP 0", 1) }, 488, "", ""},
		{"body that is no sdp", func(m string) string { return strings.Replace(m, "application/sdp", "text/plain", 1) }, 415, "Accept", "application/sdp"},
		{"extension", func(m string) string { return strings.Replace(m, "Contact:", "Require: 100rel, timer\r\nContact:", 1) }, 420, "Unsupported", "100rel, timer"},
		{"hops", func(m string) string { return strings.Replace(m, "Contact:", "Max-Forwards: 0\r\nContact:", 1) }, 483, "", ""},
		{"no contact", func(m string) string { return strings.Replace(m, "Contact:", "X-Contact:", 1) }, 400, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			m := p.message(ua, "INVITE", test.name[:2]+newTag(), "", 1, p.offer("sendrecv"))
			changed := test.change(m)
			head, body, _ := strings.Cut(changed, "\r\n\r\n")
			_, length, _ := strings.Cut(head, "Content-Length: ")
			changed = strings.Replace(head, "Content-Length: "+length, fmt.Sprintf("Content-Length: %d", len(body)), 1) + "\r\n\r\n" + body
			p.send(ua.Addr().String(), changed)
			res := p.response(sip.INVITE)
			if res.StatusCode != test.code {
				t.Fatalf("got %d %s, want %d", res.StatusCode, res.Reason, test.code)
			}
			if test.header != "" && (res.GetHeader(test.header) == nil || res.GetHeader(test.header).Value() != test.value) {
				t.Errorf("%s is %v", test.header, res.GetHeader(test.header))
			}
		})
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	for method, code := range map[string]int{
		"OPTIONS": 200, "REGISTER": 405, "SUBSCRIBE": 405, "NOTIFY": 405, "REFER": 405, "MESSAGE": 405, "PUBLISH": 405,
		"PRACK": 405, "DANCE": 501, "BYE": 481, "INFO": 481, "UPDATE": 481, "CANCEL": 481,
	} {
		p.send(ua.Addr().String(), p.message(ua, method, newTag(), "", 1))
		res := p.response(sip.RequestMethod(method))
		if res.StatusCode != code {
			t.Errorf("%s: %d, want %d", method, res.StatusCode, code)
		}
		if (code == 200 || code == 405 || code == 501) && res.GetHeader("Allow") == nil {
			t.Errorf("%s: no Allow", method)
		}
	}
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "x", "", 1, p.offer("sendrecv")))
	if res := p.response(sip.INVITE); res.StatusCode != 480 {
		t.Errorf("a call without a handler: %d", res.StatusCode)
	}
}

func TestMergedRequest(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	legs := make(chan *Leg, 2)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(answering(t, legs))
	start(t, ua)
	tag, _ := p.call(ua, "twice")
	leg := wait(t, legs, "leg")
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "twice", "", p.seq, p.offer("sendrecv"))) // another branch
	for {
		if res := p.response(sip.INVITE); res.StatusCode == 482 {
			break
		}
	}
	if n := ua.Stats().Live; n != 1 {
		t.Errorf("%d legs", n)
	}
	p.send(ua.Addr().String(), p.message(ua, "BYE", "twice", tag, p.seq+1))
	wait(t, leg.Done(), "end")
}

func TestPendingLimit(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	release := make(chan struct{})
	ua := New(Config{Addr: "127.0.0.1:0", MaxPending: 3})
	ua.OnInvite(func(_ context.Context, inv *Invite) {
		_ = inv.Ring()
		<-release
		_ = inv.Reject(486, "Busy Here", 0)
	})
	start(t, ua)
	for i := range 3 {
		p.send(ua.Addr().String(), p.message(ua, "INVITE", fmt.Sprint(i), "", 1, p.offer("sendrecv")))
		if res := p.response(sip.INVITE); res.StatusCode != 180 {
			t.Fatalf("call %d: %d", i, res.StatusCode)
		}
	}
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "one too many", "", 1, p.offer("sendrecv")))
	if res := p.response(sip.INVITE); res.StatusCode != 503 || res.GetHeader("Retry-After") == nil {
		t.Errorf("got\n%s", res)
	}
	if s := ua.Stats(); s.Pending != 3 || s.Overload != 1 {
		t.Errorf("stats %+v", s)
	}
	close(release)
	for range 3 {
		if res := p.response(sip.INVITE); res.StatusCode != 486 {
			t.Errorf("got %d", res.StatusCode)
		}
	}
	if s := ua.Stats(); s.Pending != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	ua := startUA(t, func(c *Config) { c.Allow = func(netip.Addr) bool { return false } })
	p := newPeer(t)
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "x", "", 1, p.offer("sendrecv")))
	if res := p.response(sip.INVITE); res.StatusCode != 403 {
		t.Errorf("UDP: %d", res.StatusCode)
	}
	for range 500 { // a flood is dropped, not answered
		p.send(ua.Addr().String(), p.message(ua, "OPTIONS", "x", "", 1))
	}
	conn, err := net.Dial("tcp", ua.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 10)); err == nil {
		t.Errorf("TCP: %d bytes for a stranger", n)
	}
	answers := 0
	for deadline := time.After(200 * time.Millisecond); ; {
		select {
		case <-p.in:
			answers++
			continue
		case <-deadline:
		}
		break
	}
	if answers > 2*refusalsPerSec {
		t.Errorf("%d answers to a flood", answers)
	}
	if n := ua.Stats().Refused; n < 100 {
		t.Errorf("%d messages counted as refused", n)
	}
	// Whom we call may answer.
	result := dial(t, ua, p, nil)
	invite := p.request(sip.INVITE)
	p.reply(invite, 200, "OK", p.sdp("0", "sendrecv"))
	d := wait(t, result, "answer")
	if d.err != nil {
		t.Fatal(d.err)
	}
	p.send(ua.Addr().String(), p.bye(ua, invite))
	if res := p.response(sip.BYE); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
}

func TestStopClearsCalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	legs := make(chan *Leg, 1)
	causes := make(chan error, 1)
	ua := New(Config{Addr: "127.0.0.1:0"})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		if inv.CallID == "ringing" {
			_ = inv.Ring()
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return
		}
		answering(t, legs)(ctx, inv)
	})
	if err := ua.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.call(ua, "live")
	leg := wait(t, legs, "leg")
	p.send(ua.Addr().String(), p.message(ua, "INVITE", "ringing", "", 1, p.offer("sendrecv")))
	for res := p.response(sip.INVITE); res.StatusCode != 180 || string(*res.CallID()) != "ringing"; {
		res = p.response(sip.INVITE)
	}
	outgoing := dial(t, ua, p, nil)
	invite := p.request(sip.INVITE)
	p.reply(invite, 180, "Ringing", "")

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ua.Stop(ctx)
	}()
	seen := map[sip.RequestMethod]bool{}
	refused := false
	for !seen[sip.BYE] || !seen[sip.CANCEL] || !refused {
		switch m := wait(t, p.in, "BYE, CANCEL and a refusal").(type) {
		case *sip.Request:
			if m.Method != sip.ACK {
				p.reply(m, 200, "OK", "")
			}
			if m.Method == sip.CANCEL {
				p.reply(invite, 487, "Request Terminated", "")
			}
			seen[m.Method] = true
		case *sip.Response:
			refused = refused || m.CSeq().MethodName == sip.INVITE && m.StatusCode >= 300
		}
	}
	wait(t, stopped, "end of Stop")
	wait(t, leg.Done(), "end of the leg")
	if _, reason := leg.Ended(); reason.Code != talkstack.EndShutdown {
		t.Errorf("leg: %+v", reason)
	}
	if err := wait(t, causes, "end of the ringing call"); !errors.Is(err, errStopped) {
		t.Errorf("ringing call: %v", err)
	}
	failure(t, wait(t, outgoing, "end of the dialled call"))
	if _, err := ua.Dial(within(t), DialRequest{To: "1", From: "2", Target: "sip:1@127.0.0.1"}); err == nil {
		t.Error("a stopped user agent dials")
	}
	conn, err := net.ListenPacket("udp", ua.Addr().String())
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	_ = conn.Close()
}

func TestStartTakenPort(t *testing.T) {
	t.Parallel()
	first := startUA(t, nil)
	second := New(Config{Addr: first.Addr().String()})
	err := second.Start(t.Context())
	if talkstack.ErrorCode(err) != talkstack.CodeUnavailable || !strings.Contains(err.Error(), "in use") {
		t.Errorf("start on a taken port: %v", err)
	}
	if err := first.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
}
