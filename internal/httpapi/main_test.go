package httpapi_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// start is the instant at which every test's clock begins.
var start = time.Date(2026, 3, 11, 17, 49, 38, 925_000_000, time.UTC) //nolint:gochecknoglobals // a constant in all but form

// onEngines runs a test on an API over SQLite and on one over PostgreSQL.
func onEngines(t *testing.T, test func(t *testing.T, s *httpapitest.Server)) {
	t.Helper()
	t.Parallel()
	for _, engine := range []store.Engine{store.SQLite, store.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, newServer(t, engine))
		})
	}
}

func newServer(t testing.TB, engine store.Engine, changes ...func(*httpapi.Config)) *httpapitest.Server {
	t.Helper()
	clock := storetest.NewClock(start)
	cfg := store.Config{Now: clock.Now, MaxConns: 4}
	if engine == store.PostgreSQL {
		cfg.URL = storetest.MigratedPostgreSQL(t)
	} else {
		cfg.Path = filepath.Join(t.TempDir(), "talkstack.db")
	}
	return httpapitest.New(t, storetest.Open(t, cfg), clock, changes...)
}

type (
	request = httpapitest.Request
	object  = map[string]any
	list    = []any
)

// expect fails the test when an answer has another status; it goes on, so that one run shows every difference.
func expect(t *testing.T, what string, r httpapitest.Response, status int) {
	t.Helper()
	if r.Status != status {
		t.Errorf("%s: got %s; want %d", what, r.Describe(), status)
	}
}

// expectError checks an error of the Talkstack family.
func expectError(t *testing.T, what string, r httpapitest.Response, status int, message string) {
	t.Helper()
	expect(t, what, r, status)
	if r.Text("status") != "error" || r.Text("message") == "" {
		t.Errorf("%s: the body is not the error body: %s", what, r.Body)
	}
	if message != "" && r.Text("message") != message {
		t.Errorf("%s: message %q; want %q", what, r.Text("message"), message)
	}
}

// expectEnvelope checks a success of the Talkstack family: the documented text, byte for byte.
func expectEnvelope(t *testing.T, r httpapitest.Response, message string) {
	t.Helper()
	expect(t, message, r, http.StatusOK)
	if r.Text("message") != message || r.Text("status") != "success" {
		t.Errorf("envelope: got %s; want message %q and status success", r.Body, message)
	}
}

// world is an account with everything a call needs.
type world struct {
	httpapitest.Account
	project talkstack.ProjectID
	agent   talkstack.AgentID
	number  string
}

func newWorld(t *testing.T, s *httpapitest.Server, email, number string) world {
	t.Helper()
	w := world{Account: s.Account(t, email), number: number}
	w.project = s.Project(t, w.Account, "Demo Project")
	w.agent = s.Agent(t, w.Account, w.project, number)
	return w
}

// call places a call and returns its sid.
func (w world) call(t *testing.T, s *httpapitest.Server, variables object) talkstack.CallSID {
	t.Helper()
	r := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: object{
		"number": "+12065550123", "projectId": w.project, "agentId": w.agent, "dynamicVariables": variables,
	}})
	expectEnvelope(t, r, "call made successfully.")
	return talkstack.CallSID(r.Text("call", "call_id"))
}

// finished places a call and lets it take place: answered after 2 s, with two turns, over 23.4 s later.
func (w world) finished(t *testing.T, s *httpapitest.Server, variables object, recording string) talkstack.CallSID {
	t.Helper()
	sid := w.call(t, s, variables)
	node := talkstack.NewNodeID()
	ctx := t.Context()
	if err := s.DB.Heartbeat(ctx, node); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.DB.Claim(ctx, node, 1)
	if err != nil || len(claimed) != 1 || claimed[0].SID != sid {
		t.Fatalf("claim: %v, %v", claimed, err)
	}
	c := claimed[0]
	c.CarrierSID = "carrier-" + string(sid)
	s.Clock.Advance(2 * time.Second)
	for _, step := range []error{
		s.DB.MarkDialing(ctx, c),
		s.DB.MarkRinging(ctx, c),
		s.DB.MarkAnswered(ctx, c, s.Clock.Now(), recording),
		s.DB.AddTurn(ctx, sid, talkstack.Turn{Role: talkstack.RoleUser, Text: "Hello.", Start: time.Second, End: 1500 * time.Millisecond, Words: []talkstack.Word{
			{Text: "Hello.", Start: time.Second, End: 1500 * time.Millisecond},
		}}),
		s.DB.AddTurn(ctx, sid, talkstack.Turn{Seq: 1, Role: talkstack.RoleAgent, Text: "Good morning", Start: 2 * time.Second, End: 3 * time.Second, Interrupted: true, Latency: &talkstack.TurnLatency{
			Endpointing: 300 * time.Millisecond, ASRFinal: 20 * time.Millisecond, LLMFirstToken: 100 * time.Millisecond,
			TTSFirstByte: 60 * time.Millisecond, Playout: 20 * time.Millisecond, Total: 500 * time.Millisecond,
		}}),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	s.Clock.Advance(23400 * time.Millisecond)
	if err := s.DB.FinishCall(ctx, c, store.Outcome{
		Ending: talkstack.Ending{Status: talkstack.StatusCompleted, Reason: talkstack.EndReason{
			Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup, Message: "The agent hung up.",
		}},
		Slots: map[string]string{"newDate": "2026-03-12"}, MissingVariables: []string{"agent"},
		CostParts: map[string]float64{"carrier": 0.05, "tts": 0.027},
	}); err != nil {
		t.Fatal(err)
	}
	return sid
}
