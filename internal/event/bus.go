// Package event tells who watches a call that it has changed, on this node or on another one. An event is a pointer, the
// call's sid: whoever gets it reads the store again. So events may come together, and one that is lost costs a delay,
// never data.
//
// It does not say what has changed, and it keeps nothing.
package event

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

const (
	// channel is the one channel of PostgreSQL that all nodes listen to.
	channel = "talkstack_calls"
	// gather is how long a node collects changes before it tells the others: many become one notification.
	gather = 75 * time.Millisecond
	// maxPending bounds the changes that wait to be told. With more, the others are told to look at everything.
	maxPending = 4096
	// everything stands in a notification for "more calls than can be named".
	everything = "*"
	// sendLimit bounds one notification.
	sendLimit = 5 * time.Second
	// Pauses between tries to reach the database again.
	firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
)

// Bus carries events of calls. On SQLite they stay in the process, on PostgreSQL they reach every node.
type Bus struct {
	node talkstack.NodeID
	log  *slog.Logger

	mu          sync.Mutex
	subscribers map[talkstack.CallSID]map[*Subscription]struct{}
	linked      bool // other nodes want to know
	pending     map[talkstack.CallSID]struct{}
	overflow    bool          // pending could not hold all
	kick        chan struct{} // something is pending

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Subscription is one watcher of one call. C gets a value when the call has changed, or may have; several changes may be
// one value.
type Subscription struct {
	C   <-chan struct{}
	c   chan struct{}
	sid talkstack.CallSID
	bus *Bus
}

// New makes a bus of a node. Until Start, and on SQLite, events stay on the node.
func New(node talkstack.NodeID, log *slog.Logger) *Bus {
	return &Bus{
		node: node, log: log, subscribers: map[talkstack.CallSID]map[*Subscription]struct{}{},
		pending: map[talkstack.CallSID]struct{}{}, kick: make(chan struct{}, 1), cancel: func() {},
	}
}

// Start links the bus with those of the other nodes, on PostgreSQL. It does not wait for the link.
func (b *Bus) Start(ctx context.Context, db *store.DB) {
	if db.Engine() != store.PostgreSQL {
		return
	}
	b.mu.Lock()
	b.linked = true
	b.mu.Unlock()
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.done.Go(func() { b.send(ctx, db) })
	b.done.Go(func() { b.listen(ctx, db) })
}

// Stop ends the link and waits for it. Subscriptions stay, and hear of this node's changes alone.
func (b *Bus) Stop() {
	b.mu.Lock()
	b.linked = false
	b.mu.Unlock()
	b.cancel()
	b.done.Wait()
}

// Subscribe watches a call. The subscription must be closed.
func (b *Bus) Subscribe(sid talkstack.CallSID) *Subscription {
	s := &Subscription{c: make(chan struct{}, 1), sid: sid, bus: b}
	s.C = s.c
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subscribers[sid] == nil {
		b.subscribers[sid] = map[*Subscription]struct{}{}
	}
	b.subscribers[sid][s] = struct{}{}
	return s
}

// Close ends the subscription. Closing again does nothing.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.subscribers[s.sid], s)
	if len(s.bus.subscribers[s.sid]) == 0 {
		delete(s.bus.subscribers, s.sid)
	}
}

// Publish says that a call has changed on this node. It never blocks.
func (b *Bus) Publish(sid talkstack.CallSID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake(sid)
	if !b.linked {
		return
	}
	if len(b.pending) < maxPending {
		b.pending[sid] = struct{}{}
	} else if _, known := b.pending[sid]; !known {
		b.overflow = true
	}
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// wake tells the watchers of a call; b.mu is held.
func (b *Bus) wake(sid talkstack.CallSID) {
	for s := range b.subscribers[sid] {
		select {
		case s.c <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// wakeAll tells everybody to look again.
func (b *Bus) wakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sid := range b.subscribers {
		b.wake(sid)
	}
}

// send tells the other nodes what has changed here.
func (b *Bus) send(ctx context.Context, db *store.DB) {
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.kick:
		}
		if !wait(ctx, gather) {
			return
		}
		for texts := b.take(); len(texts) > 0; {
			limited, cancel := context.WithTimeout(ctx, sendLimit)
			err := db.Notify(limited, channel, texts[0])
			cancel()
			if err == nil {
				texts, pause = texts[1:], firstPause
				continue
			}
			if ctx.Err() != nil {
				return
			}
			b.log.Warn("other nodes were not told of changes", "error", err)
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// take empties pending into texts of notifications: the node's name, and sids.
func (b *Bus) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		return nil
	}
	var texts []string
	if b.overflow {
		texts = []string{string(b.node) + " " + everything}
	} else {
		var t strings.Builder
		for sid := range b.pending {
			if t.Len()+1+len(sid) > store.MaxNotification {
				texts = append(texts, t.String())
				t.Reset()
			}
			if t.Len() == 0 {
				t.WriteString(string(b.node))
			}
			t.WriteString(" " + string(sid))
		}
		texts = append(texts, t.String())
	}
	clear(b.pending)
	b.overflow = false
	return texts
}

// listen hears what has changed on other nodes. After a gap everybody looks again, since nobody knows what was missed.
func (b *Bus) listen(ctx context.Context, db *store.DB) {
	pause := firstPause
	for ctx.Err() == nil {
		err := db.Listen(ctx, channel, func() {
			pause = firstPause
			b.wakeAll()
		}, b.hear)
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("link to other nodes is down", "error", err)
		if !wait(ctx, pause) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// hear takes a notification apart.
func (b *Bus) hear(text string) {
	node, sids, _ := strings.Cut(text, " ")
	if node == string(b.node) {
		return // ours: the watchers here know
	}
	if sids == everything {
		b.wakeAll()
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for sid := range strings.FieldsSeq(sids) {
		b.wake(talkstack.CallSID(sid))
	}
}

// wait pauses; false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
