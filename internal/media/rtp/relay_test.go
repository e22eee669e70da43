package rtp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"talkstack/internal/media"
)

// relay is a bad network between two sessions: it drops, reorders and doubles packets by their number. RTCP passes
// unharmed.
type relay struct {
	wg      sync.WaitGroup
	mu      sync.Mutex
	dropped [2]int64 // on the way to each session, not counting those nothing came after
	passed  [2]int64
}

// fate is what becomes of a packet.
type fate struct{ drop, hold, double bool }

// through joins the sessions by a relay and starts them.
func through(t *testing.T, sessions [2]*Session, remote Remote, decide func(n int) fate) *relay {
	t.Helper()
	r := &relay{}
	var sides, reportSides [2]*net.UDPConn
	var pairs [2]*sockets
	for i := range sides {
		pair, err := bind(context.Background(), loopback, nil)
		if err != nil {
			t.Fatal(err)
		}
		sides[i], reportSides[i] = pair.rtp, pair.rtcp
		pairs[i] = pair
	}
	t.Cleanup(func() {
		for _, pair := range pairs {
			_ = pair.close()
		}
		r.wg.Wait()
	})
	for i := range sides {
		to := sessions[1-i].LocalAddr()
		r.wg.Go(func() { r.run(sides[i], sides[1-i], to, 1-i, decide) })
		r.wg.Go(func() {
			r.run(reportSides[i], reportSides[1-i], netip.AddrPortFrom(to.Addr(), to.Port()+1), -1, func(int) fate { return fate{} })
		})
	}
	for i, s := range sessions {
		remote.RTP = localAddr(sides[i])
		s.Start(remote)
	}
	return r
}

func (r *relay) run(in, out *net.UDPConn, to netip.AddrPort, receiver int, decide func(n int) fate) {
	buf, held := make([]byte, 2000), []byte(nil)
	pending := int64(0)
	for n := 0; ; n++ {
		size, err := in.Read(buf)
		if err != nil {
			return
		}
		f := decide(n)
		if f.drop {
			pending++
			continue
		}
		if receiver >= 0 {
			r.mu.Lock()
			r.dropped[receiver] += pending
			r.passed[receiver]++
			r.mu.Unlock()
			pending = 0
		}
		if f.hold {
			held = append(held[:0], buf[:size]...)
			continue
		}
		_, _ = out.WriteToUDPAddrPort(buf[:size], to)
		if f.double {
			_, _ = out.WriteToUDPAddrPort(buf[:size], to)
		}
		if len(held) > 0 {
			_, _ = out.WriteToUDPAddrPort(held, to)
			held = held[:0]
		}
	}
}

func TestABadNetworkIsHeardThrough(t *testing.T) {
	t.Parallel()
	sessions := [2]*Session{open(t, loopback), open(t, loopback)}
	r := through(t, sessions, agreed(netip.AddrPort{}), func(n int) fate {
		return fate{drop: n%20 == 7, hold: n%20 == 13, double: n%5 == 0} // 5 % lost, 5 % reordered, 20 % twice
	})
	const frames = 200
	heard := [2]<-chan []int16{talk(t, sessions[0], 440, frames), talk(t, sessions[1], 1000, frames)}
	for i, frequency := range []float64{1000, 440} {
		expectTone(t, "a session", <-heard[i], frequency, 1)
	}
	for i, s := range sessions {
		got := s.Stats()
		r.mu.Lock()
		dropped, passed := r.dropped[i], r.passed[i]
		r.mu.Unlock()
		if got.Lost < dropped-1 || got.Lost > dropped+1 { // one may be held, or on its way
			t.Errorf("%d packets lost, the network dropped %d", got.Lost, dropped)
		}
		if got.Duplicate < passed/5-3 || got.Duplicate > passed/5+3 {
			t.Errorf("%d of %d packets seen twice", got.Duplicate, passed)
		}
		// 5 % are lost; a busy machine may make a few more late, but what was reordered or doubled is no loss.
		if ratio := got.Concealed.Seconds() / got.Played.Seconds(); ratio < 0.03 || ratio > 0.15 {
			t.Errorf("%.3f of %v concealed", ratio, got.Played)
		}
		if got.Delay > 150*time.Millisecond {
			t.Errorf("the delay has grown to %v", got.Delay)
		}
	}
}

func TestNothingArrivesAndItIsSilence(t *testing.T) {
	t.Parallel()
	sessions := [2]*Session{open(t, loopback), open(t, loopback)}
	through(t, sessions, agreed(netip.AddrPort{}), func(n int) fate { return fate{drop: n >= 30} })
	a, b := talk(t, sessions[0], 440, 70), talk(t, sessions[1], 440, 70)
	for _, pcm := range [][]int16{<-a, <-b} {
		if media.Level(pcm[:40*frameSamples]) < -20 {
			t.Error("nothing was heard before the network went")
		}
		if level := media.Level(pcm[60*frameSamples:]); level != media.SilenceLevel {
			t.Errorf("%.1f dBFS after it", level)
		}
	}
	if sessions[0].Silent() < 500*time.Millisecond {
		t.Errorf("silent for %v", sessions[0].Silent())
	}
	if c := sessions[0].Stats().Concealed; c > 150*time.Millisecond {
		t.Errorf("%v concealed: a peer that is gone is not concealed for ever", c)
	}
}
