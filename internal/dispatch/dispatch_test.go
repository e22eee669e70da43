package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) { test(t, storetest.Open(t, cfg)) })
}

// start runs a dispatcher that is stopped with its test.
func start(t *testing.T, cfg Config) *Dispatcher {
	t.Helper()
	if cfg.Node == "" {
		cfg.Node = talkstack.NewNodeID()
	}
	if cfg.Capacity == nil {
		cfg.Capacity = func() int { return 10 }
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	d := New(cfg)
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Stop(context.Background()) })
	return d
}

func stored(t *testing.T, db *store.DB, sid talkstack.CallSID) talkstack.Call {
	t.Helper()
	c, err := db.CallBySID(context.WithoutCancel(t.Context()), sid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryCallIsDialledOnceWithinTheLimits(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		const limit, lines, perProject = 3, 5, 20
		var mu sync.Mutex
		var all, allPeak int
		open, peak, dials := map[talkstack.ProjectID]int{}, map[talkstack.ProjectID]int{}, map[talkstack.CallSID]int{}
		var left sync.WaitGroup
		left.Add(2 * perProject)
		capacity := func() int {
			mu.Lock()
			defer mu.Unlock()
			return lines - all
		}
		dial := func(ctx context.Context, c talkstack.Call) {
			defer left.Done()
			mu.Lock()
			dials[c.SID]++
			all++
			open[c.ProjectID]++
			allPeak, peak[c.ProjectID] = max(allPeak, all), max(peak[c.ProjectID], open[c.ProjectID])
			mu.Unlock()
			if err := db.MarkDialing(ctx, c); err != nil {
				t.Error(err)
			}
			if err := db.MarkAnswered(ctx, c, time.Now(), ""); err != nil {
				t.Error(err)
			}
			mu.Lock()
			all--
			open[c.ProjectID]--
			mu.Unlock()
			if err := db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()}); err != nil {
				t.Error(err)
			}
		}
		a, b := storetest.NewAccount(t, db, limit), storetest.NewAccount(t, db, limit)
		placed := append(a.Place(t, db, perProject/2), b.Place(t, db, perProject)...)
		d := start(t, Config{DB: db, Capacity: capacity, Dial: dial, Poll: time.Hour}) // only wakes drive it on
		placed = append(placed, a.Place(t, db, perProject/2)...)
		d.Wake()
		left.Wait()
		d.Stop(t.Context())
		for _, c := range placed {
			if e := stored(t, db, c.SID); e.Status != talkstack.StatusCompleted || dials[c.SID] != 1 {
				t.Errorf("call is %s after %d dials", e.Status, dials[c.SID])
			}
		}
		for project, n := range peak {
			if n > limit {
				t.Errorf("project %s had %d calls at once, may have %d", project, n, limit)
			}
		}
		if allPeak == 0 || allPeak > 2*limit {
			t.Errorf("%d calls at once", allPeak)
		}
	})
}

func TestPanicEndsOneCall(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		calls := a.Place(t, db, 2)
		var done sync.WaitGroup
		done.Add(2)
		d := start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			defer done.Done()
			if c.SID == calls[0].SID {
				panic("boom")
			}
			if err := errors.Join(db.MarkDialing(ctx, c), db.MarkAnswered(ctx, c, time.Now(), ""),
				db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()})); err != nil {
				t.Error(err)
			}
		}})
		done.Wait()
		d.dials.Wait() // Stop would put the call back into the queue that is about to be ended
		d.Stop(t.Context())
		if c := stored(t, db, calls[0].SID); c.Status != talkstack.StatusFailed || c.EndReason == nil || c.EndReason.Code != talkstack.EndErrorInternal {
			t.Errorf("call with a panic is %+v", c)
		}
		if c := stored(t, db, calls[1].SID); c.Status != talkstack.StatusCompleted {
			t.Errorf("the other call is %s", c.Status)
		}
	})
}

// TestStopGivesBackClaimedCalls: a call that is claimed and not dialled when the node stops is queued again, and its dial
// can not begin any more.
func TestStopGivesBackClaimedCalls(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		c := a.Place(t, db, 1)[0]
		began, goOn := make(chan struct{}), make(chan struct{})
		marked := make(chan error, 1)
		d := start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			close(began)
			<-goOn
			marked <- db.MarkDialing(ctx, c)
		}})
		<-began
		stopped := make(chan struct{})
		go func() {
			d.Stop(context.Background())
			close(stopped)
		}()
		for stored(t, db, c.SID).State != talkstack.StateQueued { // Stop tells nobody; the store does
		}
		close(goOn)
		if err := <-marked; !errors.Is(err, store.ErrNotHeld) {
			t.Errorf("marking a given back call: %v", err)
		}
		<-stopped
		if c := stored(t, db, c.SID); c.State != talkstack.StateQueued || c.NotBefore.After(time.Now()) {
			t.Errorf("given back call is %+v", c)
		}
	})
}

func TestStopWaitsThenCancels(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		c := a.Place(t, db, 1)[0]
		live := make(chan struct{})
		var cause atomic.Value
		d := start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			if err := errors.Join(db.MarkDialing(ctx, c), db.MarkAnswered(ctx, c, time.Now(), "")); err != nil {
				t.Error(err)
			}
			close(live)
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			shutdown := talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndShutdown}}
			if err := db.FinishCall(context.WithoutCancel(ctx), c, store.Outcome{Ending: shutdown}); err != nil {
				t.Error(err)
			}
		}})
		<-live
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no time to drain at all
		d.Stop(ctx)
		if !errors.Is(cause.Load().(error), ErrStopped) {
			t.Errorf("the call's context ended with %v", cause.Load())
		}
		if c := stored(t, db, c.SID); c.State != talkstack.StateEnded || c.EndReason.Code != talkstack.EndShutdown {
			t.Errorf("call is %+v", c)
		}
		d.Stop(ctx) // again
	})
}

// TestUndialledCallWaits: a call that Dial could not even begin is tried again later, and later each time.
func TestUndialledCallWaits(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		storetest.NewAccount(t, db, 5).Place(t, db, 1)
		tries := make(chan time.Time, 10)
		start(t, Config{DB: db, Dial: func(context.Context, talkstack.Call) { tries <- time.Now() }})
		last := <-tries
		for i := range 3 {
			next := <-tries
			want := retryStep * time.Duration(i+1)
			if pause := next.Sub(last); pause < want || pause > want+DefaultPoll {
				t.Errorf("try %d came after %v, want %v", i+2, pause, want)
			}
			last = next
		}
	})
}

func TestUnfinishedCallEnds(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		c := a.Place(t, db, 1)[0]
		began := make(chan struct{})
		d := start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			defer close(began)
			if err := db.MarkDialing(ctx, c); err != nil {
				t.Error(err)
			}
		}})
		<-began
		d.Stop(t.Context())
		if e := stored(t, db, c.SID); e.State != talkstack.StateEnded || e.EndReason.Code != talkstack.EndInterrupted {
			t.Errorf("unfinished call is %+v", e)
		}
	})
}

func TestStartReapsTheDead(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		a := storetest.NewAccount(t, db, 5)
		a.Place(t, db, 2)
		dead := talkstack.NewNodeID()
		if err := db.Heartbeat(ctx, dead); err != nil {
			t.Fatal(err)
		}
		calls, err := db.Claim(ctx, dead, 2)
		if err != nil || len(calls) != 2 {
			t.Fatal(calls, err)
		}
		if err := db.MarkDialing(ctx, calls[0]); err != nil {
			t.Fatal(err)
		}
		if err := db.Leave(ctx, dead); err != nil { // its lease is over
			t.Fatal(err)
		}
		dialled := make(chan talkstack.Call, 5)
		d := start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			if err := db.MarkDialing(ctx, c); err != nil {
				t.Error(err)
			}
			dialled <- c
		}})
		if c := <-dialled; c.SID != calls[1].SID || c.Attempt != 2 {
			t.Errorf("dialled %+v, want the claimed call's second attempt", c)
		}
		d.Stop(ctx)
		if c := stored(t, db, calls[0].SID); c.State != talkstack.StateEnded || c.EndReason.Code != talkstack.EndInterrupted {
			t.Errorf("the dead node's dialling call is %+v", c)
		}
		if len(dialled) != 0 {
			t.Error("more was dialled")
		}
	})
}

func TestStartTwiceAndStopBeforeStart(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	d := start(t, Config{DB: db, Dial: func(context.Context, talkstack.Call) {}})
	if d.Start(t.Context()) == nil {
		t.Error("a second Start succeeded")
	}
	unstarted := New(Config{DB: db, Node: talkstack.NewNodeID()})
	unstarted.Stop(t.Context())
	if unstarted.Start(t.Context()) == nil {
		t.Error("Start after Stop succeeded")
	}
}

// TestNodeWithoutLeaseClaimsNothing: a node whose heartbeats do not arrive must be taken for dead by the others.
func TestNodeWithoutLeaseClaimsNothing(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgreSQL(t)
	a := storetest.NewAccount(t, db, 5)
	a.Place(t, db, 1)
	d := New(Config{DB: db, Node: talkstack.NewNodeID(), Capacity: func() int { return 5 }, Log: slog.New(slog.DiscardHandler), Dial: func(context.Context, talkstack.Call) {
		t.Error("dialled without a lease")
	}})
	if err := d.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.lastBeat = time.Now().Add(-DefaultLease)
	if n, err := d.round(t.Context()); n != 0 || !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("claimed %d, %v", n, err)
	}
	// Another node has buried it while it took itself for alive.
	d.lastBeat = time.Now()
	if err := db.Leave(t.Context(), d.cfg.Node); err != nil {
		t.Fatal(err)
	}
	if n, err := d.round(t.Context()); n != 0 || !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("claimed %d, %v", n, err)
	}
}

// onVirtualTime runs a test whose clock jumps over waiting. It needs a database in this process.
func onVirtualTime(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, storetest.OpenSQLite(t)) })
}

// pass lets virtual time pass, and everything happen that is due by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestOrphanEnds: a call that is live in the store, and that nobody on the node works on, ends within a minute.
func TestOrphanEnds(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		a := storetest.NewAccount(t, db, 5)
		node := talkstack.NewNodeID()
		owned := map[talkstack.CallSID]bool{}
		start(t, Config{
			DB: db, Node: node, Capacity: func() int { return 0 }, Dial: func(context.Context, talkstack.Call) {},
			Owns: func(sid talkstack.CallSID) bool { return owned[sid] },
		})
		in := talkstack.Call{UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, Node: node, From: "+12065550123", To: a.Number.E164}
		orphan, err := db.InsertInboundCall(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		cared, err := db.InsertInboundCall(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		owned[cared.SID] = true
		a.Place(t, db, 1)
		claimed, err := db.Claim(ctx, node, 1) // its answer was lost: nobody knows that it is ours
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		pass(30 * time.Second)
		if c := stored(t, db, orphan.SID); c.State != talkstack.StateLive {
			t.Errorf("after 30 s the orphan is %s", c.State)
		}
		pass(30 * time.Second)
		if c := stored(t, db, orphan.SID); c.State != talkstack.StateEnded || c.EndReason.Code != talkstack.EndInterrupted {
			t.Errorf("after 60 s the orphan is %+v", c)
		}
		if c := stored(t, db, claimed[0].SID); c.State != talkstack.StateQueued {
			t.Errorf("after 60 s the claimed orphan is %s", c.State)
		}
		if c := stored(t, db, cared.SID); c.State != talkstack.StateLive {
			t.Errorf("after 60 s the owned call is %s", c.State)
		}
	})
}

// TestTakenCallIsLetGo: work on a call ends when another node has taken the call for dead.
func TestTakenCallIsLetGo(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		a.Place(t, db, 1)
		cause := make(chan error, 1)
		start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			if err := db.MarkDialing(ctx, c); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			cause <- context.Cause(ctx)
		}})
		synctest.Wait()
		if r, err := db.Reap(t.Context(), talkstack.NewNodeID(), 0); err != nil || len(r.Ended) != 1 {
			t.Fatal(r, err)
		}
		pass(2 * watchEvery)
		select {
		case err := <-cause:
			if !errors.Is(err, store.ErrNotHeld) {
				t.Errorf("the call's context ended with %v", err)
			}
		default:
			t.Error("the dial goes on")
		}
	})
}

// TestTakenInboundCallIsHungUp: so does the talk of an inbound call; one that ends here is left alone.
func TestTakenInboundCallIsHungUp(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		a, node := storetest.NewAccount(t, db, 5), talkstack.NewNodeID()
		var live []talkstack.CallSID
		for range 3 {
			c, err := db.InsertInboundCall(ctx, talkstack.Call{UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, Node: node, From: "+12065550123", To: a.Number.E164})
			if err != nil {
				t.Fatal(err)
			}
			live = append(live, c.SID)
		}
		taken, over := live[0], live[1]
		hungUp := map[talkstack.CallSID]bool{}
		start(t, Config{
			DB: db, Node: node, Capacity: func() int { return 0 }, Dial: func(context.Context, talkstack.Call) {},
			Owns: func(talkstack.CallSID) bool { return true }, Live: func() []talkstack.CallSID { return live },
			Hangup: func(sid talkstack.CallSID) { hungUp[sid] = true },
		})
		if _, err := db.Abandon(ctx, store.Hold{SID: taken, Node: node, Attempt: 1}, time.Time{}); err != nil { // as another node does
			t.Fatal(err)
		}
		ending := talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{Party: talkstack.PartyCaller, Code: talkstack.EndUserHangup}}
		if err := db.FinishCall(ctx, talkstack.Call{SID: over, Node: node, Attempt: 1}, store.Outcome{Ending: ending}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if len(hungUp) != 1 || !hungUp[taken] {
			t.Errorf("hung up %v, want %s alone", hungUp, taken)
		}
	})
}

// TestHangupWish: the node that has a call ends it at once when it is told of the wish, and within a second or so when it
// is not.
func TestHangupWish(t *testing.T) {
	t.Run("told", func(t *testing.T) { testHangupWish(t, true) })
	t.Run("not told", func(t *testing.T) { testHangupWish(t, false) })
}

func testHangupWish(t *testing.T, told bool) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		placed := a.Place(t, db, 1)[0]
		hungUp := make(chan struct{})
		var once sync.Once
		wishes := make(chan struct{}, 1)
		start(t, Config{
			DB: db, Wishes: wishes,
			Dial: func(ctx context.Context, c talkstack.Call) {
				if err := errors.Join(db.MarkDialing(ctx, c), db.MarkAnswered(ctx, c, time.Now(), "")); err != nil {
					t.Error(err)
				}
				<-hungUp
				if err := db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()}); err != nil {
					t.Error(err)
				}
			},
			Hangup: func(sid talkstack.CallSID) {
				if sid == placed.SID {
					once.Do(func() { close(hungUp) })
				}
			},
		})
		synctest.Wait()
		if _, err := db.RequestHangup(t.Context(), a.User.ID, string(placed.SID)); err != nil {
			t.Fatal(err)
		}
		if told {
			wishes <- struct{}{}
			synctest.Wait()
		} else {
			pass(2 * watchEvery)
		}
		if c := stored(t, db, placed.SID); c.Status != talkstack.StatusCompleted {
			t.Errorf("call is %s after the wish", c.State)
		}
	})
}

// TestScheduledCall: a call goes out when it is due, without anybody's wake.
func TestScheduledCall(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, db *store.DB) {
		a := storetest.NewAccount(t, db, 5)
		c := a.Call()
		c.NotBefore = time.Now().Add(10 * time.Minute)
		if _, err := db.PlaceCall(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		dialled := make(chan time.Time, 1)
		start(t, Config{DB: db, Dial: func(ctx context.Context, c talkstack.Call) {
			if err := db.MarkDialing(ctx, c); err != nil {
				t.Error(err)
			}
			dialled <- time.Now()
		}})
		if late := (<-dialled).Sub(c.NotBefore); late < 0 || late > DefaultPoll {
			t.Errorf("dialled %v after it was due", late)
		}
	})
}
