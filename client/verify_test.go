package client_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
)

func TestVerifyWebhook(t *testing.T) {
	t.Parallel()
	// the worked example of the Standard Webhooks specification's libraries
	known := http.Header{}
	known.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	known.Set("webhook-timestamp", "1614265330")
	known.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	const shared = talkstack.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err := client.VerifyWebhook(shared, known, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)); err != nil {
		t.Errorf("the worked example: %v", err)
	}

	secret, old := talkstack.NewWebhookSecret(), talkstack.NewWebhookSecret()
	now := time.Date(2026, 3, 11, 17, 49, 38, 0, time.UTC)
	body := []byte(`{"type":"call.ended"}`)
	sign := func(s talkstack.Secret, id string, at time.Time) string {
		key, err := base64.StdEncoding.DecodeString(s.Reveal()[len(talkstack.WebhookSecretPrefix):])
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "." + string(body)))
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	message := func(at time.Time, signature string) http.Header {
		h := http.Header{}
		h.Set("webhook-id", "msg_1")
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", signature)
		return h
	}
	good := sign(secret, "msg_1", now)
	for name, c := range map[string]struct {
		secret talkstack.Secret
		header http.Header
		body   string
		want   talkstack.Code
	}{
		"signed":                {secret, message(now, good), string(body), ""},
		"four minutes late":     {secret, message(now.Add(-4*time.Minute), sign(secret, "msg_1", now.Add(-4*time.Minute))), string(body), ""},
		"by both secrets":       {old, message(now, good+" "+sign(old, "msg_1", now)), string(body), ""},
		"beside another scheme": {secret, message(now, "v1a,AAAA "+good), string(body), ""},
		"forged body":           {secret, message(now, good), `{"type":"call.endeD"}`, talkstack.CodeUnauthenticated},
		"another secret":        {old, message(now, good), string(body), talkstack.CodeUnauthenticated},
		"another id":            {secret, message(now, sign(secret, "msg_2", now)), string(body), talkstack.CodeUnauthenticated},
		"a later time":          {secret, message(now.Add(time.Second), good), string(body), talkstack.CodeUnauthenticated},
		"six minutes old":       {secret, message(now.Add(-6*time.Minute), sign(secret, "msg_1", now.Add(-6*time.Minute))), string(body), talkstack.CodeUnauthenticated},
		"from the future":       {secret, message(now.Add(6*time.Minute), sign(secret, "msg_1", now.Add(6*time.Minute))), string(body), talkstack.CodeUnauthenticated},
		"of no time":            {secret, message(time.Unix(1<<62, 0), sign(secret, "msg_1", time.Unix(1<<62, 0))), string(body), talkstack.CodeUnauthenticated},
		"another version":       {secret, message(now, "v2,"+good[3:]), string(body), talkstack.CodeUnauthenticated},
		"unsigned":              {secret, message(now, ""), string(body), talkstack.CodeUnauthenticated},
		"no headers":            {secret, http.Header{}, string(body), talkstack.CodeUnauthenticated},
		"no secret":             {"", message(now, good), string(body), talkstack.CodeInvalid},
	} {
		if err := client.VerifyWebhook(c.secret, c.header, []byte(c.body), now); talkstack.ErrorCode(err) != c.want {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}
