package dispatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// keep sends heartbeats, three in the time of a lease.
func (d *Dispatcher) keep(ctx context.Context) {
	defer close(d.keeping.done)
	away := false
	for {
		select {
		case <-d.keeping.stop:
			return
		case <-time.After(d.cfg.Lease / 3):
		}
		limited, cancel := context.WithTimeout(ctx, d.cfg.Lease/3)
		err := d.beat(limited)
		cancel()
		if err != nil && !away {
			d.cfg.Log.Error("heartbeat failed", "error", err)
		}
		away = err != nil
	}
}

func (d *Dispatcher) beat(ctx context.Context) error {
	sent := time.Now() // it counts from before, whenever it arrived
	if err := d.cfg.DB.Heartbeat(ctx, d.cfg.Node); err != nil {
		return err
	}
	d.mu.Lock()
	d.lastBeat = sent
	d.mu.Unlock()
	return nil
}

// leased reports whether the other nodes must still take this one for alive.
func (d *Dispatcher) leased() bool {
	if d.cfg.DB.Engine() == store.SQLite {
		return true // the file lock is the lease
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.lastBeat) < d.cfg.Lease
}

// watch looks after this node's calls, and reaps those of dead nodes.
func (d *Dispatcher) watch(ctx context.Context) {
	defer close(d.watching.done)
	ownerless := map[store.Hold]time.Time{} // since when
	var reaped time.Time
	for {
		select {
		case <-d.watching.stop:
			return
		case <-d.cfg.Wishes:
		case <-time.After(watchEvery):
		}
		limited, cancel := context.WithTimeout(ctx, settleLimit)
		if d.cfg.DB.Engine() == store.PostgreSQL && time.Since(reaped) >= d.cfg.Lease/3 { // on SQLite nobody else can be
			if err := d.reap(limited); err != nil {
				d.cfg.Log.Warn("dead nodes could not be looked for", "error", err)
			}
			reaped = time.Now()
		}
		if err := d.patrol(limited, ownerless); err != nil {
			d.cfg.Log.Warn("open calls could not be looked after", "error", err)
		}
		cancel()
	}
}

// reap gives back the calls of dead nodes.
func (d *Dispatcher) reap(ctx context.Context) error {
	r, err := d.cfg.DB.Reap(ctx, d.cfg.Node, d.cfg.Lease)
	for _, c := range r.Ended {
		d.cfg.Log.Warn("call was interrupted", "call_id", c.SID)
	}
	if r.Requeued > 0 {
		d.cfg.Log.Info("calls were put back into the queue", "calls", r.Requeued)
		d.Wake()
	}
	return err
}

// patrol compares what the store says this node holds with what it works on, both ways.
func (d *Dispatcher) patrol(ctx context.Context, ownerless map[store.Hold]time.Time) error {
	mine, live := d.holds(), d.live() // before the store is asked: what starts meanwhile is in neither
	open, err := d.cfg.DB.OpenCalls(ctx, d.cfg.Node)
	if err != nil {
		return err
	}
	stored := make(map[store.Hold]bool, len(open))
	for _, c := range open {
		stored[c.Hold] = true
		if d.owns(c) {
			delete(ownerless, c.Hold)
			if c.HangupRequested && c.State != talkstack.StateClaimed && d.cfg.Hangup != nil { // MarkDialing refuses a claimed one
				d.cfg.Hangup(c.SID)
			}
			continue
		}
		since, known := ownerless[c.Hold]
		switch {
		case !known:
			ownerless[c.Hold] = time.Now()
		case time.Since(since) >= orphanAfter:
			if _, err := d.cfg.DB.Abandon(ctx, c.Hold, time.Time{}); err != nil {
				return err
			}
			d.cfg.Log.Warn("call had no owner", "call_id", c.SID, "state", string(c.State))
			delete(ownerless, c.Hold)
		}
	}
	for h := range ownerless {
		if !stored[h] {
			delete(ownerless, h)
		}
	}
	for _, h := range mine {
		if !stored[h] {
			d.letGo(ctx, h)
		}
	}
	for h := range stored {
		delete(live, h.SID)
	}
	for sid := range live {
		d.hangUpTaken(ctx, sid)
	}
	return nil
}

// live are the calls that run on this node, whichever way they came.
func (d *Dispatcher) live() map[talkstack.CallSID]bool {
	if d.cfg.Live == nil || d.cfg.Hangup == nil {
		return nil
	}
	sids := map[talkstack.CallSID]bool{}
	for _, sid := range d.cfg.Live() {
		sids[sid] = true
	}
	return sids
}

// hangUpTaken ends an inbound call here that the store knows as interrupted: this node was taken for dead meanwhile.
func (d *Dispatcher) hangUpTaken(ctx context.Context, sid talkstack.CallSID) {
	c, err := d.cfg.DB.CallBySID(ctx, sid)
	if err != nil || c.Direction != talkstack.Inbound || c.EndReason == nil || c.EndReason.Code != talkstack.EndInterrupted {
		return // not stored yet, being finished, or letGo's
	}
	d.cfg.Log.Warn("call was taken from this node", "call_id", sid)
	d.cfg.Hangup(sid)
}

func (d *Dispatcher) holds() []store.Hold {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.running))
}

// letGo ends the work on a call that was taken out of this node's hands: another node may dial it. A call that this
// node has finished itself is in the same place for a moment, and is left alone.
func (d *Dispatcher) letGo(ctx context.Context, h store.Hold) {
	c, err := d.cfg.DB.CallBySID(ctx, h.SID)
	if err != nil || c.State == talkstack.StateEnded && (c.EndReason == nil || c.EndReason.Code != talkstack.EndInterrupted) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if cancel, ok := d.running[h]; ok {
		d.cfg.Log.Warn("call was taken from this node", "call_id", h.SID)
		cancel(store.ErrNotHeld)
	}
}
