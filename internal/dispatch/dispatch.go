// Package dispatch brings queued calls to the phone: it claims those that are due, within the limits of each project and
// of this node, gives each to a dial function in a goroutine of its own, and sees to it that no call is forgotten,
// whichever process dies. The states it moves calls through are rows of the store, so a crash loses nothing.
//
// It does not dial, and it does not know how a call ended: the dial function marks the call dialing before its INVITE
// leaves, and finishes it.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Defaults of Config.
const (
	DefaultPoll  = time.Second
	DefaultLease = 15 * time.Second
)

const (
	// roundPause is between two claims when the first found something: the calls that were just started need a moment
	// until Capacity counts them.
	roundPause = 10 * time.Millisecond
	// watchEvery is how often the node looks, without being told, for wishes to hang up and calls that nobody works on.
	watchEvery = time.Second
	// orphanAfter is how long a call may be open without an owner on this node. Nothing stays live for more than 60 s
	// after any fault.
	orphanAfter = 45 * time.Second
	// retryStep is how long a call waits that was claimed but could not be dialled, times its attempts up to retrySteps.
	retryStep  = 5 * time.Second
	retrySteps = 12
	// settleLimit bounds one exchange with the store: a database that hangs must not hang Stop.
	settleLimit = 10 * time.Second
)

// ErrStopped is the cause of the context of calls that still run when Stop's context ends.
var ErrStopped = errors.New("dispatch: stopped")

// Config is what a Dispatcher needs. DB, Node, Capacity and Dial must be set.
type Config struct {
	DB   *store.DB
	Node talkstack.NodeID
	// Capacity is how many more calls this node takes now. A call counts as taken at the latest when Dial has begun.
	Capacity func() int
	// Dial makes one attempt at a claimed call and returns when the call is over and stored. It marks the call dialing
	// right before its INVITE leaves; a call that it leaves claimed is tried again later. Its context ends with the
	// cause store.ErrNotHeld when the call was taken out of this node's hands, and with ErrStopped at the end of Stop.
	Dial func(ctx context.Context, c talkstack.Call)
	// Owns reports whether this node works on a call that did not come from here: an inbound one. Nil: inbound calls
	// are not watched.
	Owns func(sid talkstack.CallSID) bool
	// Live lists the calls that this node works on. An inbound one that another node has taken for dead is hung up. Nil:
	// such calls go on to their own end.
	Live func() []talkstack.CallSID
	// Hangup ends a call on this node because somebody asked for it. Nil: wishes are not acted on.
	Hangup func(sid talkstack.CallSID)
	// Wishes gets a value when there is a new wish to hang up. Nil: the node finds it out within a second.
	Wishes <-chan struct{}
	Poll   time.Duration // how often to look for due calls without being woken; 0 means DefaultPoll
	Lease  time.Duration // how long a node lives without a heartbeat, on PostgreSQL; 0 means DefaultLease, which is the least
	Log    *slog.Logger
}

// Dispatcher is the dispatcher of one node.
type Dispatcher struct {
	cfg  Config
	wake chan struct{}

	claiming loop // claims due calls
	keeping  loop // heartbeats
	watching loop // reaps, and looks after this node's calls
	dials    sync.WaitGroup

	mu       sync.Mutex
	running  map[store.Hold]context.CancelCauseFunc // attempts in the hands of Dial
	lastBeat time.Time                              // when the last heartbeat that arrived was sent
	started  bool
	stopping bool
}

// loop is a goroutine with its off switch.
type loop struct {
	stop chan struct{}
	done chan struct{}
}

func newLoop() loop { return loop{stop: make(chan struct{}), done: make(chan struct{})} }

func (l *loop) end() {
	close(l.stop)
	<-l.done
}

// New makes a Dispatcher.
func New(cfg Config) *Dispatcher {
	if cfg.Poll <= 0 {
		cfg.Poll = DefaultPoll
	}
	cfg.Lease = max(cfg.Lease, DefaultLease)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Dispatcher{
		cfg: cfg, wake: make(chan struct{}, 1), running: map[store.Hold]context.CancelCauseFunc{},
		claiming: newLoop(), keeping: newLoop(), watching: newLoop(),
	}
}

// Start makes the node known, gives back what dead ones held, and begins to claim. Calls may come in on this node only
// after it.
func (d *Dispatcher) Start(ctx context.Context) error {
	if err := d.beat(ctx); err != nil {
		return err
	}
	if err := d.reap(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.started || d.stopping {
		return errors.New("dispatch: started twice, or after Stop")
	}
	d.started = true
	ctx = context.WithoutCancel(ctx)
	go d.keep(ctx)
	go d.watch(ctx)
	go d.claim(ctx)
	return nil
}

// Wake makes the dispatcher look for due calls at once. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Stop claims no more, puts claimed calls that were not dialled yet back into the queue, and waits until the others are
// over. When ctx ends first, it ends the contexts of those that run and waits for them. A second Stop, or one before
// Start, does nothing.
func (d *Dispatcher) Stop(ctx context.Context) {
	d.mu.Lock()
	if d.stopping || !d.started {
		d.stopping = true
		d.mu.Unlock()
		return
	}
	d.stopping = true
	d.mu.Unlock()

	d.claiming.end()
	lasting := context.WithoutCancel(ctx)
	d.release(lasting, func(c store.OpenCall) bool { return c.State == talkstack.StateClaimed })
	d.waitForDials(ctx)
	d.watching.end()
	// Whatever is open now and not somebody else's on this node has no owner left.
	left := d.release(lasting, func(c store.OpenCall) bool { return !d.owns(c) })
	d.keeping.end()
	if left == 0 {
		limited, cancel := context.WithTimeout(lasting, settleLimit)
		defer cancel()
		if err := d.cfg.DB.Leave(limited, d.cfg.Node); err != nil {
			d.cfg.Log.Warn("node could not sign off", "error", err)
		}
	}
}

func (d *Dispatcher) waitForDials(ctx context.Context) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.dials.Wait()
	}()
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	d.mu.Lock()
	for h, cancel := range d.running {
		d.cfg.Log.Warn("call ended by the stop of the dispatcher", "call_id", h.SID)
		cancel(ErrStopped)
	}
	d.mu.Unlock()
	<-over
}

// release takes this node's open calls out of its hands that may be, and returns how many are left open.
func (d *Dispatcher) release(ctx context.Context, may func(store.OpenCall) bool) int {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	open, err := d.cfg.DB.OpenCalls(ctx, d.cfg.Node)
	if err != nil {
		d.cfg.Log.Error("open calls could not be given back", "error", err)
		return len(open) + 1
	}
	left := 0
	for _, c := range open {
		if !may(c) {
			left++
			continue
		}
		if _, err := d.cfg.DB.Abandon(ctx, c.Hold, time.Time{}); err != nil {
			d.cfg.Log.Error("call could not be given back", "call_id", c.SID, "error", err)
			left++
		}
	}
	return left
}

// owns reports whether somebody on this node works on a call.
func (d *Dispatcher) owns(c store.OpenCall) bool {
	d.mu.Lock()
	_, ok := d.running[c.Hold]
	d.mu.Unlock()
	if ok {
		return true
	}
	if c.Direction == talkstack.Inbound {
		return d.cfg.Owns == nil || d.cfg.Owns(c.SID)
	}
	return false
}
