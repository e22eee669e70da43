package analysis_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// world is an account with a call that has ended.
type world struct {
	db      *store.DB
	account storetest.Account
	call    talkstack.Call
}

func newWorld(t *testing.T, cfg store.Config) *world {
	t.Helper()
	w := &world{db: storetest.Open(t, cfg)}
	w.account = storetest.NewAccount(t, w.db, 10)
	url := "https://receiver.example/hook"
	if _, err := w.db.UpdateProject(t.Context(), w.account.User.ID, w.account.Project.ID, store.ProjectUpdate{WebhookURL: &url}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.SetAnalysisSchema(t.Context(), w.account.User.ID, w.account.Project.ID, questions()); err != nil {
		t.Fatal(err)
	}
	w.call = w.ended(t, true)
	return w
}

// ended is a call that took place, or that nobody answered.
func (w *world) ended(t *testing.T, answered bool) talkstack.Call {
	t.Helper()
	ctx := t.Context()
	node := talkstack.NewNodeID()
	if err := w.db.Heartbeat(ctx, node); err != nil {
		t.Fatal(err)
	}
	w.account.Place(t, w.db, 1)
	calls, err := w.db.Claim(ctx, node, 1)
	if err != nil || len(calls) != 1 {
		t.Fatalf("claim: %v, %v", calls, err)
	}
	c := calls[0]
	c.CarrierSID = "carrier"
	steps := []error{w.db.MarkDialing(ctx, c), w.db.MarkRinging(ctx, c)}
	ending := talkstack.Ending{Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy, Message: "Busy."}}
	if answered {
		ending = storetest.Completed()
		steps = append(steps, w.db.MarkAnswered(ctx, c, time.Now(), ""))
		for _, turn := range conversation().Turns {
			steps = append(steps, w.db.AddTurn(ctx, c.SID, turn))
		}
	}
	steps = append(steps, w.db.FinishCall(ctx, c, store.Outcome{Ending: ending, CostParts: map[string]float64{"carrier": 0.01}}))
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
	return w.stored(t, c.SID)
}

func (w *world) stored(t *testing.T, sid talkstack.CallSID) talkstack.Call {
	t.Helper()
	c, err := w.db.CallBySID(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// analyzed is how many messages tell of the call's analysis.
func (w *world) analyzed(t *testing.T, sid talkstack.CallSID) int {
	t.Helper()
	filter := store.DeliveryFilter{CallSID: sid, Type: talkstack.EventCallAnalyzed}
	all, err := w.db.Deliveries(t.Context(), w.account.User.ID, filter, store.Cursor{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d, err = w.db.Delivery(t.Context(), w.account.User.ID, d.ID); err != nil || d.Call.Analysis == nil {
			t.Errorf("the message's call has the analysis %v, %v", d.Call.Analysis, err)
		}
	}
	return len(all)
}

func (w *world) service(t *testing.T, e *endpoint) *analysis.Service {
	t.Helper()
	prices, err := talkstack.ParsePrices("llm_input=1/Mtok,llm_output=10/Mtok")
	if err != nil {
		t.Fatal(err)
	}
	cfg := analysis.Config{DB: w.db, Prices: prices, Log: slog.New(slog.DiscardHandler)}
	if e != nil {
		cfg.Model = e.client()
	}
	return analysis.New(cfg)
}

// work runs the job of a call as its n-th attempt.
func work(t *testing.T, s *analysis.Service, sid talkstack.CallSID, n int) error {
	t.Helper()
	return analysis.NewWorker(s).Work(t.Context(), &river.Job[store.AnalysisJob]{JobRow: &rivertype.JobRow{Attempt: n}, Args: store.AnalysisJob{CallSID: sid}})
}

func (w *world) ask(t *testing.T, s *analysis.Service, asked []talkstack.Question) talkstack.Analysis {
	t.Helper()
	_, a, err := s.Ask(t.Context(), analysis.Request{User: w.account.User.ID, SID: string(w.call.SID), Questions: asked})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestJobAnalysesACallOnce(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		e := newEndpoint(t, answer{text: good(`"No"`)})
		s := w.service(t, e)
		for n := range 2 {
			if err := work(t, s, w.call.SID, n+1); err != nil {
				t.Fatal(err)
			}
		}
		c := w.stored(t, w.call.SID)
		if c.Analysis == nil || values(*c.Analysis) != "No | 4 | Basic plan | <nil>" || c.Analysis.Data()["insured"] != "No" || c.Analysis.Analyzer != "llm m" {
			t.Fatalf("analysis %+v", c.Analysis)
		}
		if c.CostParts["analysis"] != 0.0002 || c.Cost != 0.0102 {
			t.Errorf("cost %v of %v", c.CostParts, c.Cost)
		}
		if n := w.analyzed(t, c.SID); n != 1 {
			t.Errorf("%d messages", n)
		}
		// Asked by hand for the same, it comes from the store; for something else it is made.
		if a := w.ask(t, s, nil); values(a) != values(*c.Analysis) || len(e.requests()) != 1 {
			t.Errorf("asked again: %s after %d requests", values(a), len(e.requests()))
		}
		w.ask(t, s, questions()[:1])
		w.ask(t, s, questions()[:1])
		if n := len(e.requests()); n != 2 {
			t.Errorf("%d requests, want 1 for each set of questions", n)
		}
		if n := w.analyzed(t, c.SID); n != 1 {
			t.Errorf("%d messages after asking", n)
		}
	})
}

func TestJobWaitsForTheModelAndThenUsesRules(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		s := w.service(t, newEndpoint(t, answer{status: 503}))
		for n := 1; n <= 7; n++ {
			if err := work(t, s, w.call.SID, n); err == nil {
				t.Fatalf("attempt %d gave up", n)
			}
		}
		// Whoever asks meanwhile gets the rules' answers; the call's own analysis still waits.
		if a := w.ask(t, s, nil); a.Analyzer != talkstack.AnalyzerRules || w.stored(t, w.call.SID).Analysis != nil {
			t.Errorf("asked meanwhile: %+v", a)
		}
		if err := work(t, s, w.call.SID, 8); err != nil {
			t.Fatal(err)
		}
		if c := w.stored(t, w.call.SID); c.Analysis == nil || c.Analysis.Analyzer != talkstack.AnalyzerRules || values(*c.Analysis) != "Yes | 3 | <nil> | <nil>" {
			t.Errorf("analysis %+v", c.Analysis)
		}
		if n := w.analyzed(t, w.call.SID); n != 1 {
			t.Errorf("%d messages", n)
		}
		// When the model is back it is asked, and the call shows its answers.
		a := w.ask(t, w.service(t, newEndpoint(t, answer{text: good(`"No"`)})), nil)
		if c := w.stored(t, w.call.SID); a.Analyzer != "llm m" || c.Analysis.Analyzer != "llm m" || w.analyzed(t, w.call.SID) != 1 {
			t.Errorf("with the model back: %+v, the call's %+v", a, c.Analysis)
		}
	})
}

func TestBackoffLastsAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	w := analysis.NewWorker(nil)
	total := time.Duration(0)
	for n := 1; n <= 7; n++ {
		now := time.Now()
		total += w.NextRetry(&river.Job[store.AnalysisJob]{JobRow: &rivertype.JobRow{Attempt: n}}).Sub(now)
	}
	if total < 15*time.Minute || total > 16*time.Minute {
		t.Errorf("retries last %v", total)
	}
}

func TestUnansweredCallNeedsNoModel(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		e := newEndpoint(t, answer{status: 500})
		c := w.ended(t, false)
		if err := work(t, w.service(t, e), c.SID, 1); err != nil {
			t.Fatal(err)
		}
		c = w.stored(t, c.SID)
		if c.Analysis == nil || c.Analysis.Successful == nil || *c.Analysis.Successful || c.Analysis.Summary != "The agent called +12065550123. The line was busy." || len(e.requests()) != 0 || w.analyzed(t, c.SID) != 1 {
			t.Errorf("analysis %+v after %d requests", c.Analysis, len(e.requests()))
		}
	})
}

func TestSameQuestionsAtOnceAreAskedOnce(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		wait := make(chan struct{})
		e := newEndpoint(t, answer{text: good(`"No"`), wait: wait})
		s := w.service(t, e)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { w.ask(t, s, questions()) })
		}
		wg.Go(func() { close(wait) })
		wg.Wait()
		if n := len(e.requests()); n != 1 {
			t.Errorf("the model was asked %d times", n)
		}
	})
}

func TestAccountIsLimited(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		s := w.service(t, nil)
		var err error
		for n := 0; err == nil && n < 100; n++ {
			_, _, err = s.Ask(t.Context(), analysis.Request{User: w.account.User.ID, SID: string(w.call.SID), Questions: []talkstack.Question{text(time.Duration(n).String())}})
		}
		if talkstack.ErrorCode(err) != talkstack.CodeLimited {
			t.Errorf("a hundred different questions in a minute: %v", err)
		}
	})
}

func TestAskRefuses(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		w := newWorld(t, cfg)
		s := w.service(t, nil)
		running := w.account.Place(t, w.db, 1)[0]
		other := storetest.NewAccount(t, w.db, 1)
		for name, r := range map[string]struct {
			request analysis.Request
			code    talkstack.Code
		}{
			"running":         {analysis.Request{User: w.account.User.ID, SID: string(running.SID)}, talkstack.CodeInvalid},
			"unknown":         {analysis.Request{User: w.account.User.ID, SID: "none"}, talkstack.CodeNotFound},
			"somebody else's": {analysis.Request{User: other.User.ID, SID: string(w.call.SID)}, talkstack.CodeNotFound},
			"other project":   {analysis.Request{User: w.account.User.ID, SID: string(w.call.SID), Project: other.Project.ID}, talkstack.CodeNotFound},
			"no type":         {analysis.Request{User: w.account.User.ID, SID: string(w.call.SID), Questions: []talkstack.Question{{Text: "x"}}}, talkstack.CodeInvalid},
		} {
			if _, _, err := s.Ask(t.Context(), r.request); talkstack.ErrorCode(err) != r.code {
				t.Errorf("%s: %v, want %s", name, err, r.code)
			}
		}
	})
}
