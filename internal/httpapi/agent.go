package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// Agent is the agent object: both spellings of its id, everywhere (Q24).
type Agent struct {
	ID                talkstack.AgentID   `json:"id"`
	AgentID           talkstack.AgentID   `json:"agentId" doc:"The same value as id."`
	ProjectID         talkstack.ProjectID `json:"projectId"`
	Name              string              `json:"name"`
	SystemInstruction string              `json:"systemInstruction" doc:"The prompt; may hold {{variable}} placeholders."`
	VoiceID           *string             `json:"voice_id" nullable:"true"`
	PhoneNumber       *string             `json:"phoneNumber" nullable:"true" doc:"The number it calls from and answers on."`
}

// agentEnvelope repeats the agent's fields at the top level, since the page can be read both ways (Q26).
type agentEnvelope struct {
	Envelope
	Data Agent `json:"data"`
	Agent
}

type createAgentRequest struct {
	_                 struct{}            `additionalProperties:"true"`
	Name              string              `json:"name" minLength:"1" maxLength:"200" example:"Jack"`
	SystemInstruction string              `json:"systemInstruction" minLength:"1" maxLength:"200000" example:"You are an agent called John. You can take any questions related to Mathematics."`
	ProjectID         talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
	PhoneNumber       *string             `json:"phoneNumber,omitempty" nullable:"true" doc:"E.164; assigned as by add-number." example:"+14155550148"`
	VoiceID           *string             `json:"voice_id,omitempty" nullable:"true" doc:"The server's default when missing." example:"EXAVITQu4vr4xnSDxMaL"`
}

type createAgentInput struct {
	Idempotent
	Body createAgentRequest
}

type agentRef struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
	AgentID   talkstack.AgentID   `json:"agentId" minLength:"1" maxLength:"100"`
}

type updateAgentRequest struct {
	_                 struct{}            `additionalProperties:"true"`
	ProjectID         talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
	AgentID           talkstack.AgentID   `json:"agentId" minLength:"1" maxLength:"100"`
	Name              sent[string]        `json:"name,omitempty" minLength:"1" maxLength:"200" example:"Jack"`
	SystemInstruction sent[string]        `json:"systemInstruction,omitempty" minLength:"1" maxLength:"200000" example:"You are Jack. You can take any questions related to astronomy."`
	VoiceID           clearable[string]   `json:"voice_id,omitempty" nullable:"true" maxLength:"200" doc:"Null or empty: the server's default." example:"EXAVITQu4vr4xnSDxMaL"`
}

// agentOrList is one agent, or all of a project's: the page of one and that of the other have the same path (Q25).
type agentOrList struct {
	agent *Agent
	list  []Agent
}

// MarshalJSON is the agent or the array, bare.
func (v agentOrList) MarshalJSON() ([]byte, error) {
	if v.agent != nil {
		return json.Marshal(v.agent)
	}
	return json.Marshal(v.list)
}

// Schema documents both.
func (agentOrList) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[Agent](), true, "")
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeArray, Items: one, MinItems: new(1)}, one}}
}

func (a *API) agentRoutes() {
	const tag = "Agent"
	post(a, "/agent/create-agent", operation{
		ID: "createAgent", Tag: tag, Summary: "Create an agent",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing, the voice is unknown, or the number is not E.164 or another account's.",
			http.StatusNotFound:   "There is no such project.",
		},
	}, a.createAgent)
	post(a, "/agent", operation{
		ID: "getAgent", Tag: tag, Summary: "One agent's details",
		Description: "A read, although a POST. A bare object, no envelope.",
		Errors:      map[int]string{http.StatusNotFound: "There is no such agent in this project."},
		Aliases:     map[string]string{"id": "agentId"},
	}, a.getAgent)
	put(a, "/agent", operation{
		ID: "updateAgent", Tag: tag, Summary: "Update an agent",
		Description: "The fields of data are repeated at the top level. Calls that are live keep the version they started with.",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing or there is none to change, or the voice is unknown.",
			http.StatusNotFound:   "There is no such agent in this project.",
		},
		Aliases: map[string]string{"id": "agentId"},
	}, a.updateAgent)
	del(a, "/agent", operation{
		ID: "deleteAgent", Tag: tag, Summary: "Delete an agent",
		Description: "Its numbers stay in the project without an agent, its batches are cancelled, calls that wait for it end as failed; those in progress go on. The answer shows the agent as it was.",
		Errors:      map[int]string{http.StatusNotFound: "There is no such agent in this project."},
		Aliases:     map[string]string{"id": "agentId"},
	}, a.deleteAgent)
	get(a, "/agent/{projectId}", operation{
		ID: "listAgents", Tag: tag, Summary: "All agents of a project",
		Description: "A bare array, no envelope; 404 when there are none. With an agent's id, that agent, as a bare object.",
		Errors:      map[int]string{http.StatusNotFound: "The project has no agents, or there is no such project or agent."},
	}, a.listAgents)
}

func (a *API) createAgent(ctx context.Context, in *createAgentInput) (*created[agentEnvelope], error) {
	agent := talkstack.Agent{
		UserID: caller(ctx).ID, ProjectID: in.Body.ProjectID, Name: strings.TrimSpace(in.Body.Name),
		Prompt: in.Body.SystemInstruction, Settings: talkstack.DefaultAgentSettings(),
	}
	switch {
	case agent.Name == "":
		return nil, invalid("name", "is required")
	case strings.TrimSpace(agent.Prompt) == "":
		return nil, invalid("systemInstruction", "is required")
	}
	voice, err := a.voiceFor(in.Body.VoiceID)
	if err != nil {
		return nil, err
	}
	agent.VoiceID = voice
	number := ""
	if in.Body.PhoneNumber != nil && *in.Body.PhoneNumber != "" {
		if number, err = talkstack.ParseE164(*in.Body.PhoneNumber); err != nil {
			return nil, err
		}
	}
	agent, replayed, err := a.makeAgent(ctx, "createAgent", in.Idempotent, in.Body, agent, number, conflictIs400)
	if err != nil {
		return nil, err
	}
	w, err := a.agentWithNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	return replyCreated(agentEnvelope{Envelope: success("agent created successfully."), Data: w, Agent: w}, replayed), nil
}

// makeAgent stores a new agent with its number, once for each Idempotency-Key. A clash becomes what onClash makes of it.
func (a *API) makeAgent(
	ctx context.Context, operation string, key Idempotent, request any, agent talkstack.Agent, number string, onClash func(error) error,
) (talkstack.Agent, bool, error) {
	return makeOnce(ctx, a, key, once[talkstack.AgentID, talkstack.Agent]{
		Operation: operation, Request: request, NewID: talkstack.NewAgentID,
		Make: func(ctx context.Context, id talkstack.AgentID) (talkstack.Agent, error) {
			agent.ID = id
			made, err := a.DB.CreateAgent(ctx, agent, number)
			return made, onClash(err)
		},
		Find: func(ctx context.Context, id talkstack.AgentID) (talkstack.Agent, error) {
			return a.DB.Agent(ctx, agent.UserID, id)
		},
	})
}

// voiceFor is the voice of a new agent: the one that was asked for, else the server's default (Q23, Q43).
func (a *API) voiceFor(asked *string) (string, error) {
	if asked == nil || *asked == "" {
		return a.defaultVoice(), nil
	}
	if _, ok := findVoice(a.Voices.Voices(), *asked); !ok {
		return "", invalid("voice_id", "is not a known voice: see GET /voices")
	}
	return *asked, nil
}

// defaultVoice is the voice of an agent that asks for none; empty: there is none.
func (a *API) defaultVoice() string {
	if voices := a.Voices.Voices(); len(voices) > 0 {
		return voices[0].ID
	}
	return ""
}

// agentIn is an agent of the caller's, in the project that the request names.
func (a *API) agentIn(ctx context.Context, ref agentRef) (talkstack.Agent, error) {
	agent, err := a.DB.Agent(ctx, caller(ctx).ID, ref.AgentID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound || err == nil && agent.ProjectID != ref.ProjectID {
		return talkstack.Agent{}, notFound("Agent not found.")
	}
	return agent, err
}

func (a *API) agentWithNumber(ctx context.Context, agent talkstack.Agent) (Agent, error) {
	number, err := a.agentNumber(ctx, agent)
	return wireAgent(agent, number), err
}

func (a *API) getAgent(ctx context.Context, in *struct{ Body agentRef }) (*body[Agent], error) {
	agent, err := a.agentIn(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	w, err := a.agentWithNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}

// updateAgent takes name, systemInstruction, voice_id, or several of them (Q26).
func (a *API) updateAgent(ctx context.Context, in *struct{ Body updateAgentRequest }) (*body[agentEnvelope], error) {
	b := in.Body
	if !b.Name.is && !b.SystemInstruction.is && !b.VoiceID.is {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "name or systemInstruction is required.")
	}
	change := store.AgentUpdate{Prompt: b.SystemInstruction.pointer()}
	if b.Name.is {
		name := strings.TrimSpace(b.Name.value)
		if name == "" {
			return nil, invalid("name", "must not be empty")
		}
		change.Name = &name
	}
	if b.SystemInstruction.is && strings.TrimSpace(b.SystemInstruction.value) == "" {
		return nil, invalid("systemInstruction", "must not be empty")
	}
	if b.VoiceID.is {
		voice, err := a.voiceFor(&b.VoiceID.value)
		if err != nil {
			return nil, err
		}
		change.VoiceID = &voice
	}
	agent, err := a.agentIn(ctx, agentRef{ProjectID: b.ProjectID, AgentID: b.AgentID})
	if err != nil {
		return nil, err
	}
	if agent, err = a.DB.UpdateAgent(ctx, agent.UserID, agent.ID, change); err != nil {
		return nil, err
	}
	w, err := a.agentWithNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(agentEnvelope{Envelope: success("agent data updated successfully."), Data: w, Agent: w}), nil
}

// deleteAgent answers with the agent as it was: the page's text promises its fields.
func (a *API) deleteAgent(ctx context.Context, in *struct{ Body *agentRef }) (*body[agentEnvelope], error) {
	agent, err := a.agentIn(ctx, *in.Body)
	if err != nil {
		return nil, err
	}
	w, err := a.agentWithNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	if err := a.DB.DeleteAgent(ctx, agent.UserID, agent.ID); err != nil {
		return nil, err
	}
	return reply(agentEnvelope{Envelope: success("Agent Deleted"), Data: w, Agent: w}), nil
}

// listAgents answers 404 for a project without agents, as documented (Q27).
func (a *API) listAgents(ctx context.Context, in *projectPath) (*body[agentOrList], error) {
	user := caller(ctx).ID
	agents, err := a.DB.Agents(ctx, user, in.ProjectID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return a.oneAgent(ctx, talkstack.AgentID(in.ProjectID), err)
	}
	if err != nil {
		return nil, err
	}
	if len(agents) == 0 {
		return nil, notFound("No agents found.")
	}
	numbers, err := a.DB.NumbersByProject(ctx, user, in.ProjectID)
	if err != nil {
		return nil, err
	}
	oldest := map[talkstack.AgentID]string{}
	for _, n := range slices.Backward(numbers) {
		oldest[n.AgentID] = n.E164
	}
	list := make([]Agent, len(agents))
	for i, agent := range agents {
		list[i] = wireAgent(agent, oldest[agent.ID])
	}
	return reply(agentOrList{list: list}), nil
}

// oneAgent is for an id that is no project's; where it is no agent's either, the error is unknown.
func (a *API) oneAgent(ctx context.Context, id talkstack.AgentID, unknown error) (*body[agentOrList], error) {
	agent, err := a.DB.Agent(ctx, caller(ctx).ID, id)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	w, err := a.agentWithNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(agentOrList{agent: &w}), nil
}

func wireAgent(agent talkstack.Agent, number string) Agent {
	return Agent{
		ID: agent.ID, AgentID: agent.ID, ProjectID: agent.ProjectID, Name: agent.Name,
		SystemInstruction: agent.Prompt, VoiceID: textOrNull(agent.VoiceID), PhoneNumber: textOrNull(number),
	}
}
