package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"talkstack/internal/store"
)

// TestDocumentShowsExamples: each request that a newcomer copies from the document is a good one but for the ids.
func TestDocumentShowsExamples(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]struct{ Examples []any }
			}
		}
	}
	if err := json.Unmarshal(s.API.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, s, "john@host.example", "+14155550148")
	for name, path := range map[string]string{
		"MakeCallRequest": "/call/makeCall", "CreateAgentRequest": "/agent/create-agent", "AssignNumberRequest": "/phone-number/add-number",
		"CallHistoryRequest": "/call/get-call-history", "AgentRef": "/agent", "GetCallRequest": "/call",
	} {
		schema, body := document.Components.Schemas[name], object{}
		for field, p := range schema.Properties {
			if len(p.Examples) > 0 {
				body[field] = p.Examples[0]
			}
		}
		for _, field := range schema.Required {
			if _, ok := body[field]; !ok {
				t.Errorf("%s.%s is required and has no example", name, field)
			}
		}
		delete(body, "voice_id") // the voices are this server's own
		if r := s.Do(t, request{Method: "POST", Path: path, Key: w.Key, Body: body}); r.Status != http.StatusNotFound {
			t.Errorf("the example of %s: %s; want 404, since its ids are nobody's", name, r.Describe())
		}
	}
}
