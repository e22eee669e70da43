package jobs_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack"
	"talkstack/internal/jobs"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// known is a kind of this program, unknown one of a version that is still to come.
type (
	known   struct{ Name string }
	unknown struct{ Name string }
)

func (known) Kind() string   { return "known" }
func (unknown) Kind() string { return "unknown" }

// worker calls a function.
type worker struct {
	river.WorkerDefaults[known]
	work func(ctx context.Context, name string) error
}

func (w worker) Work(ctx context.Context, job *river.Job[known]) error {
	return w.work(ctx, job.Args.Name)
}

// start works known jobs until the test ends.
func start(t *testing.T, db *store.DB, log *slog.Logger, work func(ctx context.Context, name string) error) *jobs.Runner {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, worker{work: work})
	r, err := jobs.Start(t.Context(), jobs.Config{DB: db, Node: talkstack.NewNodeID(), Workers: workers, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func client(t *testing.T, db *store.DB) *river.Client[*sql.Tx] {
	t.Helper()
	c, err := db.NewJobClient(&river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func insert(t *testing.T, db *store.DB, job river.JobArgs) *rivertype.JobRow {
	t.Helper()
	r, err := client(t, db).Insert(t.Context(), job, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Job
}

// TestJobsAreWorkedAndStrangersKept: what was inserted before and after the start is worked, and a kind that only a newer
// version knows stays for it, untried. A healthy life leaves nothing in the log.
func TestJobsAreWorkedAndStrangersKept(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		stranger := insert(t, db, unknown{"later"})
		insert(t, db, known{"before"})
		var log bytes.Buffer
		worked := make(chan string, 2)
		r := start(t, db, slog.New(slog.NewTextHandler(&log, nil)), func(_ context.Context, name string) error {
			worked <- name
			return nil
		})
		if name := <-worked; name != "before" {
			t.Errorf("%s was worked first", name)
		}
		insert(t, db, known{"after"})
		if name := <-worked; name != "after" {
			t.Errorf("%s was worked second", name)
		}
		r.Stop(t.Context())
		job, err := client(t, db).JobGet(t.Context(), stranger.ID)
		if err != nil || job.State != rivertype.JobStateAvailable || job.Attempt != 0 {
			t.Errorf("the unknown job: %+v, %v", job, err)
		}
		if log.Len() > 0 {
			t.Errorf("the log says:\n%s", log.String())
		}
	})
}

// TestStopLetsJobsEndAndCancelsTheRest: a job that is cancelled is worked again after the next start.
func TestStopLetsJobsEndAndCancelsTheRest(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		insert(t, db, known{"long"})
		begun, ended := make(chan struct{}), make(chan struct{})
		r := start(t, db, slog.New(slog.DiscardHandler), func(ctx context.Context, _ string) error {
			close(begun)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		})
		<-begun
		now, cancel := context.WithCancel(t.Context())
		cancel()
		r.Stop(now) // no time to wait
		select {
		case <-ended:
		default:
			t.Error("stop has returned, and the job goes on")
		}
		again := make(chan struct{})
		r = start(t, db, slog.New(slog.DiscardHandler), func(context.Context, string) error {
			close(again)
			return nil
		})
		<-again
		r.Stop(t.Context())
	})
}

// TestNodesMigrateAtOnce: any number of nodes may start on an empty database at the same moment, and the job queue's
// tables are worth one line of one node's log.
func TestNodesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := storetest.PostgreSQL(t)
	var mu sync.Mutex
	var log bytes.Buffer
	out := slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(b)
	}), nil))
	var nodes sync.WaitGroup
	for range 4 {
		nodes.Go(func() {
			db, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 2, Log: out})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = db.Close() }()
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	if n := strings.Count(log.String(), "job queue"); n != 1 {
		t.Errorf("%d lines about the job queue:\n%s", n, log.String())
	}
}

type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// BenchmarkLatency is the time from a job's insertion to its work, in a queue that is idle.
func BenchmarkLatency(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		worked := make(chan time.Time, 1)
		workers := river.NewWorkers()
		river.AddWorker(workers, worker{work: func(context.Context, string) error { worked <- time.Now(); return nil }})
		r, err := jobs.Start(b.Context(), jobs.Config{DB: db, Node: talkstack.NewNodeID(), Workers: workers, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer r.Stop(context.WithoutCancel(b.Context()))
		c, err := db.NewJobClient(&river.Config{FetchCooldown: time.Millisecond}) // as package store inserts
		if err != nil {
			b.Fatal(err)
		}
		var total time.Duration
		for b.Loop() {
			from := time.Now()
			if _, err := c.Insert(b.Context(), known{"x"}, nil); err != nil {
				b.Fatal(err)
			}
			total += (<-worked).Sub(from)
		}
		b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/job")
	})
}
