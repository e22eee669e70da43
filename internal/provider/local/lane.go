package local

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// lane runs the jobs of one kind of network on a few workers, the job with the earliest deadline first. No job is ever
// refused: the switchboard, which asks Saturated, keeps new calls out instead.
type lane struct {
	mu      sync.Mutex
	wake    *sync.Cond
	queue   jobs
	workers int
	running int
	closed  bool
	active  []*job // those that run
	order   uint64
	backlog time.Duration // estimated work of what waits and runs
	stats   LaneStats
	wg      sync.WaitGroup
}

// LaneStats counts the work of one kind of network since Open.
type LaneStats struct {
	Queued  int           // jobs that wait now
	Running int           // jobs that run now
	Backlog time.Duration // estimated work of both, shared among the workers
	Jobs    int64         // finished
	Late    int64         // of these, began too late: callers noticed
	Wait    time.Duration // sum of the times in the queue
	Busy    time.Duration // sum of the times running
	Audio   time.Duration // sum of the lengths of audio heard or made
}

// RTF is the real-time factor: work for a second of audio.
func (s LaneStats) RTF() float64 {
	if s.Audio == 0 {
		return 0
	}
	return s.Busy.Seconds() / s.Audio.Seconds()
}

// lateAfter is the delay behind the deadline that a caller begins to notice.
const lateAfter = 50 * time.Millisecond

// job is one run of a network.
type job struct {
	ctx      context.Context //nolint:containedctx // a queued job carries its caller's context to the worker
	deadline time.Time
	cost     time.Duration                                   // estimate
	run      func(ctx context.Context) (audio time.Duration) // audio heard or made
	ahead    bool                                            // nobody waits for it: it gives way, even while it runs
	done     chan struct{}                                   // closed when run has returned for good, or never will be called
	stop     func() bool
	giveWay  context.CancelFunc // while it runs
	gaveWay  bool               // it was broken off, to begin anew later
	queued   time.Time
	order    uint64
	index    int
}

func newLane(workers int) *lane {
	l := &lane{workers: workers}
	l.wake = sync.NewCond(&l.mu)
	for range workers {
		l.wg.Go(l.work)
	}
	return l
}

// submit queues a job. Its done channel closes when it is over; a job whose context ends first is not run.
func (l *lane) submit(j *job) {
	j.done = make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(j.done)
		return
	}
	l.order++
	j.order = l.order
	j.queued = time.Now()
	l.backlog += j.cost
	l.push(j)
	l.makeWay(j)
}

// push queues j. l.mu is held.
func (l *lane) push(j *job) {
	heap.Push(&l.queue, j)
	l.wake.Signal()
	if j.ctx.Done() != nil {
		j.stop = context.AfterFunc(j.ctx, func() { l.abandon(j) })
	}
}

// makeWay breaks off a job that nobody waits for when j would have to wait behind it. l.mu is held.
func (l *lane) makeWay(j *job) {
	if j.ahead || l.running < l.workers {
		return
	}
	for _, other := range l.active {
		if other.ahead && !other.gaveWay {
			other.gaveWay = true
			other.giveWay()
			return
		}
	}
}

// hurry says that somebody waits for a job that was made ahead, of that cost, from now on.
func (l *lane) hurry(j *job, cost time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !j.ahead || l.closed {
		return
	}
	j.ahead = false
	if j.index < 0 {
		return // it runs, or is over
	}
	l.backlog += cost - j.cost
	j.cost, j.deadline = cost, time.Now()
	heap.Fix(&l.queue, j.index)
	l.makeWay(j)
}

// abandon drops a job that still waits.
func (l *lane) abandon(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j.index < 0 {
		return // runs already, or is over
	}
	heap.Remove(&l.queue, j.index)
	l.backlog -= j.cost
	close(j.done)
}

func (l *lane) work() {
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.wake.Wait()
		}
		if l.closed {
			l.mu.Unlock()
			return
		}
		j := heap.Pop(&l.queue).(*job)
		l.running++
		if j.stop != nil {
			j.stop()
		}
		var ctx context.Context
		ctx, j.giveWay = context.WithCancel(j.ctx)
		l.active = append(l.active, j)
		l.mu.Unlock()

		start := time.Now()
		audio := j.run(ctx)
		end := time.Now()

		l.mu.Lock()
		j.giveWay()
		l.running--
		l.active = slices.DeleteFunc(l.active, func(other *job) bool { return other == j })
		if j.gaveWay && audio == 0 && j.ctx.Err() == nil && !l.closed {
			j.gaveWay = false
			l.push(j)
			l.mu.Unlock()
			continue
		}
		l.backlog -= j.cost
		l.stats.Jobs++
		if start.Sub(j.deadline) > lateAfter {
			l.stats.Late++
		}
		l.stats.Wait += start.Sub(j.queued)
		l.stats.Busy += end.Sub(start)
		l.stats.Audio += audio
		l.mu.Unlock()
		close(j.done)
	}
}

// idle reports whether a job would start at once.
func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) == 0 && l.running < l.workers
}

// wait is how long a job without urgency would wait.
func (l *lane) wait() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.backlog / time.Duration(l.workers)
}

func (l *lane) snapshot() LaneStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Queued, s.Running = len(l.queue), l.running
	s.Backlog = l.backlog / time.Duration(l.workers)
	return s
}

// close ends the workers after the jobs that run, and drops those that wait.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	for _, j := range l.queue {
		j.index = -1
		close(j.done)
	}
	l.queue = nil
	l.wake.Broadcast()
	l.mu.Unlock()
	l.wg.Wait()
}

// jobs is a heap, the earliest deadline first, then in order of arrival.
type jobs []*job

func (q jobs) Len() int { return len(q) }

func (q jobs) Less(i, k int) bool {
	if q[i].deadline.Equal(q[k].deadline) {
		return q[i].order < q[k].order
	}
	return q[i].deadline.Before(q[k].deadline)
}

func (q jobs) Swap(i, k int) {
	q[i], q[k] = q[k], q[i]
	q[i].index, q[k].index = i, k
}

func (q *jobs) Push(x any) {
	j := x.(*job)
	j.index = len(*q)
	*q = append(*q, j)
}

func (q *jobs) Pop() any {
	old := *q
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	j.index = -1
	return j
}
