// Package sip is the telephone line: it places and takes SIP calls over UDP and TCP and gives each one as a Leg, which
// speaks in 20 ms frames and digits. It owns dialogs (RFC 3261 section 12), digest authentication towards a trunk
// (RFC 7616), offers and answers (RFC 3264), who may call at all, and what a carrier's refusal means for a call.
//
// It does not own audio on the wire (media/rtp), session descriptions (media/sdp), transactions (sipgo, which is used
// nowhere else), nor what is said in a call or what becomes of it.
//
// A call is one function. Incoming:
//
//	ua.OnInvite(func(ctx context.Context, inv *sip.Invite) {
//		inv.Ring()
//		leg, err := inv.Answer(ctx)
//		...
//	}) // when it returns, the leg has been hung up and freed
//
// Outgoing:
//
//	leg, err := ua.Dial(ctx, sip.DialRequest{To: "+14155550148", From: "+14155550100", CallID: "…"})
//
// Both directions are the same Leg. One goroutine reads a leg's audio (that of its RTP session); dialogs have none.
package sip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"talkstack"
	"talkstack/internal/media/rtp"
)

// Config is what a UserAgent needs. The zero value of every field but Addr is usable.
type Config struct {
	Addr     string           // host:port to listen on, UDP and TCP alike; port 0 picks one that is free for both
	PublicIP string           // address that peers are told (Contact, Via, SDP); empty: our own address towards each peer
	Ports    *rtp.Ports       // where media sockets come from; nil: any free ones
	Trunk    *talkstack.Trunk // where calls without a Target go; nil: nowhere

	// Allow decides which sources may call us beside the trunk's addresses; nil: loopback alone. Peers of calls that
	// we placed are always heard.
	Allow func(netip.Addr) bool

	MaxPending    int           // incoming calls that may be undecided at once, more get 503; 0 means 100
	InviteTimeout time.Duration // how long a peer may give no sign of life after an INVITE; 0 means 5 s
	T1            time.Duration // round-trip estimate for resending a 2xx (RFC 3261 section 13.3.1.4); 0 means 500 ms
	UserAgent     string        // User-Agent and Server header; empty means Talkstack
	Log           *slog.Logger  // nil: silent
}

const (
	defaultMaxPending    = 100
	defaultInviteTimeout = 5 * time.Second
	defaultT1            = 500 * time.Millisecond
	t2                   = 4 * time.Second // longest pause between resent responses
	handshakeLimit       = 64              // in T1: how long an unacknowledged 2xx is resent
	requestTimeout       = 32 * time.Second
)

// UserAgent is our end of SIP: one address, any number of calls. Make one with New.
type UserAgent struct {
	config Config
	log    *slog.Logger
	invite func(ctx context.Context, inv *Invite)
	counts counters

	transport    *sip.TransportLayer
	transactions *sip.TransactionLayer
	gate         *gate
	local        netip.AddrPort // where we listen

	ctx    context.Context //nolint:containedctx // the life of the user agent: Start to Stop
	cancel context.CancelCauseFunc

	crew    crew           // goroutines that use the transactions
	serving sync.WaitGroup // the listeners

	mu        sync.Mutex
	started   bool
	stopping  bool
	legs      map[dialogKey]*Leg
	invites   map[inviteKey]*Invite // incoming calls that have a handler
	undecided int
	given     map[string]*outgoing // calls given up without any reply, by the branch of their INVITE
}

// New makes a user agent that does nothing until Start.
func New(c Config) *UserAgent {
	if c.MaxPending == 0 {
		c.MaxPending = defaultMaxPending
	}
	if c.InviteTimeout == 0 {
		c.InviteTimeout = defaultInviteTimeout
	}
	if c.T1 == 0 {
		c.T1 = defaultT1
	}
	if c.UserAgent == "" {
		c.UserAgent = "Talkstack"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ua := &UserAgent{config: c, log: c.Log, legs: map[dialogKey]*Leg{}, invites: map[inviteKey]*Invite{}, given: map[string]*outgoing{}}
	ua.gate = newGate(c, &ua.counts)
	return ua
}

// OnInvite sets what happens with incoming calls; without it they are answered 480. It must be called before Start.
// The handler runs in a goroutine of its own for each call; ctx ends when the caller gives up before the answer and
// when the user agent stops. When the handler returns, the call is refused or hung up, whatever it left undone.
func (ua *UserAgent) OnInvite(handle func(ctx context.Context, inv *Invite)) { ua.invite = handle }

// Start binds UDP and TCP and serves until Stop. A taken port is an error here. A trunk whose name does not resolve is
// not: names come and go, it is looked up again for each call, and the log says so.
func (ua *UserAgent) Start(ctx context.Context) error {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if ua.started {
		return talkstack.Errorf(talkstack.CodeInternal, "sip: started twice")
	}
	if ip := ua.config.PublicIP; ip != "" {
		if _, err := netip.ParseAddr(ip); err != nil {
			return talkstack.Errorf(talkstack.CodeInvalid, "The public address %q is not an IP address.", ip)
		}
	}
	udp, tcp, err := listen(ctx, ua.config.Addr)
	if err != nil {
		return talkstack.WrapError(talkstack.CodeUnavailable, fmt.Errorf("sip: listen on %s: %w", ua.config.Addr, err),
			fmt.Sprintf("Cannot listen for SIP on %s: %v.", ua.config.Addr, err))
	}
	looking, found := context.WithTimeout(ctx, resolveLimit)
	defer found()
	if err := ua.gate.resolve(looking); err != nil {
		ua.log.Warn("sip trunk does not resolve", "trunk", ua.config.Trunk.Host, "error", err)
	}
	ua.local = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	ua.ctx, ua.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	configureStack()
	quiet := slog.New(&stackLog{counts: &ua.counts})
	ua.transport = sip.NewTransportLayer(net.DefaultResolver, newParser(), nil, sip.WithTransportLayerLogger(quiet))
	ua.transactions = sip.NewTransactionLayer(ua.transport,
		sip.WithTransactionLayerLogger(quiet),
		sip.WithTransactionLayerUnhandledResponseHandler(ua.strayResponse))
	ua.transactions.OnRequest(ua.serveRequest)
	ua.started = true
	packets, streams := ua.gate.packets(udp), ua.gate.listener(tcp)
	ua.serving.Go(func() { _ = ua.transport.ServeUDP(packets) })
	ua.serving.Go(func() { _ = ua.transport.ServeTCP(streams) })
	<-packets.reading // from now on sipgo finds this socket when it sends
	ua.log.Info("sip listening", "addr", ua.local.String())
	return nil
}

// Addr is where the user agent listens, UDP and TCP; not valid before Start.
func (ua *UserAgent) Addr() netip.AddrPort { return ua.local }

// Stop refuses new calls, cancels those that ring, hangs up all others and waits until all of it is done, or ctx ends;
// then it closes the sockets.
func (ua *UserAgent) Stop(ctx context.Context) {
	ua.mu.Lock()
	if !ua.started || ua.stopping {
		ua.mu.Unlock()
		return
	}
	ua.stopping = true
	legs := make([]*Leg, 0, len(ua.legs))
	for _, l := range ua.legs {
		legs = append(legs, l)
	}
	ua.mu.Unlock()

	ua.cancel(errStopped)
	var byes sync.WaitGroup
	for _, l := range legs {
		byes.Go(func() {
			_ = l.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyPlatform, Code: talkstack.EndShutdown, Message: "The server was stopped."})
		})
	}
	byes.Wait()
	if !ua.crew.dismiss(ctx) {
		ua.log.Warn("sip stopped before all calls were cleared")
	}
	ua.transactions.Close()
	ua.gate.close()
	_ = ua.transport.Close()
	ua.serving.Wait()
}

// Stats is a snapshot of the user agent's counters, all since Start.
type Stats struct {
	InvitesIn  int64 // calls offered to us by allowed sources
	InvitesOut int64 // calls we dialled
	Answered   int64 // calls answered, both directions
	Refused    int64 // messages from sources that may not call
	Malformed  int64 // messages that are not SIP, or lack what every message must have
	Overload   int64 // calls refused because too many were undecided
	Unmatched  int64 // requests for calls that do not exist here: late, or spoofed
	Live       int   // legs that exist now
	Pending    int   // incoming calls that are undecided now
}

type counters struct {
	invitesIn, invitesOut, answered, refused, malformed, overload, unmatched atomic.Int64
}

// Stats returns the counters.
func (ua *UserAgent) Stats() Stats {
	ua.mu.Lock()
	live, pending := len(ua.legs), ua.undecided
	ua.mu.Unlock()
	c := &ua.counts
	return Stats{
		InvitesIn: c.invitesIn.Load(), InvitesOut: c.invitesOut.Load(), Answered: c.answered.Load(),
		Refused: c.refused.Load(), Malformed: c.malformed.Load(), Overload: c.overload.Load(), Unmatched: c.unmatched.Load(),
		Live: live, Pending: pending,
	}
}
