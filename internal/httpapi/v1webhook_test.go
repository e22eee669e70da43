package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// deliverNext takes the next webhook message of a project, gives it its body as the worker does, and reports how it went.
func deliverNext(t *testing.T, s *httpapitest.Server, project talkstack.ProjectID, went store.Attempt) talkstack.Delivery {
	t.Helper()
	for lane := range store.Lanes {
		job := store.WebhookJob{ProjectID: project, Lane: lane}
		next, err := s.DB.NextDelivery(t.Context(), job, "test", nil, false)
		if err != nil {
			t.Fatal(err)
		}
		if next == nil {
			continue
		}
		body, err := s.API.WebhookBody(t.Context(), next.Delivery, "http://127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		if next.Body, err = s.DB.SetDeliveryBody(t.Context(), next.ID, body); err != nil {
			t.Fatal(err)
		}
		went.ID = next.ID
		if _, err := s.DB.NextDelivery(t.Context(), job, "test", &went, true); err != nil {
			t.Fatal(err)
		}
		return next.Delivery
	}
	t.Fatal("no message is due")
	return talkstack.Delivery{}
}

func TestV1Webhook(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/v1/projects/" + string(w.project) + "/webhook"
		do := func(method, path string, body any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: method, Path: path, Key: w.Key, Body: body})
		}
		first := do("GET", path, nil)
		expect(t, "get", first, http.StatusOK)
		secret := first.Text("secret")
		if first.At("url") != nil || !strings.HasPrefix(secret, "whsec_") || first.At("previous_secret_valid_until") != nil {
			t.Errorf("at first: %s", first.Body)
		}
		expectV1Error(t, "a test without a URL", do("POST", path+"/test", nil), http.StatusConflict, "conflict")
		for _, bad := range []string{"example.com/hook", "ftp://example.com", "https://", "https://u:p@example.com/", "http://127.0.0.1/x", "http://[::1]/", "http://10.1.2.3:8080/", "https://localhost/", "https://example.com/#x", "https://example.com/" + strings.Repeat("x", 2000)} {
			expectV1Error(t, bad[:min(len(bad), 40)], do("PATCH", path, object{"url": bad}), http.StatusBadRequest, "invalid", "url")
		}
		set := do("PATCH", path, object{"url": " https://example.com/hook?key=1 "})
		if set.Text("url") != "https://example.com/hook?key=1" || set.Text("secret") != secret {
			t.Errorf("set: %s", set.Describe())
		}
		if same := do("PATCH", path, object{}); same.Text("url") != set.Text("url") {
			t.Errorf("a change of nothing: %s", same.Describe())
		}
		rotated := do("POST", path+"/rotate-secret", object{"overlap_seconds": 60})
		if rotated.Text("secret") == secret || rotated.Text("previous_secret_valid_until") != "2026-03-11T17:50:38.925Z" {
			t.Errorf("rotated: %s", rotated.Describe())
		}
		s.Clock.Advance(time.Minute)
		if after := do("GET", path, nil); after.At("previous_secret_valid_until") != nil || after.Text("secret") != rotated.Text("secret") {
			t.Errorf("after the overlap: %s", after.Body)
		}
		if again := do("POST", path+"/rotate-secret", object{}); again.Text("previous_secret_valid_until") != "2026-03-12T17:50:38.925Z" {
			t.Errorf("rotated with the default overlap: %s", again.Describe())
		}
		expectV1Error(t, "a long overlap", do("POST", path+"/rotate-secret", object{"overlap_seconds": 604801}), http.StatusBadRequest, "invalid", "overlap_seconds")
		if cleared := do("PATCH", path, object{"url": nil}); cleared.At("url") != nil {
			t.Errorf("cleared: %s", cleared.Describe())
		}
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		for _, r := range []request{
			{Method: "GET", Path: path},
			{Method: "PATCH", Path: path, Body: object{"url": "https://eve.example/"}},
			{Method: "POST", Path: path + "/rotate-secret", Body: object{}},
			{Method: "POST", Path: path + "/test"},
		} {
			r.Key = eve.Key
			expectV1Error(t, "somebody else's "+r.Path, s.Do(t, r), http.StatusNotFound, "not_found")
		}
		log := s.Do(t, request{Method: "GET", Path: "/v1/audit-log?action=webhook.rotate_secret", Key: w.Key})
		if n := len(log.At("data").(list)); n != 2 || strings.Contains(string(log.Body), "whsec_") {
			t.Errorf("audit log of the rotations: %s", log.Body)
		}
	})
}

func TestV1WebhookDeliveries(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		url := "https://example.com/hook"
		if _, err := s.DB.UpdateProject(t.Context(), w.ID, w.project, store.ProjectUpdate{WebhookURL: &url}); err != nil {
			t.Fatal(err)
		}
		get := func(path string) httpapitest.Response {
			t.Helper()
			r := s.Do(t, request{Method: "GET", Path: path, Key: w.Key})
			expect(t, path, r, http.StatusOK)
			return r
		}
		sid := w.finished(t, s, object{"name": "John"}, "2026/rec.wav")
		const list5 = 5
		all := get("/v1/webhook-deliveries?sid=" + string(sid))
		if n := len(all.At("data").(list)); n != list5 || all.At("next_cursor") != nil {
			t.Fatalf("%d messages of the call: %s", n, all.Body)
		}
		seen := map[string]bool{}
		cursor := ""
		for page := get("/v1/webhook-deliveries?limit=2"); ; page = get("/v1/webhook-deliveries?limit=2&cursor=" + cursor) {
			for i := range page.At("data").(list) {
				seen[page.Text("data", i, "id")] = true
			}
			if page.At("next_cursor") == nil {
				break
			}
			cursor = page.Text("next_cursor")
		}
		if len(seen) != list5 {
			t.Errorf("the pages hold %d messages", len(seen))
		}
		var last talkstack.Delivery
		for range 4 {
			last = deliverNext(t, s, w.project, store.Attempt{State: talkstack.DeliveryDelivered, Status: 204})
		}
		ended := deliverNext(t, s, w.project, store.Attempt{State: talkstack.DeliveryDead, Status: 410, Error: "The receiver answered 410 Gone."})
		one := get("/v1/webhook-deliveries/" + string(ended.ID))
		for _, c := range []struct {
			path []any
			want any
		}{
			{[]any{"id"}, string(ended.ID)},
			{[]any{"type"}, "call.ended"},
			{[]any{"state"}, "dead"},
			{[]any{"attempts"}, 1.0},
			{[]any{"last_status"}, 410.0},
			{[]any{"last_error"}, "The receiver answered 410 Gone."},
			{[]any{"sid"}, string(sid)},
			{[]any{"next_attempt_at"}, nil},
			{[]any{"body", "type"}, "call.ended"},
			{[]any{"body", "data", "sid"}, string(sid)},
			{[]any{"body", "data", "status"}, "completed"},
			{[]any{"body", "data", "data", "newDate"}, "2026-03-12"},
			{[]any{"body", "data", "transcript", 1, "text"}, "Good morning"},
		} {
			if have := one.At(c.path...); have != c.want {
				t.Errorf("%v is %v, want %v", c.path, have, c.want)
			}
		}
		for query, want := range map[string]int{"state=dead": 1, "state=delivered": 4, "state=pending": 0, "type=call.ended": 1, "project_id=nobody": 0, "project_id=" + string(w.project) + "&state=dead&type=call.ended": 1} {
			if n := len(get("/v1/webhook-deliveries?" + query).At("data").(list)); n != want {
				t.Errorf("%s: %d messages, want %d", query, n, want)
			}
		}
		replay := func(id talkstack.DeliveryID, key string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/v1/webhook-deliveries/" + string(id) + "/replay", Key: key})
		}
		again := replay(ended.ID, w.Key)
		expect(t, "replay", again, http.StatusOK)
		if again.Text("state") != "pending" || again.Text("id") != string(ended.ID) || again.At("finished_at") != nil {
			t.Errorf("replayed: %s", again.Body)
		}
		expectV1Error(t, "replayed while it is pending", replay(ended.ID, w.Key), http.StatusConflict, "conflict")
		if d := deliverNext(t, s, w.project, store.Attempt{State: talkstack.DeliveryDelivered, Status: 200}); d.ID != ended.ID || d.Body == nil {
			t.Errorf("what is sent again is %s", d.ID)
		}
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		expectV1Error(t, "somebody else's message", s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries/" + string(last.ID), Key: eve.Key}), http.StatusNotFound, "not_found")
		expectV1Error(t, "replay of it", replay(last.ID, eve.Key), http.StatusNotFound, "not_found")
		if r := s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries?sid=" + string(sid), Key: eve.Key}); len(r.At("data").(list)) != 0 {
			t.Errorf("somebody else's list: %s", r.Body)
		}
		expectV1Error(t, "a bad state", s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries?state=lost", Key: w.Key}), http.StatusBadRequest, "invalid", "state")
		expectV1Error(t, "another list's cursor", s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries?cursor=abc", Key: w.Key}), http.StatusBadRequest, "invalid", "cursor")

		link, ok := strings.CutPrefix(one.Text("body", "data", "recordingUrls", 0), "http://127.0.0.1:8080")
		s.Recordings.Put("2026/rec.wav", []byte("RIFF"))
		s.Clock.Advance(6 * 24 * time.Hour) // a receiver may have been down for days
		if r := s.Do(t, request{Method: "GET", Path: link}); !ok || r.Status != http.StatusOK {
			t.Errorf("the recording's link after 6 days: %s", r.Describe())
		}
	})
}

func TestV1WebhookTestIsSentOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		url := "https://example.com/hook"
		if _, err := s.DB.UpdateProject(t.Context(), w.ID, w.project, store.ProjectUpdate{WebhookURL: &url}); err != nil {
			t.Fatal(err)
		}
		test := func() httpapitest.Response {
			t.Helper()
			r := s.Do(t, request{Method: "POST", Path: "/v1/projects/" + string(w.project) + "/webhook/test", Key: w.Key, Header: map[string]string{"Idempotency-Key": "k1"}})
			expect(t, "test", r, http.StatusOK)
			return r
		}
		first, second := test(), test()
		if first.Text("type") != "webhook.test" || first.At("sid") != nil || first.Text("id") != second.Text("id") || second.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("first %s, repeated %s", first.Body, second.Describe())
		}
		before := s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries/" + first.Text("id"), Key: w.Key})
		if before.At("body") != nil {
			t.Errorf("it says something before it is sent: %s", before.Body)
		}
		d := deliverNext(t, s, w.project, store.Attempt{State: talkstack.DeliveryDelivered, Status: 200})
		after := s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries/" + string(d.ID), Key: w.Key})
		if after.Text("body", "type") != "webhook.test" || after.Text("body", "timestamp") != first.Text("created_at") {
			t.Errorf("it says %s", after.Body)
		}
	})
}
