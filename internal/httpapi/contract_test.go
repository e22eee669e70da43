package httpapi_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"talkstack/internal/httpapi/httpapitest"
)

// The tests of this file send the documented request of each endpoint and compare the answer with the documented one:
// texts byte for byte, keys, and the types of their values.

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`) //nolint:gochecknoglobals // a constant in all but form

// kinds are the JSON types of the documented keys of an object: "string", "number", "boolean", "null", "time", "array", "object".
type kinds map[string]string

func (k kinds) check(t *testing.T, what string, v any) {
	t.Helper()
	m, ok := v.(object)
	if !ok {
		t.Errorf("%s: not an object: %v", what, v)
		return
	}
	for key, want := range k {
		value, ok := m[key]
		if !ok {
			t.Errorf("%s: %q is missing", what, key)
			continue
		}
		if got := kindOf(value); got != want && (want != "string" || got != "time") {
			t.Errorf("%s: %q is %s %v; want %s", what, key, got, value, want)
		}
	}
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case list:
		return "array"
	case object:
		return "object"
	case string:
		if timeForm.MatchString(v) {
			return "time"
		}
	}
	return "string"
}

func userKinds() kinds {
	return kinds{
		"id": "string", "email": "string", "name": "string", "verified": "boolean", "active_project": "null",
		"company_name": "null", "created_at": "time", "updated_at": "time",
	}
}

func TestContractOfAuthentication(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		signup := s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "example@host.com", "password": "XXXXXXXXXX", "name": "John"}})
		expectEnvelope(t, signup, "User registered successfully")
		kinds{"token": "string", "refreshToken": "string", "expirationTime": "time"}.check(t, "signup", signup.JSON)
		userKinds().check(t, "signup user", signup.At("user"))
		if signup.At("signupStatus") != 3.0 || signup.At("user", "verified") != false {
			t.Errorf("signup: %s", signup.Body)
		}

		verify := s.Do(t, request{Method: "POST", Path: "/auth/verify-email", Body: object{"email": "example@host.com", "code": s.Mailbox.Code(t, "example@host.com")}})
		expectEnvelope(t, verify, "email verification successful.")
		userKinds().check(t, "verified user", verify.At("userData"))
		if verify.At("verificationStatus") != 2.0 || verify.At("userData", "verified") != true {
			t.Errorf("verify: %s", verify.Body)
		}

		login := s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{"email": "example@host.com", "password": "XXXXXXXXXX"}})
		expectEnvelope(t, login, "successfully logged in.")
		kinds{"token": "string", "refreshToken": "string", "expirationTime": "time"}.check(t, "login", login.JSON)
		userKinds().check(t, "login user", login.At("user"))
		if login.At("loginStatus") != 7.0 {
			t.Errorf("login: %s", login.Body)
		}
		if want := start.Truncate(time.Second).Add(2 * time.Hour).Format("2006-01-02T15:04:05.000Z"); login.Text("expirationTime") != want {
			t.Errorf("the token expires at %s; want %s, two hours later", login.Text("expirationTime"), want)
		}

		refresh := s.Do(t, request{Method: "POST", Path: "/auth/refresh-token", Body: object{"refreshToken": login.Text("refreshToken")}})
		expectEnvelope(t, refresh, "successfully refreshed token.")
		kinds{"token": "string", "refreshToken": "string", "resfreshToken": "string", "expirationTime": "time"}.check(t, "refresh", refresh.JSON)

		key := s.Do(t, request{Method: "GET", Path: "/user/generate-apikey", Token: refresh.Text("token")})
		expectEnvelope(t, key, "API key successfully generated and updated.")
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(key.Text("apiKey")) {
			t.Errorf("api key: %s", key.Body)
		}

		s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "late@host.com", "password": "x", "name": "John"}})
		first := s.Mailbox.Code(t, "late@host.com")
		resend := s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "late@host.com"}})
		expectEnvelope(t, resend, "successfully sent verification code to mail")
		if s.Mailbox.Code(t, "late@host.com") == first {
			t.Error("the code was sent again instead of a new one")
		}
	})
}

func TestContractOfProjects(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		empty := s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key})
		expectEnvelope(t, empty, "successfully fetched project list.")
		if l, ok := empty.At("data").(list); !ok || len(l) != 0 {
			t.Errorf("no projects: %s", empty.Body)
		}

		all := kinds{
			"id": "string", "name": "string", "user_id": "string", "status": "string", "description": "string", "is_deleted": "boolean",
			"call_status_webhook": "null", "active_agent": "null", "created_at": "time", "updated_at": "time",
		}
		created := s.Do(t, request{Method: "POST", Path: "/project/create-project", Token: a.Token, Body: object{"name": "Demo Project", "description": "This is a demo project."}})
		expectEnvelope(t, created, "successfully created project.")
		all.check(t, "created project", created.At("data"))
		if created.Text("data", "status") != "ACTIVE" || created.Text("data", "user_id") != string(a.ID) {
			t.Errorf("created project: %s", created.Body)
		}

		got := s.Do(t, request{Method: "GET", Path: "/project/" + created.Text("data", "id"), Key: a.Key})
		expectEnvelope(t, got, "successfully fetched project data.")
		all.check(t, "fetched project", got.At("data"))
		if got.Text("data", "description") != "This is a demo project." {
			t.Errorf("fetched project: %s", got.Body)
		}

		listed := s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key})
		expectEnvelope(t, listed, "successfully fetched project list.")
		if listed.Text("data", 0, "id") != created.Text("data", "id") {
			t.Errorf("list of projects: %s", listed.Body)
		}
	})
}

func TestContractOfAgentsAndNumbers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		project := s.Project(t, a, "Demo")
		agentKinds := kinds{
			"id": "string", "agentId": "string", "projectId": "string", "name": "string", "systemInstruction": "string",
			"voice_id": "string", "phoneNumber": "null",
		}
		prompt := "You are an agent called John. You can take any questions related to Mathematics."
		created := s.Do(t, request{Method: "POST", Path: "/agent/create-agent", Key: a.Key, Body: object{
			"name": "Jack", "systemInstruction": prompt, "projectId": project, "voice_id": "EXAVITQu4vr4xnSDxMaL",
		}})
		expectEnvelope(t, created, "agent created successfully.")
		agentKinds.check(t, "created agent, data", created.At("data"))
		agentKinds.check(t, "created agent, top level", created.JSON)
		id := created.Text("data", "id")

		got := s.Do(t, request{Method: "POST", Path: "/agent", Key: a.Key, Body: object{"projectId": project, "agentId": id}})
		expect(t, "get agent", got, http.StatusOK)
		agentKinds.check(t, "fetched agent", got.JSON)
		if got.Text("systemInstruction") != prompt || got.At("status") != nil {
			t.Errorf("fetched agent: %s", got.Body)
		}

		assigned := s.Do(t, request{Method: "POST", Path: "/phone-number/add-number", Key: a.Key, Body: object{"e164": "+14155550148", "agentId": id, "projectId": project}})
		expectEnvelope(t, assigned, "PhoneNumber assigned successfully.")

		listed := s.Do(t, request{Method: "GET", Path: "/agent/" + string(project), Key: a.Key})
		expect(t, "list agents", listed, http.StatusOK)
		if listed.Text(0, "id") != id || listed.Text(0, "phoneNumber") != "+14155550148" {
			t.Errorf("list of agents: %s", listed.Body)
		}
	})
}

func TestContractOfCalls(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		made := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: object{
			"number": "+12065550123", "projectId": w.project, "agentId": w.agent, "dynamicVariables": object{"name": "John"},
		}})
		expectEnvelope(t, made, "call made successfully.")
		if made.Text("call", "to") != "+12065550123" || made.Text("call", "from") != "+14155550148" {
			t.Errorf("made call: %s", made.Body)
		}
		sid := made.Text("call", "call_id")
		if !regexp.MustCompile(`^CA[0-9a-f]{32}$`).MatchString(sid) {
			t.Errorf("call_id %q is not CA and 32 hex digits", sid)
		}

		got := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid, "projectId": w.project}})
		expect(t, "call data", got, http.StatusOK)
		kinds{
			"seconds": "number", "cost": "number", "status": "string", "from": "string", "to": "string", "date": "string",
			"recordingUrls": "array", "phoneNumber": "string", "callSid": "string", "data": "object",
			"sid": "string", "call_id": "string", "projectId": "string", "agentId": "string", "direction": "string",
			"startTime": "time", "endTime": "null", "dynamicVariables": "object", "missingVariables": "array", "endReason": "null", "latency": "object",
		}.check(t, "call data", got.JSON)
		if got.Text("status") != "queued" || got.At("message") != nil {
			t.Errorf("call data: %s", got.Body)
		}

		history := s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: object{"projectId": w.project, "pageSize": 20}})
		expectEnvelope(t, history, "successfully fetched call history.")
		if history.Text("data", 0, "callSid") != sid || history.At("hasMore") != false {
			t.Errorf("history: %s", history.Body)
		}
	})
}

func TestContractOfAnEndedCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		sid := w.finished(t, s, object{"name": "John"}, "")
		got := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid}})
		expect(t, "call data", got, http.StatusOK)
		for path, want := range map[string]any{
			"seconds": 23.0, "cost": 0.077, "status": "completed", "date": "Wed, 11 Mar 2026 17:49:38 +0000",
			"startTime": "2026-03-11T17:49:38.925Z", "endTime": "2026-03-11T17:50:04.325Z", "direction": "outbound",
		} {
			if got.At(path) != want {
				t.Errorf("%s is %v; want %v", path, got.At(path), want)
			}
		}
		if got.At("data", "newDate") != "2026-03-12" || got.At("endReason", "party") != "agent" || got.At("endReason", "code") != "agent_hangup" ||
			got.At("latency", "p50Ms") != 500.0 || got.At("latency", "turns") != 1.0 || got.At("missingVariables", 0) != "agent" {
			t.Errorf("ended call: %s", got.Body)
		}
	})
}

func TestContractOfVoices(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		voices := s.Do(t, request{Method: "GET", Path: "/voices", Key: a.Key})
		expectEnvelope(t, voices, "successfully fetched voice list.")
		kinds{"name": "string", "labels": "object", "voice_id": "string", "preview_url": "string"}.check(t, "voice", voices.At("voices", 0))
		kinds{"accent": "string", "description": "string", "age": "string", "gender": "string", "use_case": "string"}.check(t, "labels", voices.At("voices", 0, "labels"))
		one := s.Do(t, request{Method: "GET", Path: "/voices/EXAVITQu4vr4xnSDxMaL", Key: a.Key})
		expectEnvelope(t, one, "successfully fetched voice list.")
		if one.Text("voice", "name") != "Aria" {
			t.Errorf("voice: %s", one.Body)
		}
		preview := s.Do(t, request{Method: "GET", Path: "/voices/EXAVITQu4vr4xnSDxMaL/preview"})
		expect(t, "preview without credentials", preview, http.StatusOK)
		if preview.Header.Get("Content-Type") != "audio/wav" || string(preview.Body[:4]) != "RIFF" {
			t.Errorf("preview: %s %q", preview.Header.Get("Content-Type"), preview.Body)
		}
		if one.Text("voice", "preview_url") != "http://example.com/voices/EXAVITQu4vr4xnSDxMaL/preview" {
			t.Errorf("preview_url: %s", one.Text("voice", "preview_url"))
		}
		s.Do(t, request{Method: "GET", Path: "/voices/EXAVITQu4vr4xnSDxMaL/preview"})
		if n := s.Voices.Made(); n != 1 {
			t.Errorf("the preview was made %d times; want once", n)
		}
	})
}

// TestOneShapeOfProjects: Q12, whichever endpoint shows it.
func TestOneShapeOfProjects(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		path := "/project/" + string(w.project)
		for what, project := range map[string]any{
			"create":             w.ask(t, s, "POST", "/project/create-project", object{"name": "Another", "description": ""}).At("data"),
			"get":                w.ask(t, s, "GET", path, nil).At("data"),
			"list":               w.ask(t, s, "GET", "/project", nil).At("data", 0),
			"update":             w.ask(t, s, "PUT", path, object{"description": "x"}).At("data"),
			"set active agent":   w.ask(t, s, "PATCH", "/project/active-agent", object{"projectId": w.project, "active_agent": w.agent}).At("project"),
			"set active project": w.ask(t, s, "POST", "/user/set-active-project", object{"projectId": w.project}).At("projectData"),
			"get active project": w.ask(t, s, "GET", "/user/get-active-project", nil).At("projectData"),
		} {
			expectKeys(t, "Q12: "+what, project, "id", "name", "user_id", "status", "description", "is_deleted", "call_status_webhook", "active_agent", "created_at", "updated_at")
			kinds{"created_at": "time", "updated_at": "time"}.check(t, "Q12: "+what, project)
		}
	})
}

// TestBrokenJSON: Q28, the typing errors of the pages are errors, and we make none.
func TestBrokenJSON(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		ids := `"projectId": "` + string(w.project) + `"%s "agentId": "` + string(w.agent) + `"%s`
		for what, marks := range map[string][2]string{"no comma": {"", ""}, "a full stop for a comma": {".", ""}, "a comma at the end": {",", ","}} {
			r := w.ask(t, s, "POST", "/agent", "{"+fmt.Sprintf(ids, marks[0], marks[1])+"}")
			expectError(t, "Q28: "+what, r, http.StatusBadRequest, "")
		}
		r := w.ask(t, s, "POST", "/agent", "{"+fmt.Sprintf(ids, ",", "")+"}")
		expect(t, "Q28", r, http.StatusOK)
		if r.JSON == nil {
			t.Errorf("Q28: the answer is not JSON: %s", r.Body)
		}
	})
}
