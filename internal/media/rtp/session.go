package rtp

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"talkstack/internal/media"
)

// Config is what a Session needs.
type Config struct {
	IP    netip.Addr // to bind; unspecified: all addresses of its family; zero: all of IPv4
	Ports *Ports     // nil: any free port, for tests
	Log   *slog.Logger
}

const digitBacklog = 64 // keys that may wait to be collected

// Session is one leg's media, from Open to Close. ReadFrame is for one goroutine, WriteFrame for one, SendDigits for
// one at a time; the rest is safe for all.
type Session struct {
	log     *slog.Logger
	sockets *sockets
	epoch   time.Time // times inside are since then
	digits  chan media.Digit
	closed  chan struct{}
	closing sync.Once
	wg      sync.WaitGroup

	timer *time.Timer // ReadFrame's
	pacer pacer       // ReadFrame's

	in      sync.Mutex // guards what follows
	receive receiver
	dropped int64
	reports reports

	out      sync.Mutex // guards what follows; taken before in when both are needed
	send     sender
	sending  bool // the remote wants to hear us
	pressing mode // digits are being sent in place of audio

	pressOne sync.Mutex // one SendDigits at a time
}

// Open binds RTP on an even port and RTCP on the next one (RFC 3550 section 11). What arrives before Start is thrown
// away. The error is a talkstack.Error with CodeUnavailable when no port is free.
func Open(cfg Config) (*Session, error) {
	sockets, err := bind(context.Background(), cfg.IP, cfg.Ports)
	if err != nil {
		return nil, err
	}
	s := &Session{
		log: cfg.Log, sockets: sockets, epoch: time.Now(),
		digits: make(chan media.Digit, digitBacklog), closed: make(chan struct{}),
		timer: time.NewTimer(time.Hour),
	}
	s.timer.Stop()
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var random [14]byte // unguessable, so that nobody off the path can inject audio (RFC 3550 section 9.1)
	_, _ = cryptorand.Read(random[:])
	s.send.ssrc = binary.BigEndian.Uint32(random[0:])
	s.send.timestamp = binary.BigEndian.Uint32(random[4:])
	s.send.sequence = binary.BigEndian.Uint16(random[8:]) >> 1 // room before the first wrap, for peers that guess
	s.receive.events.emit = s.pressed
	s.reports.cname = cryptorand.Text()
	s.wg.Go(s.readRTP)
	s.wg.Go(s.runRTCP)
	return s, nil
}

// LocalAddr is where the peer should send RTP; RTCP is on the port above.
func (s *Session) LocalAddr() netip.AddrPort { return localAddr(s.sockets.rtp) }

// Start begins to send to and to receive from the peer.
func (s *Session) Start(remote Remote) { s.Update(remote) }

// Update takes what a later offer and answer agreed: another codec or address, hold. The peer's source address may
// change with it.
func (s *Session) Update(remote Remote) {
	s.out.Lock()
	defer s.out.Unlock()
	s.in.Lock()
	defer s.in.Unlock()
	s.send.update(&remote)
	s.sending = remote.Send
	s.receive.update(remote, s.now())
	s.reports.update(remote)
}

// now is the time on the media clock.
func (s *Session) now() int64 { return samples(time.Since(s.epoch)) }

// readRTP reads the RTP socket until it is closed.
func (s *Session) readRTP() {
	buf := make([]byte, maxPacketSize)
	for {
		n, from, err := s.sockets.rtp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier packet; the socket lives on
		}
		s.ingest(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

// ingest takes one datagram of the RTP socket.
func (s *Session) ingest(b []byte, from netip.AddrPort) {
	now := s.now()
	if isRTCP(b) {
		s.takeReport(b, from, time.Now())
		return
	}
	s.in.Lock()
	defer s.in.Unlock()
	s.receive.packet(b, from, now)
}

// pressed hands a digit to the collector. It is called with s.in held.
func (s *Session) pressed(d media.Digit) {
	select {
	case s.digits <- d:
	default:
		s.dropped++
	}
}

// ReadFrame returns the peer's next 20 ms of audio at the moment it is due: it is the leg's clock, one frame every
// 20 ms at absolute deadlines. What did not arrive is made up, or is silence. After Close it returns io.EOF, and when
// ctx ends its cause. A caller that comes late gets up to three frames at once; what lies further back is skipped.
func (s *Session) ReadFrame(ctx context.Context) (media.Frame, error) {
	wait, missed := s.pacer.next(time.Since(s.epoch))
	if err := s.sleep(ctx, wait); err != nil {
		return media.Frame{}, err
	}
	f := media.NewFrame(clockRate)
	s.in.Lock()
	defer s.in.Unlock()
	if missed > 0 {
		s.receive.skip(int64(missed) * frameSamples)
	}
	s.receive.read(&f, s.now())
	return f, nil
}

func (s *Session) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-s.closed:
		return io.EOF
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
	}
	if d <= 0 {
		return nil
	}
	s.timer.Reset(d)
	select {
	case <-s.timer.C:
		return nil
	case <-s.closed:
		s.timer.Stop()
		return io.EOF
	case <-ctx.Done():
		s.timer.Stop()
		return context.Cause(ctx)
	}
}

// WriteFrame encodes a frame of 8 kHz and sends it at once: the caller is paced by ReadFrame. On hold, and while digits
// are sent, the frame is dropped and only time passes. A packet the network refuses is lost like any other; the error
// is io.EOF after Close, or a frame of another rate.
func (s *Session) WriteFrame(f media.Frame) error {
	if f.Rate != clockRate {
		return fmt.Errorf("rtp: cannot send a frame of %d Hz", f.Rate)
	}
	select {
	case <-s.closed:
		return io.EOF
	default:
	}
	now := time.Since(s.epoch)
	s.out.Lock()
	defer s.out.Unlock()
	if s.pressing == pressTones { // the tones are the audio, and move the clock
		return nil
	}
	s.send.sync(now)
	if s.sending && s.pressing == pressNone {
		s.sendAudio(f.Samples())
	} else {
		s.send.pass(frameSamples)
	}
	s.send.tick(now)
	return nil
}

// sendAudio sends what samples make full. It is called with s.out held.
func (s *Session) sendAudio(pcm []int16) {
	s.send.add(pcm)
	for {
		b, ok := s.send.next()
		if !ok {
			return
		}
		s.transmit(b)
	}
}

// transmit sends a packet to the peer. It is called with s.out held.
func (s *Session) transmit(b []byte) {
	s.in.Lock()
	to := s.receive.target()
	s.in.Unlock()
	if to.IsValid() && !to.Addr().IsUnspecified() {
		_, _ = s.sockets.rtp.WriteToUDPAddrPort(b, to) // lost, as any packet may be
	}
}

// Digits are the keys the peer pressed, each once. The channel is never closed; digits nobody collects are dropped.
func (s *Session) Digits() <-chan media.Digit { return s.digits }

// Silent is how long ago the peer's last packet came, or Start when none has. On hold it is 0: nothing is expected.
func (s *Session) Silent() time.Duration {
	s.in.Lock()
	defer s.in.Unlock()
	if !s.receive.active || !s.receive.remote.Receive {
		return 0
	}
	return duration(s.now() - s.receive.heard)
}

// Stats are the counters so far.
func (s *Session) Stats() Stats {
	s.out.Lock()
	sent, bytes := s.send.packets, s.send.bytes
	s.out.Unlock()
	s.in.Lock()
	defer s.in.Unlock()
	r, j := &s.receive, &s.receive.jitter
	stats := Stats{
		PacketsReceived: r.packets, BytesReceived: r.bytes, PacketsSent: sent, BytesSent: bytes,
		Lost: r.sequence.total(), Late: j.late,
		Duplicate: r.duplicates, Malformed: r.malformed, Foreign: r.foreign, Dropped: s.dropped,
		Played: duration(j.played), Concealed: duration(j.concealed), Skipped: duration(j.skipped),
		Jitter: duration(int64(r.spread)), Peer: s.reports.peer,
	}
	if j.playing {
		stats.Delay = max(0, duration(j.current))
	}
	return stats
}

// Close says goodbye by RTCP, frees the ports and waits for the session's goroutines. It may be called more than once.
func (s *Session) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.closed)
		s.sendReport(true)
		err = s.sockets.close()
	})
	s.wg.Wait()
	if err != nil {
		return fmt.Errorf("rtp: close: %w", err)
	}
	return nil
}
