package hubspot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"talkstack"
)

// Headers of a signed request.
const (
	SignatureHeader = "X-HubSpot-Signature-v3"
	TimestampHeader = "X-HubSpot-Request-Timestamp"
)

// signatureAge is how old, or how far ahead, a signed request may be.
const signatureAge = 5 * time.Minute

// SignedRequest is a request that claims to come from HubSpot.
type SignedRequest struct {
	Method    string
	URI       string // as HubSpot has called it: scheme, host, path and query
	Body      []byte
	Signature string // SignatureHeader
	Timestamp string // TimestampHeader: Unix milliseconds
}

// Verify checks a request's signature, version 3 (request validation guide): HMAC-SHA256 by the app's client secret over
// method, URI, body and timestamp, in Base64. What is not signed, or five minutes old, is unauthenticated.
func (c *Connector) Verify(r SignedRequest) error {
	if c.client.secret == "" {
		return errNoApp()
	}
	refused := talkstack.Errorf(talkstack.CodeUnauthenticated, "The request is not signed by HubSpot for this address (%s).", SignatureHeader)
	ms, err := strconv.ParseInt(r.Timestamp, 10, 64)
	if err != nil || r.Timestamp != strconv.FormatInt(ms, 10) {
		return refused
	}
	given, err := base64.StdEncoding.Strict().DecodeString(r.Signature)
	if err != nil {
		return refused
	}
	if !hmac.Equal(given, signature(c.client.secret, r)) {
		return refused
	}
	if age := c.now().Sub(time.UnixMilli(ms)); age > signatureAge || age < -signatureAge {
		return talkstack.Errorf(talkstack.CodeUnauthenticated, "The request is too old: its %s must be within 5 minutes of now.", TimestampHeader)
	}
	return nil
}

// Sign is the signature of a request, for those who play HubSpot.
func Sign(secret talkstack.Secret, r SignedRequest) string {
	return base64.StdEncoding.EncodeToString(signature(secret, r))
}

func signature(secret talkstack.Secret, r SignedRequest) []byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write([]byte(r.Method))
	h.Write([]byte(decodeURI(r.URI)))
	h.Write(r.Body)
	h.Write([]byte(r.Timestamp))
	return h.Sum(nil)
}

// decodeURI undoes the escapes of those characters alone that HubSpot signs unescaped.
func decodeURI(uri string) string {
	if !strings.Contains(uri, "%") {
		return uri
	}
	pairs := []string{}
	for escape, char := range map[string]string{
		"3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$", "27": "'", "28": "(", "29": ")", "2A": "*", "2C": ",", "3B": ";",
	} {
		pairs = append(pairs, "%"+escape, char)
		if lower := strings.ToLower(escape); lower != escape {
			pairs = append(pairs, "%"+lower, char)
		}
	}
	return strings.NewReplacer(pairs...).Replace(uri)
}
