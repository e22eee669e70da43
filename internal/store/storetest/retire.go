package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"talkstack"
	"talkstack/internal/store"
)

// deletions are both ways in which what waits for an agent ends.
func deletions(t *testing.T, db *store.DB) map[string]func(a Account) error {
	t.Helper()
	return map[string]func(a Account) error{
		"agent":   func(a Account) error { return db.DeleteAgent(t.Context(), a.User.ID, a.Agent.ID) },
		"project": func(a Account) error { return db.DeleteProject(t.Context(), a.User.ID, a.Project.ID, true) },
	}
}

// testDeleteManyWaiting: whatever number of calls waits, none of them can be claimed from the deletion on, and all end.
func testDeleteManyWaiting(t *testing.T, db *store.DB) {
	ctx := t.Context()
	n := node(t, db)
	for what, del := range deletions(t, db) {
		a, other := NewAccount(t, db, 1000), NewAccount(t, db, 1000)
		second := got[talkstack.Agent](t)(db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Jill", Settings: talkstack.DefaultAgentSettings()}, ""))
		calls := a.Place(t, db, 450)
		c := a.Call()
		c.AgentID = second.ID
		colleague := got[talkstack.Call](t)(db.PlaceCall(ctx, c))
		theirs := other.Place(t, db, 1)[0]

		must(t, del(a))
		want := []talkstack.CallSID{theirs.SID}
		if what == "agent" {
			want = append(want, colleague.SID)
		}
		var claimed []talkstack.CallSID
		for _, c := range got[[]talkstack.Call](t)(db.Claim(ctx, n, 1000)) {
			claimed = append(claimed, c.SID)
		}
		slices.Sort(claimed)
		slices.Sort(want)
		equal(t, what+": claimed after the deletion", claimed, want)

		ended := func() (ended int) {
			for _, c := range calls {
				s := stored(t, db, c.SID)
				switch {
				case s.State == talkstack.StateEnded && s.Status == talkstack.StatusFailed && s.EndReason != nil && !s.EndedAt.IsZero():
					ended++
				case s.State != talkstack.StateHeld || s.Status != talkstack.StatusQueued:
					t.Errorf("%s: a call that waited is %s, %s", what, s.State, s.Status)
				}
			}
			return ended
		}
		if n := ended(); n == 0 || n == len(calls) {
			t.Errorf("%s: %d of %d calls were ended at once; want some, and the others later", what, n, len(calls))
		}
		for range 2 { // a job may run twice
			for _, j := range endCallsJobs(t, db, a.Project.ID) {
				must(t, db.EndCalls(ctx, j))
			}
		}
		if n := ended(); n != len(calls) {
			t.Errorf("%s: %d of %d calls were ended", what, n, len(calls))
		}
	}
}

// endCallsJobs are the jobs that were left to end the calls of a project.
func endCallsJobs(t *testing.T, db *store.DB, project talkstack.ProjectID) []store.EndCallsJob {
	t.Helper()
	var jobs []store.EndCallsJob
	for _, row := range Jobs(t, db, store.EndCallsJob{}) {
		var j store.EndCallsJob
		must(t, json.Unmarshal(row.EncodedArgs, &j))
		if j.ProjectID == project {
			jobs = append(jobs, j)
		}
	}
	if len(jobs) != 1 {
		t.Errorf("%d jobs are to end the calls; want 1", len(jobs))
	}
	return jobs
}

// testDeleteWhileClaimed: nothing was sent for a claimed call, so it is not dialled any more; one that is live goes on.
func testDeleteWhileClaimed(t *testing.T, db *store.DB) {
	ctx := t.Context()
	for what, del := range deletions(t, db) {
		a := NewAccount(t, db, 5)
		n := node(t, db)
		a.Place(t, db, 1)
		running := claimOne(t, db, n)
		live(t, db, running)
		a.Place(t, db, 1)
		claimed := claimOne(t, db, n)

		must(t, del(a))
		wantNotHeld(t, db.MarkDialing(ctx, claimed))
		if held, err := db.Abandon(ctx, store.HoldOf(&claimed), claimed.NotBefore); err != nil || !held {
			t.Errorf("%s: abandon: %v, %v", what, held, err)
		}
		if c := stored(t, db, claimed.SID); c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed {
			t.Errorf("%s: a claimed call is %s, %s", what, c.State, c.Status)
		}
		if c := stored(t, db, running.SID); c.State != talkstack.StateLive {
			t.Errorf("%s: a live call is %s", what, c.State)
		}
		must(t, db.FinishCall(ctx, running, store.Outcome{Ending: Completed()}))
		if c := got[talkstack.Call](t)(db.Call(ctx, a.User.ID, string(running.SID))); c.AgentID != a.Agent.ID || c.Status != talkstack.StatusCompleted {
			t.Errorf("%s: the call that went on is %+v", what, c)
		}
		if v := got[talkstack.Agent](t)(db.AgentVersion(ctx, running.AgentID, running.AgentVersion)); v.Name != a.Agent.Name || !v.Deleted {
			t.Errorf("%s: the agent of the call is %+v", what, v)
		}
	}
}

// testDeleteCancelsBatches: of a deleted agent's batches nothing is dialled any more; another agent's go on.
func testDeleteCancelsBatches(t *testing.T, db *store.DB) {
	ctx := t.Context()
	n := node(t, db)
	for what, del := range deletions(t, db) {
		a := NewAccount(t, db, 100)
		second := got[talkstack.Agent](t)(db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Jill", Settings: talkstack.DefaultAgentSettings()}, ""))
		mine := a.loaded(t, db, a.batch(), 3)
		paused := a.loaded(t, db, a.batch(), 3)
		got[talkstack.Batch](t)(db.PauseBatch(ctx, a.User.ID, paused.ID))
		b := a.batch()
		b.AgentID = second.ID
		others := a.loaded(t, db, b, 2)

		must(t, del(a))
		wantOthers, wantClaimed := talkstack.BatchRunning, 2
		if what == "project" {
			wantOthers, wantClaimed = talkstack.BatchCancelled, 0
		}
		for id, want := range map[talkstack.BatchID]talkstack.BatchState{mine.ID: talkstack.BatchCancelled, paused.ID: talkstack.BatchCancelled, others.ID: wantOthers} {
			if b := got[talkstack.Batch](t)(db.Batch(ctx, a.User.ID, id)); b.State != want {
				t.Errorf("%s: a batch is %s, want %s", what, b.State, want)
			}
		}
		claimed := got[[]talkstack.Call](t)(db.Claim(ctx, n, 100))
		if len(claimed) != wantClaimed {
			t.Errorf("%s: %d calls were claimed, want %d", what, len(claimed), wantClaimed)
		}
		for _, c := range claimed {
			if c.BatchID != others.ID {
				t.Errorf("%s: a call of a cancelled batch was claimed", what)
			}
			dialed(t, db, c, talkstack.StatusBusy, talkstack.EndDialBusy)
		}
	}
}

// testPlaceWhileDeleting: of calls that are placed while their agent or project is deleted, each is refused, or ends with
// what it was placed for. None is left waiting for ever.
func testPlaceWhileDeleting(t *testing.T, db *store.DB) {
	ctx := t.Context()
	for what, del := range deletions(t, db) {
		for round := range 5 {
			a := NewAccount(t, db, 100)
			var mu sync.Mutex
			var placed []talkstack.CallSID
			var wg sync.WaitGroup
			begin := make(chan struct{})
			for range 6 {
				wg.Go(func() {
					<-begin
					for range 5 {
						c, err := db.PlaceCall(ctx, a.Call())
						if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
							return
						}
						if err != nil {
							t.Errorf("%s: place: %v", what, err)
							return
						}
						mu.Lock()
						placed = append(placed, c.SID)
						mu.Unlock()
					}
				})
			}
			wg.Go(func() {
				<-begin
				if err := del(a); err != nil {
					t.Errorf("%s: delete: %v", what, err)
				}
			})
			close(begin)
			wg.Wait()
			for _, sid := range placed {
				if c := stored(t, db, sid); c.State != talkstack.StateEnded {
					t.Errorf("%s, round %d: a call that was accepted is left %s", what, round, c.State)
				}
			}
			_, err := db.PlaceCall(ctx, a.Call())
			wantCode(t, err, talkstack.CodeNotFound)
		}
	}
}

// testNumberRace: of many accounts that want the same number at once, one gets it, and the others are told.
func testNumberRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	accounts := make([]Account, 6)
	for i := range accounts {
		accounts[i] = NewAccount(t, db, 5)
	}
	for round := range 5 {
		e164 := fmt.Sprintf("+1512555%04d", round)
		var won atomic.Int64
		var winner atomic.Value
		var wg sync.WaitGroup
		for _, a := range accounts {
			wg.Go(func() {
				n, err := assign(ctx, db, a.User.ID, a.Project.ID, a.Agent.ID, e164)
				switch {
				case err == nil:
					won.Add(1)
					winner.Store(n)
				case talkstack.ErrorCode(err) != talkstack.CodeConflict:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d accounts have %s", won.Load(), e164)
		}
		equal(t, "the number", got[talkstack.Number](t)(db.NumberByE164(ctx, e164)), winner.Load().(talkstack.Number)) //nolint:forcetypeassert // stored above
	}
}

// testCatalogueAudit: each change that a person makes is noted once with what became of the fields; what changes
// nothing, or fails, is not.
func testCatalogueAudit(t *testing.T, db *store.DB) {
	u := got[talkstack.User](t)(db.CreateUser(t.Context(), talkstack.User{Email: "audit@example.com", Name: "A"}))
	ctx := talkstack.WithActor(t.Context(), talkstack.Actor{Kind: talkstack.ActorAPIKey, Address: "192.0.2.1"})
	seen := 0
	// noted checks the entries since the last time.
	noted := func(action, resource, id string, changes map[string]any) {
		t.Helper()
		log := got[[]talkstack.AuditEntry](t)(db.AuditLog(t.Context(), u.ID, store.AuditFilter{}, store.Cursor{}, 100))
		if action == "" {
			if len(log) != seen {
				t.Errorf("%d entries were added, want none", len(log)-seen)
			}
			seen = len(log)
			return
		}
		seen++
		if len(log) != seen {
			t.Fatalf("%d entries, want %d", len(log), seen)
		}
		e := log[slices.IndexFunc(log, func(e talkstack.AuditEntry) bool {
			return e.Action == action && e.ResourceID == id && has(e.Changes, changes)
		})]
		if e.Resource != resource || e.Actor.Kind != talkstack.ActorAPIKey || e.Actor.Address != "192.0.2.1" {
			t.Errorf("entry is %+v", e)
		}
	}
	log := got[[]talkstack.AuditEntry](t)(db.AuditLog(t.Context(), u.ID, store.AuditFilter{}, store.Cursor{}, 100))
	seen = len(log)

	p := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Clinic"}))
	noted("project.create", "project", string(p.ID), map[string]any{"name": "Clinic"})
	_, err := db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Clinic"})
	wantCode(t, err, talkstack.CodeConflict)
	noted("", "", "", nil)
	hook, name := "https://example.com/hook?token=secret", "Surgery"
	got[talkstack.Project](t)(db.UpdateProject(ctx, u.ID, p.ID, store.ProjectUpdate{Name: &name, WebhookURL: &hook}))
	noted("project.update", "project", string(p.ID), map[string]any{"name": name, "webhook_url": "https://example.com"})
	got[talkstack.Project](t)(db.UpdateProject(ctx, u.ID, p.ID, store.ProjectUpdate{Name: &name, WebhookURL: &hook}))
	noted("", "", "", nil)

	a := got[talkstack.Agent](t)(db.CreateAgent(ctx, talkstack.Agent{UserID: u.ID, ProjectID: p.ID, Name: "Jack", Prompt: "Hi", Settings: talkstack.DefaultAgentSettings()}, ""))
	noted("agent.create", "agent", string(a.ID), map[string]any{"name": "Jack", "prompt": "Hi", "project_id": string(p.ID)})
	settings := a.Settings
	settings.Greeting = "Hello."
	got[talkstack.Agent](t)(db.UpdateAgent(ctx, u.ID, a.ID, store.AgentUpdate{Settings: &settings}))
	noted("agent.update", "agent", string(a.ID), map[string]any{"greeting": "Hello.", "version": json.Number("2")})
	got[talkstack.Agent](t)(db.UpdateAgent(ctx, u.ID, a.ID, store.AgentUpdate{Settings: &settings}))
	noted("", "", "", nil)
	got[talkstack.Agent](t)(db.RestoreAgent(ctx, u.ID, a.ID, 1))
	noted("agent.restore", "agent", string(a.ID), map[string]any{"greeting": "", "restored_version": json.Number("1"), "version": json.Number("3")})
	got[talkstack.Project](t)(db.SetActiveAgent(ctx, u.ID, p.ID, a.ID))
	noted("project.update", "project", string(p.ID), map[string]any{"active_agent_id": string(a.ID)})
	must(t, db.RemoveActiveAgent(ctx, u.ID, a.ID))
	noted("project.update", "project", string(p.ID), map[string]any{"active_agent_id": nil})
	must(t, db.RemoveActiveAgent(ctx, u.ID, a.ID))
	noted("", "", "", nil)

	n := got[talkstack.Number](t)(assign(ctx, db, u.ID, p.ID, a.ID, "+15125550100"))
	noted("number.assign", "number", string(n.ID), map[string]any{"e164": n.E164, "agent_id": string(a.ID)})
	got[talkstack.Number](t)(assign(ctx, db, u.ID, p.ID, a.ID, "+15125550100"))
	noted("", "", "", nil)
	second := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Second"}))
	noted("project.create", "project", string(second.ID), nil)
	got[talkstack.Number](t)(db.UpdateNumber(ctx, u.ID, n.ID, store.NumberUpdate{ProjectID: &second.ID}))
	noted("number.move", "number", string(n.ID), map[string]any{"project_id": string(second.ID), "from_project_id": string(p.ID), "agent_id": ""})
	must(t, db.ReleaseNumber(ctx, u.ID, n.ID))
	noted("number.release", "number", string(n.ID), map[string]any{"e164": n.E164})

	must(t, db.DeleteAgent(ctx, u.ID, a.ID))
	noted("agent.delete", "agent", string(a.ID), map[string]any{"name": "Jack"})
	wantCode(t, db.DeleteAgent(ctx, u.ID, a.ID), talkstack.CodeNotFound)
	noted("", "", "", nil)
	must(t, db.DeleteProject(ctx, u.ID, p.ID, false))
	noted("project.delete", "project", string(p.ID), map[string]any{"name": name})
}

// has reports whether all of what is wanted is there.
func has(changes, want map[string]any) bool {
	for k, v := range want {
		if got, ok := changes[k]; !ok || got != v {
			return false
		}
	}
	return true
}
