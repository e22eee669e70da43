package dispatch

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// claim is the loop that finds calls to dial.
func (d *Dispatcher) claim(ctx context.Context) {
	defer close(d.claiming.done)
	away := false // logged once an outage, not once a round
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.claiming.stop:
			return
		case <-d.wake:
		case <-timer.C:
		}
		found, err := d.round(ctx)
		if err != nil && !away {
			d.cfg.Log.Error("calls can not be claimed", "error", err)
		}
		away = err != nil
		if found > 0 {
			timer.Reset(roundPause)
		} else {
			timer.Reset(d.cfg.Poll)
		}
	}
}

// round claims once and starts what it got.
func (d *Dispatcher) round(ctx context.Context) (int, error) {
	if !d.leased() {
		return 0, store.ErrLeaseLost
	}
	free := d.cfg.Capacity()
	if free <= 0 {
		return 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	calls, err := d.cfg.DB.Claim(limited, d.cfg.Node, free)
	if errors.Is(err, store.ErrLeaseLost) { // the others have buried this node: what it held is gone, and it begins anew
		return 0, errors.Join(err, d.beat(limited))
	}
	for _, c := range calls {
		d.start(ctx, c)
	}
	return len(calls), err
}

// start gives a call to Dial.
func (d *Dispatcher) start(ctx context.Context, c talkstack.Call) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	d.running[store.HoldOf(&c)] = cancel
	d.mu.Unlock()
	d.dials.Go(func() {
		defer cancel(nil)
		panicked := d.dial(ctx, c)
		d.settle(context.WithoutCancel(ctx), c, panicked)
		d.mu.Lock()
		delete(d.running, store.HoldOf(&c))
		d.mu.Unlock()
		d.Wake() // a line is free
	})
}

// dial keeps a panic from ending the other calls too.
func (d *Dispatcher) dial(ctx context.Context, c talkstack.Call) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			d.cfg.Log.Error("dialling panicked", "call_id", c.SID, "panic", p, "stack", string(debug.Stack()))
			panicked = true
		}
	}()
	d.cfg.Dial(ctx, c)
	return false
}

// settle sees to a call that Dial has left open. If the database is away, the watch does it later.
func (d *Dispatcher) settle(ctx context.Context, c talkstack.Call, panicked bool) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if panicked {
		err := d.cfg.DB.FinishCall(ctx, c, store.Outcome{Ending: talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{
			Party: talkstack.PartyPlatform, Code: talkstack.EndErrorInternal, Message: "The call ended by an internal error.",
		}}})
		if err != nil && !errors.Is(err, store.ErrNotHeld) {
			d.cfg.Log.Error("call could not be ended", "call_id", c.SID, "error", err)
		}
		return
	}
	stored, err := d.cfg.DB.CallBySID(ctx, c.SID) // a look without the write lock: nearly always the call has ended
	if err == nil && (stored.State == talkstack.StateEnded || store.HoldOf(&stored) != store.HoldOf(&c)) {
		return
	}
	retry := time.Now().Add(retryStep * time.Duration(min(c.Attempt, retrySteps)))
	held, err := d.cfg.DB.Abandon(ctx, store.HoldOf(&c), retry)
	switch {
	case err != nil:
		d.cfg.Log.Error("call could not be given back", "call_id", c.SID, "error", err)
	case held:
		d.cfg.Log.Warn("call was not finished by its dial", "call_id", c.SID, "attempt", c.Attempt)
	}
}
