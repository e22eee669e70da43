package auth

import (
	"sync"
	"time"
)

// maxThrottled is how many keys a throttle remembers. Beyond it new ones share a count.
const maxThrottled = 10_000

// throttle counts failures in the memory of this process: for what comes so often, and matters so little, that a row in
// the database would be more harm than the failure.
type throttle struct {
	limit limit
	now   func() time.Time

	mu     sync.Mutex
	seen   map[string]failures
	sweeps time.Time // not to be looked through again before
}

type failures struct {
	count int
	until time.Time
}

func newThrottle(l limit, now func() time.Time) *throttle {
	return &throttle{limit: l, now: now, seen: map[string]failures{}}
}

// fail counts a failure of a key. Beyond the limit it says how long to wait, otherwise 0.
func (t *throttle) fail(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	f, known := t.seen[key]
	if !known && len(t.seen) >= maxThrottled {
		t.sweep(now)
		if len(t.seen) >= maxThrottled {
			key = ""
			f = t.seen[key]
		}
	}
	if !now.Before(f.until) {
		f = failures{until: now.Add(t.limit.window)}
	}
	f.count++
	t.seen[key] = f
	if f.count > t.limit.max {
		return f.until.Sub(now)
	}
	return 0
}

// sweep drops the keys whose time is over, and looks for them not too often.
func (t *throttle) sweep(now time.Time) {
	if now.Before(t.sweeps) {
		return
	}
	t.sweeps = now.Add(t.limit.window / 20)
	for key, f := range t.seen {
		if !now.Before(f.until) {
			delete(t.seen, key)
		}
	}
}
