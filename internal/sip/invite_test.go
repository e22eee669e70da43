package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	codes := p.codes(2)
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
	codes := p.codes(2)
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
	if e := failure(t, wait(t, outgoing, "end of the dialled call")); e.Reason.Party != talkstack.PartyPlatform || !errors.Is(e, errStopped) {
		t.Errorf("dialled call: %+v", e)
	}
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
