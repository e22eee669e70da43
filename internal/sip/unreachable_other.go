//go:build !linux

package sip

import (
	"net"
	"net/netip"
)

// Elsewhere an unreachable peer is noticed by its silence.
func enableErrorQueue(*net.UDPConn) error { return nil }

func readErrorQueue(*net.UDPConn) []netip.AddrPort { return nil }
