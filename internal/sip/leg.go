package sip

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/media/rtp"
	"talkstack/internal/media/sdp"
)

// digitsKept is how many keys wait for a reader; beyond that the newest are dropped.
const digitsKept = 64

// Leg is one party's signalling and media, whoever called whom. Its methods may be called from any goroutine, but
// ReadFrame from one at a time. A leg is over when Done is closed; its audio then reads as io.EOF.
type Leg struct {
	ua      *UserAgent
	dialog  *dialog
	media   *rtp.Session
	log     *slog.Logger
	creds   Credentials
	digits  chan media.Digit
	done    chan struct{}
	release func() // takes back what the gate admitted for this call

	talk sync.Mutex // one offer or answer at a time
	sdp  *sdp.Negotiation

	mu        sync.Mutex
	started   bool // media runs
	events    bool // keys have come by RFC 4733, so INFO would repeat them
	handshake *handshake
	offering  bool // a re-INVITE of ours waits for its answer
	ending    bool
	byPeer    bool
	reason    talkstack.EndReason
}

// newLeg opens the media of a call with a peer and makes its leg, which is not in any dialog yet.
func (ua *UserAgent) newLeg(d *dialog, peer netip.Addr) (*Leg, error) {
	session, err := rtp.Open(rtp.Config{IP: ua.mediaAddr(peer), Ports: ua.config.Ports, Log: ua.log})
	if err != nil {
		return nil, err
	}
	advertised, err := netip.ParseAddr(ua.advertised(peer))
	if err != nil {
		_ = session.Close()
		return nil, talkstack.WrapError(talkstack.CodeInvalid, err, "The public address is not an IP address.")
	}
	return &Leg{
		ua: ua, dialog: d, media: session, log: ua.log.With("leg_id", d.callID),
		digits: make(chan media.Digit, digitsKept), done: make(chan struct{}), release: func() {},
		sdp: sdp.New(netip.AddrPortFrom(advertised, session.LocalAddr().Port())),
	}, nil
}

// add makes the leg known, so that requests find it. It fails when the user agent is stopping.
func (l *Leg) add() error {
	l.ua.mu.Lock()
	defer l.ua.mu.Unlock()
	if l.ua.stopping {
		return errStopped
	}
	l.ua.legs[dialogKey{l.dialog.callID, l.dialog.localTag}] = l
	return nil
}

// ReadFrame returns the party's next 20 ms. It is the leg's clock: it returns once every 20 ms, with silence when
// nothing came. It returns io.EOF when the leg is over.
func (l *Leg) ReadFrame(ctx context.Context) (media.Frame, error) {
	f, err := l.media.ReadFrame(ctx)
	for {
		select {
		case d := <-l.media.Digits():
			l.mu.Lock()
			l.events = true
			l.mu.Unlock()
			l.press(d)
			continue
		default:
		}
		return f, err
	}
}

// WriteFrame sends 20 ms to the party, at once: the caller paces itself by ReadFrame.
func (l *Leg) WriteFrame(f media.Frame) error { return l.media.WriteFrame(f) }

// Digits are the keys the party presses, whether they come as telephone events (RFC 4733) or by INFO, each once.
// Events arrive as frames are read. The channel is never closed; see Done.
func (l *Leg) Digits() <-chan media.Digit { return l.digits }

func (l *Leg) press(d media.Digit) {
	select {
	case l.digits <- d:
	default:
	}
}

// SendDigits presses keys (0-9, *, #, A-D) for the party to hear, in place of audio, and returns when the last is sent.
func (l *Leg) SendDigits(ctx context.Context, digits string) error {
	return l.media.SendDigits(ctx, digits)
}

// Done is closed when the leg is over, whoever ended it.
func (l *Leg) Done() <-chan struct{} { return l.done }

// Ended says who ended the leg and why. It is meaningful once Done is closed.
func (l *Leg) Ended() (byPeer bool, reason talkstack.EndReason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byPeer, l.reason
}

// Stats are the media's counters so far.
func (l *Leg) Stats() rtp.Stats { return l.media.Stats() }

// Silent is how long no packet has come from the party. Who owns the call decides when that is too long.
func (l *Leg) Silent() time.Duration { return l.media.Silent() }

// CallID is the SIP Call-ID.
func (l *Leg) CallID() string { return l.dialog.callID }

// Rate is the sample rate of the leg's frames, in Hz.
func (l *Leg) Rate() int { return 8000 }

// run starts media, or applies what was agreed anew.
func (l *Leg) run(r rtp.Remote) {
	l.mu.Lock()
	first := !l.started
	l.started = true
	over := l.ending
	l.mu.Unlock()
	switch {
	case over:
	case first:
		l.media.Start(r)
	default:
		l.media.Update(r)
	}
}

// finish ends the leg once: media stops, requests for it find nothing, Done is closed. It reports whether this call did it.
func (l *Leg) finish(byPeer bool, reason talkstack.EndReason) bool {
	l.mu.Lock()
	if l.ending {
		l.mu.Unlock()
		return false
	}
	l.ending, l.byPeer, l.reason = true, byPeer, reason
	h := l.handshake
	l.mu.Unlock()
	_ = l.media.Close()
	l.ua.forget(l)
	l.release()
	if h != nil {
		h.stop()
	}
	close(l.done)
	l.log.Info("leg ended", "by_peer", byPeer, "party", string(reason.Party), "code", string(reason.Code))
	return true
}

func (ua *UserAgent) forget(l *Leg) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	key := dialogKey{l.dialog.callID, l.dialog.localTag}
	if ua.legs[key] == l {
		delete(ua.legs, key)
	}
}

func userHangup() talkstack.EndReason {
	return talkstack.EndReason{Party: talkstack.PartyCaller, Code: talkstack.EndUserHangup, Message: "The other party hung up."}
}
