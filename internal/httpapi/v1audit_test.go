package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack/internal/httpapi/httpapitest"
)

// actionsOf are the entries of an account's audit log, oldest first, read page by page.
func actionsOf(t *testing.T, s *httpapitest.Server, a httpapitest.Account) []httpapitest.Response {
	t.Helper()
	var entries []httpapitest.Response
	for cursor := ""; ; {
		r := s.Do(t, request{Method: "GET", Path: "/v1/audit-log?limit=3&cursor=" + url.QueryEscape(cursor), Key: a.Key})
		expect(t, "audit log", r, http.StatusOK)
		data, _ := r.At("data").(list)
		for _, e := range data {
			entries = append(entries, httpapitest.Response{JSON: e})
		}
		if r.At("next_cursor") == nil {
			slices.Reverse(entries)
			return entries
		}
		if cursor = r.Text("next_cursor"); len(data) != 3 {
			t.Fatalf("a page of %d entries with another after it", len(data))
		}
	}
}

func TestAuditLogTellsWhoDidWhat(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		other := s.Account(t, "eve@host.example")
		s.Clock.Advance(time.Second)
		project := s.Project(t, a, "Demo")
		s.Clock.Advance(time.Second)
		s.Do(t, request{Method: "POST", Path: "/user/set-active-project", Key: a.Key, Remote: "[2001:db8::7]", Body: object{"projectId": project}})
		s.Clock.Advance(time.Second)
		expect(t, "a wrong password", logIn(t, s, a.Email, "wrong"), http.StatusUnauthorized)
		expect(t, "change", changePassword(t, s, a, a.Password, "New@123"), http.StatusOK)
		var got []string
		for _, e := range actionsOf(t, s, a) {
			got = append(got, e.Text("action")+" by "+e.Text("actor", "kind")+" at "+e.Text("actor", "address"))
			for key, want := range (kinds{"id": "string", "action": "string", "resource": "string", "resource_id": "string", "actor": "object", "changes": "object", "created_at": "time"}) {
				kinds{key: want}.check(t, "entry", e.JSON)
			}
			for _, secret := range []string{a.Password, "New@123", a.Key, a.Token, a.Refresh, "argon2"} {
				if strings.Contains(fmt.Sprint(e.JSON), secret) {
					t.Errorf("the entry %v tells a secret", e.JSON)
				}
			}
		}
		slices.Sort(got[:5]) // of the same instant
		want := []string{
			"api_key.create by token at 192.0.2.1", "session.create by token at 192.0.2.1", "session.create by token at 192.0.2.1",
			"user.create by token at 192.0.2.1", "user.verify by link at 192.0.2.1",
			"project.create by api_key at 192.0.2.1", "user.update by api_key at 2001:db8::7", "password.update by token at 192.0.2.1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("the log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, e := range actionsOf(t, s, other) {
			if e.Text("resource_id") == string(project) || e.Text("resource_id") == string(a.ID) {
				t.Errorf("Eve reads of John: %v", e.JSON)
			}
		}
	})
}

func TestAuditLogFilters(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		s.Clock.Advance(time.Hour)
		for _, name := range []string{"A", "B", "C"} {
			s.Project(t, a, name)
		}
		query := func(q url.Values) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/v1/audit-log?" + q.Encode(), Key: a.Key})
		}
		since := start.Add(time.Minute).Format(time.RFC3339)
		for _, c := range []struct {
			query url.Values
			want  int
		}{
			{url.Values{}, 8},
			{url.Values{"resource": {"project"}}, 3},
			{url.Values{"action": {"session.create"}}, 2},
			{url.Values{"action": {"session.create"}, "resource": {"project"}}, 0},
			{url.Values{"since": {since}}, 3},
			{url.Values{"until": {since}}, 5},
			{url.Values{"since": {since}, "until": {since}}, 0},
			{url.Values{"since": {"2026-03-11T19:49:00+01:00"}}, 3}, // the hour later, in another zone
			{url.Values{"limit": {"2"}}, 2},
			{url.Values{"action": {"no.such"}}, 0},
		} {
			r := query(c.query)
			if expect(t, c.query.Encode(), r, http.StatusOK); len(asList(r.At("data"))) != c.want {
				t.Errorf("%s: %d entries, want %d", c.query.Encode(), len(asList(r.At("data"))), c.want)
			}
		}
		good := query(url.Values{"limit": {"2"}}).Text("next_cursor")
		changed := "A" + good[1:]
		if changed == good {
			changed = "B" + good[1:]
		}
		for what, q := range map[string]url.Values{
			"no cursor at all": {"cursor": {"hello"}}, "a changed one": {"cursor": {changed}}, "a cut one": {"cursor": {good[:len(good)-2]}},
			"a long one": {"cursor": {strings.Repeat(good, 20)}}, "limit 0": {"limit": {"0"}}, "limit 101": {"limit": {"101"}}, "no limit": {"limit": {"x"}},
			"no time": {"since": {"yesterday"}}, "a date": {"until": {"2026-03-11"}},
		} {
			r := query(q)
			if expect(t, what, r, http.StatusBadRequest); r.Text("code") != "invalid" || len(asList(r.At("errors"))) != 1 {
				t.Errorf("%s: %s", what, r.Body)
			}
		}
	})
}

func TestMeIsTheAccountWithoutItsSecrets(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		r := s.Do(t, request{Method: "GET", Path: "/v1/me", Token: a.Token})
		expect(t, "me", r, http.StatusOK)
		kinds{
			"id": "string", "email": "string", "name": "string", "company_name": "null", "verified": "boolean", "active_project": "null",
			"api_key_created_at": "time", "created_at": "time", "updated_at": "time",
		}.check(t, "me", r.JSON)
		if m, _ := r.JSON.(object); len(m) != 9 {
			t.Errorf("me has %v", slices.Sorted(maps.Keys(m)))
		}
		if r.Text("id") != string(a.ID) || r.Text("email") != a.Email {
			t.Errorf("me: %s", r.Body)
		}
		set := s.Do(t, request{Method: "PATCH", Path: "/v1/me", Key: a.Key, Body: object{"company_name": "Acme"}})
		if expect(t, "company", set, http.StatusOK); set.Text("company_name") != "Acme" || set.Text("name") != "John" {
			t.Errorf("company: %s", set.Body)
		}
		cleared := s.Do(t, request{Method: "PATCH", Path: "/v1/me", Key: a.Key, Body: object{"company_name": ""}})
		if expect(t, "no company", cleared, http.StatusOK); cleared.At("company_name") != nil {
			t.Errorf("no company: %s", cleared.Body)
		}
		for what, body := range map[string]object{"an empty name": {"name": ""}, "a blank name": {"name": " "}, "an unknown field": {"email": "x@host.example"}, "a long name": {"name": strings.Repeat("x", 201)}} {
			expect(t, what, s.Do(t, request{Method: "PATCH", Path: "/v1/me", Key: a.Key, Body: body}), http.StatusBadRequest)
		}
	})
}
