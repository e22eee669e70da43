package hubspot

import (
	"context"
	"sync"
	"time"

	"talkstack"
)

const (
	// requestEvery and searchEvery space an account's requests: HubSpot takes 100 in 10 s of the least of its portals, and 5
	// searches in a second. Several nodes together may pass that; then HubSpot says so, and the account pauses.
	requestEvery = 100 * time.Millisecond
	searchEvery  = 250 * time.Millisecond
	// paceLimit is how long a request waits for its turn; one that would wait longer is put off.
	paceLimit = 5 * time.Second
	// maxPaced is from how many accounts on the idle ones are forgotten.
	maxPaced = 1000
)

// pacer spaces the requests of each account, so that a crowd of calls does not run into HubSpot's limits.
type pacer struct {
	off  bool // for tests: requests leave at once
	mu   sync.Mutex
	next map[talkstack.UserID]time.Time // when the account's next request may leave
}

func newPacer() *pacer {
	return &pacer{next: map[talkstack.UserID]time.Time{}}
}

// reserve takes the account's next turn, and returns how long it is until then. A turn that is too far away is not taken.
func (p *pacer) reserve(user talkstack.UserID, every time.Duration) (wait time.Duration, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now() // real time: it is about load
	if len(p.next) >= maxPaced {
		for u, at := range p.next {
			if at.Before(now) {
				delete(p.next, u)
			}
		}
	}
	at := p.next[user]
	if at.Before(now) {
		at = now
	}
	if wait = at.Sub(now); wait > paceLimit {
		return wait, false
	}
	p.next[user] = at.Add(every)
	return wait, true
}

// wait waits for the account's next turn.
func (p *pacer) wait(ctx context.Context, user talkstack.UserID, every time.Duration) error {
	if p.off {
		return nil
	}
	d, taken := p.reserve(user, every)
	if !taken {
		return &tooEarlyError{wait: d}
	}
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
