package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// v1VersionSummary is one line of an agent's history.
type v1VersionSummary struct {
	Version   int       `json:"version"`
	Name      string    `json:"name"`
	VoiceID   *string   `json:"voice_id" nullable:"true"`
	CreatedAt timestamp `json:"created_at"`
}

// v1AgentVersion is an agent as it was at a version. Versions never change: calls point at them.
type v1AgentVersion struct {
	AgentID   talkstack.AgentID `json:"agent_id"`
	Version   int               `json:"version"`
	Name      string            `json:"name"`
	Prompt    string            `json:"prompt"`
	VoiceID   *string           `json:"voice_id" nullable:"true"`
	CreatedAt timestamp         `json:"created_at"`
	talkstack.AgentSettings
}

// TransformSchema lets the flow be null.
func (v1AgentVersion) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "flow")
	return s
}

type listVersionsInput struct {
	PageQuery
	ID talkstack.AgentID `path:"id"`
}

type versionPath struct {
	ID      talkstack.AgentID `path:"id"`
	Version int               `path:"version" minimum:"1" maximum:"1000000000"`
}

func (a *API) agentVersionRoutes(tag string) {
	get(a, "/v1/agents/{id}/versions", operation{
		ID: "v1ListAgentVersions", Tag: tag, Summary: "Versions of an agent, newest first",
		Errors: map[int]string{http.StatusNotFound: "There is no such agent."},
	}, a.v1ListVersions)
	unknown := map[int]string{http.StatusNotFound: "There is no such agent, or it has no such version."}
	get(a, "/v1/agents/{id}/versions/{version}", operation{
		ID: "v1GetAgentVersion", Tag: tag, Summary: "An agent as it was at a version", Errors: unknown,
	}, a.v1GetVersion)
	post(a, "/v1/agents/{id}/versions/{version}/restore", operation{
		ID: "v1RestoreAgentVersion", Tag: tag, Summary: "Go back to a version of an agent",
		Description: "Makes a new version that is like the old one. When the agent is like it already, nothing changes. Its number stays.",
		Errors:      unknown,
	}, a.v1RestoreVersion)
}

func (a *API) v1ListVersions(ctx context.Context, in *listVersionsInput) (*body[page[v1VersionSummary]], error) {
	list := "agent versions " + string(in.ID)
	values, err := openCursor(list, in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	before := 0
	if values != nil {
		if before, err = strconv.Atoi(values[0]); err != nil || before < 1 {
			return nil, invalid("cursor", "is not a next_cursor of this list")
		}
	}
	found, err := a.DB.AgentVersions(ctx, caller(ctx).ID, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	wire := func(v store.VersionSummary) v1VersionSummary {
		return v1VersionSummary{Version: v.Version, Name: v.Name, VoiceID: textOrNull(v.VoiceID), CreatedAt: timestamp{v.CreatedAt}}
	}
	return reply(pageOf(found, in.Limit, wire, func(v store.VersionSummary) string {
		return sealCursor(list, strconv.Itoa(v.Version))
	})), nil
}

func (a *API) v1GetVersion(ctx context.Context, in *versionPath) (*body[v1AgentVersion], error) {
	agent, err := a.DB.AgentAt(ctx, caller(ctx).ID, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	w := wireV1Agent(agent, "")
	return reply(v1AgentVersion{
		AgentID: w.ID, Version: w.Version, Name: w.Name, Prompt: w.Prompt, VoiceID: w.VoiceID, CreatedAt: w.UpdatedAt, AgentSettings: w.AgentSettings,
	}), nil
}

func (a *API) v1RestoreVersion(ctx context.Context, in *versionPath) (*body[v1Agent], error) {
	agent, err := a.DB.RestoreAgent(ctx, caller(ctx).ID, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	w, err := a.v1AgentOf(ctx, agent)
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}
