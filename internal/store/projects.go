package store

import (
	"context"

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
	err := db.writer().InsertProject(ctx, query.InsertProjectParams{
		ID: p.ID, UserID: p.UserID, Name: p.Name, Description: p.Description, WebhookURL: p.WebhookURL, WebhookSecret: p.WebhookSecret.Reveal(),
		MaxCalls: int64(p.MaxCalls), CallsPerSecond: p.CallsPerSecond, RedialInterrupted: int64(p.RedialInterrupted), CreatedAt: p.CreatedAt,
	})
	if err != nil {
		return talkstack.Project{}, projectNameError(wrap("create a project", err))
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

// ProjectUpdate holds the fields of a project to change; nil leaves one as it is.
type ProjectUpdate struct {
	Name        *string
	Description *string
	WebhookURL  *string // empty: none
	MaxCalls    *int

	CallsPerSecond    *float64
	RedialInterrupted *int
}

// UpdateProject changes one of the user's projects and returns it as stored.
func (db *DB) UpdateProject(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, change ProjectUpdate) (talkstack.Project, error) {
	var p talkstack.Project
	err := db.transact(ctx, "update a project", func(q *tx) (err error) {
		if p, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})); err != nil {
			return err
		}
		set(&p.Name, change.Name)
		set(&p.Description, change.Description)
		set(&p.WebhookURL, change.WebhookURL)
		set(&p.MaxCalls, change.MaxCalls)
		set(&p.CallsPerSecond, change.CallsPerSecond)
		set(&p.RedialInterrupted, change.RedialInterrupted)
		if err := checkText("name", p.Name, "description", p.Description, "webhook_url", p.WebhookURL); err != nil {
			return err
		}
		p, err = projectOf(q.UpdateProject(ctx, query.UpdateProjectParams{
			ID: id, Name: p.Name, Description: p.Description, WebhookURL: p.WebhookURL, MaxCalls: int64(p.MaxCalls), Now: db.now(),
			CallsPerSecond: p.CallsPerSecond, RedialInterrupted: int64(p.RedialInterrupted),
		}))
		return err
	})
	if err != nil {
		return talkstack.Project{}, projectNameError(err)
	}
	return p, nil
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

// DeleteProject deletes one of the user's projects; its name becomes free. With cascade its agents and numbers go too;
// without, having any is a conflict and nothing is deleted. Calls that are queued end as failed, those in progress go on.
func (db *DB) DeleteProject(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, cascade bool) error {
	return db.transact(ctx, "delete a project", func(q *tx) error {
		now := db.now()
		if _, err := projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})); err != nil { // no agent, number or call joins from here on
			return err
		}
		if !cascade {
			agents, err := q.CountAgents(ctx, id)
			if err != nil {
				return err
			}
			numbers, err := q.CountNumbers(ctx, id)
			if err != nil {
				return err
			}
			if agents+numbers > 0 {
				return talkstack.Errorf(talkstack.CodeConflict,
					"The project still has agents or phone numbers: delete them first, or set cascade to true.")
			}
		}
		if err := q.DeleteNumbersOfProject(ctx, id); err != nil {
			return err
		}
		if err := q.DeleteAgentsOfProject(ctx, query.DeleteAgentsOfProjectParams{ProjectID: id, Now: &now}); err != nil {
			return err
		}
		if err := q.EndQueuedCallsOfProject(ctx, query.EndQueuedCallsOfProjectParams{
			ProjectID: id, Status: talkstack.StatusFailed, EndParty: talkstack.PartyAgent, EndCode: talkstack.EndDialFailed,
			EndMessage: "The project was deleted before the call was dialled.", Now: &now,
		}); err != nil {
			return err
		}
		if err := q.ClearActiveProject(ctx, query.ClearActiveProjectParams{ID: user, ProjectID: orNull(id), Now: now}); err != nil {
			return err
		}
		return q.DeleteProject(ctx, query.DeleteProjectParams{ID: id, Now: &now})
	})
}

// SetActiveAgent makes an agent of the project its active one: it dials and answers where no agent is named.
func (db *DB) SetActiveAgent(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, agent talkstack.AgentID) (talkstack.Project, error) {
	var p talkstack.Project
	err := db.transact(ctx, "set the active agent", func(q *tx) (err error) {
		if _, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})); err != nil {
			return err
		}
		if err := agentIn(ctx, q, user, id, agent); err != nil {
			return err
		}
		p, err = projectOf(q.SetActiveAgent(ctx, query.SetActiveAgentParams{ID: id, AgentID: orNull(agent), Now: db.now()}))
		return err
	})
	return p, err
}

// RemoveActiveAgent leaves the agent's project without an active agent, if this one is it.
func (db *DB) RemoveActiveAgent(ctx context.Context, user talkstack.UserID, agent talkstack.AgentID) error {
	return db.transact(ctx, "remove the active agent", func(q *tx) error {
		r, err := q.Agent(ctx, query.AgentParams{ID: agent, UserID: user})
		if err != nil {
			return lookup("agent", err)
		}
		return q.ClearActiveAgent(ctx, query.ClearActiveAgentParams{ID: r.Agent.ProjectID, AgentID: orNull(agent), Now: db.now()})
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
