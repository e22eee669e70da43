package sip

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// enableErrorQueue makes the kernel keep ICMP errors with the address they are about (ip(7), IP_RECVERR).
// Without it a socket that is not connected never hears of them.
func enableErrorQueue(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var err4, err6 error
	if err := raw.Control(func(fd uintptr) {
		err4 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		err6 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	}); err != nil {
		return err
	}
	if err4 != nil && err6 != nil {
		return errors.Join(err4, err6)
	}
	return nil
}

// readErrorQueue takes all waiting ICMP errors and returns the peers that were not reached.
func readErrorQueue(conn *net.UDPConn) []netip.AddrPort {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	var peers []netip.AddrPort
	_ = raw.Control(func(fd uintptr) {
		var packet, control [512]byte
		for range 64 {
			_, _, _, to, err := unix.Recvmsg(int(fd), packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			switch a := to.(type) {
			case *unix.SockaddrInet4:
				peers = append(peers, netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
			case *unix.SockaddrInet6:
				peers = append(peers, netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)))
			default:
				peers = append(peers, netip.AddrPort{})
			}
		}
	})
	return peers
}
