package server

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/auth"
	"talkstack/internal/batch"
	"talkstack/internal/dispatch"
	"talkstack/internal/jobs"
	"talkstack/internal/webhook"
)

// startJobs begins to work what was left for later. It stops after the calls have, so that what their ends leave is
// already done where that is quick.
func (s *Server) startJobs(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, webhook.New(webhook.Config{
		DB: s.db, Render: s.webhookBody, AllowPrivate: s.cfg.PrivateWebhooks(), Version: s.version, Log: s.log.With("part", "webhooks"),
	}))
	river.AddWorker(workers, &webhook.Upkeep{DB: s.db, Now: time.Now, Log: s.log.With("part", "webhooks")})
	river.AddWorker(workers, analysis.NewWorker(s.analyses))
	river.AddWorker(workers, auth.NewResetWorker(s.accounts, s.linkBase()))
	river.AddWorker(workers, &batch.Worker{DB: s.db, Log: s.log.With("part", "batches")})
	river.AddWorker(workers, &dispatch.EndCallsWorker{DB: s.db})
	toHubSpot, err := s.hubspotWorker(ctx)
	if err != nil {
		return err
	}
	river.AddWorker(workers, toHubSpot)
	runner, err := jobs.Start(ctx, jobs.Config{
		DB: s.db, Node: s.node, Workers: workers, Log: s.log.With("part", "jobs"),
		Periodic: []*river.PeriodicJob{webhook.PeriodicUpkeep()},
	})
	if err != nil {
		return err
	}
	s.onStop(func(ctx context.Context) {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		runner.Stop(stop)
	})
	return nil
}

func (s *Server) webhookBody(ctx context.Context, d talkstack.Delivery) ([]byte, error) {
	return s.api.WebhookBody(ctx, d, s.linkBase())
}

// linkBase is what links start with that are made outside of a request.
func (s *Server) linkBase() string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	return s.URL()
}
