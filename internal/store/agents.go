package store

import (
	"context"

	"talkstack"
	"talkstack/internal/store/query"
)

// CreateAgent stores an agent as its version 1 and returns it as stored; an empty id is made up. With a number that
// number is assigned to it as by AssignNumber, in the same transaction.
func (db *DB) CreateAgent(ctx context.Context, a talkstack.Agent, e164 string) (talkstack.Agent, error) {
	if a.ID == "" {
		a.ID = talkstack.NewAgentID()
	}
	a.Version, a.Deleted = 1, false
	a.CreatedAt = db.now()
	a.UpdatedAt = a.CreatedAt
	err := db.transact(ctx, "create an agent", func(q *tx) error {
		if err := lockedIn(ctx, q, a.UserID, a.ProjectID); err != nil {
			return err
		}
		if err := q.InsertAgent(ctx, query.InsertAgentParams{
			ID: a.ID, UserID: a.UserID, ProjectID: a.ProjectID, Version: 1, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
		}); err != nil {
			return err
		}
		if err := insertVersion(ctx, q, &a); err != nil {
			return err
		}
		if e164 == "" {
			return nil
		}
		_, err := db.assignNumber(ctx, q, a.UserID, a.ProjectID, a.ID, e164)
		return err
	})
	if err != nil {
		return talkstack.Agent{}, err
	}
	return a, nil
}

// lockedIn makes sure that the user has this project and keeps it from being deleted until the transaction ends.
func lockedIn(ctx context.Context, q *tx, user talkstack.UserID, project talkstack.ProjectID) error {
	_, err := q.ShareProject(ctx, query.ShareProjectParams{ID: project, UserID: user})
	if err != nil {
		return lookup("project", err)
	}
	return nil
}

// agentIn makes sure that the user's project has this agent and keeps it from being deleted until the transaction ends.
func agentIn(ctx context.Context, q *tx, user talkstack.UserID, project talkstack.ProjectID, agent talkstack.AgentID) error {
	a, err := q.ShareAgent(ctx, query.ShareAgentParams{ID: agent, UserID: user})
	if err != nil {
		return lookup("agent", err)
	}
	if a.ProjectID != project {
		return notFound("agent")
	}
	return nil
}

func insertVersion(ctx context.Context, q *tx, a *talkstack.Agent) error {
	if err := checkText("name", a.Name, "systemInstruction", a.Prompt, "voice_id", a.VoiceID); err != nil {
		return err
	}
	settings, err := encode("settings", a.Settings)
	if err != nil {
		return err
	}
	return q.InsertAgentVersion(ctx, query.InsertAgentVersionParams{
		AgentID: a.ID, Version: int64(a.Version), Name: a.Name, Prompt: a.Prompt, VoiceID: a.VoiceID, Settings: settings, CreatedAt: a.UpdatedAt,
	})
}

// Agent returns one of the user's live agents at its current version.
func (db *DB) Agent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID) (talkstack.Agent, error) {
	r, err := db.reader().Agent(ctx, query.AgentParams{ID: id, UserID: user})
	if err != nil {
		return talkstack.Agent{}, lookup("agent", err)
	}
	return agentOf(r.Agent, r.AgentVersion)
}

// AgentVersion returns an agent as it was at a version, even when it has been deleted since: what a call needs that
// was placed with it. It is not scoped by owner; the call that names the version is.
func (db *DB) AgentVersion(ctx context.Context, id talkstack.AgentID, version int) (talkstack.Agent, error) {
	r, err := db.reader().AgentAtVersion(ctx, query.AgentAtVersionParams{ID: id, Version: int64(version)})
	if err != nil {
		return talkstack.Agent{}, lookup("agent", err)
	}
	return agentOf(r.Agent, r.AgentVersion)
}

// Agents returns the live agents of one of the user's projects, oldest first.
func (db *DB) Agents(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID) ([]talkstack.Agent, error) {
	if _, err := db.Project(ctx, user, project); err != nil {
		return nil, err
	}
	rows, err := db.reader().Agents(ctx, query.AgentsParams{ProjectID: project, UserID: user})
	if err != nil {
		return nil, wrap("list agents", err)
	}
	out := make([]talkstack.Agent, 0, len(rows))
	for _, r := range rows {
		a, err := agentOf(r.Agent, r.AgentVersion)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// AgentUpdate holds the fields of an agent to change; nil leaves one as it is.
type AgentUpdate struct {
	IfVersion int // the version the change was made from; another one stored is a conflict. 0: whatever is stored
	Name      *string
	Prompt    *string
	VoiceID   *string
	Settings  *talkstack.AgentSettings
	Number    *string // in E.164 form, to be its only one: those it had stay in the project without an agent. Empty: it has none
}

// versioned reports whether the change makes a new version: numbers are not a part of it.
func (u *AgentUpdate) versioned() bool {
	return u.Name != nil || u.Prompt != nil || u.VoiceID != nil || u.Settings != nil
}

// UpdateAgent changes one of the user's agents, all of it or nothing, and returns it: at a new version, unless only its
// number changes. Calls keep the version they were placed with. Another account's number is a conflict.
func (db *DB) UpdateAgent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID, change AgentUpdate) (talkstack.Agent, error) {
	var a talkstack.Agent
	err := db.transact(ctx, "update an agent", func(q *tx) error {
		if change.Number != nil {
			if err := db.renumber(ctx, q, user, id, *change.Number); err != nil {
				return err
			}
		}
		if _, err := q.LockAgent(ctx, query.LockAgentParams{ID: id, UserID: user}); err != nil {
			return lookup("agent", err)
		}
		r, err := q.Agent(ctx, query.AgentParams{ID: id, UserID: user})
		if err != nil {
			return err
		}
		if a, err = agentOf(r.Agent, r.AgentVersion); err != nil {
			return err
		}
		if change.IfVersion != 0 && change.IfVersion != a.Version {
			return talkstack.Errorf(talkstack.CodeConflict,
				"The agent was changed meanwhile: it is at version %d, not %d. Fetch it again and repeat the change.", a.Version, change.IfVersion)
		}
		if !change.versioned() {
			return nil
		}
		set(&a.Name, change.Name)
		set(&a.Prompt, change.Prompt)
		set(&a.VoiceID, change.VoiceID)
		set(&a.Settings, change.Settings)
		a.Version++
		a.UpdatedAt = db.now()
		if err := insertVersion(ctx, q, &a); err != nil {
			return err
		}
		return q.SetAgentVersion(ctx, query.SetAgentVersionParams{ID: id, Version: int64(a.Version), Now: a.UpdatedAt})
	})
	if err != nil {
		return talkstack.Agent{}, err
	}
	return a, nil
}

// renumber makes e164 the one number of an agent.
func (db *DB) renumber(ctx context.Context, q *tx, user talkstack.UserID, id talkstack.AgentID, e164 string) error {
	r, err := q.Agent(ctx, query.AgentParams{ID: id, UserID: user})
	if err != nil {
		return lookup("agent", err)
	}
	project := r.Agent.ProjectID
	if err := lockedIn(ctx, q, user, project); err != nil { // before the agent, as everybody locks them in this order
		return err
	}
	if err := agentIn(ctx, q, user, project, id); err != nil {
		return err
	}
	if err := q.UnassignAgentNumbers(ctx, orNull(id)); err != nil || e164 == "" {
		return err
	}
	_, err = db.assignNumber(ctx, q, user, project, id, e164)
	return err
}

// DeleteAgent deletes one of the user's agents. Its numbers stay in the project without an agent, and it stops being the
// project's active one. Calls that are queued for it still go out with it.
func (db *DB) DeleteAgent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID) error {
	return db.transact(ctx, "delete an agent", func(q *tx) error {
		now := db.now()
		r, err := q.Agent(ctx, query.AgentParams{ID: id, UserID: user})
		if err != nil {
			return lookup("agent", err)
		}
		a := r.Agent
		// The project first, as everybody locks them in this order.
		if _, err := q.LockProject(ctx, query.LockProjectParams{ID: a.ProjectID, UserID: user}); err != nil {
			return lookup("agent", err)
		}
		if _, err := q.LockAgent(ctx, query.LockAgentParams{ID: id, UserID: user}); err != nil {
			return lookup("agent", err)
		}
		if err := q.UnassignAgentNumbers(ctx, orNull(id)); err != nil {
			return err
		}
		if err := q.ClearActiveAgent(ctx, query.ClearActiveAgentParams{ID: a.ProjectID, AgentID: orNull(id), Now: now}); err != nil {
			return err
		}
		return q.DeleteAgent(ctx, query.DeleteAgentParams{ID: id, Now: &now})
	})
}

func agentOf(a query.Agent, v query.AgentVersion) (talkstack.Agent, error) {
	out := talkstack.Agent{
		ID: a.ID, UserID: a.UserID, ProjectID: a.ProjectID, Name: v.Name, Prompt: v.Prompt, VoiceID: v.VoiceID,
		Version: int(v.Version), Deleted: a.DeletedAt != nil, CreatedAt: a.CreatedAt.UTC(), UpdatedAt: v.CreatedAt.UTC(),
	}
	// Settings that a later program adds have their defaults in older rows.
	out.Settings = talkstack.DefaultAgentSettings()
	return out, decode("settings", v.Settings, &out.Settings)
}
