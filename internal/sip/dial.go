package sip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
	"talkstack/internal/media/rtp"
	"talkstack/internal/media/sdp"
)

// DialRequest is one attempt at a call.
type DialRequest struct {
	To     string // number to call, E.164
	From   string // the agent's number, E.164: From and P-Asserted-Identity
	CallID string // SIP Call-ID, so that the far end can tell attempts apart; empty: a random one
	Target string // URI to call instead of To at the trunk: sip:bob@192.0.2.7:5070;transport=tcp

	Credentials Credentials   // empty: the trunk's
	RingTimeout time.Duration // from the INVITE to the answer; 0 means 60 s

	OnRinging    func()     // the party's phone rings, or early media plays: once
	OnEarlyMedia func(*Leg) // audio comes before the answer: once. The leg's frames may be read; it is not answered
}

const defaultRingTimeout = time.Minute

// Dial places a call and returns its leg once it is answered. When it is not, the error is a *DialError. When ctx ends,
// or the ring timeout passes, the call is cancelled; if an answer crosses the CANCEL, it is acknowledged and hung up.
func (ua *UserAgent) Dial(ctx context.Context, r DialRequest) (*Leg, error) {
	if !ua.crew.enter() {
		return nil, dropped("The server is stopping.", errStopped)
	}
	defer ua.crew.leave()
	o, err := ua.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	ua.counts.invitesOut.Add(1)
	o.leg.log.Info("leg dialling", "to", talkstack.MaskNumber(r.To), "peer", o.route.addr.String())
	if err := o.place(ctx); err != nil {
		_ = o.leg.media.Close()
		o.leg.release()
		o.leg.log.Info("leg not answered", "status", string(err.Status), "code", string(err.Reason.Code), "sip_code", err.SIPCode)
		return nil, err
	}
	ua.counts.answered.Add(1)
	return o.leg, nil
}

// route is where an INVITE goes.
type route struct {
	uri       sip.Uri
	transport string
	addr      netip.AddrPort
	creds     Credentials
}

// prepare checks a request, finds its way and opens its media.
func (ua *UserAgent) prepare(ctx context.Context, r DialRequest) (*outgoing, error) {
	if r.CallID == "" {
		r.CallID = newTag() + newTag()
	}
	if !isUser(r.From) || !isToken(r.CallID) || (r.To != "" || r.Target == "") && !isUser(r.To) {
		e := refusal(0, "")
		e.Reason = talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndInvalidDestination, Message: "The number to call, the caller's number or the Call-ID is not usable."}
		return nil, e
	}
	way, err := ua.route(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.RingTimeout <= 0 {
		r.RingTimeout = defaultRingTimeout
	}
	peer := way.addr.Addr()
	d := ua.newDialog(r.CallID, way.transport, r.From, peer)
	d.target = way.uri
	d.local.Address = phoneURI(r.From, d.contact.Address.Host, 0)
	d.remote.Address = sip.Uri{Scheme: "sip", User: way.uri.User, Host: way.uri.Host, UriParams: way.uri.UriParams.Clone()}
	d.remote.Address.UriParams.Remove("transport")
	leg, err := ua.newLeg(d, peer)
	if err != nil {
		return nil, dropped("No media port could be opened for the call.", err)
	}
	leg.release = ua.gate.admit(peer)
	leg.creds = way.creds
	return &outgoing{ua: ua, leg: leg, request: r, route: way, auth: authorization{creds: way.creds}}, nil
}

// route finds the next hop: the target, or the trunk.
func (ua *UserAgent) route(ctx context.Context, r DialRequest) (route, error) {
	way := route{transport: "UDP", creds: r.Credentials}
	trunk := ua.config.Trunk
	switch {
	case r.Target != "":
		if len(r.Target) > 512 || strings.ContainsAny(r.Target, "\r\n\t <>\"") || sip.ParseUri(r.Target, &way.uri) != nil ||
			way.uri.Scheme != "sip" || way.uri.Host == "" || way.uri.Port < 0 || way.uri.Port > 65535 {
			return way, dropped("The target is not a SIP URI such as sip:name@host:5060.", nil)
		}
		way.uri.Password, way.uri.Headers = "", nil
		if way.uri.User == "" {
			way.uri.User = r.To
		}
		switch t, _ := way.uri.UriParams.Get("transport"); strings.ToLower(t) {
		case "", "udp":
		case "tcp":
			way.transport = "TCP"
		default:
			return way, dropped("The target's transport is neither udp nor tcp.", nil)
		}
	case trunk != nil:
		way.uri = phoneURI(r.To, trunk.Host, trunk.Port)
		if trunk.Transport == talkstack.TransportTCP {
			way.transport = "TCP"
			way.uri.UriParams.Add("transport", "tcp")
		}
		if way.creds.User == "" {
			way.creds = Credentials{User: trunk.User, Password: trunk.Password}
		}
	default:
		return way, dropped("No SIP trunk is configured: set TALKSTACK_SIP_TRUNK.", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, ua.config.InviteTimeout)
	defer cancel()
	_ = ua.gate.resolve(ctx) // keeps the trunk's addresses known as callers, even when they change
	addrs, err := lookup(ctx, way.uri.Host)
	if err != nil || len(addrs) == 0 {
		return way, unreached("The carrier's host name could not be resolved.", err)
	}
	port := way.uri.Port
	if port == 0 {
		port = sip.DefaultUdpPort
	}
	way.addr = netip.AddrPortFrom(addrs[0], uint16(port)) //nolint:gosec // checked above and by ParseTrunk
	return way, nil
}

// phoneURI is a number at a host: sip:+14155550148@host;user=phone (RFC 3261 section 19.1.6).
func phoneURI(user, host string, port int) sip.Uri {
	u := sip.Uri{Scheme: "sip", User: user, Host: host, UriParams: sip.NewParams()}
	if port != sip.DefaultUdpPort {
		u.Port = port
	}
	if strings.HasPrefix(user, "+") {
		u.UriParams.Add("user", "phone")
	}
	return u
}

// outgoing is a call that is being placed.
type outgoing struct {
	ua      *UserAgent
	leg     *Leg
	request DialRequest
	route   route
	auth    authorization

	invite  *sip.Request
	tx      *sip.ClientTx
	heard   bool // a provisional response came, so CANCEL may be sent (RFC 3261 section 9.1)
	rang    bool
	early   bool // OnEarlyMedia was called
	agreed  *rtp.Remote
	cancels sync.Once
}

// place sends the INVITE, again for each challenge, until something final happens.
func (o *outgoing) place(ctx context.Context) *DialError {
	ring := time.NewTimer(o.request.RingTimeout)
	defer ring.Stop()
	offer := o.leg.sdp.Offer(sdp.SendRecv)
	for {
		if err := o.send(ctx, offer); err != nil {
			return unreached(unreachedMessage(err), err)
		}
		res, failure := o.await(ctx, ring.C)
		switch {
		case failure != nil:
			return failure
		case res.IsSuccess():
			return o.answered(res)
		case res.StatusCode == sip.StatusUnauthorized, res.StatusCode == sip.StatusProxyAuthRequired:
			if err := o.auth.challenged(o.invite, res); err != nil {
				e := refusal(res.StatusCode, res.Reason)
				e.Err = err
				if errors.Is(err, errNoCredentials) {
					e.Reason.Message = "The carrier asks for a user name and password, and none is configured."
				}
				return e
			}
		default:
			return refusal(res.StatusCode, res.Reason)
		}
	}
}

func unreachedMessage(err error) string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "Nobody listens at the carrier's address (connection refused)."
	}
	return "The carrier could not be reached."
}

// send starts a transaction with a new INVITE.
func (o *outgoing) send(ctx context.Context, offer []byte) error {
	d := o.leg.dialog
	req := d.request(sip.INVITE, d.nextSeq())
	req.SetDestination(o.route.addr.String())
	o.auth.add(req)
	identity := phoneURI(o.request.From, d.contact.Address.Host, 0)
	req.AppendHeader(sip.NewHeader("P-Asserted-Identity", "<"+identity.String()+">"))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("User-Agent", o.ua.config.UserAgent))
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(offer)
	ctx, cancel := context.WithTimeout(ctx, o.ua.config.InviteTimeout)
	defer cancel()
	tx, err := o.ua.transactions.Request(ctx, req)
	if err != nil {
		return err
	}
	o.invite, o.tx, o.heard = req, tx, false
	return nil
}

// await returns the final response to the INVITE, or why none is waited for any longer.
func (o *outgoing) await(ctx context.Context, ring <-chan time.Time) (*sip.Response, *DialError) {
	silence := time.NewTimer(o.ua.config.InviteTimeout)
	defer silence.Stop()
	unreachable, release := o.ua.gate.watch(o.route.addr)
	defer release()
	for {
		select {
		case res := <-o.tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
			silence.Stop()
			o.heard = true
			o.progress(res)
		case <-o.tx.Done():
			err := o.tx.Err()
			return nil, unreached(unreachedMessage(err), err)
		case <-unreachable:
			if !o.heard {
				o.tx.Terminate()
				return nil, unreached(unreachedMessage(syscall.ECONNREFUSED), syscall.ECONNREFUSED)
			}
			unreachable = nil
		case <-silence.C:
			o.tx.Terminate()
			o.ua.remember(o)
			return nil, unreached("The carrier did not reply.", nil)
		case <-ring:
			o.abandon()
			return nil, rangOut()
		case <-ctx.Done():
			o.abandon()
			return nil, dropped("The call was given up before it was answered.", context.Cause(ctx))
		case <-o.ua.ctx.Done():
			o.abandon()
			return nil, dropped("The server is stopping.", errStopped)
		}
	}
}

// progress takes a provisional response: any number may come.
func (o *outgoing) progress(res *sip.Response) {
	switch res.StatusCode {
	case sip.StatusRinging, sip.StatusSessionInProgress:
		if !o.rang && o.request.OnRinging != nil {
			o.request.OnRinging()
		}
		o.rang = true
	}
	if len(res.Body()) == 0 || !isSDP(res) {
		return
	}
	if err := o.agree(res.Body()); err != nil {
		o.leg.log.Warn("early media is not usable", "error", err)
		return
	}
	if !o.early && o.request.OnEarlyMedia != nil {
		o.request.OnEarlyMedia(o.leg)
	}
	o.early = true
}

// agree takes the peer's answer to our offer. The same answer may come in several responses.
func (o *outgoing) agree(body []byte) error {
	remote, err := o.leg.sdp.Accept(body)
	if err != nil {
		return err
	}
	if o.agreed == nil || *o.agreed != remote {
		o.leg.run(remote)
	}
	o.agreed = &remote
	return nil
}

// answered turns a 2xx into a dialog with media.
func (o *outgoing) answered(res *sip.Response) *DialError {
	d := o.leg.dialog
	d.adopt(res)
	_, tag := tags(res)
	seq := o.invite.CSeq().SeqNo
	o.tx.OnRetransmission(func(again *sip.Response) {
		if _, other := tags(again); other != tag {
			o.clear(again) // a second phone answered too (forking): one is enough
			return
		}
		_ = o.ua.ack(d, seq, &o.auth)
	})
	if err := o.ua.ack(d, seq, &o.auth); err != nil {
		return unreached("The answer could not be acknowledged.", err)
	}
	var err error
	if len(res.Body()) > 0 {
		err = o.agree(res.Body())
	} else if o.agreed == nil {
		err = errors.New("sip: the answer has no session description")
	}
	if err == nil {
		err = o.leg.add()
	}
	if err != nil {
		o.ua.crew.run(func() { _ = o.ua.bye(context.WithoutCancel(o.ua.ctx), d, o.route.creds) })
		e := unreached("The other side answered with audio that we cannot take.", err)
		e.SIPCode = res.StatusCode
		return e
	}
	return nil
}

// adopt completes a dialog from the response that makes it (RFC 3261 section 12.1.2).
func (d *dialog) adopt(res *sip.Response) {
	routes := recordRoutes(res)
	_, tag := tags(res)
	d.mu.Lock()
	d.remoteTag = tag
	d.routes = nil
	for i := len(routes) - 1; i >= 0; i-- {
		d.routes = append(d.routes, routes[i])
	}
	d.mu.Unlock()
	d.remoteTarget(res, res.Source())
}

// fork is another dialog that came of the same INVITE.
func (d *dialog) fork(res *sip.Response) *dialog {
	d.mu.Lock()
	f := &dialog{
		callID: d.callID, local: d.local, remote: d.remote, localTag: d.localTag, contact: d.contact, via: d.via,
		laddr: d.laddr, localSeq: d.localSeq, target: *d.target.Clone(), transport: d.transport,
	}
	d.mu.Unlock()
	f.adopt(res)
	return f
}

// ack acknowledges a 2xx. Each time it is the same ACK, credentials included (RFC 3261 section 22.1).
func (ua *UserAgent) ack(d *dialog, seq uint32, auth *authorization) error {
	req := d.request(sip.ACK, seq)
	auth.add(req)
	ua.checkFlow(req, d)
	return ua.transport.WriteMsg(req)
}

func isSDP(m interface{ ContentType() *sip.ContentTypeHeader }) bool {
	h := m.ContentType()
	if h == nil {
		return false
	}
	kind, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/sdp")
}
