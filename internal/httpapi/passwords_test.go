package httpapi_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// expectOnly checks that an envelope has no more than message and status.
func expectOnly(t *testing.T, r httpapitest.Response, message string) {
	t.Helper()
	expectEnvelope(t, r, message)
	if m, _ := r.JSON.(object); len(m) != 2 {
		t.Errorf("%s: the body has %v", message, slices.Sorted(maps.Keys(m)))
	}
}

// The requests below are the documented ones.

func changePassword(t *testing.T, s *httpapitest.Server, a httpapitest.Account, old, next string) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "POST", Path: "/auth/change-password", Token: a.Token, Key: a.Key, Body: object{"oldPassword": old, "newPassword": next}})
}

func forgotPassword(t *testing.T, s *httpapitest.Server, email string) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "POST", Path: "/auth/forgot-password", Body: object{"email": email}})
}

func resetPassword(t *testing.T, s *httpapitest.Server, token, password string) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "POST", Path: "/auth/reset-password", Body: object{"token": token, "newPassword": password}})
}

func logIn(t *testing.T, s *httpapitest.Server, email, password string) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{"email": email, "password": password}})
}

func refreshSession(t *testing.T, s *httpapitest.Server, token string) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "POST", Path: "/auth/refresh-token", Body: object{"refreshToken": token}})
}

const (
	updatedPassword = "successfully updated password."
	resetLinkSent   = "If the email is registered, a reset link has been sent."
	passwordIsReset = "Password has been reset successfully."
	badResetToken   = "Token is invalid or has expired."
)

func TestChangePassword(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		elsewhere := logIn(t, s, a.Email, a.Password)
		for _, missing := range []string{"oldPassword", "newPassword"} {
			body := object{"oldPassword": a.Password, "newPassword": "New@123"}
			delete(body, missing)
			r := s.Do(t, request{Method: "POST", Path: "/auth/change-password", Token: a.Token, Body: body})
			expectError(t, "without "+missing, r, http.StatusBadRequest, missing+" is required.")
			body[missing] = ""
			r = s.Do(t, request{Method: "POST", Path: "/auth/change-password", Token: a.Token, Body: body})
			expectError(t, "with an empty "+missing, r, http.StatusBadRequest, missing+" is required.")
		}
		expectError(t, "wrong old password", changePassword(t, s, a, "Old@1234", "New@123"), http.StatusUnauthorized, "Old password does not match.")
		expect(t, "the password before is still good", logIn(t, s, a.Email, a.Password), http.StatusOK)

		expectOnly(t, changePassword(t, s, a, a.Password, "New@123"), updatedPassword)
		expect(t, "the password before", logIn(t, s, a.Email, a.Password), http.StatusUnauthorized)
		expect(t, "the new one", logIn(t, s, a.Email, "New@123"), http.StatusOK)
		expect(t, "the session that changed it", s.Do(t, request{Method: "GET", Path: "/project", Token: a.Token}), http.StatusOK)
		next := refreshSession(t, s, a.Refresh)
		expect(t, "its refresh token", next, http.StatusOK)
		expect(t, "the refresh token of another session", refreshSession(t, s, elsewhere.Text("refreshToken")), http.StatusUnauthorized)
		expect(t, "the access token of another session", s.Do(t, request{Method: "GET", Path: "/project", Token: elsewhere.Text("token")}), http.StatusUnauthorized)
		expect(t, "the API key", s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key}), http.StatusOK)

		// By API key no session is left, whoever's it was.
		byKey := httpapitest.Account{Key: a.Key}
		expectOnly(t, changePassword(t, s, byKey, "New@123", "Newer@123"), updatedPassword)
		expect(t, "a session before that", s.Do(t, request{Method: "GET", Path: "/project", Token: next.Text("token")}), http.StatusUnauthorized)
		expect(t, "the API key itself", s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key}), http.StatusOK)
	})
}

func TestOldPasswordIsNotGuessed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		for range 10 {
			expect(t, "guess", changePassword(t, s, a, "guess", "New@123"), http.StatusUnauthorized)
		}
		limited := changePassword(t, s, a, a.Password, "New@123")
		expectError(t, "the eleventh, and right", limited, http.StatusTooManyRequests, "")
		if limited.Header.Get("Retry-After") != "900" {
			t.Errorf("Retry-After %q", limited.Header.Get("Retry-After"))
		}
		expect(t, "the limit is of logins too", logIn(t, s, a.Email, a.Password), http.StatusTooManyRequests)
		for range 50 {
			expect(t, "the key works on", s.Do(t, request{Method: "GET", Path: "/v1/me", Key: a.Key}), http.StatusOK)
		}
		s.Clock.Advance(15*time.Minute + time.Second)
		expectOnly(t, changePassword(t, s, a, a.Password, "New@123"), updatedPassword)
	})
}

// TestForgotPasswordTellsNothing: Q9.
func TestForgotPasswordTellsNothing(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		s.Account(t, "example@host.com")
		known, unknown := forgotPassword(t, s, "example@host.com"), forgotPassword(t, s, "nobody@host.com")
		expectOnly(t, known, resetLinkSent)
		if string(known.Body) != string(unknown.Body) || known.Status != unknown.Status {
			t.Errorf("known: %s, unknown: %s", known.Describe(), unknown.Describe())
		}
		for name, values := range known.Header {
			if name != "X-Request-Id" && !slices.Equal(values, unknown.Header[name]) {
				t.Errorf("%s: known %q, unknown %q", name, values, unknown.Header[name])
			}
		}
		if n := s.WorkResetMails(t); n != 2 {
			t.Errorf("%d jobs were enqueued; want one each, so that both cost the same", n)
		}
		if n := len(s.Mailbox.To("nobody@host.com")); n != 0 {
			t.Errorf("%d mails to somebody without an account", n)
		}
		s.Mailbox.ResetToken(t, "example@host.com")
		expectError(t, "no email", s.Do(t, request{Method: "POST", Path: "/auth/forgot-password", Body: object{}}), http.StatusBadRequest, "email is required.")
		expectError(t, "malformed", forgotPassword(t, s, "nobody"), http.StatusBadRequest, "The email address is not valid.")

		// Not even the limit tells.
		for _, email := range []string{"example@host.com", "nobody@host.com"} {
			for range 4 {
				expect(t, email, forgotPassword(t, s, email), http.StatusOK)
			}
			limited := forgotPassword(t, s, email)
			expectError(t, "the sixth for "+email, limited, http.StatusTooManyRequests, "")
			if limited.Header.Get("Retry-After") != "3600" {
				t.Errorf("Retry-After %q", limited.Header.Get("Retry-After"))
			}
		}
		s.Clock.Advance(time.Hour + time.Second)
		expect(t, "an hour later", forgotPassword(t, s, "example@host.com"), http.StatusOK)
	})
}

func TestResetMailsFromOneAddressAreLimited(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		ask := func(i int, remote string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/auth/forgot-password", Remote: remote, Body: object{"email": strings.Repeat("x", i/60+1) + strings.Repeat("y", i%60) + "@host.example"}})
		}
		for i := range 100 {
			expect(t, "one of a hundred", ask(i, "[2001:db8:1:2::1]"), http.StatusOK)
		}
		expect(t, "more from the same network", ask(100, "[2001:db8:1:2:ffff::2]"), http.StatusTooManyRequests)
		expect(t, "another network", ask(100, "[2001:db8:1:3::1]"), http.StatusOK)
	})
}

func TestResetPassword(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		for what, body := range map[string]object{ // Q10: both fields
			"token": {"newPassword": "abc@123"}, "newPassword": {"token": "x"},
		} {
			r := s.Do(t, request{Method: "POST", Path: "/auth/reset-password", Body: body})
			expectError(t, "without "+what, r, http.StatusBadRequest, what+" is required.")
		}
		expectError(t, "unknown token", resetPassword(t, s, "xxxxxxxxxxxxxxxx", "abc@123"), http.StatusBadRequest, badResetToken)

		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		first := s.Mailbox.ResetToken(t, a.Email)
		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		second := s.Mailbox.ResetToken(t, a.Email)
		expectError(t, "a newer link took its place", resetPassword(t, s, first, "abc@123"), http.StatusBadRequest, badResetToken)
		// Q10: an email is accepted and ignored, whoever's it is.
		r := s.Do(t, request{Method: "POST", Path: "/auth/reset-password", Body: object{"token": second, "newPassword": "abc@123", "email": "other@host.com"}})
		expectOnly(t, r, passwordIsReset)
		expectError(t, "used up", resetPassword(t, s, second, "abc@124"), http.StatusBadRequest, badResetToken)

		expect(t, "the password before", logIn(t, s, a.Email, a.Password), http.StatusUnauthorized)
		expect(t, "the new one", logIn(t, s, a.Email, "abc@123"), http.StatusOK)
		expect(t, "a refresh token from before", refreshSession(t, s, a.Refresh), http.StatusUnauthorized)
		expect(t, "an access token from before", s.Do(t, request{Method: "GET", Path: "/project", Token: a.Token}), http.StatusUnauthorized)
		expect(t, "the API key", s.Do(t, request{Method: "GET", Path: "/project", Key: a.Key}), http.StatusOK)

		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		s.Clock.Advance(time.Hour)
		expectError(t, "an hour old", resetPassword(t, s, s.Mailbox.ResetToken(t, a.Email), "abc@125"), http.StatusBadRequest, badResetToken)
		expect(t, "and nothing has changed", logIn(t, s, a.Email, "abc@123"), http.StatusOK)
	})
}

// TestResetOpensALockedAccount: whoever forgot the password has guessed before.
func TestResetOpensALockedAccount(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		for range 10 {
			expect(t, "wrong", logIn(t, s, a.Email, "wrong"), http.StatusUnauthorized)
		}
		expect(t, "locked", logIn(t, s, a.Email, a.Password), http.StatusTooManyRequests)
		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		expectOnly(t, resetPassword(t, s, s.Mailbox.ResetToken(t, a.Email), "abc@123"), passwordIsReset)
		expect(t, "after the reset", logIn(t, s, a.Email, "abc@123"), http.StatusOK)
	})
}

// TestSignUpWithSomebodyElsesAddress: nothing that Eve leaves behind works once the owner of the address has reset it.
func TestSignUpWithSomebodyElsesAddress(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		eve := s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "jane@host.com", "password": "eves-password", "name": "Evil www.evil.example"}})
		expectEnvelope(t, eve, "User registered successfully")
		code := s.Mailbox.Code(t, "jane@host.com")
		taken := s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "jane@host.com", "password": "janes-password", "name": "Jane"}})
		if expectError(t, "Jane cannot sign up", taken, http.StatusBadRequest, ""); taken.At("signupStatus") != 2.0 {
			t.Errorf("Jane's sign-up: %s", taken.Body)
		}
		expectOnly(t, forgotPassword(t, s, "jane@host.com"), resetLinkSent)
		s.WorkResetMails(t)
		for _, m := range s.Mailbox.To("jane@host.com") {
			if strings.Contains(m.Text+m.HTML, "evil") {
				t.Errorf("the mail %q carries Eve's words: %s", m.Subject, m.Text)
			}
		}
		expectOnly(t, resetPassword(t, s, s.Mailbox.ResetToken(t, "jane@host.com"), "janes-password"), passwordIsReset)
		expect(t, "Eve's access token", s.Do(t, request{Method: "GET", Path: "/project", Token: eve.Text("token")}), http.StatusUnauthorized)
		expect(t, "Eve's refresh token", refreshSession(t, s, eve.Text("refreshToken")), http.StatusUnauthorized)
		expect(t, "Eve's password", logIn(t, s, "jane@host.com", "eves-password"), http.StatusUnauthorized)
		verify := s.Do(t, request{Method: "POST", Path: "/auth/verify-email", Body: object{"email": "jane@host.com", "code": code}})
		if expect(t, "the code of Eve's sign-up", verify, http.StatusBadRequest); verify.At("verificationStatus") != 4.0 {
			t.Errorf("the code of Eve's sign-up: %s", verify.Body)
		}
		in := logIn(t, s, "jane@host.com", "janes-password")
		expectEnvelope(t, in, "successfully logged in.")
		if in.At("user", "verified") != true {
			t.Errorf("the reset has not verified the address: %s", in.Body)
		}
		renamed := s.Do(t, request{Method: "PATCH", Path: "/v1/me", Token: in.Text("token"), Body: object{"name": " Jane "}})
		if expect(t, "rename", renamed, http.StatusOK); renamed.Text("name") != "Jane" {
			t.Errorf("rename: %s", renamed.Body)
		}
	})
}

func TestResetTokensAreNotGuessed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		forgotPassword(t, s, a.Email)
		s.WorkResetMails(t)
		for range 100 {
			expect(t, "guess", resetPassword(t, s, "guess", "abc@123"), http.StatusBadRequest)
		}
		limited := resetPassword(t, s, s.Mailbox.ResetToken(t, a.Email), "abc@123")
		expectError(t, "one too many", limited, http.StatusTooManyRequests, "")
		if limited.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		r := s.Do(t, request{Method: "POST", Path: "/auth/reset-password", Remote: "198.51.100.9", Body: object{"token": s.Mailbox.ResetToken(t, a.Email), "newPassword": "abc@123"}})
		expectOnly(t, r, passwordIsReset)
	})
}

// TestResetTokenIsNowhereInClear: not in the database's jobs, not in the log, and long enough.
func TestResetTokenIsNowhereInClear(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	a := s.Account(t, "example@host.com")
	forgotPassword(t, s, a.Email)
	s.WorkResetMails(t)
	token := s.Mailbox.ResetToken(t, a.Email)
	if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 {
		t.Errorf("the token %q has not 256 bits", token)
	}
	s.DoUndocumented(t, request{Method: "GET", Path: "/reset-password?token=" + token})
	expectOnly(t, resetPassword(t, s, token, "abc@123"), passwordIsReset)
	for what, secret := range map[string]string{"token": token, "password": "abc@123"} {
		if strings.Contains(s.Log.String(), secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

// TestResetMailIsTriedAgain: forgot-password does not depend on the mail server.
func TestResetMailIsTriedAgain(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "example@host.com")
		s.Mailbox.Fail(errors.New("connection refused"))
		expectOnly(t, forgotPassword(t, s, a.Email), resetLinkSent)
		s.Mailbox.Fail(nil)
		if n := s.WorkResetMails(t); n != 1 {
			t.Fatalf("%d mails wait", n)
		}
		expectOnly(t, resetPassword(t, s, s.Mailbox.ResetToken(t, a.Email), "abc@123"), passwordIsReset)
	})
}
