package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/event"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// liveServer is an API behind a real HTTP server, and a node whose calls it shows: on PostgreSQL another one.
type liveServer struct {
	*httpapitest.Server
	node *store.DB
	http *httptest.Server
}

func newLiveServer(t *testing.T, engine store.Engine, changes ...func(*httpapi.Config)) liveServer {
	t.Helper()
	clock := storetest.NewClock(start)
	log := slog.New(slog.DiscardHandler)
	open := func(cfg store.Config) (*store.DB, *event.Bus) {
		b := event.New(talkstack.NewNodeID(), log)
		cfg.Now, cfg.OnChange, cfg.MaxConns = clock.Now, b.Publish, 8
		db := storetest.Open(t, cfg)
		b.Start(t.Context(), db)
		t.Cleanup(b.Stop)
		return db, b
	}
	var node, db *store.DB
	var bus *event.Bus
	if engine == store.PostgreSQL {
		url := storetest.PostgreSQL(t)
		node, _ = open(store.Config{URL: url})
		db, bus = open(store.Config{URL: url})
	} else {
		db, bus = open(store.Config{Path: filepath.Join(t.TempDir(), "talkstack.db")})
		node = db
	}
	changes = append([]func(*httpapi.Config){func(c *httpapi.Config) { c.Events = bus }}, changes...)
	s := liveServer{Server: httpapitest.New(t, db, clock, changes...), node: node}
	s.http = httptest.NewUnstartedServer(s.API)
	s.http.Config.ReadTimeout = 2 * time.Second // streams must outlive it
	s.http.Config.RegisterOnShutdown(s.API.EndStreams)
	s.http.Start()
	t.Cleanup(s.http.Close)
	t.Cleanup(s.API.EndStreams)
	return s
}

// message is one server-sent event; a comment has a text and no more.
type message struct {
	id, kind, comment string
	data              object
}

// watch opens a stream. Its messages come until it ends.
func (s liveServer) watch(t *testing.T, key string, sid talkstack.CallSID, lastID string) (*http.Response, <-chan message) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http.URL+"/v1/calls/"+string(sid)+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	if lastID != "" {
		r.Header.Set("Last-Event-Id", lastID)
	}
	res, err := s.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	messages := make(chan message)
	go func() {
		defer close(messages)
		var m message
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "":
				if value != "" {
					m.comment = value
				}
				if lines.Text() == "" {
					select {
					case messages <- m:
					case <-ctx.Done():
						return
					}
					m = message{}
				}
			case "id":
				m.id = value
			case "event":
				m.kind = value
			case "data":
				_ = json.Unmarshal([]byte(value), &m.data) // a broken one fails the test where it is looked at
			}
		}
	}()
	return res, messages
}

// next is the next event of a stream; comments are passed over.
func next(t *testing.T, messages <-chan message) message {
	t.Helper()
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				t.Fatal("the stream ended")
			}
			if m.comment == "" {
				return m
			}
		case <-t.Context().Done():
			t.Fatal("no event came")
		}
	}
}

// until reads on to the event that is wanted.
func until(t *testing.T, messages <-chan message, kind, field, value string) message {
	t.Helper()
	for {
		m := next(t, messages)
		if m.kind == kind && (field == "" || m.data[field] == value) {
			return m
		}
	}
}

// over fails unless a stream has ended.
func over(t *testing.T, what string, messages <-chan message) {
	t.Helper()
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				return
			}
			if m.comment == "" {
				t.Errorf("%s: %s %v came", what, m.kind, m.data)
			}
		case <-t.Context().Done():
			t.Fatal("the stream goes on")
		}
	}
}

// claimed is a call in the hands of a node.
func (s liveServer) claimed(t *testing.T, w world) talkstack.Call {
	t.Helper()
	sid := w.call(t, s.Server, nil)
	id := talkstack.NewNodeID()
	ok(t, s.node.Heartbeat(t.Context(), id))
	calls, err := s.node.Claim(t.Context(), id, 1)
	ok(t, err)
	if len(calls) != 1 || calls[0].SID != sid {
		t.Fatalf("claimed %v", calls)
	}
	calls[0].CarrierSID = "carrier-" + string(sid)
	return calls[0]
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEventsOfACall(t *testing.T) {
	t.Parallel()
	for _, engine := range []store.Engine{store.SQLite, store.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newLiveServer(t, engine)
			w := newWorld(t, s.Server, "john@host.example", "+14155550148")
			c := s.claimed(t, w)
			ctx := t.Context()
			res, messages := s.watch(t, w.Key, c.SID, "")
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%d %v", res.StatusCode, res.Header)
			}
			if m := next(t, messages); m.kind != "call.status" || m.data["status"] != "queued" || m.data["sid"] != string(c.SID) {
				t.Fatalf("the state at first: %+v", m)
			}
			ok(t, s.node.MarkDialing(ctx, c))
			until(t, messages, "call.status", "status", "initiated")
			ok(t, s.node.MarkRinging(ctx, c))
			until(t, messages, "call.status", "status", "ringing")
			s.Clock.Advance(time.Second)
			ok(t, s.node.MarkAnswered(ctx, c, s.Clock.Now(), ""))
			until(t, messages, "call.status", "status", "in-progress")
			ok(t, s.node.AddTurn(ctx, c.SID, talkstack.Turn{Role: talkstack.RoleAgent, Text: "Good morning.", End: time.Second}))
			greeting := until(t, messages, "turn", "text", "Good morning.")
			ok(t, s.node.AddTurn(ctx, c.SID, talkstack.Turn{Seq: 1, Role: talkstack.RoleUser, Text: "I would", Start: 2 * time.Second, End: 3 * time.Second}))
			half := until(t, messages, "turn", "text", "I would")
			ok(t, s.node.AddTurn(ctx, c.SID, talkstack.Turn{Seq: 1, Role: talkstack.RoleUser, Text: "I would like to know", Start: 2 * time.Second, End: 4 * time.Second}))
			whole := until(t, messages, "turn", "text", "I would like to know")
			if greeting.data["seq"] != 0.0 || half.data["seq"] != 1.0 || whole.data["seq"] != 1.0 || whole.data["end_ms"] != 4000.0 {
				t.Errorf("turns: %v, %v, %v", greeting.data, half.data, whole.data)
			}
			s.Clock.Advance(30 * time.Second)
			ok(t, s.node.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()}))
			until(t, messages, "call.status", "status", "completed")
			ended := until(t, messages, "call.ended", "", "")
			if ended.data["duration_seconds"] != 30.0 {
				t.Errorf("call.ended: %v", ended.data)
			}
			ok(t, s.node.StoreAnalysis(ctx, c.SID, store.AnalysisResult{
				Analysis: talkstack.Analysis{Summary: "They wanted to know.", Sentiment: talkstack.SentimentNeutral, Analyzer: "rules"}, Digest: "d", Schema: true,
			}))
			analyzed := until(t, messages, "call.analyzed", "", "")
			if a, _ := analyzed.data["analysis"].(object); a["summary"] != "They wanted to know." {
				t.Errorf("call.analyzed: %v", analyzed.data)
			}
			over(t, "after the analysis", messages)

			// what a client that was cut off gets when it comes back
			kinds := func(lastID string) string {
				t.Helper()
				_, messages := s.watch(t, w.Key, c.SID, lastID)
				var all []string
				for m := range messages {
					all = append(all, strings.TrimSpace(m.kind+" "+strings.TrimSpace(textOf(m.data["text"]))))
				}
				return strings.Join(all, ", ")
			}
			const allTurns = "turn Good morning., turn I would like to know, "
			for what, r := range map[string]struct{ id, want string }{
				"from the beginning":     {"", "call.status, " + allTurns + "call.ended, call.analyzed"},
				"with nonsense":          {"77", "call.status, " + allTurns + "call.ended, call.analyzed"},
				"behind the greeting":    {greeting.id, "call.status, turn I would like to know, call.ended, call.analyzed"},
				"behind a replaced turn": {half.id, "call.status, " + allTurns + "call.ended, call.analyzed"},
				"behind the last turn":   {whole.id, "call.status, call.ended, call.analyzed"},
				"behind the end":         {ended.id, "call.analyzed"},
			} {
				if have := kinds(r.id); have != r.want {
					t.Errorf("resumed %s: %s; want %s", what, have, r.want)
				}
			}
			if res, _ := s.watch(t, w.Key, c.SID, analyzed.id); res.StatusCode != http.StatusNoContent {
				t.Errorf("resumed behind everything: %d, want 204", res.StatusCode)
			}
			s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(c.SID) + "/events", Key: w.Key})
			s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(c.SID) + "/events", Key: w.Key, Header: map[string]string{"Last-Event-ID": analyzed.id}})
		})
	}
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// TestStreamsOutliveTheLimitsOfRequests: the server's limit on reading a request is long over when the turn comes.
func TestStreamsOutliveTheLimitsOfRequests(t *testing.T) {
	t.Parallel()
	s := newLiveServer(t, store.SQLite, func(c *httpapi.Config) { c.Heartbeat = 50 * time.Millisecond })
	w := newWorld(t, s.Server, "john@host.example", "+14155550148")
	c := s.claimed(t, w)
	_, messages := s.watch(t, w.Key, c.SID, "")
	for beats := 0; beats < 60; { // longer than the server's limit
		m, open := <-messages
		if !open {
			t.Fatal("the stream ended")
		}
		if m.comment != "" {
			beats++
		}
	}
	ok(t, s.DB.AddTurn(t.Context(), c.SID, talkstack.Turn{Role: talkstack.RoleAgent, Text: "Hello."}))
	until(t, messages, "turn", "text", "Hello.")
}

// TestStreamEndsWithItsKey: who may not ask any more may not listen any more.
func TestStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	s := newLiveServer(t, store.SQLite, func(c *httpapi.Config) { c.Heartbeat = 20 * time.Millisecond })
	w := newWorld(t, s.Server, "john@host.example", "+14155550148")
	c := s.claimed(t, w)
	_, messages := s.watch(t, w.Key, c.SID, "")
	until(t, messages, "call.status", "", "")
	fresh := s.Do(t, request{Method: "GET", Path: "/user/generate-apikey", Token: w.Token}).Text("apiKey")
	over(t, "with a key that was replaced", messages)
	_, messages = s.watch(t, fresh, c.SID, "")
	until(t, messages, "call.status", "", "")
}

func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	s := newLiveServer(t, store.SQLite, func(c *httpapi.Config) { c.Heartbeat = 20 * time.Millisecond })
	w := newWorld(t, s.Server, "john@host.example", "+14155550148")
	ended := s.claimed(t, w)
	ok(t, s.DB.MarkDialing(t.Context(), ended))
	ok(t, s.DB.FinishCall(t.Context(), ended, store.Outcome{Ending: talkstack.Ending{
		Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy},
	}}))
	_, waiting := s.watch(t, w.Key, ended.SID, "")
	until(t, waiting, "call.ended", "", "")
	s.Clock.Advance(3 * time.Minute) // nobody has analysed it
	over(t, "without an analysis", waiting)

	running := s.claimed(t, w)
	_, messages := s.watch(t, w.Key, running.SID, "")
	next(t, messages)
	stopped := make(chan error, 1)
	go func() { stopped <- s.http.Config.Shutdown(t.Context()) }()
	over(t, "at the stop of the server", messages)
	ok(t, <-stopped)
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := newLiveServer(t, store.SQLite)
	w := newWorld(t, s.Server, "john@host.example", "+14155550148")
	eve := newWorld(t, s.Server, "eve@host.example", "+14155550149")
	c := s.claimed(t, w)
	theirs := eve.call(t, s.Server, nil)
	var first *http.Response
	for i := range 100 {
		res, messages := s.watch(t, w.Key, c.SID, "")
		next(t, messages)
		if i == 0 {
			first = res
		}
	}
	limited := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(c.SID) + "/events", Key: w.Key})
	if limited.Status != http.StatusTooManyRequests || limited.Text("code") != "limited" || limited.Header.Get("Retry-After") == "" {
		t.Errorf("the stream too many: %s", limited.Describe())
	}
	if res, messages := s.watch(t, eve.Key, theirs, ""); res.StatusCode != http.StatusOK || next(t, messages).kind != "call.status" {
		t.Errorf("another account: %d", res.StatusCode)
	}
	ok(t, first.Body.Close())
	for { // the server hears of it in its own time
		res, messages := s.watch(t, w.Key, c.SID, "")
		if res.StatusCode == http.StatusOK {
			next(t, messages)
			return
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeadOfAStreamComesBack(t *testing.T) {
	t.Parallel()
	s := newLiveServer(t, store.SQLite)
	w := newWorld(t, s.Server, "john@host.example", "+14155550148")
	c := s.claimed(t, w)
	r := s.DoUndocumented(t, request{Method: "HEAD", Path: "/v1/calls/" + string(c.SID) + "/events", Key: w.Key})
	if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", r.Status, r.Header)
	}
	expect(t, "an unknown call", s.Do(t, request{Method: "GET", Path: "/v1/calls/none/events", Key: w.Key}), http.StatusNotFound)
	expect(t, "without credentials", s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(c.SID) + "/events"}), http.StatusUnauthorized)
}
