package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"talkstack"
)

// signatures are those of a message by the project's secrets, separated by spaces (Standard Webhooks, "Signature
// scheme"): by the one in force, and for a while by the one before it.
func signatures(p *talkstack.Project, id talkstack.DeliveryID, at time.Time, body []byte) (string, error) {
	current, err := sign(p.WebhookSecret, id, at, body)
	if err != nil || p.WebhookOldSecret == "" || !at.Before(p.WebhookOldUntil) {
		return current, err
	}
	old, err := sign(p.WebhookOldSecret, id, at, body)
	return current + " " + old, err
}

// sign is the symmetric signature, version 1: HMAC-SHA256 of "id.timestamp.body" by the bytes behind the prefix.
func sign(secret talkstack.Secret, id talkstack.DeliveryID, at time.Time, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), talkstack.WebhookSecretPrefix))
	if err != nil {
		return "", fmt.Errorf("webhook: secret: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(string(id) + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
