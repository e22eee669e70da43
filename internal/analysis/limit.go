package analysis

import (
	"context"
	"sync"
	"time"

	"talkstack"
)

// What one account may have made by hand on one node: enough for a script over many calls, not enough to burn money.
// Answers from the store are not counted.
const (
	maxAtOnce    = 4
	maxPerMinute = 60
)

// limiter bounds the analyses that accounts ask for.
type limiter struct {
	now func() time.Time

	mu       sync.Mutex
	minute   time.Time // when the running minute began
	accounts map[talkstack.UserID]*accountUse
}

type accountUse struct {
	running, made int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, accounts: map[talkstack.UserID]*accountUse{}}
}

// acquire takes a place; it must be released. The error is of CodeLimited.
func (l *limiter) acquire(user talkstack.UserID) (release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.minute) >= time.Minute {
		l.minute = now
		for id, use := range l.accounts {
			if use.made = 0; use.running == 0 {
				delete(l.accounts, id)
			}
		}
	}
	use := l.accounts[user]
	if use == nil {
		use = &accountUse{}
		l.accounts[user] = use
	}
	if use.running >= maxAtOnce {
		return nil, talkstack.Errorf(talkstack.CodeLimited, "The account has %d analyses running, the most there may be: try again in a moment.", maxAtOnce)
	}
	if use.made >= maxPerMinute {
		return nil, talkstack.Errorf(talkstack.CodeLimited, "The account has asked for %d analyses in a minute, the most there may be: try again in a minute.", maxPerMinute)
	}
	use.running++
	use.made++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		use.running--
	}, nil
}

// flights joins requests for the same analysis: one is made, all get it.
type flights struct {
	mu      sync.Mutex
	running map[string]*flight
}

type flight struct {
	done     chan struct{} // closed when the result is there
	analysis talkstack.Analysis
	err      error
}

// do makes what key names, or joins who makes it already. Who has joined may leave; who makes it stays.
func (f *flights) do(ctx context.Context, key string, work func() (talkstack.Analysis, error)) (a talkstack.Analysis, joined bool, err error) {
	f.mu.Lock()
	if running := f.running[key]; running != nil {
		f.mu.Unlock()
		select {
		case <-running.done:
			return running.analysis, true, running.err
		case <-ctx.Done():
			return talkstack.Analysis{}, true, context.Cause(ctx)
		}
	}
	own := &flight{done: make(chan struct{}), err: talkstack.Errorf(talkstack.CodeInternal, "Internal error.")} // unless work returns
	if f.running == nil {
		f.running = map[string]*flight{}
	}
	f.running[key] = own
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.running, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.analysis, own.err = work()
	return own.analysis, false, own.err
}
