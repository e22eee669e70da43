package store

import (
	"context"
	"database/sql"
	"errors"

	"talkstack"
	"talkstack/internal/store/query"
)

// AssignNumber gives an E.164 number to an agent of the user's project. It moves a number that the account has elsewhere;
// one of another account is a conflict. Without an agent the project's active agent answers it.
func (db *DB) AssignNumber(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID, agent talkstack.AgentID, e164 string) (talkstack.Number, error) {
	var n talkstack.Number
	err := db.transact(ctx, "assign a number", func(q *tx) (err error) {
		if err := lockedIn(ctx, q, user, project); err != nil {
			return err
		}
		if agent != "" {
			if err := agentIn(ctx, q, user, project, agent); err != nil {
				return err
			}
		}
		n, err = db.assignNumber(ctx, q, user, project, agent, e164)
		return err
	})
	return n, err
}

func (db *DB) assignNumber(ctx context.Context, q *tx, user talkstack.UserID, project talkstack.ProjectID, agent talkstack.AgentID, e164 string) (talkstack.Number, error) {
	e164, err := talkstack.ParseE164(e164)
	if err != nil {
		return talkstack.Number{}, err
	}
	r, err := q.AssignNumber(ctx, query.AssignNumberParams{
		ID: talkstack.NewNumberID(), UserID: user, ProjectID: project, AgentID: orNull(agent), E164: e164,
		Status: talkstack.NumberStatusAvailable, CreatedAt: db.now(),
	})
	if errors.Is(err, sql.ErrNoRows) { // it is there, and another account's
		return talkstack.Number{}, talkstack.Errorf(talkstack.CodeConflict, "The phone number is in use by another account.")
	}
	return numberOf(r, err)
}

// Number returns one of the user's numbers.
func (db *DB) Number(ctx context.Context, user talkstack.UserID, id talkstack.NumberID) (talkstack.Number, error) {
	return numberOf(db.reader().Number(ctx, query.NumberParams{ID: id, UserID: user}))
}

// NumbersByAgent returns the user's numbers that an agent has, oldest first; none for an unknown agent.
func (db *DB) NumbersByAgent(ctx context.Context, user talkstack.UserID, agent talkstack.AgentID) ([]talkstack.Number, error) {
	return numbersOf(db.reader().NumbersByAgent(ctx, query.NumbersByAgentParams{AgentID: orNull(agent), UserID: user}))
}

// NumbersByProject returns the user's numbers in a project, oldest first; none for an unknown project.
func (db *DB) NumbersByProject(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID) ([]talkstack.Number, error) {
	return numbersOf(db.reader().NumbersByProject(ctx, query.NumbersByProjectParams{ProjectID: project, UserID: user}))
}

// NumberByE164 returns the number whoever owns it. It is for the program's own use: a person must not learn from it.
func (db *DB) NumberByE164(ctx context.Context, e164 string) (talkstack.Number, error) {
	return numberOf(db.reader().NumberByE164(ctx, e164))
}

// RouteInbound finds the agent that answers a number: the number's own, or else its project's active one.
// Without either the number is not found.
func (db *DB) RouteInbound(ctx context.Context, e164 string) (talkstack.Agent, error) {
	r, err := db.reader().AgentForNumber(ctx, e164)
	if err != nil {
		return talkstack.Agent{}, lookup("number with an agent", err)
	}
	return agentOf(r.Agent, r.AgentVersion)
}

func numbersOf(rows []query.Number, err error) ([]talkstack.Number, error) {
	if err != nil && postgresCode(err) != pgBadText {
		return nil, wrap("list numbers", err)
	}
	out := make([]talkstack.Number, 0, len(rows))
	for _, r := range rows {
		n, _ := numberOf(r, nil)
		out = append(out, n)
	}
	return out, nil
}

func numberOf(r query.Number, err error) (talkstack.Number, error) {
	if err != nil {
		return talkstack.Number{}, lookup("phone number", err)
	}
	return talkstack.Number{
		ID: r.ID, UserID: r.UserID, ProjectID: r.ProjectID, AgentID: orEmpty[talkstack.AgentID](r.AgentID),
		E164: r.E164, Status: r.Status, CreatedAt: r.CreatedAt.UTC(),
	}, nil
}
