package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"

	"talkstack"
)

// V1Webhook is where a project's messages go, and how they are signed.
type V1Webhook struct {
	URL                 string           `json:"url"` // empty: no messages are made
	Secret              talkstack.Secret `json:"secret"`
	PreviousSecretUntil time.Time        `json:"previous_secret_valid_until"` // zero: one secret only
}

// GetWebhook reads a project's webhook.
func (v V1) GetWebhook(ctx context.Context, id talkstack.ProjectID) (V1Webhook, error) {
	var w V1Webhook
	err := v.c.call(ctx, get("/v1/projects/"+segment(id)+"/webhook", &w))
	return w, err
}

// PatchWebhook sets where a project's messages go. Empty: none are made any more, and those that wait are given up.
func (v V1) PatchWebhook(ctx context.Context, id talkstack.ProjectID, target string) (V1Webhook, error) {
	var w V1Webhook
	in := map[string]*string{"url": &target}
	if target == "" {
		in["url"] = nil
	}
	err := v.c.call(ctx, set(http.MethodPatch, "/v1/projects/"+segment(id)+"/webhook", in, &w))
	return w, err
}

// RotateWebhookSecret makes a new secret. For the overlap messages are signed with the old one too; 0: not at all, for a
// secret that has leaked. It is never repeated: that would end the old secret twice.
func (v V1) RotateWebhookSecret(ctx context.Context, id talkstack.ProjectID, overlap time.Duration) (V1Webhook, error) {
	var w V1Webhook
	in := map[string]int{"overlap_seconds": int(overlap / time.Second)}
	err := v.c.call(ctx, send(http.MethodPost, "/v1/projects/"+segment(id)+"/webhook/rotate-secret", in, &w))
	return w, err
}

// TestWebhook sends a message of type webhook.test.
func (v V1) TestWebhook(ctx context.Context, id talkstack.ProjectID, options ...RequestOption) (V1Delivery, error) {
	var d V1Delivery
	err := v.c.call(ctx, create("/v1/projects/"+segment(id)+"/webhook/test", nil, &d, options))
	return d, err
}

// V1Delivery is a webhook message and how it fared.
type V1Delivery struct {
	ID            talkstack.DeliveryID    `json:"id"` // what receivers see as webhook-id
	ProjectID     talkstack.ProjectID     `json:"project_id"`
	SID           talkstack.CallSID       `json:"sid"` // empty: of no call
	Type          talkstack.EventType     `json:"type"`
	State         talkstack.DeliveryState `json:"state"`
	Attempts      int                     `json:"attempts"`
	LastStatus    int                     `json:"last_status"` // 0: no answer came
	LastError     string                  `json:"last_error"`
	NextAttemptAt time.Time               `json:"next_attempt_at"` // zero: none
	CreatedAt     time.Time               `json:"created_at"`
	GiveUpAt      time.Time               `json:"give_up_at"`
	FinishedAt    time.Time               `json:"finished_at"` // zero: not yet
	Body          json.RawMessage         `json:"body"`        // nil in lists, and before the first try
}

// DeliveryFilter narrows a list of messages; empty fields allow everything.
type DeliveryFilter struct {
	ProjectID talkstack.ProjectID
	SID       talkstack.CallSID
	State     talkstack.DeliveryState
	Type      talkstack.EventType
}

// ListWebhookDeliveries reads messages, newest first.
func (v V1) ListWebhookDeliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[V1Delivery, error] {
	return list[V1Delivery](ctx, v.c, "/v1/webhook-deliveries", filters(
		"project_id", string(f.ProjectID), "sid", string(f.SID), "state", string(f.State), "type", string(f.Type)))
}

// GetWebhookDelivery reads a message.
func (v V1) GetWebhookDelivery(ctx context.Context, id talkstack.DeliveryID) (V1Delivery, error) {
	var d V1Delivery
	err := v.c.call(ctx, get("/v1/webhook-deliveries/"+segment(id), &d))
	return d, err
}

// ReplayWebhookDelivery sends a message once more, under its old id.
func (v V1) ReplayWebhookDelivery(ctx context.Context, id talkstack.DeliveryID) (V1Delivery, error) {
	var d V1Delivery
	err := v.c.call(ctx, set(http.MethodPost, "/v1/webhook-deliveries/"+segment(id)+"/replay", nil, &d))
	return d, err
}
