// Package server builds the program from its settings, starts its parts in order and stops them in reverse. It is
// the only place that knows all parts; it has no rules of its own.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/auth"
	"talkstack/internal/call"
	"talkstack/internal/config"
	"talkstack/internal/dispatch"
	"talkstack/internal/event"
	"talkstack/internal/httpapi"
	"talkstack/internal/hubspot"
	"talkstack/internal/media/rtp"
	"talkstack/internal/phonetest"
	"talkstack/internal/recording"
	"talkstack/internal/sip"
	"talkstack/internal/store"
	"talkstack/internal/telemetry"
)

// Server is the running program.
type Server struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	metrics telemetry.Metrics
	ready   atomic.Bool

	db         *store.DB
	events     *event.Bus
	node       talkstack.NodeID
	speech     *speech
	ports      *rtp.Ports
	recordings *recording.Store
	phone      *phonetest.Phone // nil outside of development mode, and with a carrier
	phones     *sip.UserAgent
	board      *call.Switchboard
	analyses   *analysis.Service
	dispatcher *dispatch.Dispatcher
	accounts   *auth.Accounts
	hubspot    *hubspot.Connector
	api        *httpapi.API
	http       *http.Server
	listener   net.Listener
	served     chan error
	demo       *Demo

	stops []func(ctx context.Context) // what was started, to be stopped in reverse
}

// stopLimit bounds what is left after the drain: nothing in it waits for people.
const stopLimit = 15 * time.Second

// Run serves until ctx ends, then lets live calls go on for at most the drain limit. In development mode it prints
// how to log in and how to make a first call.
func Run(ctx context.Context, cfg config.Config, version string, log *slog.Logger, out io.Writer) error {
	s, err := Start(ctx, cfg, version, log)
	if err != nil {
		return err
	}
	s.welcome(out)
	var failed error
	select {
	case <-ctx.Done():
		log.Info("stopping", "live_calls", s.board.Live(), "drain_limit", cfg.DrainLimit)
	case failed = <-s.served:
		log.Error("http server failed", "error", failed)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainLimit)
	defer cancel()
	s.Stop(drain)
	return failed
}

// Start builds and starts everything. When it returns without an error the server is ready.
func Start(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (_ *Server, err error) {
	s := &Server{cfg: cfg, version: version, log: log, metrics: telemetry.NewMetrics(version), served: make(chan error, 1)}
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
			defer cancel()
			s.Stop(stop)
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	for _, step := range []func(context.Context) error{
		s.openStore, s.openMedia, s.startPhones, s.makeCalls, s.makeAnalyses, s.makeHubSpot, s.listenHTTP, s.startJobs, s.prepareDemo, s.startCalls, s.serveHTTP,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	debug.FreeOSMemory() // routes, schemas and models were built with much that is not needed any more
	log.Info("ready", "http", s.URL(), "sip", s.phones.Addr().String(), "version", version)
	return s, nil
}

// Stop is the reverse of Start. Live calls go on until ctx ends.
func (s *Server) Stop(ctx context.Context) {
	s.ready.Store(false)
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i](ctx)
	}
	s.stops = nil
	s.log.Info("stopped")
}

// onStop adds a step of Stop.
func (s *Server) onStop(f func(ctx context.Context)) { s.stops = append(s.stops, f) }

// URL is where the API is reached on this machine.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// SIPAddr is the bound SIP address.
func (s *Server) SIPAddr() netip.AddrPort { return s.phones.Addr() }

// Phone is the test phone, nil when there is none.
func (s *Server) Phone() *phonetest.Phone { return s.phone }

// Demo is the demo account, nil outside of development mode.
func (s *Server) Demo() *Demo { return s.demo }

// openStore opens the database and brings it to this version's schema.
func (s *Server) openStore(ctx context.Context) error {
	var err error
	s.node = talkstack.NewNodeID()
	s.events = event.New(s.node, s.log)
	s.db, err = store.Open(ctx, store.Config{
		URL: s.cfg.DatabaseURL.Reveal(), Path: s.cfg.DatabasePath(), Prices: s.cfg.Prices, OnChange: s.events.Publish, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) {
		if err := s.db.Close(); err != nil {
			s.log.Error("database was not closed", "error", err)
		}
	})
	if err := s.db.Migrate(ctx); err != nil {
		return err
	}
	s.events.Start(ctx, s.db)
	s.onStop(func(context.Context) { s.events.Stop() })
	return nil
}

// openMedia opens what calls hear, speak and are recorded with.
func (s *Server) openMedia(context.Context) error {
	var err error
	if s.recordings, err = recording.Open(s.cfg.RecordingsPath(), s.log); err != nil {
		return err
	}
	s.onStop(func(context.Context) { _ = s.recordings.Close() })
	if s.speech, err = openSpeech(s.cfg.ModelsPath(), s.log); err != nil {
		return err
	}
	s.onStop(func(context.Context) { s.speech.close() })
	s.ports = rtp.NewPorts(s.cfg.RTPPorts.Low, s.cfg.RTPPorts.High)
	return nil
}

// startPhones binds the SIP port, and the test phone's when no carrier is configured in development mode.
func (s *Server) startPhones(ctx context.Context) error {
	trunk, err := s.cfg.Trunk()
	if err != nil {
		return err
	}
	if trunk == nil && s.cfg.Dev {
		s.phone = phonetest.New(phonetest.Config{
			Addr: "127.0.0.1:0", Ports: s.ports, Speech: s.speech.forPhone(), Log: s.log.With("part", "test phone"),
		})
		s.phone.Standard()
		if err := s.phone.Start(ctx); err != nil {
			return err
		}
		s.onStop(s.phone.Stop)
		if trunk, err = talkstack.ParseTrunk("sip:" + s.phone.Addr().String()); err != nil {
			return err
		}
	}
	s.phones = sip.New(sip.Config{
		Addr: s.cfg.SIPAddr, PublicIP: s.cfg.PublicIP, Ports: s.ports, Trunk: trunk, Log: s.log.With("part", "sip"),
		UserAgent: "Talkstack/" + s.version,
	})
	s.phones.OnInvite(func(ctx context.Context, inv *sip.Invite) { s.board.Answer(ctx, incoming{inv}) })
	return nil
}

// makeCalls joins the live side to the store and the phones. Nothing is called or taken yet.
func (s *Server) makeCalls(context.Context) error {
	var wake func()
	counted := newMetrics(s)
	s.board = call.New(call.Config{
		OnTurn: counted.turn, OnEnd: counted.end,
		DB: s.db, Node: s.node, Speech: s.speech.forCalls(), NewBrain: s.newBrains(), Recordings: s.recordings,
		Dial: s.dial, Wake: func() { wake() }, MaxCalls: s.cfg.CallLimit(), Prices: s.cfg.Prices, Log: s.log,
	})
	wishes := s.events.Subscribe(store.HangupWishes)
	s.onStop(func(context.Context) { wishes.Close() })
	s.dispatcher = dispatch.New(dispatch.Config{
		DB: s.db, Node: s.node, Capacity: s.board.Room, Dial: s.board.Dial,
		Owns: s.board.Owns, Live: s.board.SIDs, Hangup: s.board.Hangup, Wishes: wishes.C, Log: s.log,
	})
	wake = s.dispatcher.Wake
	return nil
}

// startCalls opens both doors of the telephone: all else that can fail at a start has not.
func (s *Server) startCalls(ctx context.Context) error {
	// An incoming call is only stored for a node that lives, and may come before the dispatcher's first heartbeat.
	if err := s.db.Heartbeat(ctx, s.node); err != nil {
		return err
	}
	if err := s.phones.Start(ctx); err != nil {
		return err
	}
	s.onStop(func(ctx context.Context) {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		s.phones.Stop(stop)
	})
	if err := s.dispatcher.Start(ctx); err != nil {
		return err
	}
	s.onStop(s.dispatcher.Stop)
	s.onStop(s.board.Drain)
	return nil
}

// listenHTTP makes the API and binds its port. It is closed after the telephone: while calls drain, operators can still
// watch them and hang them up, and /readyz tells load balancers to go elsewhere.
func (s *Server) listenHTTP(ctx context.Context) error {
	api, err := s.newAPI(ctx)
	if err != nil {
		return err
	}
	s.api = api
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", s.cfg.HTTPAddr); err != nil {
		return talkstack.WrapError(talkstack.CodeUnavailable, err, fmt.Sprintf("Cannot listen for HTTP on %s: %v.", s.cfg.HTTPAddr, err))
	}
	s.http = &http.Server{
		Handler: api, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.http.RegisterOnShutdown(api.EndStreams)
	s.onStop(func(ctx context.Context) {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		if err := s.http.Shutdown(stop); err != nil {
			_ = s.http.Close()
		}
		_ = s.listener.Close() // it may never have been served
	})
	return nil
}

// serveHTTP opens the API's door.
func (s *Server) serveHTTP(context.Context) error {
	s.ready.Store(true)
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.served <- err
		}
	}()
	return nil
}
