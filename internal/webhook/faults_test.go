package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
	"talkstack/internal/webhook"
)

// breakOff ends the connection after having written this much of an answer.
func breakOff(t testing.TB, text string) func(http.ResponseWriter, *http.Request, message) {
	t.Helper()
	return func(w http.ResponseWriter, _ *http.Request, _ message) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

// TestReceiverFaults: whatever a receiver does, nothing is lost, a call's order is kept, and each message says the same
// under the same id on every try.
func TestReceiverFaults(t *testing.T) {
	elsewhere := newReceiver(t)
	for _, fault := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request, m message)
		status int
		says   string
	}{
		{"Down", breakOff(t, ""), 0, "could not be reached"},
		{"ClosesMidAnswer", breakOff(t, "HTTP/1.1 200 OK\r\nContent-"), 0, "could not be reached"},
		{"Fails", status(500), 500, "500 Internal Server Error"},
		{"Refuses", status(403), 403, "403 Forbidden"},
		{"Hangs", func(_ http.ResponseWriter, r *http.Request, _ message) { <-r.Context().Done() }, 0, "No answer came within 250ms"},
		{"Redirects", func(w http.ResponseWriter, r *http.Request, _ message) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 307, "not followed"},
		{"TalksForEver", func(w http.ResponseWriter, r *http.Request, _ message) {
			w.WriteHeader(502)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, 502, "502"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
				at := newClock()
				cfg.Now = at.Now
				db := storetest.Open(t, cfg)
				r := newReceiver(t)
				a := account(t, db, r.URL)
				w := newWorker(db, at.Now)
				hasty := w // who does not wait for the whole limit, where waiting is all there is
				if fault.name == "Hangs" {
					hasty = webhook.New(webhook.Config{
						DB: db, Render: render, AllowPrivate: true, RequestLimit: 250 * time.Millisecond, Now: at.Now, Log: discard(),
					})
				}
				calls := []talkstack.CallSID{call(t, db, a), call(t, db, a), call(t, db, a)}
				r.answers(fault.answer)
				tries := map[string][]message{}
				for range 6 { // calls that share a lane take turns while it rests
					deliverAll(t, hasty, a)
					for _, m := range r.take() {
						if m.Data.Status != talkstack.StatusInitiated {
							t.Errorf("%s was sent before what comes first", m.Data.Status)
						}
						tries[m.ID] = append(tries[m.ID], m)
					}
					at.Advance(time.Hour)
				}
				if len(tries) != len(calls) {
					t.Errorf("%d messages were tried, want the first of each of %d calls", len(tries), len(calls))
				}
				for id, all := range tries {
					d, err := db.Delivery(t.Context(), a.User.ID, talkstack.DeliveryID(id))
					if err != nil || d.LastStatus != fault.status || !strings.Contains(d.LastError, fault.says) || d.Attempts < 2 || d.Attempts < len(all) {
						t.Errorf("after %d tries: %d attempts, status %d, error %q, %v", len(all), d.Attempts, d.LastStatus, d.LastError, err)
					}
				}
				r.answers(nil)
				got := map[talkstack.CallSID][]message{}
				for range 3 { // lanes may be resting
					deliverAll(t, w, a)
					at.Advance(2 * time.Hour)
				}
				for _, m := range r.take() {
					got[m.Data.SID] = append(got[m.Data.SID], m)
					for _, before := range tries[m.ID] {
						if string(before.Body) != string(m.Body) {
							t.Errorf("%s said %s, and then %s", m.ID, before.Body, m.Body)
						}
					}
				}
				for _, sid := range calls {
					if !slices.Equal(steps(got[sid]), life()) {
						t.Errorf("%s was told as %q", sid, steps(got[sid]))
					}
				}
				if n := len(elsewhere.take()); n > 0 {
					t.Errorf("a redirect was followed %d times", n)
				}
			})
		})
	}
}

// TestDaysOfRetries plays the 72 hours of a message that nobody takes: growing pauses, a dead letter, and then what comes
// after it; and its replay, under the same id.
func TestDaysOfRetries(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		at := newClock()
		cfg.Now = at.Now
		db := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, db, r.URL)
		w := newWorker(db, at.Now)
		born := at.Now()
		sid := call(t, db, a)
		r.answers(status(500))
		var first talkstack.Delivery
		var pauses []time.Duration
		for {
			deliverAll(t, w, a)
			list, err := db.Deliveries(t.Context(), a.User.ID, store.DeliveryFilter{CallSID: sid}, store.Cursor{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			first = list[slices.IndexFunc(list, func(d talkstack.Delivery) bool { return d.Seq == 1 })]
			if first.State != talkstack.DeliveryPending {
				break
			}
			if n := len(r.take()); n != 1 {
				t.Fatalf("%d messages were sent at once", n)
			}
			pause := first.NextAttemptAt.Sub(at.Now())
			pauses = append(pauses, pause)
			at.Advance(pause)
		}
		if first.State != talkstack.DeliveryDead || first.LastStatus != 500 || first.LastError == "" || first.FinishedAt.IsZero() {
			t.Fatalf("the end: %+v", first)
		}
		if total := at.Now().Sub(born); total != store.DeliveryLimit {
			t.Errorf("it was given up after %v", total)
		}
		if len(pauses) < 12 || len(pauses) > 20 {
			t.Errorf("%d tries: %v", len(pauses), pauses)
		}
		for i := 1; i < len(pauses)-1; i++ { // the last is cut at the limit
			if float64(pauses[i]) < 0.8/1.2*float64(pauses[i-1]) {
				t.Errorf("pauses do not grow: %v", pauses)
			}
		}
		if pauses[0] > 6*time.Second || pauses[0] < 4*time.Second {
			t.Errorf("the first pause is %v", pauses[0])
		}
		// The others of the call are as old: each is tried once more, and none holds up the next.
		if dead := deliveries(t, db, a, store.DeliveryFilter{State: talkstack.DeliveryDead}); len(dead) != messagesOfACall {
			t.Errorf("%d dead letters, want %d", len(dead), messagesOfACall)
		}
		r.take()
		r.answers(nil)
		later := call(t, db, a)
		deliverAll(t, w, a)
		if got := r.take(); len(got) != messagesOfACall || got[0].Data.SID != later {
			t.Errorf("after the dead letters: %q", steps(got))
		}
		if _, err := db.ReplayDelivery(t.Context(), a.User.ID, first.ID); err != nil {
			t.Fatal(err)
		}
		deliverAll(t, w, a)
		if got := r.take(); len(got) != 1 || got[0].ID != string(first.ID) || got[0].Data.Status != talkstack.StatusInitiated {
			t.Errorf("replayed: %+v", got)
		}
		if _, err := db.ReplayDelivery(t.Context(), a.User.ID, first.ID); err != nil { // one that was delivered may be sent again too
			t.Error(err)
		}
	})
}

func deliveries(t testing.TB, db *store.DB, a storetest.Account, f store.DeliveryFilter) []talkstack.Delivery {
	t.Helper()
	list, err := db.Deliveries(t.Context(), a.User.ID, f, store.Cursor{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAnswersThatSayMore: 410 is the end of a message, Retry-After is kept within reason, a URL that was taken away ends
// what was meant for it.
func TestAnswersThatSayMore(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		at := newClock()
		cfg.Now = at.Now
		db := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, db, r.URL)
		w := newWorker(db, at.Now)
		after := func(code int, v string) talkstack.Delivery {
			t.Helper()
			sid := call(t, db, a)
			r.answers(func(w http.ResponseWriter, _ *http.Request, m message) {
				if m.Data.Status == talkstack.StatusInitiated {
					w.Header().Set("Retry-After", v)
					w.WriteHeader(code)
				}
			})
			at.Advance(10 * time.Minute) // whatever rested has rested
			deliverAll(t, w, a)
			list := deliveries(t, db, a, store.DeliveryFilter{CallSID: sid})
			return list[slices.IndexFunc(list, func(d talkstack.Delivery) bool { return d.Seq == 1 })]
		}
		if d := after(410, ""); d.State != talkstack.DeliveryDead || d.Attempts != 1 {
			t.Errorf("410: %s after %d attempts", d.State, d.Attempts)
		}
		if got := r.take(); len(got) != messagesOfACall {
			t.Errorf("behind the dead letter: %q", steps(got))
		}
		for _, c := range []struct {
			code int
			v    string
			want time.Duration
		}{
			{429, "300", 300 * time.Second},
			{503, at.Now().Add(4 * time.Hour).Format(http.TimeFormat), 40 * time.Minute}, // 3 hours and 20 minutes from here
			{503, "999999999999", time.Hour},
			{429, "-5", 5 * time.Second},
			{503, "soon", 5 * time.Second},
			{500, "300", 5 * time.Second}, // only 429 and 503 are asked to wait for
		} {
			d := after(c.code, c.v)
			if pause := d.NextAttemptAt.Sub(at.Now()); pause < c.want*4/5 || pause > c.want*6/5 {
				t.Errorf("%d with Retry-After %q is tried again after %v, want %v", c.code, c.v, pause, c.want)
			}
			at.Advance(3 * time.Hour)
			r.answers(nil)
			deliverAll(t, w, a)
		}
		none := ""
		sid := call(t, db, a)
		if _, err := db.UpdateProject(t.Context(), a.User.ID, a.Project.ID, store.ProjectUpdate{WebhookURL: &none}); err != nil {
			t.Fatal(err)
		}
		r.take()
		deliverAll(t, w, a)
		for _, d := range deliveries(t, db, a, store.DeliveryFilter{CallSID: sid}) {
			if d.State != talkstack.DeliveryDead || !strings.Contains(d.LastError, "no webhook URL") {
				t.Errorf("without a URL: %s, %q", d.State, d.LastError)
			}
		}
		if got := r.take(); len(got) > 0 {
			t.Errorf("the old URL still got %q", steps(got))
		}
	})
}

// TestSecretsOverlap: after a rotation both secrets verify, and after the overlap the new one alone.
func TestSecretsOverlap(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		at := newClock()
		cfg.Now = at.Now
		db := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, db, r.URL)
		w := newWorker(db, at.Now)
		old := a.Project.WebhookSecret
		p, err := db.RotateWebhookSecret(t.Context(), a.User.ID, a.Project.ID, time.Hour)
		if err != nil || p.WebhookSecret == old || p.WebhookOldSecret != old {
			t.Fatalf("rotated: %+v, %v", p, err)
		}
		for _, c := range []struct {
			pass time.Duration
			old  bool
		}{{0, true}, {59 * time.Minute, true}, {time.Minute, false}} {
			at.Advance(c.pass)
			if _, err := db.TestWebhook(t.Context(), a.User.ID, a.Project.ID, talkstack.NewDeliveryID()); err != nil {
				t.Fatal(err)
			}
			deliverAll(t, w, a)
			got := r.take()
			if len(got) != 1 || got[0].Type != talkstack.EventTest || !verify(t, p.WebhookSecret, got[0]) || verify(t, old, got[0]) != c.old {
				t.Errorf("after %v more: %d messages, signature %q", c.pass, len(got), got[0].Signature)
			}
			if got[0].Timestamp != fmt.Sprint(at.Now().Unix()) {
				t.Errorf("timestamp %s", got[0].Timestamp)
			}
		}
	})
}

// TestDeathAfterTheRequest: a process that dies between the request and its note has the message sent again by the next,
// under the same id and with the same words.
func TestDeathAfterTheRequest(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		at := newClock()
		cfg.Now = at.Now
		first := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, first, r.URL)
		call(t, first, a)
		r.answers(func(http.ResponseWriter, *http.Request, message) { _ = first.Close() }) // the database is gone when the answer comes
		failed := 0
		for lane := range store.Lanes {
			if newWorker(first, at.Now).Deliver(t.Context(), store.WebhookJob{ProjectID: a.Project.ID, Lane: lane}) != nil {
				failed++
			}
		}
		sent := r.take()
		if failed == 0 || len(sent) != 1 {
			t.Fatalf("%d lanes failed, %d messages were sent", failed, len(sent))
		}
		r.answers(nil)
		second := storetest.Open(t, cfg)
		w := newWorker(second, at.Now)
		deliverAll(t, w, a)
		if got := r.take(); len(got) != 0 {
			t.Errorf("%q while the dead sender still had the lane", steps(got))
		}
		at.Advance(store.LaneLease)
		deliverAll(t, w, a)
		got := r.take()
		if !slices.Equal(steps(got), life()) {
			t.Fatalf("after the lease: %q", steps(got))
		}
		if got[0].ID != sent[0].ID || string(got[0].Body) != string(sent[0].Body) {
			t.Errorf("%s said %s; again as %s: %s", sent[0].ID, sent[0].Body, got[0].ID, got[0].Body)
		}
	})
}

// TestInterruptedTryDoesNotCount: a sender that is told to stop gives its lane up at once.
func TestInterruptedTryDoesNotCount(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		r := newReceiver(t)
		a := account(t, db, r.URL)
		call(t, db, a)
		ctx, cancel := context.WithCancel(t.Context())
		r.answers(func(_ http.ResponseWriter, q *http.Request, _ message) {
			cancel()
			<-q.Context().Done()
		})
		for lane := range store.Lanes {
			_ = newWorker(db, nil).Deliver(ctx, store.WebhookJob{ProjectID: a.Project.ID, Lane: lane})
		}
		sent := r.take()
		r.answers(nil)
		deliverAll(t, newWorker(db, nil), a)
		got := r.take()
		if len(sent) != 1 || !slices.Equal(steps(got), life()) || got[0].ID != sent[0].ID {
			t.Fatalf("sent %q, then %q", steps(sent), steps(got))
		}
		for _, d := range deliveries(t, db, a, store.DeliveryFilter{}) {
			if d.Attempts != 1 {
				t.Errorf("%s %s counts %d attempts", d.Type, d.Call.Status, d.Attempts)
			}
		}
	})
}

// TestPrivateNetworksAreOutOfReach: neither by address nor by name.
func TestPrivateNetworksAreOutOfReach(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	r := newReceiver(t)
	w := webhook.New(webhook.Config{DB: db, Render: render, Log: discard()})
	for _, url := range []string{r.URL, strings.Replace(r.URL, "127.0.0.1", "localhost", 1), strings.Replace(r.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		a := account(t, db, url)
		call(t, db, a)
		deliverAll(t, w, a)
		list := deliveries(t, db, a, store.DeliveryFilter{})
		first := list[slices.IndexFunc(list, func(d talkstack.Delivery) bool { return d.Seq == 1 })]
		if first.Attempts != 1 || !strings.Contains(first.LastError, "private network") {
			t.Errorf("%s: %d attempts, %q", url, first.Attempts, first.LastError)
		}
	}
	if got := r.take(); len(got) > 0 {
		t.Errorf("it was reached: %q", steps(got))
	}
}
