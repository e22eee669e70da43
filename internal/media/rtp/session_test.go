package rtp

import (
	"context"
	"errors"
	"io"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/media/g711"
)

var loopback = netip.MustParseAddr("127.0.0.1") //nolint:gochecknoglobals // immutable

func open(t testing.TB, ip netip.Addr) *Session {
	t.Helper()
	s, err := Open(Config{IP: ip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// agreed is what two parties of PCMU agree on by default.
func agreed(peer netip.AddrPort) Remote {
	return Remote{RTP: peer, Codec: g711.PCMU, TelephoneEventType: 101, Send: true, Receive: true}
}

// talk runs a leg's media loop: it says a tone, and gives back what it heard.
func talk(t *testing.T, s *Session, frequency float64, frames int) <-chan []int16 {
	t.Helper()
	heard := make(chan []int16, 1)
	go func() {
		var pcm []int16
		tone := media.NewTone(clockRate, -10, frequency)
		for range frames {
			f, err := s.ReadFrame(context.Background())
			if err != nil {
				t.Errorf("read: %v", err)
				break
			}
			pcm = append(pcm, f.Samples()...)
			tone.Read(f.Samples())
			if err := s.WriteFrame(f); err != nil {
				t.Errorf("write: %v", err)
				break
			}
		}
		heard <- pcm
	}()
	return heard
}

// expectTone asserts the tone that arrives, in the later half of what was heard. It looks at stretches of 40 ms and
// takes their medians, since a busy machine may put a concealed frame between two of them.
func expectTone(t *testing.T, who string, pcm []int16, frequency, slack float64) {
	t.Helper()
	var levels, shares []float64
	for part := range slices.Chunk(pcm[len(pcm)/2:], 2*frameSamples) {
		level, share := media.MeasureTone(part, clockRate, frequency)
		levels, shares = append(levels, level), append(shares, share)
	}
	slices.Sort(levels)
	slices.Sort(shares)
	level, share := levels[len(levels)/2], shares[len(shares)/2]
	if math.Abs(level+10) > slack || share < 1-slack/5 {
		t.Errorf("%s hears %.0f Hz at %.2f dBFS, %.4f of the power; want -10", who, frequency, level, share)
	}
}

func TestTwoSessionsHearEachOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ip    string
		codec g711.Codec
		ptime time.Duration
	}{
		"IPv4, µ-law":      {"127.0.0.1", g711.PCMU, 0},
		"IPv6, A-law":      {"::1", g711.PCMA, 20 * time.Millisecond},
		"packets of 10 ms": {"127.0.0.1", g711.PCMU, 10 * time.Millisecond},
		"packets of 30 ms": {"127.0.0.1", g711.PCMA, 30 * time.Millisecond},
		"packets of 60 ms": {"127.0.0.1", g711.PCMU, 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t, netip.MustParseAddr(c.ip)), open(t, netip.MustParseAddr(c.ip))
			remote := agreed(b.LocalAddr())
			remote.Codec, remote.PayloadType, remote.Ptime = c.codec, uint8(c.codec), c.ptime
			a.Start(remote)
			remote.RTP = a.LocalAddr()
			b.Start(remote)
			atA, atB := talk(t, a, 440, 75), talk(t, b, 1000, 75)
			expectTone(t, "a", <-atA, 1000, 0.3)
			expectTone(t, "b", <-atB, 440, 0.3)
			for _, s := range []*Session{a, b} {
				if got := s.Stats(); got.Lost+got.Malformed+got.Foreign+got.Duplicate != 0 || got.PacketsReceived == 0 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

func TestReadFrameIsAClock(t *testing.T) {
	t.Parallel()
	s := open(t, loopback)
	start := time.Now()
	for range 26 {
		if _, err := s.ReadFrame(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 500*time.Millisecond { // how much later depends on the machine
		t.Errorf("26 frames came within %v", took)
	}
}

func TestReadFrameEnds(t *testing.T) {
	t.Parallel()
	s := open(t, loopback)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("why")
	cancel(why)
	if _, err := s.ReadFrame(ctx); !errors.Is(err, why) {
		t.Errorf("after cancel: %v", err)
	}
	done := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = s.ReadFrame(context.Background())
		}
		done <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.WriteFrame(media.NewFrame(clockRate)); !errors.Is(err, io.EOF) {
		t.Errorf("write after Close: %v", err)
	}
	if err := s.SendDigits(context.Background(), "1"); err == nil {
		t.Error("digits after Close")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestAFrameOfAnotherRateIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, loopback)
	if err := s.WriteFrame(media.NewFrame(16000)); err == nil {
		t.Error("taken")
	}
}

func TestThePacerKeepsAbsoluteDeadlines(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	var p pacer
	for i, c := range []struct {
		now    time.Duration
		wait   time.Duration
		missed int
	}{
		{7 * ms, 0, 0},
		{10 * ms, 17 * ms, 0},
		{31 * ms, 16 * ms, 0}, // woke up late: the next deadline does not move
		{100 * ms, -33 * ms, 0},
		{100 * ms, -13 * ms, 0}, // catching up
		{100 * ms, 7 * ms, 0},
		{1000 * ms, -53 * ms, 41}, // a long stall: three frames at once, no more
		{1000 * ms, -33 * ms, 0},
		{1000 * ms, -13 * ms, 0},
		{1000 * ms, 7 * ms, 0},
	} {
		wait, missed := p.next(c.now)
		if wait != c.wait || missed != c.missed {
			t.Errorf("step %d at %v: wait %v, missed %d; want %v, %d", i, c.now, wait, missed, c.wait, c.missed)
		}
	}
}

func TestPortsAreEvenDistinctAndComeBack(t *testing.T) {
	t.Parallel()
	free := open(t, loopback).LocalAddr().Port() // a range that is probably free begins here
	lo := int(free) + 101
	ports := NewPorts(lo, lo+9)
	if ports.Capacity() != 4 && ports.Capacity() != 5 {
		t.Fatalf("%d pairs in ten ports", ports.Capacity())
	}
	var open []*Session
	seen := map[uint16]bool{}
	for {
		s, err := Open(Config{IP: loopback, Ports: ports})
		if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
				t.Errorf("no port left: %v", err)
			}
			break
		}
		port := s.LocalAddr().Port()
		if port%2 != 0 || seen[port] {
			t.Errorf("port %d", port)
		}
		seen[port] = true
		open = append(open, s)
	}
	if len(open) == 0 || ports.Used() != len(open) {
		t.Fatalf("%d sessions, %d ports in use", len(open), ports.Used())
	}
	for _, s := range open {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if ports.Used() != 0 {
		t.Errorf("%d ports in use after Close", ports.Used())
	}
	s, err := Open(Config{IP: loopback, Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPortThatAnotherProgramHoldsIsPassedOver(t *testing.T) {
	t.Parallel()
	for range 20 { // the pair above the taken one may be taken too
		other := open(t, loopback)
		port := int(other.LocalAddr().Port())
		s, err := Open(Config{IP: loopback, Ports: NewPorts(port, port+3)})
		if err != nil {
			continue
		}
		defer func() { _ = s.Close() }()
		if got := int(s.LocalAddr().Port()); got != port+2 {
			t.Errorf("port %d, want %d", got, port+2)
		}
		return
	}
	t.Fatal("no free pair beside a taken one was found")
}

func TestEmptyRanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lo, hi, want int }{{20000, 29999, 5000}, {20001, 20003, 1}, {20001, 20002, 0}, {30000, 20000, 0}, {65534, 70000, 1}, {-5, -1, 0}} {
		if got := NewPorts(c.lo, c.hi).Capacity(); got != c.want {
			t.Errorf("%d-%d: %d pairs, want %d", c.lo, c.hi, got, c.want)
		}
	}
	if _, err := Open(Config{IP: loopback, Ports: NewPorts(20001, 20002)}); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
		t.Errorf("an empty range gives %v", err)
	}
}
