package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// expectV1 checks an error of /v1.
func expectV1(t *testing.T, what string, r httpapitest.Response, status int, code string) {
	t.Helper()
	expect(t, what, r, status)
	if r.Text("code") != code || r.Text("message") == "" {
		t.Errorf("%s: %s; want code %s", what, r.Describe(), code)
	}
}

// everyPage reads a list to its end, by pages of a size, and returns one text of each entry.
func (w world) everyPage(t *testing.T, s *httpapitest.Server, path, field string, size int) []string {
	t.Helper()
	var all []string
	cursor := ""
	for range 100 {
		r := w.ask(t, s, "GET", fmt.Sprintf("%s%slimit=%d&cursor=%s", path, map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")], size, cursor), nil)
		expect(t, path, r, http.StatusOK)
		entries := asList(r.At("data"))
		if len(entries) > size {
			t.Errorf("%s: a page of %d has %d entries", path, size, len(entries))
		}
		for i := range entries {
			all = append(all, fmt.Sprint(r.At("data", i, field)))
		}
		if r.At("next_cursor") == nil {
			return all
		}
		cursor = r.Text("next_cursor")
	}
	t.Fatalf("%s has no end", path)
	return nil
}

func TestV1Projects(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		made := w.ask(t, s, "POST", "/v1/projects", object{"name": " Clinic ", "max_calls": 5, "calls_per_second": 0.5, "redial_interrupted": 1})
		expect(t, "create", made, http.StatusOK)
		expectKeys(t, "project", made.JSON, "id", "name", "description", "active_agent_id", "max_calls", "calls_per_second", "redial_interrupted", "webhook_url", "created_at", "updated_at")
		if made.Text("name") != "Clinic" || made.At("max_calls") != 5.0 || made.At("calls_per_second") != 0.5 || made.At("redial_interrupted") != 1.0 || made.At("active_agent_id") != nil {
			t.Errorf("project: %s", made.Body)
		}
		path := "/v1/projects/" + made.Text("id")
		plain := w.ask(t, s, "POST", "/v1/projects", object{"name": "Plain"})
		if plain.At("max_calls") != 20.0 || plain.At("calls_per_second") != 0.0 || plain.Text("description") != "" {
			t.Errorf("defaults: %s", plain.Body)
		}
		expectV1(t, "taken name", w.ask(t, s, "POST", "/v1/projects", object{"name": "Clinic"}), http.StatusConflict, "conflict")
		expectV1(t, "no name", w.ask(t, s, "POST", "/v1/projects", object{}), http.StatusBadRequest, "invalid")
		for field, bad := range map[string]list{
			"name": {"", " ", nil, 5, strings.Repeat("x", 201)}, "description": {strings.Repeat("x", 5001), 5}, "max_calls": {0, -1, 10001, 1.5, nil, "5"},
			"calls_per_second": {-0.1, 1000.1, nil}, "redial_interrupted": {-1, 4, nil}, "active_agent_id": {"none", 5}, "webhook_url": {"x", "http://10.0.0.1/"}, "colour": {"red"},
		} {
			for _, v := range bad {
				r := w.ask(t, s, "PATCH", path, object{field: v})
				if field == "active_agent_id" && v == "none" {
					expectV1(t, "unknown agent", r, http.StatusNotFound, "not_found")
					continue
				}
				expectV1(t, fmt.Sprintf("PATCH %s %.20v", field, v), r, http.StatusBadRequest, "invalid")
			}
		}
		all := w.ask(t, s, "PATCH", "/v1/projects/"+string(w.project), object{
			"name": "Renamed", "description": "d", "max_calls": 10000, "calls_per_second": 1000, "redial_interrupted": 3,
			"active_agent_id": w.agent, "webhook_url": "https://example.com/hook",
		})
		expect(t, "PATCH of everything", all, http.StatusOK)
		got := w.ask(t, s, "GET", "/v1/projects/"+string(w.project), nil)
		if string(got.Body) != string(all.Body) || got.Text("active_agent_id") != string(w.agent) || got.At("max_calls") != 10000.0 || got.Text("webhook_url") != "https://example.com/hook" {
			t.Errorf("PATCH: %s; GET: %s", all.Body, got.Body)
		}
		cleared := w.ask(t, s, "PATCH", "/v1/projects/"+string(w.project), object{"active_agent_id": nil, "webhook_url": nil, "description": nil})
		if cleared.At("active_agent_id") != nil || cleared.At("webhook_url") != nil || cleared.Text("description") != "" || cleared.Text("name") != "Renamed" {
			t.Errorf("PATCH with nulls: %s", cleared.Body)
		}
		want := []string{"Renamed", "Clinic", "Plain"}
		for i := range 4 {
			s.Clock.Advance(time.Second)
			w.ask(t, s, "POST", "/v1/projects", object{"name": fmt.Sprint("P", i)})
			want = append([]string{fmt.Sprint("P", i)}, want...)
		}
		for _, size := range []int{1, 2, 3, 100} {
			found := w.everyPage(t, s, "/v1/projects", "name", size)
			slices.Sort(found[4:]) // made at the same instant
			slices.Sort(want[4:])
			if !slices.Equal(found, want) {
				t.Errorf("pages of %d: %v; want %v", size, found, want)
			}
		}
		expectV1(t, "left agents", w.ask(t, s, "DELETE", "/v1/projects/"+string(w.project), nil), http.StatusConflict, "conflict")
		expect(t, "cascade", w.ask(t, s, "DELETE", "/v1/projects/"+string(w.project)+"?cascade=true", nil), http.StatusNoContent)
		expectV1(t, "gone", w.ask(t, s, "GET", "/v1/projects/"+string(w.project), nil), http.StatusNotFound, "not_found")
		expectV1(t, "gone", w.ask(t, s, "DELETE", "/v1/projects/"+string(w.project), nil), http.StatusNotFound, "not_found")
	})
}

func TestV1Numbers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		s.Clock.Advance(time.Second)
		made := w.ask(t, s, "POST", "/v1/numbers", object{"e164": "+1 (415) 555-0150", "project_id": w.project})
		expect(t, "assign", made, http.StatusOK)
		expectKeys(t, "number", made.JSON, "id", "e164", "status", "project_id", "agent_id", "created_at")
		if made.Text("e164") != "+14155550150" || made.At("agent_id") != nil {
			t.Errorf("number: %s", made.Body)
		}
		path := "/v1/numbers/" + made.Text("id")
		expectV1(t, "another account's", w.ask(t, s, "POST", "/v1/numbers", object{"e164": eve.number, "project_id": w.project}), http.StatusConflict, "conflict")
		expectV1(t, "no number", w.ask(t, s, "POST", "/v1/numbers", object{"e164": "5550150", "project_id": w.project}), http.StatusBadRequest, "invalid")
		expectV1(t, "unknown project", w.ask(t, s, "POST", "/v1/numbers", object{"e164": "+14155550151", "project_id": "none"}), http.StatusNotFound, "not_found")
		given := w.ask(t, s, "PATCH", path, object{"agent_id": w.agent})
		if given.Text("agent_id") != string(w.agent) {
			t.Errorf("PATCH agent: %s", given.Body)
		}
		other := s.Project(t, w.Account, "Other")
		expectV1(t, "an agent of another project", w.ask(t, s, "PATCH", path, object{"project_id": other, "agent_id": w.agent}), http.StatusNotFound, "not_found")
		moved := w.ask(t, s, "PATCH", path, object{"project_id": other})
		if moved.Text("project_id") != string(other) || moved.At("agent_id") != nil || moved.Text("id") != made.Text("id") {
			t.Errorf("PATCH project: %s", moved.Body)
		}
		back := w.ask(t, s, "POST", "/v1/numbers", object{"e164": "+14155550150", "project_id": w.project, "agent_id": w.agent})
		if back.Text("id") != made.Text("id") || back.Text("agent_id") != string(w.agent) {
			t.Errorf("POST of a number that the account has: %s", back.Body)
		}
		if r := w.ask(t, s, "PATCH", path, object{"agent_id": nil}); r.At("agent_id") != nil || r.Text("project_id") != string(w.project) {
			t.Errorf("PATCH agent null: %s", r.Body)
		}
		for query, want := range map[string][]string{
			"": {"+14155550150", w.number}, "?project_id=" + string(w.project): {"+14155550150", w.number}, "?agent_id=" + string(w.agent): {w.number},
			"?e164=%2B14155550150": {"+14155550150"}, "?project_id=" + string(other): nil, "?e164=%2B14155550149": nil,
		} {
			if found := w.everyPage(t, s, "/v1/numbers"+query, "e164", 1); !slices.Equal(found, want) {
				t.Errorf("numbers%s: %v; want %v", query, found, want)
			}
		}
		expectV1(t, "filter that is no number", w.ask(t, s, "GET", "/v1/numbers?e164=+14155550150", nil), http.StatusBadRequest, "invalid")
		expect(t, "release", w.ask(t, s, "DELETE", path, nil), http.StatusNoContent)
		expectV1(t, "released", w.ask(t, s, "GET", path, nil), http.StatusNotFound, "not_found")
		expect(t, "somebody else takes it", eve.ask(t, s, "POST", "/v1/numbers", object{"e164": "+14155550150", "project_id": eve.project}), http.StatusOK)
	})
}

func TestV1AgentsAreMadeAndListed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		create := func(body object) httpapitest.Response { t.Helper(); return w.ask(t, s, "POST", "/v1/agents", body) }
		base := object{"project_id": w.project, "name": "Jill", "prompt": "You are Jill."}
		with := func(more object) object {
			b := maps.Clone(base)
			maps.Copy(b, more)
			return b
		}
		s.Clock.Advance(time.Second)
		plain := create(base)
		expect(t, "create", plain, http.StatusOK)
		if plain.At("version") != 1.0 || plain.At("silence_limit_ms") != 6000.0 || plain.Text("voice_id") != "EXAVITQu4vr4xnSDxMaL" || plain.At("flow") != nil || plain.At("phone_number") != nil {
			t.Errorf("defaults: %s", plain.Body)
		}
		s.Clock.Advance(time.Second)
		full := create(with(object{
			"name": "Jim", "greeting": "Hello.", "speed": 1.2, "endpointing": object{"complete_ms": 250}, "barge_in": nil, "voice_id": "CwhRBWXzGAHq8TQ4Fs17",
			"phone_number": "+1 415 555 0160", "flow": object{"start": "a", "nodes": list{object{"id": "a", "kind": "say", "text": "Hi", "next": "b"}, object{"id": "b", "kind": "end"}}},
		}))
		expect(t, "create with settings", full, http.StatusOK)
		if full.Text("greeting") != "Hello." || full.At("endpointing", "complete_ms") != 250.0 || full.At("endpointing", "incomplete_ms") != 1200.0 ||
			full.At("barge_in", "enabled") != true || full.Text("phone_number") != "+14155550160" || full.Text("flow", "start") != "a" {
			t.Errorf("settings: %s", full.Body)
		}
		if got := w.ask(t, s, "GET", "/v1/agents/"+full.Text("id"), nil); string(got.Body) != string(full.Body) {
			t.Errorf("GET answers %s; POST %s", got.Body, full.Body)
		}
		for what, body := range map[string]object{
			"no project": {"name": "x", "prompt": "x"}, "no name": {"project_id": w.project, "prompt": "x"}, "no prompt": {"project_id": w.project, "name": "x"},
			"blank name": with(object{"name": " "}), "null prompt": with(object{"prompt": nil}), "an id": with(object{"id": "x"}), "a version": with(object{"version": 1}),
			"unknown voice": with(object{"voice_id": "nobody"}), "unknown field": with(object{"colour": "red"}), "bad setting": with(object{"speed": 9}),
			"bad number": with(object{"phone_number": "123"}), "limit below complete": with(object{"endpointing": object{"complete_ms": 3000, "limit_ms": 100}}),
		} {
			expectV1(t, what, create(body), http.StatusBadRequest, "invalid")
		}
		expectV1(t, "unknown project", create(with(object{"project_id": "none"})), http.StatusNotFound, "not_found")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		expectV1(t, "another account's number", create(with(object{"phone_number": eve.number})), http.StatusConflict, "conflict")
		other := s.Project(t, w.Account, "Other")
		s.Agent(t, w.Account, other, "")
		for query, want := range map[string][]string{
			"": {"Jack", "Jim", "Jill", "Jack"}, "?project_id=" + string(w.project): {"Jim", "Jill", "Jack"}, "?name=Jill": {"Jill"},
			"?name=Jack&project_id=" + string(other): {"Jack"}, "?name=jill": nil, "?project_id=" + string(eve.project): nil,
		} {
			for _, size := range []int{1, 100} {
				found := w.everyPage(t, s, "/v1/agents"+query, "name", size)
				if query == "" { // two were made at the same instant
					slices.Sort(found)
					slices.Sort(want)
				}
				if !slices.Equal(found, want) {
					t.Errorf("agents%s by %d: %v; want %v", query, size, found, want)
				}
			}
		}
		if r := w.ask(t, s, "GET", "/v1/agents?name=Jim", nil); r.Text("data", 0, "phone_number") != "+14155550160" || r.Text("data", 0, "greeting") != "Hello." {
			t.Errorf("a listed agent: %s", r.Body)
		}
		expect(t, "delete", w.ask(t, s, "DELETE", "/v1/agents/"+full.Text("id"), nil), http.StatusNoContent)
		for _, path := range []string{"", "/versions", "/versions/1"} {
			expectV1(t, "deleted", w.ask(t, s, "GET", "/v1/agents/"+full.Text("id")+path, nil), http.StatusNotFound, "not_found")
		}
	})
}

func TestV1AgentVersions(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/v1/agents/" + string(w.agent)
		for i := 2; i <= 5; i++ {
			s.Clock.Advance(time.Second)
			expect(t, "PATCH", w.ask(t, s, "PATCH", path, object{"greeting": fmt.Sprint("Hello ", i), "name": fmt.Sprint("Jack ", i)}), http.StatusOK)
		}
		for _, size := range []int{1, 2, 100} {
			if found := w.everyPage(t, s, path+"/versions", "version", size); !slices.Equal(found, []string{"5", "4", "3", "2", "1"}) {
				t.Errorf("versions by %d: %v", size, found)
			}
		}
		old := w.ask(t, s, "GET", path+"/versions/3", nil)
		if old.Text("greeting") != "Hello 3" || old.Text("name") != "Jack 3" || old.Text("agent_id") != string(w.agent) || old.At("version") != 3.0 {
			t.Errorf("version 3: %s", old.Body)
		}
		restored := w.ask(t, s, "POST", path+"/versions/3/restore", nil)
		if restored.At("version") != 6.0 || restored.Text("greeting") != "Hello 3" || restored.Text("phone_number") != w.number {
			t.Errorf("restored: %s", restored.Body)
		}
		if again := w.ask(t, s, "POST", path+"/versions/6/restore", nil); again.At("version") != 6.0 {
			t.Errorf("restoring what is current: %s", again.Body)
		}
		for _, v := range []string{"7", "999999999"} {
			expectV1(t, v, w.ask(t, s, "POST", path+"/versions/"+v+"/restore", nil), http.StatusNotFound, "not_found")
			expectV1(t, v, w.ask(t, s, "GET", path+"/versions/"+v, nil), http.StatusNotFound, "not_found")
		}
		for _, v := range []string{"0", "-1", "x"} {
			expectV1(t, v, w.ask(t, s, "GET", path+"/versions/"+v, nil), http.StatusBadRequest, "invalid")
		}
		expectV1(t, "a cursor of another agent", w.ask(t, s, "GET", "/v1/agents/"+string(s.Agent(t, w.Account, w.project, ""))+"/versions?cursor="+
			w.ask(t, s, "GET", path+"/versions?limit=1", nil).Text("next_cursor"), nil), http.StatusBadRequest, "invalid")
		log, err := s.DB.AuditLog(t.Context(), w.ID, store.AuditFilter{Action: "agent.restore"}, store.Cursor{}, 10)
		if err != nil || len(log) != 1 || fmt.Sprint(log[0].Changes["restored_version"]) != "3" || log[0].Changes["greeting"] != "Hello 3" {
			t.Errorf("audit of a restore: %+v, %v", log, err)
		}
	})
}

// TestCreatingOnce: every creating POST of the catalogue, sent again with its Idempotency-Key, makes nothing new.
func TestCreatingOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		for path, bodies := range map[string][2]object{
			"/project/create-project":  {{"name": "A", "description": ""}, {"name": "B", "description": ""}},
			"/v1/projects":             {{"name": "C"}, {"name": "D"}},
			"/agent/create-agent":      {{"name": "E", "systemInstruction": "x", "projectId": w.project, "phoneNumber": "+14155550171"}, {"name": "F", "systemInstruction": "x", "projectId": w.project}},
			"/v1/agents":               {{"name": "G", "prompt": "x", "project_id": w.project}, {"name": "H", "prompt": "x", "project_id": w.project}},
			"/phone-number/add-number": {{"e164": "+14155550174", "agentId": w.agent, "projectId": w.project}, {"e164": "+14155550175", "agentId": w.agent, "projectId": w.project}},
			"/v1/numbers":              {{"e164": "+14155550172", "project_id": w.project}, {"e164": "+14155550173", "project_id": w.project}},
		} {
			send := func(body object) httpapitest.Response {
				return s.Do(t, request{Method: "POST", Path: path, Key: w.Key, Body: body, Header: map[string]string{"Idempotency-Key": "k1"}})
			}
			first, second := send(bodies[0]), send(bodies[0])
			expect(t, path, first, http.StatusOK)
			if string(first.Body) != string(second.Body) || first.Header.Get("Idempotency-Replayed") != "" || second.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s: %s, then %s", path, first.Describe(), second.Describe())
			}
			expect(t, path+" with another body", send(bodies[1]), http.StatusConflict)
		}
		log, err := s.DB.AuditLog(t.Context(), w.ID, store.AuditFilter{}, store.Cursor{}, 100)
		made := map[string]int{}
		for _, e := range log {
			made[e.Action]++
		}
		if err != nil || made["project.create"] != 3 || made["agent.create"] != 3 || made["number.assign"] != 4 { // the world's own, and what was asked for
			t.Errorf("audit log: %v, %v", made, err)
		}
	})
}
