package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
	"talkstack/internal/media/rtp"
	"talkstack/internal/media/sdp"
)

// serveReinvite takes a change of a running call: hold, another codec or address, or only a sign of life
// (RFC 3261 section 14.2).
func (ua *UserAgent) serveReinvite(req *sip.Request, tx *sip.ServerTx) {
	l := ua.enterDialog(req, tx)
	if l == nil {
		return
	}
	l.mu.Lock()
	h := l.handshake
	offering := l.offering
	l.mu.Unlock()
	busy := h != nil && !settled(h.over)
	switch {
	case offering: // both sides began at once: both try again later, at times that differ
		l.respond(req, tx, sip.StatusRequestPending, "Request Pending")
		return
	case busy: // the one before is not acknowledged yet
		wait := sip.NewHeader("Retry-After", string('0'+rune(rand.IntN(10)))) //nolint:gosec // spreads retries
		l.respond(req, tx, sip.StatusInternalServerError, "Server Internal Error", wait)
		return
	case len(req.Body()) > 0 && !isSDP(req):
		l.respond(req, tx, sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", "application/sdp"))
		return
	}
	_ = tx.Respond(ua.response(req, sip.StatusTrying, "Trying"))
	body, remote, err := l.reply(req.Body())
	if err != nil {
		l.respond(req, tx, sip.StatusNotAcceptableHere, "Not Acceptable Here")
		return
	}
	l.dialog.remoteTarget(req, req.Source())
	var onAck func([]byte)
	if remote == nil {
		onAck = l.acceptLate
	}
	res := ua.response(req, sip.StatusOK, "OK")
	l.dialog.accept(res, body)
	if remote != nil {
		l.run(*remote)
	}
	_, _ = l.confirm(tx, req.CSeq().SeqNo, func() error { return tx.Respond(res) }, onAck)
}

// reply answers an offer, or makes one when there was none.
func (l *Leg) reply(offer []byte) ([]byte, *rtp.Remote, error) {
	l.talk.Lock()
	defer l.talk.Unlock()
	if len(offer) == 0 {
		return l.sdp.Offer(sdp.SendRecv), nil, nil
	}
	body, remote, err := l.sdp.Answer(offer)
	return body, &remote, err
}

// acceptLate takes the answer that an ACK brings. An answer that is of no use leaves the call as it was.
func (l *Leg) acceptLate(body []byte) {
	l.talk.Lock()
	remote, err := l.sdp.Accept(body)
	l.talk.Unlock()
	if err != nil {
		l.log.Warn("answer in ack is not usable", "error", err)
		return
	}
	l.run(remote)
}

// serveUpdate takes the same changes without an ACK (RFC 3311).
func (ua *UserAgent) serveUpdate(req *sip.Request, tx *sip.ServerTx) {
	l := ua.enterDialog(req, tx)
	if l == nil {
		return
	}
	contact := l.dialog.contactFor(l.dialog.transport)
	if len(req.Body()) == 0 {
		l.dialog.remoteTarget(req, req.Source())
		l.respond(req, tx, sip.StatusOK, "OK", contact)
		return
	}
	l.mu.Lock()
	h := l.handshake
	offering := l.offering
	l.mu.Unlock()
	if offering || h != nil && !settled(h.over) {
		l.respond(req, tx, sip.StatusRequestPending, "Request Pending")
		return
	}
	if !isSDP(req) {
		l.respond(req, tx, sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", "application/sdp"))
		return
	}
	body, remote, err := l.reply(req.Body())
	if err != nil {
		l.respond(req, tx, sip.StatusNotAcceptableHere, "Not Acceptable Here")
		return
	}
	l.dialog.remoteTarget(req, req.Source())
	l.run(*remote)
	res := ua.response(req, sip.StatusOK, "OK")
	res.AppendHeader(contact)
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(body)
	_ = tx.Respond(res)
}

// glareTries is how often Hold tries when the other side changes the call at the same moment.
const glareTries = 4

// Hold puts the party on hold, or takes it back: while it is held, it is sent no audio and asked for none
// (RFC 3264 section 8.4). The party may refuse; the call then goes on as it was.
func (l *Leg) Hold(ctx context.Context, on bool) error {
	dir := sdp.SendRecv
	if on {
		dir = sdp.Inactive
	}
	for range glareTries {
		res, err := l.offer(ctx, dir)
		if err != nil {
			return err
		}
		if res.IsSuccess() {
			return nil
		}
		wait, again := l.retryAfter(res)
		if !again {
			return talkstack.Errorf(talkstack.CodeConflict, "sip: the other party refused the change (%d %s)", res.StatusCode, printable(res.Reason))
		}
		select {
		case <-time.After(wait):
		case <-l.done:
			return ErrOver
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return talkstack.Errorf(talkstack.CodeConflict, "sip: the other party keeps changing the call")
}

// retryAfter says whether and when a change that was refused may be tried again.
func (l *Leg) retryAfter(res *sip.Response) (time.Duration, bool) {
	switch h := res.GetHeader("Retry-After"); {
	case res.StatusCode == sip.StatusRequestPending && l.dialog.incoming:
		// RFC 3261 section 14.1: up to 2 s for who did not choose the Call-ID, in steps of 10 ms.
		return time.Duration(10*rand.IntN(200)) * time.Millisecond, true //nolint:gosec // spreads retries
	case res.StatusCode == sip.StatusRequestPending: // and 2.1 to 4 s for who did
		return time.Duration(2100+10*rand.IntN(190)) * time.Millisecond, true //nolint:gosec // as above
	case res.StatusCode == sip.StatusInternalServerError && h != nil:
		// The peer still waits for the ACK of the change before (section 14.2).
		digits, _, _ := strings.Cut(h.Value(), " ")
		seconds, err := strconv.ParseUint(digits, 10, 4)
		return time.Duration(seconds) * time.Second, err == nil //nolint:gosec // below 16
	}
	return 0, false
}

// offer sends a re-INVITE and returns its final response, acknowledged and applied.
func (l *Leg) offer(ctx context.Context, dir sdp.Direction) (*sip.Response, error) {
	if err := l.startOffer(ctx); err != nil {
		return nil, err
	}
	defer func() {
		l.mu.Lock()
		l.offering = false
		l.mu.Unlock()
	}()
	l.talk.Lock()
	body := l.sdp.Offer(dir)
	l.talk.Unlock()
	auth := authorization{creds: l.creds}
	for {
		req := l.dialog.request(sip.INVITE, l.dialog.nextSeq())
		auth.add(req)
		req.AppendHeader(sip.NewHeader("Allow", allowed))
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody(body)
		l.ua.checkFlow(req, l.dialog)
		res, err := l.reinvite(ctx, req, &auth)
		if err != nil {
			return nil, err
		}
		switch res.StatusCode {
		case sip.StatusUnauthorized, sip.StatusProxyAuthRequired:
			if auth.challenged(req, res) == nil {
				continue
			}
		case sip.StatusCallTransactionDoesNotExists, sip.StatusRequestTimeout:
			// The peer knows nothing of the call any more (RFC 3261 section 12.2.1.2).
			_ = l.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: "The carrier lost the call."})
		}
		return res, nil
	}
}

// startOffer waits until no other change is under way.
func (l *Leg) startOffer(ctx context.Context) error {
	if err := l.acknowledged(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return ErrOver
	}
	if l.offering {
		return talkstack.Errorf(talkstack.CodeConflict, "sip: the call is being changed already")
	}
	l.offering = true
	return nil
}

// reinvite runs the transaction of one re-INVITE. A success is acknowledged, and its answer applied.
func (l *Leg) reinvite(ctx context.Context, req *sip.Request, auth *authorization) (*sip.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	tx, err := l.ua.transactions.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	seq := req.CSeq().SeqNo
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				continue
			}
			if !res.IsSuccess() {
				return res, nil
			}
			l.dialog.remoteTarget(res, res.Source())
			tx.OnRetransmission(func(*sip.Response) { _ = l.ua.ack(l.dialog, seq, auth) })
			if err := l.ua.ack(l.dialog, seq, auth); err != nil {
				return nil, err
			}
			l.talk.Lock()
			remote, err := l.sdp.Accept(res.Body())
			l.talk.Unlock()
			if err != nil {
				return nil, errors.Join(ErrNoCodec, err)
			}
			l.run(remote)
			return res, nil
		case <-tx.Done():
			return nil, tx.Err()
		case <-l.done:
			tx.Terminate()
			return nil, ErrOver
		case <-ctx.Done():
			tx.Terminate()
			return nil, context.Cause(ctx)
		}
	}
}

// settled reports whether a handshake is over, or is in a moment: an ACK and the request after it may overtake each
// other within our stack.
func settled(over <-chan struct{}) bool {
	patience := time.NewTimer(overtaking)
	defer patience.Stop()
	select {
	case <-over:
		return true
	case <-patience.C:
		return false
	}
}
