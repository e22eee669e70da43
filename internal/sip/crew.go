package sip

import (
	"context"
	"sync"
)

// crew counts goroutines, so that Stop can wait for them with a limit. Unlike a sync.WaitGroup it takes newcomers
// while somebody waits: a BYE may arrive, and must be answered, while calls are being cleared.
type crew struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // not nil: somebody waits
}

// enter reports false once the crew has been dismissed.
func (c *crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	return true
}

func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// run starts f in a goroutine of the crew; it reports false when it did not.
func (c *crew) run(f func()) bool {
	if !c.enter() {
		return false
	}
	go func() {
		defer c.leave()
		f()
	}()
	return true
}

// dismiss waits until nobody is left, or ctx ends, and lets nobody in any more. It reports whether all had left.
func (c *crew) dismiss(ctx context.Context) bool {
	for {
		c.mu.Lock()
		if c.n == 0 {
			c.closed = true
			c.mu.Unlock()
			return true
		}
		if c.idle == nil {
			c.idle = make(chan struct{})
		}
		idle := c.idle
		c.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
			return false
		}
	}
}
