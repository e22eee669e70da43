package rtp

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// Config is what a Session needs.
type Config struct {
	IP    netip.Addr // to bind; unspecified: all addresses
	Ports *Ports     // nil: any free port, for tests
	Log   *slog.Logger
}

// Session is one leg's media.
type Session struct {
	log     *slog.Logger
	sockets *sockets
	digits  chan media.Digit
	closed  chan struct{}
	once    sync.Once
}

// Open binds RTP on an even port and RTCP on the next one.
func Open(cfg Config) (*Session, error) {
	s, err := bind(context.Background(), cfg.IP, cfg.Ports)
	if err != nil {
		return nil, err
	}
	return &Session{log: cfg.Log, sockets: s, digits: make(chan media.Digit, 32), closed: make(chan struct{})}, nil
}

// LocalAddr is where the peer should send RTP.
func (s *Session) LocalAddr() netip.AddrPort { return localAddr(s.sockets.rtp) }

// Start begins to send to and receive from the peer.
func (s *Session) Start(remote Remote) { s.Update(remote) }

// Update takes what a later offer and answer agreed.
func (s *Session) Update(Remote) {}

// ReadFrame is the leg's clock.
func (s *Session) ReadFrame(ctx context.Context) (media.Frame, error) {
	select {
	case <-s.closed:
		return media.Frame{}, io.EOF
	case <-ctx.Done():
		return media.Frame{}, context.Cause(ctx)
	case <-time.After(media.FrameDuration):
		return media.NewFrame(8000), nil
	}
}

// WriteFrame encodes and sends a frame at once.
func (s *Session) WriteFrame(media.Frame) error { return nil }

// Digits are the keys the peer pressed.
func (s *Session) Digits() <-chan media.Digit { return s.digits }

// SendDigits presses keys, in place of audio while it lasts.
func (s *Session) SendDigits(context.Context, string) error {
	return talkstack.Errorf(talkstack.CodeUnavailable, "not connected")
}

// Stats are the counters so far.
func (s *Session) Stats() Stats { return Stats{} }

// Silent is how long ago the last packet came.
func (s *Session) Silent() time.Duration { return 0 }

// Close ends the session.
func (s *Session) Close() error {
	var err error
	s.once.Do(func() { close(s.closed); err = s.sockets.close() })
	return err
}
