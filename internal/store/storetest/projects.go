package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"talkstack"
	"talkstack/internal/store"
)

func testProjects(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	p := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Clinic", Description: "", WebhookURL: "https://example.com/hook"}))
	if p.MaxCalls != talkstack.DefaultProjectMaxCalls || p.ActiveAgent != "" || p.Deleted {
		t.Errorf("new project is %+v", p)
	}
	equal(t, "project", got[talkstack.Project](t)(db.Project(ctx, u.ID, p.ID)), p)
	_, err := db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Clinic"})
	wantCode(t, err, talkstack.CodeConflict)
	second := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Garage"}))
	equal(t, "projects", got[[]talkstack.Project](t)(db.Projects(ctx, u.ID)), []talkstack.Project{p, second})

	name, hook := "Surgery", ""
	updated := got[talkstack.Project](t)(db.UpdateProject(ctx, u.ID, p.ID, store.ProjectUpdate{Name: &name, WebhookURL: &hook}))
	if updated.Name != name || updated.WebhookURL != "" || updated.Description != p.Description || updated.CreatedAt != p.CreatedAt {
		t.Errorf("updated project is %+v", updated)
	}
	equal(t, "stored update", got[talkstack.Project](t)(db.Project(ctx, u.ID, p.ID)), updated)
	taken := "Garage"
	_, err = db.UpdateProject(ctx, u.ID, p.ID, store.ProjectUpdate{Name: &taken})
	wantCode(t, err, talkstack.CodeConflict)

	withProject, active, err := db.SetActiveProject(ctx, u.ID, p.ID)
	must(t, err)
	if withProject.ActiveProject != p.ID || active.ID != p.ID {
		t.Errorf("active project is %q, want %q", withProject.ActiveProject, p.ID)
	}
	must(t, db.DeleteProject(ctx, u.ID, p.ID, false))
	_, err = db.Project(ctx, u.ID, p.ID)
	wantCode(t, err, talkstack.CodeNotFound)
	if a := got[talkstack.User](t)(db.User(ctx, u.ID)).ActiveProject; a != "" {
		t.Errorf("a deleted project is still active: %q", a)
	}
	got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Surgery"})) // the name is free again
	wantCode(t, db.DeleteProject(ctx, u.ID, p.ID, false), talkstack.CodeNotFound)
}

func testDeleteProject(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	n := node(t, db)
	running := a.Place(t, db, 1)[0]
	claimed := claimOne(t, db, n)
	live(t, db, claimed)
	queued := a.Place(t, db, 1)[0]

	wantCode(t, db.DeleteProject(ctx, a.User.ID, a.Project.ID, false), talkstack.CodeConflict)
	got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)) // nothing deleted
	got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID))

	must(t, db.DeleteProject(ctx, a.User.ID, a.Project.ID, true))
	_, err := db.Agent(ctx, a.User.ID, a.Agent.ID)
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.Number(ctx, a.User.ID, a.Number.ID)
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.RouteInbound(ctx, a.Number.E164)
	wantCode(t, err, talkstack.CodeNotFound)
	if c := stored(t, db, queued.SID); c.State != talkstack.StateEnded || c.Status != talkstack.StatusFailed || c.EndReason == nil {
		t.Errorf("queued call of a deleted project is %+v", c)
	}
	if c := stored(t, db, running.SID); c.State != talkstack.StateLive {
		t.Errorf("live call of a deleted project is %s", c.State)
	}
	must(t, db.FinishCall(ctx, claimed, store.Outcome{Ending: Completed()}))
	_, err = db.PlaceCall(ctx, a.Call())
	wantCode(t, err, talkstack.CodeNotFound)

	other := NewAccount(t, db, 5)
	got[talkstack.Number](t)(assign(ctx, db, other.User.ID, other.Project.ID, "", a.Number.E164)) // the number is free
}

func testActiveAgent(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, b := NewAccount(t, db, 5), NewAccount(t, db, 5)
	second := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "Second"}))
	p := got[talkstack.Project](t)(db.SetActiveAgent(ctx, a.User.ID, a.Project.ID, a.Agent.ID))
	if p.ActiveAgent != a.Agent.ID {
		t.Errorf("active agent is %q", p.ActiveAgent)
	}
	_, err := db.SetActiveAgent(ctx, a.User.ID, second.ID, a.Agent.ID) // another project's
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.SetActiveAgent(ctx, a.User.ID, a.Project.ID, b.Agent.ID)
	wantCode(t, err, talkstack.CodeNotFound)

	another := got[talkstack.Agent](t)(db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Jill", Settings: talkstack.DefaultAgentSettings()}, ""))
	must(t, db.RemoveActiveAgent(ctx, a.User.ID, another.ID)) // is not it
	if p := got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)); p.ActiveAgent != a.Agent.ID {
		t.Errorf("removing another agent left %q", p.ActiveAgent)
	}
	must(t, db.RemoveActiveAgent(ctx, a.User.ID, a.Agent.ID))
	if p := got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)); p.ActiveAgent != "" {
		t.Errorf("removed agent is still active")
	}
	got[talkstack.Project](t)(db.SetActiveAgent(ctx, a.User.ID, a.Project.ID, a.Agent.ID))
	must(t, db.DeleteAgent(ctx, a.User.ID, a.Agent.ID))
	if p := got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)); p.ActiveAgent != "" {
		t.Errorf("deleted agent is still active")
	}
	wantCode(t, db.RemoveActiveAgent(ctx, a.User.ID, a.Agent.ID), talkstack.CodeNotFound)
}

func testAgents(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	first := got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID))
	equal(t, "agent", first, a.Agent)

	settings := talkstack.DefaultAgentSettings()
	settings.Greeting = "Hello {{name}} ✓"
	settings.IdlePrompts = []talkstack.IdlePrompt{{After: 3000, Text: "Are you there?"}}
	settings.Flow = &talkstack.Flow{Start: "a", Nodes: []talkstack.FlowNode{{ID: "a", Kind: "say", Text: "Hi"}}}
	prompt := "You are John."
	second := got[talkstack.Agent](t)(db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{IfVersion: 1, Prompt: &prompt, Settings: &settings}))
	if second.Version != 2 || second.Prompt != prompt || second.Name != a.Agent.Name || second.CreatedAt != a.Agent.CreatedAt {
		t.Errorf("updated agent is %+v", second)
	}
	equal(t, "settings", second.Settings, settings)
	equal(t, "current version", got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID)), second)
	equal(t, "first version", got[talkstack.Agent](t)(db.AgentVersion(ctx, a.Agent.ID, 1)), first)
	_, err := db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{IfVersion: 1, Prompt: &prompt})
	wantCode(t, err, talkstack.CodeConflict)
	if again := got[talkstack.Agent](t)(db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Prompt: &prompt, Settings: &settings})); again.Version != 2 {
		t.Errorf("an update that changes nothing made version %d", again.Version)
	}
	name := "Jim"
	if again := got[talkstack.Agent](t)(db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Name: &name})); again.Version != 3 {
		t.Errorf("an update of any version made version %d", again.Version)
	}

	other := got[talkstack.Agent](t)(db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Jill", Settings: settings}, ""))
	agents := got[[]talkstack.Agent](t)(db.Agents(ctx, a.User.ID, a.Project.ID))
	if len(agents) != 2 || agents[0].ID != a.Agent.ID || agents[1].ID != other.ID {
		t.Errorf("agents are %+v", agents)
	}
	must(t, db.DeleteAgent(ctx, a.User.ID, a.Agent.ID))
	_, err = db.Agent(ctx, a.User.ID, a.Agent.ID)
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Prompt: &prompt})
	wantCode(t, err, talkstack.CodeNotFound)
	if v := got[talkstack.Agent](t)(db.AgentVersion(ctx, a.Agent.ID, 2)); !v.Deleted || v.Prompt != prompt {
		t.Errorf("a deleted agent's version is %+v", v)
	}
	if numbers := got[[]talkstack.Number](t)(db.NumbersByProject(ctx, a.User.ID, a.Project.ID)); len(numbers) != 1 || numbers[0].AgentID != "" {
		t.Errorf("a deleted agent's numbers are %+v", numbers)
	}
	// An agent that can not get its number is not made.
	taken := NewAccount(t, db, 5)
	_, err = db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Half"}, taken.Number.E164)
	wantCode(t, err, talkstack.CodeConflict)
	_, err = db.CreateAgent(ctx, talkstack.Agent{UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Half"}, "not a number")
	wantCode(t, err, talkstack.CodeInvalid)
	if agents := got[[]talkstack.Agent](t)(db.Agents(ctx, a.User.ID, a.Project.ID)); len(agents) != 1 {
		t.Errorf("%d agents after refused ones, want 1", len(agents))
	}
}

// testAgentUpdateRace: of several changes made from one version, one is stored.
func testAgentUpdateRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	var stored atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			prompt := "changed"
			_, err := db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{IfVersion: 1, Prompt: &prompt})
			if err == nil {
				stored.Add(1)
			} else if talkstack.ErrorCode(err) != talkstack.CodeConflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if stored.Load() != 1 {
		t.Errorf("%d changes of one version were stored, want 1", stored.Load())
	}
}

// testAgentNumberAndFields: a change of an agent and of its number is stored as a whole, or not at all.
func testAgentNumberAndFields(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, other := NewAccount(t, db, 5), NewAccount(t, db, 5)
	name, free, taken, none := "New", "+14155550177", other.Number.E164, ""
	update := func(u store.AgentUpdate) error {
		_, err := db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, u)
		return err
	}
	wantAgent := func(version int, numbers ...string) {
		t.Helper()
		if g := got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID)); g.Version != version {
			t.Errorf("the agent is at version %d, want %d", g.Version, version)
		}
		var have []string
		for _, n := range got[[]talkstack.Number](t)(db.NumbersByAgent(ctx, a.User.ID, a.Agent.ID)) {
			have = append(have, n.E164)
		}
		equal(t, "numbers", have, numbers)
	}
	wantCode(t, update(store.AgentUpdate{Name: &name, Number: &taken}), talkstack.CodeConflict)
	wantCode(t, update(store.AgentUpdate{IfVersion: 7, Name: &name, Number: &free}), talkstack.CodeConflict)
	wantAgent(1, a.Number.E164)
	must(t, update(store.AgentUpdate{Number: &free}))
	wantAgent(1, free)
	must(t, update(store.AgentUpdate{Name: &name, Number: &none}))
	wantAgent(2)
	if left := got[[]talkstack.Number](t)(db.NumbersByProject(ctx, a.User.ID, a.Project.ID)); len(left) != 2 || left[0].AgentID != "" || left[1].AgentID != "" {
		t.Errorf("the project has the numbers %+v, want both without an agent", left)
	}
	must(t, db.DeleteAgent(ctx, a.User.ID, a.Agent.ID))
	wantCode(t, update(store.AgentUpdate{Number: &free}), talkstack.CodeNotFound)
}

func testNumbers(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, b := NewAccount(t, db, 5), NewAccount(t, db, 5)
	if a.Number.Status != talkstack.NumberStatusAvailable || a.Number.AgentID != a.Agent.ID {
		t.Errorf("number is %+v", a.Number)
	}
	equal(t, "by id", got[talkstack.Number](t)(db.Number(ctx, a.User.ID, a.Number.ID)), a.Number)
	equal(t, "by agent", got[[]talkstack.Number](t)(db.NumbersByAgent(ctx, a.User.ID, a.Agent.ID)), []talkstack.Number{a.Number})
	equal(t, "by project", got[[]talkstack.Number](t)(db.NumbersByProject(ctx, a.User.ID, a.Project.ID)), []talkstack.Number{a.Number})
	equal(t, "by number", got[talkstack.Number](t)(db.NumberByE164(ctx, a.Number.E164)), a.Number)

	second := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "Second"}))
	moved := got[talkstack.Number](t)(assign(ctx, db, a.User.ID, second.ID, "", a.Number.E164))
	if moved.ID != a.Number.ID || moved.ProjectID != second.ID || moved.AgentID != "" || moved.CreatedAt != a.Number.CreatedAt {
		t.Errorf("moved number is %+v", moved)
	}
	_, err := assign(ctx, db, b.User.ID, b.Project.ID, b.Agent.ID, a.Number.E164)
	wantCode(t, err, talkstack.CodeConflict)
	equal(t, "after a refused move", got[talkstack.Number](t)(db.Number(ctx, a.User.ID, a.Number.ID)), moved)
	_, err = assign(ctx, db, a.User.ID, second.ID, a.Agent.ID, "+14155550999") // the agent is in the other project
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = assign(ctx, db, a.User.ID, a.Project.ID, a.Agent.ID, "0123")
	wantCode(t, err, talkstack.CodeInvalid)
	spaced := got[talkstack.Number](t)(assign(ctx, db, a.User.ID, a.Project.ID, a.Agent.ID, "+1 (415) 555-0999"))
	if spaced.E164 != "+14155550999" {
		t.Errorf("number is stored as %q", spaced.E164)
	}
}

func testRouteInbound(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	agent := got[talkstack.Agent](t)(db.RouteInbound(ctx, a.Number.E164))
	equal(t, "the number's own agent", agent, a.Agent)
	_, err := db.RouteInbound(ctx, "+14155559999")
	wantCode(t, err, talkstack.CodeNotFound)
	got[talkstack.Number](t)(assign(ctx, db, a.User.ID, a.Project.ID, "", a.Number.E164))
	_, err = db.RouteInbound(ctx, a.Number.E164) // no agent at all
	wantCode(t, err, talkstack.CodeNotFound)
	got[talkstack.Project](t)(db.SetActiveAgent(ctx, a.User.ID, a.Project.ID, a.Agent.ID))
	equal(t, "the project's active agent", got[talkstack.Agent](t)(db.RouteInbound(ctx, a.Number.E164)), a.Agent)
}
