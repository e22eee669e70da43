package rtp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestNTPTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 500_000_000, time.UTC)
	if got, want := ntp(at), uint64(3976214400)<<32|1<<31; got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestReportsGiveLossAndRoundTrip lets two sessions report to each other, with the clock in the test's hands.
func TestReportsGiveLossAndRoundTrip(t *testing.T) {
	t.Parallel()
	sessions := [2]*Session{open(t, loopback), open(t, loopback)}
	through(t, sessions, agreed(netip.AddrPort{}), func(n int) fate { return fate{drop: n%10 == 5} })
	a, b := sessions[0], sessions[1]
	heardA, heardB := talk(t, a, 440, 60), talk(t, b, 440, 60)
	<-heardA
	<-heardB
	deliver := func(from, to *Session, at time.Time) []rtcp.Packet {
		packets, _, _ := from.compose(at, false)
		raw, err := rtcp.Marshal(packets)
		if err != nil {
			t.Fatal(err)
		}
		to.in.Lock()
		source := to.receive.target()
		to.in.Unlock()
		to.takeReport(raw, netip.AddrPortFrom(source.Addr(), source.Port()+1), at.Add(30*time.Millisecond))
		return packets
	}
	start := time.Now()
	if _, ok := deliver(a, b, start)[0].(*rtcp.SenderReport); !ok {
		t.Error("a session that sends sends no sender report")
	}
	deliver(b, a, start.Add(time.Second))
	got := a.Stats().Peer
	if got.Lost < 4 || got.Lost > 7 || got.FractionLost < 0.05 || got.FractionLost > 0.15 {
		t.Errorf("a tenth was lost; the peer reports %d packets, a fraction of %.3f", got.Lost, got.FractionLost)
	}
	if got.RoundTrip < 59*time.Millisecond || got.RoundTrip > 61*time.Millisecond { // 30 ms each way
		t.Errorf("round trip %v, want 60ms", got.RoundTrip)
	}
	if _, ok := deliver(b, a, start.Add(2*time.Second))[0].(*rtcp.ReceiverReport); !ok {
		t.Error("a session that has sent nothing since sends no receiver report")
	}
}

func TestReportsOfOthersAreNotHeard(t *testing.T) {
	t.Parallel()
	s := open(t, loopback)
	s.Start(agreed(addr("192.0.2.1:4000")))
	raw, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: s.send.ssrc, TotalLost: 99}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.takeReport(raw, addr("203.0.113.5:4001"), time.Now())
	if got := s.Stats(); got.Peer.Lost != 0 || got.Foreign != 1 {
		t.Errorf("%+v", got)
	}
	s.takeReport(raw, addr("192.0.2.1:4001"), time.Now())
	if got := s.Stats(); got.Peer.Lost != 99 {
		t.Errorf("the peer's own report: %+v", got.Peer)
	}
	s.takeReport([]byte{0x81, 201, 0, 99}, addr("192.0.2.1:4001"), time.Now())
	if got := s.Stats(); got.Malformed != 1 {
		t.Errorf("%d malformed", got.Malformed)
	}
}

// TestCloseSaysGoodbye reads what arrives at the peer's RTCP port, apart and multiplexed.
func TestCloseSaysGoodbye(t *testing.T) {
	t.Parallel()
	for name, muxed := range map[string]bool{"a port of its own": false, "RTP's port": true} {
		peer, err := listen(t.Context(), netip.AddrPortFrom(loopback, 0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = peer.Close() })
		s := open(t, loopback)
		remote := agreed(netip.AddrPortFrom(loopback, 9))
		remote.RTCP = localAddr(peer)
		if muxed {
			remote.RTP = remote.RTCP
		}
		s.Start(remote)
		local := s.LocalAddr()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkGoodbye(t, name, peer, local, muxed)
	}
}

func checkGoodbye(t *testing.T, name string, peer *net.UDPConn, local netip.AddrPort, muxed bool) {
	t.Helper()
	buf := make([]byte, 1500)
	n, from, err := peer.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	if want := local.Port() + 1; !muxed && from.Port() != want || muxed && from.Port() != local.Port() {
		t.Errorf("%s: it comes from %v", name, from)
	}
	packets, err := rtcp.Unmarshal(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	var cname, goodbye bool
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SourceDescription:
			cname = p.Chunks[0].Items[0].Type == rtcp.SDESCNAME && len(p.Chunks[0].Items[0].Text) > 16
		case *rtcp.Goodbye:
			goodbye = true
		}
	}
	if !cname || !goodbye {
		t.Errorf("%s: %v", name, packets)
	}
}
