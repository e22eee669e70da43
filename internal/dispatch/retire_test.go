package dispatch_test

import (
	"testing"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/dispatch"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// TestCallsOfADeletedAgentEnd: what a deletion leaves on hold is ended by the job that it has left too.
func TestCallsOfADeletedAgentEnd(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		ctx := t.Context()
		a := storetest.NewAccount(t, db, 5)
		calls := a.Place(t, db, 250)
		if err := db.DeleteAgent(ctx, a.User.ID, a.Agent.ID); err != nil {
			t.Fatal(err)
		}
		workers := river.NewWorkers()
		river.AddWorker(workers, &dispatch.EndCallsWorker{DB: db})
		client, err := db.NewJobClient(&river.Config{Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		done, unsubscribe := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
		defer unsubscribe()
		if err := client.Start(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := client.Stop(ctx); err != nil {
				t.Error(err)
			}
		}()
		if e := <-done; e.Kind != river.EventKindJobCompleted || e.Job.Kind != (store.EndCallsJob{}).Kind() {
			t.Fatalf("job %s: %s", e.Job.Kind, e.Kind)
		}
		for _, c := range calls {
			if got, err := db.CallBySID(ctx, c.SID); err != nil || got.State != talkstack.StateEnded || got.EndReason.Message != "The agent was deleted before the call was dialled." {
				t.Fatalf("a call that waited is %s: %v, %v", got.State, got.EndReason, err)
			}
		}
	})
}
