package httpapi_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

func postForm(t *testing.T, s *httpapitest.Server, form url.Values) httpapitest.Response {
	t.Helper()
	return s.DoUndocumented(t, request{
		Method: "POST", Path: "/reset-password", Body: form.Encode(),
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
}

// expectPage checks what every form of the page must be, and that it shows a text.
func expectPage(t *testing.T, what string, r httpapitest.Response, status int, text string) {
	t.Helper()
	expect(t, what, r, status)
	html := string(r.Body)
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q; want %q", what, name, got, want)
		}
	}
	policy := r.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: Content-Security-Policy %q", what, policy)
	}
	if strings.Contains(html, "<script") || regexp.MustCompile(`(src|href|action)="(https?:)?//`).MatchString(html) {
		t.Errorf("%s: the page runs or fetches something: %s", what, html)
	}
	if !strings.Contains(html, text) {
		t.Errorf("%s: the page does not say %q: %s", what, text, html)
	}
}

func TestResetPageSetsAPassword(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		token := s.Mailbox.ResetToken(t, a.Email)
		for range 2 { // mail scanners open links too
			page := s.DoUndocumented(t, request{Method: "GET", Path: "/reset-password?" + url.Values{"token": {token}}.Encode()})
			expectPage(t, "the link", page, http.StatusOK, `name="token" value="`+token+`"`)
			for _, part := range []string{`<html lang="en">`, `<label for="password">`, `<label for="repeat">`, `type="password"`, `autocomplete="new-password"`} {
				if !strings.Contains(string(page.Body), part) {
					t.Errorf("the page has no %s", part)
				}
			}
		}
		form := url.Values{"token": {token}, "newPassword": {"abc@123 ä+%"}, "repeat": {"abc@124"}}
		differ := postForm(t, s, form)
		expectPage(t, "two passwords", differ, http.StatusBadRequest, "The two passwords are not the same.")
		if !strings.Contains(string(differ.Body), token) || strings.Contains(string(differ.Body), "abc@12") {
			t.Errorf("the form must come again, without the password: %s", differ.Body)
		}
		empty := postForm(t, s, url.Values{"token": {token}})
		expectPage(t, "no password", empty, http.StatusBadRequest, "newPassword is required.")
		form.Set("repeat", form.Get("newPassword"))
		expectPage(t, "the form", postForm(t, s, form), http.StatusOK, passwordIsReset)
		expect(t, "the new password", logIn(t, s, a.Email, "abc@123 ä+%"), http.StatusOK)
		again := postForm(t, s, form)
		expectPage(t, "the form again", again, http.StatusBadRequest, badResetToken)
		if strings.Contains(string(again.Body), "<form") {
			t.Error("a form that can lead nowhere")
		}
		entry := s.Do(t, request{Method: "GET", Path: "/v1/audit-log?action=password.reset", Key: a.Key})
		if entry.Text("data", 0, "actor", "kind") != "link" || entry.Text("data", 0, "actor", "address") != "192.0.2.1" {
			t.Errorf("the audit log says %s", entry.Body)
		}
	})
}

func TestResetPageTakesNothingStrange(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	expectPage(t, "no token", s.DoUndocumented(t, request{Method: "GET", Path: "/reset-password"}), http.StatusBadRequest, "The link has no token.")
	escaped := s.DoUndocumented(t, request{Method: "GET", Path: "/reset-password?token=" + url.QueryEscape(`"><script>alert(1)</script>`)})
	expectPage(t, "markup as a token", escaped, http.StatusOK, "&lt;script&gt;")
	expectPage(t, "bytes that are no text", postForm(t, s, url.Values{"token": {"x"}, "newPassword": {"\xff"}, "repeat": {"\xff"}}), http.StatusBadRequest, "not valid UTF-8")
	expectPage(t, "no form", s.DoUndocumented(t, request{
		Method: "POST", Path: "/reset-password", Body: "%%%", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	}), http.StatusBadRequest, "could not be read")
	big := postForm(t, s, url.Values{"token": {strings.Repeat("x", 2000)}, "newPassword": {"a"}, "repeat": {"a"}})
	expectPage(t, "a long token", big, http.StatusBadRequest, "token must have at most 1024 characters.")
	for range 100 {
		postForm(t, s, url.Values{"token": {"guess"}, "newPassword": {"a"}, "repeat": {"a"}})
	}
	limited := postForm(t, s, url.Values{"token": {"guess"}, "newPassword": {"a"}, "repeat": {"a"}})
	if expectPage(t, "a hundred guesses", limited, http.StatusTooManyRequests, "Too many tries."); limited.Header.Get("Retry-After") != "900" {
		t.Errorf("Retry-After %q", limited.Header.Get("Retry-After"))
	}
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	broken := postForm(t, s, url.Values{"token": {"x"}, "newPassword": {"a"}, "repeat": {"a"}})
	expectPage(t, "without a database", broken, http.StatusInternalServerError, "Internal error.")
	if !strings.Contains(s.Log.String(), "operation=resetPage") {
		t.Error("the log does not say what failed")
	}
}
