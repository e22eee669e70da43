package talkstack

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Transport is how SIP messages travel to a trunk.
type Transport string

// The transports.
const (
	TransportUDP Transport = "udp"
	TransportTCP Transport = "tcp"
)

// Trunk is a carrier connection that calls go out through and come in from.
type Trunk struct {
	User      string // user name for digest authentication; empty: the trunk knows us by our address
	Password  Secret
	Host      string // host name or IP address, without brackets
	Port      int    // 5060 when the URI named none
	Transport Transport
}

// defaultSIPPort is the port of SIP over UDP and TCP (RFC 3261 section 19.1.2).
const defaultSIPPort = 5060

// ParseTrunk reads a trunk from its URI:
//
//	sip:user:password@host:5060;transport=udp
//
// User and password may hold %XX escapes. A parameter that asks for something this program does not do yet is an error
// that says what it can do, so that nobody believes a trunk to be registered or encrypted when it is not.
// The password never appears in an error.
func ParseTrunk(uri string) (*Trunk, error) {
	s := strings.TrimSpace(uri)
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case ok && strings.EqualFold(scheme, "sips"):
		return nil, errTrunk("sips (TLS) is not supported; use sip: with transport=udp or transport=tcp")
	case !ok || !strings.EqualFold(scheme, "sip"):
		return nil, errTrunk("it must start with sip:, for example sip:user:password@host:5060;transport=udp")
	}
	if strings.ContainsAny(rest, " \t\r\n<>\"") {
		return nil, errTrunk("it holds a space, a quote or an angle bracket; write them as %%20, %%22, %%3C and %%3E")
	}
	t := &Trunk{Port: defaultSIPPort, Transport: TransportUDP}
	hostport := rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		hostport = rest[i+1:]
		if err := t.parseUser(rest[:i]); err != nil {
			return nil, err
		}
	}
	if strings.Contains(hostport, "?") {
		return nil, errTrunk("headers after ? are not supported")
	}
	hostport, params, _ := strings.Cut(hostport, ";")
	if err := t.parseHost(hostport); err != nil {
		return nil, err
	}
	if err := t.parseParams(params); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Trunk) parseUser(s string) error {
	user, password, _ := strings.Cut(s, ":")
	u, err := url.PathUnescape(user)
	if err != nil {
		return errTrunk("the user name has a bad %%XX escape")
	}
	p, err := url.PathUnescape(password)
	if err != nil {
		return errTrunk("the password has a bad %%XX escape")
	}
	if u == "" {
		return errTrunk("the user name before @ is empty")
	}
	if strings.ContainsFunc(u+p, isControl) {
		return errTrunk("the user name or password holds a control character")
	}
	t.User, t.Password = u, Secret(p)
	return nil
}

func (t *Trunk) parseHost(s string) error {
	var host, port string
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return errTrunk("the IPv6 address lacks its closing bracket")
		}
		host = s[1:end]
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() || a.Zone() != "" {
			return errTrunk("the address in brackets is not an IPv6 address")
		}
		rest, ok := strings.CutPrefix(s[end+1:], ":")
		if !ok && s[end+1:] != "" {
			return errTrunk("only a port may follow the IPv6 address")
		}
		if port = rest; ok && port == "" {
			return errTrunk("the port is not a number from 1 to 65535")
		}
	case strings.Count(s, ":") > 1:
		return errTrunk("an IPv6 address must stand in brackets, as in sip:[2001:db8::1]:5060")
	default:
		var ok bool
		if host, port, ok = strings.Cut(s, ":"); ok && port == "" {
			return errTrunk("the port is not a number from 1 to 65535")
		}
		if !isHostName(host) {
			return errTrunk("the host name is missing or not valid")
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errTrunk("the port is not a number from 1 to 65535")
		}
		t.Port = int(n)
	}
	t.Host = strings.ToLower(host)
	return nil
}

func (t *Trunk) parseParams(params string) error {
	if params == "" {
		return nil
	}
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		value = strings.ToLower(value)
		switch strings.ToLower(key) {
		case "":
		case "transport":
			switch value {
			case "udp":
				t.Transport = TransportUDP
			case "tcp":
				t.Transport = TransportTCP
			default:
				return errTrunk("transport=%.20s is not supported; use transport=udp or transport=tcp", value)
			}
		case "register":
			if value != "false" {
				return errTrunk("register=%.20s is not supported: this program does not register with trunks; "+
					"use a trunk that knows our address or asks for a password on each call, and leave register away", value)
			}
		case "srtp":
			if value != "false" && value != "off" {
				return errTrunk("srtp=%.20s is not supported: audio is sent as plain RTP; leave srtp away", value)
			}
		default:
			return errTrunk("the parameter %.40q is not known; transport is the one that is supported", key)
		}
	}
	return nil
}

// Addr is the trunk's host and port, with brackets around an IPv6 address.
func (t *Trunk) Addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// String is the trunk's URI without its password.
func (t *Trunk) String() string {
	user := ""
	if t.User != "" {
		user = url.PathEscape(t.User) + "@"
	}
	return "sip:" + user + t.Addr() + ";transport=" + string(t.Transport)
}

// isHostName reports whether s is an IPv4 address or a name of letters, digits, hyphens, underscores and dots.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' || s[0] == '-' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func errTrunk(format string, args ...any) *Error {
	e := Errorf(CodeInvalid, format, args...)
	e.Message = "The SIP trunk's URI is not usable: " + e.Message + "."
	return e
}
