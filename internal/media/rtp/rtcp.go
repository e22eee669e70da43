package rtp

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/pion/rtcp"
)

const reportInterval = 5 * time.Second // RFC 3550 section 6.2; each is between half and one and a half of it

// reports is what RTCP keeps. The session guards it with in.
type reports struct {
	remote Remote
	cname  string
	peer   PeerReport
	source netip.AddrPort // where the peer's RTCP comes from; zero: none came
	sent   int64          // our packets at the last report

	lastReport uint32    // middle of the NTP time of the peer's last sender report
	reportedAt time.Time // when it came
}

func (r *reports) update(remote Remote) {
	if remote.RTP != r.remote.RTP || remote.RTCP != r.remote.RTCP {
		r.source = netip.AddrPort{}
	}
	r.remote = remote
}

// target is where our reports go. Multiplexed ones follow RTP.
func (r *reports) target(rtpTarget netip.AddrPort) netip.AddrPort {
	switch remote := r.remote; {
	case r.source.IsValid():
		return r.source
	case remote.RTCP.IsValid() && remote.RTCP == remote.RTP:
		return rtpTarget
	case remote.RTCP.IsValid():
		return remote.RTCP
	case remote.RTP.IsValid() && remote.RTP.Port() < 65535:
		return netip.AddrPortFrom(remote.RTP.Addr(), remote.RTP.Port()+1)
	}
	return netip.AddrPort{}
}

// muxed reports whether RTCP shares the RTP port.
func (r *reports) muxed() bool { return r.remote.RTCP.IsValid() && r.remote.RTCP == r.remote.RTP }

// runRTCP reads the RTCP socket until it is closed, and sends our reports between packets.
func (s *Session) runRTCP() {
	buf := make([]byte, maxPacketSize)
	next := time.Now().Add(reportDelay())
	for {
		_ = s.sockets.rtcp.SetReadDeadline(next) // fails only when closed, which the read tells
		n, from, err := s.sockets.rtcp.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			s.takeReport(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now())
		case !errors.Is(err, os.ErrDeadlineExceeded):
			continue // an ICMP error of an earlier packet
		}
		if !time.Now().Before(next) { // packets must not put our reports off
			s.sendReport(false)
			next = time.Now().Add(reportDelay())
		}
	}
}

// reportDelay is random, so that parties do not fall into step.
func reportDelay() time.Duration {
	return time.Duration((0.5 + rand.Float64()) * float64(reportInterval)) //nolint:gosec // spreads load
}

// sendReport sends a compound packet: what we sent and heard, who we are, and at the end goodbye.
func (s *Session) sendReport(goodbye bool) {
	packets, conn, to := s.compose(time.Now(), goodbye)
	if !to.IsValid() || to.Addr().IsUnspecified() {
		return
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		s.log.Error("rtcp report not made", "error", err)
		return
	}
	_, _ = conn.WriteToUDPAddrPort(b, to) // lost, as any packet may be
}

func (s *Session) compose(now time.Time, goodbye bool) ([]rtcp.Packet, *net.UDPConn, netip.AddrPort) {
	s.out.Lock()
	defer s.out.Unlock()
	s.in.Lock()
	defer s.in.Unlock()
	var blocks []rtcp.ReceptionReport
	if r := &s.receive; r.known && r.sequence.valid {
		blocks = []rtcp.ReceptionReport{s.block(now)}
	}
	out := &s.send
	var report rtcp.Packet = &rtcp.ReceiverReport{SSRC: out.ssrc, Reports: blocks}
	if out.packets > s.reports.sent {
		elapsed := samples(now.Sub(s.epoch) - out.last)
		report = &rtcp.SenderReport{
			SSRC: out.ssrc, NTPTime: ntp(now), RTPTime: out.timestamp + uint32(elapsed), //nolint:gosec // modulo 2^32
			PacketCount: uint32(out.packets), OctetCount: uint32(out.bytes), //nolint:gosec // modulo 2^32
			Reports: blocks,
		}
		s.reports.sent = out.packets
	}
	packets := []rtcp.Packet{report, rtcp.NewCNAMESourceDescription(out.ssrc, s.reports.cname)}
	if goodbye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{out.ssrc}})
	}
	conn := s.sockets.rtcp
	if s.reports.muxed() {
		conn = s.sockets.rtp
	}
	return packets, conn, s.reports.target(s.receive.target())
}

// block reports on the peer's stream (RFC 3550 section 6.4.1).
func (s *Session) block(now time.Time) rtcp.ReceptionReport {
	r := &s.receive
	b := rtcp.ReceptionReport{
		SSRC:               r.ssrc,
		FractionLost:       r.sequence.fraction(),
		TotalLost:          uint32(min(r.sequence.lost(), 1<<23-1)), //nolint:gosec // 24 bits
		LastSequenceNumber: uint32(r.sequence.newest),               //nolint:gosec // modulo 2^32
		Jitter:             uint32(r.spread),
		LastSenderReport:   s.reports.lastReport,
	}
	if b.LastSenderReport != 0 {
		b.Delay = uint32(now.Sub(s.reports.reportedAt) * 65536 / time.Second) //nolint:gosec // in 65,536ths of a second
	}
	return b
}

// takeReport reads the peer's RTCP. Only its own host is listened to.
func (s *Session) takeReport(b []byte, from netip.AddrPort, now time.Time) {
	s.in.Lock()
	defer s.in.Unlock()
	r := &s.receive
	if !r.active || from.Addr() != r.target().Addr() && from.Addr() != s.reports.remote.RTCP.Addr() {
		r.foreign++
		return
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		r.malformed++
		return
	}
	s.reports.source = from
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if r.known && p.SSRC == r.ssrc {
				s.reports.lastReport, s.reports.reportedAt = middle(p.NTPTime), now
			}
			s.learn(p.Reports, now)
		case *rtcp.ReceiverReport:
			s.learn(p.Reports, now)
		}
	}
}

// learn keeps what the peer says of our stream.
func (s *Session) learn(blocks []rtcp.ReceptionReport, now time.Time) {
	for _, b := range blocks {
		if b.SSRC != s.send.ssrc { // never changes after Open
			continue
		}
		peer := PeerReport{
			At: now, Lost: int64(b.TotalLost), FractionLost: float64(b.FractionLost) / 256,
			Jitter: duration(int64(b.Jitter)), RoundTrip: s.reports.peer.RoundTrip,
		}
		if b.LastSenderReport != 0 { // RFC 3550 section 6.4.1, figure 2
			trip := time.Duration(middle(ntp(now))-b.LastSenderReport-b.Delay) * time.Second / 65536
			if trip < time.Minute { // else a clock was set, or the peer made it up
				peer.RoundTrip = trip
			}
		}
		s.reports.peer = peer
	}
}

// ntp is a time in seconds since 1900, in 32.32 bits (RFC 3550 section 4).
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1e9 //nolint:gosec // after 1900
}

// middle is the 32 bits of an NTP time that reports carry.
func middle(t uint64) uint32 { return uint32(t >> 16) } //nolint:gosec // the middle is meant
