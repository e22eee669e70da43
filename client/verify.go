package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"talkstack"
)

// webhookTolerance is how far the time of a message may be from the receiver's (Standard Webhooks, "Verifying webhook
// authenticity"): an older one may be a recording of somebody who listened.
const webhookTolerance = 5 * time.Minute

// VerifyWebhook checks that a webhook message is from the server that shares the secret ("whsec_…") and is not older than
// five minutes, by its headers and its body as it came, before anything has parsed it. Now is the receiver's time. A message
// that comes twice has the same webhook-id: receivers remember it. Every failure is of code unauthenticated, but that of a
// secret that is none: invalid.
func VerifyWebhook(secret talkstack.Secret, header http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), talkstack.WebhookSecretPrefix))
	if err != nil || len(key) == 0 {
		return talkstack.Errorf(talkstack.CodeInvalid, "The webhook secret must be %s and base64.", talkstack.WebhookSecretPrefix)
	}
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return talkstack.Errorf(talkstack.CodeUnauthenticated, "The message has no webhook-id and webhook-timestamp.")
	}
	// both bounds as instants: the difference of two times may not fit
	if at := time.Unix(seconds, 0); at.Before(now.Add(-webhookTolerance)) || at.After(now.Add(webhookTolerance)) {
		return talkstack.Errorf(talkstack.CodeUnauthenticated, "The message is not of this time.")
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + stamp + "."))
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	for signature := range strings.FieldsSeq(strings.Join(header.Values("webhook-signature"), " ")) {
		version, text, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return talkstack.Errorf(talkstack.CodeUnauthenticated, "The message is not signed with this secret.")
}
