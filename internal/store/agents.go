package store

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"time"

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
		if e164 != "" {
			if _, err := db.assignNumber(ctx, q, talkstack.Number{UserID: a.UserID, ProjectID: a.ProjectID, AgentID: a.ID, E164: e164}); err != nil {
				return err
			}
		}
		return db.audit(ctx, q, a.UserID, "agent.create", "agent", string(a.ID), map[string]any{
			"project_id": a.ProjectID, "name": a.Name, "prompt": a.Prompt, "voice_id": a.VoiceID,
		})
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

// AgentAt is AgentVersion of one of the user's live agents.
func (db *DB) AgentAt(ctx context.Context, user talkstack.UserID, id talkstack.AgentID, version int) (talkstack.Agent, error) {
	if _, err := db.Agent(ctx, user, id); err != nil {
		return talkstack.Agent{}, err
	}
	r, err := db.reader().AgentAtVersion(ctx, query.AgentAtVersionParams{ID: id, Version: int64(version)})
	if err != nil {
		return talkstack.Agent{}, lookup("version of the agent", err)
	}
	return agentOf(r.Agent, r.AgentVersion)
}

// VersionSummary is one line of an agent's history.
type VersionSummary struct {
	Version   int
	Name      string
	VoiceID   string
	CreatedAt time.Time
}

// AgentVersions returns up to limit versions of one of the user's live agents, newest first: those before a version, or
// from the newest on if that is 0.
func (db *DB) AgentVersions(ctx context.Context, user talkstack.UserID, id talkstack.AgentID, before, limit int) ([]VersionSummary, error) {
	if _, err := db.Agent(ctx, user, id); err != nil {
		return nil, err
	}
	if before <= 0 {
		before = math.MaxInt32
	}
	rows, err := db.reader().AgentVersionPage(ctx, query.AgentVersionPageParams{AgentID: id, BeforeVersion: int64(before), MaxRows: int64(limit)})
	if err != nil {
		return nil, wrap("list versions", err)
	}
	out := make([]VersionSummary, len(rows))
	for i, r := range rows {
		out[i] = VersionSummary{Version: int(r.Version), Name: r.Name, VoiceID: r.VoiceID, CreatedAt: r.CreatedAt.UTC()}
	}
	return out, nil
}

// AgentFilter says which agents are wanted. Zero fields want all.
type AgentFilter struct {
	ProjectID talkstack.ProjectID
	Name      string // as it is, to the letter
}

// ListedAgent is an agent with the oldest of its numbers.
type ListedAgent struct {
	talkstack.Agent
	PhoneNumber string // E.164; empty: it has none
}

// AgentPage returns up to limit of the user's live agents, newest first, from behind the cursor on.
func (db *DB) AgentPage(ctx context.Context, user talkstack.UserID, f AgentFilter, after Cursor, limit int) ([]ListedAgent, error) {
	at, last := after.before()
	rows, err := db.reader().AgentPage(ctx, query.AgentPageParams{
		UserID: user, ProjectID: talkstack.ProjectID(cleanText(string(f.ProjectID))), Name: cleanText(f.Name),
		BeforeAt: at, BeforeID: talkstack.AgentID(cleanText(last)), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, wrap("list agents", err)
	}
	out := make([]ListedAgent, len(rows))
	for i, r := range rows {
		out[i].PhoneNumber = r.PhoneNumber
		if out[i].Agent, err = agentOf(r.Agent, r.AgentVersion); err != nil {
			return nil, err
		}
	}
	return out, nil
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

// UpdateAgent changes one of the user's agents, all of it or nothing, and returns it: at a new version, unless only its
// number changes, or nothing. Calls keep the version they were placed with. Another account's number is a conflict.
func (db *DB) UpdateAgent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID, change AgentUpdate) (talkstack.Agent, error) {
	var a talkstack.Agent
	err := db.transact(ctx, "update an agent", func(q *tx) (err error) {
		if change.Number != nil {
			if err := db.renumber(ctx, q, user, id, *change.Number); err != nil {
				return err
			}
		}
		if a, err = lockAgent(ctx, q, user, id); err != nil {
			return err
		}
		if change.IfVersion != 0 && change.IfVersion != a.Version {
			return talkstack.Errorf(talkstack.CodeConflict,
				"The agent was changed meanwhile: it is at version %d, not %d. Fetch it again and repeat the change.", a.Version, change.IfVersion)
		}
		next := a
		set(&next.Name, change.Name)
		set(&next.Prompt, change.Prompt)
		set(&next.VoiceID, change.VoiceID)
		set(&next.Settings, change.Settings)
		a, err = db.newVersion(ctx, q, a, next, "agent.update")
		return err
	})
	if err != nil {
		return talkstack.Agent{}, err
	}
	return a, nil
}

// RestoreAgent makes an earlier version of one of the user's agents its newest one again, and returns it. When that is
// what it is already, nothing changes. Its numbers stay as they are.
func (db *DB) RestoreAgent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID, version int) (talkstack.Agent, error) {
	var a talkstack.Agent
	err := db.transact(ctx, "restore an agent", func(q *tx) (err error) {
		if a, err = lockAgent(ctx, q, user, id); err != nil {
			return err
		}
		r, err := q.AgentAtVersion(ctx, query.AgentAtVersionParams{ID: id, Version: int64(version)})
		if err != nil {
			return lookup("version of the agent", err)
		}
		old, err := agentOf(r.Agent, r.AgentVersion)
		if err != nil {
			return err
		}
		a, err = db.newVersion(ctx, q, a, old, "agent.restore")
		return err
	})
	if err != nil {
		return talkstack.Agent{}, err
	}
	return a, nil
}

// lockAgent is the current version of one of the user's agents, which nobody else changes until the transaction ends.
func lockAgent(ctx context.Context, q *tx, user talkstack.UserID, id talkstack.AgentID) (talkstack.Agent, error) {
	if _, err := q.LockAgent(ctx, query.LockAgentParams{ID: id, UserID: user}); err != nil {
		return talkstack.Agent{}, lookup("agent", err)
	}
	r, err := q.Agent(ctx, query.AgentParams{ID: id, UserID: user})
	if err != nil {
		return talkstack.Agent{}, lookup("agent", err)
	}
	return agentOf(r.Agent, r.AgentVersion)
}

// newVersion stores what an agent that is locked has become, if it has changed.
func (db *DB) newVersion(ctx context.Context, q *tx, was, is talkstack.Agent, action string) (talkstack.Agent, error) {
	changes := map[string]any{}
	note(changes, "name", was.Name, is.Name)
	note(changes, "prompt", was.Prompt, is.Prompt)
	note(changes, "voice_id", was.VoiceID, is.VoiceID)
	if err := noteSettings(changes, was.Settings, is.Settings); err != nil {
		return was, err
	}
	if len(changes) == 0 {
		return was, nil
	}
	if action == "agent.restore" {
		changes["restored_version"] = is.Version
	}
	is.Version = was.Version + 1
	is.UpdatedAt = db.now()
	changes["version"] = is.Version
	if err := insertVersion(ctx, q, &is); err != nil {
		return was, err
	}
	err := q.SetAgentVersion(ctx, query.SetAgentVersionParams{ID: is.ID, Version: int64(is.Version), Now: is.UpdatedAt})
	if err != nil {
		return was, err
	}
	return is, db.audit(ctx, q, is.UserID, action, "agent", string(is.ID), changes)
}

// noteSettings adds the settings that have changed to an audit entry.
func noteSettings(changes map[string]any, was, is talkstack.AgentSettings) error {
	var before, after map[string]json.RawMessage
	for settings, fields := range map[*talkstack.AgentSettings]*map[string]json.RawMessage{&was: &before, &is: &after} {
		text, err := encode("settings", settings)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), fields); err != nil {
			return err
		}
	}
	for field, value := range after {
		if !bytes.Equal(before[field], value) {
			changes[field] = value
		}
	}
	return nil
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
	if err := db.unassign(ctx, q, user, project, id, e164); err != nil || e164 == "" {
		return err
	}
	_, err = db.assignNumber(ctx, q, talkstack.Number{UserID: user, ProjectID: project, AgentID: id, E164: e164})
	return err
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
