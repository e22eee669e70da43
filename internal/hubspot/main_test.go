package hubspot_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack"
	"talkstack/internal/hubspot"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// world is an account, a HubSpot with a portal, and what joins them.
type world struct {
	*testing.T
	clock     *storetest.Clock
	db        *store.DB
	hub       *hubspottest.Server
	portal    *hubspottest.Portal
	connector *hubspot.Connector
	worker    *hubspot.Worker
	account   storetest.Account
}

const redirect = "https://talk.example/v1/hubspot/callback"

// onEach runs a test on each database.
func onEach(t *testing.T, test func(w *world)) {
	t.Helper()
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := &world{T: t, clock: storetest.NewClock(time.Date(2026, 3, 11, 17, 49, 38, 0, time.UTC))}
		cfg.Now = w.clock.Now
		w.db = storetest.Open(t, cfg)
		w.hub = hubspottest.New(w.clock.Now)
		t.Cleanup(w.hub.Close)
		w.portal = w.hub.AddPortal(62515)
		var err error
		w.connector, err = hubspot.New(t.Context(), hubspot.Config{
			DB: w.db, ClientID: w.hub.ClientID, ClientSecret: talkstack.Secret(w.hub.ClientSecret), BaseURL: w.hub.URL(), AppURL: w.hub.URL(),
			Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
		})
		w.must(err)
		t.Cleanup(w.connector.Close)
		w.connector.WithoutPace()
		w.worker = &hubspot.Worker{Connector: w.connector, Recording: func(c *talkstack.Call) string {
			if c.Recording == "" {
				return ""
			}
			return "https://talk.example/v1/calls/" + string(c.SID) + "/recording?signature=x&expires=1"
		}}
		w.account = storetest.NewAccount(t, w.db, 10)
		test(w)
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// connectOAuth connects an account by OAuth.
func (w *world) connectOAuth(user talkstack.UserID, p *hubspottest.Portal) {
	w.Helper()
	_, err := w.connector.ConnectCode(w.Context(), user, p.Consent(redirect, "oauth"), redirect)
	w.must(err)
}

// ended lets a call of an account take place; how tells its end.
func (w *world) ended(a storetest.Account, to string, how talkstack.Ending, turns ...talkstack.Turn) talkstack.CallSID {
	w.Helper()
	ctx := w.Context()
	c := a.Call()
	c.To = to
	_, err := w.db.PlaceCall(ctx, c)
	w.must(err)
	node := talkstack.NewNodeID()
	w.must(w.db.Heartbeat(ctx, node))
	claimed, err := w.db.Claim(ctx, node, 1)
	w.must(err)
	if len(claimed) != 1 {
		w.Fatalf("claimed %d calls", len(claimed))
	}
	c = claimed[0]
	w.must(w.db.MarkDialing(ctx, c))
	w.must(w.db.MarkRinging(ctx, c))
	if how.Status == talkstack.StatusCompleted || how.Status == talkstack.StatusVoicemail {
		w.must(w.db.MarkAnswered(ctx, c, w.clock.Now(), "recording-key"))
		w.clock.Advance(72 * time.Second)
	}
	for i, t := range turns {
		t.Seq = i
		w.must(w.db.AddTurn(ctx, c.SID, t))
	}
	w.must(w.db.FinishCall(ctx, c, store.Outcome{Ending: how}))
	yes := true
	w.must(w.db.StoreAnalysis(ctx, c.SID, store.AnalysisResult{Digest: "d", Schema: true, Analysis: talkstack.Analysis{
		Summary: "Books <an> appointment & leaves.", Sentiment: talkstack.SentimentPositive, Successful: &yes, Analyzer: "rules",
		Answers: []talkstack.Answer{
			{Question: talkstack.Question{Text: "Did the caller confirm?", Type: talkstack.QuestionBoolean}, Value: "Yes"},
			{Question: talkstack.Question{Text: "Which day?", Type: talkstack.QuestionText}},
		},
	}}))
	return c.SID
}

// call is a completed call.
func (w *world) call(to string) talkstack.CallSID {
	w.Helper()
	return w.ended(w.account, to, storetest.Completed(), talkstack.Turn{Role: talkstack.RoleAgent, Text: "Hello."}, talkstack.Turn{Role: talkstack.RoleUser, Text: "1 < 2"})
}

func (w *world) work(ctx context.Context, sid talkstack.CallSID) error {
	return w.worker.Work(ctx, &river.Job[store.HubSpotJob]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: store.HubSpotJob{CallSID: sid}})
}

// settle works a call's job as the queue does, moving the clock over the pauses, and returns how long they were. It gives
// up after so many runs.
func (w *world) settle(sid talkstack.CallSID, runs int) time.Duration {
	w.Helper()
	var waited time.Duration
	for range runs {
		err := w.work(w.Context(), sid)
		if err == nil {
			return waited
		}
		d := 10 * time.Second
		if snooze, ok := errors.AsType[*rivertype.JobSnoozeError](err); ok {
			d = snooze.Duration
		}
		w.clock.Advance(d)
		waited += d
	}
	w.Fatalf("the job did not end in %d runs", runs)
	return 0
}

// snoozed is the pause that a run asks for.
func (w *world) snoozed(sid talkstack.CallSID) time.Duration {
	w.Helper()
	err := w.work(w.Context(), sid)
	snooze, ok := errors.AsType[*rivertype.JobSnoozeError](err)
	if !ok {
		w.Fatalf("the job was not put off: %v", err)
	}
	return snooze.Duration
}

func (w *world) sync(sid talkstack.CallSID) talkstack.HubSpotSync {
	w.Helper()
	s, err := w.db.HubSpotSync(w.Context(), sid)
	w.must(err)
	return s
}

func (w *world) wantState(sid talkstack.CallSID, state talkstack.HubSpotSyncState) talkstack.HubSpotSync {
	w.Helper()
	s := w.sync(sid)
	if s.State != state {
		w.Errorf("the sync is %s (%s), want %s", s.State, s.LastError, state)
	}
	return s
}

// wantCounts checks what is in the portal.
func (w *world) wantCounts(calls, contacts int) {
	w.Helper()
	if have := len(w.portal.Calls()); have != calls {
		w.Errorf("the portal has %d calls, want %d", have, calls)
	}
	if have := len(w.portal.Contacts()); have != contacts {
		w.Errorf("the portal has %d contacts, want %d", have, contacts)
	}
}
