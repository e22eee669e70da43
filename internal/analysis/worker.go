package analysis

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
)

// Worker analyses calls when they have ended. A language model that fails is asked again over a quarter of an hour; then
// rules analyse the call, so that what waits for its analysis always comes.
type Worker struct {
	river.WorkerDefaults[store.AnalysisJob]
	s *Service
}

// NewWorker makes the worker of a service.
func NewWorker(s *Service) *Worker { return &Worker{s: s} }

// pauses are the times between tries at a language model that fails: 15 minutes and 15 seconds together.
func pauses() []time.Duration {
	return []time.Duration{
		5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 7*time.Minute + 30*time.Second,
	}
}

// Timeout is longer than the tries at the language model and the rules take together.
func (w *Worker) Timeout(*river.Job[store.AnalysisJob]) time.Duration {
	return jobLimit + 30*time.Second
}

// NextRetry is when a job that failed is tried again.
func (w *Worker) NextRetry(job *river.Job[store.AnalysisJob]) time.Time {
	all := pauses()
	return time.Now().Add(all[min(max(job.Attempt, 1), len(all))-1])
}

// Work analyses a call by its project's questions, unless that was done. It may be repeated.
func (w *Worker) Work(ctx context.Context, job *river.Job[store.AnalysisJob]) error {
	return w.s.analyzeEnded(ctx, job.Args.CallSID, job.Attempt > len(pauses()))
}

// analyzeEnded makes a call's own analysis. last: a language model that fails now is not waited for any longer.
func (s *Service) analyzeEnded(ctx context.Context, sid talkstack.CallSID, last bool) error {
	c, err := s.db.CallBySID(ctx, sid)
	switch {
	case talkstack.ErrorCode(err) == talkstack.CodeNotFound:
		return nil // deleted since
	case err != nil:
		return err
	case c.Analysis != nil:
		return nil
	case c.State != talkstack.StateEnded:
		return river.JobCancel(errors.New("analysis: the call has not ended"))
	}
	j := job{call: c, schema: true}
	if j.questions, err = s.db.AnalysisQuestions(ctx, c.ProjectID); err != nil {
		return err
	}
	analyzer := s.analyzerFor(&c)
	_, _, err = s.flights.do(ctx, j.key(analyzer), func() (talkstack.Analysis, error) {
		if a, found, err := s.stored(ctx, j, analyzer); found || err != nil {
			return a, err
		}
		limited, cancel := context.WithTimeout(ctx, jobLimit)
		defer cancel()
		a, err := s.make(limited, ctx, j, analyzer)
		if _, ours := errors.AsType[*storeError](err); err == nil || ours || ctx.Err() != nil || !last && mayPass(err) {
			return a, err
		}
		s.log.Warn("language model failed, rules analyse the call", "call_sid", sid, "error", err)
		return s.make(ctx, ctx, j, s.rules)
	})
	return err
}

// mayPass reports whether a language model's failure may go away by waiting.
func mayPass(err error) bool { return talkstack.ErrorCode(err) != talkstack.CodeInvalid }
