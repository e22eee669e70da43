package contract

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/hubspot"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	email    = "john@host.example"
	password = talkstack.Secret("correct horse battery staple")
	callee   = "+12065550123"
)

// world is a server with a client that takes no answer with a field it does not know.
type world struct {
	*httpapitest.Server
	api    *client.Client // with the account's key
	user   *client.Client // logged in
	portal *hubspottest.Portal
	base   string

	mu       sync.Mutex
	answered map[string]bool // "GET /v1/calls/{sid}": a request was answered with 2xx
	routes   []string        // all operations of the document
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{answered: map[string]bool{}}
	clock := storetest.NewClock(time.Now().UTC())
	db := storetest.Open(t, store.Config{Path: filepath.Join(t.TempDir(), "talkstack.db"), Now: clock.Now, MaxConns: 4})
	w.Server = httpapitest.New(t, db, clock, func(c *httpapi.Config) {
		hub := hubspottest.New(c.Now)
		t.Cleanup(hub.Close)
		connector, err := hubspot.New(t.Context(), hubspot.Config{
			DB: c.DB, ClientID: hub.ClientID, ClientSecret: talkstack.Secret(hub.ClientSecret), BaseURL: hub.URL(), AppURL: hub.URL(),
			Now: c.Now, Log: slog.New(slog.DiscardHandler),
		})
		must(t, err)
		t.Cleanup(connector.Close)
		c.HubSpot, c.PublicURL = connector, "https://talk.example"
		w.portal = hub.AddPortal(62515)
	})
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		seen := &status{ResponseWriter: out, code: http.StatusOK}
		w.API.ServeHTTP(seen, r)
		switch {
		case seen.code/100 == 2:
			w.note(r)
		case seen.code >= http.StatusInternalServerError:
			t.Errorf("%s %s answered %d:\n%s", r.Method, r.URL, seen.code, w.Log)
		}
	}))
	t.Cleanup(server.Close)
	w.base = server.URL
	var err error
	w.user, err = client.New(server.URL, "", client.WithStrictAnswers(), client.WithTries(1))
	must(t, err)
	w.signUp(t)
	key := got(w.user.GenerateAPIKey(t.Context()))(t)
	w.api, err = client.New(server.URL, key, client.WithStrictAnswers(), client.WithTries(1))
	must(t, err)
	return w
}

// status remembers the status of an answer.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// note finds the operation that a request is for: the one with the fewest parameters in its path.
func (w *world) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	best := ""
	for _, route := range w.routes {
		if matches(route, r.Method+" "+r.URL.Path) && (best == "" || strings.Count(route, "{") < strings.Count(best, "{")) {
			best = route
		}
	}
	w.answered[best] = true
}

func matches(route, request string) bool {
	a, b := strings.Split(route, "/"), strings.Split(request, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}

// signUp makes the account and logs in.
func (w *world) signUp(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	s := got(w.user.Signup(ctx, client.SignupRequest{Email: email, Password: password, Name: "John", CompanyName: "ACME"}))(t)
	if s.Signup != client.SignupSuccess || s.User.CompanyName != "ACME" || s.Token == "" {
		t.Errorf("signed up as %+v", s)
	}
	w.Clock.Advance(2 * time.Minute) // codes are not mailed at a stroke
	must(t, w.user.ResendCode(ctx, email))
	if u := got(w.user.VerifyEmail(ctx, email, w.Mailbox.Code(t, email)))(t); !u.Verified {
		t.Errorf("verified as %+v", u)
	}
	if s := got(w.user.Login(ctx, email, password))(t); s.Login != client.LoginSuccess || s.Expires.IsZero() {
		t.Errorf("logged in as %+v", s)
	}
}

// finish lets the call that waits take place: answered, two turns, recorded, analysed.
func (w *world) finish(t *testing.T, sid talkstack.CallSID) {
	t.Helper()
	ctx, node := t.Context(), talkstack.NewNodeID()
	must(t, w.DB.Heartbeat(ctx, node))
	claimed := got(w.DB.Claim(ctx, node, 1))(t)
	if len(claimed) != 1 || claimed[0].SID != sid {
		t.Fatalf("claimed %v; want %s", claimed, sid)
	}
	c := claimed[0]
	w.Recordings.Put("rec.wav", []byte("RIFF....WAVE"))
	must(t, w.DB.MarkDialing(ctx, c))
	must(t, w.DB.MarkRinging(ctx, c))
	must(t, w.DB.MarkAnswered(ctx, c, w.Clock.Now(), "rec.wav"))
	must(t, w.DB.AddTurn(ctx, sid, talkstack.Turn{Role: talkstack.RoleUser, Text: "Hello.", Words: []talkstack.Word{{Text: "Hello.", End: time.Second}}}))
	must(t, w.DB.AddTurn(ctx, sid, talkstack.Turn{Seq: 1, Role: talkstack.RoleAgent, Text: "Good morning", Latency: &talkstack.TurnLatency{Total: time.Second}}))
	w.Clock.Advance(10 * time.Second)
	must(t, w.DB.FinishCall(ctx, c, store.Outcome{
		Ending: storetest.Completed(), Slots: map[string]string{"day": "Monday"}, CostParts: map[string]float64{"carrier": 0.05},
	}))
	yes := true
	must(t, w.DB.StoreAnalysis(ctx, sid, store.AnalysisResult{Digest: "d", Schema: true, Analysis: talkstack.Analysis{
		Summary: "They come.", Sentiment: talkstack.SentimentPositive, Successful: &yes, Analyzer: "rules",
		Answers: []talkstack.Answer{{Question: talkstack.Question{Name: "comes", Text: "Do they come?", Type: talkstack.QuestionBoolean}, Value: "Yes"}},
	}}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got takes a result and its error, and fails the test on an error.
func got[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
