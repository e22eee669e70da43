package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"talkstack"
	"talkstack/client"
)

// serve starts a server with one handler a route and a client of it with the given key.
func serve(t *testing.T, key talkstack.Secret, routes map[string]http.HandlerFunc) *client.Client {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoginIsUsedByLaterRequests(t *testing.T) {
	t.Parallel()
	c := serve(t, "", map[string]http.HandlerFunc{
		"POST /auth/login": func(w http.ResponseWriter, r *http.Request) {
			var req struct{ Email, Password string }
			if json.NewDecoder(r.Body).Decode(&req) != nil || req.Password != "secret" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			fmt.Fprint(w, `{"token":"abc"}`)
		},
		"GET /project": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer abc" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			fmt.Fprint(w, `{"data":[{"id":"p","name":"Demo"}]}`)
		},
	})
	if _, err := c.Login(t.Context(), "a@b.example", "secret"); err != nil {
		t.Fatal(err)
	}
	projects, err := c.ListProjects(t.Context())
	if err != nil || len(projects) != 1 || projects[0].Name != "Demo" {
		t.Errorf("projects %v, error %v", projects, err)
	}
}

func TestRefusalsKeepTheServersWords(t *testing.T) {
	t.Parallel()
	answers := map[int]struct {
		body string
		code talkstack.Code
		want string
	}{
		400: {`{"message":"number is required","errors":[{"field":"number","message":"is required"}]}`, talkstack.CodeInvalid, "number is required"},
		401: {`{"message":"Unauthorized"}`, talkstack.CodeUnauthenticated, "Unauthorized"},
		403: {`{"message":"no"}`, talkstack.CodeForbidden, "no"},
		404: {`{"message":"gone"}`, talkstack.CodeNotFound, "gone"},
		409: {`{"message":"twice"}`, talkstack.CodeConflict, "twice"},
		429: {`{"message":"slow"}`, talkstack.CodeLimited, "slow"},
		500: {`<html>`, talkstack.CodeInternal, "The server answered 500"},
		503: {``, talkstack.CodeUnavailable, "The server answered 503"},
	}
	for status, want := range answers {
		c := serve(t, "k", map[string]http.HandlerFunc{
			"POST /call/makeCall": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3600") // too long to wait for
				w.WriteHeader(status)
				fmt.Fprint(w, want.body)
			},
		})
		_, err := c.MakeCall(t.Context(), client.MakeCallRequest{})
		if talkstack.ErrorCode(err) != want.code || !strings.Contains(talkstack.ErrorMessage(err), want.want) {
			t.Errorf("status %d gives %v with code %s", status, err, talkstack.ErrorCode(err))
		}
	}
}

func TestAnswersThatAreNotTheAPI(t *testing.T) {
	t.Parallel()
	c := serve(t, "k", map[string]http.HandlerFunc{
		"GET /project": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	})
	if _, err := c.ListProjects(t.Context()); talkstack.ErrorCode(err) != talkstack.CodeInternal {
		t.Errorf("a page is taken for an answer: %v", err)
	}
	for _, base := range []string{"", "127.0.0.1:8080", "ftp://host"} {
		if _, err := client.New(base, ""); err == nil {
			t.Errorf("%q is accepted as a server", base)
		}
	}
}
