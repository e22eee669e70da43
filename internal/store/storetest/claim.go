package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// testClaimFairness: free lines are shared, and one free line goes to each project in turn.
func testClaimFairness(t *testing.T, db *store.DB) {
	ctx := t.Context()
	n := node(t, db)
	accounts := []Account{NewAccount(t, db, 100), NewAccount(t, db, 100), NewAccount(t, db, 100)}
	for i, a := range accounts {
		a.Place(t, db, []int{30, 10, 10}[i])
	}
	count := func(calls []talkstack.Call) [3]int {
		var out [3]int
		for _, c := range calls {
			for i, a := range accounts {
				if c.ProjectID == a.Project.ID {
					out[i]++
				}
			}
		}
		return out
	}
	if shares := count(got[[]talkstack.Call](t)(db.Claim(ctx, n, 9))); shares != [3]int{3, 3, 3} {
		t.Errorf("9 free lines were shared %v, want 3 each", shares)
	}
	var turns [3]int
	for range 6 {
		for i, n := range count(got[[]talkstack.Call](t)(db.Claim(ctx, n, 1))) {
			turns[i] += n
		}
	}
	if turns != [3]int{2, 2, 2} {
		t.Errorf("6 times one free line went %v, want 2 each", turns)
	}
	total := 0
	for { // what one project does not need goes to the others
		calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 50))
		if len(calls) == 0 {
			break
		}
		total += len(calls)
	}
	if total != 35 {
		t.Errorf("the rest was %d calls, want 35", total)
	}
	if calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 0)); len(calls) != 0 {
		t.Errorf("claimed %d calls without a free line", len(calls))
	}
}

// testClaimLimits: many nodes claim at once; no call is claimed twice, none is left, no project passes its limit.
func testClaimLimits(t *testing.T, db *store.DB) {
	ctx := t.Context()
	const limit, perProject, workers = 4, 40, 8
	accounts := make([]Account, 3)
	for i := range accounts {
		accounts[i] = NewAccount(t, db, limit)
		accounts[i].Place(t, db, perProject)
	}
	var mu sync.Mutex
	claimed := map[talkstack.CallSID]int{}
	open, peak := map[talkstack.ProjectID]int{}, map[talkstack.ProjectID]int{}
	done := 0
	var wg sync.WaitGroup
	for range workers {
		n := node(t, db)
		wg.Go(func() {
			for {
				calls, err := db.Claim(ctx, n, 5)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range calls {
					claimed[c.SID]++
					open[c.ProjectID]++
					peak[c.ProjectID] = max(peak[c.ProjectID], open[c.ProjectID])
				}
				finished := done == len(accounts)*perProject
				mu.Unlock()
				if finished {
					return
				}
				for _, c := range calls {
					if err := db.MarkDialing(ctx, c); err != nil {
						t.Error(err)
					}
					mu.Lock() // before the store knows: the count here is never above the store's
					open[c.ProjectID]--
					done++
					mu.Unlock()
					busy := talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy}}
					if err := db.FinishCall(ctx, c, store.Outcome{Ending: busy}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(claimed) != len(accounts)*perProject {
		t.Errorf("%d calls were claimed, want %d", len(claimed), len(accounts)*perProject)
	}
	for sid, n := range claimed {
		if n != 1 {
			t.Errorf("call %s was claimed %d times", sid, n)
		}
	}
	for project, n := range peak {
		if n > limit {
			t.Errorf("project %s had %d calls at once, may have %d", project, n, limit)
		}
	}
}

func testClaimNotBefore(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	if due := got[time.Time](t)(db.NextDue(ctx)); !due.IsZero() {
		t.Errorf("next due of an empty queue is %v", due)
	}
	c := a.Call()
	c.NotBefore = time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
	later := got[talkstack.Call](t)(db.PlaceCall(ctx, c))
	if due := got[time.Time](t)(db.NextDue(ctx)); !due.Equal(later.NotBefore) {
		t.Errorf("next due is %v, want %v", due, later.NotBefore)
	}
	if calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 5)); len(calls) != 0 {
		t.Error("a call was claimed before its time")
	}
	var order []talkstack.CallSID
	for i := range 5 { // placed newest first
		c := a.Call()
		c.NotBefore = time.Now().Add(-time.Duration(i) * time.Minute)
		order = append([]talkstack.CallSID{got[talkstack.Call](t)(db.PlaceCall(ctx, c)).SID}, order...)
	}
	var have []talkstack.CallSID
	for _, c := range got[[]talkstack.Call](t)(db.Claim(ctx, n, 5)) {
		have = append(have, c.SID)
	}
	equal(t, "order of claims", have, order)
}

// testReap: a process dies with calls in every state. Nothing is lost, and nothing that may have been dialled is again.
func testReap(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 50)
	dead, alive := node(t, db), node(t, db)
	queued := a.Place(t, db, 5)
	calls := got[[]talkstack.Call](t)(db.Claim(ctx, dead, 4))
	claimed, dialing, answered, ended := calls[0], calls[1], calls[2], calls[3]
	must(t, db.MarkDialing(ctx, dialing))
	must(t, db.MarkDialing(ctx, answered))
	at := time.Now().Add(-8 * time.Hour).UTC().Truncate(time.Microsecond) // the server was away for the night
	must(t, db.MarkAnswered(ctx, answered, at, ""))
	must(t, db.AddTurn(ctx, answered.SID, talkstack.Turn{Role: talkstack.RoleAgent, Text: "Hello", End: 7 * time.Second}))
	live(t, db, ended)
	must(t, db.FinishCall(ctx, ended, store.Outcome{Ending: Completed()}))
	inbound := got[talkstack.Call](t)(db.InsertInboundCall(ctx, a.inbound(dead)))

	lease := -time.Hour // every node's lease has run out, but the one that reaps
	if db.Engine() == store.PostgreSQL {
		if r := got[store.Reaped](t)(db.Reap(ctx, alive, time.Hour)); r.Requeued != 0 || len(r.Ended) != 0 {
			t.Errorf("calls of a living node were reaped: %+v", r)
		}
	}
	r := got[store.Reaped](t)(db.Reap(ctx, alive, lease))
	if r.Requeued != 1 || len(r.Ended) != 3 {
		t.Errorf("reaped %d requeued and %d ended, want 1 and 3", r.Requeued, len(r.Ended))
	}
	if c := stored(t, db, claimed.SID); c.State != talkstack.StateQueued || c.Status != talkstack.StatusQueued || c.Node != "" {
		t.Errorf("claimed call is %+v", c)
	}
	for _, sid := range []talkstack.CallSID{dialing.SID, answered.SID, inbound.SID} {
		c := stored(t, db, sid)
		if c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed || c.EndReason == nil || c.EndReason.Code != talkstack.EndInterrupted || c.EndedAt.IsZero() {
			t.Errorf("interrupted call is %+v", c)
		}
	}
	if c := stored(t, db, ended.SID); c.Status != talkstack.StatusCompleted {
		t.Errorf("an ended call became %s", c.Status)
	}
	if turns := got[[]talkstack.Turn](t)(db.TurnsBySID(ctx, answered.SID)); len(turns) != 1 {
		t.Errorf("an interrupted call has %d turns, want 1", len(turns))
	}
	if c := stored(t, db, answered.SID); c.Duration(time.Now()) != 7*time.Second {
		t.Errorf("an interrupted call lasted for %v, want the 7 s that are known", c.Duration(time.Now()))
	}
	if c := stored(t, db, answered.SID); c.Usage != (talkstack.Usage{CarrierSeconds: 7}) || c.Cost != 0.7 || c.CostParts["carrier"] != 0.7 {
		t.Errorf("an interrupted call used %+v and cost %v, %v", c.Usage, c.Cost, c.CostParts)
	}
	if c := stored(t, db, dialing.SID); c.Usage != (talkstack.Usage{}) || c.Cost != 0 {
		t.Errorf("a call that was not answered used %+v and cost %v", c.Usage, c.Cost)
	}
	// The dead node was only slow: it can do nothing any more.
	wantNotHeld(t, db.MarkDialing(ctx, claimed))
	wantNotHeld(t, db.FinishCall(ctx, answered, store.Outcome{Ending: Completed()}))
	if db.Engine() == store.PostgreSQL {
		_, err := db.Claim(ctx, dead, 5)
		wantCode(t, err, talkstack.CodeUnavailable)
		must(t, db.Heartbeat(ctx, dead)) // it comes back
	}
	again := got[[]talkstack.Call](t)(db.Claim(ctx, alive, 50))
	if len(again) != 2 {
		t.Errorf("%d calls are left to dial, want 2 of %d", len(again), len(queued))
	}
	for _, c := range again {
		if c.SID == claimed.SID && c.Attempt != 2 {
			t.Errorf("a requeued call has attempt %d", c.Attempt)
		}
		must(t, db.MarkDialing(ctx, c))
	}
	if r := got[store.Reaped](t)(db.Reap(ctx, alive, lease)); r.Requeued != 0 || len(r.Ended) != 0 {
		t.Errorf("the living node's own calls were reaped: %+v", r)
	}
}

func testAbandon(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	a.Place(t, db, 1)
	c := claimOne(t, db, n)
	if held := got[bool](t)(db.Abandon(ctx, store.Hold{SID: c.SID, Node: n, Attempt: c.Attempt + 1}, time.Time{})); held {
		t.Error("a wrong hold was accepted")
	}
	retry := time.Now().Add(time.Hour)
	if held := got[bool](t)(db.Abandon(ctx, store.HoldOf(&c), retry)); !held {
		t.Error("the hold was refused")
	}
	if q := stored(t, db, c.SID); q.State != talkstack.StateQueued || !q.NotBefore.Equal(retry.Truncate(time.Microsecond)) {
		t.Errorf("abandoned call is %+v", q)
	}
	if held := got[bool](t)(db.Abandon(ctx, store.HoldOf(&c), retry)); held {
		t.Error("a call was abandoned twice")
	}
	a.Place(t, db, 1)
	d := claimOne(t, db, n)
	must(t, db.MarkDialing(ctx, d))
	if held := got[bool](t)(db.Abandon(ctx, store.HoldOf(&d), time.Time{})); !held {
		t.Error("the hold was refused")
	}
	if e := stored(t, db, d.SID); e.State != talkstack.StateEnded || e.EndReason.Code != talkstack.EndInterrupted {
		t.Errorf("abandoned dialling call is %+v", e)
	}
	_, err := db.Abandon(ctx, store.Hold{SID: talkstack.NewCallSID(), Node: n, Attempt: 1}, time.Time{})
	wantCode(t, err, talkstack.CodeNotFound)
	must(t, db.Leave(ctx, n))
}

// testReadThenWrite: transactions that read first and write later never see a busy database.
func testReadThenWrite(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	c := a.Place(t, db, 1)[0]
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 { // two transactions each
				name := fmt.Sprint("name ", g, i)
				if _, err := db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Name: &name}); err != nil {
					t.Error(err)
					return
				}
				if _, err := db.RequestHangup(ctx, a.User.ID, string(c.SID)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v := got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID)).Version; v != 801 {
		t.Errorf("agent is at version %d after 800 changes", v)
	}
}
