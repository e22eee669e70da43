package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

func (e *examination) httpPort(ctx context.Context) Finding {
	if e.running {
		return ready("%s: a talkstack server is running there", e.cfg.HTTPAddr)
	}
	if err := listenTCP(ctx, e.cfg.HTTPAddr); err != nil {
		return portTrouble(e.cfg.HTTPAddr, "TALKSTACK_HTTP_ADDR", err)
	}
	return ready("%s is free", e.cfg.HTTPAddr)
}

func (e *examination) sipPort(ctx context.Context) Finding {
	err := listenUDP(ctx, e.cfg.SIPAddr)
	if err == nil {
		err = listenTCP(ctx, e.cfg.SIPAddr)
	}
	switch {
	case err == nil && e.running:
		return limited("check TALKSTACK_SIP_ADDR: doctor must be run with the server's own settings",
			"%s is free, although a server is running: it has another SIP address", e.cfg.SIPAddr)
	case err == nil:
		return ready("%s is free, UDP and TCP", e.cfg.SIPAddr)
	case e.running && errors.Is(err, syscall.EADDRINUSE):
		return ready("%s: in use by the running server", e.cfg.SIPAddr)
	}
	return portTrouble(e.cfg.SIPAddr, "TALKSTACK_SIP_ADDR", err)
}

// rtpPorts counts the pairs that are free now on the address SIP listens on.
func (e *examination) rtpPorts(ctx context.Context) Finding {
	ports := e.cfg.RTPPorts
	host, _, err := net.SplitHostPort(e.cfg.SIPAddr)
	if err != nil {
		return notReady("set TALKSTACK_SIP_ADDR", "%v", err)
	}
	free := 0
	for port := ports.Low + ports.Low%2; port < ports.High; port += 2 {
		if ctx.Err() != nil {
			break
		}
		if listenUDP(ctx, hostPort(host, port)) == nil && listenUDP(ctx, hostPort(host, port+1)) == nil {
			free++
		}
	}
	want := e.cfg.CallLimit()
	switch {
	case free == 0:
		return notReady("set TALKSTACK_RTP_PORTS to a range that nothing else uses", "none of %s is free", ports)
	case free < want && !e.running:
		return limited("widen TALKSTACK_RTP_PORTS or lower TALKSTACK_MAX_CALLS", "%s: room for %d calls now, and %d are allowed", ports, free, want)
	}
	return ready("%s: room for %d calls now", ports, free)
}

func portTrouble(addr, setting string, err error) Finding {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return notReady("stop the program that uses it, or set "+setting, "%s is taken by another program", addr)
	case errors.Is(err, syscall.EACCES):
		return notReady("use a port above 1023, or allow the program to bind low ports", "%s may not be bound by this user", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return notReady("set "+setting+" to an address of this machine, or to 0.0.0.0 for all of them", "%s is not an address of this machine", addr)
	}
	return notReady("check "+setting, "%s: %v", addr, err)
}

func listenTCP(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func listenUDP(ctx context.Context, addr string) error {
	c, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// reachable turns an address that is listened on into one that can be asked: 0.0.0.0 becomes loopback.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
