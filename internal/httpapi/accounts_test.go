package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

// examples are the documented requests and answers of the sections "Authentication" and "User", in an order in which
// they can be sent. A value in angle brackets is put in; what an answer's values are is left to the server, but for the
// texts, the statuses, and their types.
func examples() []struct{ method, path, request, answer string } {
	return []struct{ method, path, request, answer string }{
		{"POST", "/auth/signup", `{
    "email": "example@host.com",
    "password": "XXXXXXXXXX",
    "name": "John"
}`, `{
    "message": "User registered successfully",
    "status": "success",
    "user": {
        "email": "example@host.com",
        "name": "Johm",
        "active_project": null,
        "created_at": "2025-03-10T05:20:39.831Z",
        "updated_at": "2025-03-10T05:20:39.831Z",
        "company_name": null
    },
    "signupStatus": 3
}`},
		{"POST", "/auth/resend-code", `{
    "email": "example@host.com"
}`, `{
    "message": "successfully sent verification code to mail",
    "status": "success"
}`},
		{"POST", "/auth/verify-email", `{
    "email": "example@host.com",
    "code": "<code>"
}`, `{
    "message": "email verification successful.",
    "status": "success",
    "userData": {
        "email": "example@host.com",
        "name": "John",
        "active_project": null,
        "created_at": "2025-03-11T06:50:31.798Z",
        "updated_at": "2025-03-11T06:52:07.501Z"
    },
    "verificationStatus": 2
}`},
		{"POST", "/auth/login", `{
    "email": "example@host.com",
    "password": "XXXXXXXXXX"
}`, `{
    "message": "successfully logged in.",
    "status": "success",
    "token": "xxxxxxxxxxxxxxxxxxx",
    "refreshToken": "xxxxxxxxxxxxxxxxxx",
    "expirationTime": "2025-03-11T17:49:38.925Z",
    "user": {
        "email": "example@host.com",
        "name": "John",
        "active_project": null,
        "created_at": "2025-03-05T11:04:49.875Z",
        "updated_at": "2025-03-05T11:06:02.837Z",
        "company_name": null
    },
    "loginStatus": 7
}`},
		{"POST", "/auth/refresh-token", `{
    "refreshToken": "<refreshToken>"
}`, `{
    "token": "XXXXXXXXXX",
    "resfreshToken": "XXXXXXXXXX",
    "expirationTime": "2025-01-13T10:24:48.229Z"
}`},
		{"GET", "/user/generate-apikey", "", `{
    "message": "API key successfully generated and updated.",
    "status": "success",
    "apiKey": "0000000000000000000000000000000000000000000000000000000000000000"
}`},
		{"POST", "/user/set-active-project", `{
    "projectId": "<projectId>"
}`, `{
    "message": "successfully set project with id <projectId> active.",
    "status": "success",
    "userData": {
        "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "name": "user name",
        "email": "example@gmail.com",
        "verified": true,
        "created_at": "2025-02-19T04:57:24.000Z",
        "updated_at": "2025-02-19T04:57:31.000Z",
        "active_project": "xxxxxxxxxxxxxxxxxxxxxxxx"
    },
    "projectData": {
        "name": "Project Name",
        "user_id": "xxxxxxxxxxxxxxxxxxxxxxxxx",
        "status": "ACTIVE",
        "description": "Project Description",
        "call_status_webhook": "https://example.com",
        "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    }
}`},
		{"GET", "/user/get-active-project", "", `{
    "message": "fetched active project data.",
    "status": "success",
    "projectData": {
        "name": "Project name",
        "user_id": "xxxxxxxxxxxxxxxxxxxxxxx",
        "status": "ACTIVE",
        "description": "Project Description",
        "call_status_webhook": "https://example.com",
        "id": "xxxxxxxxxxxxxxxxx"
    }
}`},
		{"POST", "/auth/change-password", `{
    "oldPassword": "XXXXXXXXXX",
    "newPassword": "New@123"
}`, `{
    "message": "successfully updated password.",
    "status": "success"
}`},
		{"POST", "/auth/forgot-password", `{
    "email": "example@host.com"
}`, `{
    "message": "If the email is registered, a reset link has been sent.",
    "status": "success"
}`},
		{"POST", "/auth/reset-password", `{
    "token": "<resetToken>",
    "newPassword": "abc@123"
}`, `{
    "message": "Password has been reset successfully.",
    "status": "success"
}`},
	}
}

// sameAs checks that an answer has every key of the documented one, with a value of its type; texts for people, statuses
// and enums are the documented ones.
func sameAs(t *testing.T, where string, want, have any) {
	t.Helper()
	w, ok := want.(object)
	if !ok {
		key := where[strings.LastIndex(where, ".")+1:]
		exact := key == "message" || key == "status" || strings.HasSuffix(key, "Status") || key == "verified"
		if kindOf(want) != kindOf(have) && !(kindOf(want) == "string" && kindOf(have) == "time") || exact && want != have {
			t.Errorf("%s is %v; documented is %v", where, have, want)
		}
		return
	}
	h, ok := have.(object)
	if !ok {
		t.Errorf("%s is %v; documented is an object", where, have)
		return
	}
	for key := range w {
		if _, ok := h[key]; !ok {
			t.Errorf("%s.%s is missing", where, key)
			continue
		}
		sameAs(t, where+"."+key, w[key], h[key])
	}
}

func TestDocumentedExamplesOfAccounts(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		const email = "example@host.com"
		token, values := "", map[string]string{}
		for _, e := range examples() {
			switch e.path {
			case "/auth/verify-email":
				values["<code>"] = s.Mailbox.Code(t, email)
			case "/auth/reset-password":
				s.WorkResetMails(t)
				values["<resetToken>"] = s.Mailbox.ResetToken(t, email)
			case "/user/set-active-project":
				u, err := s.DB.UserByEmail(t.Context(), email)
				if err != nil {
					t.Fatal(err)
				}
				p, err := s.DB.CreateProject(t.Context(), talkstack.Project{UserID: u.ID, Name: "Project Name", Description: "Project Description", WebhookURL: "https://example.com"})
				if err != nil {
					t.Fatal(err)
				}
				values["<projectId>"] = string(p.ID)
			}
			for name, v := range values {
				e.request, e.answer = strings.ReplaceAll(e.request, name, v), strings.ReplaceAll(e.answer, name, v)
			}
			r := request{Method: e.method, Path: e.path}
			if e.request != "" {
				r.Body = e.request
				r.Header = map[string]string{"Content-Type": "application/json"}
			}
			if strings.HasPrefix(e.path, "/user/") || e.path == "/auth/change-password" {
				r.Token = token
			}
			got := s.Do(t, r)
			expect(t, e.path, got, http.StatusOK)
			var want any
			if err := json.Unmarshal([]byte(e.answer), &want); err != nil {
				t.Fatal(err)
			}
			sameAs(t, e.path, want, got.JSON)
			if v := got.Text("token"); v != "" && e.path != "/auth/signup" {
				token, values["<refreshToken>"] = v, got.Text("refreshToken")
			}
		}
	})
}

func TestActiveProject(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a, other := s.Account(t, "john@host.example"), s.Account(t, "eve@host.example")
		active := func() httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/user/get-active-project", Key: a.Key})
		}
		set := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/user/set-active-project", Key: a.Key, Body: body})
		}
		expectError(t, "none is set", active(), http.StatusNotFound, "No active project is set.")
		expectError(t, "no projectId", set(object{}), http.StatusBadRequest, "projectId is required.")
		expectError(t, "an empty projectId", set(object{"projectId": ""}), http.StatusBadRequest, "projectId is required.")
		// Q17: 400, and somebody else's project counts as missing.
		for _, id := range []string{"unknown", string(s.Project(t, other, "Eve's"))} {
			expectError(t, "Q17", set(object{"projectId": id}), http.StatusBadRequest, "There is no such project.")
		}
		mine := string(s.Project(t, a, "Mine"))
		done := set(object{"project_id": mine}) // Q14
		expectEnvelope(t, done, "successfully set project with id "+mine+" active.")
		if done.Text("userData", "active_project") != mine || done.Text("projectData", "id") != mine {
			t.Errorf("set: %s", done.Body)
		}
		if got := active(); got.Text("projectData", "id") != mine {
			t.Errorf("get: %s", got.Describe())
		}
		if err := s.DB.DeleteProject(t.Context(), a.ID, talkstack.ProjectID(mine), false); err != nil {
			t.Fatal(err)
		}
		expectError(t, "it was deleted", active(), http.StatusNotFound, "No active project is set.")
	})
}

// TestStatusesOfEnums: each value of the three enums with its HTTP status (spec section 9). Those of HubSpot, 5 and 6 of
// the login, have tests of their own.
func TestStatusesOfEnums(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "verified@host.com")
		up := func(email, password, name string) request {
			return post("/auth/signup", object{"email": email, "password": password, "name": name})
		}
		code := func(email, code string) request {
			return post("/auth/verify-email", object{"email": email, "code": code})
		}
		in := func(email, password string) request {
			return post("/auth/login", object{"email": email, "password": password})
		}
		fetched := func(email string) string { return s.Mailbox.Code(t, email) }
		none := func() {}
		for _, c := range []struct {
			enum   string
			value  float64
			status int
			before func()
			ask    func() request
		}{
			{"signupStatus", 0, 400, none, func() request { return up("", "x", "John") }},
			{"signupStatus", 1, 400, none, func() request { return up(a.Email, "x", "John") }},
			{"signupStatus", 3, 200, none, func() request { return up("late@host.com", "x", "John") }},
			{"signupStatus", 2, 400, none, func() request { return up("late@host.com", "x", "John") }},
			{"signupStatus", 5, 400, none, func() request { return up("late", "x", "John") }},
			{"signupStatus", 6, 500, func() { s.Mailbox.Fail(errors.New("no route")) }, func() request { return up("unsent@host.com", "x", "John") }},
			{"signupStatus", 2, 400, func() { s.Mailbox.Fail(nil) }, func() request { return up("unsent@host.com", "x", "John") }},
			{"verificationStatus", 0, 400, none, func() request { return code("late@host.com", "") }},
			{"verificationStatus", 1, 400, none, func() request { return code("late@host.com", "000000") }},
			{"verificationStatus", 5, 404, none, func() request { return code("nobody@host.com", "000000") }},
			{"verificationStatus", 4, 400, none, func() request { return code(a.Email, "000000") }},
			{"verificationStatus", 3, 400, func() { s.Clock.Advance(31 * time.Minute) }, func() request { return code("late@host.com", fetched("late@host.com")) }},
			{"loginStatus", 2, 401, none, func() request { return in("late@host.com", "x") }},
			{"verificationStatus", 2, 200, func() { s.Do(t, post("/auth/resend-code", object{"email": "late@host.com"})) }, func() request { return code("late@host.com", fetched("late@host.com")) }},
			{"loginStatus", 7, 200, none, func() request { return in("late@host.com", "x") }},
			{"loginStatus", 0, 400, none, func() request { return in("late@host.com", "") }},
			{"loginStatus", 3, 404, none, func() request { return in("nobody@host.com", "x") }},
			{"loginStatus", 4, 401, none, func() request { return in(a.Email, "x") }},
			{"loginStatus", 9, 400, none, func() request { return in("nobody", "x") }},
			{"signupStatus", 4, 500, func() { _ = s.DB.Close() }, func() request { return up("new@host.com", "x", "John") }}, // the database is away from here on
			{"loginStatus", 8, 500, none, func() request { return in(a.Email, a.Password) }},
		} {
			c.before()
			r := s.Do(t, c.ask())
			if r.Status != c.status || r.At(c.enum) != c.value || r.Text("message") == "" {
				t.Errorf("%s %v: %s; want HTTP %d", c.enum, c.value, r.Describe(), c.status)
			}
		}
		fault := s.Do(t, code(a.Email, "000000"))
		expectError(t, "verify without a database: the enum has no value for it", fault, http.StatusInternalServerError, "")
	})
}

// TestCodesAreNotGuessed: five tries a code, and a hundred an address, whoever's codes they are.
func TestCodesAreNotGuessed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		s.Do(t, post("/auth/signup", object{"email": "john@host.example", "password": "x", "name": "John"}))
		guess := func(remote, email, code string) httpapitest.Response {
			t.Helper()
			r := post("/auth/verify-email", object{"email": email, "code": code})
			r.Remote = remote
			return s.Do(t, r)
		}
		for i := range 100 {
			expect(t, "guess", guess("198.51.100.7", fmt.Sprint("x", i, "@host.example"), "000000"), http.StatusNotFound)
		}
		right := s.Mailbox.Code(t, "john@host.example")
		limited := guess("198.51.100.7", "john@host.example", right)
		expectError(t, "one too many", limited, http.StatusTooManyRequests, "")
		if limited.Header.Get("Retry-After") != "900" || limited.At("verificationStatus") != 3.0 {
			t.Errorf("Retry-After %q, %s", limited.Header.Get("Retry-After"), limited.Body)
		}
		expectEnvelope(t, guess("198.51.100.8", "john@host.example", right), "email verification successful.")
	})
}

// TestKeysAreNotGuessed: whoever tries keys is sent away; whoever has one is not, however often and from wherever.
func TestKeysAreNotGuessed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		ask := func(remote, key string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/user/get-active-project", Key: key, Remote: remote})
		}
		wrong := strings.Repeat("0", 64)
		for range 300 {
			expect(t, "a wrong key", ask("[2001:db8:1:2::1]", wrong), http.StatusUnauthorized)
		}
		limited := ask("[2001:db8:1:2:3::4]", wrong) // of the same /64
		expectError(t, "one too many", limited, http.StatusTooManyRequests, "")
		if limited.Header.Get("Retry-After") != "300" {
			t.Errorf("Retry-After %q", limited.Header.Get("Retry-After"))
		}
		expect(t, "from another network", ask("[2001:db8:1:3::1]", wrong), http.StatusUnauthorized)
		for range 400 {
			if r := ask("[2001:db8:1:2::1]", a.Key); r.Status != http.StatusNotFound {
				t.Fatalf("a good key: %s", r.Describe())
			}
		}
		expect(t, "a bad token is no key", s.Do(t, request{Method: "GET", Path: "/v1/me", Token: "x", Remote: "[2001:db8:1:2::1]"}), http.StatusUnauthorized)
		s.Clock.Advance(5*time.Minute + time.Second)
		expect(t, "five minutes later", ask("[2001:db8:1:2::1]", wrong), http.StatusUnauthorized)
	})
}

// TestWrongPasswordInALoop: a script with a wrong password locks its own address out of that account, and nothing else.
func TestWrongPasswordInALoop(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		john, jane := s.Account(t, "john@host.example"), s.Account(t, "jane@host.example")
		limited := 0
		for range 100 {
			if logIn(t, s, john.Email, "old password").Status == http.StatusTooManyRequests {
				limited++
			}
		}
		if limited != 90 {
			t.Errorf("%d of 100 guesses were not compared, want 90", limited)
		}
		expect(t, "somebody else at that address", logIn(t, s, jane.Email, jane.Password), http.StatusOK)
		r := post("/auth/login", object{"email": john.Email, "password": john.Password})
		r.Remote = "198.51.100.7"
		expect(t, "the account from elsewhere", s.Do(t, r), http.StatusOK)
		for range 100 {
			expect(t, "its key", s.Do(t, request{Method: "GET", Path: "/v1/me", Key: john.Key}), http.StatusOK)
		}
	})
}
