package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/jobs"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
	"talkstack/internal/webhook"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// newClock makes a clock for a test.
func newClock() *storetest.Clock {
	return storetest.NewClock(time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC))
}

// message is what a receiver got.
type message struct {
	ID, Timestamp, Signature string
	Body                     []byte
	Type                     talkstack.EventType
	Data                     struct {
		SID    talkstack.CallSID
		Status talkstack.CallStatus
	}
}

// receiver is somebody's server. It answers 200 until told otherwise.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	answer func(w http.ResponseWriter, r *http.Request, m message)
	each   chan message // every message, after it was kept
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{each: make(chan message, 100_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		m := message{ID: q.Header.Get("webhook-id"), Timestamp: q.Header.Get("webhook-timestamp"), Signature: q.Header.Get("webhook-signature"), Body: body}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("body %s: %v", body, err)
		}
		r.mu.Lock()
		r.got = append(r.got, m)
		answer := r.answer
		r.mu.Unlock()
		r.each <- m
		if answer != nil {
			answer(w, q, m)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// answers sets how the receiver answers from now on; nil: 200.
func (r *receiver) answers(f func(w http.ResponseWriter, r *http.Request, m message)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// take returns what has come since it was last called.
func (r *receiver) take() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// status answers with a status.
func status(code int) func(http.ResponseWriter, *http.Request, message) {
	return func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(code) }
}

// render is a body with what the tests look at.
func render(_ context.Context, d talkstack.Delivery) ([]byte, error) {
	return json.Marshal(map[string]any{"type": d.Type, "data": map[string]any{"sid": d.CallSID, "status": d.Call.Status}})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newWorker makes a worker that may reach this machine.
func newWorker(db *store.DB, now func() time.Time) *webhook.Worker {
	return webhook.New(webhook.Config{DB: db, Render: render, AllowPrivate: true, Version: "test", Now: now, Log: discard()})
}

// account is an account with a receiver.
func account(t testing.TB, db *store.DB, url string) storetest.Account {
	t.Helper()
	a := storetest.NewAccount(t, db, 10_000)
	p, err := db.UpdateProject(t.Context(), a.User.ID, a.Project.ID, store.ProjectUpdate{WebhookURL: &url})
	if err != nil {
		t.Fatal(err)
	}
	a.Project = p
	return a
}

// call is a call from its dialling to its end: five messages.
func call(t testing.TB, db *store.DB, a storetest.Account) talkstack.CallSID {
	t.Helper()
	ctx := t.Context()
	node := talkstack.NewNodeID()
	c, err := db.PlaceCall(ctx, a.Call())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Heartbeat(ctx, node); err != nil {
		t.Fatal(err)
	}
	claimed, err := db.Claim(ctx, node, 1)
	if err != nil || len(claimed) != 1 || claimed[0].SID != c.SID {
		t.Fatalf("claim: %v, %v", claimed, err)
	}
	c = claimed[0]
	for _, err := range []error{
		db.MarkDialing(ctx, c), db.MarkRinging(ctx, c), db.MarkAnswered(ctx, c, time.Now(), ""),
		db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return c.SID
}

const messagesOfACall = 5

// deliverAll delivers what is due in all of a project's lanes.
func deliverAll(t testing.TB, w *webhook.Worker, a storetest.Account) {
	t.Helper()
	for lane := range store.Lanes {
		if err := w.Deliver(t.Context(), store.WebhookJob{ProjectID: a.Project.ID, Lane: lane}); err != nil {
			t.Error(err)
		}
	}
}

// steps are what messages say, in the order in which they came.
func steps(got []message) []string {
	out := make([]string, len(got))
	for i, m := range got {
		out[i] = string(m.Type) + " " + string(m.Data.Status)
	}
	return out
}

// life is what the messages of a call say.
func life() []string {
	return []string{"call.status initiated", "call.status ringing", "call.status in-progress", "call.status completed", "call.ended completed"}
}

// start works jobs until the test ends.
func start(t testing.TB, db *store.DB, w *webhook.Worker) *jobs.Runner {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	r, err := jobs.Start(t.Context(), jobs.Config{DB: db, Node: talkstack.NewNodeID(), Workers: workers, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Stop(context.Background()) }) //nolint:usetesting // the test's context has ended by then
	return r
}

// collect waits for so many messages.
func collect(t testing.TB, r *receiver, n int) map[talkstack.CallSID][]message {
	t.Helper()
	got := map[talkstack.CallSID][]message{}
	for range n {
		select {
		case m := <-r.each:
			got[m.Data.SID] = append(got[m.Data.SID], m)
		case <-t.Context().Done():
			t.Fatal("the test ended before all messages had come")
		}
	}
	return got
}

// verify is the receiver's side of Standard Webhooks, written from its text and not from ours: some signature of version
// 1 must be the HMAC-SHA256 of "id.timestamp.body" by the decoded secret.
func verify(t testing.TB, secret talkstack.Secret, m message) bool {
	t.Helper()
	encoded, ok := strings.CutPrefix(secret.Reveal(), "whsec_")
	if !ok {
		t.Fatalf("the secret begins with %.6s", secret.Reveal())
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < 24 || len(key) > 64 { // as the specification asks
		t.Fatalf("the secret has %d bytes, %v", len(key), err)
	}
	h := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(m.ID), []byte("."), []byte(m.Timestamp), []byte("."), m.Body} {
		h.Write(part)
	}
	want := h.Sum(nil)
	return slices.ContainsFunc(strings.Split(m.Signature, " "), func(s string) bool {
		version, value, _ := strings.Cut(s, ",")
		have, err := base64.StdEncoding.DecodeString(value)
		return version == "v1" && err == nil && hmac.Equal(have, want)
	})
}

// TestCallsAreToldInOrder runs calls while jobs are worked: each message comes once, in its call's order, signed.
func TestCallsAreToldInOrder(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, db, r.URL+"/hook?key=1")
		start(t, db, newWorker(db, nil))
		const calls = 20
		for range calls {
			call(t, db, a)
		}
		ids := map[string]bool{}
		for sid, got := range collect(t, r, calls*messagesOfACall) {
			if !slices.Equal(steps(got), life()) {
				t.Errorf("%s was told as %q", sid, steps(got))
			}
			for _, m := range got {
				if ids[m.ID] || m.ID == "" {
					t.Errorf("id %q came twice", m.ID)
				}
				ids[m.ID] = true
				if !verify(t, a.Project.WebhookSecret, m) {
					t.Errorf("the signature %q of %s is wrong", m.Signature, m.ID)
				}
				m.Body = append(m.Body, ' ')
				if verify(t, a.Project.WebhookSecret, m) {
					t.Error("the signature fits another body too")
				}
			}
		}
	})
}

// TestTwoNodes: two processes on one database send each message once, and keep the order.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	cfg := store.Config{URL: storetest.PostgreSQL(t), MaxConns: 8}
	one, two := storetest.Open(t, cfg), storetest.Open(t, cfg)
	r := newReceiver(t)
	a := account(t, one, r.URL)
	for _, db := range []*store.DB{one, two} {
		start(t, db, newWorker(db, nil))
	}
	const calls = 60
	for range calls {
		call(t, one, a)
	}
	for sid, got := range collect(t, r, calls*messagesOfACall) {
		if !slices.Equal(steps(got), life()) {
			t.Errorf("%s was told as %q", sid, steps(got))
		}
	}
}
