package webhook_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// TestAHangingReceiverHoldsUpNobody: thousands of messages wait for a receiver that takes connections and never answers,
// each with a job ahead of the other project's. The other project's messages come all the same, and the receiver is kept
// to as many requests at once as a project has lanes.
func TestAHangingReceiverHoldsUpNobody(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		hanging, healthy := newReceiver(t), newReceiver(t)
		var open, most atomic.Int64
		hanging.answers(func(_ http.ResponseWriter, r *http.Request, _ message) {
			if n := open.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-r.Context().Done()
			open.Add(-1)
		})
		a, b := account(t, db, hanging.URL), account(t, db, healthy.URL)
		const streams = 1000
		for range streams {
			if _, err := db.TestWebhook(t.Context(), a.User.ID, a.Project.ID, talkstack.NewDeliveryID()); err != nil {
				t.Fatal(err)
			}
		}
		start(t, db, newWorker(db, nil))
		collect(t, hanging, store.Lanes) // it hangs
		const calls = 20
		for range calls {
			call(t, db, b)
		}
		for sid, got := range collect(t, healthy, calls*messagesOfACall) {
			if !slices.Equal(steps(got), life()) {
				t.Errorf("%s was told as %q", sid, steps(got))
			}
		}
		if n := most.Load(); n > store.Lanes {
			t.Errorf("the hanging receiver had %d requests at once", n)
		}
	})
}

// BenchmarkDeliver is one message from its insertion to the note of its delivery, with all jobs worked.
func BenchmarkDeliver(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		r := newReceiver(b)
		a := account(b, db, r.URL)
		start(b, db, newWorker(db, nil))
		b.ResetTimer()
		for range b.N {
			if _, err := db.TestWebhook(b.Context(), a.User.ID, a.Project.ID, talkstack.NewDeliveryID()); err != nil {
				b.Fatal(err)
			}
		}
		for range b.N {
			<-r.each
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}
