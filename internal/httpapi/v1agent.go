package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// v1Agent is an agent's full configuration.
type v1Agent struct {
	ID          talkstack.AgentID   `json:"id"`
	ProjectID   talkstack.ProjectID `json:"project_id"`
	Version     int                 `json:"version" doc:"Grows by one at each change. Sent in a PATCH, it must be the current one."`
	Name        string              `json:"name" minLength:"1" maxLength:"200"`
	Prompt      string              `json:"prompt" minLength:"1" maxLength:"200000" doc:"May hold {{variables}}."`
	VoiceID     *string             `json:"voice_id" nullable:"true" doc:"One of GET /voices; null: the server's default."`
	PhoneNumber *string             `json:"phone_number" nullable:"true" doc:"E.164: the number it calls from and answers on."`
	CreatedAt   timestamp           `json:"created_at"`
	UpdatedAt   timestamp           `json:"updated_at"`
	talkstack.AgentSettings
}

// TransformSchema lets the flow be null.
func (v1Agent) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "flow")
	return s
}

// readOnly are the fields of v1Agent that a PATCH may repeat but not change.
func readOnly() []string { return []string{"id", "project_id", "created_at", "updated_at"} }

type agentPath struct {
	ID talkstack.AgentID `path:"id"`
}

type createV1AgentInput struct {
	Idempotent
	Body json.RawMessage
}

type patchAgentRequest struct {
	ID   talkstack.AgentID `path:"id"`
	Body json.RawMessage
}

type listAgentsInput struct {
	PageQuery
	ProjectID talkstack.ProjectID `query:"project_id" maxLength:"100"`
	Name      string              `query:"name" maxLength:"200" doc:"Agents of exactly this name."`
}

func (a *API) v1AgentRoutes() {
	const tag = "Agents"
	unknown := map[int]string{http.StatusNotFound: "There is no such agent."}
	get(a, "/v1/agents", operation{ID: "v1ListAgents", Tag: tag, Summary: "Agents, newest first"}, a.v1ListAgents)
	withSchema(a, http.MethodPost, "/v1/agents", operation{
		ID: "v1CreateAgent", Tag: tag, Lenient: true, Summary: "Create an agent",
		Description: "Settings that are not sent, or null, have their defaults.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such project.",
			http.StatusConflict: "The number belongs to another account, or the Idempotency-Key was sent with another request before.",
		},
	}, a.createSchema(), a.v1CreateAgent)
	get(a, "/v1/agents/{id}", operation{
		ID: "v1GetAgent", Tag: tag, Summary: "One agent, with all its settings", Errors: unknown,
	}, a.v1GetAgent)
	withSchema(a, http.MethodPatch, "/v1/agents/{id}", operation{
		ID: "v1PatchAgent", Tag: tag, Lenient: true, Summary: "Change some of an agent's settings",
		Description: "A JSON merge patch (RFC 7396): what is not sent stays, null sets the default, objects are merged, arrays are replaced. Calls that are live keep the version they started with.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such agent.",
			http.StatusConflict: "The agent has changed since the version that was sent, or the number belongs to another account.",
		},
	}, a.partialSchema(), a.v1PatchAgent)
	del(a, "/v1/agents/{id}", operation{
		ID: "v1DeleteAgent", Tag: tag, Summary: "Delete an agent",
		Description: "Its numbers stay in the project without an agent, its batches are cancelled, calls that wait for it end as failed; those in progress go on.",
		Errors:      unknown,
	}, a.v1DeleteAgent)
	a.agentVersionRoutes(tag)
}

// withSchema registers an endpoint that reads its body itself, with the schema to document it by.
func withSchema[I, O any](a *API, method, path string, op operation, schema *huma.Schema, h func(context.Context, *I) (*O, error)) {
	o := a.describe(method, path, op, reflect.TypeFor[I]())
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{jsonType: {Schema: schema}}}
	if method == http.MethodPatch {
		o.RequestBody.Content[mergePatchType] = &huma.MediaType{Schema: schema}
	}
	huma.Register(a.huma, o, h)
}

func (a *API) v1ListAgents(ctx context.Context, in *listAgentsInput) (*body[page[v1Agent]], error) {
	const list = "agents"
	after, err := openTimeCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	f := store.AgentFilter{ProjectID: in.ProjectID, Name: in.Name}
	found, err := a.DB.AgentPage(ctx, caller(ctx).ID, f, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	wire := func(l store.ListedAgent) v1Agent { return wireV1Agent(l.Agent, l.PhoneNumber) }
	return reply(pageOf(found, in.Limit, wire, func(l store.ListedAgent) string {
		return sealTimeCursor(list, l.CreatedAt, string(l.ID))
	})), nil
}

// v1CreateAgent takes what PATCH takes, and what PATCH cannot change.
func (a *API) v1CreateAgent(ctx context.Context, in *createV1AgentInput) (*created[v1Agent], error) {
	next, err := a.mergeNew(in.Body)
	if err != nil {
		return nil, err
	}
	if next.VoiceID == nil {
		next.VoiceID = textOrNull(a.defaultVoice())
	}
	if err := a.checkAgent(v1Agent{}, &next); err != nil {
		return nil, err
	}
	agent, replayed, err := a.makeAgent(ctx, "v1CreateAgent", in.Idempotent, in.Body, talkstack.Agent{
		UserID: caller(ctx).ID, ProjectID: next.ProjectID, Name: strings.TrimSpace(next.Name), Prompt: next.Prompt,
		VoiceID: text(next.VoiceID), Settings: next.AgentSettings,
	}, text(next.PhoneNumber), func(err error) error { return err })
	if err != nil {
		return nil, err
	}
	w, err := a.v1AgentOf(ctx, agent)
	if err != nil {
		return nil, err
	}
	return replyCreated(w, replayed), nil
}

func (a *API) v1GetAgent(ctx context.Context, in *agentPath) (*body[v1Agent], error) {
	agent, err := a.DB.Agent(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	w, err := a.v1AgentOf(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}

func (a *API) v1DeleteAgent(ctx context.Context, in *agentPath) (*struct{}, error) {
	return nil, a.DB.DeleteAgent(ctx, caller(ctx).ID, in.ID)
}

// v1AgentOf is an agent with the number that it calls from.
func (a *API) v1AgentOf(ctx context.Context, agent talkstack.Agent) (v1Agent, error) {
	number, err := a.agentNumber(ctx, agent)
	return wireV1Agent(agent, number), err
}

func wireV1Agent(agent talkstack.Agent, number string) v1Agent {
	settings := agent.Settings
	if settings.IdlePrompts == nil {
		settings.IdlePrompts = []talkstack.IdlePrompt{}
	}
	if settings.EndPhrases == nil {
		settings.EndPhrases = []string{}
	}
	return v1Agent{
		ID: agent.ID, ProjectID: agent.ProjectID, Version: agent.Version, Name: agent.Name, Prompt: agent.Prompt,
		VoiceID: textOrNull(agent.VoiceID), PhoneNumber: textOrNull(number),
		CreatedAt: timestamp{agent.CreatedAt}, UpdatedAt: timestamp{agent.UpdatedAt}, AgentSettings: settings,
	}
}
