package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/client"
)

// wire is a server without a network: a handler for each request, in order. Time in its tests is virtual.
type wire struct {
	mu      sync.Mutex
	seen    []*http.Request
	bodies  []string
	at      []time.Time
	answers []func(r *http.Request) (*http.Response, error)
}

// RoundTrip answers a request with the next answer; the last one stays.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	text := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		text = string(b)
		_ = r.Body.Close()
	}
	w.mu.Lock()
	w.seen, w.bodies, w.at = append(w.seen, r), append(w.bodies, text), append(w.at, time.Now())
	next := w.answers[min(len(w.seen), len(w.answers))-1]
	w.mu.Unlock()
	return next(r)
}

func (w *wire) client(t *testing.T, key talkstack.Secret) *client.Client {
	t.Helper()
	c, err := client.New("http://server.example", key, client.WithHTTPClient(&http.Client{Transport: w}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type answer = func(*http.Request) (*http.Response, error)

// says answers with a status, a body and headers by name and value.
func says(status int, body string, headers ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		for i := 0; i+1 < len(headers); i += 2 {
			rec.Header().Set(headers[i], headers[i+1])
		}
		rec.WriteHeader(status)
		_, _ = rec.WriteString(body)
		resp := rec.Result()
		resp.Request = r
		return resp, nil
	}
}

// lose carries the request out and loses the answer.
func lose(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") }

// cut breaks an answer off behind a beginning.
func cut(body string, headers ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := says(http.StatusOK, "", headers...)(r)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), broken{}))
		return resp, err
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestALostAnswerNeverDialsTwice(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]answer{"lost": lose, "cut off": cut(`{"status":"succ`), "503": says(503, ""), "502": says(502, "<html>")} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answers: []answer{fault, says(200, `{"call":{"call_id":"CA1"}}`)}}
			ref, err := w.client(t, "k").MakeCall(t.Context(), client.MakeCallRequest{Number: "+15005550001", ProjectID: "p"})
			if err != nil || ref.CallID != "CA1" || len(w.seen) != 2 {
				t.Fatalf("%s: %+v, %v after %d requests", name, ref, err, len(w.seen))
			}
			first, second := w.seen[0].Header.Get("Idempotency-Key"), w.seen[1].Header.Get("Idempotency-Key")
			if first == "" || first != second || w.bodies[0] != w.bodies[1] || w.bodies[0] == "" {
				t.Errorf("%s: sent with keys %q and %q, bodies %q", name, first, second, w.bodies)
			}
			if _, err := w.client(t, "k").MakeCall(t.Context(), client.MakeCallRequest{}); err != nil || w.seen[2].Header.Get("Idempotency-Key") == first {
				t.Errorf("%s: another call has the same key, error %v", name, err)
			}
		})
	}
}

func TestWhatDoesHarmTwiceIsSentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, do := range map[string]func(context.Context, *client.Client) error{
			"a new API key": func(ctx context.Context, c *client.Client) error { _, err := c.GenerateAPIKey(ctx); return err },
			"a refresh":     func(ctx context.Context, c *client.Client) error { _, err := c.RefreshToken(ctx, "r"); return err },
			"a change by version": func(ctx context.Context, c *client.Client) error {
				_, err := c.V1().PatchAgent(ctx, "a", client.V1AgentPatch{Version: new(1)})
				return err
			},
			"a new secret": func(ctx context.Context, c *client.Client) error {
				_, err := c.V1().RotateWebhookSecret(ctx, "p", time.Hour)
				return err
			},
		} {
			w := &wire{answers: []answer{lose}}
			if err := do(t.Context(), w.client(t, "k")); talkstack.ErrorCode(err) != talkstack.CodeUnavailable || len(w.seen) != 1 {
				t.Errorf("%s: %v after %d requests", name, err, len(w.seen))
			}
		}
	})
}

func TestRetryAfterIsObeyedWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []answer{says(503, `{"message":"Full."}`, "Retry-After", "7"), says(200, `{"data":[]}`)}}
		if _, err := w.client(t, "k").ListProjects(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pause := w.at[1].Sub(w.at[0]); pause != 7*time.Second {
			t.Errorf("came back after %v; want 7 s", pause)
		}
		w = &wire{answers: []answer{says(503, `{"message":"Full."}`, "Retry-After", "3600")}}
		_, err := w.client(t, "k").ListProjects(t.Context())
		refused, ok := errors.AsType[*client.StatusError](err)
		if !ok || refused.RetryAfter != time.Hour || talkstack.ErrorMessage(err) != "Full." || len(w.seen) != 1 {
			t.Errorf("asked to come back in an hour: %v after %d requests", err, len(w.seen))
		}
		w = &wire{answers: []answer{says(503, "")}}
		if _, err = w.client(t, "k").ListProjects(t.Context()); talkstack.ErrorCode(err) != talkstack.CodeUnavailable || len(w.seen) != 4 {
			t.Errorf("a server that stays away: %v after %d requests", err, len(w.seen))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		w = &wire{answers: []answer{says(503, "", "Retry-After", "20")}}
		if _, err = w.client(t, "k").ListProjects(ctx); err == nil || time.Since(begin) != 100*time.Millisecond {
			t.Errorf("the end of the context was waited out: %v after %v", err, time.Since(begin))
		}
	})
}

func TestADeletionWhoseAnswerWasLostIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := says(404, `{"code":"not_found","message":"There is no such agent."}`)
		w := &wire{answers: []answer{lose, gone}}
		if err := w.client(t, "k").V1().DeleteAgent(t.Context(), "a"); err != nil {
			t.Errorf("deleted by a request whose answer was lost: %v", err)
		}
		w = &wire{answers: []answer{gone}}
		if err := w.client(t, "k").V1().DeleteAgent(t.Context(), "a"); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			t.Errorf("never there: %v", err)
		}
	})
}

func TestASheetIsSentAgainFromItsBeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ok := says(200, `{"data":{"batch_id":"b","total":1}}`)
		w := &wire{answers: []answer{lose, ok}}
		const sheet = "number\n+12065550124\n"
		done, err := w.client(t, "k").BatchCall(t.Context(), client.BatchCallRequest{ProjectID: "p"}, client.Sheet{Name: "a.csv", Content: strings.NewReader(sheet)})
		if err != nil || done.Total != 1 || len(w.bodies) != 2 {
			t.Fatalf("%+v, %v after %d requests", done, err, len(w.bodies))
		}
		for i, body := range w.bodies {
			if !strings.Contains(body, sheet) || !strings.Contains(body, `name="projectId"`) {
				t.Errorf("try %d sent %q", i+1, body)
			}
		}
		w = &wire{answers: []answer{lose, ok}}
		stream := io.MultiReader(strings.NewReader(sheet)) // it cannot be taken back
		if _, err = w.client(t, "k").BatchCall(t.Context(), client.BatchCallRequest{}, client.Sheet{Content: stream}); err == nil || len(w.seen) != 1 {
			t.Errorf("half a stream was sent again: %v after %d requests", err, len(w.seen))
		}
		w = &wire{answers: []answer{ok}}
		_, err = w.client(t, "k").BatchCall(t.Context(), client.BatchCallRequest{}, client.Sheet{Content: broken{}})
		if talkstack.ErrorCode(err) != talkstack.CodeInvalid || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a sheet that cannot be read: %v", err)
		}
	})
}

const streamType = "text/event-stream"

func TestABrokenStreamGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []answer{
			cut("id: 1\nevent: call.status\ndata: {\"sid\":\"CA1\",\"status\":\"ringing\"}\n\n: still here\n\nid: 2\nevent: turn\ndata: {\"seq\":0", "Content-Type", streamType),
			lose,
			says(200, "id: 2\r\nevent: turn\r\ndata: {\"seq\":0,\r\ndata: \"text\":\"Hello.\"}\r\n\r\nid: 3\nevent: news\ndata: x\n\n", "Content-Type", streamType),
			says(200, "id: 4\nevent: call.ended\ndata: {\"sid\":\"CA1\",\"status\":\"completed\"}\n\n", "Content-Type", streamType),
			says(204, ""),
		}}
		events, err := client.Collect(w.client(t, "k").V1().CallEvents(t.Context(), "CA1", ""))
		if err != nil || len(events) != 4 {
			t.Fatalf("events %+v, %v", events, err)
		}
		if events[1].Turn.Text != "Hello." || events[2].Type != "news" || events[3].Call.Status != talkstack.StatusCompleted {
			t.Errorf("events %+v", events)
		}
		var resumed []string
		for _, r := range w.seen {
			resumed = append(resumed, r.Header.Get("Last-Event-ID"))
		}
		if got := strings.Join(resumed, ","); got != ",1,1,3,4" {
			t.Errorf("resumed behind %s", got)
		}
	})
}

func TestAStreamThatStaysBrokenIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []answer{cut("", "Content-Type", streamType)}}
		events, err := client.Collect(w.client(t, "k").V1().CallEvents(t.Context(), "CA1", ""))
		if len(events) != 0 || talkstack.ErrorCode(err) != talkstack.CodeUnavailable || len(w.seen) != 4 {
			t.Errorf("events %v, %v after %d requests", events, err, len(w.seen))
		}
		quiet := func(r *http.Request) (*http.Response, error) {
			resp, err := says(200, "", "Content-Type", streamType)(r)
			out, in := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
			resp.Body = out
			return resp, err
		}
		w = &wire{answers: []answer{quiet, says(204, "")}}
		begin := time.Now()
		if _, err := client.Collect(w.client(t, "k").V1().CallEvents(t.Context(), "CA1", "")); err != nil || len(w.seen) != 2 {
			t.Errorf("a stream without a sign of life: %v after %d requests", err, len(w.seen))
		}
		if took := time.Since(begin); took < 30*time.Second || took > time.Minute {
			t.Errorf("silence was noticed after %v", took)
		}
	})
}

func TestWatchAsksWhereThereAreNoEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []answer{
			says(404, "404 page not found"), says(200, `{"sid":"CA1","status":"ringing"}`), says(200, `{"sid":"CA1","status":"ringing"}`),
			says(503, ""), says(200, `{"sid":"CA1","status":"busy"}`),
		}}
		var seen []string
		call, err := w.client(t, "k").V1().Watch(t.Context(), "CA1", func(c client.V1Call) { seen = append(seen, string(c.Status)) })
		if err != nil || call.Status != talkstack.StatusBusy || strings.Join(seen, " ") != "ringing busy" {
			t.Errorf("call %+v, saw %v, error %v", call, seen, err)
		}
	})
}

func TestATokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token := "t1"
		var mu sync.Mutex
		refreshed := 0
		w := &wire{answers: []answer{func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			body := func() string {
				return `{"token":"` + token + `","refreshToken":"r-` + token + `","expirationTime":"` + time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339) + `"}`
			}
			switch {
			case r.URL.Path == "/auth/login":
				return says(200, body())(r)
			case r.URL.Path == "/auth/refresh-token":
				refreshed++
				token += "+"
				return says(200, body())(r)
			case r.Header.Get("Authorization") != "Bearer "+token:
				return says(401, `{"message":"Unauthorized"}`)(r)
			}
			return says(200, `{"data":[]}`)(r)
		}}}
		c := w.client(t, "")
		if _, err := c.Login(t.Context(), "a@b.example", "secret"); err != nil {
			t.Fatal(err)
		}
		all := func(why string, want int) {
			var done sync.WaitGroup
			for range 8 {
				done.Go(func() {
					if _, err := c.ListProjects(t.Context()); err != nil {
						t.Errorf("%s: %v", why, err)
					}
				})
			}
			done.Wait()
			if refreshed != want {
				t.Errorf("%s: refreshed %d times in all; want %d", why, refreshed, want)
			}
		}
		all("fresh", 0)
		time.Sleep(2*time.Hour - 30*time.Second)
		all("about to expire", 1)
		mu.Lock()
		token = "revoked elsewhere"
		mu.Unlock()
		all("refused", 2)
	})
}
