package client

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"time"

	"talkstack"
)

// Agent is an agent as the Talkstack API shows it.
type Agent struct {
	ID                talkstack.AgentID   `json:"id"`
	AgentID           talkstack.AgentID   `json:"agentId"` // the same
	ProjectID         talkstack.ProjectID `json:"projectId"`
	Name              string              `json:"name"`
	SystemInstruction string              `json:"systemInstruction"`
	VoiceID           string              `json:"voice_id"`
	PhoneNumber       string              `json:"phoneNumber"` // E.164, that it calls from; empty: none
}

type agentAnswer struct {
	envelope
	Agent
	Data Agent `json:"data"`
}

type agentRef struct {
	ProjectID talkstack.ProjectID `json:"projectId"`
	AgentID   talkstack.AgentID   `json:"agentId"`
}

// CreateAgentRequest makes an agent.
type CreateAgentRequest struct {
	ProjectID         talkstack.ProjectID `json:"projectId"`
	Name              string              `json:"name"`
	SystemInstruction string              `json:"systemInstruction"`     // may hold {{variables}}
	VoiceID           string              `json:"voice_id,omitempty"`    // empty: the server's default
	PhoneNumber       string              `json:"phoneNumber,omitempty"` // E.164; empty: none
}

// CreateAgent makes an agent.
func (c *Client) CreateAgent(ctx context.Context, req CreateAgentRequest, options ...RequestOption) (Agent, error) {
	var answer agentAnswer
	err := c.call(ctx, create("/agent/create-agent", req, &answer, options))
	return answer.Data, err
}

// GetAgent reads an agent.
func (c *Client) GetAgent(ctx context.Context, project talkstack.ProjectID, id talkstack.AgentID) (Agent, error) {
	var a Agent
	err := c.call(ctx, ask("/agent", agentRef{project, id}, &a))
	return a, err
}

// ListAgents reads a project's agents; none is no error.
func (c *Client) ListAgents(ctx context.Context, project talkstack.ProjectID) ([]Agent, error) {
	var agents []Agent
	err := c.call(ctx, get("/agent/"+segment(project), &agents))
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound { // the documented answer of a project without agents
		if _, err := c.GetProject(ctx, project); err != nil {
			return nil, err
		}
		return nil, nil
	}
	return agents, err
}

// AgentUpdate changes an agent; nil leaves a field as it is.
type AgentUpdate struct {
	Name              *string `json:"name,omitempty"`
	SystemInstruction *string `json:"systemInstruction,omitempty"`
	VoiceID           *string `json:"voice_id,omitempty"`
}

// UpdateAgent changes an agent.
func (c *Client) UpdateAgent(ctx context.Context, project talkstack.ProjectID, id talkstack.AgentID, u AgentUpdate) (Agent, error) {
	var answer agentAnswer
	in := struct {
		agentRef
		AgentUpdate
	}{agentRef{project, id}, u}
	err := c.call(ctx, set(http.MethodPut, "/agent", in, &answer))
	return answer.Data, err
}

// DeleteAgent deletes an agent.
func (c *Client) DeleteAgent(ctx context.Context, project talkstack.ProjectID, id talkstack.AgentID) error {
	return c.call(ctx, del("/agent", agentRef{project, id}, &agentAnswer{}))
}

// V1Agent is an agent in /v1, with all its settings.
type V1Agent struct {
	ID          talkstack.AgentID   `json:"id"`
	ProjectID   talkstack.ProjectID `json:"project_id"`
	Name        string              `json:"name"`
	Prompt      string              `json:"prompt"` // may hold {{variables}}
	VoiceID     string              `json:"voice_id"`
	PhoneNumber string              `json:"phone_number"` // E.164, that it calls from; empty: none
	talkstack.AgentSettings
	Version   int       `json:"version"` // grows by one at each change
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// V1AgentSettings are those settings of an agent that a request names. Nil means the default for a new agent, and no
// change for another.
type V1AgentSettings struct {
	VoiceID       *string                 `json:"voice_id,omitempty"`
	PhoneNumber   *string                 `json:"phone_number,omitempty"`
	Greeting      *string                 `json:"greeting,omitempty"`
	FirstSpeaker  *talkstack.FirstSpeaker `json:"first_speaker,omitempty"`
	Flow          *talkstack.Flow         `json:"flow,omitempty"`
	Recording     *bool                   `json:"recording,omitempty"`
	SilenceLimit  *talkstack.Milliseconds `json:"silence_limit_ms,omitempty"`
	IdlePrompts   *[]talkstack.IdlePrompt `json:"idle_prompts,omitempty"`
	MaxDuration   *talkstack.Milliseconds `json:"max_duration_ms,omitempty"`
	RingTimeout   *talkstack.Milliseconds `json:"ring_timeout_ms,omitempty"`
	Endpointing   *talkstack.Endpointing  `json:"endpointing,omitempty"`
	BargeIn       *talkstack.BargeIn      `json:"barge_in,omitempty"`
	EndPhrases    *[]string               `json:"end_call_phrases,omitempty"`
	Voicemail     *talkstack.Voicemail    `json:"voicemail,omitempty"`
	Speed         *float64                `json:"speed,omitempty"`
	KeypadTimeout *talkstack.Milliseconds `json:"keypad_timeout_ms,omitempty"`
}

// V1AgentCreate makes an agent.
type V1AgentCreate struct {
	ProjectID talkstack.ProjectID `json:"project_id"`
	Name      string              `json:"name"`
	Prompt    string              `json:"prompt"`
	V1AgentSettings
}

// V1AgentPatch changes an agent; nil leaves a field as it is.
type V1AgentPatch struct {
	Name   *string `json:"name,omitempty"`
	Prompt *string `json:"prompt,omitempty"`
	V1AgentSettings
	// Version is the one that the change was made for: with another one the answer is conflict. Nil: any.
	Version *int `json:"version,omitempty"`
	// Reset names the fields that get their default back, or become none: "flow", "phone_number".
	Reset []string `json:"-"`
}

// MarshalJSON writes a merge patch (RFC 7396).
func (p V1AgentPatch) MarshalJSON() ([]byte, error) {
	type fields V1AgentPatch // without this method
	b, err := json.Marshal(fields(p))
	if err != nil || len(p.Reset) == 0 {
		return b, err
	}
	object := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	for _, name := range p.Reset {
		object[name] = nil
	}
	return json.Marshal(object)
}

// AgentFilter narrows a list of agents; empty fields allow everything.
type AgentFilter struct {
	ProjectID talkstack.ProjectID
	Name      string
}

// ListAgents reads agents, newest first.
func (v V1) ListAgents(ctx context.Context, f AgentFilter) iter.Seq2[V1Agent, error] {
	return list[V1Agent](ctx, v.c, "/v1/agents", filters("project_id", string(f.ProjectID), "name", f.Name))
}

// CreateAgent makes an agent.
func (v V1) CreateAgent(ctx context.Context, req V1AgentCreate, options ...RequestOption) (V1Agent, error) {
	var a V1Agent
	err := v.c.call(ctx, create("/v1/agents", req, &a, options))
	return a, err
}

// GetAgent reads an agent.
func (v V1) GetAgent(ctx context.Context, id talkstack.AgentID) (V1Agent, error) {
	var a V1Agent
	err := v.c.call(ctx, get("/v1/agents/"+segment(id), &a))
	return a, err
}

// PatchAgent changes an agent. Calls that are live keep the version they started with.
func (v V1) PatchAgent(ctx context.Context, id talkstack.AgentID, p V1AgentPatch) (V1Agent, error) {
	var a V1Agent
	r := set(http.MethodPatch, "/v1/agents/"+segment(id), p, &a)
	r.repeat = p.Version == nil // the first try would be the other change that the second one clashes with
	err := v.c.call(ctx, r)
	return a, err
}

// DeleteAgent deletes an agent.
func (v V1) DeleteAgent(ctx context.Context, id talkstack.AgentID) error {
	return v.c.call(ctx, del("/v1/agents/"+segment(id), nil, nil))
}

// V1VersionSummary is a version of an agent in a list.
type V1VersionSummary struct {
	Version   int       `json:"version"`
	Name      string    `json:"name"`
	VoiceID   string    `json:"voice_id"`
	CreatedAt time.Time `json:"created_at"`
}

// V1AgentVersion is an agent as it was.
type V1AgentVersion struct {
	AgentID talkstack.AgentID `json:"agent_id"`
	Version int               `json:"version"`
	Name    string            `json:"name"`
	Prompt  string            `json:"prompt"`
	VoiceID string            `json:"voice_id"`
	talkstack.AgentSettings
	CreatedAt time.Time `json:"created_at"`
}

// ListAgentVersions reads an agent's versions, newest first.
func (v V1) ListAgentVersions(ctx context.Context, id talkstack.AgentID) iter.Seq2[V1VersionSummary, error] {
	return list[V1VersionSummary](ctx, v.c, "/v1/agents/"+segment(id)+"/versions", nil)
}

// GetAgentVersion reads an agent as it was.
func (v V1) GetAgentVersion(ctx context.Context, id talkstack.AgentID, version int) (V1AgentVersion, error) {
	var a V1AgentVersion
	err := v.c.call(ctx, get("/v1/agents/"+segment(id)+"/versions/"+strconv.Itoa(version), &a))
	return a, err
}

// RestoreAgentVersion makes an agent as it was; that is a new version.
func (v V1) RestoreAgentVersion(ctx context.Context, id talkstack.AgentID, version int) (V1Agent, error) {
	var a V1Agent
	err := v.c.call(ctx, set(http.MethodPost, "/v1/agents/"+segment(id)+"/versions/"+strconv.Itoa(version)+"/restore", nil, &a))
	return a, err
}
