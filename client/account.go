package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"talkstack"
)

// GenerateAPIKey makes a new API key in place of the old one, which ends. It is shown once. A token only; never repeated.
func (c *Client) GenerateAPIKey(ctx context.Context) (talkstack.Secret, error) {
	var answer struct {
		envelope
		Key talkstack.Secret `json:"apiKey"`
	}
	r := get("/user/generate-apikey", &answer)
	r.repeat, r.bearer = false, true // it changes state, although a GET
	err := c.call(ctx, r)
	return answer.Key, err
}

// SetActiveProject makes a project the account's active one.
func (c *Client) SetActiveProject(ctx context.Context, id talkstack.ProjectID) (User, Project, error) {
	var answer struct {
		envelope
		User    User    `json:"userData"`
		Project Project `json:"projectData"`
	}
	err := c.call(ctx, set(http.MethodPost, "/user/set-active-project", projectRef{id}, &answer))
	return answer.User, answer.Project, err
}

// GetActiveProject reads the account's active project; not_found when there is none.
func (c *Client) GetActiveProject(ctx context.Context) (Project, error) {
	var answer struct {
		envelope
		Project Project `json:"projectData"`
	}
	err := c.call(ctx, get("/user/get-active-project", &answer))
	return answer.Project, err
}

// V1Account is the account that asks.
type V1Account struct {
	ID              talkstack.UserID    `json:"id"`
	Email           string              `json:"email"`
	Name            string              `json:"name"`
	CompanyName     string              `json:"company_name"`
	Verified        bool                `json:"verified"`
	ActiveProject   talkstack.ProjectID `json:"active_project"`     // empty: none
	APIKeyCreatedAt time.Time           `json:"api_key_created_at"` // zero: there is none
	CreatedAt       time.Time           `json:"created_at"`
	UpdatedAt       time.Time           `json:"updated_at"`
}

// GetMe reads the account that asks.
func (v V1) GetMe(ctx context.Context) (V1Account, error) {
	var a V1Account
	err := v.c.call(ctx, get("/v1/me", &a))
	return a, err
}

// V1AccountPatch changes an account; nil leaves a field as it is.
type V1AccountPatch struct {
	Name        *string `json:"name,omitempty"`
	CompanyName *string `json:"company_name,omitempty"` // empty: none
}

// UpdateMe changes the account that asks.
func (v V1) UpdateMe(ctx context.Context, p V1AccountPatch) (V1Account, error) {
	var a V1Account
	err := v.c.call(ctx, set(http.MethodPatch, "/v1/me", p, &a))
	return a, err
}

// V1AuditEntry is one change of the account.
type V1AuditEntry struct {
	ID         string         `json:"id"`
	Action     string         `json:"action"`   // "agent.update"
	Resource   string         `json:"resource"` // "agent"
	ResourceID string         `json:"resource_id"`
	Actor      V1Actor        `json:"actor"`
	Changes    map[string]any `json:"changes"` // each changed field, and what it became
	CreatedAt  time.Time      `json:"created_at"`
}

// V1Actor is who made a change.
type V1Actor struct {
	Kind    string `json:"kind"`    // token, api_key, link, system
	Address string `json:"address"` // network address; empty: the system
}

// AuditFilter narrows the audit log; empty fields allow everything.
type AuditFilter struct {
	Action, Resource string
	Since            time.Time // this instant or later
	Until            time.Time // before this instant
}

// ListAuditLog reads who changed what, newest first.
func (v V1) ListAuditLog(ctx context.Context, f AuditFilter) iter.Seq2[V1AuditEntry, error] {
	return list[V1AuditEntry](ctx, v.c, "/v1/audit-log", filters(
		"action", f.Action, "resource", f.Resource, "since", instant(f.Since), "until", instant(f.Until)))
}
