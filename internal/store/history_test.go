package store_test

import (
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// TestHistoryUsesItsIndexes asks SQLite how it would find a page: through the index that the filter has, in the order of
// the answer, without sorting what it found. Only the page itself, and what a filter on the end leaves, is sorted.
func TestHistoryUsesItsIndexes(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	a := storetest.NewAccount(t, db, 1)
	at := time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
	project := store.CallFilter{ProjectID: a.Project.ID}
	with := func(f store.CallFilter) store.CallFilter {
		f.ProjectID = a.Project.ID
		return f
	}
	for name, c := range map[string]struct {
		filter store.CallFilter
		index  string
		sorts  int
	}{
		"a project":              {project, "calls_history (project_id=?)", 1},
		"to":                     {with(store.CallFilter{To: "+12065550123"}), "calls_to (project_id=? AND to_number=?)", 1},
		"from":                   {with(store.CallFilter{From: "+12065550123"}), "calls_from (project_id=? AND from_number=?)", 1},
		"status":                 {with(store.CallFilter{Status: talkstack.StatusBusy}), "calls_status (project_id=? AND status=?)", 1},
		"status and start":       {with(store.CallFilter{Status: talkstack.StatusBusy, CreatedFrom: at}), "calls_status (project_id=? AND status=? AND created_at>?)", 1},
		"start":                  {with(store.CallFilter{CreatedFrom: at, CreatedBefore: at.AddDate(0, 0, 1)}), "calls_history (project_id=? AND created_at>? AND created_at<?)", 1},
		"end":                    {with(store.CallFilter{EndedFrom: at, EndedBefore: at.AddDate(0, 0, 1)}), "calls_ended (project_id=? AND ended_at>? AND ended_at<?)", 2},
		"incoming calls":         {with(store.CallFilter{Direction: talkstack.Inbound}), "calls_inbound (project_id=?)", 1},
		"an agent":               {store.CallFilter{AgentID: a.Agent.ID}, "calls_agent (agent_id=?)", 1},
		"a batch":                {store.CallFilter{BatchID: "b"}, "calls_batch_history (batch_id=?)", 1},
		"the account":            {store.CallFilter{}, "calls_owner (user_id=?)", 1},
		"to, of all projects":    {store.CallFilter{To: "+12065550123"}, "calls_to (project_id=? AND to_number=?)", 1},
		"status, in all of them": {store.CallFilter{Status: talkstack.StatusInProgress}, "calls_status (project_id=? AND status=?)", 1},
	} {
		plan, err := db.ExplainCalls(t.Context(), a.User.ID, c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, c.index) || strings.Count(plan, "USE TEMP B-TREE FOR ORDER BY") > c.sorts || strings.Contains(plan, "SCAN calls") {
			t.Errorf("%s: want %s and at most %d sorting:\n%s", name, c.index, c.sorts, plan)
		}
	}
}
