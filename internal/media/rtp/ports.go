package rtp

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"talkstack"
)

// Ports hands out even UDP ports of a range, each with the odd one above it for RTCP (RFC 3550 section 11). It is safe
// for concurrent use. A nil *Ports leaves the choice to the operating system, for tests.
type Ports struct {
	lo, hi int // both even; lo > hi: empty

	mu    sync.Mutex
	next  int // where the search goes on: a freed port rests while its last packets are still on the way
	taken map[int]bool
}

// NewPorts makes an allocator of the ports from lo to hi. An odd lo and an even hi have no partner and are left out.
func NewPorts(lo, hi int) *Ports {
	p := &Ports{lo: (max(lo, 2) + 1) &^ 1, hi: (min(hi, 65535) - 1) &^ 1, taken: map[int]bool{}}
	if n := p.Capacity(); n > 0 {
		p.next = p.lo + 2*rand.IntN(n) //nolint:gosec // spreads restarts over the range; not a secret
	}
	return p
}

// Capacity is how many sessions the range can carry at once.
func (p *Ports) Capacity() int { return max(0, (p.hi-p.lo)/2+1) }

// Used is how many ports are handed out.
func (p *Ports) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.taken)
}

// take reserves the next port that nobody here holds.
func (p *Ports) take() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.Capacity() {
		port := p.next
		if p.next += 2; p.next > p.hi {
			p.next = p.lo
		}
		if !p.taken[port] {
			p.taken[port] = true
			return port, true
		}
	}
	return 0, false
}

func (p *Ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}

// sockets is a session's pair: RTP on an even port, RTCP on the next.
type sockets struct {
	rtp, rtcp *net.UDPConn
	ports     *Ports // who takes the port back; nil: nobody
}

func (s *sockets) close() error {
	port := s.rtp.LocalAddr().(*net.UDPAddr).Port //nolint:errcheck,forcetypeassert // a UDP socket's address
	err := errors.Join(s.rtp.Close(), s.rtcp.Close())
	if s.ports != nil {
		s.ports.release(port)
	}
	return err
}

// anyPortTries is how often the operating system is asked for a pair when there is no range: half of its ports are
// odd, and few partners are taken.
const anyPortTries = 64

// bind opens a pair on ip. A pair that another program holds is passed over.
func bind(ctx context.Context, ip netip.Addr, ports *Ports) (*sockets, error) {
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	var last error
	tries := anyPortTries
	if ports != nil {
		tries = ports.Capacity()
	}
	for range tries {
		port := 0
		if ports != nil {
			var ok bool
			if port, ok = ports.take(); !ok {
				break
			}
		}
		s, err := bindPair(ctx, ip, port)
		if err == nil {
			s.ports = ports
			return s, nil
		}
		if ports != nil {
			ports.release(port)
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, talkstack.WrapError(talkstack.CodeUnavailable, err, "The media port could not be opened.")
		}
		last = err
	}
	return nil, talkstack.WrapError(talkstack.CodeUnavailable, last,
		"All media ports are in use: widen TALKSTACK_RTP_PORTS, or wait for calls to end.")
}

// bindPair opens port and the one above it. Port 0 takes any even one.
func bindPair(ctx context.Context, ip netip.Addr, port int) (*sockets, error) {
	first, err := listen(ctx, netip.AddrPortFrom(ip, uint16(port))) //nolint:gosec // within the range
	if err != nil {
		return nil, err
	}
	got := localAddr(first)
	if got.Port()%2 != 0 { // the partner of an odd port is below it
		_ = first.Close()
		return nil, syscall.EADDRINUSE
	}
	second, err := listen(ctx, netip.AddrPortFrom(ip, got.Port()+1))
	if err != nil {
		_ = first.Close()
		return nil, err
	}
	return &sockets{rtp: first, rtcp: second}, nil
}

// listen opens one socket, of the address's own family: a dual-stack socket would see IPv4 peers as mapped IPv6.
func listen(ctx context.Context, addr netip.AddrPort) (*net.UDPConn, error) {
	network := "udp4"
	if addr.Addr().Unmap().Is6() {
		network = "udp6"
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil //nolint:errcheck,forcetypeassert // what a UDP network gives
}

func localAddr(conn *net.UDPConn) netip.AddrPort {
	a := conn.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:errcheck,forcetypeassert // a UDP socket's address
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
