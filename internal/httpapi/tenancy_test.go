package httpapi_test

import (
	"net/http"
	"slices"
	"testing"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

// Every endpoint, asked for somebody else's objects, must answer as for objects that do not exist: the same status and
// the same text, and nothing changed.

func TestOtherPeoplesObjectsAreUnknown(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		john := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		sid := string(john.finished(t, s, object{"name": "John"}, ""))
		for _, r := range []struct {
			name   string
			mine   request // with ids of nothing
			theirs request // with John's
		}{
			{"get project", request{Method: "GET", Path: "/project/none"}, request{Method: "GET", Path: "/project/" + string(john.project)}},
			{"get agent", post("/agent", object{"agentId": "none", "projectId": eve.project}), post("/agent", object{"agentId": john.agent, "projectId": eve.project})},
			{"get agent with its project", post("/agent", object{"agentId": "none", "projectId": "none"}), post("/agent", object{"agentId": john.agent, "projectId": john.project})},
			{"list agents", request{Method: "GET", Path: "/agent/none"}, request{Method: "GET", Path: "/agent/" + string(john.project)}},
			{
				"create agent", post("/agent/create-agent", object{"name": "n", "systemInstruction": "p", "projectId": "none"}),
				post("/agent/create-agent", object{"name": "n", "systemInstruction": "p", "projectId": john.project}),
			},
			{
				"number to their agent", post("/phone-number/add-number", object{"e164": "+14155550170", "agentId": "none", "projectId": eve.project}),
				post("/phone-number/add-number", object{"e164": "+14155550170", "agentId": john.agent, "projectId": eve.project}),
			},
			{
				"number to their project", post("/phone-number/add-number", object{"e164": "+14155550170", "agentId": "none", "projectId": "none"}),
				post("/phone-number/add-number", object{"e164": "+14155550170", "agentId": john.agent, "projectId": john.project}),
			},
			{
				"call with their agent", post("/call/makeCall", object{"number": "+12065550123", "agentId": "none", "projectId": eve.project}),
				post("/call/makeCall", object{"number": "+12065550123", "agentId": john.agent, "projectId": eve.project}),
			},
			{
				"call in their project", post("/call/makeCall", object{"number": "+12065550123", "agentId": "none", "projectId": "none"}),
				post("/call/makeCall", object{"number": "+12065550123", "agentId": john.agent, "projectId": john.project}),
			},
			{"call data", post("/call", object{"sid": "CA00000000000000000000000000000000"}), post("/call", object{"sid": sid})},
			{"call data by the carrier's sid", post("/call", object{"sid": "none"}), post("/call", object{"sid": "carrier-" + sid})},
			{"history", post("/call/get-call-history", object{"projectId": "none"}), post("/call/get-call-history", object{"projectId": john.project})},
			{"/v1 agent", request{Method: "GET", Path: "/v1/agents/none"}, request{Method: "GET", Path: "/v1/agents/" + string(john.agent)}},
			{
				"/v1 agent, patched",
				request{Method: "PATCH", Path: "/v1/agents/none", Body: object{"name": "Eve's"}},
				request{Method: "PATCH", Path: "/v1/agents/" + string(john.agent), Body: object{"name": "Eve's"}},
			},
			{"/v1 call", request{Method: "GET", Path: "/v1/calls/none"}, request{Method: "GET", Path: "/v1/calls/" + sid}},
			{"/v1 transcript", request{Method: "GET", Path: "/v1/calls/none/transcript"}, request{Method: "GET", Path: "/v1/calls/" + sid + "/transcript"}},
			{"/v1 recording", request{Method: "GET", Path: "/v1/calls/none/recording"}, request{Method: "GET", Path: "/v1/calls/" + sid + "/recording"}},
		} {
			r.mine.Key, r.theirs.Key = eve.Key, eve.Key
			unknown, theirs := s.Do(t, r.mine), s.Do(t, r.theirs)
			if unknown.Status != http.StatusNotFound && unknown.Status != http.StatusBadRequest {
				t.Errorf("%s: unknown ids answer %s", r.name, unknown.Describe())
			}
			if theirs.Status != unknown.Status || string(theirs.Body) != string(unknown.Body) {
				t.Errorf("%s: John's ids answer %s; ids of nothing answer %s", r.name, theirs.Describe(), unknown.Describe())
			}
		}
		if r := s.Do(t, request{Method: "GET", Path: "/project", Key: eve.Key}); len(r.At("data").(list)) != 1 || r.Text("data", 0, "id") != string(eve.project) {
			t.Errorf("Eve's projects: %s", r.Body)
		}
		agent, err := s.DB.Agent(t.Context(), john.ID, john.agent)
		if err != nil || agent.Name != "Jack" || agent.Version != 1 {
			t.Errorf("John's agent was changed: %+v, %v", agent, err)
		}
		agents, err := s.DB.Agents(t.Context(), john.ID, john.project)
		if err != nil || len(agents) != 1 {
			t.Errorf("John has %d agents, %v", len(agents), err)
		}
		if placed := s.Calls.Placed(); slices.ContainsFunc(placed[1:], func(p talkstack.Placement) bool { return p.UserID != eve.ID }) {
			t.Errorf("a call was placed in another name: %v", placed)
		}
	})
}

func post(path string, body object) request { return request{Method: "POST", Path: path, Body: body} }
