package sip

import (
	"context"
	"log/slog"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// configureStack lifts sipgo's limit of 1,300 bytes for a UDP message: a response repeats the Via and Record-Route
// fields of its request, and a carrier with several proxies makes it larger. IP fragments it, as every carrier expects.
//
// It also silences what sipgo logs without asking whose logger to use.
//
//nolint:gochecknoglobals // guards package variables of sipgo
var configureStack = sync.OnceFunc(func() {
	sip.UDPMTUSize = maxMessage
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// stackLog takes sipgo's log. It writes nothing, since sipgo logs whole messages, numbers included; it counts the
// messages that sipgo could not read, which for TCP is known nowhere else.
type stackLog struct{ counts *counters }

func (s *stackLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (s *stackLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "failed to parse" {
		s.counts.malformed.Add(1)
	}
	return nil
}

func (s *stackLog) WithAttrs([]slog.Attr) slog.Handler { return s }
func (s *stackLog) WithGroup(string) slog.Handler      { return s }
