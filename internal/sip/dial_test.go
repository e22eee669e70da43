package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
)

type dialed struct {
	leg *Leg
	err error
}

// dial places a call to the peer in the background.
func dial(t *testing.T, ua *UserAgent, p *peer, change func(*DialRequest)) <-chan dialed {
	t.Helper()
	r := DialRequest{To: "+14155550148", From: "+14155550100", CallID: "test-" + newTag(), Target: fmt.Sprintf("sip:+14155550148@%s", p.addr())}
	if change != nil {
		change(&r)
	}
	c := make(chan dialed, 1)
	ctx := within(t)
	go func() {
		leg, err := ua.Dial(ctx, r)
		c <- dialed{leg, err}
	}()
	return c
}

func failure(t *testing.T, d dialed) *DialError {
	t.Helper()
	var e *DialError
	if !errors.As(d.err, &e) {
		t.Fatalf("dial: %v, %v; want a DialError", d.leg, d.err)
	}
	return e
}

func TestDialOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   int
		status talkstack.CallStatus
		end    talkstack.EndCode
		says   string
	}{
		{486, talkstack.StatusBusy, talkstack.EndDialBusy, "busy"},
		{600, talkstack.StatusBusy, talkstack.EndDialBusy, "busy"},
		{408, talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer, "Nobody answered"},
		{480, talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer, "Nobody answered"},
		{603, talkstack.StatusFailed, talkstack.EndDialFailed, "declined"},
		{607, talkstack.StatusFailed, talkstack.EndDialFailed, "declined"},
		{608, talkstack.StatusFailed, talkstack.EndDialFailed, "declined"},
		{404, talkstack.StatusFailed, talkstack.EndInvalidDestination, "does not exist"},
		{410, talkstack.StatusFailed, talkstack.EndInvalidDestination, "does not exist"},
		{484, talkstack.StatusFailed, talkstack.EndInvalidDestination, "not complete"},
		{604, talkstack.StatusFailed, talkstack.EndInvalidDestination, "does not exist"},
		{403, talkstack.StatusFailed, talkstack.EndPermissionDenied, "does not allow"},
		{488, talkstack.StatusFailed, talkstack.EndDialFailed, "audio formats"},
		{302, talkstack.StatusFailed, talkstack.EndDialFailed, "elsewhere"},
		{500, talkstack.StatusFailed, talkstack.EndDialFailed, "could not place"},
		{503, talkstack.StatusFailed, talkstack.EndDialFailed, "could not place"},
		{482, talkstack.StatusFailed, talkstack.EndDialFailed, "refused"},
	}
	ua := startUA(t, nil)
	for _, test := range tests {
		t.Run(strconv.Itoa(test.code), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			result := dial(t, ua, p, nil)
			p.reply(p.request(sip.INVITE), test.code, "A Reason", "")
			p.request(sip.ACK) // a refusal is acknowledged
			e := failure(t, wait(t, result, "result"))
			if e.Status != test.status || e.Reason.Code != test.end || e.Reason.Party != talkstack.PartyCarrier || e.SIPCode != test.code {
				t.Errorf("got %s, %+v, %d", e.Status, e.Reason, e.SIPCode)
			}
			if !strings.Contains(e.Reason.Message, test.says) || !strings.Contains(e.Reason.Message, fmt.Sprintf("%d A Reason", test.code)) {
				t.Errorf("message %q does not say %q", e.Reason.Message, test.says)
			}
		})
	}
}

func TestDialSaysWhoCalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ua := startUA(t, func(c *Config) {
		c.Trunk = &talkstack.Trunk{Host: "127.0.0.1", Port: int(p.addr().Port()), Transport: talkstack.TransportUDP}
	})
	result := dial(t, ua, p, func(r *DialRequest) { r.Target, r.CallID = "", "CA1234-1@host" })
	req := p.request(sip.INVITE)
	if want := fmt.Sprintf("sip:+14155550148@127.0.0.1:%d;user=phone", p.addr().Port()); req.Recipient.String() != want {
		t.Errorf("Request-URI %s, want %s", req.Recipient.String(), want)
	}
	if req.From().Address.String() != "sip:+14155550100@127.0.0.1;user=phone" {
		t.Errorf("From %s", req.From().Address.String())
	}
	if got := req.GetHeader("P-Asserted-Identity").Value(); got != "<sip:+14155550100@127.0.0.1;user=phone>" {
		t.Errorf("P-Asserted-Identity %s", got)
	}
	if got := string(*req.CallID()); got != "CA1234-1@host" {
		t.Errorf("Call-ID %s", got)
	}
	p.reply(req, 486, "Busy Here", "")
	if e := failure(t, wait(t, result, "result")); e.Status != talkstack.StatusBusy {
		t.Errorf("result: %+v", e)
	}
}

func TestDialManyProvisionals(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	rang := make(chan struct{}, 100)
	result := dial(t, ua, p, func(r *DialRequest) { r.OnRinging = func() { rang <- struct{}{} } })
	req := p.request(sip.INVITE)
	p.reply(req, 100, "Trying", "")
	for range 60 {
		p.reply(req, 180, "Ringing", "")
	}
	wait(t, rang, "ringing")
	p.reply(req, 200, "OK", p.sdp("0", "sendrecv"))
	ack := p.request(sip.ACK)
	if ack.CSeq().SeqNo != req.CSeq().SeqNo {
		t.Errorf("ACK has CSeq %d, INVITE %d", ack.CSeq().SeqNo, req.CSeq().SeqNo)
	}
	d := wait(t, result, "answer")
	if d.err != nil {
		t.Fatal(d.err)
	}
	if len(rang) != 0 {
		t.Errorf("ringing was told %d times more", len(rang))
	}
	// A lost ACK makes the 200 come again; it is acknowledged again.
	p.reply(req, 200, "OK", p.sdp("0", "sendrecv"))
	p.request(sip.ACK)

	hungUp := make(chan error, 1)
	go func() { hungUp <- d.leg.Hangup(within(t), endReason(talkstack.EndAgentHangup)) }()
	bye := p.request(sip.BYE)
	if _, tag := tags(bye); tag != p.tag || bye.CSeq().SeqNo <= req.CSeq().SeqNo {
		t.Errorf("BYE has tag %q, CSeq %d", tag, bye.CSeq().SeqNo)
	}
	p.reply(bye, 200, "OK", "")
	if err := wait(t, hungUp, "end of hangup"); err != nil {
		t.Errorf("hangup: %v", err)
	}
	<-d.leg.Done()
	if byPeer, reason := d.leg.Ended(); byPeer || reason.Code != talkstack.EndAgentHangup {
		t.Errorf("ended by peer %v, %+v", byPeer, reason)
	}
	if err := d.leg.Hangup(within(t), endReason(talkstack.EndUserHangup)); err != nil {
		t.Errorf("second hangup: %v", err)
	}
}

func TestDialEarlyMedia(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	early := make(chan *Leg, 1)
	result := dial(t, ua, p, func(r *DialRequest) { r.OnEarlyMedia = func(l *Leg) { early <- l } })
	req := p.request(sip.INVITE)
	p.reply(req, 183, "Session Progress", p.sdp("8", "sendrecv"))
	leg := wait(t, early, "early media")
	if _, err := leg.ReadFrame(within(t)); err != nil {
		t.Errorf("early frame: %v", err)
	}
	select {
	case <-leg.Done():
		t.Error("the leg is over before it is answered")
	default:
	}
	p.reply(req, 200, "OK", "") // the answer was given already
	p.request(sip.ACK)
	if d := wait(t, result, "answer"); d.err != nil || d.leg != leg {
		t.Fatalf("dial: %v, %v", d.leg, d.err)
	}
	// The peer ends it.
	p.send(ua.Addr().String(), p.bye(ua, req))
	if res := p.response(sip.BYE); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	wait(t, leg.Done(), "end")
	if byPeer, reason := leg.Ended(); !byPeer || reason.Code != talkstack.EndUserHangup {
		t.Errorf("ended by peer %v, %+v", byPeer, reason)
	}
	if _, err := leg.ReadFrame(within(t)); err == nil {
		t.Error("a leg that is over can be read")
	}
}

// bye makes a BYE by the peer in a call that we dialled.
func (p *peer) bye(ua *UserAgent, invite *sip.Request) string {
	from, _ := tags(invite)
	return p.message(ua, "BYE", string(*invite.CallID()), from, 1)
}

func TestDialRingTimeout(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	result := dial(t, ua, p, func(r *DialRequest) { r.RingTimeout = 50 * time.Millisecond })
	invite := p.request(sip.INVITE)
	p.reply(invite, 180, "Ringing", "")
	cancel := p.request(sip.CANCEL)
	if !sameBranch(invite, cancel) || cancel.CSeq().SeqNo != invite.CSeq().SeqNo || cancel.Recipient.String() != invite.Recipient.String() {
		t.Errorf("CANCEL is not the INVITE's:\n%s\n%s", invite, cancel)
	}
	e := failure(t, wait(t, result, "result"))
	if e.Status != talkstack.StatusNoAnswer || e.Reason.Code != talkstack.EndDialNoAnswer || e.Reason.Party != talkstack.PartyCarrier {
		t.Errorf("got %s, %+v", e.Status, e.Reason)
	}
	p.reply(cancel, 200, "OK", "")
	p.reply(invite, 487, "Request Terminated", "")
	p.request(sip.ACK)
}

func TestDialAnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	ctx, giveUp := context.WithCancelCause(t.Context())
	rang := make(chan struct{})
	result := make(chan dialed, 1)
	go func() {
		leg, err := ua.Dial(ctx, DialRequest{
			To: "1", From: "2", Target: fmt.Sprintf("sip:1@%s", p.addr()), OnRinging: func() { close(rang) },
		})
		result <- dialed{leg, err}
	}()
	invite := p.request(sip.INVITE)
	p.reply(invite, 180, "Ringing", "")
	wait(t, rang, "ringing")
	cause := errors.New("the agent was deleted")
	giveUp(cause)
	e := failure(t, wait(t, result, "result"))
	if e.Status != talkstack.StatusFailed || !errors.Is(e, cause) || e.Reason.Party != talkstack.PartyPlatform {
		t.Errorf("got %s, %+v, %v", e.Status, e.Reason, e.Err)
	}
	p.reply(invite, 200, "OK", p.sdp("0", "sendrecv"))
	seen := map[sip.RequestMethod]bool{}
	for len(seen) < 3 {
		m := wait(t, p.in, "CANCEL, ACK and BYE")
		req, ok := m.(*sip.Request)
		if !ok {
			continue
		}
		seen[req.Method] = seen[req.Method] || req.Method != sip.INVITE
		if req.Method == sip.BYE && !seen[sip.ACK] {
			t.Error("BYE came before ACK")
		}
		delete(seen, sip.INVITE)
		if req.Method != sip.ACK {
			p.reply(req, 200, "OK", "")
		}
	}
}

func TestDialUnreachable(t *testing.T) {
	t.Parallel()
	ua := startUA(t, func(c *Config) { c.InviteTimeout = patience })
	const addr = "127.0.0.2:9" // where nobody listens; a port that was just free may be another test's by now
	for _, transport := range []string{"udp", "tcp"} {
		_, err := ua.Dial(within(t), DialRequest{To: "1", From: "2", Target: "sip:1@" + addr + ";transport=" + transport})
		e := failure(t, dialed{nil, err})
		if e.Status != talkstack.StatusFailed || e.Reason.Code != talkstack.EndDialFailed || !errors.Is(e, syscall.ECONNREFUSED) || !strings.Contains(e.Reason.Message, "refused") {
			t.Errorf("%s: %s, %+v, %v", transport, e.Status, e.Reason, e.Err)
		}
	}
}

// A peer that vanished in the call does not hold up the end of it.
func TestHangupUnreachable(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	result := dial(t, ua, p, nil)
	p.reply(p.request(sip.INVITE), 200, "OK", p.sdp("0", "sendrecv"))
	p.request(sip.ACK)
	d := wait(t, result, "answer")
	if d.err != nil {
		t.Fatal(d.err)
	}
	_ = p.conn.Close()
	if err := d.leg.Hangup(within(t), endReason(talkstack.EndAgentHangup)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("hangup: %v", err)
	}
	wait(t, d.leg.Done(), "end")
}

func TestDialNoReply(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, func(c *Config) { c.InviteTimeout = 50 * time.Millisecond }), newPeer(t)
	result := dial(t, ua, p, nil)
	invite := p.request(sip.INVITE)
	e := failure(t, wait(t, result, "result"))
	if e.Status != talkstack.StatusFailed || e.SIPCode != 0 || !strings.Contains(e.Reason.Message, "did not reply") {
		t.Errorf("got %s, %+v", e.Status, e.Reason)
	}
	// A phone that wakes up late must not ring for ever.
	p.reply(invite, 180, "Ringing", "")
	p.reply(p.request(sip.CANCEL), 200, "OK", "")
	// Nor may somebody who picks up at once stay in a dead call.
	p.reply(invite, 200, "OK", p.sdp("0", "sendrecv"))
	p.request(sip.ACK)
	p.reply(p.request(sip.BYE), 200, "OK", "")
}

func TestDialBadRequests(t *testing.T) {
	t.Parallel()
	ua := startUA(t, nil)
	for name, r := range map[string]DialRequest{
		"no trunk":       {To: "+14155550148", From: "+14155550100"},
		"no number":      {From: "+14155550100"},
		"injection":      {To: "1\r\nX: y", From: "2", Target: "sip:1@127.0.0.1"},
		"from injection": {To: "1", From: "2>\r\nX: y", Target: "sip:1@127.0.0.1"},
		"call-id":        {To: "1", From: "2", CallID: "a b", Target: "sip:1@127.0.0.1"},
		"target":         {To: "1", From: "2", Target: "mailto:a@b"},
		"target break":   {To: "1", From: "2", Target: "sip:1@127.0.0.1\r\nX: y"},
		"tls":            {To: "1", From: "2", Target: "sip:1@127.0.0.1;transport=tls"},
		"no such host":   {To: "1", From: "2", Target: "sip:1@no-such-host.invalid"},
	} {
		_, err := ua.Dial(within(t), r)
		if e := failure(t, dialed{nil, err}); e.Status != talkstack.StatusFailed || e.Reason.Message == "" {
			t.Errorf("%s: %s, %+v", name, e.Status, e.Reason)
		}
	}
	if n := ua.Stats().InvitesOut; n != 0 {
		t.Errorf("%d INVITEs were sent", n)
	}
}

func TestDialForkedAnswers(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	result := dial(t, ua, p, nil)
	invite := p.request(sip.INVITE)
	p.reply(invite, 200, "OK", p.sdp("0", "sendrecv"))
	p.request(sip.ACK)
	d := wait(t, result, "answer")
	if d.err != nil {
		t.Fatal(d.err)
	}
	p.replyAs("another", invite, 200, "OK", p.sdp("0", "sendrecv"))
	if _, tag := tags(p.request(sip.ACK)); tag != "another" {
		t.Errorf("ACK to %q", tag)
	}
	bye := p.request(sip.BYE)
	if _, tag := tags(bye); tag != "another" {
		t.Errorf("BYE to %q, the call that goes on", tag)
	}
	p.reply(bye, 200, "OK", "")
	if ua.Stats().Live != 1 {
		t.Errorf("%d legs", ua.Stats().Live)
	}
	p.send(ua.Addr().String(), p.bye(ua, invite))
	wait(t, d.leg.Done(), "end")
}

func TestDialRouteSet(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	other := newPeer(t) // where the Contact points: it must be named, but not be sent to
	result := dial(t, ua, p, nil)
	invite := p.request(sip.INVITE)
	proxy := netip.AddrPort(p.addr())
	c := invite.Clone()
	c.To().Params.Add("tag", p.tag)
	res := sip.NewResponseFromRequest(c, 200, "OK", []byte(p.sdp("0", "sendrecv")))
	res.AppendHeader(sip.NewHeader("Record-Route", "<sip:inner.invalid;lr>"))
	res.AppendHeader(sip.NewHeader("Record-Route", fmt.Sprintf("<sip:%s;lr>", proxy)))
	res.AppendHeader(sip.NewHeader("Contact", fmt.Sprintf("<sip:callee@%s>", other.addr())))
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	p.send(invite.Source(), res.String())
	ack := p.request(sip.ACK)
	check := func(req *sip.Request) {
		t.Helper()
		routes := req.GetHeaders("Route")
		if len(routes) != 2 || routes[0].Value() != fmt.Sprintf("<sip:%s;lr>", proxy) || routes[1].Value() != "<sip:inner.invalid;lr>" {
			t.Errorf("%s has routes %v", req.Method, routes)
		}
		if want := fmt.Sprintf("sip:callee@%s", other.addr()); req.Recipient.String() != want {
			t.Errorf("%s goes to %s, want %s", req.Method, req.Recipient.String(), want)
		}
	}
	check(ack)
	d := wait(t, result, "answer")
	if d.err != nil {
		t.Fatal(d.err)
	}
	go d.leg.Hangup(within(t), endReason(talkstack.EndAgentHangup)) //nolint:errcheck // the BYE is what counts
	bye := p.request(sip.BYE)
	check(bye)
	p.reply(bye, 200, "OK", "")
}
