package store

import (
	"context"

	"talkstack"
	"talkstack/internal/store/query"
)

// AssignNumber gives an E.164 number to an agent of the user's project, and returns it as stored. A number that the account
// has elsewhere is moved and keeps its id; a new one has n's, or one that is made up when that is empty. One of another
// account is a conflict. Without an agent the project's active agent answers it.
func (db *DB) AssignNumber(ctx context.Context, n talkstack.Number) (talkstack.Number, error) {
	var stored talkstack.Number
	err := db.transact(ctx, "assign a number", func(q *tx) (err error) {
		if err := placeFor(ctx, q, n); err != nil {
			return err
		}
		stored, err = db.assignNumber(ctx, q, n)
		return err
	})
	return stored, err
}

// placeFor makes sure that the number's project and agent are its owner's, and keeps them until the transaction ends.
func placeFor(ctx context.Context, q *tx, n talkstack.Number) error {
	if err := lockedIn(ctx, q, n.UserID, n.ProjectID); err != nil || n.AgentID == "" {
		return err
	}
	return agentIn(ctx, q, n.UserID, n.ProjectID, n.AgentID)
}

func (db *DB) assignNumber(ctx context.Context, q *tx, n talkstack.Number) (talkstack.Number, error) {
	e164, err := talkstack.ParseE164(n.E164)
	if err != nil {
		return talkstack.Number{}, err
	}
	was, err := numberOf(q.LockNumberByE164(ctx, query.LockNumberByE164Params{E164: e164, UserID: n.UserID}))
	if err != nil && talkstack.ErrorCode(err) != talkstack.CodeNotFound {
		return talkstack.Number{}, err
	}
	if n.ID == "" {
		n.ID = talkstack.NewNumberID()
	}
	is, err := numberOf(q.AssignNumber(ctx, query.AssignNumberParams{
		ID: n.ID, UserID: n.UserID, ProjectID: n.ProjectID, AgentID: orNull(n.AgentID), E164: e164,
		Status: talkstack.NumberStatusAvailable, CreatedAt: db.now(),
	}))
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound { // it is there, and another account's
		return talkstack.Number{}, talkstack.Errorf(talkstack.CodeConflict, "The phone number is in use by another account.")
	}
	if err != nil {
		return talkstack.Number{}, err
	}
	return is, db.auditNumber(ctx, q, was, is)
}

// auditNumber notes what became of a number: was has no id if it is new.
func (db *DB) auditNumber(ctx context.Context, q *tx, was, is talkstack.Number) error {
	changes := map[string]any{}
	note(changes, "project_id", was.ProjectID, is.ProjectID)
	note(changes, "agent_id", was.AgentID, is.AgentID)
	if len(changes) == 0 {
		return nil
	}
	action := "number.assign"
	if was.ID != "" && was.ProjectID != is.ProjectID {
		action = "number.move"
		changes["from_project_id"] = was.ProjectID
	}
	changes["e164"] = is.E164
	return db.audit(ctx, q, is.UserID, action, "number", string(is.ID), changes)
}

// unassign takes the numbers of an agent from it, all but one.
func (db *DB) unassign(ctx context.Context, q *tx, user talkstack.UserID, project talkstack.ProjectID, agent talkstack.AgentID, but string) error {
	mine, err := q.NumbersByAgent(ctx, query.NumbersByAgentParams{AgentID: orNull(agent), UserID: user})
	if err != nil {
		return err
	}
	for _, r := range mine {
		if r.E164 == but {
			continue
		}
		was, err := numberOf(r, nil)
		if err != nil {
			return err
		}
		if _, err := db.move(ctx, q, was, project, ""); err != nil {
			return err
		}
	}
	return nil
}

// move puts a number elsewhere in its account, if it is still where it was.
func (db *DB) move(ctx context.Context, q *tx, was talkstack.Number, project talkstack.ProjectID, agent talkstack.AgentID) (talkstack.Number, error) {
	is, err := numberOf(q.MoveNumber(ctx, query.MoveNumberParams{
		ID: was.ID, UserID: was.UserID, FromProject: was.ProjectID, ProjectID: project, AgentID: orNull(agent),
	}))
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return talkstack.Number{}, talkstack.Errorf(talkstack.CodeConflict, "The phone number was moved meanwhile. Fetch it again and repeat the change.")
	}
	if err != nil {
		return talkstack.Number{}, err
	}
	return is, db.auditNumber(ctx, q, was, is)
}

// NumberUpdate says where a number is to be; nil leaves it.
type NumberUpdate struct {
	ProjectID *talkstack.ProjectID // without AgentID the number has no agent there
	AgentID   *talkstack.AgentID   // one of the project's; empty: none
}

// UpdateNumber moves one of the user's numbers and returns it as stored.
func (db *DB) UpdateNumber(ctx context.Context, user talkstack.UserID, id talkstack.NumberID, change NumberUpdate) (talkstack.Number, error) {
	var n talkstack.Number
	err := db.transact(ctx, "update a number", func(q *tx) error {
		was, err := numberOf(q.Number(ctx, query.NumberParams{ID: id, UserID: user}))
		if err != nil {
			return err
		}
		n = was
		if change.ProjectID != nil && *change.ProjectID != was.ProjectID {
			n.ProjectID, n.AgentID = *change.ProjectID, ""
		}
		set(&n.AgentID, change.AgentID)
		if err := placeFor(ctx, q, n); err != nil {
			return err
		}
		n, err = db.move(ctx, q, was, n.ProjectID, n.AgentID)
		return err
	})
	return n, err
}

// ReleaseNumber takes one of the user's numbers out of the account: anybody may assign it then.
func (db *DB) ReleaseNumber(ctx context.Context, user talkstack.UserID, id talkstack.NumberID) error {
	return db.transact(ctx, "release a number", func(q *tx) error {
		n, err := numberOf(q.DeleteNumber(ctx, query.DeleteNumberParams{ID: id, UserID: user}))
		if err != nil {
			return err
		}
		return db.audit(ctx, q, user, "number.release", "number", string(id), map[string]any{"e164": n.E164})
	})
}

// NumberFilter says which numbers are wanted. Zero fields want all.
type NumberFilter struct {
	ProjectID talkstack.ProjectID
	AgentID   talkstack.AgentID
	E164      string
}

// NumberPage returns up to limit of the user's numbers, newest first, from behind the cursor on.
func (db *DB) NumberPage(ctx context.Context, user talkstack.UserID, f NumberFilter, after Cursor, limit int) ([]talkstack.Number, error) {
	at, last := after.before()
	agent := cleanText(string(f.AgentID))
	return numbersOf(db.reader().NumberPage(ctx, query.NumberPageParams{
		UserID: user, ProjectID: talkstack.ProjectID(cleanText(string(f.ProjectID))), AgentID: &agent, E164: cleanText(f.E164),
		BeforeAt: at, BeforeID: talkstack.NumberID(cleanText(last)), MaxRows: int64(limit),
	}))
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
