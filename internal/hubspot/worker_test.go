package hubspot_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

const (
	calls    = "/crm/objects/2026-03/calls"
	contacts = "/crm/objects/2026-03/contacts"
	tokenURL = "/oauth/2026-03/token"
	number   = "+12065550123"
)

func TestCallIsWritten(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		start := w.clock.Now()
		sid := w.call(number)
		w.settle(sid, 1)
		s := w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(1, 1)
		contact, c := w.portal.Contacts()[0], w.portal.Calls()[0]
		if contact.Properties["phone"] != number {
			t.Errorf("the contact is %v", contact)
		}
		if s.PortalID != "62515" || s.ContactID != contact.ID || s.EngagementID != c.ID || len(c.Contacts) != 1 || c.Contacts[0] != contact.ID {
			t.Errorf("the sync is %+v; the call %+v", s, c)
		}
		for name, want := range map[string]string{
			"talkstack_call_sid": string(sid), "hs_call_external_id": string(sid), "hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED",
			"hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7", "hs_call_duration": "72000", "hs_call_to_number": number,
			"hs_call_from_number": w.account.Number.E164, "hs_timestamp": strconv.FormatInt(start.UnixMilli(), 10),
			"hs_call_recording_url": "https://talk.example/v1/calls/" + string(sid) + "/recording?signature=x&expires=1",
		} {
			if have := c.Properties[name]; have != want {
				t.Errorf("%s is %q, want %q", name, have, want)
			}
		}
		for _, part := range []string{
			"Books &lt;an&gt; appointment &amp; leaves.", "Positive", "Did the caller confirm? <b>Yes</b>", "Which day? <b>not said</b>",
			"<b>Agent:</b> Hello.", "<b>Contact:</b> 1 &lt; 2", "recording?signature=x&amp;expires=1", string(sid),
		} {
			if !strings.Contains(c.Properties["hs_call_body"], part) {
				t.Errorf("the body lacks %q: %s", part, c.Properties["hs_call_body"])
			}
		}
		before := len(w.hub.Requests())
		w.settle(sid, 1) // jobs run at least once: again changes nothing
		if after := len(w.hub.Requests()); after != before {
			t.Errorf("a job that is done has asked HubSpot %d times", after-before)
		}
	})
}

func TestOutcomes(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		end := func(status talkstack.CallStatus, code talkstack.EndCode) talkstack.Ending {
			return talkstack.Ending{Status: status, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: code, Message: "It ended."}}
		}
		said := talkstack.Turn{Role: talkstack.RoleAgent, Text: "Please call back."}
		for _, test := range []struct {
			name            string
			end             talkstack.Ending
			turns           []talkstack.Turn
			status, outcome string
		}{
			{"busy", end(talkstack.StatusBusy, talkstack.EndDialBusy), nil, "BUSY", "9d9162e7-6cf3-4944-bf63-4dff82258764"},
			{"no answer", end(talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer), nil, "NO_ANSWER", "73a0d17f-1163-4015-bdd5-ec830791da20"},
			{"wrong number", end(talkstack.StatusFailed, talkstack.EndInvalidDestination), nil, "FAILED", "17b47fee-58de-441e-a44c-c6300d46f273"},
			{"failed", end(talkstack.StatusFailed, talkstack.EndDialFailed), nil, "FAILED", ""},
			{"message left", end(talkstack.StatusVoicemail, talkstack.EndVoicemailReached), []talkstack.Turn{said}, "COMPLETED", "b2cf5968-551e-4856-9783-52b3da59a7d0"},
			{"no message left", end(talkstack.StatusVoicemail, talkstack.EndVoicemailReached), nil, "COMPLETED", "73a0d17f-1163-4015-bdd5-ec830791da20"},
		} {
			sid := w.ended(w.account, number, test.end, test.turns...)
			w.settle(sid, 1)
			s := w.wantState(sid, talkstack.HubSpotSyncDone)
			for _, c := range w.portal.Calls() {
				if c.ID == s.EngagementID && (c.Properties["hs_call_status"] != test.status || c.Properties["hs_call_disposition"] != test.outcome) {
					t.Errorf("%s: %v", test.name, c.Properties)
				}
			}
		}
		w.wantCounts(6, 1)
	})
}

func TestContactIsFoundHoweverItIsWritten(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		w.portal.AddContact(map[string]string{"phone": "+442065550123"}) // the same digits in another country
		national := w.portal.AddContact(map[string]string{"phone": "(206) 555-0123"})
		mobile := w.portal.AddContact(map[string]string{"mobilephone": "+1 206-555-0199"})
		for to, want := range map[string]string{number: national, "+12065550199": mobile} {
			sid := w.call(to)
			w.settle(sid, 1)
			if s := w.wantState(sid, talkstack.HubSpotSyncDone); s.ContactID != want {
				t.Errorf("%s: contact %s, want %s", to, s.ContactID, want)
			}
		}
		w.wantCounts(2, 3)
	})
}

func TestOneContactWhileTheSearchLags(t *testing.T) {
	onEach(t, func(w *world) {
		w.hub.SetLag(90 * time.Second)
		w.connectOAuth(w.account.User.ID, w.portal)
		var sids []talkstack.CallSID
		for range 4 {
			sids = append(sids, w.call(number))
		}
		var wg sync.WaitGroup
		for _, sid := range sids {
			wg.Go(func() { _ = w.work(t.Context(), sid) }) // some are put off: only one may create the contact
		}
		wg.Wait()
		for _, sid := range sids {
			w.settle(sid, 10)
			w.wantState(sid, talkstack.HubSpotSyncDone)
		}
		w.wantCounts(4, 1)
	})
}

// What was created is not created again, wherever the process dies or the answer is lost.
func TestNothingIsDoubledByACrash(t *testing.T) {
	for name, test := range map[string]struct {
		deny   bool // the portal lets us make no unique property
		method string
		path   string
	}{
		"contact":                     {false, "POST", contacts},
		"contact, no unique property": {true, "POST", contacts},
		"call, unique property":       {false, "POST", calls + "/batch/upsert"},
		"call, no unique property":    {true, "POST", calls},
		"association":                 {false, "PUT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(w *world) {
				w.hub.SetLag(100 * time.Second)
				if test.deny {
					w.portal.DenySchemas()
				}
				w.connectOAuth(w.account.User.ID, w.portal)
				sid := w.call(number)
				w.hub.Inject(hubspottest.Fault{After: true, Times: 3, Match: func(r *http.Request) bool {
					return r.Method == test.method && (test.path == "" || r.URL.Path == test.path)
				}})
				w.settle(sid, 100)
				s := w.wantState(sid, talkstack.HubSpotSyncDone)
				w.wantCounts(1, 1)
				if c := w.portal.Calls()[0]; c.ID != s.EngagementID || len(c.Contacts) != 1 {
					t.Errorf("call %+v, sync %+v", c, s)
				}
			})
		})
	}
}

// Even a call that has no contact to find it by is found: by the search, once that can know it.
func TestNothingIsDoubledForAHiddenNumber(t *testing.T) {
	onEach(t, func(w *world) {
		w.hub.SetLag(100 * time.Second)
		w.portal.DenySchemas()
		w.connectOAuth(w.account.User.ID, w.portal)
		c := w.account.Call()
		c.Direction, c.From, c.To = talkstack.Inbound, "anonymous", w.account.Number.E164
		node := talkstack.NewNodeID()
		w.must(w.db.Heartbeat(t.Context(), node))
		c.Node, c.CarrierSID, c.AgentVersion = node, "carrier", 1
		c, err := w.db.InsertInboundCall(t.Context(), c)
		w.must(err)
		w.must(finishInbound(w, c))
		w.hub.Inject(hubspottest.Fault{After: true, Match: hubspottest.Path("POST", calls)})
		if waited := w.settle(c.SID, 100); waited < 100*time.Second {
			t.Errorf("it was looked for after %s, when the search could not know it", waited)
		}
		w.wantState(c.SID, talkstack.HubSpotSyncDone)
		w.wantCounts(1, 0)
		if got := w.portal.Calls()[0].Properties; got["hs_call_direction"] != "INBOUND" || got["hs_call_status"] != "COMPLETED" {
			t.Errorf("the call is %v", got)
		}
	})
}

func TestLimitsPauseTheAccountAlone(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		other := storetest.NewAccount(t, w.db, 10)
		w.connectOAuth(other.User.ID, w.hub.AddPortal(7))
		sid, next := w.call(number), w.call("+12065550124")
		theirs := w.ended(other, number, storetest.Completed())
		w.hub.Inject(hubspottest.Fault{Status: http.StatusTooManyRequests, Body: hubspottest.LimitedRolling})
		if d := w.snoozed(sid); d < 10*time.Second || d > 13*time.Second {
			t.Errorf("after a 429 of the rolling limit the job waits %s, want 10 s and a little", d)
		}
		asked := len(w.hub.Requests())
		w.snoozed(next)
		if len(w.hub.Requests()) != asked {
			t.Error("another call of the account was tried in the pause")
		}
		w.settle(theirs, 1)
		w.wantState(theirs, talkstack.HubSpotSyncDone)

		w.clock.Advance(13 * time.Second)
		w.hub.Inject(hubspottest.Fault{Status: http.StatusTooManyRequests, Body: hubspottest.LimitedRolling, Header: http.Header{"Retry-After": {"47"}}})
		if d := w.snoozed(sid); d < 47*time.Second || d > time.Minute {
			t.Errorf("with Retry-After: 47 the job waits %s", d)
		}
		w.clock.Advance(time.Minute)
		w.hub.Inject(hubspottest.Fault{Status: http.StatusTooManyRequests, Body: hubspottest.LimitedDaily})
		if d := w.snoozed(sid); d < time.Hour || d > 2*time.Hour {
			t.Errorf("after a 429 of the daily limit the job waits %s", d)
		}
		if s := w.sync(sid); !strings.Contains(s.LastError, "daily limit") {
			t.Errorf("the owner is told %q", s.LastError)
		}
		w.clock.Advance(2 * time.Hour)
		w.settle(sid, 3)
		w.settle(next, 3)
		w.wantCounts(2, 2)
	})
}

func TestPermanentRefusalFails(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		w.hub.Inject(hubspottest.Fault{
			Status: http.StatusBadRequest, Body: `{"status":"error","message":"Property values were not valid","category":"VALIDATION_ERROR"}`,
			Match: func(r *http.Request) bool { return r.Method == "POST" && strings.HasPrefix(r.URL.Path, calls) }, Times: 2,
		})
		w.settle(sid, 1)
		if s := w.wantState(sid, talkstack.HubSpotSyncFailed); !strings.Contains(s.LastError, "Property values were not valid") {
			t.Errorf("the owner is told %q", s.LastError)
		}
		_, err := w.db.RetryHubSpotSync(t.Context(), w.account.User.ID, sid)
		w.must(err)
		w.settle(sid, 2)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(1, 1)
		if _, err := w.db.RetryHubSpotSync(t.Context(), w.account.User.ID, sid); talkstack.ErrorCode(err) != talkstack.CodeConflict {
			t.Errorf("a call that is written can be retried: %v", err)
		}
	})
}

func TestGivesUpAfterThreeDays(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		w.hub.Inject(hubspottest.Fault{Status: http.StatusBadGateway, Times: 1 << 30})
		for range 3 {
			if err := w.work(t.Context(), sid); err == nil {
				t.Fatal("a fault of HubSpot ended the job")
			}
			w.clock.Advance(time.Hour)
		}
		w.wantState(sid, talkstack.HubSpotSyncPending)
		w.clock.Advance(72 * time.Hour)
		w.settle(sid, 1)
		if s := w.wantState(sid, talkstack.HubSpotSyncFailed); !strings.Contains(s.LastError, "502") {
			t.Errorf("the owner is told %q", s.LastError)
		}
	})
}

func TestWhatIsGoneIsMadeAgain(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		w.settle(w.call(number), 1)
		w.portal.DeleteContact(w.portal.Contacts()[0].ID)
		sid := w.call(number)
		w.settle(sid, 5)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(2, 1)

		w.portal.DropProperty("talkstack_call_sid")
		sid = w.call(number)
		w.settle(sid, 5)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(3, 1)
	})
}

func finishInbound(w *world, c talkstack.Call) error {
	w.must(w.db.MarkAnswered(w.Context(), c, w.clock.Now(), ""))
	return finish(w, c)
}

// TestCallThatWasNeverDialled: whoever was not called has nothing of it in the customer's HubSpot, neither a contact nor
// a call.
func TestCallThatWasNeverDialled(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		placed := w.account.Place(w, w.db, 1)[0]
		c, err := w.db.RequestHangup(w.Context(), w.account.User.ID, string(placed.SID))
		if err != nil || c.State != talkstack.StateEnded {
			w.Fatalf("cancelled: %+v, %v", c, err)
		}
		w.must(w.db.StoreAnalysis(w.Context(), c.SID, store.AnalysisResult{Digest: "d", Schema: true, Analysis: talkstack.Analysis{Analyzer: "rules"}}))
		if jobs := storetest.Jobs(w, w.db, store.HubSpotJob{}); len(jobs) != 0 {
			w.Errorf("%d jobs for HubSpot", len(jobs))
		}
		if _, err := w.db.HubSpotSync(w.Context(), c.SID); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			w.Errorf("a call that nobody dialled is to be written: %v", err)
		}
	})
}
