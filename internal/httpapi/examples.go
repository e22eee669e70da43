package httpapi

import (
	"github.com/danielgtaylor/huma/v2"
)

// exampleOf is an example value of each property whose name says what it holds, so that the document's examples can be
// read, and are alike everywhere. Numbers are fictional (NANP 555-01xx).
func exampleOf(property string) (any, bool) {
	const project, agent = "94f53ecd-ec99-42fc-bc69-e79468550af2", "232ac42a-2ea0-4276-a5d8-43c8c9f7b857"
	v, ok := map[string]any{
		"projectId": project, "project_id": project, "active_project": project,
		"agentId": agent, "agent_id": agent, "active_agent": agent,
		"user_id": "6c3f3b52-5d5b-4f6e-9d1c-2f7a4c8f0e11",
		"sid":     "CA00000000000000000000000000000000", "callSid": "CA00000000000000000000000000000000", "call_id": "CA00000000000000000000000000000000",
		"to": "+12065550123", "from": "+14155550148", "number": "+12065550123", "e164": "+14155550148",
		"phoneNumber": "+14155550148", "phone_number": "+14155550148",
		"created_at": "2026-03-11T17:49:38.925Z", "updated_at": "2026-03-11T17:49:38.925Z", "expirationTime": "2026-03-11T19:49:38.000Z",
		"startTime": "2026-03-11T17:49:38.925Z", "endTime": "2026-03-11T17:50:31.102Z",
		"answered_at": "2026-03-11T17:49:44.310Z", "ended_at": "2026-03-11T17:50:31.102Z",
		"voice_id": "kokoro-af_heart", "systemInstruction": "You are {{agent}} of {{company}}.", "prompt": "You are {{agent}} of {{company}}.",
		"greeting": "Hello, this is the clinic. How can I help you?", "recordingUrls": []string{"https://talk.example/v1/calls/CA00000000000000000000000000000000/recording?expires=1773337778&signature=…"},
		"recording_url":    "https://talk.example/v1/calls/CA00000000000000000000000000000000/recording?expires=1773337778&signature=…",
		"dynamicVariables": map[string]any{"name": "John"}, "dynamic_variables": map[string]any{"name": "John"},
		"slots": map[string]string{"date": "2026-03-12"}, "email": "example@host.com",
	}[property]
	return v, ok
}

// addExamples gives the properties of all schemas an example where they have none.
func addExamples(registry huma.Registry) {
	for _, s := range registry.Map() {
		for name, p := range s.Properties {
			if p.Ref != "" || len(p.Examples) > 0 || p.Type != huma.TypeString && p.Type != huma.TypeObject && p.Type != huma.TypeArray {
				continue
			}
			if v, ok := exampleOf(name); ok {
				p.Examples = []any{v}
			}
		}
	}
}
