package event_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"testing"

	"talkstack"
	"talkstack/internal/event"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func newBus() *event.Bus { return event.New(talkstack.NewNodeID(), slog.New(slog.DiscardHandler)) }

// woken waits for an event; the test's own limit ends it otherwise.
func woken(t *testing.T, s *event.Subscription) {
	t.Helper()
	select {
	case <-s.C:
	case <-t.Context().Done():
		t.Fatal("no event came")
	}
}

func quiet(t *testing.T, what string, s *event.Subscription) {
	t.Helper()
	select {
	case <-s.C:
		t.Error(what + ": an event came")
	default:
	}
}

func TestEventsOnOneNode(t *testing.T) {
	t.Parallel()
	b := newBus()
	b.Start(t.Context(), storetest.OpenSQLite(t))
	defer b.Stop()
	first, second, other := b.Subscribe("CA1"), b.Subscribe("CA1"), b.Subscribe("CA2")
	for range 1000 {
		b.Publish("CA1") // nobody reads: it must not block
	}
	woken(t, first)
	woken(t, second)
	quiet(t, "a thousand changes are one event", first)
	quiet(t, "another call", other)
	first.Close()
	first.Close()
	b.Publish("CA1")
	quiet(t, "a closed subscription", first)
	woken(t, second)
}

// TestEventsBetweenNodes: what one node publishes, the watchers on another hear; and when the link breaks, they look again.
func TestEventsBetweenNodes(t *testing.T) {
	t.Parallel()
	url := storetest.PostgreSQL(t)
	db := storetest.Open(t, store.Config{URL: url})
	here, there := newBus(), newBus()
	here.Start(t.Context(), db)
	defer here.Stop()
	watch, other := there.Subscribe("CA1"), there.Subscribe("CA999")
	there.Start(t.Context(), db)
	defer there.Stop()
	woken(t, watch) // the link is up: what was before it is looked for
	woken(t, other)

	for i := range 500 { // more than one notification holds
		here.Publish(talkstack.CallSID(fmt.Sprintf("CA%032d", i)))
	}
	here.Publish("CA1")
	woken(t, watch)
	quiet(t, "another call", other)

	last := there.Subscribe("CA00000000000000000000000000000499")
	here.Publish("CA00000000000000000000000000000499")
	woken(t, last)

	for i := range 5000 { // more than are named: everybody looks
		here.Publish(talkstack.CallSID(fmt.Sprintf("CB%032d", i)))
	}
	woken(t, other)

	if n := cutListeners(t, url); n < 2 {
		t.Fatalf("%d listening connections were cut, want both", n)
	}
	woken(t, watch) // after the gap
	woken(t, other)
	here.Publish("CA1")
	woken(t, watch)
}

// cutListeners breaks every connection that listens, and returns how many.
func cutListeners(t *testing.T, url string) int {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	err = db.QueryRowContext(t.Context(), `SELECT COUNT(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBusOutlivesItsDatabase: a node whose database is away goes on, and stops at once.
func TestBusOutlivesItsDatabase(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.Config{URL: storetest.PostgreSQL(t)})
	b := newBus()
	ctx, cancel := context.WithCancel(t.Context())
	b.Start(ctx, db)
	cancel() // the context of the start is not that of the link
	watch := b.Subscribe("CA1")
	b.Publish("CA1")
	woken(t, watch)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b.Publish("CA1")
	woken(t, watch)
	b.Stop()
}

// TestHangupWishIsTold: whoever holds calls hears that one of them is to end.
func TestHangupWishIsTold(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		b := newBus()
		cfg.OnChange = b.Publish
		db := storetest.Open(t, cfg)
		a, node := storetest.NewAccount(t, db, 5), talkstack.NewNodeID()
		if err := db.Heartbeat(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		c, err := db.InsertInboundCall(t.Context(), talkstack.Call{
			UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, Node: node, From: "+12065550123", To: a.Number.E164,
		})
		if err != nil {
			t.Fatal(err)
		}
		wishes := b.Subscribe(store.HangupWishes)
		defer wishes.Close()
		quiet(t, "before the wish", wishes)
		if _, err := db.RequestHangup(t.Context(), a.User.ID, string(c.SID)); err != nil {
			t.Fatal(err)
		}
		woken(t, wishes)
	})
}
