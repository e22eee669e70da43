package storetest

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// testTenancy: for each method that a person can reach, another account's ids are answered exactly as unknown ones.
func testTenancy(t *testing.T, db *store.DB) {
	ctx := t.Context()
	mine, theirs := NewAccount(t, db, 5), NewAccount(t, db, 5)
	call := theirs.Place(t, db, 1)[0]
	me := mine.User.ID
	other := ids{theirs.Project.ID, theirs.Agent.ID, theirs.Number.ID, string(call.SID)}
	unknown := ids{talkstack.NewProjectID(), talkstack.NewAgentID(), talkstack.NewNumberID(), string(talkstack.NewCallSID())}
	hostile := ids{"\x00' OR 1=1 --", "\xff\xfe", "", "%"}
	for name, method := range personalMethods(t, db, mine) {
		want := method(unknown)
		wantCode(t, want, talkstack.CodeNotFound)
		for _, id := range []ids{other, hostile} {
			if name == "AssignNumber 2" && id == hostile || name == "AssignNumber" && id == hostile {
				continue // both ids are tried above in their plain form
			}
			err := method(id)
			if talkstack.ErrorCode(err) != talkstack.CodeNotFound || talkstack.ErrorMessage(err) != talkstack.ErrorMessage(want) {
				t.Errorf("%s of %+q: %v; of an unknown id: %v", name, id, err, want)
			}
		}
	}
	if numbers := got[[]talkstack.Number](t)(db.NumbersByAgent(ctx, me, theirs.Agent.ID)); len(numbers) != 0 {
		t.Errorf("numbers of another account's agent: %v", numbers)
	}
	if numbers := got[[]talkstack.Number](t)(db.NumbersByProject(ctx, me, theirs.Project.ID)); len(numbers) != 0 {
		t.Errorf("numbers of another account's project: %v", numbers)
	}
	for _, id := range []ids{other, unknown, hostile} {
		if id.project == "" {
			continue // no filter
		}
		f := store.NumberFilter{ProjectID: id.project}
		if found := got[[]talkstack.Number](t)(db.NumberPage(ctx, me, f, store.Cursor{}, 10)); len(found) != 0 {
			t.Errorf("numbers by %q: %v", id.project, found)
		}
		g := store.AgentFilter{ProjectID: id.project}
		if found := got[[]store.ListedAgent](t)(db.AgentPage(ctx, me, g, store.Cursor{}, 10)); len(found) != 0 {
			t.Errorf("agents by %q: %v", id.project, found)
		}
	}
	for _, p := range got[[]talkstack.Project](t)(db.Projects(ctx, me)) {
		if p.UserID != me {
			t.Errorf("another account's project is listed: %+v", p)
		}
	}
	// Nothing of theirs has changed.
	equal(t, "their project", got[talkstack.Project](t)(db.Project(ctx, theirs.User.ID, theirs.Project.ID)), theirs.Project)
	equal(t, "their agent", got[talkstack.Agent](t)(db.Agent(ctx, theirs.User.ID, theirs.Agent.ID)), theirs.Agent)
	equal(t, "their number", got[talkstack.Number](t)(db.Number(ctx, theirs.User.ID, theirs.Number.ID)), theirs.Number)
	equal(t, "their call", got[talkstack.Call](t)(db.Call(ctx, theirs.User.ID, string(call.SID))), call)
}

// ids are what a person may send.
type ids struct {
	project talkstack.ProjectID
	agent   talkstack.AgentID
	number  talkstack.NumberID
	sid     string
}

// personalMethods calls each method that a person can reach, for the owner of an account, with ids that may be anybody's.
func personalMethods(t *testing.T, db *store.DB, mine Account) map[string]func(ids) error {
	t.Helper()
	ctx, me, name := t.Context(), mine.User.ID, "changed"
	return map[string]func(ids) error{
		"SetActiveProject": func(id ids) error { _, _, err := db.SetActiveProject(ctx, me, id.project); return err },
		"Project":          func(id ids) error { _, err := db.Project(ctx, me, id.project); return err },
		"UpdateProject": func(id ids) error {
			_, err := db.UpdateProject(ctx, me, id.project, store.ProjectUpdate{Name: &name})
			return err
		},
		"DeleteProject":     func(id ids) error { return db.DeleteProject(ctx, me, id.project, true) },
		"SetActiveAgent":    func(id ids) error { _, err := db.SetActiveAgent(ctx, me, mine.Project.ID, id.agent); return err },
		"SetActiveAgent 2":  func(id ids) error { _, err := db.SetActiveAgent(ctx, me, id.project, mine.Agent.ID); return err },
		"RemoveActiveAgent": func(id ids) error { return db.RemoveActiveAgent(ctx, me, id.agent) },
		"CreateAgent": func(id ids) error {
			a := talkstack.Agent{UserID: me, ProjectID: id.project, Name: "x", Settings: talkstack.DefaultAgentSettings()}
			_, err := db.CreateAgent(ctx, a, "")
			return err
		},
		"Agent":  func(id ids) error { _, err := db.Agent(ctx, me, id.agent); return err },
		"Agents": func(id ids) error { _, err := db.Agents(ctx, me, id.project); return err },
		"UpdateAgent": func(id ids) error {
			_, err := db.UpdateAgent(ctx, me, id.agent, store.AgentUpdate{Name: &name})
			return err
		},
		"DeleteAgent":   func(id ids) error { return db.DeleteAgent(ctx, me, id.agent) },
		"RestoreAgent":  func(id ids) error { _, err := db.RestoreAgent(ctx, me, id.agent, 1); return err },
		"AgentAt":       func(id ids) error { _, err := db.AgentAt(ctx, me, id.agent, 1); return err },
		"AgentVersions": func(id ids) error { _, err := db.AgentVersions(ctx, me, id.agent, 0, 10); return err },
		"UpdateProject 2": func(id ids) error {
			_, err := db.UpdateProject(ctx, me, mine.Project.ID, store.ProjectUpdate{Description: &name, ActiveAgent: orUnknown(id.agent)})
			return err
		},
		"UpdateNumber": func(id ids) error {
			_, err := db.UpdateNumber(ctx, me, id.number, store.NumberUpdate{AgentID: &mine.Agent.ID})
			return err
		},
		"UpdateNumber 2": func(id ids) error {
			_, err := db.UpdateNumber(ctx, me, mine.Number.ID, store.NumberUpdate{ProjectID: &id.project})
			return err
		},
		"UpdateNumber 3": func(id ids) error {
			_, err := db.UpdateNumber(ctx, me, mine.Number.ID, store.NumberUpdate{AgentID: orUnknown(id.agent)})
			return err
		},
		"ReleaseNumber": func(id ids) error { return db.ReleaseNumber(ctx, me, id.number) },
		"AssignNumber":  func(id ids) error { _, err := assign(ctx, db, me, id.project, "", "+14155550777"); return err },
		"AssignNumber 2": func(id ids) error {
			_, err := assign(ctx, db, me, mine.Project.ID, id.agent, "+14155550777")
			return err
		},
		"Number": func(id ids) error { _, err := db.Number(ctx, me, id.number); return err },
		"PlaceCall": func(id ids) error {
			c := mine.Call()
			c.ProjectID = id.project
			_, err := db.PlaceCall(ctx, c)
			return err
		},
		"PlaceCall 2":   func(id ids) error { c := mine.Call(); c.AgentID = id.agent; _, err := db.PlaceCall(ctx, c); return err },
		"Call":          func(id ids) error { _, err := db.Call(ctx, me, id.sid); return err },
		"CallInProject": func(id ids) error { _, err := db.CallInProject(ctx, me, id.project, id.sid); return err },
		"CallHistory": func(id ids) error {
			_, _, err := db.CallHistory(ctx, me, store.CallFilter{ProjectID: id.project}, 0, 20)
			return err
		},
		"RequestHangup": func(id ids) error { _, err := db.RequestHangup(ctx, me, id.sid); return err },
		"Turns":         func(id ids) error { _, err := db.Turns(ctx, me, id.sid); return err },
	}
}

// orUnknown is an agent's id, or one that nobody has where an empty one would mean none.
func orUnknown(id talkstack.AgentID) *talkstack.AgentID {
	if id == "" {
		id = "unknown"
	}
	return &id
}

// testTimes: a time comes back as the same instant in UTC, in microseconds, and sorts as one, whatever its zone was.
func testTimes(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 100)
	base := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	east := time.FixedZone("east", 5*3600)
	times := []time.Time{ // in their order
		base.Add(-90 * time.Minute).In(east), // 13:30 there
		base,
		base.Add(time.Microsecond),
		base.Add(10 * time.Microsecond).In(east),
		base.Add(100 * time.Millisecond),
		base.Add(120*time.Millisecond + 999*time.Nanosecond),
		base.Add(time.Second).In(time.FixedZone("west", -8*3600)),
	}
	for _, i := range []int{3, 0, 6, 2, 5, 1, 4} {
		c := a.Call()
		c.NotBefore = times[i]
		c = got[talkstack.Call](t)(db.PlaceCall(ctx, c))
		back := stored(t, db, c.SID).NotBefore
		if !back.Equal(times[i].Truncate(time.Microsecond)) || back.Location() != time.UTC || back != c.NotBefore {
			t.Errorf("%v came back as %v, was returned as %v", times[i], back, c.NotBefore)
		}
	}
	n := node(t, db)
	for i, want := range times {
		if c := claimOne(t, db, n); !c.NotBefore.Equal(want.Truncate(time.Microsecond)) {
			t.Errorf("claim %d is of %v, want %v", i, c.NotBefore, want)
		}
	}
}

// testTexts: what a person may write comes back as it was.
func testTexts(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	for _, text := range []string{
		"", " ", "Zoë Çelik", "北京 ☎️ 👩‍⚕️", "O'Brien; DROP TABLE calls; --", `back\slash "quoted" ?1 $1 @x :y /*FOR UPDATE*/`,
		"line\nbreak\ttab\r\x01\x7f", `\u0000`, "\u2028\ufeff", strings.Repeat("long ", 40_000),
	} {
		p := got[talkstack.Project](t)(db.UpdateProject(ctx, a.User.ID, a.Project.ID, store.ProjectUpdate{Name: &text, Description: &text}))
		if p.Name != text || got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)).Description != text {
			t.Errorf("project text %.40q came back as %.40q", text, p.Name)
		}
		settings := talkstack.DefaultAgentSettings()
		settings.Greeting = text
		got[talkstack.Agent](t)(db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Prompt: &text, Settings: &settings}))
		if g := got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID)); g.Prompt != text || g.Settings.Greeting != text {
			t.Errorf("agent text %.40q came back as %.40q and %.40q", text, g.Prompt, g.Settings.Greeting)
		}
		c := a.Call()
		c.DynamicVariables = map[string]any{"v" + text: text}
		c = got[talkstack.Call](t)(db.PlaceCall(ctx, c))
		if v := stored(t, db, c.SID).DynamicVariables["v"+text]; v != text {
			t.Errorf("variable %.40q came back as %.40q", text, v)
		}
	}
	c := a.Call()
	c.DynamicVariables = map[string]any{
		"id": json.Number("12345678901234567890"), "price": json.Number("1.5"), "no": nil, "yes": true,
		"as written": []any{json.Number("1e3"), json.Number("2.50"), json.Number("-0"), json.Number("1e200000")},
		"list":       []any{"a", json.Number("1")}, "deep": map[string]any{"b": "c"},
	}
	c = got[talkstack.Call](t)(db.PlaceCall(ctx, c))
	equal(t, "variables of every type", stored(t, db, c.SID).DynamicVariables, c.DynamicVariables)
}

// testBadTexts: what PostgreSQL can not hold is refused by both, with the field's name, and nothing is stored.
func testBadTexts(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 5)
	for _, bad := range []string{"nul\x00byte", "\x00", "not utf-8 \xff"} {
		_, err := db.CreateUser(ctx, talkstack.User{Email: "x@example.com", Name: bad})
		wantField(t, err, "name")
		_, err = db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "P", Description: bad})
		wantField(t, err, "description")
		_, err = db.UpdateProject(ctx, a.User.ID, a.Project.ID, store.ProjectUpdate{Name: &bad})
		wantField(t, err, "name")
		_, err = db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Prompt: &bad})
		wantField(t, err, "systemInstruction")
		c := a.Call()
		c.To = bad
		_, err = db.PlaceCall(ctx, c)
		wantField(t, err, "to")
		_, err = db.UserByEmail(ctx, bad)
		wantCode(t, err, talkstack.CodeNotFound)
		_, err = db.UserByAPIKey(ctx, bad)
		wantCode(t, err, talkstack.CodeNotFound)
		_, err = db.RouteInbound(ctx, bad)
		wantCode(t, err, talkstack.CodeNotFound)
		_, err = db.RecordFailure(ctx, bad, time.Minute) // a guess at any name counts
		must(t, err)
	}
	settings := talkstack.DefaultAgentSettings()
	settings.Greeting = `\` + "\x00"
	_, err := db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Settings: &settings})
	wantField(t, err, "settings")
	settings.Greeting, settings.Speed = "", math.NaN()
	_, err = db.UpdateAgent(ctx, a.User.ID, a.Agent.ID, store.AgentUpdate{Settings: &settings})
	wantCode(t, err, talkstack.CodeInvalid)
	c := a.Call()
	c.DynamicVariables = map[string]any{"a": map[string]any{"b\x00": 1}}
	_, err = db.PlaceCall(ctx, c)
	wantField(t, err, "dynamicVariables")
	equal(t, "project", got[talkstack.Project](t)(db.Project(ctx, a.User.ID, a.Project.ID)), a.Project)
	equal(t, "agent", got[talkstack.Agent](t)(db.Agent(ctx, a.User.ID, a.Agent.ID)), a.Agent)

	// A carrier's odd words do not keep a call from ending.
	n := node(t, db)
	a.Place(t, db, 1)
	held := claimOne(t, db, n)
	held.CarrierSID = "id\x00"
	must(t, db.MarkDialing(ctx, held))
	ending := talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy, Message: "486 B\x00sy\xff"}}
	must(t, db.FinishCall(ctx, held, store.Outcome{Ending: ending, Slots: map[string]string{"a\x00": "b\xff"}, MissingVariables: []string{"x\x00"}}))
	if e := stored(t, db, held.SID); e.EndReason.Message != "486 Bsy\uFFFD" || e.Slots["a"] != "b\uFFFD" || e.MissingVariables[0] != "x" {
		t.Errorf("ended call is %+v, %+v", e, e.EndReason)
	}
}

func wantField(t testing.TB, err error, field string) {
	t.Helper()
	wantCode(t, err, talkstack.CodeInvalid)
	if e, ok := errors.AsType[*talkstack.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Field != field {
		t.Errorf("error %v does not name the field %q", err, field)
	}
}
