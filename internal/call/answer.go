package call

import (
	"context"
	"runtime/debug"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Incoming is a call that rings here, as a door offers it.
type Incoming interface {
	From() string   // the caller's number as the carrier sent it; may be empty
	To() string     // the number that was called
	CallID() string // the carrier's id for the call
	Ring()
	Answer(ctx context.Context) (Leg, error)
	Reject(r Refusal)
}

// Refusal is why an incoming call is not taken. Each door maps its code once.
type Refusal struct {
	Code       talkstack.Code // not_found, limited, unavailable, internal
	RetryAfter time.Duration  // zero: do not say
}

const (
	// retryWhenFull is what callers are told to wait when every line is taken: about the length of a short call.
	retryWhenFull = 30 * time.Second
	retryWhenAway = 10 * time.Second
)

// Answer takes an incoming call for the agent that its number belongs to, and returns when it is over. A number
// that nobody has, a full node and an unreachable database are refused.
func (s *Switchboard) Answer(ctx context.Context, in Incoming) {
	log := s.cfg.Log.With("carrier_call_id", in.CallID())
	sid := talkstack.NewCallSID()
	ctx, leave, ok := s.admit(ctx, sid)
	if !ok {
		log.Warn("incoming call refused: no room", "live", s.Live())
		in.Reject(Refusal{Code: talkstack.CodeUnavailable, RetryAfter: retryWhenFull})
		return
	}
	defer leave()
	defer func() { // one call's fault must not end the others; what it leaves in the store has no owner any more
		if p := recover(); p != nil {
			log.Error("incoming call panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	called := dialled(in.To())
	agent, err := s.routeInbound(ctx, called)
	if err != nil {
		log.Info("incoming call refused", "to", talkstack.MaskNumber(in.To()), "error", err)
		in.Reject(Refusal{Code: talkstack.ErrorCode(err), RetryAfter: retryWhenAway})
		return
	}
	in.Ring()
	c := talkstack.Call{
		SID: sid, CarrierSID: in.CallID(), UserID: agent.UserID, ProjectID: agent.ProjectID,
		AgentID: agent.ID, AgentVersion: agent.Version, Direction: talkstack.Inbound,
		From: in.From(), To: called, Node: s.cfg.Node, Attempt: 1,
	}
	c.MissingVariables = agent.Placeholders().Missing(variables(c))
	c, err = s.insertInbound(ctx, c)
	if err != nil {
		log.Warn("incoming call refused: it could not be stored", "error", err)
		in.Reject(Refusal{Code: talkstack.ErrorCode(err), RetryAfter: retryWhenFull})
		return
	}
	log = log.With("call_id", c.SID, "agent_id", c.AgentID)
	book := s.openLedger(ctx, log)
	defer book.close()
	prepared, err := s.prepare(ctx, c, log)
	if err != nil {
		log.Error("incoming call could not be prepared", "error", err)
		in.Reject(Refusal{Code: talkstack.ErrorCode(err), RetryAfter: retryWhenAway})
		s.finish(book, c, store.Outcome{Ending: unanswered(ctx, internalEnding())}, log)
		return
	}
	defer prepared.discard()
	leg, err := in.Answer(ctx)
	if err != nil {
		log.Info("incoming call was not answered", "error", err)
		ending := unanswered(ctx, talkstack.Ending{Status: talkstack.StatusFailed, Reason: talkstack.EndReason{
			Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: "The call could not be answered: no audio could be agreed on.",
		}})
		s.finish(book, c, s.settle(c, prepared, time.Time{}, store.Outcome{Ending: ending}), log)
		return
	}
	s.hold(ctx, c, leg, prepared, book, log)
}

// unanswered is how an incoming call ends that was not answered: as its owner or its caller wished, else in the given way.
func unanswered(ctx context.Context, otherwise talkstack.Ending) talkstack.Ending {
	if ctx.Err() == nil {
		return otherwise
	}
	ending := talkstack.Ending{Reason: talkstack.EndReason{
		Party: talkstack.PartyCaller, Code: talkstack.EndUserHangup, Message: "The caller gave up before the call was answered.",
	}}
	if e, ok := context.Cause(ctx).(*endingError); ok { //nolint:errorlint // set by us, never wrapped
		ending = e.ending
	}
	ending.Status = talkstack.StatusFailed // what was never answered cannot be completed
	return ending
}

// dialled is the number that was called in E.164 form: many carriers send it without the +. What is none stays as it is.
func dialled(to string) string {
	for _, n := range []string{to, "+" + to} {
		if e164, err := talkstack.ParseE164(n); err == nil {
			return e164
		}
	}
	return to
}

func (s *Switchboard) routeInbound(ctx context.Context, number string) (talkstack.Agent, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	return s.cfg.DB.RouteInbound(ctx, number)
}

func (s *Switchboard) insertInbound(ctx context.Context, c talkstack.Call) (talkstack.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	return s.cfg.DB.InsertInboundCall(ctx, c)
}
