package storetest

import (
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// testHistoryFilters stores calls of a few kinds and compares every filter, alone and together, with a plain loop over them.
func testHistoryFilters(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 50)
	other := NewAccount(t, db, 50)
	other.Place(t, db, 2)
	second, err := db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "Second", MaxCalls: 50})
	must(t, err)
	agent, err := db.CreateAgent(ctx, talkstack.Agent{
		UserID: a.User.ID, ProjectID: second.ID, Name: "Jill", Prompt: "You are Jill.", VoiceID: "heart", Settings: talkstack.DefaultAgentSettings(),
	}, "")
	must(t, err)
	n := node(t, db)
	for i := range 24 {
		c := a.Call()
		c.To = []string{"+12065550123", "+12065550124", "+12065550125"}[i%3]
		if i%4 == 0 {
			c.ProjectID, c.AgentID = second.ID, agent.ID
		}
		if i%6 == 5 {
			c.Direction, c.From, c.To, c.Node = talkstack.Inbound, c.To, c.From, n
			_, err := db.InsertInboundCall(ctx, c)
			must(t, err)
			continue
		}
		_, err := db.PlaceCall(ctx, c)
		must(t, err)
	}
	for i, c := range got[[]talkstack.Call](t)(db.Claim(ctx, n, 12)) {
		switch i % 3 {
		case 0:
			live(t, db, c)
			must(t, db.FinishCall(ctx, c, store.Outcome{Ending: Completed()}))
		case 1:
			must(t, db.MarkDialing(ctx, c))
		}
	}

	all := got[[]talkstack.Call](t)(db.Calls(ctx, a.User.ID, store.CallFilter{}, store.Cursor{}, 100))
	equal(t, "calls of the account", len(all), 24)
	middle := all[12].CreatedAt
	var ended time.Time
	for _, c := range all {
		if !c.EndedAt.IsZero() {
			ended = c.EndedAt
		}
	}
	for name, f := range map[string]store.CallFilter{
		"project":        {ProjectID: a.Project.ID},
		"second project": {ProjectID: second.ID},
		"agent":          {AgentID: agent.ID},
		"agent of another project": {
			AgentID: agent.ID, ProjectID: a.Project.ID,
		},
		"to":                         {To: "+12065550124"},
		"to in a project":            {To: "+12065550124", ProjectID: a.Project.ID},
		"from":                       {From: a.Number.E164},
		"status":                     {Status: talkstack.StatusQueued},
		"status in a project":        {Status: talkstack.StatusCompleted, ProjectID: a.Project.ID},
		"status that none has":       {Status: talkstack.StatusVoicemail},
		"inbound":                    {Direction: talkstack.Inbound},
		"outbound":                   {Direction: talkstack.Outbound, ProjectID: a.Project.ID},
		"created from":               {CreatedFrom: middle},
		"created before":             {CreatedBefore: middle, ProjectID: a.Project.ID},
		"ended from":                 {EndedFrom: ended, ProjectID: a.Project.ID},
		"ended before":               {EndedBefore: ended, ProjectID: a.Project.ID},
		"ended, anywhere":            {EndedFrom: ended},
		"to and status":              {To: "+12065550123", Status: talkstack.StatusCompleted, ProjectID: a.Project.ID},
		"from, status and direction": {From: a.Number.E164, Status: talkstack.StatusInitiated, Direction: talkstack.Outbound},
		"to, from, ended":            {To: "+12065550123", From: a.Number.E164, EndedFrom: ended.Add(-time.Hour), ProjectID: a.Project.ID},
		"nobody's batch":             {BatchID: "b"},
	} {
		var want []talkstack.Call
		for _, c := range all {
			if wants(f, c) {
				want = append(want, c)
			}
		}
		var have []talkstack.Call
		for after := (store.Cursor{}); ; {
			page := got[[]talkstack.Call](t)(db.Calls(ctx, a.User.ID, f, after, 3))
			have = append(have, page...)
			if len(page) < 3 {
				break
			}
			last := page[2]
			after = store.Cursor{At: last.CreatedAt, ID: string(last.SID)}
		}
		equal(t, name+", by cursor", sidsOf(have), sidsOf(want))
		if f.ProjectID == "" {
			continue
		}
		have = nil
		for page, more := 0, true; more; page++ {
			var calls []talkstack.Call
			calls, more, err = db.CallHistory(ctx, a.User.ID, f, page, 4)
			must(t, err)
			have = append(have, calls...)
		}
		equal(t, name+", by page", sidsOf(have), sidsOf(want))
	}
	equal(t, "somebody else's project", len(got[[]talkstack.Call](t)(db.Calls(ctx, other.User.ID, store.CallFilter{ProjectID: second.ID}, store.Cursor{}, 9))), 0)
	equal(t, "somebody else's agent", len(got[[]talkstack.Call](t)(db.Calls(ctx, other.User.ID, store.CallFilter{AgentID: agent.ID}, store.Cursor{}, 9))), 0)
}

// wants is what a filter means.
func wants(f store.CallFilter, c talkstack.Call) bool {
	return (f.ProjectID == "" || f.ProjectID == c.ProjectID) && (f.AgentID == "" || f.AgentID == c.AgentID) &&
		(f.BatchID == "" || f.BatchID == c.BatchID) && (f.Status == "" || f.Status == c.Status) &&
		(f.Direction == "" || f.Direction == c.Direction) && (f.To == "" || f.To == c.To) && (f.From == "" || f.From == c.From) &&
		!c.CreatedAt.Before(f.CreatedFrom) && (f.CreatedBefore.IsZero() || c.CreatedAt.Before(f.CreatedBefore)) &&
		(f.EndedFrom.IsZero() || !c.EndedAt.IsZero() && !c.EndedAt.Before(f.EndedFrom)) &&
		(f.EndedBefore.IsZero() || !c.EndedAt.IsZero() && c.EndedAt.Before(f.EndedBefore))
}

func sidsOf(calls []talkstack.Call) []talkstack.CallSID {
	sids := []talkstack.CallSID{}
	for _, c := range calls {
		sids = append(sids, c.SID)
	}
	return sids
}

// testHistoryWhileCallsComeIn reads on while new calls are placed: every old one is seen once.
func testHistoryWhileCallsComeIn(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 50)
	old := map[talkstack.CallSID]bool{}
	for _, c := range a.Place(t, db, 9) {
		old[c.SID] = true
	}
	seen := map[talkstack.CallSID]bool{}
	for after := (store.Cursor{}); ; {
		page := got[[]talkstack.Call](t)(db.Calls(ctx, a.User.ID, store.CallFilter{ProjectID: a.Project.ID}, after, 2))
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if seen[c.SID] || !old[c.SID] {
				t.Errorf("call %s: seen before %v, one of the old ones %v", c.SID, seen[c.SID], old[c.SID])
			}
			seen[c.SID] = true
		}
		last := page[len(page)-1]
		after = store.Cursor{At: last.CreatedAt, ID: string(last.SID)}
		a.Place(t, db, 1)
	}
	equal(t, "calls seen", len(seen), len(old))
}

// testUsage ends calls and compares what they add up to.
func testUsage(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 50)
	n := node(t, db)
	a.Place(t, db, 3)
	end := time.Now().UTC().Truncate(time.Second)
	for i, c := range got[[]talkstack.Call](t)(db.Claim(ctx, n, 3)) {
		must(t, db.MarkDialing(ctx, c))
		o := store.Outcome{EndedAt: end, Ending: talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy}}}
		if i < 2 {
			must(t, db.MarkAnswered(ctx, c, end.Add(-30*time.Second), ""))
			must(t, db.AddTurn(ctx, c.SID, talkstack.Turn{Role: talkstack.RoleAgent, Text: "Yes.", Latency: &talkstack.TurnLatency{Total: time.Duration(400+200*i) * time.Millisecond}}))
			o = store.Outcome{
				EndedAt: end, Ending: Completed(), CostParts: map[string]float64{"carrier": 0.01, "tts": 0.005},
				Usage: talkstack.Usage{ASRSeconds: 28.5, LLMInput: 100, LLMOutput: 20, TTSCharacters: 300},
			}
		}
		must(t, db.FinishCall(ctx, c, o))
		must(t, db.FinishCall(ctx, c, o)) // repeated, and counted once
	}
	days := got[[]store.UsageDay](t)(db.UsageDays(ctx, a.User.ID, end, end, ""))
	if len(days) != 1 {
		t.Fatalf("%d days of usage, want 1", len(days))
	}
	equal(t, "usage", days[0], store.UsageDay{
		Day: end.Truncate(24 * time.Hour), ProjectID: a.Project.ID,
		UsageSum: store.UsageSum{
			Calls: 3, ByStatus: map[talkstack.CallStatus]int64{talkstack.StatusCompleted: 2, talkstack.StatusBusy: 1},
			Answered: 2, Connected: time.Minute, Cost: 0.03,
			Usage:   talkstack.Usage{CarrierSeconds: 60, ASRSeconds: 57, LLMInput: 200, LLMOutput: 40, TTSCharacters: 600},
			Latency: talkstack.LatencySummary{P50: 500 * time.Millisecond, P95: 500 * time.Millisecond, Turns: 2},
		},
	})
	for what, none := range map[string][]store.UsageDay{
		"the day before":         got[[]store.UsageDay](t)(db.UsageDays(ctx, a.User.ID, end.AddDate(0, 0, -2), end.AddDate(0, 0, -1), "")),
		"another project":        got[[]store.UsageDay](t)(db.UsageDays(ctx, a.User.ID, end, end, "x")),
		"somebody else's report": got[[]store.UsageDay](t)(db.UsageDays(ctx, NewAccount(t, db, 1).User.ID, end, end, a.Project.ID)),
	} {
		equal(t, what, len(none), 0)
	}
}
