package store_test

import (
	"fmt"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// paced is a world with a clock, a node and an account with a batch.
type paced struct {
	db    *store.DB
	clock *storetest.Clock
	node  talkstack.NodeID
	acct  storetest.Account
	batch talkstack.Batch
}

func onClock(t *testing.T, at time.Time, shape func(*talkstack.Batch), rows int, zones func(row int) string, test func(t *testing.T, w *paced)) {
	t.Helper()
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := &paced{clock: storetest.NewClock(at), node: talkstack.NewNodeID()}
		cfg.Now = w.clock.Now
		w.db = storetest.Open(t, cfg)
		ctx := t.Context()
		if err := w.db.Heartbeat(ctx, w.node); err != nil {
			t.Fatal(err)
		}
		w.acct = storetest.NewAccount(t, w.db, 10_000)
		b := talkstack.Batch{ID: talkstack.NewBatchID(), UserID: w.acct.User.ID, ProjectID: w.acct.Project.ID, AgentID: w.acct.Agent.ID, From: w.acct.Number.E164}
		shape(&b)
		var err error
		if b, err = w.db.CreateBatch(ctx, b); err != nil {
			t.Fatal(err)
		}
		for from := 0; from < rows; from += store.MaxLoadRows {
			var list []store.Recipient
			for i := from; i < min(rows, from+store.MaxLoadRows); i++ {
				list = append(list, store.Recipient{Row: i + 1, Number: fmt.Sprintf("+1206%07d", i), TimeZone: zones(i + 1), NotBefore: at})
			}
			if err := w.db.LoadBatch(ctx, b, list, nil); err != nil {
				t.Fatal(err)
			}
		}
		if w.batch, err = w.db.FinishLoading(ctx, b); err != nil {
			t.Fatal(err)
		}
		test(t, w)
	})
}

func (w *paced) claim(t *testing.T, free int) []talkstack.Call {
	t.Helper()
	calls, err := w.db.Claim(t.Context(), w.node, free)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func nowhere(int) string { return "" }

// TestBatchKeepsItsPace: 2.5 calls a second over 40 s, looked for once a second: never more than the pace and a second's
// worth, and in the end all that it allows.
func TestBatchKeepsItsPace(t *testing.T) {
	start := time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)
	onClock(t, start, func(b *talkstack.Batch) { b.CallsPerSecond = 2.5 }, 400, nowhere, func(t *testing.T, w *paced) {
		total := 0
		for second := range 40 {
			w.clock.Set(start.Add(time.Duration(second) * time.Second))
			total += len(w.claim(t, 100)) + len(w.claim(t, 100))
			if limit := int(2.5*float64(second+1)) + 1; total > limit {
				t.Fatalf("%d calls after %d s, may be %d", total, second, limit)
			}
		}
		if total < 97 {
			t.Errorf("%d calls in 40 s, want about 100", total)
		}
		other := w.acct.Place(t, w.db, 1)[0]
		if calls := w.claim(t, 10); len(calls) == 0 || calls[0].SID != other.SID {
			t.Errorf("a single call waits for the batch's pace: %v", calls)
		}
	})
}

// TestProjectKeepsItsPace is the same for a project, with two nodes.
func TestProjectKeepsItsPace(t *testing.T) {
	start := time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)
	onClock(t, start, func(*talkstack.Batch) {}, 400, nowhere, func(t *testing.T, w *paced) {
		rate := 4.0
		if _, err := w.db.UpdateProject(t.Context(), w.acct.User.ID, w.acct.Project.ID, store.ProjectUpdate{CallsPerSecond: &rate}); err != nil {
			t.Fatal(err)
		}
		w.acct.Place(t, w.db, 20)
		second := talkstack.NewNodeID()
		if err := w.db.Heartbeat(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		total := 0
		for tick := range 80 {
			w.clock.Set(start.Add(time.Duration(tick) * 250 * time.Millisecond))
			total += len(w.claim(t, 100))
			more, err := w.db.Claim(t.Context(), second, 100)
			if err != nil {
				t.Fatal(err)
			}
			total += len(more)
			if limit := tick + 1 + 4 + 1; total > limit {
				t.Fatalf("%d calls after %d ticks of 250 ms, may be %d", total, tick, limit)
			}
		}
		if total < 80 {
			t.Errorf("%d calls in 20 s, want 80", total)
		}
	})
}

// TestBatchWaitsForItsWindow: one time zone for all; the windows' edges, and the night when clocks are put forward.
func TestBatchWaitsForItsWindow(t *testing.T) {
	start := time.Date(2026, 3, 27, 16, 59, 58, 0, time.UTC) // Friday 17:59:58 in Berlin
	onClock(t, start, func(b *talkstack.Batch) {
		b.Windows = []talkstack.CallingWindow{{Days: []string{"mon", "fri"}, From: "09:00", To: "18:00"}}
		b.TimeZone = "Europe/Berlin"
	}, 20, nowhere, func(t *testing.T, w *paced) {
		for _, step := range []struct {
			at   string
			want int
		}{
			{"2026-03-27T16:59:59Z", 2},
			{"2026-03-27T17:00:00Z", 0},
			{"2026-03-28T12:00:00Z", 0},
			{"2026-03-30T06:59:59Z", 0}, // Monday 08:59:59: since Sunday it is summer time
			{"2026-03-30T07:00:00Z", 2},
			{"2026-03-30T16:00:00Z", 0},
		} {
			w.clock.Set(at(t, step.at))
			if calls := w.claim(t, 2); len(calls) != step.want {
				t.Errorf("at %s %d calls were claimed, want %d", step.at, len(calls), step.want)
			}
		}
		due, err := w.db.NextDue(t.Context())
		if err != nil || !due.Equal(at(t, "2026-04-03T07:00:00Z")) {
			t.Errorf("next due: %v, %v", due, err)
		}
		// Wider windows hold at once.
		windows := []talkstack.CallingWindow{{From: "00:00", To: "24:00"}}
		if _, err := w.db.UpdateBatch(t.Context(), w.acct.User.ID, w.batch.ID, store.BatchUpdate{Windows: &windows}); err != nil {
			t.Fatal(err)
		}
		if calls := w.claim(t, 100); len(calls) != 16 {
			t.Errorf("%d calls in the new windows, want 16", len(calls))
		}
	})
}

// TestRecipientsWaitForTheirOwnWindow: 3,000 rows on the other side of the world stand before those that may be called;
// a number of two zones may only be called where both are open.
func TestRecipientsWaitForTheirOwnWindow(t *testing.T) {
	start := time.Date(2026, 3, 11, 15, 0, 0, 0, time.UTC) // 11:00 in New York, 08:00 in Los Angeles, 00:00 in Tokyo
	zones := func(row int) string {
		switch {
		case row <= 3000:
			return "Asia/Tokyo"
		case row <= 3003:
			return "America/Los_Angeles,America/New_York"
		}
		return "America/New_York"
	}
	onClock(t, start, func(b *talkstack.Batch) {
		b.Windows = []talkstack.CallingWindow{{From: "09:00", To: "18:00"}}
	}, 3005, zones, func(t *testing.T, w *paced) {
		calls := w.claim(t, 50)
		if len(calls) != 2 || calls[0].BatchRow != 3004 {
			t.Fatalf("claimed %d calls, want the two of New York: %v", len(calls), calls)
		}
		w.clock.Set(at(t, "2026-03-11T16:00:00Z"))
		if calls = w.claim(t, 50); len(calls) != 3 {
			t.Errorf("%d calls when both coasts are open, want 3", len(calls))
		}
		if due, err := w.db.NextDue(t.Context()); err != nil || !due.Equal(at(t, "2026-03-12T00:00:00Z")) {
			t.Errorf("Tokyo is due at %v, %v", due, err)
		}
		// Rescheduling puts each on its opening by the new windows.
		windows := []talkstack.CallingWindow{{From: "01:00", To: "02:00"}}
		if _, err := w.db.UpdateBatch(t.Context(), w.acct.User.ID, w.batch.ID, store.BatchUpdate{Windows: &windows}); err != nil {
			t.Fatal(err)
		}
		if err := w.db.RescheduleBatch(t.Context(), w.batch.ID); err != nil {
			t.Fatal(err)
		}
		if calls = w.claim(t, 7); len(calls) != 7 {
			t.Errorf("%d calls at one in the morning, want 7", len(calls))
		}
	})
}

// TestAbandonedBatchIsCancelled: nobody goes on with a batch that was left half loaded.
func TestAbandonedBatchIsCancelled(t *testing.T) {
	start := time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)
	onClock(t, start, func(*talkstack.Batch) {}, 1, nowhere, func(t *testing.T, w *paced) {
		ctx := t.Context()
		b, err := w.db.CreateBatch(ctx, talkstack.Batch{ID: talkstack.NewBatchID(), UserID: w.acct.User.ID, ProjectID: w.acct.Project.ID, AgentID: w.acct.Agent.ID})
		if err != nil {
			t.Fatal(err)
		}
		row := []store.Recipient{{Row: 1, Number: "+12065550123", NotBefore: start}}
		w.clock.Set(start.Add(50 * time.Minute))
		if err := w.db.LoadBatch(ctx, b, row, nil); err != nil {
			t.Fatal(err)
		}
		w.clock.Set(start.Add(61 * time.Minute))
		again, err := w.db.CancelAbandoned(ctx, b.ID)
		if err != nil || !again.Equal(start.Add(110*time.Minute)) {
			t.Errorf("a batch that is still loaded: look again at %v, %v", again, err)
		}
		w.clock.Set(start.Add(111 * time.Minute))
		if again, err = w.db.CancelAbandoned(ctx, b.ID); err != nil || !again.IsZero() {
			t.Errorf("an abandoned batch: look again at %v, %v", again, err)
		}
		if err := w.db.EndCancelled(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.db.LoadBatch(ctx, b, row, nil); talkstack.ErrorCode(err) != talkstack.CodeConflict {
			t.Errorf("loading it after all: %v", err)
		}
		if c, err := w.db.CallBySID(ctx, store.BatchCallSID(b.ID, 1)); err != nil || c.Status != talkstack.StatusFailed {
			t.Errorf("its call: %+v, %v", c, err)
		}
		if running, err := w.db.CancelAbandoned(ctx, w.batch.ID); err != nil || !running.IsZero() {
			t.Errorf("a running batch: %v, %v", running, err)
		}
	})
}

// TestBatchTellsWhenItIsOver: half of a batch in ten minutes makes ten more for the other half; an hour without a call
// that ends, a pause, and the end make none.
func TestBatchTellsWhenItIsOver(t *testing.T) {
	start := time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)
	onClock(t, start, func(*talkstack.Batch) {}, 40, nowhere, func(t *testing.T, w *paced) {
		ctx := t.Context()
		eta := func(after time.Duration, want time.Duration) {
			t.Helper()
			w.clock.Set(start.Add(after))
			p, err := w.db.BatchProgress(ctx, w.batch)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.ETA.Sub(start); want == 0 && !p.ETA.IsZero() || want != 0 && got != want {
				t.Errorf("after %v: eta after %v, want %v (%+v)", after, got, want, p)
			}
		}
		finish := func(at time.Duration, n int) {
			t.Helper()
			w.clock.Set(start.Add(at))
			for _, c := range w.claim(t, n) {
				if err := w.db.MarkDialing(ctx, c); err != nil {
					t.Fatal(err)
				}
				if err := w.db.FinishCall(ctx, c, store.Outcome{Ending: talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy}}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		eta(0, 0)
		finish(time.Minute, 10)
		eta(2*time.Minute, 8*time.Minute) // 30 more at 5 a minute
		finish(5*time.Minute, 10)
		eta(10*time.Minute, 20*time.Minute)
		eta(14*time.Minute, 34*time.Minute) // 10 in the last ten minutes, 20 to go
		eta(time.Hour, 0)
		finish(time.Hour, 10)
		running := w.batch
		var err error
		if w.batch, err = w.db.PauseBatch(ctx, w.acct.User.ID, w.batch.ID); err != nil {
			t.Fatal(err)
		}
		eta(time.Hour, 0)
		w.batch = running
		if _, err = w.db.ResumeBatch(ctx, w.acct.User.ID, w.batch.ID); err != nil {
			t.Fatal(err)
		}
		eta(time.Hour, time.Hour+10*time.Minute)
		finish(time.Hour, 10)
		eta(time.Hour, 0)
	})
}
