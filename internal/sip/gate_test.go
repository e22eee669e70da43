package sip

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"go.uber.org/goleak"

	"talkstack/internal/media"
)

func TestMain(m *testing.M) {
	// sipgo takes each message in a goroutine that nobody can wait for: it is gone when its message is.
	goleak.VerifyTestMain(m)
}

func TestMalformedDatagrams(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	good := p.message(ua, "OPTIONS", "x", "", 1)
	bad := []string{
		"hello",
		"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
		"SIP/2.0 200 OK\r\n\r\n",
		strings.Replace(good, "Via:", "X-Via:", 1),
		strings.Replace(good, "From:", "X-From:", 1),
		strings.Replace(good, "To:", "X-To:", 1),
		strings.Replace(good, "Call-ID:", "X-ID:", 1),
		strings.Replace(good, "CSeq:", "X-CSeq:", 1),
		strings.Replace(good, "CSeq: 1 OPTIONS", "CSeq: 1 BYE", 1),
		strings.Replace(good, "CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS", 1),
		strings.Replace(good, ";tag=", ";nottag=", 1),
		strings.Replace(good, "Call-ID: x", "Call-ID: "+strings.Repeat("x", 300), 1),
		strings.Replace(good, "Content-Length: 0", "Content-Length: 5000", 1),
		strings.Replace(good, "Content-Length: 0", "Content-Length: -1", 1),
		strings.Replace(good, "SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 1),
		strings.Replace(good, "Contact:", "X: "+strings.Repeat("y", maxMessage)+"\r\nContact:", 1),
		strings.Repeat("\xff", 5000),
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	}
	for _, m := range bad {
		p.send(ua.Addr().String(), m)
	}
	p.send(ua.Addr().String(), "\r\n\r\n") // keep-alive
	p.send(ua.Addr().String(), good)
	for {
		if res := p.response(sip.OPTIONS); res.StatusCode == 200 {
			break
		}
	}
	if n := ua.Stats().Malformed; n != int64(len(bad)) {
		t.Errorf("%d of %d messages counted as malformed", n, len(bad))
	}
}

func TestMalformedStreams(t *testing.T) {
	t.Parallel()
	ua, p := startUA(t, nil), newPeer(t)
	good := strings.Replace(p.message(ua, "OPTIONS", "x", "", 1), "SIP/2.0/UDP", "SIP/2.0/TCP", 1)
	talk := func(parts ...string) string {
		t.Helper()
		conn, err := net.Dial("tcp", ua.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		for _, part := range parts {
			_, _ = conn.Write([]byte(part)) // the other side may close while we write
		}
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		return string(buf[:n])
	}
	for _, text := range []string{
		"hello\r\n\r\n",
		strings.Replace(good, "Content-Length: 0\r\n", "", 1),
		strings.Replace(good, "Contact:", "X: "+strings.Repeat("y", 2*maxMessage)+"\r\nContact:", 1),
		strings.Replace(good, "Content-Length: 0", "Content-Length: 99999999", 1),
	} {
		if answer := talk(text); answer != "" {
			t.Errorf("%.40q is answered: %s", text, answer)
		}
	}
	if answer := talk(strings.Replace(good, "CSeq: 1", "CSeq: x", 1)); strings.HasPrefix(answer, "SIP/2.0 2") {
		t.Errorf("a bad CSeq: %s", answer)
	}
	if answer := talk(good[:50], good[50:]); !strings.HasPrefix(answer, "SIP/2.0 200 OK") {
		t.Errorf("OPTIONS: %s", answer)
	}
	if n := ua.Stats().Malformed; n < 4 {
		t.Errorf("%d streams counted as malformed", n)
	}
}

func TestInviteFlood(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ua := New(Config{Addr: "127.0.0.1:0", MaxPending: 5})
	ua.OnInvite(func(ctx context.Context, inv *Invite) {
		if inv.CallID == "real" {
			_ = inv.Reject(486, "Busy Here", 0)
			return
		}
		<-ctx.Done()
	})
	start(t, ua)
	for i := range 500 {
		p.send(ua.Addr().String(), p.message(ua, "INVITE", fmt.Sprint(i), "", 1, p.offer("sendrecv")))
	}
	for refused := 0; refused < 100; {
		if res := p.response(sip.INVITE); res.StatusCode == 503 {
			refused++
		}
	}
	if s := ua.Stats(); s.Pending != 5 || s.Live != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestCallOverIPv6(t *testing.T) {
	t.Parallel()
	legs := make(chan *Leg, 1)
	callee := New(Config{Addr: "[::1]:0"})
	callee.OnInvite(answering(t, legs))
	start(t, callee)
	caller := startUA(t, func(c *Config) { c.Addr = "[::1]:0" })
	for _, transport := range []string{"udp", "tcp"} {
		out, err := caller.Dial(within(t), DialRequest{From: "1", Target: fmt.Sprintf("sip:2@%s;transport=%s", callee.Addr(), transport)})
		if err != nil {
			t.Fatal(err)
		}
		in := wait(t, legs, "leg")
		if err := in.Hangup(within(t), endReason("agent_hangup")); err != nil {
			t.Error(err)
		}
		wait(t, out.Done(), "end")
	}
}

func TestCallToWildcardAddress(t *testing.T) {
	t.Parallel()
	legs := make(chan *Leg, 1)
	callee := New(Config{Addr: ":0"})
	callee.OnInvite(answering(t, legs))
	start(t, callee)
	caller := startUA(t, func(c *Config) { c.Addr = "0.0.0.0:0" })
	out, err := caller.Dial(within(t), DialRequest{From: "1", Target: fmt.Sprintf("sip:2@127.0.0.1:%d", callee.Addr().Port())})
	if err != nil {
		t.Fatal(err)
	}
	in := wait(t, legs, "leg")
	if err := in.Hangup(within(t), endReason("agent_hangup")); err != nil {
		t.Error(err)
	}
	wait(t, out.Done(), "end")
}

func FuzzMessage(f *testing.F) {
	ua := New(Config{Addr: "127.0.0.1:5060"})
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <tel:+1555;verstat=No-TN-Validation>;tag=1\r\nTo: <sip:a@b>\r\n" +
		"Call-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:x@y>\r\nRequire: a, b\r\nRecord-Route: <sip:p;lr>, <sip:q>\r\n" +
		"P-Asserted-Identity: \"A\" <sip:+1555;verstat=TN-Validation-Passed@h>, <tel:+1>\r\nContent-Type: application/sdp; x=y\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" +
		"WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth, auth-int\", algorithm=SHA-256\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := ua.gate.parse(b)
		if m == nil {
			return
		}
		_ = recordRoutes(m)
		switch m := m.(type) {
		case *sip.Request:
			asserted, verstat := identity(m)
			for _, s := range []string{asserted, verstat, required(m), userPart(&m.From().Address), userPart(&m.Recipient)} {
				if strings.ContainsAny(s, "\r\n\x00") {
					t.Fatalf("%q has a line break", s)
				}
			}
			_ = isSDP(m)
			if out := ua.response(m, 400, "Bad Request").String(); !strings.HasPrefix(out, "SIP/2.0 400 ") {
				t.Fatalf("response %q", out)
			}
		case *sip.Response:
			req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "h"})
			a := authorization{creds: Credentials{User: "u", Password: "p"}}
			if a.challenged(req, m) == nil {
				a.add(req)
				for _, x := range a.answers {
					if _, err := digest.ParseCredentials(x.value); err != nil {
						t.Skip() // a realm with quotes in it
					}
				}
			}
			_ = refusal(m.StatusCode, m.Reason)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("Signal=5\r\nDuration=160\r\n"))
	f.Add([]byte("#"))
	f.Add([]byte("signal = 11\nduration = 65535"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseKey(body)
		if err != nil {
			if d != (media.Digit{}) {
				t.Fatalf("%q: a digit with an error", body)
			}
			return
		}
		if !strings.ContainsRune("0123456789*#ABCD", rune(d.Key)) || d.Duration <= 0 || d.Duration > 10*time.Second {
			t.Fatalf("%q: %+v", body, d)
		}
	})
}

func FuzzTarget(f *testing.F) {
	ua := New(Config{Addr: "127.0.0.1:5060"})
	f.Add("sip:bob@127.0.0.1:5070;transport=tcp", "+14155550148", "CA12-1@h")
	f.Add("sip:[::1]", "1", "x")
	f.Fuzz(func(t *testing.T, target, number, callID string) {
		if strings.ContainsFunc(target, func(r rune) bool { return r >= 'g' && r <= 'z' && !strings.ContainsRune("sipudtransportcp", r) }) {
			return // a name: it would be looked up
		}
		var u sip.Uri
		if sip.ParseUri(target, &u) == nil && strings.ContainsAny(u.Host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") && !strings.Contains(u.Host, ":") {
			return
		}
		if !isUser(number) || !isToken(callID) {
			return
		}
		way, err := ua.route(context.Background(), DialRequest{To: number, From: "1", CallID: callID, Target: target})
		if err != nil {
			return
		}
		if s := way.uri.String() + number + callID; strings.ContainsAny(s, "\r\n<>\" ") {
			t.Fatalf("%q becomes %q", target, s)
		}
	})
}
