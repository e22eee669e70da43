package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"talkstack"
)

// Project is a project as the Talkstack API shows it.
type Project struct {
	ID                talkstack.ProjectID `json:"id"`
	UserID            talkstack.UserID    `json:"user_id"`
	Name              string              `json:"name"`
	Description       string              `json:"description"`
	Status            string              `json:"status"`
	IsDeleted         bool                `json:"is_deleted"`
	ActiveAgent       talkstack.AgentID   `json:"active_agent"`        // empty: none
	CallStatusWebhook string              `json:"call_status_webhook"` // empty: none
	CreatedAt         time.Time           `json:"created_at"`
	UpdatedAt         time.Time           `json:"updated_at"`
}

type projectRef struct {
	ProjectID talkstack.ProjectID `json:"projectId"`
}

type projectAnswer struct {
	envelope
	Data Project `json:"data"`
}

// ListProjects reads the account's projects.
func (c *Client) ListProjects(ctx context.Context) ([]Project, error) {
	var answer struct {
		envelope
		Data []Project `json:"data"`
	}
	err := c.call(ctx, get("/project", &answer))
	return answer.Data, err
}

// CreateProject makes a project. Its name is unique in the account.
func (c *Client) CreateProject(ctx context.Context, name, description string, options ...RequestOption) (Project, error) {
	var answer projectAnswer
	in := map[string]string{"name": name, "description": description}
	err := c.call(ctx, create("/project/create-project", in, &answer, options))
	return answer.Data, err
}

// GetProject reads a project.
func (c *Client) GetProject(ctx context.Context, id talkstack.ProjectID) (Project, error) {
	var answer projectAnswer
	err := c.call(ctx, get("/project/"+segment(id), &answer))
	return answer.Data, err
}

// ProjectUpdate changes a project; nil leaves a field as it is.
type ProjectUpdate struct {
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
	WebhookURL  *string `json:"webhookUrl,omitempty"` // empty: none
}

// UpdateProject changes a project.
func (c *Client) UpdateProject(ctx context.Context, id talkstack.ProjectID, u ProjectUpdate) (Project, error) {
	var answer projectAnswer
	err := c.call(ctx, set(http.MethodPut, "/project/"+segment(id), u, &answer))
	return answer.Data, err
}

// DeleteProject deletes a project. Without cascade it must have no agents and numbers.
func (c *Client) DeleteProject(ctx context.Context, id talkstack.ProjectID, cascade bool) error {
	return c.call(ctx, del("/project/"+segment(id), map[string]bool{"cascade": cascade}, &envelope{}))
}

// GetActiveAgent reads the id of the agent that speaks where none is named; not_found when there is none.
func (c *Client) GetActiveAgent(ctx context.Context, id talkstack.ProjectID) (talkstack.AgentID, error) {
	var answer struct {
		envelope
		ActiveAgent talkstack.AgentID `json:"active_agent"`
	}
	err := c.call(ctx, ask("/project/active-agent", projectRef{id}, &answer))
	return answer.ActiveAgent, err
}

// SetActiveAgent makes an agent the one that speaks in its project where none is named.
func (c *Client) SetActiveAgent(ctx context.Context, id talkstack.ProjectID, agent talkstack.AgentID) (Project, error) {
	var answer struct {
		envelope
		Project Project `json:"project"`
	}
	in := map[string]string{"projectId": string(id), "active_agent": string(agent)}
	err := c.call(ctx, set(http.MethodPatch, "/project/active-agent", in, &answer))
	return answer.Project, err
}

// RemoveActiveAgent makes an agent no longer its project's active one.
func (c *Client) RemoveActiveAgent(ctx context.Context, agent talkstack.AgentID) error {
	return c.call(ctx, set(http.MethodPatch, "/project/active-agent/"+segment(agent), nil, &envelope{}))
}

// AddWebhookURL sets where a project's messages go.
func (c *Client) AddWebhookURL(ctx context.Context, id talkstack.ProjectID, target string) error {
	in := map[string]string{"projectId": string(id), "webhookURL": target}
	return c.call(ctx, set(http.MethodPost, "/project/call-status/add-webhookurl", in, &envelope{}))
}

// V1Project is a project in /v1.
type V1Project struct {
	ID                talkstack.ProjectID `json:"id"`
	Name              string              `json:"name"`
	Description       string              `json:"description"`
	ActiveAgentID     talkstack.AgentID   `json:"active_agent_id"` // empty: none
	MaxCalls          int                 `json:"max_calls"`       // it may have at once
	CallsPerSecond    float64             `json:"calls_per_second"`
	RedialInterrupted int                 `json:"redial_interrupted"`
	WebhookURL        string              `json:"webhook_url"` // empty: none
	CreatedAt         time.Time           `json:"created_at"`
	UpdatedAt         time.Time           `json:"updated_at"`
}

// V1CreateProjectRequest makes a project. Zero fields have the server's defaults.
type V1CreateProjectRequest struct {
	Name              string  `json:"name"`
	Description       string  `json:"description,omitempty"`
	MaxCalls          int     `json:"max_calls,omitempty"`          // calls it may have at once, 1 to 10,000; 20 when missing
	CallsPerSecond    float64 `json:"calls_per_second,omitempty"`   // how fast outbound calls begin; 0: no limit
	RedialInterrupted int     `json:"redial_interrupted,omitempty"` // how often a call that a crash cut off is dialled again, 0 to 3
}

// V1ProjectPatch changes a project; nil leaves a field as it is.
type V1ProjectPatch struct {
	Name              *string            `json:"name,omitempty"`
	Description       *string            `json:"description,omitempty"`
	ActiveAgentID     *talkstack.AgentID `json:"active_agent_id,omitempty"` // empty: none
	MaxCalls          *int               `json:"max_calls,omitempty"`
	CallsPerSecond    *float64           `json:"calls_per_second,omitempty"`
	RedialInterrupted *int               `json:"redial_interrupted,omitempty"`
	WebhookURL        *string            `json:"webhook_url,omitempty"` // empty: none
}

// ListProjects reads the account's projects, newest first.
func (v V1) ListProjects(ctx context.Context) iter.Seq2[V1Project, error] {
	return list[V1Project](ctx, v.c, "/v1/projects", nil)
}

// CreateProject makes a project.
func (v V1) CreateProject(ctx context.Context, req V1CreateProjectRequest, options ...RequestOption) (V1Project, error) {
	var p V1Project
	err := v.c.call(ctx, create("/v1/projects", req, &p, options))
	return p, err
}

// GetProject reads a project.
func (v V1) GetProject(ctx context.Context, id talkstack.ProjectID) (V1Project, error) {
	var p V1Project
	err := v.c.call(ctx, get("/v1/projects/"+segment(id), &p))
	return p, err
}

// PatchProject changes a project.
func (v V1) PatchProject(ctx context.Context, id talkstack.ProjectID, change V1ProjectPatch) (V1Project, error) {
	var p V1Project
	err := v.c.call(ctx, set(http.MethodPatch, "/v1/projects/"+segment(id), change, &p))
	return p, err
}

// DeleteProject deletes a project. Without cascade it must have no agents and numbers.
func (v V1) DeleteProject(ctx context.Context, id talkstack.ProjectID, cascade bool) error {
	r := del("/v1/projects/"+segment(id), nil, nil)
	if cascade {
		r.query = url.Values{"cascade": {"true"}}
	}
	return v.c.call(ctx, r)
}
