package sip

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"talkstack"
)

// Credentials answer a trunk's challenge.
type Credentials struct {
	User     string
	Password talkstack.Secret
}

// maxChallenges is how often one request is sent again with new credentials: once for a proxy, once for the server
// behind it, and once each for a nonce that has gone stale.
const maxChallenges = 4

var (
	errNoCredentials = errors.New("sip: the carrier asks for a password and none is configured")
	errRefusedAgain  = errors.New("sip: the carrier refused the password")
	errChallenge     = errors.New("sip: the carrier's challenge is not usable")
)

// authorization keeps the credentials of one request as it is challenged (RFC 3261 section 22).
type authorization struct {
	creds   Credentials
	rounds  int
	answers []answer
}

type answer struct{ header, realm, value string }

// add puts the credentials gathered so far into a request.
func (a *authorization) add(req *sip.Request) {
	for _, x := range a.answers {
		req.AppendHeader(sip.NewHeader(x.header, x.value))
	}
}

// challenged takes a 401 or 407 to req. When it returns nil, the request may be made anew, with add. A challenge for
// a realm that was answered already is final, unless the server says that only the nonce had gone stale.
func (a *authorization) challenged(req *sip.Request, res *sip.Response) error {
	if a.creds.User == "" {
		return errNoCredentials
	}
	if a.rounds++; a.rounds > maxChallenges {
		return errRefusedAgain
	}
	asks, answers := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		asks, answers = "Proxy-Authenticate", "Proxy-Authorization"
	}
	progress := false
	var realms []string
	for _, h := range res.GetHeaders(asks) {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			continue
		}
		for i, q := range c.QOP {
			c.QOP[i] = strings.ToLower(strings.TrimSpace(q))
		}
		// A server may offer several algorithms for a realm; the first that we can do counts (RFC 8760 section 2.4).
		if !digest.CanDigest(c) || slices.Contains(realms, c.Realm) {
			continue
		}
		known := slices.IndexFunc(a.answers, func(x answer) bool { return x.header == answers && x.realm == c.Realm })
		if known >= 0 && !c.Stale {
			return errRefusedAgain
		}
		value, err := a.answer(req, c)
		if err != nil {
			continue
		}
		realms, progress = append(realms, c.Realm), true
		if known >= 0 {
			a.answers[known].value = value
		} else {
			a.answers = append(a.answers, answer{header: answers, realm: c.Realm, value: value})
		}
	}
	if !progress {
		return errChallenge
	}
	return nil
}

func (a *authorization) answer(req *sip.Request, c *digest.Challenge) (string, error) {
	cred, err := digest.Digest(c, digest.Options{
		Method: req.Method.String(), URI: req.Recipient.String(), Count: 1,
		Username: a.creds.User, Password: a.creds.Password.Reveal(),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil },
	})
	if err != nil {
		return "", err
	}
	return cred.String(), nil
}
