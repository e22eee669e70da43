package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

func testPlaceCall(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	c := a.Call()
	c.MissingVariables = []string{"city"}
	c.State, c.Status, c.Node, c.Attempt = talkstack.StateLive, talkstack.StatusCompleted, "x", 7 // not the caller's to say
	c = got[talkstack.Call](t)(db.PlaceCall(ctx, c))
	if c.State != talkstack.StateQueued || c.Status != talkstack.StatusQueued || c.Attempt != 0 || c.Node != "" ||
		c.Direction != talkstack.Outbound || c.AgentVersion != 1 || len(c.SID) != 34 {
		t.Errorf("placed call is %+v", c)
	}
	equal(t, "by sid", got[talkstack.Call](t)(db.Call(ctx, a.User.ID, string(c.SID))), c)
	equal(t, "in its project", got[talkstack.Call](t)(db.CallInProject(ctx, a.User.ID, a.Project.ID, string(c.SID))), c)

	prompt := "changed"
	got[talkstack.Agent](t)(db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Prompt: &prompt}))
	if c := a.Place(t, db, 1)[0]; c.AgentVersion != 2 {
		t.Errorf("a call placed after a change has version %d", c.AgentVersion)
	}
	equal(t, "the earlier call", stored(t, db, c.SID), c)

	second := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "Second"}))
	wrong := a.Call()
	wrong.ProjectID = second.ID
	_, err := db.PlaceCall(ctx, wrong) // the agent is in the other project
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.CallInProject(ctx, a.User.ID, second.ID, string(c.SID))
	wantCode(t, err, talkstack.CodeNotFound)
	must(t, db.DeleteAgent(ctx, a.User.ID, a.Agent.ID))
	_, err = db.PlaceCall(ctx, a.Call())
	wantCode(t, err, talkstack.CodeNotFound)
	if c := stored(t, db, c.SID); c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed || c.AgentVersion != 1 {
		t.Errorf("a call accepted before its agent was deleted is %+v", c)
	}
}

func testCallLife(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	n := node(t, db)
	placed := a.Place(t, db, 1)[0]
	c := claimOne(t, db, n)
	if c.SID != placed.SID || c.State != talkstack.StateClaimed || c.Status != talkstack.StatusQueued || c.Node != n || c.Attempt != 1 {
		t.Fatalf("claimed call is %+v", c)
	}
	equal(t, "claimed call", stored(t, db, c.SID), c)
	if open := got[int](t)(db.ActiveCallCount(ctx, a.Project.ID)); open != 1 {
		t.Errorf("%d active calls, want 1", open)
	}
	before := time.Now().Truncate(time.Microsecond)
	c.CarrierSID = string(c.SID) + "-1@example.com"
	must(t, db.MarkDialing(ctx, c))
	d := stored(t, db, c.SID)
	if d.State != talkstack.StateDialing || d.Status != talkstack.StatusInitiated || d.CarrierSID != c.CarrierSID || d.DialedAt.Before(before) || d.Attempt != 1 {
		t.Errorf("dialled call is %+v", d)
	}
	equal(t, "by the carrier's id", got[talkstack.Call](t)(db.Call(ctx, a.User.ID, c.CarrierSID)), d)
	must(t, db.MarkRinging(ctx, c))
	must(t, db.MarkRinging(ctx, c)) // a second 180
	if r := stored(t, db, c.SID); r.State != talkstack.StateDialing || r.Status != talkstack.StatusRinging {
		t.Errorf("ringing call is %+v", r)
	}
	answered := time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.FixedZone("", 5*3600))
	must(t, db.MarkAnswered(ctx, c, answered, "2026/11/23/a.wav"))
	l := stored(t, db, c.SID)
	if l.State != talkstack.StateLive || l.Status != talkstack.StatusInProgress || !l.AnsweredAt.Equal(answered.Truncate(time.Microsecond)) || l.Recording != "2026/11/23/a.wav" {
		t.Errorf("answered call is %+v", l)
	}
	for i, total := range []time.Duration{900, 300, 400, 500} {
		must(t, db.AddTurn(ctx, c.SID, talkstack.Turn{Seq: i, Role: talkstack.RoleAgent, Latency: &talkstack.TurnLatency{Total: total * time.Millisecond}}))
	}
	must(t, db.FinishCall(ctx, c, store.Outcome{
		Ending: Completed(), EndedAt: answered.Add(time.Minute), Slots: map[string]string{"day": "2026-11-24"}, MissingVariables: []string{"city"}, CostParts: map[string]float64{"carrier": 0.077},
	}))
	e := stored(t, db, c.SID)
	if e.State != talkstack.StateEnded || e.Status != talkstack.StatusCompleted || e.Duration(time.Now()) != time.Minute || e.Cost != 0.077 ||
		e.Slots["day"] != "2026-11-24" || len(e.MissingVariables) != 1 || e.Recording != l.Recording || e.Node != n {
		t.Errorf("ended call is %+v", e)
	}
	equal(t, "end reason", *e.EndReason, Completed().Reason)
	equal(t, "latency", e.Latency, talkstack.LatencySummary{P50: 400 * time.Millisecond, P95: 900 * time.Millisecond, Turns: 4})
	if open := got[int](t)(db.ActiveCallCount(ctx, a.Project.ID)); open != 0 {
		t.Errorf("%d active calls after the end, want 0", open)
	}
}

// testIllegalChanges: what a hold, a state or a status does not allow is refused and changes nothing.
func testIllegalChanges(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	queued := a.Place(t, db, 1)[0]
	wantNotHeld(t, db.MarkDialing(ctx, queued))
	wantNotHeld(t, db.FinishCall(ctx, queued, store.Outcome{Ending: Completed()}))
	equal(t, "queued call", stored(t, db, queued.SID), queued)

	c := claimOne(t, db, n)
	for _, wrong := range []talkstack.Call{
		{SID: c.SID, Node: talkstack.NewNodeID(), Attempt: c.Attempt},
		{SID: c.SID, Node: c.Node, Attempt: c.Attempt + 1},
		{SID: c.SID, Node: c.Node, Attempt: c.Attempt - 1},
		{SID: talkstack.NewCallSID(), Node: c.Node, Attempt: c.Attempt},
	} {
		wantNotHeld(t, db.MarkDialing(ctx, wrong))
		wantNotHeld(t, db.MarkRinging(ctx, wrong))
		wantNotHeld(t, db.MarkAnswered(ctx, wrong, time.Now(), ""))
		wantAnyError(t, db.FinishCall(ctx, wrong, store.Outcome{Ending: Completed()}))
	}
	wantNotHeld(t, db.MarkRinging(ctx, c)) // not dialled yet
	wantNotHeld(t, db.MarkAnswered(ctx, c, time.Now(), ""))
	wantCode(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}), talkstack.CodeConflict) // never answered
	equal(t, "claimed call", stored(t, db, c.SID), c)

	must(t, db.MarkDialing(ctx, c))
	wantNotHeld(t, db.MarkDialing(ctx, c)) // an attempt is dialled once
	wantCode(t, db.FinishCall(ctx, c, store.Outcome{Ending: talkstack.Ending{Status: talkstack.StatusRinging}}), talkstack.CodeConflict)
	must(t, db.MarkAnswered(ctx, c, time.Now(), ""))
	wantNotHeld(t, db.MarkAnswered(ctx, c, time.Now(), "other.wav"))
	wantNotHeld(t, db.MarkRinging(ctx, c))
	for _, status := range []talkstack.CallStatus{talkstack.StatusBusy, talkstack.StatusNoAnswer, talkstack.StatusQueued, talkstack.StatusInProgress, ""} {
		wantCode(t, db.FinishCall(ctx, c, store.Outcome{Ending: talkstack.Ending{Status: status}}), talkstack.CodeConflict)
	}
	if l := stored(t, db, c.SID); l.State != talkstack.StateLive || l.Recording != "" {
		t.Errorf("live call is %+v", l)
	}
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}))
	wantNotHeld(t, db.MarkDialing(ctx, c))
	wantNotHeld(t, db.MarkAnswered(ctx, c, time.Now(), ""))
}

func testFinishTwice(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	a.Place(t, db, 1)
	c := claimOne(t, db, n)
	live(t, db, c)
	silence := talkstack.Ending{Status: talkstack.StatusSilence, Reason: talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndInactivity}}
	var ends atomic.Int64
	var wg sync.WaitGroup
	for _, ending := range []talkstack.Ending{Completed(), silence} { // two ends race
		wg.Go(func() {
			if err := db.FinishCall(ctx, c, store.Outcome{Ending: ending}); err == nil {
				ends.Add(1)
			}
		})
	}
	wg.Wait()
	if ends.Load() != 1 {
		t.Errorf("%d different ends were stored, want 1", ends.Load())
	}
	first := stored(t, db, c.SID)
	again := talkstack.Ending{Status: first.Status, Reason: *first.EndReason}
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: again, CostParts: map[string]float64{"carrier": 99}})) // the answer was lost, it is said again
	equal(t, "call after the second end", stored(t, db, c.SID), first)
}

func (a Account) inbound(n talkstack.NodeID) talkstack.Call {
	return talkstack.Call{
		CarrierSID: "abc@example.com", UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, Node: n,
		From: "+12065550123", To: a.Number.E164,
	}
}

func testInboundCalls(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 1)
	n := node(t, db)
	in := a.inbound(n)
	in.From = "anony\x00mous\xff" // as a hostile peer may send it
	c := got[talkstack.Call](t)(db.InsertInboundCall(ctx, in))
	if c.Direction != talkstack.Inbound || c.State != talkstack.StateLive || c.Status != talkstack.StatusRinging || c.Attempt != 1 || c.From != "anonymous\uFFFD" {
		t.Errorf("inbound call is %+v", c)
	}
	equal(t, "inbound call", got[talkstack.Call](t)(db.Call(ctx, a.User.ID, "abc@example.com")), c)
	_, err := db.InsertInboundCall(ctx, a.inbound(n))
	wantCode(t, err, talkstack.CodeLimited)
	a.Place(t, db, 1)
	if calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 5)); len(calls) != 0 {
		t.Errorf("claimed %d calls beside the inbound one, want 0", len(calls))
	}
	must(t, db.MarkAnswered(ctx, c, time.Now(), "in.wav"))
	must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}))
	got[talkstack.Call](t)(db.InsertInboundCall(ctx, a.inbound(n)))
	if db.Engine() == store.PostgreSQL {
		_, err = db.InsertInboundCall(ctx, a.inbound(talkstack.NewNodeID())) // a node without a heartbeat
		wantCode(t, err, talkstack.CodeUnavailable)
	}
}

func testInboundLimitRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 3)
	n := node(t, db)
	a.Place(t, db, 10)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if i%2 == 0 {
				calls, err := db.Claim(ctx, n, 5)
				if err != nil {
					t.Error(err)
				}
				taken.Add(int64(len(calls)))
				return
			}
			_, err := db.InsertInboundCall(ctx, a.inbound(n))
			if err == nil {
				taken.Add(1)
			} else if talkstack.ErrorCode(err) != talkstack.CodeLimited {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken.Load() > 3 || taken.Load() == 0 {
		t.Errorf("%d calls at once in a project that may have 3", taken.Load())
	}
}

func testHangup(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	queued := a.Place(t, db, 1)[0]
	c := got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(queued.SID)))
	if c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed || c.EndReason == nil || c.EndReason.Code != talkstack.EndAgentHangup {
		t.Errorf("cancelled call is %+v", c)
	}
	equal(t, "cancelled call", stored(t, db, c.SID), c)
	if calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 5)); len(calls) != 0 {
		t.Errorf("a cancelled call was claimed")
	}

	a.Place(t, db, 1)
	claimed := claimOne(t, db, n)
	got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(claimed.SID)))
	wantNotHeld(t, db.MarkDialing(ctx, claimed)) // not dialled any more
	if held := got[bool](t)(db.Abandon(ctx, store.HoldOf(&claimed), time.Time{})); !held {
		t.Error("the claimed call was not held")
	}
	if c := stored(t, db, claimed.SID); c.State != talkstack.StateEnded || c.EndReason.Code != talkstack.EndAgentHangup {
		t.Errorf("given back call with a wish to hang up is %+v", c)
	}

	a.Place(t, db, 1)
	running := claimOne(t, db, n)
	live(t, db, running)
	want := store.OpenCall{Hold: store.HoldOf(&running), State: talkstack.StateLive, Status: talkstack.StatusInProgress, Direction: talkstack.Outbound}
	equal(t, "open calls", got[[]store.OpenCall](t)(db.OpenCalls(ctx, n)), []store.OpenCall{want})
	got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(running.SID)))
	want.HangupRequested = true
	equal(t, "open calls after the wish", got[[]store.OpenCall](t)(db.OpenCalls(ctx, n)), []store.OpenCall{want})
	must(t, db.FinishCall(ctx, running, store.Outcome{Ending: Completed()}))
	if c := got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(running.SID))); c.Status != talkstack.StatusCompleted {
		t.Errorf("a wish after the end made the call %s", c.Status)
	}
}

func testHistory(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, b := NewAccount(t, db, 5), NewAccount(t, db, 5)
	placed := a.Place(t, db, 5)
	b.Place(t, db, 1)
	var sids []talkstack.CallSID
	for page := 0; ; page++ {
		calls, more, err := db.CallHistory(ctx, a.User.ID, store.CallFilter{ProjectID: a.Project.ID}, page, 2)
		must(t, err)
		for _, c := range calls {
			sids = append(sids, c.SID)
		}
		if more != (page < 2) {
			t.Errorf("page %d of 3 says more: %v", page, more)
		}
		if !more {
			break
		}
	}
	if len(sids) != 5 {
		t.Fatalf("history has %d calls, want 5", len(sids))
	}
	seen := map[talkstack.CallSID]bool{}
	for _, sid := range sids {
		seen[sid] = true
	}
	for _, c := range placed {
		if !seen[c.SID] {
			t.Errorf("call %s is not in the history", c.SID)
		}
	}
	for i := 1; i < len(sids); i++ {
		if newer, older := stored(t, db, sids[i-1]), stored(t, db, sids[i]); newer.CreatedAt.Before(older.CreatedAt) {
			t.Error("history is not newest first")
		}
	}
	calls, more, err := db.CallHistory(ctx, a.User.ID, store.CallFilter{ProjectID: a.Project.ID}, 0, 5)
	if err != nil || more || len(calls) != 5 {
		t.Errorf("a page that just fits: %d calls, more %v, %v", len(calls), more, err)
	}
	calls, more, err = db.CallHistory(ctx, a.User.ID, store.CallFilter{ProjectID: a.Project.ID}, 9, 5)
	if err != nil || more || len(calls) != 0 {
		t.Errorf("a page behind the end: %d calls, more %v, %v", len(calls), more, err)
	}
	for _, bad := range [][2]int{{-1, 5}, {0, 0}, {0, -1}, {0, store.MaxPageSize + 1}} {
		_, _, err := db.CallHistory(ctx, a.User.ID, store.CallFilter{ProjectID: a.Project.ID}, bad[0], bad[1])
		wantCode(t, err, talkstack.CodeInvalid)
	}
}

func testTurns(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	c := a.Place(t, db, 1)[0]
	if turns := got[[]talkstack.Turn](t)(db.Turns(ctx, a.User.ID, string(c.SID))); len(turns) != 0 {
		t.Errorf("a call that did not begin has turns: %v", turns)
	}
	agent := talkstack.Turn{
		Seq: 0, Role: talkstack.RoleAgent, Text: "Good morning — Zoë ☎", Start: 120 * time.Millisecond, End: 1500 * time.Millisecond,
		Words:   []talkstack.Word{{Text: "Good", Start: 120 * time.Millisecond, End: 300 * time.Millisecond}, {Text: "☎", Start: time.Second, End: time.Second + time.Microsecond}},
		Latency: &talkstack.TurnLatency{Endpointing: 1, ASRFinal: 2, LLMFirstToken: 3, TTSFirstByte: 4, Playout: 5, Total: 15},
	}
	for _, d := range []*time.Duration{&agent.Latency.Endpointing, &agent.Latency.ASRFinal, &agent.Latency.LLMFirstToken, &agent.Latency.TTSFirstByte, &agent.Latency.Playout, &agent.Latency.Total} {
		*d *= time.Millisecond
	}
	user := talkstack.Turn{Seq: 1, Role: talkstack.RoleUser, Text: "Hi", Start: 2 * time.Second, End: 3 * time.Second}
	must(t, db.AddTurn(ctx, c.SID, user))
	must(t, db.AddTurn(ctx, c.SID, agent))
	equal(t, "turns", got[[]talkstack.Turn](t)(db.Turns(ctx, a.User.ID, string(c.SID))), []talkstack.Turn{agent, user})
	agent.Text, agent.Interrupted, agent.Words, agent.Latency = "Good", true, agent.Words[:1], nil
	must(t, db.AddTurn(ctx, c.SID, agent)) // cut to what was heard
	equal(t, "turns", got[[]talkstack.Turn](t)(db.TurnsBySID(ctx, c.SID)), []talkstack.Turn{agent, user})
	must(t, db.AddTurn(ctx, c.SID, talkstack.Turn{Seq: 2, Role: talkstack.RoleUser, Text: "a\x00b\xff", Words: []talkstack.Word{{Text: "\x00"}}}))
	if turns := got[[]talkstack.Turn](t)(db.TurnsBySID(ctx, c.SID)); turns[2].Text != "ab\uFFFD" || turns[2].Words[0].Text != "" {
		t.Errorf("odd text is stored as %+v", turns[2])
	}
	wantAnyError(t, db.AddTurn(ctx, talkstack.NewCallSID(), user))
}
