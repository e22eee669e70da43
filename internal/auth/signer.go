package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"time"

	"talkstack"
)

// Signer makes links that work without credentials until they expire, by HMAC-SHA256 over path and expiry.
type Signer struct {
	key []byte
	now func() time.Time
}

// NewSigner makes a Signer. The key must be 32 random bytes, the same on every node; now is the clock.
func NewSigner(key []byte, now func() time.Time) *Signer { return &Signer{key: key, now: now} }

// Sign returns the query string that opens path until expires.
func (s *Signer) Sign(path string, expires time.Time) string {
	at := strconv.FormatInt(expires.Unix(), 10)
	return url.Values{"expires": {at}, "signature": {s.mac(path, at)}}.Encode()
}

// Check tells whether a link's expires and signature parameters open path now. What does not is CodeForbidden.
func (s *Signer) Check(path, expires, signature string) error {
	if !hmac.Equal([]byte(s.mac(path, expires)), []byte(signature)) {
		return talkstack.Errorf(talkstack.CodeForbidden, "The link's signature is not valid.")
	}
	at, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || s.now().Unix() >= at {
		return talkstack.Errorf(talkstack.CodeForbidden, "The link has expired. Fetch the call again for a new one.")
	}
	return nil
}

func (s *Signer) mac(path, expires string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(path))
	h.Write([]byte{'\n'}) // a path has no line feed: no two inputs give the same text
	h.Write([]byte(expires))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
