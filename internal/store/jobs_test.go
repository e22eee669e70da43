package store_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// worksAnalyses tells which node got a job, and keeps it until the test lets go.
type worksAnalyses struct {
	river.WorkerDefaults[store.AnalysisJob]
	node talkstack.NodeID
	got  chan<- talkstack.NodeID
	hold <-chan struct{}
}

func (w *worksAnalyses) Work(ctx context.Context, _ *river.Job[store.AnalysisJob]) error {
	w.got <- w.node
	select {
	case <-w.hold:
	case <-ctx.Done():
	}
	return nil
}

// TestJobsOfADeadNodeAreTakenOver: what a node was working when it died goes to another as soon as the node is buried.
func TestJobsOfADeadNodeAreTakenOver(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		ctx, db := t.Context(), storetest.Open(t, cfg)
		got, hold := make(chan talkstack.NodeID, 2), make(chan struct{})
		work := func(node talkstack.NodeID) {
			workers := river.NewWorkers()
			river.AddWorker(workers, &worksAnalyses{node: node, got: got, hold: hold})
			client, closeListener, err := db.NewJobWorker(ctx, &river.Config{
				ID: string(node), Workers: workers, Queues: map[string]river.QueueConfig{store.QueueAnalysis: {MaxWorkers: 1}},
				Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Start(context.WithoutCancel(ctx)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := client.StopAndCancel(context.Background()); err != nil {
					t.Error(err)
				}
				closeListener()
			})
		}
		dead, alive := talkstack.NewNodeID(), talkstack.NewNodeID()
		for _, node := range []talkstack.NodeID{dead, alive} {
			if err := db.Heartbeat(ctx, node); err != nil {
				t.Fatal(err)
			}
		}
		work(dead)
		a := storetest.NewAccount(t, db, 5)
		a.Place(t, db, 1)
		calls, err := db.Claim(ctx, alive, 1)
		if err != nil || len(calls) != 1 {
			t.Fatal(calls, err)
		}
		failed := talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndErrorInternal}}
		if err := db.FinishCall(ctx, calls[0], store.Outcome{Ending: failed}); err != nil {
			t.Fatal(err)
		}
		if n := <-got; n != dead {
			t.Fatalf("the job went to %s", n)
		}
		if _, err := db.Reap(ctx, alive, 0); err != nil { // the dead node has sent no heartbeat since
			t.Fatal(err)
		}
		work(alive)
		if n := <-got; n != alive { // the other one works one job at a time, and still has it
			t.Fatalf("the job went to %s", n)
		}
		close(hold)
	})
}
