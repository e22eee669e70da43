package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

func TestRepeatedRequestPlacesOneCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		place := func(key, number string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Header: map[string]string{"Idempotency-Key": key}, Body: object{
				"projectId": w.project, "agentId": w.agent, "number": number, "dynamicVariables": object{"b": 1, "a": "x"},
			}})
		}
		first := place("k1", "+12065550123")
		expectEnvelope(t, first, "call made successfully.")
		if first.Header.Get("Idempotency-Replayed") != "" {
			t.Error("the first request says that it is a repetition")
		}
		again := place("k1", "+12065550123")
		expectEnvelope(t, again, "call made successfully.")
		if again.Text("call", "call_id") != first.Text("call", "call_id") || again.Text("call", "from") != "+14155550148" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("the repeated request: %v %s; first %s", again.Header, again.Body, first.Body)
		}
		expectError(t, "another request under the same key", place("k1", "+12065550124"), http.StatusConflict, "")
		if other := place("k2", "+12065550123"); other.Text("call", "call_id") == first.Text("call", "call_id") {
			t.Error("another key made no other call")
		}
		expectError(t, "a key of 256 characters", place(strings.Repeat("k", 256), "+12065550123"), http.StatusBadRequest, "")
		expect(t, "a key of 255 characters", place(strings.Repeat("k", 255), "+12065550123"), http.StatusOK)

		// a request that fails keeps its key: it may be repeated when the reason is gone
		s.Calls.Fail(talkstack.Errorf(talkstack.CodeUnavailable, "Away."))
		expectError(t, "a failing request", place("k3", "+12065550123"), http.StatusServiceUnavailable, "")
		s.Calls.Fail(nil)
		if r := place("k3", "+12065550123"); r.Status != http.StatusOK || r.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("the failed request again: %v %s", r.Header, r.Describe())
		}

		// somebody else's key of the same name is another key
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		r := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: eve.Key, Header: map[string]string{"Idempotency-Key": "k1"}, Body: object{
			"projectId": eve.project, "agentId": eve.agent, "number": "+12065550123",
		}})
		if r.Status != http.StatusOK || r.Text("call", "call_id") == first.Text("call", "call_id") {
			t.Errorf("another account's request under the same key: %s", r.Describe())
		}

		// after 48 hours the key is free again
		s.Clock.Advance(49 * time.Hour)
		place("k4", "+12065550123")
		late := place("k1", "+12065550199")
		expectEnvelope(t, late, "call made successfully.")
	})
}

// dying places the call, and then the client never hears of it; or the process dies right before it is placed.
type dying struct {
	httpapi.Calls
	before bool
	died   bool
}

func (d *dying) Place(ctx context.Context, p talkstack.Placement) (talkstack.Call, error) {
	if d.died {
		return d.Calls.Place(ctx, p)
	}
	d.died = true
	if !d.before {
		if c, err := d.Calls.Place(ctx, p); err != nil {
			return c, err
		}
	}
	return talkstack.Call{}, context.Canceled
}

func TestRequestIsRepeatedAfterACrash(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.Calls = &dying{Calls: c.Calls, before: before} })
		w := newWorld(t, s, "john@host.example", "+14155550148")
		place := func() httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Header: map[string]string{"Idempotency-Key": "k"}, Body: object{
				"projectId": w.project, "agentId": w.agent, "number": "+12065550123",
			}})
		}
		expect(t, "the request that the crash cuts off", place(), http.StatusInternalServerError)
		expect(t, "repeated", place(), http.StatusOK)
		expect(t, "and again", place(), http.StatusOK)
		if _, more, err := s.DB.CallHistory(t.Context(), w.ID, store.CallFilter{ProjectID: w.project}, 0, 1); err != nil || more {
			t.Errorf("crash before the call was placed %v: more than one call: %v, %v", before, more, err)
		}
	}
}

func TestSameRequestsAtOncePlaceOneCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		const clients = 8
		sids := make([]string, clients)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				r := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Header: map[string]string{"Idempotency-Key": "same"}, Body: object{
					"projectId": w.project, "agentId": w.agent, "number": "+12065550123",
				}})
				expect(t, "one of many", r, http.StatusOK)
				sids[i] = r.Text("call", "call_id")
			})
		}
		wg.Wait()
		for _, sid := range sids {
			if sid != sids[0] {
				t.Errorf("two calls were placed: %s and %s", sids[0], sid)
			}
		}
		if _, more, err := s.DB.CallHistory(t.Context(), w.ID, store.CallFilter{ProjectID: w.project}, 0, 1); err != nil || more {
			t.Errorf("more than one call: %v, %v", more, err)
		}
	})
}

// TestRepeatedAssignmentMovesNothingBack: a number that the account had before keeps its id, and who repeats the request
// that moved it is told where it is now.
func TestRepeatedAssignmentMovesNothingBack(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		other := s.Project(t, w.Account, "Other")
		for _, c := range []struct {
			path    string
			request object
		}{
			{"/v1/numbers", object{"e164": "+14155550148", "project_id": other}},
			{"/phone-number/add-number", object{"e164": "+14155550148", "projectId": other, "agentId": s.Agent(t, w.Account, other, "")}},
		} {
			assign := request{Method: "POST", Path: c.path, Key: w.Key, Header: map[string]string{"Idempotency-Key": "k"}, Body: c.request}
			expect(t, c.path, s.Do(t, assign), http.StatusOK)
			list := s.Do(t, request{Method: "GET", Path: "/v1/numbers?e164=%2B14155550148", Key: w.Key})
			if list.Text("data", 0, "project_id") != string(other) {
				t.Fatalf("assigned: %s", list.Body)
			}
			back := request{Method: "PATCH", Path: "/v1/numbers/" + list.Text("data", 0, "id"), Key: w.Key, Body: object{"project_id": w.project, "agent_id": w.agent}}
			expect(t, "moved back", s.Do(t, back), http.StatusOK)
			again := s.Do(t, assign)
			expect(t, c.path+" again", again, http.StatusOK)
			list = s.Do(t, request{Method: "GET", Path: "/v1/numbers?e164=%2B14155550148", Key: w.Key})
			if again.Header.Get("Idempotency-Replayed") != "true" || list.Text("data", 0, "project_id") != string(w.project) {
				t.Errorf("%s again: %v; the number is %s", c.path, again.Header, list.Body)
			}
			assign.Body.(object)["e164"] = "+14155550199"
			expect(t, c.path+" with another body", s.Do(t, assign), http.StatusConflict)
		}
	})
}
