package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// testAnalysisOrder: what was said comes before what nobody answered, and that before what nobody dialled: a cancelled
// batch of 100,000 holds up nobody's analyses.
func testAnalysisOrder(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := NewAccount(t, db, 10)
	n := node(t, db)
	never := a.Place(t, db, 1)[0]
	got[talkstack.Call](t)(db.RequestHangup(ctx, a.User.ID, string(never.SID)))
	a.Place(t, db, 2)
	calls := got[[]talkstack.Call](t)(db.Claim(ctx, n, 2))
	dialed(t, db, calls[0], talkstack.StatusBusy, talkstack.EndDialBusy)
	must(t, db.MarkDialing(ctx, calls[1]))
	must(t, db.MarkAnswered(ctx, calls[1], time.Now(), ""))
	must(t, db.FinishCall(ctx, calls[1], store.Outcome{Ending: Completed()}))
	priority := map[talkstack.CallSID]int{}
	for _, j := range Jobs(t, db, store.AnalysisJob{}) {
		var args store.AnalysisJob
		must(t, json.Unmarshal(j.EncodedArgs, &args))
		priority[args.CallSID] = j.Priority
	}
	answered, busy := priority[calls[1].SID], priority[calls[0].SID]
	if len(priority) != 3 || answered >= busy || busy >= priority[never.SID] { // the smallest number comes first
		t.Errorf("priorities: answered %d, busy %d, never dialled %d", answered, busy, priority[never.SID])
	}
}
