package store

import (
	"context"
	"net/url"

	"talkstack"
	"talkstack/internal/store/query"
)

// CreateProject stores a project and returns it as stored. An empty id is made up, MaxCalls of 0 is the default. A name
// that another live project of the owner has is a conflict.
func (db *DB) CreateProject(ctx context.Context, p talkstack.Project) (talkstack.Project, error) {
	if err := checkText("name", p.Name, "description", p.Description, "webhook_url", p.WebhookURL); err != nil {
		return talkstack.Project{}, err
	}
	if p.ID == "" {
		p.ID = talkstack.NewProjectID()
	}
	if p.MaxCalls == 0 {
		p.MaxCalls = talkstack.DefaultProjectMaxCalls
	}
	p.ActiveAgent, p.Deleted, p.AnalysisSchema = "", false, []talkstack.Question{}
	p.WebhookSecret = talkstack.NewWebhookSecret()
	p.CreatedAt = db.now()
	p.UpdatedAt = p.CreatedAt
	err := db.transact(ctx, "create a project", func(q *tx) error {
		err := q.InsertProject(ctx, query.InsertProjectParams{
			ID: p.ID, UserID: p.UserID, Name: p.Name, Description: p.Description, WebhookURL: p.WebhookURL, WebhookSecret: p.WebhookSecret.Reveal(),
			MaxCalls: int64(p.MaxCalls), CallsPerSecond: p.CallsPerSecond, RedialInterrupted: int64(p.RedialInterrupted), CreatedAt: p.CreatedAt,
		})
		if err != nil {
			return err
		}
		return db.audit(ctx, q, p.UserID, "project.create", "project", string(p.ID), changesOf(talkstack.Project{}, p))
	})
	if err != nil {
		return talkstack.Project{}, projectNameError(err)
	}
	return p, nil
}

// Project returns one of the user's live projects.
func (db *DB) Project(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID) (talkstack.Project, error) {
	return projectOf(db.reader().Project(ctx, query.ProjectParams{ID: id, UserID: user}))
}

// Projects returns the user's live projects, oldest first.
func (db *DB) Projects(ctx context.Context, user talkstack.UserID) ([]talkstack.Project, error) {
	rows, err := db.reader().Projects(ctx, user)
	if err != nil {
		return nil, wrap("list projects", err)
	}
	out := make([]talkstack.Project, 0, len(rows))
	for _, r := range rows {
		p, err := projectOf(r, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// ProjectPage returns up to limit of the user's live projects, newest first, from behind the cursor on.
func (db *DB) ProjectPage(ctx context.Context, user talkstack.UserID, after Cursor, limit int) ([]talkstack.Project, error) {
	at, id := after.before()
	rows, err := db.reader().ProjectPage(ctx, query.ProjectPageParams{
		UserID: user, BeforeAt: at, BeforeID: talkstack.ProjectID(cleanText(id)), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, wrap("list projects", err)
	}
	out := make([]talkstack.Project, len(rows))
	for i, r := range rows {
		if out[i], err = projectOf(r, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ProjectUpdate holds the fields of a project to change; nil leaves one as it is.
type ProjectUpdate struct {
	Name        *string
	Description *string
	WebhookURL  *string // empty: none
	MaxCalls    *int

	CallsPerSecond    *float64
	RedialInterrupted *int
	ActiveAgent       *talkstack.AgentID // one of the project's; empty: none
}

// UpdateProject changes one of the user's projects, all of it or nothing, and returns it as stored. A name that is taken
// is a conflict, an active agent that the project does not have is not found.
func (db *DB) UpdateProject(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, change ProjectUpdate) (talkstack.Project, error) {
	var p talkstack.Project
	err := db.transact(ctx, "update a project", func(q *tx) (err error) {
		if p, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})); err != nil {
			return err
		}
		before := p
		set(&p.Name, change.Name)
		set(&p.Description, change.Description)
		set(&p.WebhookURL, change.WebhookURL)
		set(&p.MaxCalls, change.MaxCalls)
		set(&p.CallsPerSecond, change.CallsPerSecond)
		set(&p.RedialInterrupted, change.RedialInterrupted)
		set(&p.ActiveAgent, change.ActiveAgent)
		if err := checkText("name", p.Name, "description", p.Description, "webhook_url", p.WebhookURL); err != nil {
			return err
		}
		if p.ActiveAgent != "" && p.ActiveAgent != before.ActiveAgent {
			if err := agentIn(ctx, q, user, id, p.ActiveAgent); err != nil {
				return err
			}
		}
		changes := changesOf(before, p)
		if len(changes) == 0 {
			return nil
		}
		p, err = projectOf(q.UpdateProject(ctx, query.UpdateProjectParams{
			ID: id, Name: p.Name, Description: p.Description, WebhookURL: p.WebhookURL, MaxCalls: int64(p.MaxCalls), Now: db.now(),
			CallsPerSecond: p.CallsPerSecond, RedialInterrupted: int64(p.RedialInterrupted), ActiveAgent: orNull(p.ActiveAgent),
		}))
		if err != nil {
			return err
		}
		return db.audit(ctx, q, user, "project.update", "project", string(id), changes)
	})
	if err != nil {
		return talkstack.Project{}, projectNameError(err)
	}
	return p, nil
}

// changesOf is what the audit log keeps of a project's change: the fields that differ.
func changesOf(was, is talkstack.Project) map[string]any {
	changes := map[string]any{}
	note(changes, "name", was.Name, is.Name)
	note(changes, "description", was.Description, is.Description)
	note(changes, "max_calls", was.MaxCalls, is.MaxCalls)
	note(changes, "calls_per_second", was.CallsPerSecond, is.CallsPerSecond)
	note(changes, "redial_interrupted", was.RedialInterrupted, is.RedialInterrupted)
	note(changes, "active_agent_id", was.ActiveAgent, is.ActiveAgent)
	if was.WebhookURL != is.WebhookURL {
		changes["webhook_url"] = siteOf(is.WebhookURL) // the rest of it may be a secret
	}
	return changes
}

// note adds a field to an audit entry when it has changed.
func note[T comparable](changes map[string]any, field string, was, is T) {
	if was != is {
		changes[field] = is
	}
}

// siteOf is the scheme and host of a URL.
func siteOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// set changes a field that is to be changed.
func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

func projectNameError(err error) error {
	if isUnique(err) {
		return talkstack.WrapError(talkstack.CodeConflict, err, "A project with this name already exists.")
	}
	return err
}

// SetActiveAgent makes an agent of the project its active one: it dials and answers where no agent is named.
func (db *DB) SetActiveAgent(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, agent talkstack.AgentID) (talkstack.Project, error) {
	if agent == "" {
		return talkstack.Project{}, notFound("agent")
	}
	return db.UpdateProject(ctx, user, id, ProjectUpdate{ActiveAgent: &agent})
}

// RemoveActiveAgent leaves the agent's project without an active agent, if this one is it.
func (db *DB) RemoveActiveAgent(ctx context.Context, user talkstack.UserID, agent talkstack.AgentID) error {
	return db.transact(ctx, "remove the active agent", func(q *tx) error {
		r, err := q.Agent(ctx, query.AgentParams{ID: agent, UserID: user})
		if err != nil {
			return lookup("agent", err)
		}
		project := r.Agent.ProjectID
		n, err := q.ClearActiveAgent(ctx, query.ClearActiveAgentParams{ID: project, AgentID: orNull(agent), Now: db.now()})
		if err != nil || n == 0 {
			return err
		}
		return db.audit(ctx, q, user, "project.update", "project", string(project), map[string]any{"active_agent_id": nil})
	})
}

func projectOf(r query.Project, err error) (talkstack.Project, error) {
	if err != nil {
		return talkstack.Project{}, lookup("project", err)
	}
	p := talkstack.Project{
		ID: r.ID, UserID: r.UserID, Name: r.Name, Description: r.Description,
		ActiveAgent: orEmpty[talkstack.AgentID](r.ActiveAgent), MaxCalls: int(r.MaxCalls), CallsPerSecond: r.CallsPerSecond,
		RedialInterrupted: int(r.RedialInterrupted), WebhookURL: r.WebhookURL, WebhookSecret: talkstack.Secret(r.WebhookSecret),
		WebhookOldSecret: talkstack.Secret(r.WebhookSecretOld), WebhookOldUntil: timeOrZero(r.WebhookSecretOldUntil),
		Deleted: r.DeletedAt != nil, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	return p, decode("analysis_schema", r.AnalysisSchema, &p.AnalysisSchema)
}
