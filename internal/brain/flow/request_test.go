package flow_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/flow"
)

// ordering asks for a name, posts it, and reads the answer out.
func ordering(url string) *talkstack.Flow {
	return &talkstack.Flow{Start: "name", Nodes: []talkstack.FlowNode{
		{ID: "name", Kind: talkstack.FlowAsk, Text: "Your name?", Next: "post", Slot: &talkstack.FlowSlot{Name: "name", Type: talkstack.SlotName}},
		{ID: "post", Kind: talkstack.FlowHTTP, Text: "One moment.", Next: "done", OnFail: "sorry", Request: &talkstack.FlowRequest{
			Method: "POST", URL: url + "/people/{{name}}?q={{name}}", Body: `{"name":"{{name}}","shop":"{{shop}}"}`,
			Headers: map[string]string{"X-Shop": "{{shop}}"},
			Save:    map[string]string{"number": "order.ids.0", "missing": "no.such"},
		}},
		{ID: "done", Kind: talkstack.FlowAsk, Text: "Your number is {{number}}. Anything else?", Next: "end", Slot: &talkstack.FlowSlot{Name: "more", Type: talkstack.SlotYesNo}},
		{ID: "sorry", Kind: talkstack.FlowEnd, Text: "That did not work."},
		{ID: "end", Kind: talkstack.FlowEnd, Text: "Goodbye."},
	}}
}

// shop is an HTTP server that answers one request at a time when told to.
type shop struct {
	*httptest.Server
	requests atomic.Int32
	arrived  chan *http.Request
	body     atomic.Value
	answer   chan string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{arrived: make(chan *http.Request, 4), answer: make(chan string, 4)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		b, _ := io.ReadAll(r.Body)
		s.body.Store(string(b))
		s.arrived <- r
		select {
		case a := <-s.answer:
			if a == "" {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, a)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRequestIsMadeAfterCommitOnly(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := flow.New(flow.Config{Flow: ordering(s.URL), HTTP: s.Client(), Variables: map[string]any{"shop": "Acme\r\nX-Evil: 1"}})
	answer(t, b, brain.Input{Kind: brain.Greeting})

	guess := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Anna \"Q\" O'Brien."})
	if p, err := guess.Next(); err != nil || p.Text != "One moment." {
		t.Fatalf("got %q, %v", p.Text, err)
	}
	next := make(chan error)
	go func() { _, err := guess.Next(); next <- err }()
	guess.Close()
	if err := <-next; err == nil {
		t.Error("a closed reply goes on")
	}
	if n := s.requests.Load(); n != 0 {
		t.Fatalf("%d requests were made without a commit", n)
	}

	s.answer <- `{"order":{"ids":[42]}}`
	text, _ := answer(t, b, brain.Input{Kind: brain.Utterance, Text: "My name is Patrick O'Brien."})
	if text != "One moment.Your number is 42. Anything else?" {
		t.Errorf("the agent said %q", text)
	}
	r := <-s.arrived
	if r.URL.EscapedPath() != "/people/Patrick%20O%27Brien" || r.URL.Query().Get("q") != "Patrick O'Brien" {
		t.Errorf("the request went to %s", r.URL)
	}
	if got := s.body.Load(); got != `{"name":"Patrick O'Brien","shop":"Acme\r\nX-Evil: 1"}` {
		t.Errorf("the body was %s", got)
	}
	if r.Header.Get("X-Evil") != "" || r.Header.Get("X-Shop") != "Acme  X-Evil: 1" {
		t.Errorf("headers were %v", r.Header)
	}
	if b.Slots()["number"] != "42" {
		t.Errorf("slots are %v", b.Slots())
	}
}

func TestFailedRequestTakesTheOtherWay(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{"status": "", "no JSON": "<html>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.answer <- reply
			b := flow.New(flow.Config{Flow: ordering(s.URL), HTTP: s.Client()})
			end := story(t, b, []line{{"", nil}, {"Anna.", []string{"That did not work."}}})
			if end.Kind != brain.Hangup {
				t.Errorf("the call ends with %v", end)
			}
		})
	}
}

func TestRequestOutlivesAnInterruption(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := flow.New(flow.Config{Flow: ordering(s.URL), HTTP: s.Client()})
	answer(t, b, brain.Input{Kind: brain.Greeting})
	ctx, cancel := context.WithCancel(t.Context())
	r := b.Reply(ctx, brain.Input{Kind: brain.Utterance, Text: "Anna."})
	r.Commit()
	next := make(chan error)
	go func() {
		_, err := r.Next() // "One moment."
		if err == nil {
			_, err = r.Next()
		}
		next <- err
	}()
	<-s.arrived
	r.Close() // the caller speaks over the agent
	cancel()
	if err := <-next; err == nil {
		t.Error("a closed reply goes on")
	}
	s.answer <- `{"order":{"ids":[7]}}`
	text, _ := answer(t, b, brain.Input{Kind: brain.Utterance, Text: "Hello?"})
	if !strings.Contains(text, "Your number is 7.") || s.requests.Load() != 1 {
		t.Errorf("after %d requests the agent said %q", s.requests.Load(), text)
	}
}

func TestWhatWasSentCannotBeCorrected(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.answer <- `{"order":{"ids":[1]}}`
	b := flow.New(flow.Config{Flow: ordering(s.URL), HTTP: s.Client()})
	story(t, b, []line{
		{"", nil},
		{"Anna.", []string{"Your number is 1."}},
		{"No, my name is Hannah.", []string{"already been sent"}},
	})
	if b.Slots()["name"] != "Anna" {
		t.Errorf("slots are %v", b.Slots())
	}
}

func TestCloseBreaksARequestOff(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := flow.New(flow.Config{Flow: ordering(s.URL), HTTP: s.Client()})
	answer(t, b, brain.Input{Kind: brain.Greeting})
	r := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Anna."})
	r.Commit()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	}()
	<-s.arrived
	if err := b.Close(); err != nil { // returns only when the request is over
		t.Error(err)
	}
	r.Close()
	<-done
}
