package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Dial makes one attempt at a claimed call, holds the conversation, and stores how it ended. It returns when the
// call is over. The attempt is committed as dialling before the INVITE leaves; if that cannot be stored, or the
// attempt is no longer ours, nothing is sent.
func (s *Switchboard) Dial(ctx context.Context, c talkstack.Call) {
	log := s.cfg.Log.With("call_id", c.SID, "agent_id", c.AgentID)
	ctx, leave, ok := s.enter(ctx, c.SID)
	if !ok {
		log.Info("call was not dialled: the server stops")
		return
	}
	defer leave()
	prepared, err := s.prepare(ctx, c, log)
	if ctx.Err() != nil { // nothing was sent: the call stays claimed and is queued again, or was taken from us
		if err == nil {
			prepared.discard()
		}
		log.Info("call was given up before it was dialled", "cause", context.Cause(ctx))
		return
	}
	if err != nil {
		log.Error("call could not be prepared", "error", err)
		s.failUndialed(ctx, c, err, log)
		return
	}
	defer prepared.discard()
	c.CarrierSID = fmt.Sprintf("%s-%d", c.SID, c.Attempt)
	if err := s.markDialing(ctx, c); err != nil {
		// The call stays claimed: the dispatcher or the reaper queues it again, and nothing was sent.
		log.Warn("call was not dialled", "error", err)
		return
	}
	log.Info("dialling", "to", talkstack.MaskNumber(c.To), "attempt", c.Attempt)
	book := s.openLedger(ctx, log)
	defer book.close()
	leg, err := s.cfg.Dial(ctx, Dialing{
		CallID: c.CarrierSID, From: c.From, To: c.To,
		RingTimeout: prepared.agent.Settings.RingTimeout.Duration(),
		OnRinging: func() {
			book.add("ringing", func(ctx context.Context) error { return s.cfg.DB.MarkRinging(ctx, c) })
		},
	})
	if err != nil {
		s.finish(book, c, s.settle(c, prepared, time.Time{}, store.Outcome{Ending: dialEnding(ctx, err)}), log)
		return
	}
	s.hold(ctx, c, leg, prepared, book, log)
}

func (s *Switchboard) markDialing(ctx context.Context, c talkstack.Call) error {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	return s.cfg.DB.MarkDialing(ctx, c)
}

// dialEnding is how a call ends that was not answered.
func dialEnding(ctx context.Context, err error) talkstack.Ending {
	if ctx.Err() != nil {
		ending := endingOf(context.Cause(ctx))
		ending.Status = talkstack.StatusFailed // what was never answered cannot be completed
		return ending
	}
	if e, ok := errors.AsType[*DialError](err); ok {
		return e.Ending
	}
	return internalEnding()
}

// failUndialed ends a call that cannot even be tried: its agent cannot be loaded or cannot speak.
func (s *Switchboard) failUndialed(ctx context.Context, c talkstack.Call, cause error, log *slog.Logger) {
	if talkstack.ErrorCode(cause) == talkstack.CodeUnavailable {
		return // it stays claimed and is queued again
	}
	ending := internalEnding()
	if message := talkstack.ErrorMessage(cause); talkstack.ErrorCode(cause) != talkstack.CodeInternal {
		ending.Reason.Message = message
	}
	book := s.openLedger(ctx, log)
	defer book.close()
	s.finish(book, c, store.Outcome{Ending: ending}, log)
}
