package sip

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"
)

// abandon gives up a call that is being placed. What is left to do is done in the background: CANCEL as soon as the
// peer has shown a sign of life, and BYE if it answers all the same.
func (o *outgoing) abandon() {
	o.ua.crew.run(func() {
		if o.heard {
			o.cancel()
		}
		limit := time.NewTimer(requestTimeout)
		defer limit.Stop()
		for {
			select {
			case res := <-o.tx.Responses():
				switch {
				case res.IsProvisional():
					o.cancel()
				case res.IsSuccess():
					o.clear(res)
					return
				default:
					return
				}
			case <-o.tx.Done():
				return
			case <-limit.C:
				o.tx.Terminate()
				return
			}
		}
	})
}

// remember keeps a call that got no reply, in case one comes late.
func (ua *UserAgent) remember(o *outgoing) {
	branch, _ := o.invite.Via().Params.Get("branch")
	ua.mu.Lock()
	defer ua.mu.Unlock()
	ua.given[branch] = o
	time.AfterFunc(requestTimeout, func() {
		ua.mu.Lock()
		defer ua.mu.Unlock()
		delete(ua.given, branch)
	})
}

// strayResponse takes responses that belong to no transaction: of interest are those to an INVITE that was given up
// before the peer said anything.
func (ua *UserAgent) strayResponse(res *sip.Response) {
	cseq, via := res.CSeq(), res.Via()
	if cseq == nil || via == nil || cseq.MethodName != sip.INVITE {
		return
	}
	branch, _ := via.Params.Get("branch")
	ua.mu.Lock()
	o := ua.given[branch]
	ua.mu.Unlock()
	switch {
	case o == nil:
	case res.IsProvisional():
		o.cancel()
	case res.IsSuccess():
		o.clear(res)
	}
}

// cancel sends CANCEL once. It is the INVITE's in all but method (RFC 3261 section 9.1).
func (o *outgoing) cancel() {
	o.cancels.Do(func() {
		req := sip.NewRequest(sip.CANCEL, o.invite.Recipient)
		req.AppendHeader(o.invite.Via().Clone())
		for _, h := range o.invite.GetHeaders("Route") {
			req.AppendHeader(sip.HeaderClone(h))
		}
		maxForwards := sip.MaxForwardsHeader(70)
		req.AppendHeader(&maxForwards)
		req.AppendHeader(sip.HeaderClone(o.invite.From()))
		req.AppendHeader(sip.HeaderClone(o.invite.To()))
		req.AppendHeader(sip.HeaderClone(o.invite.CallID()))
		req.AppendHeader(&sip.CSeqHeader{SeqNo: o.invite.CSeq().SeqNo, MethodName: sip.CANCEL})
		req.SetBody(nil)
		req.SetTransport(o.invite.Transport())
		req.SetDestination(o.route.addr.String())
		req.Laddr = o.invite.Laddr
		o.ua.crew.run(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ua.ctx), requestTimeout)
			defer cancel()
			_, _ = o.ua.roundTrip(ctx, req)
		})
	})
}

// clear ends a call that was answered though nobody wants it: ACK, then BYE.
func (o *outgoing) clear(res *sip.Response) {
	d := o.leg.dialog.fork(res)
	_ = o.ua.ack(d, o.invite.CSeq().SeqNo, &o.auth)
	o.ua.crew.run(func() { _ = o.ua.bye(context.WithoutCancel(o.ua.ctx), d, o.route.creds) })
}
