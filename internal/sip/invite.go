package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
	"talkstack/internal/media/rtp"
	"talkstack/internal/media/sdp"
)

// inviteKey tells calls from copies of a call that came by another way (RFC 3261 section 8.2.2.2).
type inviteKey struct {
	callID, fromTag string
	seq             uint32
}

// Invite is an incoming call that is not decided yet.
type Invite struct {
	CallID   string     // SIP Call-ID
	From     string     // the caller's number, or the user part as it was sent
	To       string     // the number that was called: the user part of the Request-URI
	Asserted string     // the number that the carrier vouches for (P-Asserted-Identity, RFC 3325); empty: none
	Verstat  string     // what the carrier says of its check of the caller's number: TN-Validation-Passed; empty: nothing
	Source   netip.Addr // where the message came from

	ua   *UserAgent
	key  inviteKey
	req  *sip.Request
	tx   *sip.ServerTx
	peer netip.AddrPort
	d    *dialog

	mu      sync.Mutex
	decided bool // a final response was sent, by us or for us
	leg     *Leg
	cancel  context.CancelCauseFunc
}

// Ring tells the caller that it rings (180).
func (i *Invite) Ring() error {
	if !i.undecided() {
		return ErrCanceled
	}
	res := i.response(sip.StatusRinging, "Ringing")
	res.AppendHeader(i.d.contactFor(i.d.transport))
	return i.respond(res)
}

// respond sends a response unless a CANCEL came between the decision and now. The stack has then answered 487, and
// would from now on repeat our response in its place: it is given the 487 again. No lock may be held here, since the
// stack tells of a CANCEL with its own lock held.
func (i *Invite) respond(res *sip.Response) error {
	err := i.tx.Respond(res)
	if errors.Is(err, sip.ErrTransactionCanceled) {
		_ = i.tx.Respond(i.response(sip.StatusRequestTerminated, "Request Terminated"))
		return ErrCanceled
	}
	return err
}

// Reject refuses the call with a final response of 300 to 699. retryAfter goes into Retry-After when it is positive.
func (i *Invite) Reject(code int, reason string, retryAfter time.Duration) error {
	if code < 300 || code > 699 {
		return talkstack.Errorf(talkstack.CodeInternal, "sip: %d is not a refusal", code)
	}
	if !i.decide() {
		return ErrCanceled
	}
	res := i.response(code, printable(reason))
	addRetryAfter(res, retryAfter)
	return i.respond(res)
}

// Answer takes the call (200) and returns its leg. Its errors are ErrCanceled when the caller has given up, ErrNoCodec,
// and whatever keeps media from starting; the caller has then been refused. A caller that made no offer gets ours, and
// Answer waits for its reply.
func (i *Invite) Answer(ctx context.Context) (*Leg, error) {
	leg, body, remote, err := i.negotiate()
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Leg, error) {
		leg.finish(false, talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: "The call could not be answered."})
		return nil, err
	}
	if !i.decide() {
		return fail(ErrCanceled)
	}
	i.mu.Lock()
	i.leg = leg
	i.mu.Unlock()
	if err := leg.add(); err != nil {
		_ = i.respond(i.response(sip.StatusServiceUnavailable, "Service Unavailable"))
		return fail(err)
	}
	res := i.response(sip.StatusOK, "OK")
	i.d.accept(res, body)
	if remote != nil {
		leg.run(*remote)
	}
	h, err := leg.confirm(i.tx, i.key.seq, func() error { return i.respond(res) }, nil)
	if err != nil {
		return fail(err)
	}
	if remote == nil {
		if err := leg.awaitAnswer(ctx, h); err != nil {
			return nil, err
		}
	}
	i.ua.counts.answered.Add(1)
	return leg, nil
}

// negotiate opens media and answers the caller's offer, or makes one. When it fails, the caller has been refused.
func (i *Invite) negotiate() (*Leg, []byte, *rtp.Remote, error) {
	leg, err := i.ua.newLeg(i.d, i.peer.Addr())
	if err != nil {
		_ = i.Reject(sip.StatusServiceUnavailable, "Service Unavailable", 10*time.Second)
		return nil, nil, nil, err
	}
	if len(i.req.Body()) == 0 {
		return leg, leg.sdp.Offer(sdp.SendRecv), nil, nil
	}
	body, remote, err := leg.sdp.Answer(i.req.Body())
	if err != nil {
		_ = leg.media.Close()
		_ = i.Reject(sip.StatusNotAcceptableHere, "Not Acceptable Here", 0)
		return nil, nil, nil, errors.Join(ErrNoCodec, err)
	}
	return leg, body, &remote, nil
}

// awaitAnswer waits for the ACK that brings the answer to our offer.
func (l *Leg) awaitAnswer(ctx context.Context, h *handshake) error {
	select {
	case <-h.acked:
		l.talk.Lock()
		remote, err := l.sdp.Accept(h.body)
		l.talk.Unlock()
		if err == nil {
			l.run(remote)
			return nil
		}
		_ = l.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: "The caller's audio is of no kind that we can take."})
		return errors.Join(ErrNoCodec, err)
	case <-l.done:
		return ErrOver
	case <-ctx.Done():
		_ = l.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndDialFailed, Message: "The call was given up before its audio began."})
		return context.Cause(ctx)
	}
}

// decide reserves the final response: it is true once.
func (i *Invite) decide() bool {
	i.mu.Lock()
	was := i.decided
	i.decided = true
	i.mu.Unlock()
	if !was {
		i.ua.mu.Lock()
		i.ua.undecided--
		i.ua.mu.Unlock()
	}
	return !was
}

func (i *Invite) undecided() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.decided
}

// give ends the call on the caller's wish, before the answer.
func (i *Invite) give() bool {
	if !i.decide() {
		return false
	}
	i.cancel(ErrCanceled)
	return true
}

// forgetInvite makes room for another INVITE of the same name, once the call is over.
func (ua *UserAgent) forgetInvite(i *Invite) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	delete(ua.invites, i.key)
}

func (i *Invite) response(code int, reason string) *sip.Response {
	return i.ua.response(i.req, code, reason)
}

func (ua *UserAgent) response(req *sip.Request, code int, reason string) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, nil)
	res.AppendHeader(sip.NewHeader("Server", ua.config.UserAgent))
	return res
}

func addRetryAfter(res *sip.Response, d time.Duration) {
	if d > 0 {
		seconds := int((d + time.Second - 1) / time.Second)
		res.AppendHeader(sip.NewHeader("Retry-After", strconv.Itoa(seconds)))
	}
}

// serveInvite takes a call from INVITE to its end.
func (ua *UserAgent) serveInvite(req *sip.Request, tx *sip.ServerTx) {
	inv, code, reason := ua.newInvite(req, tx)
	if inv == nil {
		res := ua.response(req, code, reason)
		switch code {
		case sip.StatusServiceUnavailable:
			addRetryAfter(res, 5*time.Second)
		case sip.StatusBadExtension:
			res.AppendHeader(sip.NewHeader("Unsupported", required(req)))
		case sip.StatusUnsupportedMediaType:
			res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
		}
		_ = tx.Respond(res)
		if code == sip.StatusServiceUnavailable {
			tx.Terminate() // a flood leaves nothing behind
		}
		return
	}
	defer ua.forgetInvite(inv)
	_ = tx.Respond(ua.response(req, sip.StatusTrying, "Trying"))
	ctx, cancel := context.WithCancelCause(ua.ctx)
	defer cancel(nil)
	inv.cancel = cancel
	if !tx.OnCancel(func(*sip.Request) { inv.give() }) {
		inv.give()
	}
	if ua.invite == nil {
		_ = inv.Reject(sip.StatusTemporarilyUnavailable, "Temporarily Unavailable", 0)
		return
	}
	defer inv.settle()
	ua.log.Info("incoming call", "from", talkstack.MaskNumber(inv.From), "to", talkstack.MaskNumber(inv.To), "source", inv.Source.String())
	ua.invite(ctx, inv)
}

// settle clears up after the handler: a call it did not decide is refused, one it answered is hung up.
func (i *Invite) settle() {
	i.mu.Lock()
	leg := i.leg
	i.mu.Unlock()
	if leg == nil {
		_ = i.Reject(sip.StatusInternalServerError, "Server Internal Error", 0)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ua.ctx), requestTimeout)
	defer cancel()
	_ = leg.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup, Message: "The agent hung up."})
}

// newInvite checks an INVITE outside any dialog. Without an Invite it returns the refusal.
func (ua *UserAgent) newInvite(req *sip.Request, tx *sip.ServerTx) (*Invite, int, string) {
	fromTag, _ := tags(req)
	key := inviteKey{callID: string(*req.CallID()), fromTag: fromTag, seq: req.CSeq().SeqNo}
	peer, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return nil, sip.StatusBadRequest, "Bad Request"
	}
	if h := req.MaxForwards(); h != nil && h.Val() == 0 {
		return nil, sip.StatusTooManyHops, "Too Many Hops"
	}
	if required(req) != "" {
		return nil, sip.StatusBadExtension, "Bad Extension"
	}
	if len(req.Body()) > 0 && !isSDP(req) {
		return nil, sip.StatusUnsupportedMediaType, "Unsupported Media Type"
	}
	if c := req.Contact(); c == nil || c.Address.Host == "" {
		return nil, sip.StatusBadRequest, "Missing Contact"
	}
	inv := &Invite{
		CallID: key.callID, From: userPart(&req.From().Address), To: userPart(&req.Recipient), Source: peer.Addr().Unmap(),
		ua: ua, key: key, req: req, tx: tx, peer: peer,
	}
	inv.Asserted, inv.Verstat = identity(req)
	inv.d = ua.answering(req, peer.Addr().Unmap())
	// Our responses are made from a copy that has our tag. The original stays as it is: the stack may be reading it at
	// this moment. The one response it makes itself, 487 to a CANCEL, therefore has another tag, which peers take.
	inv.req = req.Clone()
	inv.req.To().Params.Add("tag", inv.d.localTag)
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if ua.stopping {
		return nil, sip.StatusServiceUnavailable, "Service Unavailable"
	}
	ua.counts.invitesIn.Add(1)
	if _, own := ua.legs[dialogKey{key.callID, fromTag}]; own || ua.invites[key] != nil {
		// A call of our own that came back, or a second copy of a call (RFC 3261 section 8.2.2.2).
		return nil, sip.StatusLoopDetected, "Loop Detected"
	}
	if ua.undecided >= ua.config.MaxPending {
		ua.counts.overload.Add(1)
		return nil, sip.StatusServiceUnavailable, "Service Unavailable"
	}
	ua.invites[key] = inv
	ua.undecided++
	return inv, 0, ""
}

// answering makes the dialog that an INVITE asks for (RFC 3261 section 12.1.1).
func (ua *UserAgent) answering(req *sip.Request, peer netip.Addr) *dialog {
	user := req.Recipient.User
	if !isUser(user) {
		user = "talkstack"
	}
	transport := "UDP"
	if strings.EqualFold(req.Transport(), "TCP") {
		transport = "TCP"
	}
	d := ua.newDialog(string(*req.CallID()), transport, user, peer)
	from, to := req.From(), req.To()
	d.remoteTag, _ = tags(req)
	d.local = sip.FromHeader{DisplayName: to.DisplayName, Address: *to.Address.Clone(), Params: to.Params.Clone()}
	d.remote = sip.FromHeader{DisplayName: from.DisplayName, Address: *from.Address.Clone(), Params: from.Params.Clone()}
	d.incoming = true
	d.routes = recordRoutes(req)
	d.remoteSeq = req.CSeq().SeqNo
	d.remoteTarget(req, req.Source())
	return d
}

// required lists what a request demands of us: we support no extension that may be required.
func required(req *sip.Request) string {
	var all []string
	for _, h := range req.GetHeaders("Require") {
		for option := range strings.SplitSeq(h.Value(), ",") {
			if option = strings.TrimSpace(option); isToken(option) {
				all = append(all, option)
			}
		}
	}
	return strings.Join(all, ", ")
}

// identity reads the caller's number as the carrier vouches for it, and the result of its check (RFC 8588, ATIS-1000082:
// a verstat parameter in P-Asserted-Identity or From).
func identity(req *sip.Request) (asserted, verstat string) {
	read := func(u *sip.Uri, params sip.HeaderParams) string {
		if v, ok := u.UriParams.Get("verstat"); ok {
			return v
		}
		if v, ok := params.Get("verstat"); ok {
			return v
		}
		_, after, _ := strings.Cut(u.User+";"+u.Raw(), ";verstat=")
		v, _, _ := strings.Cut(after, ";")
		return v
	}
	if h := req.GetHeader("P-Asserted-Identity"); h != nil {
		var u sip.Uri
		var params sip.HeaderParams
		first, _, _ := strings.Cut(h.Value(), ",")
		if _, err := sip.ParseAddressValue(first, &u, &params); err == nil {
			asserted, verstat = userPart(&u), read(&u, params)
		}
	}
	if verstat == "" {
		verstat = read(&req.From().Address, req.From().Params)
	}
	return asserted, printable(verstat)
}
