package kill

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/phonetest"
	"talkstack/internal/vad"
	"talkstack/test/program"
)

// farEnd is the phone that all calls reach. Most are answered and hung up within half a second, some are busy or
// declined.
func farEnd(t testing.TB) *phonetest.Phone {
	t.Helper()
	return program.Phone(t, deaf(), func(ctx context.Context, r *phonetest.Ringing) error {
		switch rand.IntN(20) {
		case 0:
			return phonetest.Busy(ctx, r)
		case 1:
			return phonetest.Decline(ctx, r)
		}
		r.Ring()
		line, err := r.Answer(ctx)
		if err != nil {
			return err
		}
		return line.Wait(ctx, time.Duration(100+rand.IntN(400))*time.Millisecond)
	})
}

// deaf is for a phone that says nothing and understands nothing.
func deaf() phonetest.Speech {
	return phonetest.Speech{NewDetector: func(int) phonetest.Detector { return vad.NewEnergy() }}
}

// message is a webhook message as its receiver saw it.
type message struct {
	ID     string
	Type   talkstack.EventType
	SID    talkstack.CallSID
	Status talkstack.CallStatus
}

// receiver keeps the messages that it has accepted, each once, in the order in which it accepted them. It refuses some.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	seen    map[string]bool
	byCall  map[talkstack.CallSID][]message
	repeats int
	refused int
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{seen: map[string]bool{}, byCall: map[talkstack.CallSID][]message{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP accepts a message, or refuses one in fifty.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var told struct {
		Type talkstack.EventType `json:"type"`
		Data struct {
			SID    talkstack.CallSID    `json:"sid"`
			Status talkstack.CallStatus `json:"status"`
		} `json:"data"`
	}
	id := req.Header.Get("Webhook-Id")
	if err != nil || json.Unmarshal(body, &told) != nil || id == "" || told.Data.SID == "" {
		w.WriteHeader(http.StatusBadRequest) // never delivered: the test will miss it
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if rand.IntN(50) == 0 {
		r.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if r.seen[id] {
		r.repeats++
		return
	}
	r.seen[id] = true
	sid := told.Data.SID
	r.byCall[sid] = append(r.byCall[sid], message{ID: id, Type: told.Type, SID: sid, Status: told.Data.Status})
}

// of are the messages about a call.
func (r *receiver) of(sid talkstack.CallSID) []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message(nil), r.byCall[sid]...)
}
