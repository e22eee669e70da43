package httpapi_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// The documented examples of projects, agents and numbers (sections 4, 5 and 8 of the contract), and their quirks by
// number, beyond those of the first endpoints.

func (w world) ask(t *testing.T, s *httpapitest.Server, method, path string, body any) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: method, Path: path, Key: w.Key, Body: body})
}

// expectKeys checks that an object has exactly these keys.
func expectKeys(t *testing.T, what string, v any, keys ...string) {
	t.Helper()
	m, _ := v.(object)
	if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, slices.Sorted(slices.Values(keys))) {
		t.Errorf("%s has the keys %v; want %v", what, got, keys)
	}
}

func TestContractOfProjectChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		path := "/project/" + string(w.project)
		s.Clock.Advance(time.Second)
		updated := w.ask(t, s, "PUT", path, object{"name": "John Smith Clinic", "description": "This is a test project.", "webhookUrl": "https://example.com/hook"})
		expectEnvelope(t, updated, "successfully updated project info.")
		kinds{
			"id": "string", "name": "string", "user_id": "string", "status": "string", "description": "string", "is_deleted": "boolean",
			"call_status_webhook": "string", "active_agent": "null", "created_at": "time", "updated_at": "time",
		}.check(t, "updated project", updated.At("data"))
		if updated.Text("data", "name") != "John Smith Clinic" || updated.Text("data", "call_status_webhook") != "https://example.com/hook" ||
			updated.Text("data", "updated_at") == updated.Text("data", "created_at") {
			t.Errorf("updated project: %s", updated.Body)
		}

		hook := w.ask(t, s, "POST", "/project/call-status/add-webhookurl", object{"projectId": w.project, "webhookURL": "https://example.com/other"})
		expectEnvelope(t, hook, "added webhook url.")
		expectKeys(t, "add-webhookurl", hook.JSON, "message", "status")

		none := w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project})
		expectError(t, "no active agent", none, http.StatusNotFound, "No active agent found for the project.")
		set := w.ask(t, s, "PATCH", "/project/active-agent", object{"projectId": w.project, "active_agent": w.agent})
		expectEnvelope(t, set, "updated active agent successfully.")
		kinds{"name": "string", "description": "string", "active_agent": "string", "created_at": "time", "call_status_webhook": "string", "user_id": "string"}.
			check(t, "project with its active agent", set.At("project"))
		got := w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project})
		expectEnvelope(t, got, "fetched active agent.") // Q4: the documented text is another endpoint's
		if got.Text("active_agent") != string(w.agent) {
			t.Errorf("active agent: %s", got.Body)
		}
		removed := w.ask(t, s, "PATCH", "/project/active-agent/"+string(w.agent), nil)
		expectEnvelope(t, removed, "Removed active agent from project successfully.")
		expect(t, "after its removal", w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project}), http.StatusNotFound)

		deleted := w.ask(t, s, "DELETE", path, object{"cascade": true})
		expectEnvelope(t, deleted, "successfully deleted project.")
		expectKeys(t, "deleted project", deleted.JSON, "message", "status")
	})
}

func TestContractOfAgentChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		updated := w.ask(t, s, "PUT", "/agent", object{
			"systemInstruction": "You are Jack. You can take any questions related to astronomy.", "name": "Jack",
			"projectId": w.project, "agentId": w.agent, "voice_id": "EXAVITQu4vr4xnSDxMaL",
		})
		expectEnvelope(t, updated, "agent data updated successfully.")
		fields := kinds{
			"id": "string", "agentId": "string", "projectId": "string", "name": "string", "systemInstruction": "string",
			"voice_id": "string", "phoneNumber": "string",
		}
		fields.check(t, "updated agent, data", updated.At("data"))
		fields.check(t, "updated agent, top level (Q26)", updated.JSON)
		if !strings.Contains(updated.Text("systemInstruction"), "astronomy") || updated.Text("data", "phoneNumber") != w.number {
			t.Errorf("updated agent: %s", updated.Body)
		}
		deleted := w.ask(t, s, "DELETE", "/agent", object{"projectId": w.project, "agentId": w.agent})
		expectEnvelope(t, deleted, "Agent Deleted")
		fields.check(t, "deleted agent: its fields come back", deleted.At("data"))
		expectError(t, "again", w.ask(t, s, "DELETE", "/agent", object{"projectId": w.project, "agentId": w.agent}), http.StatusNotFound, "Agent not found.")
		expectError(t, "get", w.ask(t, s, "POST", "/agent", object{"projectId": w.project, "agentId": w.agent}), http.StatusNotFound, "Agent not found.")
	})
}

func TestContractOfPhoneNumbers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		got := w.ask(t, s, "POST", "/phone-number", object{"agentId": w.agent})
		expectEnvelope(t, got, "Phone number details fetched successfully.") // Q3: status success
		want := object{"e164": "+14155550148", "id": got.At("data", "id"), "status": "AVAILABLE", "projectId": string(w.project), "agentId": string(w.agent)}
		if fmt.Sprint(got.At("data")) != fmt.Sprint(want) || fmt.Sprint(got.At("phoneNumbers")) != fmt.Sprint(list{want}) {
			t.Errorf("phone number: %s", got.Body)
		}
	})
}

func TestQuirksOfProjectChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/project/" + string(w.project)
		put := func(body any) httpapitest.Response { t.Helper(); return w.ask(t, s, "PUT", path, body) }
		hook := func() any {
			t.Helper()
			return w.ask(t, s, "GET", path, nil).At("data", "call_status_webhook")
		}
		// Q15: three spellings and their other cases, in both endpoints; null or "" clears it.
		for i, name := range []string{"webhookUrl", "webhookURL", "call_status_webhook", "webhook_url", "callStatusWebhook"} {
			for j, do := range []func(url string) httpapitest.Response{
				func(url string) httpapitest.Response { return put(object{name: url}) },
				func(url string) httpapitest.Response {
					return w.ask(t, s, "POST", "/project/call-status/add-webhookurl", object{"projectId": w.project, name: url})
				},
			} {
				url := fmt.Sprintf("https://example.com/%d/%d", i, j)
				expect(t, "Q15 "+name, do(url), http.StatusOK)
				if hook() != url {
					t.Errorf("Q15: %s did not set the URL: %v", name, hook())
				}
			}
			for _, nothing := range []any{nil, ""} {
				expect(t, "Q15", put(object{"webhookUrl": "https://example.com"}), http.StatusOK)
				cleared := put(object{name: nothing})
				expect(t, fmt.Sprintf("Q15: %s %v", name, nothing), cleared, http.StatusOK)
				if cleared.At("data", "call_status_webhook") != nil || hook() != nil {
					t.Errorf("Q15: %s %v did not clear the URL: %s", name, nothing, cleared.Body)
				}
			}
		}
		for what, bad := range map[string]string{
			"no URL": "lorem ipsum", "no host": "https://", "another scheme": "ftp://example.com", "a password": "https://a:b@example.com/",
			"this machine": "http://127.0.0.1/", "the cloud's own": "http://169.254.169.254/latest", "too long": "https://example.com/" + strings.Repeat("x", 2100),
		} {
			expectError(t, what, put(object{"webhookUrl": bad}), http.StatusBadRequest, "")
			expectError(t, what, w.ask(t, s, "POST", "/project/call-status/add-webhookurl", object{"projectId": w.project, "webhookURL": bad}), http.StatusBadRequest, "")
		}
		add := func(body object) httpapitest.Response {
			t.Helper()
			return w.ask(t, s, "POST", "/project/call-status/add-webhookurl", body)
		}
		expectError(t, "no webhookURL", add(object{"projectId": w.project}), http.StatusBadRequest, "webhookURL is required.")
		expectError(t, "empty webhookURL", add(object{"projectId": w.project, "webhookURL": " "}), http.StatusBadRequest, "webhookURL is required.")
		expectError(t, "no projectId", add(object{"webhookURL": "https://example.com"}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "unknown project", add(object{"projectId": "none", "webhookURL": "https://example.com"}), http.StatusBadRequest, "There is no such project.")
		// Q17: 404 on update and delete.
		expectError(t, "Q17", w.ask(t, s, "PUT", "/project/none", object{"name": "x"}), http.StatusNotFound, "There is no such project.")
		expectError(t, "Q17", w.ask(t, s, "DELETE", "/project/none", nil), http.StatusNotFound, "There is no such project.")
		// Q18: at least one field; a taken name is 400; each field alone.
		expectError(t, "Q18: nothing", put(object{}), http.StatusBadRequest, "name, description or webhookUrl is required.")
		expectError(t, "Q18: nothing known", put(object{"colour": "red"}), http.StatusBadRequest, "name, description or webhookUrl is required.")
		s.Project(t, w.Account, "Taken")
		expectError(t, "Q18: taken name", put(object{"name": "Taken"}), http.StatusBadRequest, "A project with this name already exists.")
		expectError(t, "empty name", put(object{"name": " "}), http.StatusBadRequest, "name must not be empty.")
		expectError(t, "null name", put(object{"name": nil}), http.StatusBadRequest, "")
		expect(t, "its own name", put(object{"name": "Demo Project"}), http.StatusOK)
		if r := put(object{"description": ""}); r.Status != http.StatusOK || r.Text("data", "name") != "Demo Project" {
			t.Errorf("Q18: only a description: %s", r.Body)
		}
	})
}

func TestQuirksOfActiveAgents(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		second := s.Agent(t, w.Account, w.project, "")
		elsewhere := s.Agent(t, w.Account, s.Project(t, w.Account, "Elsewhere"), "")
		set := func(body object) httpapitest.Response {
			t.Helper()
			return w.ask(t, s, "PATCH", "/project/active-agent", body)
		}
		expectError(t, "no project", set(object{"active_agent": w.agent}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "no agent", set(object{"projectId": w.project}), http.StatusBadRequest, "active_agent is required.")
		expectError(t, "unknown project", set(object{"projectId": "none", "active_agent": w.agent}), http.StatusBadRequest, "There is no such project.")
		expectError(t, "unknown agent", set(object{"projectId": w.project, "active_agent": "none"}), http.StatusBadRequest, "There is no such agent.")
		expectError(t, "another project's agent", set(object{"projectId": w.project, "active_agent": elsewhere}), http.StatusBadRequest, "There is no such agent.")
		expect(t, "Q14", set(object{"project_id": w.project, "activeAgent": w.agent}), http.StatusOK)
		// Q20: projectId alone.
		expectError(t, "Q20", w.ask(t, s, "POST", "/project/active-agent", object{}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "unknown project", w.ask(t, s, "POST", "/project/active-agent", object{"projectId": "none"}), http.StatusNotFound, "There is no such project.")
		// Q21: the agent's own project; not its active one: 200 and nothing changes; unknown: 404.
		expect(t, "Q21: another agent", w.ask(t, s, "PATCH", "/project/active-agent/"+string(second), nil), http.StatusOK)
		if r := w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project}); r.Text("active_agent") != string(w.agent) {
			t.Errorf("Q21: removing another agent left %s", r.Body)
		}
		expectError(t, "Q21: unknown", w.ask(t, s, "PATCH", "/project/active-agent/none", nil), http.StatusNotFound, "There is no such agent.")
		expect(t, "Q21", w.ask(t, s, "PATCH", "/project/active-agent/"+string(w.agent), object{}), http.StatusOK)
		expect(t, "Q21: gone", w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project}), http.StatusNotFound)
	})
}

func TestQuirksOfDeletingProjects(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/project/" + string(w.project)
		sid := w.call(t, s, nil)
		w.ask(t, s, "POST", "/user/set-active-project", object{"projectId": w.project})
		// Q19: 400 while something is left, and nothing is deleted.
		const left = "The project still has agents or phone numbers: delete them first, or set cascade to true."
		for what, r := range map[string]request{
			"no body":                            {Method: "DELETE", Path: path},
			"{}":                                 {Method: "DELETE", Path: path, Body: object{}},
			"cascade off":                        {Method: "DELETE", Path: path, Body: object{"cascade": false}},
			"in the query":                       {Method: "DELETE", Path: path + "?cascade=false"},
			"the body's counts, not the query's": {Method: "DELETE", Path: path + "?cascade=true", Body: object{"cascade": false}},
		} {
			r.Key = w.Key
			expectError(t, "Q19: "+what, s.Do(t, r), http.StatusBadRequest, left)
		}
		expectError(t, "no boolean", w.ask(t, s, "DELETE", path, object{"cascade": "yes"}), http.StatusBadRequest, "cascade must be a boolean.")
		expectError(t, "no boolean", w.ask(t, s, "DELETE", path+"?cascade=yes", nil), http.StatusBadRequest, "cascade must be a boolean.")
		expectError(t, "no JSON", w.ask(t, s, "DELETE", path, "{"), http.StatusBadRequest, "")
		expect(t, "still there", w.ask(t, s, "GET", path, nil), http.StatusOK)
		// Q41: cascade in the query.
		expectEnvelope(t, w.ask(t, s, "DELETE", path+"?cascade=true", nil), "successfully deleted project.")
		expect(t, "Q17: gone", w.ask(t, s, "GET", path, nil), http.StatusBadRequest)
		expect(t, "its active project", w.ask(t, s, "GET", "/user/get-active-project", nil), http.StatusNotFound)
		expect(t, "its agents", w.ask(t, s, "GET", "/agent/"+string(w.project), nil), http.StatusNotFound)
		expect(t, "its numbers", w.ask(t, s, "POST", "/phone-number", object{"projectId": w.project}), http.StatusNotFound)
		if r := w.ask(t, s, "POST", "/call", object{"sid": sid}); r.Text("status") != "failed" || r.Text("agentId") != string(w.agent) {
			t.Errorf("a call that waited in a deleted project: %s", r.Body)
		}
		expect(t, "a new call", w.ask(t, s, "POST", "/call/makeCall", object{"number": "+12065550123", "projectId": w.project, "agentId": w.agent}), http.StatusNotFound)
		again := w.ask(t, s, "POST", "/project/create-project", object{"name": "Demo Project", "description": ""})
		expect(t, "Q19: the name is free again", again, http.StatusOK)
		expectEnvelope(t, w.ask(t, s, "DELETE", "/project/"+again.Text("data", "id"), nil), "successfully deleted project.") // empty, so no cascade is needed
	})
}

func TestQuirksOfAgentChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		put := func(body object) httpapitest.Response { t.Helper(); return w.ask(t, s, "PUT", "/agent", body) }
		ids := func(more object) object {
			b := object{"projectId": w.project, "agentId": w.agent}
			maps.Copy(b, more)
			return b
		}
		expectError(t, "no projectId", put(object{"agentId": w.agent, "name": "x"}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "no agentId", put(object{"projectId": w.project, "name": "x"}), http.StatusBadRequest, "agentId is required.")
		expectError(t, "nothing", put(ids(nil)), http.StatusBadRequest, "name or systemInstruction is required.")
		expectError(t, "unknown agent", put(object{"projectId": w.project, "agentId": "none", "name": "x"}), http.StatusNotFound, "Agent not found.")
		expectError(t, "another project", put(object{"projectId": "none", "agentId": w.agent, "name": "x"}), http.StatusNotFound, "Agent not found.")
		expectError(t, "empty name", put(ids(object{"name": ""})), http.StatusBadRequest, "name must not be empty.")
		expectError(t, "blank prompt", put(ids(object{"systemInstruction": " "})), http.StatusBadRequest, "systemInstruction must not be empty.")
		expectError(t, "Q43", put(ids(object{"voice_id": "nobody"})), http.StatusBadRequest, "voice_id is not a known voice: see GET /voices.")
		// Q26: voice_id alone is enough. Q14: other cases. Q24: id for agentId.
		if r := put(ids(object{"voice_id": "CwhRBWXzGAHq8TQ4Fs17"})); r.Text("data", "voice_id") != "CwhRBWXzGAHq8TQ4Fs17" || r.Text("name") != "Jack" {
			t.Errorf("Q26: %s", r.Body)
		}
		if r := put(ids(object{"voice_id": nil})); r.Text("voice_id") != "EXAVITQu4vr4xnSDxMaL" {
			t.Errorf("null brings the default voice: %s", r.Body)
		}
		if r := put(object{"project_id": w.project, "id": w.agent, "system_instruction": "Changed.", "voiceId": "CwhRBWXzGAHq8TQ4Fs17"}); r.Text("systemInstruction") != "Changed." || r.Text("voice_id") != "CwhRBWXzGAHq8TQ4Fs17" {
			t.Errorf("Q14, Q24: %s", r.Body)
		}
		if a, err := s.DB.Agent(t.Context(), w.ID, w.agent); err != nil || a.Version != 4 {
			t.Errorf("three changes made version %d, %v", a.Version, err)
		}
		// Q25: an agent's id in the place of a project's gives that agent.
		one := w.ask(t, s, "GET", "/agent/"+string(w.agent), nil)
		expect(t, "Q25", one, http.StatusOK)
		if one.Text("id") != string(w.agent) || one.Text("phoneNumber") != w.number {
			t.Errorf("Q25: %s", one.Body)
		}
		// Q27: a deleted agent is not listed. Q41: the keys of a DELETE in its query, in either case, or in both places.
		other := s.Agent(t, w.Account, w.project, "")
		expectError(t, "DELETE without agentId", w.ask(t, s, "DELETE", "/agent?projectId="+string(w.project), nil), http.StatusBadRequest, "agentId is required.")
		expectError(t, "DELETE without anything", w.ask(t, s, "DELETE", "/agent", nil), http.StatusBadRequest, "")
		expectEnvelope(t, w.ask(t, s, "DELETE", "/agent?project_id="+string(w.project), object{"agentId": other}), "Agent Deleted")
		expectEnvelope(t, w.ask(t, s, "DELETE", "/agent?projectId="+string(w.project)+"&agentId="+string(w.agent), nil), "Agent Deleted")
		expectError(t, "Q27", w.ask(t, s, "GET", "/agent/"+string(w.project), nil), http.StatusNotFound, "No agents found.")
		// Its number stays in the project, without an agent.
		if r := w.ask(t, s, "POST", "/phone-number", object{"projectId": w.project}); r.Text("data", "e164") != w.number || r.At("data", "agentId") != nil {
			t.Errorf("the number of a deleted agent: %s", r.Body)
		}
	})
}

func TestDeletingAnAgentEndsWhatWaits(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		done := w.finished(t, s, object{"name": "John"}, "")
		waiting := w.call(t, s, nil)
		expect(t, "active agent", w.ask(t, s, "PATCH", "/project/active-agent", object{"projectId": w.project, "active_agent": w.agent}), http.StatusOK)
		expectEnvelope(t, w.ask(t, s, "DELETE", "/agent", object{"projectId": w.project, "agentId": w.agent}), "Agent Deleted")
		expect(t, "active agent", w.ask(t, s, "POST", "/project/active-agent", object{"projectId": w.project}), http.StatusNotFound)
		ended := w.ask(t, s, "POST", "/call", object{"sid": waiting})
		if ended.Text("status") != "failed" || ended.Text("endReason", "message") != "The agent was deleted before the call was dialled." {
			t.Errorf("the call that waited: %s", ended.Body)
		}
		history := w.ask(t, s, "POST", "/call/get-call-history", object{"projectId": w.project})
		if history.Text("data", 1, "sid") != string(done) || history.Text("data", 1, "agentId") != string(w.agent) || history.Text("data", 1, "status") != "completed" {
			t.Errorf("history with a deleted agent: %s", history.Body)
		}
		expect(t, "a new call", w.ask(t, s, "POST", "/call/makeCall", object{"number": "+12065550123", "projectId": w.project, "agentId": w.agent}), http.StatusNotFound)
	})
}

func TestQuirksOfNumberLookups(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		s.Clock.Advance(time.Second)
		second := s.Agent(t, w.Account, w.project, "+14155550149")
		look := func(body any) httpapitest.Response { t.Helper(); return w.ask(t, s, "POST", "/phone-number", body) }
		// Q39: all of a project's, oldest first; data is the first.
		all := look(object{"projectId": w.project})
		if all.Text("data", "e164") != w.number || len(asList(all.At("phoneNumbers"))) != 2 || all.Text("phoneNumbers", 1, "e164") != "+14155550149" {
			t.Errorf("Q39: %s", all.Body)
		}
		// The first of phoneNumberId, agentId, projectId wins; null and "" are not sent.
		id := all.Text("phoneNumbers", 0, "id")
		if r := look(object{"phoneNumberId": id, "agentId": second, "projectId": w.project}); r.Text("data", "e164") != w.number || len(asList(r.At("phoneNumbers"))) != 1 {
			t.Errorf("8.1: %s", r.Body)
		}
		if r := look(object{"phoneNumberId": "", "agent_id": second, "projectId": w.project}); r.Text("data", "e164") != "+14155550149" {
			t.Errorf("8.1: %s", r.Body)
		}
		if r := look(object{"phone_number_id": nil, "agentId": nil, "project_id": w.project}); len(asList(r.At("phoneNumbers"))) != 2 {
			t.Errorf("8.1: %s", r.Body)
		}
		expectError(t, "a wrong id is not passed over", look(object{"phoneNumberId": "none", "projectId": w.project}), http.StatusNotFound, "No phone number found.")
		expectError(t, "no identifier", look(object{}), http.StatusBadRequest, "phoneNumberId, agentId or projectId is required.")
		expectError(t, "unknown agent", look(object{"agentId": "none"}), http.StatusNotFound, "No phone number found.")
		expectError(t, "a project without numbers", look(object{"projectId": s.Project(t, w.Account, "Empty")}), http.StatusNotFound, "No phone number found.")
		// Q40: a number moves between projects of the account, and keeps its id.
		other := s.Project(t, w.Account, "Other")
		third := s.Agent(t, w.Account, other, "")
		s.Clock.Advance(time.Second)
		expectEnvelope(t, w.ask(t, s, "POST", "/phone-number/add-number", object{"phoneNumber": w.number, "agentId": third, "projectId": other}), "PhoneNumber assigned successfully.")
		if r := look(object{"phoneNumberId": id}); r.Text("data", "projectId") != string(other) || r.Text("data", "agentId") != string(third) {
			t.Errorf("Q40: %s", r.Body)
		}
		log, err := s.DB.AuditLog(t.Context(), w.ID, store.AuditFilter{Resource: "number"}, store.Cursor{}, 10)
		if err != nil || len(log) != 3 || log[0].Action != "number.move" || log[0].Changes["e164"] != w.number || log[0].Actor.Kind != talkstack.ActorAPIKey {
			t.Errorf("audit of a move: %+v, %v", log, err)
		}
	})
}

// slowVoices are voices whose previews wait to be let go.
type slowVoices struct {
	all   *httpapitest.Voices
	begun chan struct{}
	let   chan struct{}
}

func (v slowVoices) Voices() []talkstack.Voice { return v.all.Voices() }

func (v slowVoices) Preview(ctx context.Context, id string) ([]byte, error) {
	v.begun <- struct{}{}
	select {
	case <-v.let:
		return v.all.Preview(ctx, id)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestPreviewIsMadeOnceWhoeverLeaves: somebody who asks and goes away does not make the next one begin anew.
func TestPreviewIsMadeOnceWhoeverLeaves(t *testing.T) {
	t.Parallel()
	voices := slowVoices{httpapitest.NewVoices(), make(chan struct{}), make(chan struct{})}
	s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.Voices = voices })
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/voices/EXAVITQu4vr4xnSDxMaL/preview", nil)
		s.API.ServeHTTP(httptest.NewRecorder(), r)
	})
	<-voices.begun
	leave()
	voices.let <- struct{}{}
	wg.Wait()
	expect(t, "the next one", s.Do(t, request{Method: "GET", Path: "/voices/EXAVITQu4vr4xnSDxMaL/preview"}), http.StatusOK)
	if n := voices.all.Made(); n != 1 {
		t.Errorf("the preview was made %d times; want once", n)
	}
}
