package batch_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/riverqueue/river"

	"talkstack"
	"talkstack/internal/batch"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// childVariable holds the orders of a process of this test binary that loads a batch.
const childVariable = "TALKSTACK_BATCH_TEST_LOAD"

const people = 5000

type orders struct {
	URL, Path string
	Order     batch.Order
	Parts     int // the process dies when it has told so many
}

func sheetOf(n int) batch.Source {
	var b bytes.Buffer
	b.WriteString("number,name\n")
	for i := range n {
		fmt.Fprintf(&b, "+1206%07d,Name %d\n", 2_000_000+i, i)
	}
	return batch.Sheet(bytes.NewReader(b.Bytes()), int64(b.Len()))
}

// loadAsChild loads the batch, tells its parent when it is as far as it was told to go, and waits there to be killed.
func loadAsChild(text string) error {
	ctx := context.Background()
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: o.URL, Path: o.Path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = batch.New(batch.Config{DB: db}).Accept(ctx, o.Order, sheetOf(people), func(talkstack.Batch, []batch.Placed) error {
		if o.Parts--; o.Parts == 0 {
			_, _ = fmt.Fprintln(os.Stdout, "there")
			_, _ = os.Stdin.Read(make([]byte, 1))
		}
		return nil
	})
	return err
}

// TestKilledWhileLoading: the process dies in the middle of a list. Nothing of it is dialled, and the same order again
// goes on: every recipient has one call.
func TestKilledWhileLoading(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		ctx := t.Context()
		first := open(t, cfg)
		a := storetest.NewAccount(t, first, 50)
		order := batch.Order{ID: talkstack.NewBatchID(), UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID}
		if err := first.Close(); err != nil { // on SQLite one process owns the file
			t.Fatal(err)
		}
		for _, parts := range []int{2, 5} {
			killLoading(t, orders{URL: cfg.URL, Path: cfg.Path, Order: order, Parts: parts})
		}
		db := open(t, cfg)
		defer func() { _ = db.Close() }()
		half, err := db.Batch(ctx, a.User.ID, order.ID)
		if err != nil || half.State != talkstack.BatchLoading {
			t.Fatalf("after the kill: %+v, %v", half, err)
		}
		if due, err := db.NextDue(ctx); err != nil || !due.IsZero() {
			t.Errorf("calls of half a batch are due at %v, %v", due, err)
		}
		told := map[talkstack.CallSID]string{}
		done, err := batch.New(batch.Config{DB: db}).Accept(ctx, order, sheetOf(people), func(_ talkstack.Batch, part []batch.Placed) error {
			for _, p := range part {
				told[p.CallID] = p.To
			}
			return nil
		})
		if err != nil || done.State != talkstack.BatchRunning || done.Queued != people || done.Total != people || len(told) != people {
			t.Errorf("the same again: %+v, %d told, %v", done, len(told), err)
		}
		progress, err := db.BatchProgress(ctx, done)
		if err != nil || progress.Waiting != people {
			t.Errorf("progress: %+v, %v", progress, err)
		}
	})
}

// killLoading kills a process in the middle of its list.
func killLoading(t *testing.T, o orders) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), childVariable+"="+string(text)), os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := child.StdinPipe() // open until the end: the process waits for it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() {
		t.Errorf("the process ended before it was killed: %v", lines.Err())
	}
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// TestCancelledBatchIsEndedByItsJob: under a real job queue every call of a cancelled batch ends, and once.
func TestCancelledBatchIsEndedByItsJob(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		const many = 450 // several transactions
		ctx := t.Context()
		var ends atomic.Int64
		over := make(chan struct{})
		cfg.OnChange = func(talkstack.CallSID) {
			if ends.Add(1) == many {
				close(over)
			}
		}
		db := storetest.Open(t, cfg)
		a := storetest.NewAccount(t, db, 50)
		workers := river.NewWorkers()
		river.AddWorker(workers, &batch.Worker{DB: db, Log: slog.New(slog.DiscardHandler)})
		client, closeListener, err := db.NewJobWorker(ctx, &river.Config{
			Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}, Workers: workers, Logger: slog.New(slog.DiscardHandler),
			FetchOnlyKnownKinds: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Start(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = client.StopAndCancel(context.WithoutCancel(ctx))
			closeListener()
		}()
		order := batch.Order{ID: talkstack.NewBatchID(), UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID}
		if _, err := batch.New(batch.Config{DB: db}).Accept(ctx, order, sheetOf(many), func(talkstack.Batch, []batch.Placed) error { return nil }); err != nil {
			t.Fatal(err)
		}
		cancelled, err := db.CancelBatch(ctx, a.User.ID, order.ID)
		if err != nil {
			t.Fatal(err)
		}
		<-over
		progress, err := db.BatchProgress(ctx, cancelled)
		if err != nil || progress.Finished != many || progress.Results[talkstack.StatusFailed] != many || ends.Load() != many {
			t.Errorf("after the job: %+v, %d ends, %v", progress, ends.Load(), err)
		}
	})
}
