package analysis

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Config is what a Service needs. Every field without "optional" must be set.
type Config struct {
	DB     *store.DB
	Model  Chat             // optional: without a language model all is done by rules
	Prices talkstack.Prices // of the language model's tokens
	Log    *slog.Logger
	Now    func() time.Time // optional: time.Now
}

// Service analyses calls that have ended. Its methods may be used by many goroutines.
type Service struct {
	db      *store.DB
	model   Analyzer // nil: rules alone
	rules   Rules
	prices  talkstack.Prices
	log     *slog.Logger
	now     func() time.Time
	limiter *limiter
	flights flights
}

// New makes a service. It owns no goroutine.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{db: cfg.DB, prices: cfg.Prices, log: cfg.Log, now: cfg.Now, limiter: newLimiter(cfg.Now)}
	if cfg.Model != nil {
		s.model = NewModel(cfg.Model, cfg.Log)
	}
	return s
}

// Limits on how long a language model may take for one analysis, all its tries together.
const (
	jobLimit = 60 * time.Second
	// askLimit is for somebody who waits: it leaves time for the rules and the answer within a request's 30 s.
	askLimit = 20 * time.Second
)

// Request asks for an analysis of one of a user's calls.
type Request struct {
	User      talkstack.UserID
	SID       string               // the carrier's own works too
	Project   talkstack.ProjectID  // empty: any of the user's
	Questions []talkstack.Question // nil: those of the call's project
}

// Ask returns the analysis of a call, made now unless the same was asked before, with the call. When the language model
// is away the rules answer, and it is asked again the next time. Errors: not_found; invalid when the questions are
// malformed or the call has not ended; limited when the account asks for too much at once.
func (s *Service) Ask(ctx context.Context, r Request) (talkstack.Call, talkstack.Analysis, error) {
	questions, err := talkstack.CheckQuestions(r.Questions)
	if err != nil {
		return talkstack.Call{}, talkstack.Analysis{}, err
	}
	c, err := s.db.Call(ctx, r.User, r.SID)
	if err == nil && r.Project != "" && c.ProjectID != r.Project {
		err = talkstack.Errorf(talkstack.CodeNotFound, "There is no such call.")
	}
	if err == nil && c.State != talkstack.StateEnded {
		err = talkstack.Errorf(talkstack.CodeInvalid, "The call has not ended: it can be analysed when its status is final.")
	}
	if err != nil {
		return talkstack.Call{}, talkstack.Analysis{}, err
	}
	j := job{call: c, questions: questions}
	if r.Questions == nil {
		j.schema = true
		if j.questions, err = s.db.AnalysisQuestions(ctx, c.ProjectID); err != nil {
			return talkstack.Call{}, talkstack.Analysis{}, err
		}
	}
	a, err := s.ask(ctx, j)
	return c, a, err
}

func (s *Service) ask(ctx context.Context, j job) (talkstack.Analysis, error) {
	analyzer := s.analyzerFor(&j.call)
	for {
		a, joined, err := s.flights.do(ctx, j.key(analyzer), func() (talkstack.Analysis, error) {
			return s.askNow(context.WithoutCancel(ctx), j, analyzer) // who asked may leave: others wait for it, and it is paid for
		})
		if joined && err != nil && ctx.Err() == nil {
			continue // that was somebody else's failure
		}
		return a, err
	}
}

func (s *Service) askNow(ctx context.Context, j job, analyzer Analyzer) (talkstack.Analysis, error) {
	if a, found, err := s.stored(ctx, j, analyzer); found || err != nil {
		return a, err
	}
	release, err := s.limiter.acquire(j.call.UserID)
	if err != nil {
		return talkstack.Analysis{}, err
	}
	defer release()
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	a, err := s.make(limited, ctx, j, analyzer)
	if _, ours := errors.AsType[*storeError](err); err == nil || ours {
		return a, err
	}
	s.log.Warn("language model failed, rules answer", "call_sid", j.call.SID, "error", err)
	j.schema = false // the call's own analysis may wait longer for the language model
	return s.make(ctx, ctx, j, s.rules)
}

// stored is the analysis that was made before, if it was. What was asked by hand becomes the call's own when the
// project's questions turn out to be the same.
func (s *Service) stored(ctx context.Context, j job, analyzer Analyzer) (talkstack.Analysis, bool, error) {
	name := digest(analyzer.Name(), j.questions)
	a, found, err := s.db.StoredAnalysis(ctx, j.call.SID, name)
	if err != nil || !found {
		return talkstack.Analysis{}, false, err
	}
	if j.schema && !isOwn(&j.call, &a) {
		if err := s.db.StoreAnalysis(ctx, j.call.SID, store.AnalysisResult{Analysis: a, Digest: name, Schema: true}); err != nil {
			return talkstack.Analysis{}, false, err
		}
	}
	return a, true, nil
}

// isOwn reports whether an analysis is what its call shows.
func isOwn(c *talkstack.Call, a *talkstack.Analysis) bool {
	return c.Analysis != nil && c.Analysis.CreatedAt.Equal(a.CreatedAt)
}

// analyzerFor is who analyses a call: there is nothing to ask a language model about one that nobody answered.
func (s *Service) analyzerFor(c *talkstack.Call) Analyzer {
	if s.model == nil || c.AnsweredAt.IsZero() {
		return s.rules
	}
	return s.model
}

// job is one analysis to be made.
type job struct {
	call      talkstack.Call
	questions []talkstack.Question
	schema    bool // they are the project's own
}

// key names what is made, so that it is made once.
func (j *job) key(analyzer Analyzer) string {
	key := string(j.call.SID) + " " + digest(analyzer.Name(), j.questions)
	if j.schema {
		key += " own"
	}
	return key
}

// make makes an analysis within the time of limited, and stores it within that of ctx.
func (s *Service) make(limited, ctx context.Context, j job, analyzer Analyzer) (talkstack.Analysis, error) {
	turns, err := s.db.TurnsBySID(limited, j.call.SID)
	if err != nil {
		return talkstack.Analysis{}, &storeError{err}
	}
	a, err := analyzer.Analyze(limited, Input{Call: j.call, Turns: turns, Questions: j.questions})
	if err != nil {
		return talkstack.Analysis{}, err
	}
	a.CreatedAt = s.now().UTC().Truncate(time.Microsecond)
	err = s.db.StoreAnalysis(ctx, j.call.SID, store.AnalysisResult{
		Analysis: a, Digest: digest(analyzer.Name(), j.questions), Cost: s.cost(a.Usage), Schema: j.schema,
	})
	if err != nil {
		return talkstack.Analysis{}, &storeError{err}
	}
	return a, nil
}

// storeError is a fault of the database, not of who analyses.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// cost is what tokens cost, in US dollars.
func (s *Service) cost(u talkstack.ChatUsage) float64 {
	total := 0.0
	for _, dollars := range s.prices.Cost(talkstack.Usage{LLMInput: u.PromptTokens, LLMOutput: u.CompletionTokens}, talkstack.Outbound, "") {
		total += dollars
	}
	return total
}
