package rtp

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"talkstack/internal/media"
)

// roundabout is the path of a frame without sockets: packet bytes → jitter buffer → frame → packet bytes.
type roundabout struct {
	receive receiver
	send    sender
	peer    *source
	from    netip.AddrPort
	now     int64
	packets [][]byte
	next    int
}

func newRoundabout() *roundabout {
	r := &roundabout{peer: newSource(1), from: addr("127.0.0.1:4000")}
	remote := agreed(r.from)
	r.receive.events.emit = func(media.Digit) {}
	r.receive.update(remote, 0)
	r.send.update(&remote)
	for range 1 << 16 { // as many as there are numbers, so that going round is seamless
		r.packets = append(r.packets, r.peer.packet(0, 160))
	}
	return r
}

// step takes a packet, or loses it, plays a frame and sends it back.
func (r *roundabout) step(lose bool) []byte {
	r.now += frameSamples
	if !lose {
		r.receive.packet(r.packets[r.next], r.from, r.now)
	}
	r.next = (r.next + 1) % len(r.packets)
	f := media.NewFrame(clockRate)
	r.receive.read(&f, r.now+80)
	now := time.Duration(r.now) * time.Second / clockRate
	r.send.sync(now)
	r.send.add(f.Samples())
	b, _ := r.send.next()
	r.send.tick(now)
	return b
}

func TestAFrameInAndOutAllocatesNothing(t *testing.T) {
	r := newRoundabout()
	for range 100 {
		r.step(false)
	}
	step := 0
	sent := 0
	n := testing.AllocsPerRun(2000, func() {
		step++
		sent += len(r.step(step%10 == 3)) // a tenth is lost: concealment allocates nothing either
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if sent < 2000*(headerSize+frameSamples) {
		t.Errorf("only %d bytes came out", sent)
	}
}

// TestASessionAllocatesNothing is the same over sockets, with what the runtime does in the background left out by
// taking an average over many frames.
func TestASessionAllocatesNothing(t *testing.T) {
	s := open(t, loopback)
	s.Start(agreed(s.LocalAddr())) // it hears itself
	ctx := context.Background()
	turn := func() {
		f, err := s.ReadFrame(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		turn()
	}
	if n := testing.AllocsPerRun(50, turn); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if s.Stats().PacketsReceived < 40 {
		t.Errorf("only %d packets came", s.Stats().PacketsReceived)
	}
}

func BenchmarkFrameInFrameOut(b *testing.B) {
	r := newRoundabout()
	b.ReportAllocs()
	for b.Loop() {
		r.step(false)
	}
}

func BenchmarkFrameInFrameOutWithLoss(b *testing.B) {
	r := newRoundabout()
	step := 0
	b.ReportAllocs()
	for b.Loop() {
		step++
		r.step(step%20 == 0)
	}
}

// BenchmarkWriteFrame is a frame's way out, system call included.
func BenchmarkWriteFrame(b *testing.B) {
	s := open(b, loopback)
	s.Start(agreed(netip.AddrPortFrom(loopback, 9)))
	f := media.NewFrame(clockRate)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.WriteFrame(f); err != nil {
			b.Fatal(err)
		}
	}
}
