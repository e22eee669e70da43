package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

func TestPlaceACallAndFollowIt(t *testing.T) {
	t.Parallel()
	states := []string{
		`{"sid":"CA1","status":"queued","end_reason":null}`,
		`{"sid":"CA1","status":"ringing","end_reason":null}`,
		`{"sid":"CA1","status":"ringing","end_reason":null}`,
		`{"sid":"CA1","status":"completed","duration_seconds":4.5,"end_reason":{"party":"agent","code":"agent_hangup","message":"Done."},"latency":{"p50_ms":700,"p95_ms":900,"turns":2}}`,
	}
	asked := 0
	c := serve(t, "k", map[string]http.HandlerFunc{
		"POST /call/makeCall": func(w http.ResponseWriter, r *http.Request) {
			var req map[string]any
			if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.Header.Get("X-Api-Key") != "k" ||
				req["number"] != "+15005550001" || req["projectId"] != "p" || req["agentId"] != nil {
				t.Errorf("request %v, key %q, error %v", req, r.Header.Get("X-Api-Key"), err)
			}
			fmt.Fprint(w, `{"status":"success","call":{"call_id":"CA1"}}`)
		},
		"GET /v1/calls/CA1": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, states[asked])
			asked++
		},
		"GET /v1/calls/CA1/transcript": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"data":[{"role":"agent","text":"Hello.","start_ms":20,"end_ms":800,"interrupted":true}]}`)
		},
	})
	sid, err := c.MakeCall(t.Context(), client.MakeCallRequest{Number: "+15005550001", ProjectID: "p"})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	call, err := c.Watch(t.Context(), sid, time.Millisecond, func(c client.Call) { seen = append(seen, string(c.Status)) })
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, " "); got != "queued ringing completed" {
		t.Errorf("saw %q", got)
	}
	if call.EndReason.Code != talkstack.EndAgentHangup || call.Seconds != 4.5 || *call.Latency.P95 != 900 {
		t.Errorf("ended as %+v", call)
	}
	turns, err := c.Transcript(t.Context(), sid)
	if err != nil || len(turns) != 1 || turns[0].Text != "Hello." || turns[0].End != 800 || !turns[0].Interrupted {
		t.Errorf("transcript %+v, error %v", turns, err)
	}
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
	if err := c.Login(t.Context(), "a@b.example", "secret"); err != nil {
		t.Fatal(err)
	}
	projects, err := c.Projects(t.Context())
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
	if _, err := c.Projects(t.Context()); talkstack.ErrorCode(err) != talkstack.CodeInternal {
		t.Errorf("a page is taken for an answer: %v", err)
	}
	for _, base := range []string{"", "127.0.0.1:8080", "ftp://host"} {
		if _, err := client.New(base, ""); err == nil {
			t.Errorf("%q is accepted as a server", base)
		}
	}
}

func TestWatchOutlastsAShortOutage(t *testing.T) {
	t.Parallel()
	asked := 0
	c := serve(t, "k", map[string]http.HandlerFunc{
		"GET /v1/calls/CA1": func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, `{"sid":"CA1","status":"busy"}`)
		},
	})
	call, err := c.Watch(t.Context(), "CA1", time.Millisecond, func(client.Call) {})
	if err != nil || call.Status != talkstack.StatusBusy {
		t.Errorf("call %+v, error %v", call, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Watch(ctx, "CA1", time.Hour, func(client.Call) {}); err == nil {
		t.Error("Watch goes on after its context has ended")
	}
}
