package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// The call history with its filters (spec section 6.3), and the quirks Q36, Q37 and Q38.

// busy places a call to a number and ends it at once as busy.
func (w world) busy(t *testing.T, s *httpapitest.Server, number string) talkstack.CallSID {
	t.Helper()
	r := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: object{"number": number, "projectId": w.project, "agentId": w.agent}})
	expectEnvelope(t, r, "call made successfully.")
	ctx, node := t.Context(), talkstack.NewNodeID()
	ok(t, s.DB.Heartbeat(ctx, node))
	claimed, err := s.DB.Claim(ctx, node, 1)
	ok(t, err)
	if len(claimed) != 1 {
		t.Fatalf("claimed %d calls, want 1", len(claimed))
	}
	ok(t, s.DB.MarkDialing(ctx, claimed[0]))
	ok(t, s.DB.FinishCall(ctx, claimed[0], store.Outcome{Ending: talkstack.Ending{
		Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy},
	}}))
	return talkstack.CallSID(r.Text("call", "call_id"))
}

// found names the calls of an answer: their letters, in its order.
func found(r httpapitest.Response, key string, names map[string]string) string {
	calls, _ := r.At("data").(list)
	var b strings.Builder
	for i := range calls {
		b.WriteString(names[r.Text("data", i, key)])
	}
	return b.String()
}

func TestHistoryFilters(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		// The clock begins at 17:49 on the 11th. A: that day. B: at midnight, exactly, that begins the 12th. C: on the 12th.
		names := map[string]string{}
		names[string(w.finished(t, s, nil, ""))] = "A"
		s.Clock.Advance(time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC).Sub(s.Clock.Now()))
		names[string(w.busy(t, s, "+12065550124"))] = "B"
		s.Clock.Advance(time.Hour)
		names[string(w.call(t, s, nil))] = "C"

		for _, q := range []struct{ filter, want string }{
			{"", "CBA"},
			{"to=%2B12065550124", "B"},
			{"to=+12065550124", "B"}, // an unescaped + is a blank
			{"from=%2B14155550148", "CBA"},
			{"from=%2B14155550149", ""},
			{"status=queued", "C"},
			{"status=busy", "B"},
			{"status=completed", "A"},
			{"status=voicemail", ""}, // Q38
			{"status=silence", ""},
			{"startTime=2026-03-11", "A"}, // Q37: the whole day of UTC
			{"startTime=2026-03-12", "CB"},
			{"startTime=2026-03-13", ""},
			{"startTimeBefore=2026-03-12", "BA"}, // midnight itself counts, both ways
			{"startTimeAfter=2026-03-12", "CB"},
			{"startTimeAfter=2026-03-11&startTimeBefore=2026-03-12", "BA"},
			{"startTimeAfter=2026-03-13", ""},
			{"endTime=2026-03-11", "A"},
			{"endTime=2026-03-12", "B"},
			{"endTimeBefore=2026-03-12", "BA"},
			{"endTimeAfter=2026-03-12", "B"},
			{".endTime=2026-03-12", "B"}, // Q36
			{".endTimeAfter=2026-03-12", "B"},
			{".endTimeBefore=2026-03-12", "BA"},
			{".startTime=2026-03-11", "A"},
			{".startTimeBefore=2026-03-12", "BA"},
			{".startTimeAfter=2026-03-12", "CB"},
			{".status=busy", "B"},
			{".to=%2B12065550124", "B"},
			{".from=%2B14155550149", ""},
			{"status=busy&to=%2B12065550123", ""},
			{"status=busy&endTime=2026-03-12&from=%2B14155550148", "B"},
		} {
			r := s.Do(t, request{Method: "POST", Path: "/call/get-call-history?" + q.filter, Key: w.Key, Body: object{"projectId": w.project, "pageSize": 20}})
			expectEnvelope(t, r, "successfully fetched call history.")
			if have := found(r, "sid", names); have != q.want {
				t.Errorf("?%s: calls %q; want %q", q.filter, have, q.want)
			}
			// Q36: the same in the body
			body := object{"projectId": w.project}
			values, err := url.ParseQuery(q.filter)
			ok(t, err)
			for name, v := range values {
				body[name] = v[0]
			}
			r = s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: body})
			if have := found(r, "sid", names); r.Status != http.StatusOK || have != q.want {
				t.Errorf("%v: calls %q; want %q: %s", body, have, q.want, r.Describe())
			}
		}
		both := s.Do(t, request{Method: "POST", Path: "/call/get-call-history?status=busy", Key: w.Key, Body: object{"projectId": w.project, "status": "queued"}})
		if have := found(both, "sid", names); have != "B" {
			t.Errorf("query and body differ: calls %q; want those of the query", have)
		}
		snake := s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: object{"project_id": w.project, "end_time": "2026-03-12", "page_size": 5}})
		if have := found(snake, "sid", names); have != "B" {
			t.Errorf("Q14: calls %q; want B: %s", have, snake.Body)
		}

		for _, bad := range []string{
			"status=answered", "status=Busy", "startTime=12-03-2026", "startTime=2026-02-30", "startTime=2026-03-12T00:00:00Z", "startTime=yesterday",
			"startTimeBefore=0", "startTimeAfter=2026-13-01", "endTime=x", ".endTime=x", "endTimeBefore=-1", "endTimeAfter=2026-3-1", "startTime=0000-01-01",
		} {
			r := s.Do(t, request{Method: "POST", Path: "/call/get-call-history?" + bad, Key: w.Key, Body: object{"projectId": w.project}})
			expectError(t, "?"+bad, r, http.StatusBadRequest, "")
			name, _, _ := strings.Cut(strings.TrimPrefix(bad, "."), "=")
			if r.Text("errors", 0, "field") != name {
				t.Errorf("?%s: the error does not name the field: %s", bad, r.Body)
			}
		}
		expectError(t, "no project", s.Do(t, request{Method: "POST", Path: "/call/get-call-history?status=busy", Key: w.Key, Body: object{}}), http.StatusBadRequest, "")
		expectError(t, "unknown project", s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: object{"projectId": "none"}}), http.StatusNotFound, "")
	})
}

func TestHistoryPages(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		names, want := map[string]string{}, ""
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			names[string(w.call(t, s, nil))] = name
			want = name + want
			s.Clock.Advance(time.Second)
		}
		var have string
		for page, more := 0, true; more; page++ {
			r := s.Do(t, request{Method: "POST", Path: "/call/get-call-history?status=queued", Key: w.Key, Body: object{"projectId": w.project, "pageSize": 2, "page": page}})
			have += found(r, "callSid", names)
			more = r.At("hasMore") == true
		}
		if have != want {
			t.Errorf("pages: %q; want %q", have, want)
		}
		for _, bad := range []object{{"pageSize": 0}, {"pageSize": -1}, {"page": -1}, {"pageSize": "x"}, {"page": 1.5}} {
			bad["projectId"] = w.project
			expectError(t, "bad page", s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: bad}), http.StatusBadRequest, "")
		}
		many := s.Do(t, request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: object{"projectId": w.project, "pageSize": 100000}})
		if have := found(many, "call_id", names); have != want || many.At("hasMore") != false {
			t.Errorf("a large page: %q", have)
		}
	})
}

// FuzzHistoryFilters sends any query: the answer is a page or a 400 of the contract's shape, never a fault.
func FuzzHistoryFilters(f *testing.F) {
	s := newServer(f, store.SQLite)
	a := s.Account(f, "john@host.example")
	project := s.Project(f, a, "Demo")
	for _, seed := range []string{
		"", "status=busy", "startTime=2026-03-11", ".endTimeAfter=2026-03-11&to=%2B1", "startTimeBefore=9999-12-31", "endTimeBefore=9999-12-31",
		"endTimeAfter=0001-01-01", "to=%00", "to='%20OR%201=1--", "status=%ff", "..endTime=2026-03-11", ".=x", "startTime=2026-03-11;endTime=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, "\r\n #") {
			t.Skip("no part of a request line")
		}
		target := "/call/get-call-history?" + query
		if _, err := url.ParseRequestURI(target); err != nil {
			t.Skip("no address")
		}
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/call/get-call-history", strings.NewReader(`{"projectId":"`+string(project)+`"}`))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Api-Key", a.Key)
		rec := httptest.NewRecorder()
		s.API.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest {
			t.Errorf("?%s: %d %s", query, rec.Code, rec.Body)
		}
	})
}

func TestV1ListsCalls(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		second := s.Project(t, w.Account, "Second")
		names := map[string]string{string(w.finished(t, s, nil, "")): "A", string(w.busy(t, s, "+12065550124")): "B"}
		eve.call(t, s, nil)
		half := s.Clock.Now().Add(30 * time.Minute).Format(time.RFC3339)
		s.Clock.Advance(time.Hour)
		for _, name := range []string{"C", "D", "E"} {
			names[string(w.call(t, s, nil))] = name
			s.Clock.Advance(time.Second)
		}
		ask := func(key, query string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/v1/calls?" + query, Key: key})
		}
		for query, want := range map[string]string{
			"":                                    "EDCBA",
			"project_id=" + string(w.project):     "EDCBA",
			"project_id=" + string(second):        "",
			"project_id=" + string(eve.project):   "",
			"project_id=none":                     "",
			"agent_id=" + string(w.agent):         "EDCBA",
			"agent_id=" + string(eve.agent):       "",
			"batch_id=none":                       "",
			"status=completed":                    "A",
			"status=queued":                       "EDC",
			"direction=inbound":                   "",
			"direction=outbound":                  "EDCBA",
			"to=%2B12065550124":                   "B",
			"to=+12065550123":                     "EDCA",
			"from=%2B14155550148":                 "EDCBA",
			"created_after=" + half:               "EDC",
			"created_before=" + half:              "BA",
			"created_before=" + half + "&limit=1": "B",
		} {
			r := ask(w.Key, query)
			if have := found(r, "sid", names); r.Status != http.StatusOK || have != want {
				t.Errorf("?%s: calls %q; want %q: %.300s", query, have, want, r.Body)
			}
		}
		// page by page, while calls come in
		have, cursor := "", ""
		for {
			r := ask(w.Key, "limit=2&cursor="+url.QueryEscape(cursor))
			have += found(r, "sid", names)
			if r.At("next_cursor") == nil {
				break
			}
			cursor = r.Text("next_cursor")
			w.call(t, s, nil)
			s.Clock.Advance(time.Second)
		}
		if have != "EDCBA" {
			t.Errorf("by cursor, while calls come in: %q; want EDCBA", have)
		}
		for _, bad := range []string{"status=answered", "direction=up", "limit=0", "limit=101", "created_after=yesterday", "cursor=x", "cursor=" + strings.Repeat("x", 600)} {
			if r := ask(w.Key, bad); r.Status != http.StatusBadRequest || r.Text("code") != "invalid" {
				t.Errorf("?%s: %s", bad, r.Describe())
			}
		}
	})
}

func TestV1PlacesAndHangsUpCalls(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		place := func(key string, body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/v1/calls", Key: w.Key, Body: body, Header: map[string]string{"Idempotency-Key": key}})
		}
		good := object{"to": "+12065550123", "project_id": w.project, "agent_id": w.agent, "dynamic_variables": object{"order": 12345678901234567}}
		first, again := place("k", good), place("k", good)
		if first.Status != http.StatusOK || first.Text("status") != "queued" || first.Text("from") != "+14155550148" {
			t.Errorf("placed: %s", first.Describe())
		}
		if again.Text("sid") != first.Text("sid") || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("repeated: %v %s", again.Header, again.Describe())
		}
		good["to"] = "+12065550124"
		if r := place("k", good); r.Status != http.StatusConflict || r.Text("code") != "conflict" {
			t.Errorf("another call under the same key: %s", r.Describe())
		}
		if r := place("k\u00e9", good); r.Status != http.StatusBadRequest {
			t.Errorf("a key that is not plain: %s", r.Describe())
		}
		for what, c := range map[string]struct {
			body   object
			status int
		}{
			"no number":       {object{"project_id": w.project}, http.StatusBadRequest},
			"not a number":    {object{"to": "12", "project_id": w.project, "agent_id": w.agent}, http.StatusBadRequest},
			"no project":      {object{"to": "+12065550123"}, http.StatusBadRequest},
			"unknown project": {object{"to": "+12065550123", "project_id": "none", "agent_id": w.agent}, http.StatusNotFound},
			"unknown agent":   {object{"to": "+12065550123", "project_id": w.project, "agent_id": "none"}, http.StatusNotFound},
			"no agent at all": {object{"to": "+12065550123", "project_id": w.project}, http.StatusBadRequest}, // Q22
		} {
			expect(t, what, place("", c.body), c.status)
		}

		sid := first.Text("sid")
		hangup := request{Method: "POST", Path: "/v1/calls/" + sid + "/hangup", Key: w.Key}
		for range 2 { // asked again, it stays as it is
			r := s.Do(t, hangup)
			if r.Status != http.StatusOK || r.Text("status") != "failed" || r.Text("end_reason", "code") != "agent_hangup" {
				t.Errorf("a queued call that is hung up: %s", r.Describe())
			}
		}
		live := w.call(t, s, nil)
		node := talkstack.NewNodeID()
		ok(t, s.DB.Heartbeat(t.Context(), node))
		claimed, err := s.DB.Claim(t.Context(), node, 1)
		if err != nil || len(claimed) != 1 || claimed[0].SID != live {
			t.Fatalf("claimed %v, %v", claimed, err)
		}
		ok(t, s.DB.MarkDialing(t.Context(), claimed[0]))
		hangup.Path = "/v1/calls/" + string(live) + "/hangup"
		if r := s.Do(t, hangup); r.Status != http.StatusOK || r.Text("status") != "initiated" {
			t.Errorf("a call that is dialled: %s", r.Describe())
		}
		open, err := s.DB.OpenCalls(t.Context(), node)
		if err != nil || len(open) != 1 || !open[0].HangupRequested {
			t.Errorf("the node does not learn of the wish: %+v, %v", open, err)
		}
		hangup.Path = "/v1/calls/none/hangup"
		expect(t, "an unknown call", s.Do(t, hangup), http.StatusNotFound)
	})
}

func TestV1Usage(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		w.finished(t, s, nil, "")
		w.busy(t, s, "+12065550124")
		w.call(t, s, nil) // has not ended: it does not count
		ask := func(key, query string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "GET", Path: "/v1/usage?" + query, Key: key})
		}
		r := ask(w.Key, "")
		for _, sum := range []string{"total", "data"} {
			at := func(path ...any) any {
				if sum == "data" {
					return r.At(append([]any{"data", 0}, path...)...)
				}
				return r.At(append([]any{sum}, path...)...)
			}
			if at("calls") != 2.0 || at("by_status", "completed") != 1.0 || at("by_status", "busy") != 1.0 || at("answered") != 1.0 || at("answered_share") != 0.5 ||
				at("minutes") != 0.39 || at("average_duration_seconds") != 23.4 || at("cost") != 0.077 || at("latency", "p50_ms") != 500.0 {
				t.Errorf("%s: %s", sum, r.Body)
			}
		}
		if r.Text("from") != "2026-02-10" || r.Text("to") != "2026-03-11" || r.Text("data", 0, "day") != "2026-03-11" || r.At("data", 0, "project_id") != nil {
			t.Errorf("the report of the last 30 days: %s", r.Body)
		}
		if r := ask(w.Key, "group_by=project&from=2026-03-11&to=2026-03-11"); r.Text("data", 0, "project_id") != string(w.project) || r.At("total", "calls") != 2.0 {
			t.Errorf("by project: %s", r.Body)
		}
		for what, r := range map[string]httpapitest.Response{
			"another month":           ask(w.Key, "from=2026-01-01&to=2026-01-31"),
			"somebody else":           ask(eve.Key, ""),
			"somebody else's project": ask(eve.Key, "project_id="+string(w.project)),
		} {
			if l, _ := r.At("data").(list); r.At("total", "calls") != 0.0 || len(l) != 0 {
				t.Errorf("%s: %s", what, r.Body)
			}
		}
		expect(t, "92 days", ask(w.Key, "from=2026-01-01&to=2026-04-02"), http.StatusOK)
		for _, bad := range []string{"from=2026-01-01&to=2026-04-03", "from=2026-03-12&to=2026-03-11", "from=x", "to=2026-02-30", "group_by=hour"} {
			expect(t, "?"+bad, ask(w.Key, bad), http.StatusBadRequest)
		}
	})
}

// TestWebhookBody is the body of each message (spec section 12.6).
func TestWebhookBody(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		sid := w.finished(t, s, object{"partnerId": "p-1"}, "recorded")
		yes := true
		ok(t, s.DB.StoreAnalysis(t.Context(), sid, store.AnalysisResult{Digest: "d", Schema: true, Analysis: talkstack.Analysis{
			Summary: "They came.", Sentiment: talkstack.SentimentPositive, Successful: &yes, Analyzer: "rules",
			Answers: []talkstack.Answer{
				{Question: talkstack.Question{Name: "employeeGoToWork", Text: "Do they come?", Type: talkstack.QuestionBoolean}, Value: "Yes"},
				{Question: talkstack.Question{Name: "hours", Text: "How long?", Type: talkstack.QuestionNumber}, Value: 7.5},
				{Question: talkstack.Question{Name: "reason", Text: "Why?", Type: talkstack.QuestionText}},
			},
		}}))
		c, err := s.DB.CallBySID(t.Context(), sid)
		ok(t, err)
		for _, kind := range []talkstack.EventType{talkstack.EventCallStatus, talkstack.EventCallEnded, talkstack.EventCallAnalyzed, talkstack.EventTest} {
			d := talkstack.Delivery{Type: kind, CallSID: sid, Call: c, CreatedAt: start}
			if kind == talkstack.EventTest {
				d = talkstack.Delivery{Type: kind, CreatedAt: start}
			}
			b, err := s.API.WebhookBody(t.Context(), d, "https://talk.example/")
			ok(t, err)
			m := httpapitest.Parse(t, b)
			if m.Text("type") != string(kind) || m.Text("timestamp") != "2026-03-11T17:49:38.925Z" {
				t.Errorf("%s: %s", kind, b)
			}
			if kind == talkstack.EventTest {
				if data, ok := m.At("data").(object); !ok || len(data) != 0 {
					t.Errorf("a message of no call: %s", b)
				}
				continue
			}
			if m.Text("data", "callSid") != string(sid) || m.At("data", "seconds") != 23.0 || m.Text("data", "partnerId") != "p-1" ||
				!strings.HasPrefix(m.Text("data", "recordingUrls", 0), "https://talk.example/v1/calls/"+string(sid)+"/recording?") {
				t.Errorf("%s: %s", kind, b)
			}
			// Q32: texts, of the flow and of the analysis
			if m.Text("data", "data", "newDate") != "2026-03-12" || m.Text("data", "data", "employeeGoToWork") != "Yes" || m.Text("data", "data", "hours") != "7.5" || m.At("data", "data", "reason") != "" {
				t.Errorf("%s: data %v", kind, m.At("data", "data"))
			}
			if m.Text("data", "analysis", "summary") != "They came." || m.At("data", "analysis", "successful") != true {
				t.Errorf("%s: analysis %v", kind, m.At("data", "analysis"))
			}
			said := m.Text("data", "transcript", 1, "text")
			if (kind == talkstack.EventCallEnded) != (said == "Good morning") {
				t.Errorf("%s: the transcript is %v", kind, m.At("data", "transcript"))
			}
		}
		v1 := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(sid), Key: w.Key})
		if v1.At("analysis", "data", "hours") != 7.5 || v1.At("analysis", "data", "reason") != nil || v1.Text("analysis", "sentiment") != "Positive" {
			t.Errorf("/v1: %s", v1.Body)
		}
	})
}
