package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/config"
	"talkstack/internal/media/rtp"
	"talkstack/internal/phonetest"
	"talkstack/internal/server"
	"talkstack/internal/store"
	"talkstack/internal/vad"
)

// settings are those of a server on free ports without models: espeak-ng speaks, and nothing is recognised.
func settings(t *testing.T) config.Config {
	t.Helper()
	return config.Config{
		Folders:  config.Folders{DataDir: t.TempDir(), ModelsDir: t.TempDir()},
		HTTPAddr: "127.0.0.1:0", SIPAddr: "127.0.0.1:0", RTPPorts: config.PortRange{Low: 40000, High: 49999}, Dev: true,
		ASR: config.Chain{{Name: "local"}}, TTS: config.Chain{{Name: "local"}}, LLM: config.Chain{{Name: "flow"}},
	}
}

// carrier is a far end that answers and stays on the line until it is told to leave.
func carrier(t *testing.T) (trunk talkstack.Secret, answered chan struct{}, leave func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	phone := phonetest.New(phonetest.Config{Addr: "127.0.0.1:0", Ports: rtp.NewPorts(40000, 49999), Log: log, Speech: phonetest.Speech{
		NewDetector: func(int) phonetest.Detector { return vad.NewEnergy() },
	}})
	answered, gone := make(chan struct{}, 10), make(chan struct{})
	phone.On("", func(ctx context.Context, r *phonetest.Ringing) error {
		line, err := r.Answer(ctx)
		if err != nil {
			return err
		}
		defer line.Hangup()
		answered <- struct{}{}
		select {
		case <-gone:
		case <-ctx.Done():
		}
		return nil
	})
	if err := phone.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { phone.Stop(context.WithoutCancel(t.Context())) })
	return talkstack.Secret("sip:" + phone.Addr().String()), answered, func() { close(gone) }
}

func start(t *testing.T, cfg config.Config) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *server.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel() // at once
	s.Stop(ctx)
}

// place stores a call in a data folder whose server does not run.
func place(t *testing.T, cfg config.Config, d *server.Demo) talkstack.CallSID {
	t.Helper()
	db := open(t, cfg)
	c, err := db.PlaceCall(t.Context(), talkstack.Call{
		UserID: d.UserID, ProjectID: d.ProjectID, AgentID: d.AgentID, From: d.Number, To: "+14155550148",
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return c.SID
}

func open(t *testing.T, cfg config.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(cfg.DataDir, "talkstack.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestStartThatFailsDialsNobody: a taken port is told at once, and what is queued stays so.
func TestStartThatFailsDialsNobody(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.SIPTrunk, _, _ = carrier(t)
	s := start(t, cfg)
	demo := s.Demo()
	stop(t, s)
	sid := place(t, cfg, demo)

	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cfg.HTTPAddr = taken.Addr().String()
	if _, err := server.Start(t.Context(), cfg, "test", slog.New(slog.DiscardHandler)); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
		t.Fatalf("start on a taken port: %v", err)
	}
	db := open(t, cfg)
	defer func() { _ = db.Close() }()
	c, err := db.CallBySID(t.Context(), sid)
	if err != nil || c.State != talkstack.StateQueued || c.Attempt != 0 {
		t.Errorf("the queued call is %s after %d attempts (%v), want it untouched", c.State, c.Attempt, err)
	}
}

// TestAPIServesWhileCallsDrain: operators can watch the calls that hold a stop up, and load balancers go elsewhere.
func TestAPIServesWhileCallsDrain(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	trunk, answered, leave := carrier(t)
	cfg.SIPTrunk = trunk
	first := start(t, cfg)
	demo := first.Demo()
	stop(t, first)
	sid := place(t, cfg, demo)
	s := start(t, cfg)
	<-answered
	stopped := make(chan struct{})
	limit, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	go func() {
		defer close(stopped)
		s.Stop(limit)
	}()
	for get(t, s, demo, "/readyz").status != http.StatusServiceUnavailable {
		select {
		case <-stopped:
			t.Fatal("the server stopped before it told that it is not ready")
		default:
		}
	}
	live := get(t, s, demo, "/v1/calls/"+string(sid))
	if live.status != http.StatusOK || live.body["ended_at"] != nil {
		t.Errorf("a call while it drains: %+v", live)
	}
	leave()
	<-stopped
}

type answer struct {
	status int
	body   map[string]any
}

func get(t *testing.T, s *server.Server, d *server.Demo, path string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", d.APIKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(&a.body); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	return a
}

// TestDemoAccountIsTheDatabases: what is printed works, whatever has become of the database or of a start that was killed.
func TestDemoAccountIsTheDatabases(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s := start(t, cfg)
	first := *s.Demo()
	stop(t, s)
	works := func(what string) {
		t.Helper()
		s := start(t, cfg)
		defer stop(t, s)
		if d := s.Demo(); d == nil || *d != first {
			t.Fatalf("%s: the demo account is %+v", what, d)
		}
		if got := get(t, s, s.Demo(), "/v1/agents/"+string(first.AgentID)); got.status != http.StatusOK || got.body["phone_number"] != first.Number {
			t.Errorf("%s: the demo agent is %+v", what, got)
		}
	}
	works("a second start")
	for _, file := range []string{"talkstack.db", "talkstack.db-wal", "talkstack.db-shm"} {
		if err := os.Remove(filepath.Join(cfg.DataDir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	works("another database")

	other := settings(t)
	own, err := store.Open(t.Context(), store.Config{Path: filepath.Join(other.DataDir, "talkstack.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = own.Migrate(t.Context())
	_, made := own.CreateUser(t.Context(), talkstack.User{Email: "a@example.com", Name: "A"})
	file, read := os.ReadFile(filepath.Join(cfg.DataDir, "demo.json"))
	if err := errors.Join(err, made, own.Close(), read, os.WriteFile(filepath.Join(other.DataDir, "demo.json"), file, 0o600)); err != nil {
		t.Fatal(err)
	}
	s = start(t, other)
	defer stop(t, s)
	if s.Demo() != nil {
		t.Error("a demo account is shown that somebody's own database does not have")
	}
}
