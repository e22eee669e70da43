package sip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
)

const (
	maxMessage       = 32 << 10         // bytes of one SIP message; larger ones are malformed to us
	maxIdentifier    = 256              // bytes of a Call-ID, tag or branch
	refusalsPerSec   = 50               // answers to strangers; the rest of a flood is dropped unanswered
	refusalLogEvery  = 10 * time.Second // a flood makes one line in this time
	maxStreams       = 512              // TCP connections that peers may hold open
	streamWriteLimit = 5 * time.Second  // a peer that does not read must not hold up a transaction
	resolveEvery     = time.Minute
	resolveLimit     = 2 * time.Second // a slow name server must not hold up the start
)

// gate stands between the sockets and the SIP stack. Only messages that are whole and come from somebody who may call
// get through, so that a flood from strangers costs no transaction, no goroutine and no memory.
type gate struct {
	allow  func(netip.Addr) bool
	trunk  *talkstack.Trunk
	counts *counters
	log    *slog.Logger
	parser *sip.Parser

	mu         sync.Mutex
	trunkAddrs []netip.Addr
	resolvedAt time.Time
	admitted   map[netip.Addr]int            // peers of our own calls, with the number of calls
	watchers   map[netip.AddrPort][]*watcher // who wants to hear of unreachable peers
	tokens     float64
	tokensAt   time.Time
	loggedAt   time.Time
	unlogged   int
	closers    []func() error
	streams    chan struct{} // a slot for each TCP connection
}

// watcher hears once when its peer is reported unreachable.
type watcher struct{ unreachable chan struct{} }

func newGate(c Config, counts *counters) *gate {
	return &gate{
		allow: c.Allow, trunk: c.Trunk, counts: counts, log: c.Log, parser: newParser(),
		admitted: map[netip.Addr]int{}, watchers: map[netip.AddrPort][]*watcher{},
		tokens: refusalsPerSec, streams: make(chan struct{}, maxStreams),
	}
}

func newParser() *sip.Parser {
	p := sip.NewParser()
	p.MaxMessageLength = maxMessage
	return p
}

// listen binds UDP and TCP to the same port. Where the port is ours to choose, a few are tried until one is free for both.
func listen(ctx context.Context, addr string) (*net.UDPConn, net.Listener, error) {
	var lc net.ListenConfig
	for try := 0; ; try++ {
		pc, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return nil, nil, err
		}
		udp := pc.(*net.UDPConn)
		tcp, err := lc.Listen(ctx, "tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close()
		if _, port, _ := net.SplitHostPort(addr); port != "0" || try == 20 {
			return nil, nil, err
		}
	}
}

// resolve looks the trunk's addresses up, at most once a minute. Old addresses stay allowed when the lookup fails.
func (g *gate) resolve(ctx context.Context) error {
	if g.trunk == nil {
		return nil
	}
	g.mu.Lock()
	fresh := len(g.trunkAddrs) > 0 && time.Since(g.resolvedAt) < resolveEvery
	g.mu.Unlock()
	if fresh {
		return nil
	}
	addrs, err := lookup(ctx, g.trunk.Host)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trunkAddrs, g.resolvedAt = addrs, time.Now()
	return nil
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	// IPv4 first: most trunks that publish both are reached more surely by it.
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs, err
}

// admits reports whether messages from a may pass.
func (g *gate) admits(a netip.Addr) bool {
	g.mu.Lock()
	known := g.admitted[a] > 0 || slices.Contains(g.trunkAddrs, a)
	g.mu.Unlock()
	if known {
		return true
	}
	if g.allow != nil {
		return g.allow(a)
	}
	return a.IsLoopback()
}

// admit lets a peer of one of our calls through. After release it is still heard for as long as its last messages may
// take: the answer to our BYE, and what it sends again because ours was lost.
func (g *gate) admit(a netip.Addr) (release func()) {
	a = a.Unmap()
	g.mu.Lock()
	g.admitted[a]++
	g.mu.Unlock()
	return sync.OnceFunc(func() {
		time.AfterFunc(requestTimeout, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.admitted[a]--; g.admitted[a] == 0 {
				delete(g.admitted, a)
			}
		})
	})
}

// watch returns a channel that is closed when the network says that nobody listens at peer (ICMP).
func (g *gate) watch(peer netip.AddrPort) (unreachable <-chan struct{}, release func()) {
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	w := &watcher{unreachable: make(chan struct{})}
	g.mu.Lock()
	g.watchers[peer] = append(g.watchers[peer], w)
	g.mu.Unlock()
	return w.unreachable, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		rest := slices.DeleteFunc(g.watchers[peer], func(other *watcher) bool { return other == w })
		if len(rest) == 0 {
			delete(g.watchers, peer)
			return
		}
		g.watchers[peer] = rest
	}
}

func (g *gate) reportUnreachable(peer netip.AddrPort) {
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.watchers[peer] {
		close(w.unreachable)
	}
	delete(g.watchers, peer)
}

// refuse answers a stranger's request with 403, as long as there are not too many of them.
func (g *gate) refuse(message []byte, from netip.AddrPort, write func([]byte)) {
	g.counts.refused.Add(1)
	now := time.Now()
	g.mu.Lock()
	g.unlogged++
	report := 0
	if now.Sub(g.loggedAt) >= refusalLogEvery {
		report, g.unlogged, g.loggedAt = g.unlogged, 0, now
	}
	g.tokens = min(refusalsPerSec, g.tokens+now.Sub(g.tokensAt).Seconds()*refusalsPerSec)
	g.tokensAt = now
	answer := g.tokens >= 1
	if answer {
		g.tokens--
	}
	g.mu.Unlock()
	if report > 0 {
		g.log.Warn("sip message from a source that may not call", "source", from.Addr().String(), "messages", report)
	}
	if !answer {
		return
	}
	req, ok := g.parse(message).(*sip.Request)
	if !ok || req.IsAck() {
		return
	}
	req.SetSource(from.String())
	write([]byte(sip.NewResponseFromRequest(req, sip.StatusForbidden, "Forbidden", nil).String()))
}

// parse returns the message when it has all that the stack relies on, nil otherwise. Whatever the bytes are, it returns.
func (g *gate) parse(b []byte) (msg sip.Message) {
	defer func() {
		if recover() != nil {
			msg = nil
		}
	}()
	m, err := g.parser.ParseSIP(b)
	if err != nil || !wellFormed(m) {
		return nil
	}
	return m
}

// wellFormed checks for the fields that every message must have (RFC 3261 section 8.1.1), within sane lengths.
func wellFormed(m sip.Message) bool {
	via, cseq, id, from, to := m.Via(), m.CSeq(), m.CallID(), m.From(), m.To()
	if via == nil || cseq == nil || id == nil || from == nil || to == nil {
		return false
	}
	branch, _ := via.Params.Get("branch")
	fromTag, _ := from.Params.Get("tag")
	toTag, _ := to.Params.Get("tag")
	for _, s := range []string{string(*id), branch, fromTag, toTag, via.Host} {
		if len(s) > maxIdentifier {
			return false
		}
	}
	if *id == "" || via.Host == "" {
		return false
	}
	switch m := m.(type) {
	case *sip.Request:
		return cseq.MethodName == m.Method && m.SipVersion == "SIP/2.0" && fromTag != ""
	case *sip.Response:
		return m.StatusCode >= 100 && m.StatusCode < 700
	}
	return false
}

// close closes the sockets.
func (g *gate) close() {
	g.mu.Lock()
	closers := g.closers
	g.mu.Unlock()
	for _, c := range closers {
		_ = c()
	}
}

func (g *gate) onClose(c func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closers = append(g.closers, c)
}

// packets is the UDP socket as the stack may see it.
func (g *gate) packets(conn *net.UDPConn) *packetGate {
	g.onClose(conn.Close)
	if err := enableErrorQueue(conn); err != nil {
		g.log.Debug("unreachable peers are noticed by time only", "error", err)
	}
	reading := make(chan struct{})
	return &packetGate{UDPConn: conn, gate: g, reading: reading, begin: sync.OnceFunc(func() { close(reading) })}
}

type packetGate struct {
	*net.UDPConn
	gate    *gate
	reading chan struct{} // closed once somebody reads
	begin   func()
}

// maxReadErrors in a row mean that the socket is broken. Each ICMP report of an unreachable peer is one read error.
const maxReadErrors = 1000

func (p *packetGate) ReadFrom(b []byte) (int, net.Addr, error) {
	p.begin()
	for failures := 0; ; {
		n, from, err := p.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || failures == maxReadErrors {
				return 0, nil, err
			}
			failures++
			p.drainErrors()
			continue
		}
		failures = 0
		message := b[:n]
		if len(strings.Trim(string(message[:min(n, 8)]), "\r\n\x00")) == 0 && n <= 8 {
			continue // keep-alive (RFC 5626 section 3.5.1)
		}
		if !p.gate.admits(from.Addr().Unmap()) {
			p.gate.refuse(message, from, func(res []byte) { _, _ = p.WriteToUDPAddrPort(res, from) })
			continue
		}
		if p.gate.parse(message) == nil {
			p.gate.counts.malformed.Add(1)
			continue
		}
		return n, net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())), nil
	}
}

// WriteTo sends a message. An error that the kernel reports here may belong to an earlier message to somebody else:
// such errors are told to whom they concern, and the message is sent again.
func (p *packetGate) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := p.UDPConn.WriteTo(b, to)
	for range 8 {
		if err == nil || !p.drainErrors() {
			break
		}
		n, err = p.UDPConn.WriteTo(b, to)
	}
	return n, err
}

// drainErrors reports whether there were any.
func (p *packetGate) drainErrors() bool {
	peers := readErrorQueue(p.UDPConn)
	for _, peer := range peers {
		p.gate.reportUnreachable(peer)
	}
	return len(peers) > 0
}

// listener is the TCP socket as the stack may see it.
func (g *gate) listener(l net.Listener) net.Listener {
	g.onClose(l.Close)
	return &streamGate{Listener: l, gate: g}
}

type streamGate struct {
	net.Listener
	gate *gate
}

func (s *streamGate) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			continue // out of files, or a peer that went away at once
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
		if !s.gate.admits(from.Addr().Unmap()) {
			// A stranger's connection is not read from: whatever it would ask, the answer is no.
			s.gate.refuse(nil, from, nil)
			_ = conn.Close()
			continue
		}
		select {
		case s.gate.streams <- struct{}{}:
			return &stream{Conn: conn, free: sync.OnceFunc(func() { <-s.gate.streams })}, nil
		default:
			s.gate.counts.overload.Add(1)
			_ = conn.Close()
		}
	}
}

type stream struct {
	net.Conn
	free func()
}

func (s *stream) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(streamWriteLimit)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

func (s *stream) Close() error {
	s.free()
	return s.Conn.Close()
}
