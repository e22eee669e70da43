package httpapi_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

// The quirks of the contract that the endpoints served so far have, by number.

func TestQuirksOfEveryAnswer(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		// Q1: every path on every host name.
		for _, host := range []string{"api.talkstackai.com", "calls.talkstack.ai", "localhost:8080", "[::1]:8080"} {
			expect(t, "Q1 "+host, s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key, Host: host}), http.StatusOK)
		}
		// Q2: the error body, and no more than it.
		missing := s.Do(t, request{Method: "GET", Path: "/project/unknown", Key: a.Key})
		expectError(t, "Q2", missing, http.StatusBadRequest, "There is no such project.")
		if got := slices.Sorted(maps.Keys(missing.JSON.(object))); !slices.Equal(got, []string{"message", "status"}) {
			t.Errorf("Q2: the body has %v", got)
		}
		// Q42: the Content-Type of a request without a body does not count.
		expect(t, "Q42", s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key, Header: map[string]string{"Content-Type": "text/csv"}}), http.StatusOK)
		// Q29: 401 everywhere, when credentials are missing or bad.
		for _, r := range secured("x", "y") {
			r.Header = map[string]string{"X-Api-Key": strings.Repeat("0", 64)}
			expect(t, "Q29 wrong key: "+r.Path, s.Do(t, r), http.StatusUnauthorized)
			r.Header = nil
			none := s.Do(t, r)
			expect(t, "Q29 no credentials: "+r.Path, none, http.StatusUnauthorized)
			if none.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("Q29 %s: no WWW-Authenticate header (RFC 9110 section 11.6.1)", r.Path)
			}
		}
	})
}

// secured is a request for every operation that needs credentials, with an object id and a project id of somebody's.
func secured(agent talkstack.AgentID, project talkstack.ProjectID) []request {
	sid := "CA00000000000000000000000000000000"
	return []request{
		{Method: "GET", Path: "/user/generate-apikey"},
		{Method: "POST", Path: "/auth/change-password", Body: object{"oldPassword": "Old@1234", "newPassword": "New@123"}},
		{Method: "POST", Path: "/user/set-active-project", Body: object{"projectId": project}},
		{Method: "GET", Path: "/user/get-active-project"},
		{Method: "GET", Path: "/v1/me"},
		{Method: "PATCH", Path: "/v1/me", Body: object{"name": "John"}},
		{Method: "GET", Path: "/v1/audit-log"},
		{Method: "GET", Path: "/project"},
		{Method: "POST", Path: "/project/create-project", Body: object{"name": "n", "description": ""}},
		{Method: "GET", Path: "/project/" + string(project)},
		{Method: "PUT", Path: "/project/" + string(project), Body: object{"description": "d"}},
		{Method: "DELETE", Path: "/project/" + string(project), Body: object{"cascade": false}},
		{Method: "POST", Path: "/project/call-status/add-webhookurl", Body: object{"projectId": project, "webhookURL": "https://example.com/hook"}},
		{Method: "POST", Path: "/project/active-agent", Body: object{"projectId": project}},
		{Method: "PATCH", Path: "/project/active-agent", Body: object{"projectId": project, "active_agent": agent}},
		{Method: "PATCH", Path: "/project/active-agent/" + string(agent)},
		{Method: "POST", Path: "/agent/create-agent", Body: object{"name": "n", "systemInstruction": "p", "projectId": project}},
		{Method: "PUT", Path: "/agent", Body: object{"agentId": agent, "projectId": project, "name": "n"}},
		{Method: "DELETE", Path: "/agent", Body: object{"agentId": "none", "projectId": project}},
		{Method: "POST", Path: "/phone-number", Body: object{"agentId": agent}},
		{Method: "POST", Path: "/agent", Body: object{"agentId": agent, "projectId": project}},
		{Method: "GET", Path: "/agent/" + string(project)},
		{Method: "POST", Path: "/phone-number/add-number", Body: object{"e164": "+14155550199", "agentId": agent, "projectId": project}},
		{Method: "POST", Path: "/call/makeCall", Body: object{"number": "+12065550123", "agentId": agent, "projectId": project}},
		{Method: "POST", Path: "/call", Body: object{"sid": sid}},
		{Method: "POST", Path: "/call/get-call-history", Body: object{"projectId": project}},
		{Method: "GET", Path: "/voices"},
		{Method: "GET", Path: "/voices/EXAVITQu4vr4xnSDxMaL"},
		{Method: "GET", Path: "/v1/projects"},
		{Method: "POST", Path: "/v1/projects", Body: object{"name": "n"}},
		{Method: "GET", Path: "/v1/projects/" + string(project)},
		{Method: "PATCH", Path: "/v1/projects/" + string(project), Body: object{"description": "d"}},
		{Method: "DELETE", Path: "/v1/projects/" + string(project)},
		{Method: "GET", Path: "/v1/numbers"},
		{Method: "POST", Path: "/v1/numbers", Body: object{"e164": "+14155550198", "project_id": project}},
		{Method: "GET", Path: "/v1/numbers/none"},
		{Method: "PATCH", Path: "/v1/numbers/none", Body: object{"agent_id": agent}},
		{Method: "DELETE", Path: "/v1/numbers/none"},
		{Method: "GET", Path: "/v1/agents"},
		{Method: "POST", Path: "/v1/agents", Body: object{"name": "n", "prompt": "p", "project_id": project}},
		{Method: "DELETE", Path: "/v1/agents/none"},
		{Method: "GET", Path: "/v1/agents/" + string(agent) + "/versions"},
		{Method: "GET", Path: "/v1/agents/" + string(agent) + "/versions/1"},
		{Method: "POST", Path: "/v1/agents/" + string(agent) + "/versions/1/restore"},
		{Method: "GET", Path: "/v1/agents/" + string(agent)},
		{Method: "PATCH", Path: "/v1/agents/" + string(agent), Body: object{"greeting": "Hello."}},
		{Method: "GET", Path: "/v1/calls"},
		{Method: "POST", Path: "/v1/calls", Body: object{"to": "+12065550123", "agent_id": agent, "project_id": project}},
		{Method: "POST", Path: "/v1/calls/" + sid + "/hangup"},
		{Method: "GET", Path: "/v1/calls/" + sid + "/events"},
		{Method: "GET", Path: "/v1/usage"},
		{Method: "GET", Path: "/v1/calls/" + sid},
		{Method: "GET", Path: "/v1/calls/" + sid + "/transcript"},
		{Method: "GET", Path: "/v1/calls/" + sid + "/recording"},
	}
}

func TestQuirksOfSignup(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		signup := func(body any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: body})
		}
		for what, body := range map[string]any{
			"no email":       object{"password": "x", "name": "John"},
			"no password":    object{"email": "a@b.example", "name": "John"},
			"no name":        object{"email": "a@b.example", "password": "x"},
			"an empty name":  object{"email": "a@b.example", "password": "x", "name": "  "},
			"nothing":        object{},
			"no body":        nil,
			"malformed JSON": `{"email":`,
			"a wrong type":   `{"email": 5, "password": "x", "name": "John"}`,
		} {
			r := signup(body)
			expectError(t, "signup with "+what, r, http.StatusBadRequest, "")
			if r.At("signupStatus") != 0.0 {
				t.Errorf("signup with %s: %s; want CREDENTIALS_MISSING (0)", what, r.Body)
			}
		}
		for _, email := range []string{"a", "a@", "@b", "Bob <a@b.example>", "a@b.example, c@d.example", "a b@c.example", "a@b.example\r\nBcc: x@y.example"} {
			r := signup(object{"email": email, "password": "x", "name": "John"})
			expectError(t, "signup as "+email, r, http.StatusBadRequest, "")
			if r.At("signupStatus") != 5.0 {
				t.Errorf("signup as %q: %s; want INVALID_EMAIL (5)", email, r.Body)
			}
		}
		good := object{"email": "John@Host.example", "password": "secret-password", "name": "John", "company_name": "Acme"}
		first := signup(good)
		expectEnvelope(t, first, "User registered successfully")
		// Q11: one user object, company_name accepted.
		if first.Text("user", "company_name") != "Acme" || first.Text("user", "email") != "john@host.example" {
			t.Errorf("Q11: %s", first.Body)
		}
		// Q5: the tokens are there, and refused until the email is verified.
		token := first.Text("token")
		expectError(t, "Q5: unverified", s.Do(t, request{Method: "GET", Path: "/project", Token: token}), http.StatusUnauthorized, "")
		expectError(t, "Q5: unverified", s.Do(t, request{Method: "GET", Path: "/user/generate-apikey", Token: token}), http.StatusUnauthorized, "")
		again := signup(good)
		expectError(t, "second signup, unverified", again, http.StatusBadRequest, "")
		if again.At("signupStatus") != 2.0 {
			t.Errorf("second signup: %s; want EMAIL_NOT_VERIFIED (2)", again.Body)
		}
		expect(t, "verify", s.Do(t, request{Method: "POST", Path: "/auth/verify-email", Body: object{"email": "john@host.example", "code": s.Mailbox.Code(t, "john@host.example")}}), http.StatusOK)
		expect(t, "Q5: verified", s.Do(t, request{Method: "GET", Path: "/project", Token: token}), http.StatusOK)
		third := signup(object{"email": "JOHN@host.example", "password": "other", "name": "Eve"})
		expectError(t, "third signup, verified", third, http.StatusBadRequest, "Account already exists.")
		if third.At("signupStatus") != 1.0 {
			t.Errorf("third signup: %s; want ACCOUNT_ALREADY_EXISTS (1)", third.Body)
		}
		s.Mailbox.Fail(errors.New("relay access denied for 10.0.0.1"))
		unsent := signup(object{"email": "new@host.example", "password": "x", "name": "John"})
		expectError(t, "signup without mail", unsent, http.StatusInternalServerError, "")
		if unsent.At("signupStatus") != 6.0 || strings.Contains(string(unsent.Body), "10.0.0.1") {
			t.Errorf("signup without mail: %s; want EMAIL_NOT_SENT (6) and no inner detail", unsent.Body)
		}
		s.Mailbox.Fail(nil)
		expect(t, "resend after a failed mail", s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "new@host.example"}}), http.StatusOK)
	})
}

func TestQuirksOfVerifying(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		verify := func(email, code string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/auth/verify-email", Body: object{"email": email, "code": code}})
		}
		want := func(what string, r httpapitest.Response, status int, verification float64) {
			t.Helper()
			expectError(t, what, r, status, "")
			if r.At("verificationStatus") != verification {
				t.Errorf("%s: %s; want verificationStatus %v", what, r.Body, verification)
			}
		}
		s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "john@host.example", "password": "x", "name": "John"}})
		want("no code", verify("john@host.example", ""), http.StatusBadRequest, 0)
		want("malformed email", verify("john", "ABCDEF"), http.StatusBadRequest, 0)
		want("unknown email", verify("eve@host.example", "ABCDEF"), http.StatusNotFound, 5)
		// Q6: a wrong code is 400 with 1; after five of them, with 3, even for the right one.
		code := s.Mailbox.Code(t, "john@host.example")
		for range 5 {
			want("Q6: wrong code", verify("john@host.example", "000000"), http.StatusBadRequest, 1)
		}
		want("Q6: no tries left", verify("john@host.example", code), http.StatusBadRequest, 3)
		// An expired code is 3 too.
		resend := func() {
			s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "john@host.example"}})
		}
		resend()
		s.Clock.Advance(31 * time.Minute)
		want("Q6: expired", verify("john@host.example", s.Mailbox.Code(t, "john@host.example")), http.StatusBadRequest, 3)
		resend()
		fresh := s.Mailbox.Code(t, "john@host.example")
		expectEnvelope(t, verify("john@host.example", " "+strings.ToLower(fresh)+" "), "email verification successful.")
		want("verified already", verify("john@host.example", fresh), http.StatusBadRequest, 4)
		expectError(t, "resend to a verified account", s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "john@host.example"}}), http.StatusBadRequest, "")
		expectError(t, "resend to an unknown one", s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "eve@host.example"}}), http.StatusNotFound, "")
		expectError(t, "resend to nobody", s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{}}), http.StatusBadRequest, "email is required.")
	})
}

func TestQuirksOfLogin(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "late@host.example", "password": "x", "name": "Late"}})
		for _, c := range []struct {
			what, email, password string
			status                int
			login                 float64
		}{
			{"no password", a.Email, "", http.StatusBadRequest, 0},
			{"no email", "", "x", http.StatusBadRequest, 0},
			{"malformed email", "john", "x", http.StatusBadRequest, 9},
			{"wrong password (Q7: 401, whatever the phrase)", a.Email, "x", http.StatusUnauthorized, 4},
			{"unknown user", "eve@host.example", "x", http.StatusNotFound, 3},
			{"unverified", "late@host.example", "x", http.StatusUnauthorized, 2},
			{"unverified and wrong", "late@host.example", "y", http.StatusUnauthorized, 4},
		} {
			r := s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{"email": c.email, "password": c.password}})
			expectError(t, c.what, r, c.status, "")
			if r.At("loginStatus") != c.login {
				t.Errorf("%s: %s; want loginStatus %v", c.what, r.Body, c.login)
			}
		}
		upper := s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{"email": "JOHN@HOST.example", "password": a.Password}})
		expectEnvelope(t, upper, "successfully logged in.")
	})
}

func TestQuirksOfTokensAndKeys(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		// Q8: either spelling is taken, both are returned.
		refresh := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/auth/refresh-token", Body: body})
		}
		next := refresh(object{"resfreshToken": a.Refresh})
		expectEnvelope(t, next, "successfully refreshed token.")
		if next.Text("refreshToken") == "" || next.Text("refreshToken") != next.Text("resfreshToken") {
			t.Errorf("Q8: %s", next.Body)
		}
		expectError(t, "Q8: neither", refresh(object{}), http.StatusBadRequest, "refreshToken is required.")
		expectError(t, "unknown token", refresh(object{"refreshToken": "x"}), http.StatusUnauthorized, "")
		// Reuse of a rotated token ends the family: the thief's and the owner's.
		expectError(t, "reused token", refresh(object{"refreshToken": a.Refresh}), http.StatusUnauthorized, "")
		expectError(t, "its successor", refresh(object{"refreshToken": next.Text("refreshToken")}), http.StatusUnauthorized, "")
		expect(t, "its access token", s.Do(t, request{Method: "GET", Path: "/project", Token: a.Token}), http.StatusUnauthorized)
		again := s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{"email": a.Email, "password": a.Password}})
		expectEnvelope(t, again, "successfully logged in.")
		a.Token = again.Text("token")

		// Q30: the Bearer token wins; generate-apikey takes nothing else.
		get := func(token, key string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/project", Token: token, Key: key})
		}
		expect(t, "Q30: bad token, good key", get("bad", a.Key), http.StatusUnauthorized)
		expect(t, "Q30: good token, bad key", get(a.Token, "bad"), http.StatusOK)
		byKey := s.Do(t, request{Method: "GET", Path: "/user/generate-apikey", Key: a.Key})
		expectError(t, "Q30: generate-apikey with a key", byKey, http.StatusUnauthorized, "")
		made := s.Do(t, request{Method: "GET", Path: "/user/generate-apikey", Token: a.Token})
		expect(t, "Q30: generate-apikey", made, http.StatusOK)
		if made.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("Q30: Cache-Control %q", made.Header.Get("Cache-Control"))
		}
		expect(t, "the key before", get("", a.Key), http.StatusUnauthorized)
		expect(t, "the key after", get("", made.Text("apiKey")), http.StatusOK)
		s.Clock.Advance(2*time.Hour + time.Second)
		expect(t, "a token after two hours", get(a.Token, ""), http.StatusUnauthorized)
	})
}

func TestQuirksOfProjects(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		create := func(body any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/project/create-project", Key: a.Key, Body: body})
		}
		// Q16: the key description must be there, and may be empty.
		expectError(t, "Q16: no description", create(object{"name": "A"}), http.StatusBadRequest, "description is required.")
		expect(t, "Q16: empty description", create(object{"name": "A", "description": ""}), http.StatusOK)
		expectError(t, "no name", create(object{"description": ""}), http.StatusBadRequest, "name is required.")
		expectError(t, "blank name", create(object{"name": " ", "description": ""}), http.StatusBadRequest, "name is required.")
		expectError(t, "taken name", create(object{"name": "A", "description": ""}), http.StatusBadRequest, "")
		other := s.Account(t, "eve@host.example")
		r := s.Do(t, request{Method: "POST", Path: "/project/create-project", Key: other.Key, Body: object{"name": "A", "description": ""}})
		expect(t, "a name of somebody else's", r, http.StatusOK)
		// Q17: 400, not 404; and somebody else's is as unknown as none.
		for _, id := range []string{"unknown", r.Text("data", "id")} {
			expectError(t, "Q17", s.Do(t, request{Method: "GET", Path: "/project/" + id, Key: a.Key}), http.StatusBadRequest, "There is no such project.")
		}
	})
}

func TestQuirksOfAgents(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		create := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/agent/create-agent", Key: w.Key, Body: body})
		}
		for _, missing := range []string{"name", "systemInstruction", "projectId"} {
			body := object{"name": "Jack", "systemInstruction": "Hi", "projectId": w.project}
			delete(body, missing)
			expectError(t, "without "+missing, create(body), http.StatusBadRequest, missing+" is required.")
		}
		// Q23: phoneNumber is optional and assigns; voice_id has a default. Q24: both ids. Q26: the fields twice.
		plain := create(object{"name": "Jack", "systemInstruction": "Hi", "projectId": w.project})
		expect(t, "Q23", plain, http.StatusOK)
		if plain.Text("voice_id") != "EXAVITQu4vr4xnSDxMaL" || plain.At("phoneNumber") != nil {
			t.Errorf("Q23: %s", plain.Body)
		}
		if plain.Text("id") == "" || plain.Text("id") != plain.Text("agentId") || plain.Text("data", "id") != plain.Text("id") {
			t.Errorf("Q24, Q26: %s", plain.Body)
		}
		numbered := create(object{"name": "Jim", "systemInstruction": "Hi", "projectId": w.project, "phoneNumber": "+1 (415) 555-0100"})
		if numbered.Text("phoneNumber") != "+14155550100" {
			t.Errorf("Q23: %s", numbered.Body)
		}
		expectError(t, "a number that is none", create(object{"name": "Jim", "systemInstruction": "Hi", "projectId": w.project, "phoneNumber": "5550100"}), http.StatusBadRequest, "")
		// Q43: an unknown voice is 400 here and 404 there.
		expectError(t, "Q43", create(object{"name": "Jim", "systemInstruction": "Hi", "projectId": w.project, "voice_id": "nobody"}), http.StatusBadRequest, "")
		expectError(t, "Q43", s.Do(t, request{Method: "GET", Path: "/voices/nobody", Key: w.Key}), http.StatusNotFound, "Voice not found.")
		expectError(t, "preview of an unknown voice", s.Do(t, request{Method: "GET", Path: "/voices/nobody/preview"}), http.StatusNotFound, "Voice not found.")
		expectError(t, "unknown project", create(object{"name": "Jim", "systemInstruction": "Hi", "projectId": "nobody"}), http.StatusNotFound, "")
		// Q14: the other case of a name is taken, the documented one returned.
		other := create(object{"name": "Joe", "system_instruction": "Hi", "project_id": w.project, "voiceId": "CwhRBWXzGAHq8TQ4Fs17", "phone_number": "+14155550101"})
		expect(t, "Q14", other, http.StatusOK)
		if other.Text("voice_id") != "CwhRBWXzGAHq8TQ4Fs17" || other.Text("phoneNumber") != "+14155550101" || other.At("voiceId") != nil {
			t.Errorf("Q14: %s", other.Body)
		}
		both := s.Do(t, request{Method: "POST", Path: "/agent", Key: w.Key, Body: object{"agent_id": "nobody", "agentId": w.agent, "project_id": w.project}})
		expect(t, "Q14: both spellings, the documented one counts", both, http.StatusOK)
		byID := s.Do(t, request{Method: "POST", Path: "/agent", Key: w.Key, Body: object{"id": w.agent, "projectId": w.project}})
		expect(t, "Q24: id for agentId", byID, http.StatusOK)
		// Q27: 404 for a project without agents.
		empty := s.Project(t, w.Account, "Empty")
		expectError(t, "Q27", s.Do(t, request{Method: "GET", Path: "/agent/" + string(empty), Key: w.Key}), http.StatusNotFound, "No agents found.")
		expectError(t, "unknown project", s.Do(t, request{Method: "GET", Path: "/agent/nobody", Key: w.Key}), http.StatusNotFound, "")
		expectError(t, "an agent of another project", s.Do(t, request{Method: "POST", Path: "/agent", Key: w.Key, Body: object{"agentId": w.agent, "projectId": empty}}), http.StatusNotFound, "Agent not found.")
	})
}

func TestQuirksOfNumbers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		s.Clock.Advance(time.Second) // agents are listed oldest first
		second := s.Agent(t, w.Account, w.project, "")
		assign := func(e164 string, agent, project any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/phone-number/add-number", Key: w.Key, Body: object{"e164": e164, "agentId": agent, "projectId": project}})
		}
		// Q40
		expectError(t, "Q40: not E.164", assign("4155550148", w.agent, w.project), http.StatusBadRequest, "")
		expectError(t, "Q40: empty", assign("", w.agent, w.project), http.StatusBadRequest, "e164 must not be empty.")
		expectError(t, "Q40: unknown agent", assign("+14155550150", "nobody", w.project), http.StatusNotFound, "")
		expectError(t, "Q40: unknown project", assign("+14155550150", w.agent, "nobody"), http.StatusNotFound, "")
		expectError(t, "Q40: another account's number", assign(eve.number, w.agent, w.project), http.StatusBadRequest, "")
		expectEnvelope(t, assign(w.number, second, w.project), "PhoneNumber assigned successfully.")
		agents := s.Do(t, request{Method: "GET", Path: "/agent/" + string(w.project), Key: w.Key})
		if agents.At(0, "phoneNumber") != nil || agents.Text(1, "phoneNumber") != w.number {
			t.Errorf("Q40: the number did not move: %s", agents.Body)
		}
	})
}

func TestQuirksOfCalls(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		place := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: body})
		}
		// Q22: without agentId the project's active agent calls; without one it is 400.
		noAgent := object{"number": "+12065550123", "projectId": w.project}
		expectError(t, "Q22: no active agent", place(noAgent), http.StatusBadRequest, "agentId is required.")
		if _, err := s.DB.SetActiveAgent(t.Context(), w.ID, w.project, w.agent); err != nil {
			t.Fatal(err)
		}
		active := place(noAgent)
		expectEnvelope(t, active, "call made successfully.")
		expectError(t, "no number", place(object{"projectId": w.project, "agentId": w.agent}), http.StatusBadRequest, "number is required.")
		expectError(t, "not E.164", place(object{"number": "555", "projectId": w.project, "agentId": w.agent}), http.StatusBadRequest, "")
		expectError(t, "no project", place(object{"number": "+12065550123", "agentId": w.agent}), http.StatusBadRequest, "projectId is required.")
		// Q44
		expectError(t, "Q44: unknown agent", place(object{"number": "+12065550123", "projectId": w.project, "agentId": "nobody"}), http.StatusNotFound, "")
		expectError(t, "Q44: unknown project", place(object{"number": "+12065550123", "projectId": "nobody", "agentId": w.agent}), http.StatusNotFound, "")
		mute := s.Agent(t, w.Account, w.project, "")
		expectError(t, "Q44: no number to call from", place(object{"number": "+12065550123", "projectId": w.project, "agentId": mute}), http.StatusBadRequest, "")
		// Variables keep the digits they were sent with.
		expect(t, "null variables", place(object{"number": "+12065550123", "projectId": w.project, "agentId": w.agent, "dynamicVariables": nil}), http.StatusOK)
		s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: `{"number":"+12065550123","projectId":"` + string(w.project) + `","dynamicVariables":{"order":12345678901234567890,"nested":{"a":[1.50]}}}`})
		placed := s.Calls.Placed()
		if got := placed[len(placed)-1].DynamicVariables["order"]; got != json.Number("12345678901234567890") {
			t.Errorf("the variable became %v", got)
		}
	})
}

func TestQuirksOfCallData(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		sid := w.finished(t, s, object{"partnerId": "partner-id", "shiftId": 4217, "name": "John"}, "")
		read := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: body})
		}
		// Q13: one value under all names; the carrier's own sid is taken too.
		for _, name := range []string{"sid", "callSid", "call_id", "callId", "call_sid"} {
			r := read(object{name: sid})
			expect(t, "Q13: "+name, r, http.StatusOK)
			for _, out := range []string{"sid", "callSid", "call_id"} {
				if r.Text(out) != string(sid) {
					t.Errorf("Q13: %s is %q; want %s", out, r.Text(out), sid)
				}
			}
		}
		expect(t, "Q13: the carrier's sid", read(object{"sid": "carrier-" + string(sid)}), http.StatusOK)
		expectError(t, "no sid", read(object{}), http.StatusBadRequest, "callSid is required.")
		expectError(t, "unknown sid", read(object{"sid": "CA00000000000000000000000000000000"}), http.StatusNotFound, "")
		// Q31: projectId is optional; of another project it is 404.
		expectError(t, "Q31", read(object{"sid": sid, "projectId": "another"}), http.StatusNotFound, "")
		// Q32: the variables whole, three of them at the top level, as text, when they were sent.
		r := read(object{"sid": sid})
		if r.Text("partnerId") != "partner-id" || r.Text("shiftId") != "4217" || r.Text("dynamicVariables", "name") != "John" {
			t.Errorf("Q32: %s", r.Body)
		}
		if _, there := r.JSON.(object)["assignmentId"]; there {
			t.Errorf("Q32: assignmentId was not sent: %s", r.Body)
		}
		// Q33: RFC 2822. Q34: whole seconds, dollars.
		if !regexp.MustCompile(`^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$`).MatchString(r.Text("date")) {
			t.Errorf("Q33: date %q", r.Text("date"))
		}
		if r.At("seconds") != 23.0 || r.At("cost") != 0.077 {
			t.Errorf("Q34: %s", r.Body)
		}
		fresh := read(object{"sid": w.call(t, s, nil)})
		if fresh.At("seconds") != 0.0 || fresh.At("cost") != 0.0 || len(fresh.At("data").(object)) != 0 || len(fresh.At("recordingUrls").(list)) != 0 {
			t.Errorf("Q32, Q34: a call that was not answered: %s", fresh.Body)
		}
	})
}

func TestCallHistoryIsPaged(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		var newest []string
		for range 23 {
			newest = append([]string{string(w.call(t, s, nil))}, newest...)
			s.Clock.Advance(time.Second)
		}
		page := func(body object) ([]string, bool) {
			t.Helper()
			body["projectId"] = w.project
			r := s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: body})
			expectEnvelope(t, r, "successfully fetched call history.")
			var sids []string
			for i := range r.At("data").(list) {
				sids = append(sids, r.Text("data", i, "sid"))
			}
			return sids, r.At("hasMore") == true
		}
		for _, c := range []struct {
			body object
			want []string
			more bool
		}{
			{object{}, newest[:20], true},
			{object{"page": 1}, newest[20:], false},
			{object{"page": 2}, nil, false},
			{object{"pageSize": 10, "page": 1}, newest[10:20], true},
			{object{"page_size": 23}, newest, false},
			{object{"pageSize": 100000}, newest, false},
		} {
			got, more := page(c.body)
			if !slices.Equal(got, c.want) || more != c.more {
				t.Errorf("%v: %d calls, more %v; want %d, %v", c.body, len(got), more, len(c.want), c.more)
			}
		}
		history := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: body})
		}
		expectError(t, "no project", history(object{}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "unknown project", history(object{"projectId": "nobody"}), http.StatusNotFound, "")
		expectError(t, "page size 0", history(object{"projectId": w.project, "pageSize": 0}), http.StatusBadRequest, "")
		expectError(t, "page -1", history(object{"projectId": w.project, "page": -1}), http.StatusBadRequest, "")
	})
}
