package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"talkstack/internal/auth"
)

// Values that the examples have in common. Numbers are fictional (NANP 555-01xx).
const (
	exampleSID       = "CA00000000000000000000000000000000"
	exampleTime      = "2026-03-11T17:49:38.925Z"
	exampleLater     = "2026-03-11T17:50:31.102Z"
	exampleRecording = "https://talk.example/v1/calls/" + exampleSID + "/recording?expires=1773337778&signature=…"
)

// exampleValues are example values of the properties whose names say what they hold, so that the document's examples can
// be read, and are alike everywhere.
func exampleValues() map[string]any {
	const project, agent = "94f53ecd-ec99-42fc-bc69-e79468550af2", "232ac42a-2ea0-4276-a5d8-43c8c9f7b857"
	return map[string]any{
		"projectId": project, "project_id": project, "active_project": project,
		"agentId": agent, "agent_id": agent, "active_agent": agent, "active_agent_id": agent,
		"user_id": "6c3f3b52-5d5b-4f6e-9d1c-2f7a4c8f0e11", "id": "3189fbff-f9fa-4920-b95c-63387b1204a4",
		"batch_id": "b6f0c2de-6f1f-4c53-9f3a-0d8f3c9f8a11",
		"sid":      exampleSID, "callSid": exampleSID, "call_id": exampleSID, "call_sid": exampleSID,
		"to": "+12065550123", "from": "+14155550148", "number": "+12065550123", "e164": "+14155550148",
		"phoneNumber": "+14155550148", "phone_number": "+14155550148",
		"created_at": exampleTime, "updated_at": exampleTime, "timestamp": exampleTime, "expirationTime": "2026-03-11T19:49:38.000Z",
		"startTime": exampleTime, "endTime": exampleLater, "answered_at": "2026-03-11T17:49:44.310Z", "ended_at": exampleLater, "finished_at": exampleLater,
		"voice_id": "kokoro-af_heart", "systemInstruction": "You are {{agent}} of {{company}}.", "prompt": "You are {{agent}} of {{company}}.",
		"greeting": "Hello, this is the clinic. How can I help you?", "recordingUrls": []string{exampleRecording}, "recording_url": exampleRecording,
		"dynamicVariables": map[string]any{"name": "John"}, "dynamic_variables": map[string]any{"name": "John"},
		"slots": map[string]any{"date": "2026-03-12"}, "missingVariables": []any{"company"}, "missing_variables": []any{"company"},
		"email": "example@host.com", "password": "XXXXXXXXXX", "oldPassword": "Old@1234", "newPassword": "New@123",
		"token": "xxxxxxxxxxxxxxxxxxx", "refreshToken": "xxxxxxxxxxxxxxxxxxx", "resfreshToken": "xxxxxxxxxxxxxxxxxxx",
		"apiKey": strings.Repeat("0", 64), "name": "Jack", "company_name": "Acme", "description": "This is a demo project.",
		"call_status_webhook": "https://example.com/hook", "webhook_url": "https://example.com/hook",
		"seconds": 47, "duration_seconds": 46.8, "cost": 0.077, "row": 1, "total": 2, "queued": 1, "time_zone": "Europe/London",
		"reason":      "The number has no country code: write it with +, for example +14155550148.",
		"labels":      map[string]any{"accent": "American", "description": "expressive", "age": "middle-aged", "gender": "female", "use_case": "social media"},
		"preview_url": "https://talk.example/voices/kokoro-af_heart/preview", "partnerId": "partner-id", "shiftId": "shift-id", "assignmentId": "assignment-id",
		"call_summary": "John confirmed the appointment.", "summary": "John confirmed the appointment.", "question": "Did the caller confirm the appointment?",
		"text": "Yes, at nine.", "word": "Yes,", "next_cursor": "eyJsIjoiY2FsbHMifQ", "options": []any{"User got better offers.", "User is not interested anymore."},
		"hubspotCode": "xxxxxxxxxxxxxxxxxxx", "hubspotRedirectUri": "https://app.example/hubspot", "code": "xxxxxxxxxxxxxxxxxxx", "redirect_uri": "https://app.example/hubspot",
		"resource_id": agent, "numbers": []any{"+12065550123"}, "analyzer": "rules", "kind": "oauth", "last_error": "HubSpot answered 429 Too Many Requests.",
		"latency": map[string]any{"p50_ms": 740, "p95_ms": 1210, "turns": 6}, "parts": map[string]any{"carrier": 0.05, "tts": 0.027}, "p50Ms": 740, "p95Ms": 1210, "turns": 6,
		"data": map[string]any{"newDate": "2026-03-12"}, "custom_analysis_data": map[string]any{"newDate": "2026-03-12"}, "flow": exampleFlow(),
		"endpointing": map[string]any{"complete_ms": 300, "incomplete_ms": 1200, "digits_ms": 1500, "limit_ms": 1600}, "barge_in": map[string]any{"enabled": true, "pause_after_ms": 100},
		"end_call_phrases": []any{"goodbye"}, "idle_prompts": []any{map[string]any{"after_ms": 3000, "text": "Are you there?"}}, "speed": 1.0,
		"max_duration_ms": 1800000, "ring_timeout_ms": 30000, "silence_limit_ms": 6000, "keypad_timeout_ms": 3000,
		"retry": []any{map[string]any{"outcome": "busy", "times": 2, "after_seconds": 600}}, "after_seconds": 600,
		"voicemail": map[string]any{"detect": true, "action": "message", "message": "Please call us back."}, "status": "completed", "retry_of": exampleSID,
		"message": "The agent hung up.", "error": "The number is on the do-not-call list.", "version": 1, "value": "yes", "key": "1", "start": "welcome", "next": "bye", "on_fail": "bye", "on": "answer", "url": "https://example.com/hook",
	}
}

// exampleFlow asks one thing and hangs up.
func exampleFlow() map[string]any {
	return map[string]any{"start": "date", "nodes": []any{
		map[string]any{"id": "date", "kind": "ask", "text": "Which day suits you?", "slot": map[string]any{"name": "date", "type": "date"}, "next": "bye"},
		map[string]any{"id": "bye", "kind": "end", "text": "Thank you, goodbye."},
	}}
}

// exampleMessages are the texts of the Talkstack family's successes, by operation: as documented, byte for byte.
func exampleMessages() map[string]string {
	return map[string]string{
		"signup": "User registered successfully", "verifyEmail": "email verification successful.", "resendCode": "successfully sent verification code to mail",
		"login": "successfully logged in.", "refreshToken": "successfully refreshed token.", "changePassword": "successfully updated password.",
		"forgotPassword": "If the email is registered, a reset link has been sent.", "resetPassword": "Password has been reset successfully.",
		"generateApiKey":   "API key successfully generated and updated.",
		"setActiveProject": "successfully set project with id 94f53ecd-ec99-42fc-bc69-e79468550af2 active.", "getActiveProject": "fetched active project data.",
		"listProjects": "successfully fetched project list.", "createProject": "successfully created project.", "getProject": "successfully fetched project data.",
		"updateProject": "successfully updated project info.", "deleteProject": "successfully deleted project.", "addWebhookUrl": "added webhook url.",
		"getActiveAgent": "fetched active agent.", "setActiveAgent": "updated active agent successfully.",
		"removeActiveAgent": "Removed active agent from project successfully.",
		"createAgent":       "agent created successfully.", "updateAgent": "agent data updated successfully.", "deleteAgent": "Agent Deleted",
		"makeCall": "call made successfully.", "getCallHistory": "successfully fetched call history.", "getCallAnalysis": "call analysis fetched successfully.",
		"batchCall": "batch calls queued.", "listVoices": "successfully fetched voice list.", "getVoice": "successfully fetched voice list.",
		"getPhoneNumber": "Phone number details fetched successfully.", "assignPhoneNumber": "PhoneNumber assigned successfully.",
	}
}

// exampleStatuses are the values of the enums of section 9 of the contract in a success.
func exampleStatuses() map[string]any {
	return map[string]any{"signupStatus": signupSuccess, "verificationStatus": verifySuccess, "loginStatus": loginSuccess}
}

// addExamples gives the properties of all schemas an example where they have none, and each operation one of its request,
// its success and its errors.
func addExamples(document *huma.OpenAPI) {
	e := exampler{registry: document.Components.Schemas, values: exampleValues(), messages: exampleMessages(), statuses: exampleStatuses()}
	for _, s := range e.registry.Map() {
		for name, p := range s.Properties {
			if p.Ref != "" || len(p.Examples) > 0 || len(p.Enum) > 0 {
				continue
			}
			if v, ok := e.values[name]; ok && fits(p, v) {
				p.Examples = []any{v}
			}
		}
	}
	for _, item := range document.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o != nil {
				e.exemplify(o)
			}
		}
	}
	for _, item := range document.Webhooks {
		e.exemplify(item.Post)
	}
}

// fits says whether an example is of the property's type: the same name may mean another thing elsewhere.
func fits(p *huma.Schema, v any) bool {
	switch v.(type) {
	case string:
		return p.Type == huma.TypeString
	case int:
		return p.Type == huma.TypeInteger || p.Type == huma.TypeNumber
	case float64:
		return p.Type == huma.TypeNumber
	case map[string]any:
		return p.Type == huma.TypeObject
	}
	return p.Type == huma.TypeArray
}

// exampler makes the examples of a document.
type exampler struct {
	registry huma.Registry
	values   map[string]any    // by property
	messages map[string]string // of a success, by operation
	statuses map[string]any    // of a success, by property
}

// exemplify gives an operation examples of its request, its success and its errors.
func (e exampler) exemplify(o *huma.Operation) {
	if o.RequestBody != nil {
		for mediaType, m := range o.RequestBody.Content {
			if strings.HasSuffix(mediaType, "json") && m.Example == nil {
				m.Example = sample{e, nil}.of(m.Schema, "", 0)
			}
		}
	}
	for status, r := range o.Responses {
		m, ok := r.Content[jsonType]
		if !ok || m.Example != nil {
			continue
		}
		if code, err := strconv.Atoi(status); err == nil && code >= http.StatusBadRequest && (o.OperationID != "readiness" || code != http.StatusServiceUnavailable) {
			m.Example = exampleError(o, code, r.Description)
			continue
		}
		fixed := maps.Clone(e.statuses)
		if text, ok := e.messages[o.OperationID]; ok {
			fixed["message"] = text
		}
		m.Example = sample{e, fixed}.of(m.Schema, "", 0)
	}
}

// exampleError is an error as this operation answers it.
func exampleError(o *huma.Operation, status int, message string) any {
	shape, ok := o.Metadata[shapeKey].(errorShape)
	if !ok {
		return nil
	}
	return shape(failure{status: status, code: codeOf(status), message: message, cause: map[int]error{
		http.StatusBadRequest: auth.ErrMalformedEmail, http.StatusUnauthorized: auth.ErrWrongPassword, http.StatusNotFound: auth.ErrUnknownAccount,
	}[status]})
}

// sample makes values out of schemas.
type sample struct {
	exampler
	fixed map[string]any // properties of the outermost object
}

// of is an example of a schema: the property's own, or one that is put together.
func (e sample) of(s *huma.Schema, property string, depth int) any {
	for s.Ref != "" {
		s = e.registry.SchemaFromRef(s.Ref)
	}
	if v, ok := e.fixed[property]; ok && depth == 1 {
		return v
	}
	if len(s.Examples) > 0 {
		return s.Examples[0]
	}
	if v, ok := e.values[property]; ok && fits(s, v) && e.keeps(s, v) {
		return v
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	if s.Default != nil {
		return s.Default
	}
	if way := slices.IndexFunc(slices.Concat(s.AnyOf, s.OneOf), func(s *huma.Schema) bool { return s.Type != "null" }); way >= 0 {
		return e.of(slices.Concat(s.AnyOf, s.OneOf)[way], property, depth)
	}
	switch s.Type {
	case huma.TypeArray:
		return []any{e.of(s.Items, property, depth+1)}
	case huma.TypeBoolean:
		return false
	case huma.TypeInteger, huma.TypeNumber:
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	case huma.TypeString:
		if s.Format == "date-time" {
			return exampleTime
		}
		if property == "version" {
			return "1.0.0"
		}
		return "…"
	}
	return e.object(s, depth)
}

// keeps says whether an example is of the enum, and has the properties of the object: the same name may mean another thing
// elsewhere.
func (sample) keeps(s *huma.Schema, v any) bool {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return false
	}
	m, ok := v.(map[string]any)
	if !ok || s.Properties == nil {
		return true
	}
	for name := range m {
		if s.Properties[name] == nil {
			return false
		}
	}
	return !slices.ContainsFunc(s.Required, func(name string) bool { return m[name] == nil })
}

func (e sample) object(s *huma.Schema, depth int) map[string]any {
	all := map[string]any{}
	for _, part := range append([]*huma.Schema{s}, s.AllOf...) {
		for part.Ref != "" {
			part = e.registry.SchemaFromRef(part.Ref)
		}
		for name, p := range part.Properties {
			all[name] = e.of(p, name, depth+1)
		}
	}
	return all
}
