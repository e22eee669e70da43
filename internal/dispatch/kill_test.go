package dispatch

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// childVariable holds the orders of a process of this test binary that is one node.
const childVariable = "TALKSTACK_DISPATCH_TEST_NODE"

type orders struct {
	URL, Path string
	Carrier   string // the file that counts what was dialled
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := runNode(text); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "node failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	storetest.Main(m)
}

// runNode dials, into a file, until there is nothing left to dial. It tells its parent about each dial.
func runNode(text string) error {
	ctx := context.Background()
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: o.URL, Path: o.Path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	carrier, err := os.OpenFile(o.Carrier, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	node := talkstack.NewNodeID()
	over := make(chan struct{}, 100)
	var mu sync.Mutex
	lines := 8
	take := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		lines -= n
	}
	d := New(Config{
		DB: db, Node: node, Log: slog.New(slog.DiscardHandler),
		Capacity: func() int {
			mu.Lock()
			defer mu.Unlock()
			return lines
		},
		Dial: func(ctx context.Context, c talkstack.Call) {
			take(1)
			defer func() {
				take(-1)
				over <- struct{}{}
			}()
			if db.MarkDialing(ctx, c) != nil {
				return
			}
			_, _ = fmt.Fprintf(carrier, "%s\n", c.SID) // the INVITE leaves
			_, _ = fmt.Fprintf(os.Stdout, "%s\n", c.SID)
			_ = db.MarkAnswered(ctx, c, time.Now(), "")
			<-time.After(time.Duration(rand.IntN(10)) * time.Millisecond) // the conversation
			_ = db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()})
		},
	})
	_, _ = fmt.Fprintf(os.Stdout, "%s\n", node)
	if err := d.Start(ctx); err != nil {
		return err
	}
	for {
		due, err := db.NextDue(ctx)
		if err != nil {
			return err
		}
		open, err := db.OpenCalls(ctx, node)
		if err != nil {
			return err
		}
		if due.IsZero() && len(open) == 0 {
			d.Stop(ctx)
			return db.Close()
		}
		<-over
	}
}

// TestKilledNodesLoseNothing: nodes are killed at random moments. Every call ends, and none is dialled twice.
func TestKilledNodesLoseNothing(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		killNodes(t, orders{Path: filepath.Join(t.TempDir(), "talkstack.db")}, 1)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		killNodes(t, orders{URL: storetest.PostgreSQL(t)}, 2)
	})
}

func killNodes(t *testing.T, o orders, nodes int) {
	const projects, perProject, limit, kills = 4, 60, 4, 6
	open := func() *store.DB {
		db, err := store.Open(t.Context(), store.Config{URL: o.URL, Path: o.Path})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	o.Carrier = filepath.Join(t.TempDir(), "carrier.log")
	if err := os.WriteFile(o.Carrier, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := open()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var placed []talkstack.Call
	for range projects {
		placed = append(placed, storetest.NewAccount(t, db, limit).Place(t, db, perProject)...)
	}
	bury := func(id talkstack.NodeID) { // its lease runs out
		if err := db.Leave(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if db.Engine() == store.SQLite { // one process at a time has the file, and that is its lease
		bury = func(talkstack.NodeID) {}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range nodes {
		wg.Go(func() {
			for range kills / nodes {
				n := startNode(t, o)
				n.dials(5 + rand.IntN(25))
				n.kill()
				bury(n.id)
			}
		})
	}
	wg.Wait()
	startNode(t, o).wait()

	if db.Engine() == store.SQLite {
		db = open()
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	ends := checkDials(t, db, placed, o.Carrier)
	t.Logf("%d calls, %d kills: %v", len(placed), kills, ends)
	if ends[talkstack.EndAgentHangup] == 0 {
		t.Error("no call was completed at all")
	}
}

// checkDials compares how the calls ended with the carrier's log, and counts the reasons.
func checkDials(t *testing.T, db *store.DB, placed []talkstack.Call, carrier string) map[talkstack.EndCode]int {
	t.Helper()
	log, err := os.ReadFile(carrier)
	if err != nil {
		t.Fatal(err)
	}
	dials := map[string]int{}
	for sid := range strings.Lines(string(log)) {
		dials[strings.TrimSpace(sid)]++
	}
	ends := map[talkstack.EndCode]int{}
	for _, c := range placed {
		e := stored(t, db, c.SID)
		if e.State != talkstack.StateEnded {
			t.Errorf("call is lost: %s at attempt %d", e.State, e.Attempt)
			continue
		}
		ends[e.EndReason.Code]++
		n := dials[string(c.SID)]
		if n > 1 || n != 1 && e.Status == talkstack.StatusCompleted {
			t.Errorf("call ended as %s/%s and was dialled %d times", e.Status, e.EndReason.Code, n)
		}
	}
	return ends
}

// process is a node in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	id    talkstack.NodeID
}

func startNode(t *testing.T, o orders) *process {
	text, err := json.Marshal(o)
	if err != nil {
		t.Error(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
	}
	p := &process{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
	if p.lines.Scan() {
		p.id = talkstack.NodeID(p.lines.Text())
	}
	return p
}

// dials waits for so many dials, or the end of the work.
func (p *process) dials(n int) {
	for range n {
		if !p.lines.Scan() {
			return
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have finished its work
	_ = p.cmd.Wait()
}

func (p *process) wait() {
	for p.lines.Scan() { //nolint:revive // its output is not wanted any more
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the last node failed: %v", err)
	}
}
