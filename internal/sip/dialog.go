package sip

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// allowed are the methods we take, for the Allow header.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"

// dialogKey finds a dialog from a message. The remote tag is compared after that: a message that has our tag but not
// the peer's is not the peer's.
type dialogKey struct{ callID, localTag string }

// dialog is the peer-to-peer relation of RFC 3261 section 12. It makes the requests that we send inside a call.
type dialog struct {
	callID        string
	local, remote sip.FromHeader // as we put them in From and To of our requests, tags included
	localTag      string
	contact       sip.ContactHeader // where the peer finds us
	via           sip.ViaHeader     // without a branch
	laddr         *net.UDPAddr      // our UDP socket
	incoming      bool              // the peer began it

	mu        sync.Mutex
	remoteTag string
	localSeq  uint32
	remoteSeq uint32 // 0: none seen
	target    sip.Uri
	routes    []sip.Uri
	transport string // UDP or TCP
	flow      string // TCP: address of the connection that the peer's messages come by
}

// remoteTarget updates where the peer is found, from a request or response that may do so (RFC 3261 section 12.2).
func (d *dialog) remoteTarget(m interface{ Contact() *sip.ContactHeader }, source string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := m.Contact(); c != nil && c.Address.Host != "" && (c.Address.Scheme == "sip" || c.Address.Scheme == "") {
		d.target = *c.Address.Clone()
	}
	if d.transport == "TCP" && source != "" {
		d.flow = source
	}
}

// recordRoutes reads a message's route set, in the order in which the message has it.
func recordRoutes(m sip.Message) []sip.Uri {
	var routes []sip.Uri
	for _, h := range m.GetHeaders("Record-Route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			routes = append(routes, *rr.Address.Clone())
		}
	}
	return routes
}

// acceptSeq checks a request's CSeq: it must be higher than all before (RFC 3261 section 12.2.2).
func (d *dialog) acceptSeq(seq uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq <= d.remoteSeq && d.remoteSeq != 0 {
		return false
	}
	d.remoteSeq = seq
	return true
}

func (d *dialog) nextSeq() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.localSeq++
	return d.localSeq
}

// request makes a request inside the dialog. ACK takes the CSeq of the INVITE it answers, all others the next one.
func (d *dialog) request(method sip.RequestMethod, seq uint32) *sip.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	recipient, routes := *d.target.Clone(), slices.Clone(d.routes)
	nextHop := recipient
	if len(routes) > 0 {
		nextHop = routes[0]
		if !routes[0].UriParams.Has("lr") {
			// A strict router of old: it wants to be the Request-URI, and the target comes last (section 12.2.1.1).
			routes = append(routes[1:], recipient)
			recipient = nextHop
		}
	}
	recipient.Headers = nil
	transport := d.transport
	if p, ok := nextHop.UriParams.Get("transport"); ok {
		switch t := strings.ToUpper(p); t {
		case "UDP", "TCP":
			transport = t
		}
	}
	req := sip.NewRequest(method, recipient)
	via := d.via.Clone()
	via.Transport = transport
	via.Params.Add("branch", sip.GenerateBranch())
	req.AppendHeader(via)
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(&sip.FromHeader{DisplayName: d.local.DisplayName, Address: *d.local.Address.Clone(), Params: withTag(d.local.Params, d.localTag)})
	req.AppendHeader(&sip.ToHeader{DisplayName: d.remote.DisplayName, Address: *d.remote.Address.Clone(), Params: withTag(d.remote.Params, d.remoteTag)})
	callID := sip.CallIDHeader(d.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	if method == sip.INVITE || method == sip.UPDATE {
		req.AppendHeader(d.contactFor(transport))
	}
	req.SetBody(nil)
	req.SetTransport(transport)
	req.SetDestination(hostPort(nextHop))
	if transport == "TCP" && d.flow != "" && len(d.routes) == 0 {
		req.SetDestination(d.flow)
	}
	if transport == "UDP" {
		req.Laddr = sip.Addr{IP: d.laddr.IP, Port: d.laddr.Port}
	}
	return req
}

func (d *dialog) contactFor(transport string) *sip.ContactHeader {
	c := d.contact.Clone()
	if transport == "TCP" {
		c.Address.UriParams.Add("transport", "tcp")
	}
	return c
}

// accept completes a 200 to an INVITE: where we are, what we can do, and our session description.
func (d *dialog) accept(res *sip.Response, description []byte) {
	res.AppendHeader(d.contactFor(d.transport))
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(description)
}

func withTag(params sip.HeaderParams, tag string) sip.HeaderParams {
	p := params.Clone()
	p.Remove("tag")
	if tag != "" {
		p.Add("tag", tag)
	}
	return p
}

// hostPort is where a URI leads to, with SIP's port when it names none.
func hostPort(u sip.Uri) string {
	port := u.Port
	if port == 0 {
		port = sip.DefaultUdpPort
	}
	return net.JoinHostPort(strings.Trim(u.Host, "[]"), strconv.Itoa(port))
}

// newTag makes a tag with 64 random bits: enough that nobody guesses the tags of a call he does not see.
func newTag() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// tags are the From and To tag of a message; empty when it has none.
func tags(m sip.Message) (from, to string) {
	if h := m.From(); h != nil {
		from, _ = h.Params.Get("tag")
	}
	if h := m.To(); h != nil {
		to, _ = h.Params.Get("tag")
	}
	return from, to
}

// userPart is the user of a SIP or tel URI: the number, as it was sent.
func userPart(u *sip.Uri) string {
	user := u.User
	if u.Scheme == "tel" {
		user = u.Raw()
	}
	user, _, _ = strings.Cut(user, ";") // parameters such as phone-context
	if decoded, err := url.PathUnescape(user); err == nil {
		user = decoded
	}
	return printable(user)
}

// isToken reports whether s may stand in a header as it is: no space, quote, bracket or line break gets by.
func isToken(s string) bool {
	return s != "" && len(s) <= maxIdentifier && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"\\,;?:/[]{}()", r) && r != ':' && r != '/'
	})
}

// isUser reports whether s may be the user part of a URI of ours: a number, or a plain name.
func isUser(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+*#-._", r)
	})
}

// advertised is the address of ours that a peer is told.
func (ua *UserAgent) advertised(peer netip.Addr) string {
	if ua.config.PublicIP != "" {
		return ua.config.PublicIP
	}
	return ua.mediaAddr(peer).String()
}

// mediaAddr is the address of ours that leads to a peer: the one we listen on, or the kernel's choice when we listen on all.
func (ua *UserAgent) mediaAddr(peer netip.Addr) netip.Addr {
	local := ua.local.Addr().Unmap()
	if !local.IsUnspecified() {
		return local
	}
	// Connecting a UDP socket sends nothing; it only asks the kernel for the route.
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 9)))
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// newDialog makes our half of a dialog with a peer; the rest follows from the messages.
func (ua *UserAgent) newDialog(callID, transport, user string, peer netip.Addr) *dialog {
	host := ua.advertised(peer)
	port := int(ua.local.Port())
	d := &dialog{
		callID: callID, localTag: newTag(), transport: transport,
		laddr: net.UDPAddrFromAddrPort(ua.local),
		via:   sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: host, Port: port},
	}
	d.via.Params.Add("rport", "")
	d.contact.Address = sip.Uri{Scheme: "sip", User: user, Host: host, Port: port}
	return d
}
