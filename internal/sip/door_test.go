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
)

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
