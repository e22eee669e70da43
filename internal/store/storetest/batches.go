package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// batch is a batch of the account that is not stored yet.
func (a Account) batch() talkstack.Batch {
	return talkstack.Batch{
		ID: talkstack.NewBatchID(), UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, From: a.Number.E164, Name: "march.csv",
	}
}

// loaded stores a batch of n rows and lets it run; the numbers are +12065550001 and on.
func (a Account) loaded(t testing.TB, db *store.DB, b talkstack.Batch, n int) talkstack.Batch {
	t.Helper()
	ctx := t.Context()
	b = got[talkstack.Batch](t)(db.CreateBatch(ctx, b))
	var rows []store.Recipient
	for i := range n {
		rows = append(rows, store.Recipient{
			Row: i + 1, Number: fmt.Sprintf("+1206555%04d", i+1), NotBefore: b.StartAt, DynamicVariables: map[string]any{"name": fmt.Sprint("n", i)},
		})
	}
	must(t, db.LoadBatch(ctx, b, rows, nil))
	return got[talkstack.Batch](t)(db.FinishLoading(ctx, b))
}

func end(status talkstack.CallStatus, code talkstack.EndCode) store.Outcome {
	return store.Outcome{Ending: talkstack.Ending{Status: status, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: code}}}
}

// dialed brings a claimed call to an end on the carrier's side.
func dialed(t testing.TB, db *store.DB, c talkstack.Call, status talkstack.CallStatus, code talkstack.EndCode) {
	t.Helper()
	must(t, db.MarkDialing(t.Context(), c))
	must(t, db.FinishCall(t.Context(), c, end(status, code)))
}

// testBatchLoading: nothing of a batch is dialled before all of it is stored; loading again changes nothing.
func testBatchLoading(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	n := node(t, db)
	b := got[talkstack.Batch](t)(db.CreateBatch(ctx, a.batch()))
	rows := []store.Recipient{{Row: 1, Number: "+12065550001", NotBefore: b.StartAt}, {Row: 3, Number: "+12065550003", NotBefore: b.StartAt}}
	bad := []store.Rejection{{Row: 2, Number: "x", Reason: "no number"}}
	must(t, db.LoadBatch(ctx, b, rows, bad))
	if calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 10)); len(calls) != 0 {
		t.Fatal("a batch that is loading was dialled")
	}
	if due := got[time.Time](t)(db.NextDue(ctx)); !due.IsZero() {
		t.Errorf("a batch that is loading is due at %v", due)
	}
	must(t, db.LoadBatch(ctx, b, rows, bad)) // the process died, and the request came again
	b = got[talkstack.Batch](t)(db.FinishLoading(ctx, b))
	if b.State != talkstack.BatchRunning || b.Total != 3 || b.Queued != 2 || b.Rejected != 1 {
		t.Errorf("loaded batch: %+v", b)
	}
	must(t, db.LoadBatch(ctx, b, rows, bad)) // a second request that was slower
	equal(t, "finished again", got[talkstack.Batch](t)(db.FinishLoading(ctx, b)), b)
	calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 10))
	if len(calls) != 2 || calls[0].SID != store.BatchCallSID(b.ID, 1) || calls[1].SID != store.BatchCallSID(b.ID, 3) || calls[0].BatchID != b.ID {
		t.Fatalf("claimed %+v", calls)
	}
	for _, c := range calls {
		dialed(t, db, c, talkstack.StatusBusy, talkstack.EndDialBusy)
	}
	if b = got[talkstack.Batch](t)(db.Batch(ctx, a.User.ID, b.ID)); b.State != talkstack.BatchCompleted || b.CompletedAt.IsZero() {
		t.Errorf("batch after its last call: %+v", b)
	}
	results := got[[]store.BatchResult](t)(db.BatchResults(ctx, b.ID, 0, 10))
	if len(results) != 3 || results[1].Rejected == nil || results[0].Call == nil || results[2].Row != 3 {
		t.Errorf("results: %+v", results)
	}
	if results = got[[]store.BatchResult](t)(db.BatchResults(ctx, b.ID, 1, 1)); len(results) != 1 || results[0].Row != 2 {
		t.Errorf("second page of results: %+v", results)
	}
	stranger := NewAccount(t, db, 1)
	for _, move := range []error{
		second(db.Batch(ctx, stranger.User.ID, b.ID)), second(db.PauseBatch(ctx, stranger.User.ID, b.ID)),
		second(db.CancelBatch(ctx, stranger.User.ID, b.ID)), second(db.UpdateBatch(ctx, stranger.User.ID, b.ID, store.BatchUpdate{})),
	} {
		wantCode(t, move, talkstack.CodeNotFound)
	}
	wantCode(t, second(db.CancelBatch(ctx, a.User.ID, b.ID)), talkstack.CodeConflict)
}

func second[T any](_ T, err error) error { return err }

// testBatchPause: from the answer of pause and cancel on no call of the batch begins, while nodes claim as fast as they can.
func testBatchPause(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 1000)
	b := a.loaded(t, db, a.batch(), 200)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	paused, begun := false, 0
	for range 3 {
		n := node(t, db)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				calls, err := db.Claim(ctx, n, 3)
				if err != nil {
					t.Error(err)
					return
				}
				for _, c := range calls {
					mu.Lock()
					was := paused
					mu.Unlock()
					err := db.MarkDialing(ctx, c)
					if err == nil && was {
						t.Errorf("call of row %d began after the pause", c.BatchRow)
					}
					if err == nil {
						mu.Lock()
						begun++
						mu.Unlock()
						if err := db.FinishCall(ctx, c, end(talkstack.StatusBusy, talkstack.EndDialBusy)); err != nil {
							t.Error(err)
						}
					} else {
						wantNotHeld(t, err)
					}
				}
			}
		})
	}
	for round := range 4 {
		b = got[talkstack.Batch](t)(db.PauseBatch(ctx, a.User.ID, b.ID))
		mu.Lock()
		paused = true
		mu.Unlock()
		if round == 3 {
			break
		}
		got[talkstack.Batch](t)(db.PauseBatch(ctx, a.User.ID, b.ID)) // again
		mu.Lock()
		paused = false
		mu.Unlock()
		got[talkstack.Batch](t)(db.ResumeBatch(ctx, a.User.ID, b.ID))
	}
	if p := got[store.BatchProgress](t)(db.BatchProgress(ctx, b)); p.Waiting+p.InProgress+p.Finished != 200 {
		t.Errorf("progress of 200: %+v", p)
	}
	b = got[talkstack.Batch](t)(db.CancelBatch(ctx, a.User.ID, b.ID))
	close(stop)
	wg.Wait()
	must(t, db.EndCancelled(ctx, b.ID))
	must(t, db.EndCancelled(ctx, b.ID))
	p := got[store.BatchProgress](t)(db.BatchProgress(ctx, b))
	if p.Finished != 200 || p.Results[talkstack.StatusBusy] != begun || p.Results[talkstack.StatusFailed] != 200-begun {
		t.Errorf("after the cancel %d calls had begun, and the progress is %+v", begun, p)
	}
	wantCode(t, second(db.ResumeBatch(ctx, a.User.ID, b.ID)), talkstack.CodeConflict)
}

// testBatchRetry: a recipient is called again by the rule of the outcome, so often and so late, and never for what no rule
// covers; many ends at once complete the batch once.
func testBatchRetry(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	n := node(t, db)
	b := a.batch()
	b.Retry = []talkstack.RetryRule{{Outcome: talkstack.StatusBusy, Times: 1, After: 600}, {Outcome: talkstack.StatusFailed, Times: 2}}
	b = a.loaded(t, db, b, 4)
	calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 10))
	if len(calls) != 4 {
		t.Fatalf("claimed %d", len(calls))
	}
	before := time.Now()
	dialed(t, db, calls[0], talkstack.StatusBusy, talkstack.EndDialBusy)
	dialed(t, db, calls[1], talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer)
	dialed(t, db, calls[2], talkstack.StatusFailed, talkstack.EndInvalidDestination)
	dialed(t, db, calls[3], talkstack.StatusFailed, talkstack.EndDialFailed)
	p := got[store.BatchProgress](t)(db.BatchProgress(ctx, b))
	if p.Waiting != 2 || p.Retrying != 2 || p.Finished != 2 {
		t.Errorf("progress: %+v", p)
	}
	results := got[[]store.BatchResult](t)(db.BatchResults(ctx, b.ID, 0, 10))
	again := results[0].Call
	if len(results) != 4 || again.Try != 2 || again.RetryOf != calls[0].SID || again.To != calls[0].To || again.NotBefore.Before(before.Add(599*time.Second)) ||
		!reflect.DeepEqual(again.DynamicVariables, calls[0].DynamicVariables) {
		t.Errorf("next try: %+v", again)
	}
	second := claimOne(t, db, n) // the busy one's pause is not over
	if second.BatchRow != 4 || second.Try != 2 {
		t.Errorf("claimed try %d of row %d", second.Try, second.BatchRow)
	}
	dialed(t, db, second, talkstack.StatusFailed, talkstack.EndDialFailed)
	// A cancel and the end of a call that would be tried again, at once: nothing is left behind.
	last := claimOne(t, db, n)
	if last.BatchRow != 4 || last.Try != 3 {
		t.Errorf("claimed try %d of row %d", last.Try, last.BatchRow)
	}
	must(t, db.MarkDialing(ctx, last))
	var wg sync.WaitGroup
	wg.Go(func() { must(t, db.FinishCall(ctx, last, end(talkstack.StatusFailed, talkstack.EndDialFailed))) })
	wg.Go(func() {
		if _, err := db.CancelBatch(ctx, a.User.ID, b.ID); err != nil && talkstack.ErrorCode(err) != talkstack.CodeConflict {
			t.Error(err)
		}
	})
	wg.Wait()
	must(t, db.EndCancelled(ctx, b.ID))
	if p = got[store.BatchProgress](t)(db.BatchProgress(ctx, b)); p.Waiting != 0 || p.Finished != 4 {
		t.Errorf("progress at the end: %+v", p)
	}
}

// testBatchCompletes: the last calls of a batch end at once, in transactions that do not see each other.
func testBatchCompletes(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	n := node(t, db)
	for range 3 {
		b := a.loaded(t, db, a.batch(), 24)
		calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 100))
		var wg sync.WaitGroup
		for _, c := range calls {
			must(t, db.MarkDialing(ctx, c))
		}
		for _, c := range calls {
			wg.Go(func() {
				if err := db.FinishCall(ctx, c, end(talkstack.StatusBusy, talkstack.EndDialBusy)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if b = got[talkstack.Batch](t)(db.Batch(ctx, a.User.ID, b.ID)); b.State != talkstack.BatchCompleted {
			t.Errorf("batch after its last calls is %s", b.State)
		}
	}
}

// testRedialInterrupted: what a crash cut off is dialled again, as a new call, where the project allows it.
func testRedialInterrupted(t *testing.T, db *store.DB) {
	ctx := t.Context()
	for _, allowed := range []int{0, 1} {
		a := NewAccount(t, db, 100)
		got[talkstack.Project](t)(db.UpdateProject(ctx, a.User.ID, a.Project.ID, store.ProjectUpdate{RedialInterrupted: &allowed}))
		n := node(t, db)
		a.Place(t, db, 1)
		b := a.loaded(t, db, a.batch(), 1)
		for round := range 3 {
			calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 10))
			want := 0
			if round <= allowed {
				want = 2
			}
			if len(calls) != want {
				t.Fatalf("allowed %d, round %d: %d calls, want %d", allowed, round, len(calls), want)
			}
			for _, c := range calls {
				if c.Try != round+1 || (c.RetryOf == "") != (round == 0) {
					t.Errorf("try %d of %q in round %d", c.Try, c.RetryOf, round)
				}
				must(t, db.MarkDialing(ctx, c))
				got[bool](t)(db.Abandon(ctx, store.HoldOf(&c), time.Time{}))
			}
		}
		if b = got[talkstack.Batch](t)(db.Batch(ctx, a.User.ID, b.ID)); b.State != talkstack.BatchCompleted {
			t.Errorf("batch is %s", b.State)
		}
	}
}

// testDoNotCall: a number that is on the list when its turn comes is never dialled, and others are.
func testDoNotCall(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, other := NewAccount(t, db, 100), NewAccount(t, db, 100)
	n := node(t, db)
	b := a.loaded(t, db, a.batch(), 3)
	plain := a.Call()
	plain.To = "+12065550002"
	plain = got[talkstack.Call](t)(db.PlaceCall(ctx, plain))
	theirs := other.Call()
	theirs.To = "+12065550002"
	got[talkstack.Call](t)(db.PlaceCall(ctx, theirs))
	if added := got[int](t)(db.AddDoNotCall(ctx, a.User.ID, []string{"+12065550002", "+12065550009"}, "asked")); added != 2 {
		t.Errorf("added %d", added)
	}
	if added := got[int](t)(db.AddDoNotCall(ctx, a.User.ID, []string{"+12065550002"}, "again")); added != 0 {
		t.Errorf("added %d again", added)
	}
	calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 100))
	if len(calls) != 3 {
		t.Errorf("claimed %d calls, want rows 1 and 3 and the other account's", len(calls))
	}
	for _, sid := range []talkstack.CallSID{plain.SID, store.BatchCallSID(b.ID, 2)} {
		c := stored(t, db, sid)
		if c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed || c.EndReason.Code != talkstack.EndDoNotCall || !c.DialedAt.IsZero() {
			t.Errorf("call to a listed number: %+v", c)
		}
	}
	if d := got[talkstack.DoNotCall](t)(db.DoNotCall(ctx, a.User.ID, "+12065550002")); d.Reason != "asked" {
		t.Errorf("entry: %+v", d)
	}
	list := got[[]talkstack.DoNotCall](t)(db.DoNotCalls(ctx, a.User.ID, "+12065550002", 10))
	if len(list) != 1 || list[0].Number != "+12065550009" {
		t.Errorf("second page: %+v", list)
	}
	wantCode(t, second(db.DoNotCall(ctx, other.User.ID, "+12065550002")), talkstack.CodeNotFound)
	wantCode(t, db.RemoveDoNotCall(ctx, other.User.ID, "+12065550002"), talkstack.CodeNotFound)
	must(t, db.RemoveDoNotCall(ctx, a.User.ID, "+12065550002"))
	wantCode(t, db.RemoveDoNotCall(ctx, a.User.ID, "+12065550002"), talkstack.CodeNotFound)
}

// testClaimBatchesTakeTurns: single calls go before batches, and batches of a project share what is free.
func testClaimBatchesTakeTurns(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	n := node(t, db)
	first := a.loaded(t, db, a.batch(), 100)
	second := a.loaded(t, db, a.batch(), 100)
	single := a.Place(t, db, 1)[0]
	if c := claimOne(t, db, n); c.SID != single.SID {
		t.Error("a call that was placed by itself waits for the batches")
	}
	count := map[talkstack.BatchID]int{}
	for range 6 {
		count[claimOne(t, db, n).BatchID]++
	}
	if count[first.ID] != 3 || count[second.ID] != 3 {
		t.Errorf("6 lines went %v", count)
	}
	for _, c := range got[[]talkstack.Call](t)(db.Claim(ctx, n, 10)) {
		count[c.BatchID]++
	}
	if count[first.ID] != 8 || count[second.ID] != 8 {
		t.Errorf("16 lines went %v", count)
	}
}

// testDoNotCallAfterClaim: a number that comes on the list while its call is being prepared is not dialled either.
func testDoNotCallAfterClaim(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, other := NewAccount(t, db, 100), NewAccount(t, db, 100)
	n := node(t, db)
	mine, theirs := a.Call(), other.Call()
	mine.To, theirs.To = "+12065550002", "+12065550002"
	mine, theirs = got[talkstack.Call](t)(db.PlaceCall(ctx, mine)), got[talkstack.Call](t)(db.PlaceCall(ctx, theirs))
	claimed := got[[]talkstack.Call](t)(db.Claim(ctx, n, 100))
	equal(t, "claimed calls", len(claimed), 2)
	got[int](t)(db.AddDoNotCall(ctx, a.User.ID, []string{"+12065550002"}, "asked"))
	for _, c := range claimed {
		if c.SID == theirs.SID {
			must(t, db.MarkDialing(ctx, c))
			continue
		}
		wantNotHeld(t, db.MarkDialing(ctx, c))
		got[bool](t)(db.Abandon(ctx, store.HoldOf(&c), time.Time{}))
	}
	equal(t, "calls claimed again", len(got[[]talkstack.Call](t)(db.Claim(ctx, n, 100))), 0)
	if c := stored(t, db, mine.SID); c.State != talkstack.StateEnded || c.EndReason.Code != talkstack.EndDoNotCall || !c.DialedAt.IsZero() {
		t.Errorf("call to a listed number: %+v", c)
	}
}

// testBatchEndsWhileLoading: a batch of which nothing is left to be dialled when its loading ends is complete then: no
// end of a call will ever say so.
func testBatchEndsWhileLoading(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	bad := []store.Rejection{{Row: 2, Number: "x", Reason: "no number"}}
	for name, rows := range map[string][]store.Recipient{
		"without calls":            nil,
		"whose call was hung up":   {{Row: 1, Number: "+12065550001"}},
		"whose calls were hung up": {{Row: 1, Number: "+12065550001"}, {Row: 3, Number: "+12065550003"}},
	} {
		b := got[talkstack.Batch](t)(db.CreateBatch(ctx, a.batch()))
		must(t, db.LoadBatch(ctx, b, rows, bad))
		for _, r := range rows {
			got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(store.BatchCallSID(b.ID, r.Row))))
		}
		b = got[talkstack.Batch](t)(db.FinishLoading(ctx, b))
		if b.State != talkstack.BatchCompleted || b.CompletedAt.IsZero() || b.Queued != len(rows) || b.Rejected != 1 {
			t.Errorf("batch %s: %+v", name, b)
		}
		equal(t, "batch "+name+" as stored", got[talkstack.Batch](t)(db.Batch(ctx, a.User.ID, b.ID)), b)
	}
}
