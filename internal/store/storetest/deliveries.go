package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// hooked is an account whose project has a webhook.
func hooked(t testing.TB, db *store.DB, maxCalls int) Account {
	t.Helper()
	a := NewAccount(t, db, maxCalls)
	url := "https://hooks.example.com/talkstack"
	a.Project = got[talkstack.Project](t)(db.UpdateProject(t.Context(), a.User.ID, a.Project.ID, store.ProjectUpdate{WebhookURL: &url}))
	return a
}

// messages are a call's webhook messages in the order of their delivery.
func messages(t testing.TB, db *store.DB, a Account, sid talkstack.CallSID) []talkstack.Delivery {
	t.Helper()
	list := got[[]talkstack.Delivery](t)(db.Deliveries(t.Context(), a.User.ID, store.DeliveryFilter{CallSID: sid}, store.Cursor{}, 100))
	slices.SortFunc(list, func(x, y talkstack.Delivery) int { return x.Seq - y.Seq })
	return list
}

// delivered is an attempt that went well.
func delivered(id talkstack.DeliveryID) *store.Attempt {
	return &store.Attempt{ID: id, State: talkstack.DeliveryDelivered, Status: 200}
}

// drain delivers what is due in all lanes of a project, and returns it in order.
func drain(t testing.TB, db *store.DB, project talkstack.ProjectID) []talkstack.Delivery {
	t.Helper()
	var out []talkstack.Delivery
	for lane := range store.Lanes {
		var last *store.Attempt
		for {
			next := got[*store.Sending](t)(db.NextDelivery(t.Context(), store.WebhookJob{ProjectID: project, Lane: lane}, "drain", last, false))
			if next == nil {
				break
			}
			out = append(out, next.Delivery)
			last = delivered(next.ID)
		}
	}
	return out
}

func testDeliveries(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 5)
	n := node(t, db)
	a.Place(t, db, 1)
	c := claimOne(t, db, n)
	equal(t, "messages of a queued call", len(messages(t, db, a, c.SID)), 0)
	must(t, db.MarkDialing(ctx, c))
	must(t, db.MarkRinging(ctx, c))
	must(t, db.MarkRinging(ctx, c)) // some carriers say so again
	must(t, db.MarkAnswered(ctx, c, time.Now(), ""))
	wantNotHeld(t, db.MarkAnswered(ctx, c, time.Now(), ""))
	wantNotHeld(t, db.MarkRinging(ctx, c))
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed(), Slots: map[string]string{"day": "Monday"}}))
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()})) // as when the first answer was lost

	var told []string
	for _, d := range drain(t, db, a.Project.ID) {
		told = append(told, fmt.Sprintf("%d %s %s", d.Seq, d.Type, d.Call.Status))
		equal(t, "sid", d.CallSID, c.SID)
		equal(t, "variables", d.Call.DynamicVariables, map[string]any{"name": "John"})
		if d.Type == talkstack.EventCallEnded {
			equal(t, "slots at the end", d.Call.Slots, map[string]string{"day": "Monday"})
			equal(t, "reason", d.Call.EndReason.Code, talkstack.EndAgentHangup)
		}
		if !d.GiveUpAt.Equal(d.CreatedAt.Add(store.DeliveryLimit)) {
			t.Errorf("given up at %v, created at %v", d.GiveUpAt, d.CreatedAt)
		}
	}
	equal(t, "messages", told, []string{
		"1 call.status initiated", "2 call.status ringing", "3 call.status in-progress", "4 call.status completed", "5 call.ended completed",
	})
	for _, d := range messages(t, db, a, c.SID) {
		if d.State != talkstack.DeliveryDelivered || d.Attempts != 1 || d.FinishedAt.IsZero() || d.LastStatus != 200 {
			t.Errorf("after its delivery: %+v", d)
		}
	}
}

func testDeliveriesOfOtherEnds(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, silent := hooked(t, db, 5), NewAccount(t, db, 5)
	placed := a.Place(t, db, 1)[0]
	_, err := db.RequestHangup(ctx, a.User.ID, string(placed.SID))
	must(t, err)
	equal(t, "messages of a cancelled call", types(messages(t, db, a, placed.SID)), []talkstack.EventType{talkstack.EventCallStatus, talkstack.EventCallEnded})

	n := node(t, db)
	inbound := got[talkstack.Call](t)(db.InsertInboundCall(ctx, talkstack.Call{
		UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, From: "+12065550123", To: a.Number.E164, Node: n,
	}))
	_, err = db.Abandon(ctx, store.HoldOf(&inbound), time.Time{})
	must(t, err)
	list := messages(t, db, a, inbound.SID)
	equal(t, "messages of an inbound call that was cut off", types(list), []talkstack.EventType{talkstack.EventCallStatus, talkstack.EventCallStatus, talkstack.EventCallEnded})

	silent.Place(t, db, 1)
	c := claimOne(t, db, n)
	live(t, db, c)
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}))
	equal(t, "messages without a webhook", len(messages(t, db, silent, c.SID)), 0)
}

func types(list []talkstack.Delivery) []talkstack.EventType {
	out := make([]talkstack.EventType, len(list))
	for i, d := range list {
		out[i] = d.Type
	}
	return out
}

// testDeliveryOrder: a message that fails keeps the rest of its call waiting, until it is delivered or given up.
func testDeliveryOrder(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 5)
	n := node(t, db)
	a.Place(t, db, 1)
	c := claimOne(t, db, n)
	must(t, db.MarkDialing(ctx, c))
	job := laneOf(t, db, a)
	step := func(last *store.Attempt) *store.Sending {
		t.Helper()
		return got[*store.Sending](t)(db.NextDelivery(ctx, job, "one", last, false))
	}
	first := step(nil)
	must(t, db.MarkRinging(ctx, c))
	again := step(&store.Attempt{
		ID: first.ID, State: talkstack.DeliveryPending, NextAttemptAt: time.Now().Add(-time.Second), Status: 500, Error: "broken\x00",
	})
	must(t, db.MarkAnswered(ctx, c, time.Now(), ""))
	equal(t, "what is tried again", again.ID, first.ID)
	equal(t, "attempts before", again.Attempts, 1)
	second := step(&store.Attempt{ID: first.ID, State: talkstack.DeliveryDead, Status: 410, Error: "gone"})
	equal(t, "after the dead letter", second.Call.Status, talkstack.StatusRinging)
	third := step(delivered(second.ID))
	equal(t, "after that", third.Call.Status, talkstack.StatusInProgress)

	// What is replayed while a later message is pending comes before that again.
	_, err := db.ReplayDelivery(ctx, a.User.ID, third.ID)
	wantCode(t, err, talkstack.CodeConflict)
	replayed := got[talkstack.Delivery](t)(db.ReplayDelivery(ctx, a.User.ID, first.ID))
	equal(t, "state of a replayed message", replayed.State, talkstack.DeliveryPending)
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}))
	fourth := step(delivered(third.ID))
	equal(t, "the replayed message", fourth.ID, first.ID)
	fifth := step(delivered(fourth.ID))
	equal(t, "after it", fifth.Call.Status, talkstack.StatusCompleted)
	last := step(delivered(fifth.ID))
	equal(t, "last", last.Type, talkstack.EventCallEnded)
	if next := step(delivered(last.ID)); next != nil {
		t.Errorf("%s is left", next.Type)
	}
}

// laneOf finds the lane of the account's only pending message.
func laneOf(t testing.TB, db *store.DB, a Account) store.WebhookJob {
	t.Helper()
	for lane := range store.Lanes {
		job := store.WebhookJob{ProjectID: a.Project.ID, Lane: lane}
		if next := got[*store.Sending](t)(db.NextDelivery(t.Context(), job, "search", nil, false)); next != nil {
			got[*store.Sending](t)(db.NextDelivery(t.Context(), job, "search", nil, true))
			return job
		}
	}
	t.Fatal("no lane has a message")
	return store.WebhookJob{}
}

// testDeliveryLease: a lane has one sender, and a message one body.
func testDeliveryLease(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 5)
	sent := got[talkstack.Delivery](t)(db.TestWebhook(ctx, a.User.ID, a.Project.ID, talkstack.NewDeliveryID()))
	job := laneOf(t, db, a)
	next := got[*store.Sending](t)(db.NextDelivery(ctx, job, "one", nil, false))
	equal(t, "message", next.ID, sent.ID)
	equal(t, "secret", next.Project.WebhookSecret, a.Project.WebhookSecret)
	if other := got[*store.Sending](t)(db.NextDelivery(ctx, job, "two", nil, false)); other != nil {
		t.Fatal("two senders have the lane")
	}
	if _, err := db.NextDelivery(ctx, job, "two", delivered(sent.ID), false); !errors.Is(err, store.ErrLaneLost) {
		t.Errorf("the report of a sender without the lane gave %v", err)
	}
	body := got[[]byte](t)(db.SetDeliveryBody(ctx, sent.ID, []byte(`{"a":1}`)))
	equal(t, "body", string(body), `{"a":1}`)
	body = got[[]byte](t)(db.SetDeliveryBody(ctx, sent.ID, []byte(`{"a":2}`)))
	equal(t, "body that was there", string(body), `{"a":1}`)
}

// testDeliveryHandover: senders start as jobs do, after each commit, and give up when the lane is taken. Nothing may be
// left when all have ended: who has the lane looks again, in the transaction in which it lets go.
func testDeliveryHandover(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 1000)
	const calls, changes = 12, 4
	a.Place(t, db, calls)
	n := node(t, db)
	claimed := got[[]talkstack.Call](t)(db.Claim(ctx, n, calls))
	var mu sync.Mutex
	order := map[talkstack.CallSID][]int{}
	var senders sync.WaitGroup
	wake := func() {
		for lane := range store.Lanes {
			senders.Go(func() {
				me := fmt.Sprintf("%p", &lane)
				var last *store.Attempt
				for {
					next, err := db.NextDelivery(ctx, store.WebhookJob{ProjectID: a.Project.ID, Lane: lane}, me, last, false)
					if err != nil {
						t.Error(err)
						return
					}
					if next == nil {
						return
					}
					mu.Lock()
					order[next.CallSID] = append(order[next.CallSID], next.Seq)
					mu.Unlock()
					last = delivered(next.ID)
				}
			})
		}
	}
	var all sync.WaitGroup
	for _, c := range claimed {
		all.Go(func() {
			for _, step := range []func() error{
				func() error { return db.MarkDialing(ctx, c) },
				func() error { return db.MarkRinging(ctx, c) },
				func() error { return db.MarkAnswered(ctx, c, time.Now(), "") },
				func() error { return db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}) },
			} {
				if err := step(); err != nil {
					t.Error(err)
				}
				wake()
			}
		})
	}
	all.Wait()
	senders.Wait()
	for _, c := range claimed {
		equal(t, "order of "+string(c.SID), order[c.SID], []int{1, 2, 3, 4, changes + 1})
	}
	left := got[[]talkstack.Delivery](t)(db.Deliveries(ctx, a.User.ID, store.DeliveryFilter{State: talkstack.DeliveryPending}, store.Cursor{}, 100))
	equal(t, "messages that nobody delivers", len(left), 0)
}

func testDeliveryUpkeep(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 5)
	old := got[talkstack.Delivery](t)(db.TestWebhook(ctx, a.User.ID, a.Project.ID, talkstack.NewDeliveryID()))
	if sent := drain(t, db, a.Project.ID); len(sent) != 1 {
		t.Fatalf("%d messages were sent", len(sent))
	}
	pending := got[talkstack.Delivery](t)(db.TestWebhook(ctx, a.User.ID, a.Project.ID, talkstack.NewDeliveryID()))
	equal(t, "lanes woken too early", got[int](t)(db.WakeForgottenLanes(ctx, time.Now().Add(-time.Minute))), 0)
	equal(t, "lanes woken", got[int](t)(db.WakeForgottenLanes(ctx, time.Now().Add(time.Minute))), 1)
	equal(t, "removed too early", got[int](t)(db.DeleteOldDeliveries(ctx, time.Now().Add(-time.Minute))), 0)
	equal(t, "removed", got[int](t)(db.DeleteOldDeliveries(ctx, time.Now().Add(time.Minute))), 1)
	_, err := db.Delivery(ctx, a.User.ID, old.ID)
	wantCode(t, err, talkstack.CodeNotFound)
	if _, err := db.Delivery(ctx, a.User.ID, pending.ID); err != nil {
		t.Errorf("a pending message was removed: %v", err)
	}
}

func testDeliveryList(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, eve := hooked(t, db, 5), hooked(t, db, 5)
	var ids []talkstack.DeliveryID
	for range 5 {
		ids = append(ids, got[talkstack.Delivery](t)(db.TestWebhook(ctx, a.User.ID, a.Project.ID, talkstack.NewDeliveryID())).ID)
	}
	slices.Reverse(ids)
	var seen []talkstack.DeliveryID
	var after store.Cursor
	for {
		page := got[[]talkstack.Delivery](t)(db.Deliveries(ctx, a.User.ID, store.DeliveryFilter{}, after, 2))
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			seen = append(seen, d.ID)
		}
		last := page[len(page)-1]
		after = store.Cursor{At: last.CreatedAt, ID: string(last.ID)}
	}
	equal(t, "all pages", seen, ids)
	for _, f := range []store.DeliveryFilter{
		{ProjectID: eve.Project.ID}, {CallSID: "CA0"}, {State: talkstack.DeliveryDead}, {Type: talkstack.EventCallEnded},
	} {
		equal(t, fmt.Sprintf("%+v", f), len(got[[]talkstack.Delivery](t)(db.Deliveries(ctx, a.User.ID, f, store.Cursor{}, 10))), 0)
	}
	equal(t, "by all", len(got[[]talkstack.Delivery](t)(db.Deliveries(ctx, a.User.ID, store.DeliveryFilter{
		ProjectID: a.Project.ID, State: talkstack.DeliveryPending, Type: talkstack.EventTest,
	}, store.Cursor{}, 10))), 5)
	_, err := db.Delivery(ctx, eve.User.ID, ids[0])
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.ReplayDelivery(ctx, eve.User.ID, ids[0])
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.TestWebhook(ctx, eve.User.ID, a.Project.ID, talkstack.NewDeliveryID())
	wantCode(t, err, talkstack.CodeNotFound)
}

// testDeliveryAlarm: the clocks of nodes and of the database differ by some, so that the job that looks at a lane when a
// message is due may be worked before that by the clock of its node. It sees to it that somebody looks again.
func testDeliveryAlarm(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := hooked(t, db, 5)
	sent := got[talkstack.Delivery](t)(db.TestWebhook(ctx, a.User.ID, a.Project.ID, talkstack.NewDeliveryID()))
	job := laneOf(t, db, a)
	got[*store.Sending](t)(db.NextDelivery(ctx, job, "one", nil, false))
	again := time.Now().Add(10 * time.Second).UTC().Truncate(time.Microsecond)
	got[*store.Sending](t)(db.NextDelivery(ctx, job, "one", &store.Attempt{ID: sent.ID, State: talkstack.DeliveryPending, NextAttemptAt: again}, false))
	alarms := func() []store.WebhookJob {
		t.Helper()
		var due []store.WebhookJob
		for _, j := range Jobs(t, db, job) {
			var args store.WebhookJob
			must(t, json.Unmarshal(j.EncodedArgs, &args))
			if args.Alarm.Equal(again) {
				due = append(due, args)
			}
		}
		return due
	}
	first := alarms()
	equal(t, "alarms of the next try", len(first), 1)
	if next := got[*store.Sending](t)(db.NextDelivery(ctx, job, "two", nil, false)); next != nil { // another message has woken the lane
		t.Fatal("a message was sent before it was due")
	}
	equal(t, "alarms while one is known", len(alarms()), 1)
	if next := got[*store.Sending](t)(db.NextDelivery(ctx, first[0], "three", nil, false)); next != nil {
		t.Fatal("a message was sent before it was due")
	}
	equal(t, "alarms after one that was early", len(alarms()), 2)
}
