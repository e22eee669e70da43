package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"talkstack"
)

// digestPeer asks for credentials as a carrier does and says whether they are right.
type digestPeer struct {
	*peer
	user, password string
}

func (p digestPeer) challenge(req *sip.Request, code int, realm, nonce, more string) {
	header := "WWW-Authenticate"
	if code == 407 {
		header = "Proxy-Authenticate"
	}
	p.reply(req, code, "Authenticate", "", fmt.Sprintf("%s: Digest realm=%q, nonce=%q%s", header, realm, nonce, more))
	p.request(sip.ACK)
}

func (p digestPeer) right(req *sip.Request, header, nonce string) bool {
	h := req.GetHeader(header)
	if h == nil {
		return false
	}
	c, err := digest.ParseCredentials(h.Value())
	if err != nil || c.Nonce != nonce || c.URI != req.Recipient.String() {
		return false
	}
	challenge := &digest.Challenge{Realm: c.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm, Opaque: c.Opaque}
	if c.QOP != "" {
		challenge.QOP = []string{c.QOP}
	}
	want, err := digest.Digest(challenge, digest.Options{
		Method: string(req.Method), URI: c.URI, Username: p.user, Password: p.password, Cnonce: c.Cnonce, Count: c.Nc,
	})
	return err == nil && want.Response == c.Response
}

func withPassword(r *DialRequest) { r.Credentials = Credentials{User: "bob", Password: "zanzibar"} }

func TestDialDigest(t *testing.T) {
	t.Parallel()
	ua := startUA(t, nil)
	tests := []struct{ name, more string }{
		{"plain", ""},
		{"qop", `, algorithm=MD5, qop="auth", opaque="xyz"`},
		{"two qops", `, qop="auth-int, auth"`},
		{"sha-256", `, algorithm=SHA-256, qop="auth"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := digestPeer{newPeer(t), "bob", "zanzibar"}
			result := dial(t, ua, p.peer, withPassword)
			first := p.request(sip.INVITE)
			p.challenge(first, 407, "proxy", "n1", test.more)
			second := p.request(sip.INVITE)
			if !p.right(second, "Proxy-Authorization", "n1") {
				t.Errorf("wrong credentials:\n%s", second)
			}
			if second.CSeq().SeqNo <= first.CSeq().SeqNo || string(*second.CallID()) != string(*first.CallID()) || sameBranch(first, second) {
				t.Error("the second INVITE is not a new request of the same call")
			}
			p.challenge(second, 407, "proxy", "n2", test.more+", stale=true")
			third := p.request(sip.INVITE)
			if !p.right(third, "Proxy-Authorization", "n2") {
				t.Errorf("wrong credentials after a stale nonce:\n%s", third)
			}
			p.challenge(third, 401, "server", "n3", test.more)
			fourth := p.request(sip.INVITE)
			if !p.right(fourth, "Proxy-Authorization", "n2") || !p.right(fourth, "Authorization", "n3") {
				t.Errorf("the proxy and the server need credentials each:\n%s", fourth)
			}
			p.reply(fourth, 200, "OK", p.sdp("0", "sendrecv"))
			p.request(sip.ACK)
			d := wait(t, result, "answer")
			if d.err != nil {
				t.Fatal(d.err)
			}
			hungUp := make(chan error, 1)
			go func() { hungUp <- d.leg.Hangup(within(t), endReason(talkstack.EndAgentHangup)) }()
			bye := p.request(sip.BYE)
			p.reply(bye, 407, "Authenticate", "", `Proxy-Authenticate: Digest realm="proxy", nonce="n4"`+test.more)
			for same := bye.CSeq().SeqNo; bye.CSeq().SeqNo == same; {
				bye = p.request(sip.BYE)
			}
			if !p.right(bye, "Proxy-Authorization", "n4") {
				t.Errorf("BYE has wrong credentials:\n%s", bye)
			}
			p.reply(bye, 200, "OK", "")
			if err := wait(t, hungUp, "end"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDialDigestRefused(t *testing.T) {
	t.Parallel()
	ua := startUA(t, nil)
	for _, code := range []int{401, 407} {
		p := digestPeer{newPeer(t), "bob", "right"}
		result := dial(t, ua, p.peer, withPassword)
		p.challenge(p.request(sip.INVITE), code, "r", "n1", "")
		p.challenge(p.request(sip.INVITE), code, "r", "n2", "")
		e := failure(t, wait(t, result, "result"))
		if e.Status != talkstack.StatusFailed || e.SIPCode != code || e.Reason.Code != talkstack.EndPermissionDenied {
			t.Errorf("%d: %s, %+v", code, e.Status, e.Reason)
		}
	}
	p := newPeer(t)
	result := dial(t, ua, p, nil)
	p.reply(p.request(sip.INVITE), 401, "Unauthorized", "", `WWW-Authenticate: Digest realm="r", nonce="n"`)
	if e := failure(t, wait(t, result, "result")); !strings.Contains(e.Reason.Message, "none is configured") {
		t.Errorf("without a password: %+v", e.Reason)
	}
}
