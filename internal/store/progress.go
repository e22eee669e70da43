package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// Hold names one attempt at a call and the node that works on it. Every change of a call that runs is guarded by it, so
// a node that was taken for dead can not touch what another one has meanwhile.
type Hold struct {
	SID     talkstack.CallSID
	Node    talkstack.NodeID
	Attempt int
}

// HoldOf is the hold of a call as Claim or InsertInboundCall returned it.
func HoldOf(c *talkstack.Call) Hold { return Hold{SID: c.SID, Node: c.Node, Attempt: c.Attempt} }

// MarkDialing notes that this attempt's INVITE is about to leave, with c.CarrierSID as its Call-ID. It must have returned
// without error before it does: from then on nobody dials the attempt again. It is refused with ErrNotHeld when the call
// is not claimed by c's node and attempt, somebody has asked to hang it up, or its number has come on its account's
// do-not-call list since it was claimed: given back, such a call is ended by the next Claim.
func (db *DB) MarkDialing(ctx context.Context, c talkstack.Call) error {
	return db.advance(ctx, "mark a call dialing", func(q *tx) (query.Call, error) {
		return q.MarkDialing(ctx, query.MarkDialingParams{
			SID: c.SID, Node: c.Node, Attempt: int64(c.Attempt), CarrierSID: cleanText(c.CarrierSID), Now: new(db.now()),
		})
	})
}

// MarkRinging notes that the other party's phone rings. It is refused as MarkDialing is.
func (db *DB) MarkRinging(ctx context.Context, c talkstack.Call) error {
	err := db.advance(ctx, "mark a call ringing", func(q *tx) (query.Call, error) {
		return q.MarkRinging(ctx, query.MarkRingingParams{SID: c.SID, Node: c.Node, Attempt: int64(c.Attempt)})
	})
	if !errors.Is(err, ErrNotHeld) {
		return err
	}
	// A carrier may say more than once that it rings: then nothing has changed.
	_, err = db.reader().StillRings(ctx, query.StillRingsParams{SID: c.SID, Node: c.Node, Attempt: int64(c.Attempt)})
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotHeld
	}
	return wrap("mark a call ringing", err)
}

// MarkAnswered notes when the call was answered, in either direction: it is live. The recording's key is stored before
// its first sample, so that a recording is never without an owner; empty: not recorded. It is refused as MarkDialing is.
func (db *DB) MarkAnswered(ctx context.Context, c talkstack.Call, at time.Time, recording string) error {
	return db.advance(ctx, "mark a call answered", func(q *tx) (query.Call, error) {
		return q.MarkAnswered(ctx, query.MarkAnsweredParams{
			SID: c.SID, Node: c.Node, Attempt: int64(c.Attempt), AnsweredAt: timeOrNull(at), Recording: recording,
		})
	})
}

// advance makes a guarded change of a call's status and does what follows from it, in one transaction. mark returns the
// changed row, or none when the guard holds it back.
func (db *DB) advance(ctx context.Context, doing string, mark func(q *tx) (query.Call, error)) error {
	return db.transact(ctx, doing, func(q *tx) error {
		r, err := mark(q)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotHeld
		}
		if err != nil {
			return err
		}
		c, err := callOf(r, nil)
		if err != nil {
			return err
		}
		q.touch(c.SID)
		return db.deliver(ctx, q, &c, talkstack.EventCallStatus)
	})
}

// Outcome is what a call leaves behind when it ends.
type Outcome struct {
	Ending           talkstack.Ending
	EndedAt          time.Time // zero: now
	Slots            map[string]string
	MissingVariables []string // nil keeps what is stored
	Usage            talkstack.Usage
	CostParts        map[string]float64 // US dollars by part; the call's cost is their sum
}

// FinishCall ends a call with its outcome. It is refused with ErrNotHeld when the call is not in the hands of c's node
// and attempt, and with CodeConflict when its status can not become the ending's (talkstack.CanTransition). Finishing
// again with the same ending changes nothing and is no error: so it may be repeated when the first answer was lost.
func (db *DB) FinishCall(ctx context.Context, c talkstack.Call, o Outcome) error {
	h := HoldOf(&c)
	return db.transact(ctx, "finish a call", func(q *tx) error {
		stored, err := callOf(q.LockCall(ctx, h.SID))
		if err != nil {
			return err
		}
		switch {
		case HoldOf(&stored) != h || stored.State == talkstack.StateQueued:
			return ErrNotHeld
		case stored.State == talkstack.StateEnded:
			if stored.Status == o.Ending.Status && stored.EndReason.Code == o.Ending.Reason.Code {
				return nil
			}
			return ErrNotHeld
		case !talkstack.CanTransition(stored.Status, o.Ending.Status) || !o.Ending.Status.Final():
			return talkstack.Errorf(talkstack.CodeConflict, "A call that is %s can not end as %s.", stored.Status, o.Ending.Status)
		}
		return db.finish(ctx, q, &stored, o)
	})
}

// finish writes the outcome, and what follows from it.
func (db *DB) finish(ctx context.Context, q *tx, c *talkstack.Call, o Outcome) error {
	collected := make(map[string]string, len(o.Slots))
	for k, v := range o.Slots {
		collected[cleanText(k)] = cleanText(v)
	}
	slots, err := encode("slots", collected)
	if err != nil {
		return err
	}
	if o.MissingVariables == nil {
		o.MissingVariables = c.MissingVariables
	}
	names := make([]string, 0, len(o.MissingVariables))
	for _, v := range o.MissingVariables {
		names = append(names, cleanText(v))
	}
	missing, err := encode("missingVariables", names)
	if err != nil {
		return err
	}
	if o.EndedAt.IsZero() {
		o.EndedAt = db.now()
	}
	latency, _, err := summary(ctx, q, c.SID)
	if err != nil {
		return err
	}
	used, parts, cost, err := encodeCost(o)
	if err != nil {
		return err
	}
	reason := o.Ending.Reason
	ended, err := callOf(q.FinishCall(ctx, query.FinishCallParams{
		SID: c.SID, Status: o.Ending.Status, EndParty: reason.Party, EndCode: reason.Code, EndMessage: cleanText(reason.Message),
		Slots: slots, MissingVariables: missing, Cost: cost, CostParts: parts, Usage: used, EndedAt: timeOrNull(o.EndedAt),
		LatencyP50US: latency.P50.Microseconds(), LatencyP95US: latency.P95.Microseconds(), LatencyTurns: int64(latency.Turns),
	}))
	if err != nil {
		return err
	}
	return db.followEnd(ctx, q, &ended)
}

func encodeCost(o Outcome) (used, parts string, total float64, err error) {
	if o.CostParts == nil {
		o.CostParts = map[string]float64{}
	}
	for _, v := range o.CostParts {
		total += v
	}
	total = talkstack.RoundCost(total)
	if used, err = encode("usage", o.Usage); err != nil {
		return "", "", 0, err
	}
	parts, err = encode("costParts", o.CostParts)
	return used, parts, total, err
}

// end ends a call from outside, without an outcome: it was cancelled, or its process died. Nobody was on the phone while
// the process was dead, so a call that was answered ends with the last that is known to have been said in it.
func (db *DB) end(ctx context.Context, q *tx, c *talkstack.Call, reason talkstack.EndReason) error {
	latency, said, err := summary(ctx, q, c.SID)
	if err != nil {
		return err
	}
	c.State, c.Status, c.EndReason, c.EndedAt = talkstack.StateEnded, talkstack.StatusFailed, &reason, db.now()
	if last := c.AnsweredAt.Add(said); !c.AnsweredAt.IsZero() && last.Before(c.EndedAt) {
		c.EndedAt = last
	}
	c.Latency = latency
	if err := db.priceUnfinished(ctx, q, c); err != nil {
		return err
	}
	*c, err = callOf(q.EndCall(ctx, query.EndCallParams{
		SID: c.SID, Status: c.Status, EndParty: reason.Party, EndCode: reason.Code, EndMessage: reason.Message, EndedAt: &c.EndedAt,
		LatencyP50US: latency.P50.Microseconds(), LatencyP95US: latency.P95.Microseconds(), LatencyTurns: int64(latency.Turns),
	}))
	if err != nil {
		return err
	}
	return db.followEnd(ctx, q, c)
}

// summary is a call's latency, and when its last turn was over, from the call's answer.
func summary(ctx context.Context, q *tx, sid talkstack.CallSID) (talkstack.LatencySummary, time.Duration, error) {
	rows, err := q.TurnTimes(ctx, sid)
	if err != nil {
		return talkstack.LatencySummary{}, 0, err
	}
	var said time.Duration
	turns := make([]talkstack.Turn, len(rows))
	for i, r := range rows {
		said = max(said, micros(r.EndUS))
		if turns[i].Latency, err = latencyOf(r.Latency); err != nil {
			return talkstack.LatencySummary{}, 0, err
		}
	}
	return talkstack.SummarizeLatency(turns), said, nil
}

// HangupWishes stands for a call when Config.OnChange is told that somebody wants one to end. The nodes that hold calls
// look at them then.
const HangupWishes talkstack.CallSID = "hangups"

// RequestHangup asks for the end of one of the user's calls and returns it. A queued call ends at once, as failed: it was
// never dialled. Otherwise the wish is stored and told by HangupWishes, and the node that holds the call finds it by
// OpenCalls. A call that has ended stays as it is.
func (db *DB) RequestHangup(ctx context.Context, user talkstack.UserID, sid string) (talkstack.Call, error) {
	found, err := db.Call(ctx, user, sid)
	if err != nil {
		return talkstack.Call{}, err
	}
	var c talkstack.Call
	err = db.transact(ctx, "request a hang-up", func(q *tx) (err error) {
		if c, err = callOf(q.LockCall(ctx, found.SID)); err != nil {
			return err
		}
		switch c.State {
		case talkstack.StateQueued, talkstack.StateHeld:
			return db.end(ctx, q, &c, cancelled())
		case talkstack.StateClaimed, talkstack.StateDialing, talkstack.StateLive:
			q.touch(HangupWishes)
			return q.RequestHangup(ctx, query.RequestHangupParams{SID: c.SID, Now: new(db.now())})
		case talkstack.StateEnded:
		}
		return nil
	})
	if err != nil {
		return talkstack.Call{}, err
	}
	return c, nil
}

func cancelled() talkstack.EndReason {
	return talkstack.EndReason{
		Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup, Message: "The call was cancelled before it was dialled.",
	}
}

// OpenCall is a call that a node holds.
type OpenCall struct {
	Hold
	State           talkstack.CallState
	Status          talkstack.CallStatus
	Direction       talkstack.Direction
	HangupRequested bool
}

// OpenCalls returns what a node holds: the calls it has claimed, dials or has live.
func (db *DB) OpenCalls(ctx context.Context, node talkstack.NodeID) ([]OpenCall, error) {
	rows, err := db.reader().OpenCallsOfNode(ctx, node)
	if err != nil {
		return nil, wrap("list open calls", err)
	}
	out := make([]OpenCall, 0, len(rows))
	for _, r := range rows {
		out = append(out, OpenCall{
			Hold:  Hold{SID: r.SID, Node: r.Node, Attempt: int(r.Attempt)},
			State: r.State, Status: r.Status, Direction: r.Direction, HangupRequested: r.HangupRequestedAt != nil,
		})
	}
	return out, nil
}
