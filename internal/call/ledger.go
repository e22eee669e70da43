package call

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"talkstack"
)

// ledger stores what happens in a live call, in order, away from the call's own goroutines: a database that is
// slow or away delays nobody's speech. What cannot be stored is tried again for as long as the call lasts, and for
// storeLimit after it.
type ledger struct {
	ctx    context.Context //nolint:containedctx // bounds the retries of one call's writes
	cancel context.CancelFunc
	hurry  context.Context //nolint:containedctx // ends when the server has no time left; nil: never
	log    *slog.Logger
	wg     sync.WaitGroup

	mu   sync.Mutex
	wake chan struct{}
	todo []entry
	done bool
}

// entry is one write.
type entry struct {
	what  string
	write func(ctx context.Context) error
}

const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 5 * time.Second
	// tryLimit bounds one exchange with the store: a database that does not answer is taken for away.
	tryLimit = 10 * time.Second
	// hurryLimit is how long a call's end is tried to be stored once the server has no time left.
	hurryLimit = 10 * time.Second
)

// storeLimit is how long the end of a call is tried to be stored before it is left to the reaper.
const storeLimit = 10 * time.Minute

// newLedger opens the ledger of a call. The end of ctx, that of the call, does not stop its writes: close does, and
// must be called.
func newLedger(ctx context.Context, log *slog.Logger) *ledger {
	l := &ledger{log: log, wake: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.wg.Go(l.run)
	return l
}

// add queues a write. It never blocks.
func (l *ledger) add(what string, write func(ctx context.Context) error) {
	l.mu.Lock()
	l.todo = append(l.todo, entry{what, write})
	l.mu.Unlock()
	l.signal()
}

// close waits until all is written, or given up.
func (l *ledger) close() {
	limit := time.AfterFunc(storeLimit, l.cancel)
	defer limit.Stop()
	defer l.cancel()
	if l.hurry != nil {
		defer context.AfterFunc(l.hurry, func() { time.AfterFunc(hurryLimit, l.cancel) })()
	}
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	l.signal()
	l.wg.Wait()
}

func (l *ledger) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *ledger) run() {
	for {
		l.mu.Lock()
		todo, done := l.todo, l.done
		l.todo = nil
		l.mu.Unlock()
		for _, e := range todo {
			l.write(e)
		}
		if len(todo) > 0 {
			continue
		}
		if done {
			return
		}
		<-l.wake
	}
}

func (l *ledger) try(e entry) error {
	ctx, cancel := context.WithTimeout(l.ctx, tryLimit)
	defer cancel()
	return e.write(ctx)
}

// write does one write, again and again while the database is away. Any other failure is ours, and final.
func (l *ledger) write(e entry) {
	for pause := retryFirst; ; pause = min(2*pause, retryLast) {
		err := l.try(e)
		switch talkstack.ErrorCode(err) {
		case "":
			return
		case talkstack.CodeUnavailable:
			if l.ctx.Err() == nil {
				l.log.Warn("database away, will write again", "what", e.what, "error", err)
				break
			}
			fallthrough
		default:
			l.log.Error("could not be stored", "what", e.what, "error", err)
			return
		}
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
		}
	}
}
