package sip

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// serveRequest takes every request that the transaction layer has matched. It runs in a goroutine of its own.
func (ua *UserAgent) serveRequest(req *sip.Request, tx *sip.ServerTx) {
	if !ua.crew.enter() {
		// Stopped. A message that the stack was still taking in, and that found our socket gone, made it open another.
		tx.Terminate()
		_ = tx.Connection().Close()
		return
	}
	defer ua.crew.leave()
	defer func() {
		if p := recover(); p != nil {
			ua.log.Error("panic in a sip request", "method", string(req.Method), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if !wellFormed(req) {
		ua.counts.malformed.Add(1)
		ua.reply(req, tx, sip.StatusBadRequest, "Bad Request")
		return
	}
	_, toTag := tags(req)
	switch req.Method {
	case sip.INVITE:
		if toTag != "" {
			ua.serveReinvite(req, tx)
			return
		}
		ua.serveInvite(req, tx)
	case sip.ACK:
		ua.serveAck(req)
		tx.Terminate()
	case sip.CANCEL:
		// The stack answers a CANCEL whose INVITE it knows. This one came too late, or before its INVITE.
		ua.serveCancel(req, tx)
	case sip.BYE:
		ua.serveBye(req, tx)
	case sip.INFO:
		ua.serveInfo(req, tx)
	case sip.UPDATE:
		ua.serveUpdate(req, tx)
	case sip.OPTIONS:
		ua.serveOptions(req, tx)
	case sip.REGISTER, sip.SUBSCRIBE, sip.NOTIFY, sip.REFER, sip.MESSAGE, sip.PRACK, sip.PUBLISH:
		ua.replyWith(req, tx, sip.StatusMethodNotAllowed, "Method Not Allowed", "Allow", allowed)
	default:
		ua.replyWith(req, tx, sip.StatusNotImplemented, "Not Implemented", "Allow", allowed)
	}
}

// reply answers a request for good. Such an answer can be made again, so nothing is kept of it: a flood leaves nothing
// behind.
func (ua *UserAgent) reply(req *sip.Request, tx *sip.ServerTx, code int, reason string) {
	ua.replyWith(req, tx, code, reason, "", "")
}

func (ua *UserAgent) replyWith(req *sip.Request, tx *sip.ServerTx, code int, reason, header, value string) {
	res := ua.response(req, code, reason)
	if header != "" {
		res.AppendHeader(sip.NewHeader(header, value))
	}
	_ = tx.Respond(res)
	tx.Terminate()
}

// find returns the leg that a request is for: all three of Call-ID, our tag and the peer's tag must be right.
func (ua *UserAgent) find(req *sip.Request) *Leg {
	fromTag, toTag := tags(req)
	ua.mu.Lock()
	l := ua.legs[dialogKey{string(*req.CallID()), toTag}]
	ua.mu.Unlock()
	if l != nil {
		l.dialog.mu.Lock()
		matches := l.dialog.remoteTag == fromTag
		l.dialog.mu.Unlock()
		if matches {
			return l
		}
	}
	return nil
}

// enterDialog finds the leg of a request and checks its CSeq. When it returns nil, the request has been answered.
func (ua *UserAgent) enterDialog(req *sip.Request, tx *sip.ServerTx) *Leg {
	l := ua.find(req)
	switch {
	case l == nil:
		ua.counts.unmatched.Add(1)
		ua.reply(req, tx, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
	case !l.dialog.acceptSeq(req.CSeq().SeqNo):
		ua.reply(req, tx, sip.StatusInternalServerError, "CSeq Out Of Order")
	case required(req) != "" && req.Method != sip.BYE:
		ua.replyWith(req, tx, sip.StatusBadExtension, "Bad Extension", "Unsupported", required(req))
	default:
		return l
	}
	return nil
}

// respond answers a request inside a dialog. The transaction stays, so that a copy of the request gets the same answer.
func (l *Leg) respond(req *sip.Request, tx *sip.ServerTx, code int, reason string, headers ...sip.Header) {
	res := l.ua.response(req, code, reason)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res)
}

func (ua *UserAgent) serveAck(req *sip.Request) {
	l := ua.find(req)
	if l == nil {
		return // the ACK of a refusal that is forgotten, or spoofed
	}
	l.mu.Lock()
	h := l.handshake
	l.mu.Unlock()
	if h != nil && h.seq == req.CSeq().SeqNo {
		h.ack(req.Body())
	}
}

func (ua *UserAgent) serveBye(req *sip.Request, tx *sip.ServerTx) {
	if inv := ua.findPending(req); inv != nil {
		// The caller may end a call with BYE before it is answered (RFC 3261 section 15).
		ua.reply(req, tx, sip.StatusOK, "OK")
		if inv.give() {
			_ = inv.tx.Respond(inv.response(sip.StatusRequestTerminated, "Request Terminated"))
		}
		return
	}
	l := ua.enterDialog(req, tx)
	if l == nil {
		return
	}
	l.respond(req, tx, sip.StatusOK, "OK")
	l.finish(true, userHangup())
}

// findPending returns the undecided call that a request with a To tag is for.
func (ua *UserAgent) findPending(req *sip.Request) *Invite {
	fromTag, toTag := tags(req)
	ua.mu.Lock()
	defer ua.mu.Unlock()
	for key, inv := range ua.invites {
		if key.callID == string(*req.CallID()) && key.fromTag == fromTag && inv.d.localTag == toTag && inv.undecided() {
			return inv
		}
	}
	return nil
}

// overtaking is how long a request waits for the one it belongs to, a CANCEL for its INVITE: the stack takes each
// message in a goroutine of its own, so that of two which arrive together the second may come first.
const overtaking = 500 * time.Millisecond

func (ua *UserAgent) serveCancel(req *sip.Request, tx *sip.ServerTx) {
	fromTag, _ := tags(req)
	key := inviteKey{callID: string(*req.CallID()), fromTag: fromTag, seq: req.CSeq().SeqNo}
	deadline := time.NewTimer(overtaking)
	defer deadline.Stop()
	for {
		ua.mu.Lock()
		inv := ua.invites[key]
		ua.mu.Unlock()
		if inv != nil && sameBranch(inv.req, req) {
			ua.reply(req, tx, sip.StatusOK, "OK")
			if inv.give() {
				_ = inv.tx.Respond(inv.response(sip.StatusRequestTerminated, "Request Terminated"))
			}
			return
		}
		select {
		case <-deadline.C:
			ua.counts.unmatched.Add(1)
			ua.reply(req, tx, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
			return
		case <-time.After(overtaking / 50):
		}
	}
}

func sameBranch(a, b *sip.Request) bool {
	x, _ := a.Via().Params.Get("branch")
	y, _ := b.Via().Params.Get("branch")
	return x == y
}

func (ua *UserAgent) serveOptions(req *sip.Request, tx *sip.ServerTx) {
	if _, toTag := tags(req); toTag != "" {
		if l := ua.enterDialog(req, tx); l != nil {
			l.respond(req, tx, sip.StatusOK, "OK", sip.NewHeader("Allow", allowed), sip.NewHeader("Accept", "application/sdp"))
		}
		return
	}
	if option := required(req); option != "" {
		ua.replyWith(req, tx, sip.StatusBadExtension, "Bad Extension", "Unsupported", option)
		return
	}
	ua.mu.Lock()
	stopping := ua.stopping
	ua.mu.Unlock()
	if stopping { // carriers ask this to learn whether they may send calls
		ua.reply(req, tx, sip.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	res := ua.response(req, sip.StatusOK, "OK")
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	_ = tx.Respond(res)
	tx.Terminate()
}

// serveInfo takes keys by INFO (application/dtmf-relay and application/dtmf): old, but what some trunks do.
func (ua *UserAgent) serveInfo(req *sip.Request, tx *sip.ServerTx) {
	l := ua.enterDialog(req, tx)
	if l == nil {
		return
	}
	kind := ""
	if h := req.ContentType(); h != nil {
		kind, _, _ = strings.Cut(h.Value(), ";")
	}
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case len(req.Body()) == 0:
		l.respond(req, tx, sip.StatusOK, "OK") // some peers check by it that the call is alive
	case kind == "application/dtmf-relay" || kind == "application/dtmf":
		digit, err := parseKey(req.Body())
		if err != nil {
			l.respond(req, tx, sip.StatusBadRequest, "Bad Request")
			return
		}
		l.mu.Lock()
		repeated := l.events
		l.mu.Unlock()
		if !repeated {
			l.press(digit) // before the answer, which brings the next key
		}
		l.respond(req, tx, sip.StatusOK, "OK")
	default:
		l.respond(req, tx, sip.StatusUnsupportedMediaType, "Unsupported Media Type",
			sip.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
	}
}
