package sip

import (
	"context"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
)

// handshake is the wait for the ACK of a 2xx of ours (RFC 3261 section 13.3.1.4). The transaction layer sends a 2xx
// only once; until the ACK comes it is ours to send again, over TCP too, since a later hop may be UDP.
type handshake struct {
	seq   uint32 // of the INVITE
	acked chan struct{}
	over  chan struct{} // closed when nobody waits any more: ACK, limit, or the leg's end
	ack   func(body []byte)
	stop  func()
	body  []byte // of the ACK, once acked is closed
}

func newHandshake(seq uint32) *handshake {
	h := &handshake{seq: seq, acked: make(chan struct{}), over: make(chan struct{})}
	var once sync.Once
	h.ack = func(body []byte) {
		once.Do(func() { h.body = body; close(h.acked) })
	}
	h.stop = sync.OnceFunc(func() { close(h.over) })
	return h
}

// confirm sends a 2xx and sees to its ACK in the background: onAck gets the ACK's body. Without an ACK the call is
// hung up in the end.
func (l *Leg) confirm(tx *sip.ServerTx, seq uint32, send func() error, onAck func(body []byte)) (*handshake, error) {
	h := newHandshake(seq)
	l.mu.Lock()
	if l.ending {
		l.mu.Unlock()
		return nil, ErrOver
	}
	l.handshake = h
	l.mu.Unlock()
	if err := send(); err != nil {
		h.stop()
		return nil, err
	}
	if !l.ua.crew.run(func() { l.await(h, tx, send, onAck) }) {
		h.stop()
		return nil, errStopped
	}
	return h, nil
}

// await resends the 2xx until the ACK comes.
func (l *Leg) await(h *handshake, tx *sip.ServerTx, send func() error, onAck func(body []byte)) {
	pause := l.ua.config.T1
	resend := time.NewTimer(pause)
	defer resend.Stop()
	limit := time.NewTimer(handshakeLimit * l.ua.config.T1)
	defer limit.Stop()
	for {
		select {
		case <-h.acked:
			if onAck != nil {
				onAck(h.body)
			}
			h.stop()
			return
		case ack := <-tx.Acks(): // a peer that wrongly reuses the INVITE's branch
			if cseq := ack.CSeq(); cseq != nil && cseq.SeqNo == h.seq {
				h.ack(ack.Body())
			}
		case <-resend.C:
			pause = min(2*pause, t2)
			resend.Reset(pause)
			_ = send() // a lost packet is what this is for
		case <-limit.C:
			h.stop()
			l.log.Warn("call was never acknowledged")
			ctx, cancel := context.WithTimeout(l.ua.ctx, requestTimeout)
			defer cancel()
			_ = l.Hangup(ctx, talkstack.EndReason{
				Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: "The answered call was never acknowledged (no ACK).",
			})
			return
		case <-h.over:
			return
		}
	}
}

// Hangup ends the leg: media stops and the party is sent BYE. It waits for the answer to the BYE, or for ctx, and is
// safe to call again. A call that we answered is first acknowledged by the caller (RFC 3261 section 15.1.1).
func (l *Leg) Hangup(ctx context.Context, reason talkstack.EndReason) error {
	_ = l.acknowledged(ctx) // without it the BYE goes out all the same
	if !l.finish(false, reason) {
		return nil
	}
	return l.ua.bye(ctx, l.dialog, l.creds)
}

// acknowledged waits until no 2xx of ours waits for its ACK any more, or for ctx.
func (l *Leg) acknowledged(ctx context.Context) error {
	l.mu.Lock()
	h := l.handshake
	l.mu.Unlock()
	if h == nil {
		return nil
	}
	select {
	case <-h.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// bye ends a dialog at the peer. A peer that has forgotten the dialog has ended it too.
func (ua *UserAgent) bye(ctx context.Context, d *dialog, creds Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := ua.request(ctx, d, creds, sip.BYE, nil)
	return err
}

// request sends a request inside a dialog and returns its final response, after answering challenges.
func (ua *UserAgent) request(ctx context.Context, d *dialog, creds Credentials, method sip.RequestMethod, prepare func(*sip.Request)) (*sip.Response, error) {
	auth := authorization{creds: creds}
	for {
		req := d.request(method, d.nextSeq())
		auth.add(req)
		req.AppendHeader(sip.NewHeader("User-Agent", ua.config.UserAgent))
		if prepare != nil {
			prepare(req)
		}
		ua.checkFlow(req, d)
		res, err := ua.roundTrip(ctx, req)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != sip.StatusUnauthorized && res.StatusCode != sip.StatusProxyAuthRequired {
			return res, nil
		}
		if auth.challenged(req, res) != nil {
			return res, nil //nolint:nilerr // what cannot be answered is the peer's final word
		}
	}
}

// checkFlow sends a request for a TCP peer to its address when the connection that its own messages came by is gone.
func (ua *UserAgent) checkFlow(req *sip.Request, d *dialog) {
	d.mu.Lock()
	flow, next := d.flow, d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	d.mu.Unlock()
	if flow == "" || req.MessageData.Destination() != flow {
		return
	}
	conn, err := ua.transport.GetConnection("tcp", flow)
	if err != nil {
		req.SetDestination(hostPort(next))
		return
	}
	_, _ = conn.TryClose() // gives back the reference
}

// roundTrip sends a request that is not an INVITE and waits for its final response, or for the news that nobody listens.
func (ua *UserAgent) roundTrip(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	var unreachable <-chan struct{}
	if peer, err := netip.ParseAddrPort(req.MessageData.Destination()); err == nil && req.Transport() == "UDP" {
		var release func()
		unreachable, release = ua.gate.watch(peer)
		defer release()
	}
	tx, err := ua.transactions.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		case <-unreachable:
			return nil, syscall.ECONNREFUSED
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
