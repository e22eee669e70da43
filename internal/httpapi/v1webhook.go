package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

const deliveryList = "webhook-deliveries" // for cursors

// v1Webhook is where the messages of a project go.
type v1Webhook struct {
	URL                 *string           `json:"url" nullable:"true" doc:"Null: no messages are made." example:"https://example.com/hook"`
	Secret              string            `json:"secret" doc:"Messages are signed with it by Standard Webhooks: the HMAC-SHA256 of \"id.timestamp.body\" by the bytes behind whsec_, in base64." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	PreviousSecretUntil optionalTimestamp `json:"previous_secret_valid_until" doc:"Until then messages are signed with the secret before this one too; null: they are not."`
}

func (a *API) wireWebhook(p talkstack.Project) v1Webhook {
	w := v1Webhook{URL: textOrNull(p.WebhookURL), Secret: p.WebhookSecret.Reveal()}
	if p.WebhookOldSecret != "" && a.Now().Before(p.WebhookOldUntil) {
		w.PreviousSecretUntil = optionalTimestamp{p.WebhookOldUntil}
	}
	return w
}

// v1Delivery is one webhook message and how it fares.
type v1Delivery struct {
	ID            talkstack.DeliveryID    `json:"id" doc:"The webhook-id: the same on every try." example:"msg_5XWQJ7M4BCTPPJDZ2XVK3ZSHLU"`
	ProjectID     talkstack.ProjectID     `json:"project_id"`
	SID           *string                 `json:"sid" nullable:"true" doc:"Of the call; null for a test. The messages of a call are delivered in order."`
	Type          talkstack.EventType     `json:"type" enum:"call.status,call.ended,call.analyzed,webhook.test"`
	State         talkstack.DeliveryState `json:"state" enum:"pending,delivered,dead" doc:"dead: given up, after 72 hours or because the receiver said 410 Gone."`
	Attempts      int                     `json:"attempts"`
	LastStatus    *int                    `json:"last_status" nullable:"true" doc:"HTTP status of the last answer; null: none came." example:"500"`
	LastError     *string                 `json:"last_error" nullable:"true" doc:"What was wrong with the last try, for people; null: nothing." example:"The receiver answered 500 Internal Server Error."`
	NextAttemptAt optionalTimestamp       `json:"next_attempt_at" doc:"Null: none, or not before the message ahead of it is finished."`
	CreatedAt     timestamp               `json:"created_at"`
	GiveUpAt      timestamp               `json:"give_up_at"`
	FinishedAt    optionalTimestamp       `json:"finished_at" doc:"When it was delivered or given up. It is kept for 30 days from then."`
	Body          messageBody             `json:"body,omitempty" doc:"Missing in lists, and before the first try."`
}

func wireDelivery(d talkstack.Delivery) v1Delivery {
	w := v1Delivery{
		ID: d.ID, ProjectID: d.ProjectID, SID: textOrNull(d.CallSID), Type: d.Type, State: d.State, Attempts: d.Attempts,
		LastError: textOrNull(d.LastError), NextAttemptAt: optionalTimestamp{d.NextAttemptAt}, CreatedAt: timestamp{d.CreatedAt},
		GiveUpAt: timestamp{d.GiveUpAt}, FinishedAt: optionalTimestamp{d.FinishedAt},
	}
	if d.LastStatus != 0 {
		w.LastStatus = &d.LastStatus
	}
	return w
}

// messageBody is the body of a message, as it is sent.
type messageBody json.RawMessage

// MarshalJSON prints it as it is.
func (b messageBody) MarshalJSON() ([]byte, error) { return b, nil }

// Schema documents it.
func (messageBody) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "What is sent: type, timestamp, and data with the call. Missing in lists, and before the first try."}
}

type v1ListDeliveriesInput struct {
	PageQuery
	ProjectID talkstack.ProjectID     `query:"project_id" maxLength:"100"`
	SID       talkstack.CallSID       `query:"sid" maxLength:"100" doc:"Of a call."`
	State     talkstack.DeliveryState `query:"state" enum:"pending,delivered,dead"`
	Type      talkstack.EventType     `query:"type" enum:"call.status,call.ended,call.analyzed,webhook.test"`
}

type v1DeliveryPath struct {
	ID talkstack.DeliveryID `path:"id"`
}

type v1PatchWebhookInput struct {
	ID   talkstack.ProjectID `path:"id"`
	Body struct {
		URL sent[string] `json:"url,omitempty" nullable:"true" maxLength:"2000" doc:"Null or empty: no messages are made any more, and those that wait are given up." example:"https://example.com/hook"`
	}
}

type v1RotateSecretInput struct {
	ID   talkstack.ProjectID `path:"id"`
	Body struct {
		OverlapSeconds int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" default:"86400" doc:"How long messages are signed with the old secret too. 0: not at all, for a secret that has leaked."`
	}
}

type v1TestWebhookInput struct {
	Idempotent
	ID talkstack.ProjectID `path:"id"`
}

func (a *API) v1WebhookRoutes() {
	const tag = "Webhooks"
	unknown := map[int]string{http.StatusNotFound: "There is no such project."}
	get(a, "/v1/projects/{id}/webhook", operation{
		ID: "v1GetWebhook", Tag: tag, Summary: "Where a project's messages go, and the secret that signs them", Errors: unknown,
	}, a.v1GetWebhook)
	patch(a, "/v1/projects/{id}/webhook", operation{
		ID: "v1PatchWebhook", Tag: tag, Summary: "Set or clear a project's webhook URL", Errors: unknown,
		Description: "Messages that wait go to the new URL.",
	}, a.v1PatchWebhook)
	post(a, "/v1/projects/{id}/webhook/rotate-secret", operation{
		ID: "v1RotateWebhookSecret", Tag: tag, Summary: "Sign with a new secret", Errors: unknown,
		Description: "While the two overlap, webhook-signature holds one signature by each, separated by a space.",
	}, a.v1RotateWebhookSecret)
	post(a, "/v1/projects/{id}/webhook/test", operation{
		ID: "v1TestWebhook", Tag: tag, Summary: "Send a webhook.test message",
		Description: "It is tried once: look at the delivery to see how it went.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such project.",
			http.StatusConflict: "The project has no webhook URL, or the Idempotency-Key was sent with another request before.",
		},
	}, a.v1TestWebhook)
	get(a, "/v1/webhook-deliveries", operation{
		ID: "v1ListWebhookDeliveries", Tag: tag, Summary: "Webhook messages and how they fare, newest first",
		Errors: map[int]string{http.StatusBadRequest: "A parameter is malformed, or the cursor is not of this list."},
	}, a.v1ListDeliveries)
	missing := map[int]string{http.StatusNotFound: "There is no such message, or it was finished more than 30 days ago."}
	get(a, "/v1/webhook-deliveries/{id}", operation{
		ID: "v1GetWebhookDelivery", Tag: tag, Summary: "One webhook message, with what it says", Errors: missing,
	}, a.v1GetDelivery)
	post(a, "/v1/webhook-deliveries/{id}/replay", operation{
		ID: "v1ReplayWebhookDelivery", Tag: tag, Summary: "Send a message again that was delivered or given up",
		Description: "Under the same webhook-id, with the same body, for up to 72 hours.",
		Errors:      map[int]string{http.StatusNotFound: missing[http.StatusNotFound], http.StatusConflict: "It is still being delivered."},
	}, a.v1ReplayDelivery)
}

func (a *API) v1GetWebhook(ctx context.Context, in *v1ProjectPath) (*body[v1Webhook], error) {
	p, err := a.DB.Project(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(a.wireWebhook(p)), nil
}

func (a *API) v1PatchWebhook(ctx context.Context, in *v1PatchWebhookInput) (*body[v1Webhook], error) {
	if !in.Body.URL.is {
		return a.v1GetWebhook(ctx, &v1ProjectPath{ID: in.ID})
	}
	address, err := a.webhookURL("url", in.Body.URL.value)
	if err != nil {
		return nil, err
	}
	p, err := a.DB.UpdateProject(ctx, caller(ctx).ID, in.ID, store.ProjectUpdate{WebhookURL: &address})
	if err != nil {
		return nil, err
	}
	return reply(a.wireWebhook(p)), nil
}

func (a *API) v1RotateWebhookSecret(ctx context.Context, in *v1RotateSecretInput) (*body[v1Webhook], error) {
	overlap := time.Duration(in.Body.OverlapSeconds) * time.Second
	p, err := a.DB.RotateWebhookSecret(ctx, caller(ctx).ID, in.ID, overlap)
	if err != nil {
		return nil, err
	}
	return reply(a.wireWebhook(p)), nil
}

func (a *API) v1TestWebhook(ctx context.Context, in *v1TestWebhookInput) (*created[v1Delivery], error) {
	user := caller(ctx).ID
	d, replayed, err := makeOnce(ctx, a, in.Idempotent, once[talkstack.DeliveryID, talkstack.Delivery]{
		Operation: "v1TestWebhook", Request: in.ID, NewID: talkstack.NewDeliveryID,
		Make: func(ctx context.Context, id talkstack.DeliveryID) (talkstack.Delivery, error) {
			return a.DB.TestWebhook(ctx, user, in.ID, id)
		},
		Find: func(ctx context.Context, id talkstack.DeliveryID) (talkstack.Delivery, error) {
			return a.DB.Delivery(ctx, user, id)
		},
	})
	if err != nil {
		return nil, err
	}
	return replyCreated(wireDelivery(d), replayed), nil
}

func (a *API) v1ListDeliveries(ctx context.Context, in *v1ListDeliveriesInput) (*body[page[v1Delivery]], error) {
	after, err := openTimeCursor(deliveryList, in.Cursor)
	if err != nil {
		return nil, err
	}
	filter := store.DeliveryFilter{ProjectID: in.ProjectID, CallSID: in.SID, State: in.State, Type: in.Type}
	found, err := a.DB.Deliveries(ctx, caller(ctx).ID, filter, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(found, in.Limit, wireDelivery, func(d talkstack.Delivery) string {
		return sealTimeCursor(deliveryList, d.CreatedAt, string(d.ID))
	})), nil
}

func (a *API) v1GetDelivery(ctx context.Context, in *v1DeliveryPath) (*body[v1Delivery], error) {
	d, err := a.DB.Delivery(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	w := wireDelivery(d)
	w.Body = messageBody(d.Body)
	return reply(w), nil
}

func (a *API) v1ReplayDelivery(ctx context.Context, in *v1DeliveryPath) (*body[v1Delivery], error) {
	d, err := a.DB.ReplayDelivery(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(wireDelivery(d)), nil
}
