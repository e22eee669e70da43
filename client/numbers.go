package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"talkstack"
)

// PhoneNumber is a number as the Talkstack API shows it.
type PhoneNumber struct {
	ID        talkstack.NumberID  `json:"id"`
	E164      string              `json:"e164"`
	Status    string              `json:"status"`
	ProjectID talkstack.ProjectID `json:"projectId"`
	AgentID   talkstack.AgentID   `json:"agentId"` // empty: the project's active agent answers
}

// GetPhoneNumberRequest says which numbers to look up. The first field that is set counts.
type GetPhoneNumberRequest struct {
	PhoneNumberID talkstack.NumberID  `json:"phoneNumberId,omitempty"`
	AgentID       talkstack.AgentID   `json:"agentId,omitempty"`
	ProjectID     talkstack.ProjectID `json:"projectId,omitempty"`
}

// GetPhoneNumber looks numbers up, oldest first; not_found when there are none.
func (c *Client) GetPhoneNumber(ctx context.Context, req GetPhoneNumberRequest) ([]PhoneNumber, error) {
	var answer struct {
		envelope
		Data         PhoneNumber   `json:"data"` // the first of them
		PhoneNumbers []PhoneNumber `json:"phoneNumbers"`
	}
	err := c.call(ctx, ask("/phone-number", req, &answer))
	return answer.PhoneNumbers, err
}

// AssignPhoneNumber gives a number to an agent, or moves it there.
func (c *Client) AssignPhoneNumber(ctx context.Context, project talkstack.ProjectID, agent talkstack.AgentID, e164 string) error {
	in := map[string]string{"projectId": string(project), "agentId": string(agent), "e164": e164}
	return c.call(ctx, set(http.MethodPost, "/phone-number/add-number", in, &envelope{}))
}

// V1Number is a number in /v1.
type V1Number struct {
	ID        talkstack.NumberID  `json:"id"`
	E164      string              `json:"e164"`
	Status    string              `json:"status"`
	ProjectID talkstack.ProjectID `json:"project_id"`
	AgentID   talkstack.AgentID   `json:"agent_id"` // empty: the project's active agent answers
	CreatedAt time.Time           `json:"created_at"`
}

// NumberFilter narrows a list of numbers; empty fields allow everything.
type NumberFilter struct {
	ProjectID talkstack.ProjectID
	AgentID   talkstack.AgentID
	E164      string
}

// ListNumbers reads numbers, newest first.
func (v V1) ListNumbers(ctx context.Context, f NumberFilter) iter.Seq2[V1Number, error] {
	return list[V1Number](ctx, v.c, "/v1/numbers", filters(
		"project_id", string(f.ProjectID), "agent_id", string(f.AgentID), "e164", f.E164))
}

// V1AssignNumberRequest takes a number into a project.
type V1AssignNumberRequest struct {
	E164      string              `json:"e164"`
	ProjectID talkstack.ProjectID `json:"project_id"`
	AgentID   talkstack.AgentID   `json:"agent_id,omitempty"` // empty: the project's active agent answers
}

// AssignNumber takes a number into a project.
func (v V1) AssignNumber(ctx context.Context, req V1AssignNumberRequest, options ...RequestOption) (V1Number, error) {
	var n V1Number
	err := v.c.call(ctx, create("/v1/numbers", req, &n, options))
	return n, err
}

// GetNumber reads a number.
func (v V1) GetNumber(ctx context.Context, id talkstack.NumberID) (V1Number, error) {
	var n V1Number
	err := v.c.call(ctx, get("/v1/numbers/"+segment(id), &n))
	return n, err
}

// V1NumberPatch moves a number; nil leaves a field as it is.
type V1NumberPatch struct {
	ProjectID *talkstack.ProjectID `json:"project_id,omitempty"` // moved without AgentID, it has no agent there
	AgentID   *talkstack.AgentID   `json:"agent_id,omitempty"`   // empty: none
}

// PatchNumber moves a number.
func (v V1) PatchNumber(ctx context.Context, id talkstack.NumberID, p V1NumberPatch) (V1Number, error) {
	var n V1Number
	err := v.c.call(ctx, set(http.MethodPatch, "/v1/numbers/"+segment(id), p, &n))
	return n, err
}

// ReleaseNumber gives a number up.
func (v V1) ReleaseNumber(ctx context.Context, id talkstack.NumberID) error {
	return v.c.call(ctx, del("/v1/numbers/"+segment(id), nil, nil))
}
