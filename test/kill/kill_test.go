package kill

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/phonetest"
	"talkstack/internal/store/storetest"
	"talkstack/test/program"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	calls    = 2000
	projects = 5
	people   = 100 // who are called, each several times
	perLimit = 8   // calls a project may have at once
	kills    = 21
	patience = 12 * time.Minute // a watchdog: all is over in a fraction of it
)

// TestSQLite has one node: the file is its own.
func TestSQLite(t *testing.T) {
	phone := farEnd(t)
	n := &node{bin: program.Build(t), env: settings(t, "sip:"+phone.Addr().String(), 45000)}
	killAndCount(t, phone, []*node{n})
}

// TestPostgreSQL has three nodes on one database.
func TestPostgreSQL(t *testing.T) {
	phone, bin, database := farEnd(t), program.Build(t), storetest.PostgreSQL(t)
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, &node{
			bin: bin, env: settings(t, "sip:"+phone.Addr().String(), 44000+2000*i, "TALKSTACK_DATABASE_URL="+database),
		})
	}
	killAndCount(t, phone, nodes)
}

func killAndCount(t *testing.T, phone *phonetest.Phone, nodes []*node) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hooks, crm := newReceiver(t), hubspottest.New(time.Now)
	t.Cleanup(crm.Close)
	for _, n := range nodes {
		n.env = append(n.env, "HUBSPOT_BASE_URL="+crm.URL())
		n.start(t)
	}
	var all []project
	var portals []*hubspottest.Portal
	for i := range projects { // each of an account with a HubSpot portal of its own
		customer, portal := signUp(t, nodes, dataDirs(nodes), i), crm.AddPortal(int64(62515+i))
		customer.do(ctx, t, http.MethodPost, "/v1/hubspot/connect", map[string]string{"token": portal.PrivateToken()}, nil, nil)
		all, portals = append(all, customer.makeProject(t, i, perLimit, hooks.URL)), append(portals, portal)
	}
	begin := time.Now()
	lap := func(what string) { t.Logf("%s after %v", what, time.Since(begin).Round(time.Second)) }
	var work sync.WaitGroup
	work.Go(func() { killAgainAndAgain(ctx, t, phone, nodes) })
	sids := placeAll(ctx, t, all)
	lap("all calls placed")
	work.Wait()
	lap("last kill")
	ended := waitForEnds(ctx, t, all, sids)
	lap("all calls ended")
	waitForMessages(ctx, t, hooks, sids)
	lap("all messages delivered")
	waitForSyncs(ctx, t, all)
	lap("all calls in HubSpot")
	if t.Failed() {
		return
	}
	checkDials(t, phone, all, ended)
	checkMessages(t, hooks, ended)
	checkEngagements(t, portals, ended)
	t.Logf("receiver: %d messages refused, %d came again", hooks.refused, hooks.repeats)
}

func dataDirs(nodes []*node) []string {
	var dirs []string
	for _, n := range nodes {
		for _, setting := range n.env {
			if dir, ok := strings.CutPrefix(setting, "TALKSTACK_DATA_DIR="); ok {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// killAgainAndAgain kills a node each time the phone has rung some dozens of times more, and starts it again.
func killAgainAndAgain(ctx context.Context, t *testing.T, phone *phonetest.Phone, nodes []*node) {
	const step = calls / (kills + 1)
	for i := range kills {
		at := i*step + rand.IntN(step)
		for len(phone.Calls()) < at {
			select {
			case <-ctx.Done():
				t.Errorf("after %d kills only %d calls have been dialled", i, len(phone.Calls()))
				return
			case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
			}
		}
		n := nodes[rand.IntN(len(nodes))]
		n.kill(t)
		n.start(t)
	}
}

// placeAll places the calls from several places at once while nodes die. Each is asked for until it is accepted, under
// its own Idempotency-Key, and stands for one call, however often it was asked for.
func placeAll(ctx context.Context, t *testing.T, all []project) []talkstack.CallSID {
	sids := make([]talkstack.CallSID, calls)
	var placers sync.WaitGroup
	const many = 4
	for first := range many {
		placers.Go(func() {
			for i := first; i < calls; i += many {
				p := all[i%len(all)]
				a := p.owner.copyOf()
				a.next = i
				var placed struct {
					Call struct {
						ID talkstack.CallSID `json:"call_id"`
					}
				}
				a.do(ctx, t, http.MethodPost, "/call/makeCall", map[string]string{
					"number": fmt.Sprintf("+1206555%04d", i%people), "projectId": p.ID, "agentId": p.Agent,
				}, &placed, http.Header{"Idempotency-Key": {fmt.Sprint("call ", i)}})
				sids[i] = placed.Call.ID
			}
		})
	}
	placers.Wait()
	return sids
}

// end is how a call ended, as the API tells.
type end struct {
	SID       talkstack.CallSID
	Status    talkstack.CallStatus
	EndReason *talkstack.EndReason
	To        string
}

// waitForEnds reads the history until every call has ended.
func waitForEnds(ctx context.Context, t *testing.T, all []project, sids []talkstack.CallSID) map[talkstack.CallSID]end {
	for {
		ended := map[talkstack.CallSID]end{}
		stored, open := 0, 0
		for _, p := range all {
			var page struct {
				Data    []end
				HasMore bool
			}
			p.owner.do(ctx, t, http.MethodPost, "/call/get-call-history", map[string]any{"projectId": p.ID, "pageSize": 1000}, &page, nil)
			if page.HasMore {
				t.Fatalf("project %s has more than 1000 calls", p.ID)
			}
			for _, c := range page.Data {
				stored++
				if c.Status.Final() {
					ended[c.SID] = c
				} else {
					open++
				}
			}
		}
		if open == 0 && len(ended) >= len(sids) {
			if stored != len(sids) {
				t.Errorf("%d calls are stored, %d were accepted", stored, len(sids))
			}
			return ended
		}
		select {
		case <-ctx.Done():
			t.Errorf("%d calls have not ended, %d of %d are stored", open, stored, len(sids))
			return ended
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waitForMessages waits for the last message of each call.
func waitForMessages(ctx context.Context, t *testing.T, hooks *receiver, sids []talkstack.CallSID) {
	for {
		missing := 0
		for _, sid := range sids {
			if !slices.ContainsFunc(hooks.of(sid), func(m message) bool { return m.Type == talkstack.EventCallAnalyzed }) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("call.analyzed is missing for %d calls", missing)
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waitForSyncs waits until nothing is left to be written to HubSpot.
func waitForSyncs(ctx context.Context, t *testing.T, all []project) {
	for _, p := range all {
		for {
			var status struct {
				Syncs struct{ Pending, Done, Failed int }
			}
			p.owner.do(ctx, t, http.MethodGet, "/v1/hubspot", nil, &status, nil)
			if status.Syncs.Pending == 0 {
				break
			}
			select {
			case <-ctx.Done():
				t.Errorf("HubSpot: %+v", status.Syncs)
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// checkDials counts at the far end: no call has two INVITEs, none that was dialled is unknown, and no project had more
// calls at once than it may.
func checkDials(t *testing.T, phone *phonetest.Phone, all []project, ended map[talkstack.CallSID]end) {
	dials := map[talkstack.CallSID]int{}
	legs := map[string][]phonetest.Received{} // by the project's number
	died := 0
	for _, r := range phone.Calls() {
		sid, _, _ := strings.Cut(r.CallID, "-")
		dials[talkstack.CallSID(sid)]++
		legs[r.From] = append(legs[r.From], r)
		if r.Died {
			died++
		}
	}
	endings := map[string]int{}
	for sid, c := range ended {
		if c.EndReason == nil {
			t.Errorf("call %s ended %s without a reason", sid, c.Status)
			continue
		}
		endings[fmt.Sprintf("%s/%s", c.Status, c.EndReason.Code)]++
		switch n := dials[sid]; {
		case n > 1:
			t.Errorf("call %s was dialled %d times", sid, n)
		case n == 0 && c.EndReason.Code != talkstack.EndInterrupted:
			t.Errorf("call %s ended %s (%s) and was never dialled", sid, c.Status, c.EndReason.Code)
		}
		delete(dials, sid)
	}
	for sid := range dials {
		t.Errorf("the phone rang for %s, which nobody knows", sid)
	}
	if endings["completed/user_hangup"] < calls/2 || endings["failed/interrupted"] == 0 {
		t.Errorf("endings %v: want mostly completed calls, and some that a kill cut off", endings)
	}
	for _, p := range all {
		if most := mostAtOnce(legs[p.Number]); most > perLimit {
			t.Errorf("project with %s had %d calls at once, may have %d", p.Number, most, perLimit)
		} else {
			t.Logf("project with %s: %d legs, %d at once", p.Number, len(legs[p.Number]), most)
		}
	}
	t.Logf("%d calls, %d kills: %v; %d legs were cut off by a kill", len(ended), kills, endings, died)
}

// mostAtOnce is the greatest number of legs that were up at the same moment.
func mostAtOnce(legs []phonetest.Received) int {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, l := range legs {
		changes = append(changes, change{l.At, 1}, change{l.Ended, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	most, now := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// rank is the place of a message among those of its call.
func rank(m message) int {
	if m.Type == talkstack.EventCallEnded {
		return 100
	}
	if m.Type == talkstack.EventCallAnalyzed {
		return 101
	}
	return slices.Index(talkstack.CallStatuses(), m.Status)
}

// checkMessages: each call has told its end once and its analysis once, after its statuses, in order.
func checkMessages(t *testing.T, hooks *receiver, ended map[talkstack.CallSID]end) {
	for sid, c := range ended {
		told := hooks.of(sid)
		count := map[talkstack.EventType]int{}
		for i, m := range told {
			count[m.Type]++
			if i > 0 && rank(told[i-1]) >= rank(m) {
				t.Errorf("messages of %s came as %v", sid, told)
				break
			}
		}
		if count[talkstack.EventCallEnded] != 1 || count[talkstack.EventCallAnalyzed] != 1 {
			t.Errorf("call %s: %v", sid, count)
		}
		if !slices.ContainsFunc(told, func(m message) bool { return m.Type == talkstack.EventCallStatus && m.Status == c.Status }) {
			t.Errorf("call %s ended %s, its receiver was told %v", sid, c.Status, told)
		}
	}
}

// checkEngagements: HubSpot holds one engagement for each call, and each number is one contact of a portal.
func checkEngagements(t *testing.T, portals []*hubspottest.Portal, ended map[talkstack.CallSID]end) {
	written := map[talkstack.CallSID]int{}
	for _, portal := range portals {
		for _, r := range portal.Calls() {
			written[talkstack.CallSID(r.Properties["talkstack_call_sid"])]++
		}
		contacts := map[string]int{}
		for _, c := range portal.Contacts() {
			contacts[c.Properties["phone"]]++
		}
		for number, n := range contacts {
			if n > 1 {
				t.Errorf("%s is %d contacts of a portal", number, n)
			}
		}
	}
	for sid := range ended {
		if n := written[sid]; n != 1 {
			t.Errorf("HubSpot holds %d engagements of %s", n, sid)
		}
		delete(written, sid)
	}
	if len(written) > 0 {
		t.Errorf("HubSpot holds engagements that belong to no call: %v", written)
	}
}
