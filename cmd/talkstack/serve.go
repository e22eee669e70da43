package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"talkstack/internal/config"
	"talkstack/internal/server"
	"talkstack/internal/telemetry"
)

type serveCommand struct {
	config.Config
}

// Run serves until a signal asks it to stop.
func (s *serveCommand) Run(ctx context.Context, c *console) error {
	log, err := telemetry.NewLogger(c.err, s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	ctx, stop := untilSignalled(ctx, c, s.Config)
	defer stop()
	return server.Run(ctx, s.Config, version, log, c.out)
}

// untilSignalled returns a context that ends at the first SIGINT or SIGTERM, so that live calls may drain. The second
// one ends the process at once; what was live is then reported as interrupted at the next start.
func untilSignalled(parent context.Context, c *console, cfg config.Config) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case _, signalled := <-signals:
			if !signalled {
				return
			}
		case <-ctx.Done():
			return
		}
		fmt.Fprintf(c.err, "Stopping: no new calls are taken, live ones may go on for %s. Signal again to stop at once.\n", cfg.DrainLimit)
		cancel()
		s, ok := <-signals
		if !ok {
			return
		}
		code := exitFailed
		if n, is := s.(syscall.Signal); is {
			code = 128 + int(n) // as shells report a process that a signal ended
		}
		os.Exit(code)
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// interruptible returns a context that ends at Ctrl-C or SIGTERM, for commands that stop at once.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}
