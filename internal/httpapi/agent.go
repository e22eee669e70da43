package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"talkstack"
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
	ProjectID         talkstack.ProjectID `json:"projectId" minLength:"1"`
	PhoneNumber       *string             `json:"phoneNumber,omitempty" nullable:"true" doc:"E.164; assigned as by add-number." example:"+14155550148"`
	VoiceID           *string             `json:"voice_id,omitempty" nullable:"true" doc:"The server's default when missing." example:"EXAVITQu4vr4xnSDxMaL"`
}

type agentRef struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1"`
	AgentID   talkstack.AgentID   `json:"agentId" minLength:"1"`
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
	get(a, "/agent/{projectId}", operation{
		ID: "listAgents", Tag: tag, Summary: "All agents of a project",
		Description: "A bare array, no envelope; 404 when there are none.",
		Errors:      map[int]string{http.StatusNotFound: "The project has no agents, or there is no such project."},
	}, a.listAgents)
}

func (a *API) createAgent(ctx context.Context, in *struct{ Body createAgentRequest }) (*body[agentEnvelope], error) {
	user := caller(ctx).ID
	agent := talkstack.Agent{
		ID: talkstack.NewAgentID(), UserID: user, ProjectID: in.Body.ProjectID, Name: strings.TrimSpace(in.Body.Name),
		Prompt: in.Body.SystemInstruction, Settings: talkstack.DefaultAgentSettings(), Version: 1,
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
	agent, err = a.DB.CreateAgent(ctx, agent, number)
	if err != nil {
		return nil, conflictIs400(err)
	}
	w := wireAgent(agent, number)
	return reply(agentEnvelope{Envelope: success("agent created successfully."), Data: w, Agent: w}), nil
}

// voiceFor is the voice of a new agent: the one that was asked for, else the server's default (Q23, Q43).
func (a *API) voiceFor(asked *string) (string, error) {
	voices := a.Voices.Voices()
	if asked != nil && *asked != "" {
		if _, ok := findVoice(voices, *asked); !ok {
			return "", invalid("voice_id", "is not a known voice: see GET /voices")
		}
		return *asked, nil
	}
	if len(voices) == 0 {
		return "", nil
	}
	return voices[0].ID, nil
}

func (a *API) getAgent(ctx context.Context, in *struct{ Body agentRef }) (*body[Agent], error) {
	user := caller(ctx).ID
	agent, err := a.DB.Agent(ctx, user, in.Body.AgentID)
	if err != nil {
		return nil, err
	}
	if agent.ProjectID != in.Body.ProjectID {
		return nil, notFound("Agent not found.")
	}
	number, err := a.agentNumber(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(wireAgent(agent, number)), nil
}

// listAgents answers 404 for a project without agents, as documented (Q27).
func (a *API) listAgents(ctx context.Context, in *projectPath) (*body[[]Agent], error) {
	user := caller(ctx).ID
	agents, err := a.DB.Agents(ctx, user, in.ProjectID)
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
	return reply(list), nil
}

func wireAgent(agent talkstack.Agent, number string) Agent {
	return Agent{
		ID: agent.ID, AgentID: agent.ID, ProjectID: agent.ProjectID, Name: agent.Name,
		SystemInstruction: agent.Prompt, VoiceID: textOrNull(agent.VoiceID), PhoneNumber: textOrNull(number),
	}
}
