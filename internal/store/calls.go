package store

import (
	"context"
	"database/sql"
	"errors"

	"talkstack"
	"talkstack/internal/store/query"
)

// PlaceCall stores an outbound call as queued and returns it as stored. An empty SID is made up, a zero NotBefore means
// now, and a zero AgentVersion is the agent's current one. When it returns without error the call is never lost.
func (db *DB) PlaceCall(ctx context.Context, c talkstack.Call) (talkstack.Call, error) {
	if c.SID == "" {
		c.SID = talkstack.NewCallSID()
	}
	c.Direction, c.Status, c.State = talkstack.Outbound, talkstack.StatusQueued, talkstack.StateQueued
	c.Node, c.Attempt, c.CarrierSID = "", 0, ""
	err := db.transact(ctx, "place a call", func(q *tx) error {
		c.CreatedAt = db.now()
		if c.NotBefore.IsZero() {
			c.NotBefore = c.CreatedAt
		}
		return db.insertCall(ctx, q, &c)
	})
	if err != nil {
		return talkstack.Call{}, err
	}
	return c, nil
}

// InsertInboundCall stores a call that has come in and is live on a node, with the status ringing, and returns it as
// stored. When the project has all the calls it may have, the error is of CodeLimited. A node that the others take for
// dead gets ErrLeaseLost.
func (db *DB) InsertInboundCall(ctx context.Context, c talkstack.Call) (talkstack.Call, error) {
	if c.SID == "" {
		c.SID = talkstack.NewCallSID()
	}
	c.Direction, c.Status, c.State = talkstack.Inbound, talkstack.StatusRinging, talkstack.StateLive
	c.Attempt = 1
	c.From, c.To, c.CarrierSID = cleanText(c.From), cleanText(c.To), cleanText(c.CarrierSID)
	err := db.transact(ctx, "store an inbound call", func(q *tx) error {
		c.CreatedAt = db.now()
		c.NotBefore = c.CreatedAt
		if err := db.requireLease(ctx, q, c.Node); err != nil {
			return err
		}
		limit, err := q.LockProjectForInbound(ctx, c.ProjectID)
		if err != nil {
			return lookup("project", err)
		}
		open, err := q.CountOpenCalls(ctx, c.ProjectID)
		if err != nil {
			return err
		}
		if open >= limit {
			return talkstack.Errorf(talkstack.CodeLimited, "The project has all %d calls it may have at once.", limit)
		}
		if err := db.insertCall(ctx, q, &c); err != nil {
			return err
		}
		q.touch(c.SID)
		return db.deliver(ctx, q, &c, talkstack.EventCallStatus)
	})
	if err != nil {
		return talkstack.Call{}, err
	}
	return c, nil
}

func (db *DB) insertCall(ctx context.Context, q *tx, c *talkstack.Call) error {
	if err := checkText("from", c.From, "to", c.To); err != nil {
		return err
	}
	if c.DynamicVariables == nil {
		c.DynamicVariables = map[string]any{}
	}
	if c.MissingVariables == nil {
		c.MissingVariables = []string{}
	}
	c.Slots, c.Latency, c.CostParts = map[string]string{}, talkstack.LatencySummary{}, map[string]float64{}
	c.Try = max(1, c.Try)
	variables, err := encode("dynamicVariables", c.DynamicVariables)
	if err != nil {
		return err
	}
	missing, err := encode("missingVariables", c.MissingVariables)
	if err != nil {
		return err
	}
	if err := lockedIn(ctx, q, c.UserID, c.ProjectID); err != nil {
		return err
	}
	a, err := q.ShareAgent(ctx, query.ShareAgentParams{ID: c.AgentID, UserID: c.UserID})
	if err != nil {
		return lookup("agent", err)
	}
	if a.ProjectID != c.ProjectID {
		return notFound("agent")
	}
	if c.AgentVersion == 0 {
		c.AgentVersion = int(a.Version)
	}
	c.NotBefore = *timeOrNull(c.NotBefore)
	return q.InsertCall(ctx, query.InsertCallParams{
		SID: c.SID, CarrierSID: c.CarrierSID, UserID: c.UserID, ProjectID: c.ProjectID, AgentID: c.AgentID,
		AgentVersion: int64(c.AgentVersion), Direction: c.Direction, FromNumber: c.From, ToNumber: c.To,
		Status: c.Status, State: c.State, DynamicVariables: variables, MissingVariables: missing,
		Node: c.Node, Attempt: int64(c.Attempt), NotBefore: c.NotBefore, CreatedAt: c.CreatedAt,
		BatchID: orNull(c.BatchID), BatchRow: int64(c.BatchRow), TimeZone: c.TimeZone, Try: int64(c.Try), RetryOf: string(c.RetryOf),
	})
}

// Call returns one of the user's calls by its sid, or by the carrier's.
func (db *DB) Call(ctx context.Context, user talkstack.UserID, sid string) (talkstack.Call, error) {
	r, err := db.reader().Call(ctx, query.CallParams{SID: talkstack.CallSID(sid), UserID: user})
	if errors.Is(err, sql.ErrNoRows) {
		r, err = db.reader().CallByCarrierSID(ctx, query.CallByCarrierSIDParams{CarrierSID: sid, UserID: user})
	}
	return callOf(r, err)
}

// CallInProject is Call, and the call must be the project's.
func (db *DB) CallInProject(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID, sid string) (talkstack.Call, error) {
	c, err := db.Call(ctx, user, sid)
	if err == nil && c.ProjectID != project {
		return talkstack.Call{}, notFound("call")
	}
	return c, err
}

// CallBySID returns a call whoever owns it: for the parts of the program that work on it, and for signed links.
func (db *DB) CallBySID(ctx context.Context, sid talkstack.CallSID) (talkstack.Call, error) {
	return callOf(db.reader().CallBySID(ctx, sid))
}

// ActiveCallCount is how many calls of a project are claimed, dialing or live.
func (db *DB) ActiveCallCount(ctx context.Context, project talkstack.ProjectID) (int, error) {
	n, err := db.reader().CountOpenCalls(ctx, project)
	return int(n), wrap("count calls", err)
}

func callsOf(rows []query.Call) ([]talkstack.Call, error) {
	out := make([]talkstack.Call, 0, len(rows))
	for _, r := range rows {
		c, err := callOf(r, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func callOf(r query.Call, err error) (talkstack.Call, error) {
	if err != nil {
		return talkstack.Call{}, lookup("call", err)
	}
	c := talkstack.Call{
		SID: r.SID, CarrierSID: r.CarrierSID, UserID: r.UserID, ProjectID: r.ProjectID, AgentID: r.AgentID,
		AgentVersion: int(r.AgentVersion), Direction: r.Direction, From: r.FromNumber, To: r.ToNumber,
		Status: r.Status, State: r.State, Cost: r.Cost, Recording: r.Recording, Node: r.Node, Attempt: int(r.Attempt),
		NotBefore: r.NotBefore.UTC(), CreatedAt: r.CreatedAt.UTC(), DialedAt: timeOrZero(r.DialedAt),
		AnsweredAt: timeOrZero(r.AnsweredAt), EndedAt: timeOrZero(r.EndedAt),
		BatchID: orEmpty[talkstack.BatchID](r.BatchID), BatchRow: int(r.BatchRow), TimeZone: r.TimeZone, Try: int(r.Try), RetryOf: talkstack.CallSID(r.RetryOf),
		Latency: talkstack.LatencySummary{P50: micros(r.LatencyP50US), P95: micros(r.LatencyP95US), Turns: int(r.LatencyTurns)},
	}
	if r.EndCode != "" {
		c.EndReason = &talkstack.EndReason{Party: r.EndParty, Code: r.EndCode, Message: r.EndMessage}
	}
	c.Analysis, err = analysisOf(r.Analysis)
	return c, errors.Join(
		err,
		decode("dynamic_variables", r.DynamicVariables, &c.DynamicVariables),
		decode("missing_variables", r.MissingVariables, &c.MissingVariables),
		decode("slots", r.Slots, &c.Slots),
		decode("usage", r.Usage, &c.Usage),
		decode("cost_parts", r.CostParts, &c.CostParts),
	)
}
