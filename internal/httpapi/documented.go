package httpapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
)

// What the document says and the handlers check: they are more lenient than a schema can tell, and say what is wrong in
// plainer words. The framework does not look at a schema's extensions, only prints them.

// documentEnum documents the values of a text.
func documentEnum[T ~string](s *huma.Schema, values []T) *huma.Schema {
	return extend(s, "enum", values)
}

// documentAnyOf documents that one of these fields at least must be sent.
func documentAnyOf(s *huma.Schema, fields ...string) *huma.Schema {
	var ways []map[string][]string
	for _, f := range fields {
		ways = append(ways, map[string][]string{"required": {f}})
	}
	return extend(s, "anyOf", ways)
}

func extend(s *huma.Schema, name string, value any) *huma.Schema {
	if s.Extensions == nil {
		s.Extensions = map[string]any{}
	}
	s.Extensions[name] = value
	return s
}

// questionType is a question's type in a request, in any case.
type questionType string

// Schema documents it.
func (questionType) Schema(huma.Registry) *huma.Schema {
	return documentEnum(&huma.Schema{Type: huma.TypeString}, talkstack.QuestionTypes())
}

// statusFilter is the status to look for; an empty one is none.
type statusFilter string

// Schema documents it.
func (statusFilter) Schema(huma.Registry) *huma.Schema {
	return documentEnum(&huma.Schema{Type: huma.TypeString}, talkstack.CallStatuses())
}

// TransformSchema documents that one of the call's names is needed (Q13).
func (callAnalysisRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "sid", "callSid", "call_id")
}

// TransformSchema documents that one of the call's names is needed (Q13).
func (getCallRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "sid", "callSid", "call_id")
}

// TransformSchema documents that either spelling is needed (Q8).
func (refreshTokenRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "refreshToken", "resfreshToken")
}

// TransformSchema documents that there must be something to change (Q26).
func (updateAgentRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "name", "systemInstruction", "voice_id")
}

// TransformSchema documents that there must be something to change (Q18).
func (updateProjectRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "name", "description", "webhookUrl")
}

// TransformSchema documents that one of the three is needed (section 8.1 of the contract).
func (getNumberRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return documentAnyOf(s, "phoneNumberId", "agentId", "projectId")
}

// TransformSchema documents what depends on the type.
func (WebhookMessage) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["type"].Enum = []any{talkstack.EventCallStatus, talkstack.EventCallEnded, talkstack.EventCallAnalyzed, talkstack.EventTest}
	transcript := r.Schema(reflect.TypeFor[[]turn](), true, "")
	transcript.Description = "Of call.ended: what was said."
	s.Properties["data"] = &huma.Schema{
		Description: "The call as it was when the event became true; an empty object in webhook.test.",
		AnyOf: []*huma.Schema{
			{AllOf: []*huma.Schema{
				r.Schema(reflect.TypeFor[call](), true, ""),
				{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"transcript": transcript}},
			}},
			{Type: huma.TypeObject, AdditionalProperties: false},
		},
	}
	return s
}

// documentWebhook documents the requests that the server itself makes (section 12.6 of the contract).
func (a *API) documentWebhook() {
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	document := a.huma.OpenAPI()
	document.Webhooks = map[string]*huma.PathItem{"callUpdate": {Post: &huma.Operation{
		OperationID: "callUpdateWebhook", Tags: []string{"Webhooks"}, Summary: "Sent to the project's call_status_webhook",
		Description: "At every change of a call's status, once when it has ended, and once when its recording and analysis are there; the messages of a call come in order. " +
			"Any 2xx ends it, 410 Gone gives it up, anything else is retried with growing pauses for 72 hours. See /v1/webhook-deliveries.",
		Security: []map[string][]string{},
		Parameters: []*huma.Param{
			header("webhook-id", "Standard Webhooks: the same on every try of one message."),
			header("webhook-timestamp", "When it was sent, in seconds since 1970."),
			header("webhook-signature", "v1, and the base64 HMAC-SHA256 of \"id.timestamp.body\" by the project's secret; two, separated by a space, while it has two."),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			jsonType: {Schema: document.Components.Schemas.Schema(reflect.TypeFor[WebhookMessage](), true, "")},
		}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "Received."},
			"4XX": {Description: http.StatusText(http.StatusGone) + " (410): given up. Any other: retried."},
			"5XX": {Description: "Retried."},
		},
	}}}
}
