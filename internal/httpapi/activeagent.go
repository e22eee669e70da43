package httpapi

import (
	"context"
	"net/http"

	"talkstack"
)

// A project's active agent is its default: it dials and answers where no agent is named.

type projectRef struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
}

type setActiveAgentRequest struct {
	_           struct{}            `additionalProperties:"true"`
	ProjectID   talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
	ActiveAgent talkstack.AgentID   `json:"active_agent" minLength:"1" maxLength:"100"`
}

type activeAgentResponse struct {
	Envelope
	ActiveAgent talkstack.AgentID `json:"active_agent"`
}

type setActiveAgentResponse struct {
	Envelope
	Project project `json:"project"`
}

type activeAgentPath struct {
	AgentID talkstack.AgentID `path:"agentId"`
}

func (a *API) activeAgentRoutes(tag string) {
	post(a, "/project/active-agent", operation{
		ID: "getActiveAgent", Tag: tag, Summary: "Id of the project's active (default) agent",
		Description: "A read, although a POST.",
		Errors:      map[int]string{http.StatusNotFound: "The project has no active agent, or there is no such project."},
	}, a.getActiveAgent)
	patch(a, "/project/active-agent", operation{
		ID: "setActiveAgent", Tag: tag, Summary: "Make an agent the project's active agent",
		Errors:  map[int]string{http.StatusBadRequest: "A field is missing, or there is no such project, or no such agent in it."},
		Aliases: map[string]string{"agentId": "active_agent", "agent_id": "active_agent"},
	}, a.setActiveAgent)
	patch(a, "/project/active-agent/{agentId}", operation{
		ID: "removeActiveAgent", Tag: tag, Summary: "Unset this agent as the active agent of its project",
		Description: "200 also when it was not the active one: nothing changes then.",
		Errors:      map[int]string{http.StatusNotFound: "There is no such agent."},
	}, a.removeActiveAgent)
}

// getActiveAgent needs projectId alone (Q20).
func (a *API) getActiveAgent(ctx context.Context, in *struct{ Body projectRef }) (*body[activeAgentResponse], error) {
	p, err := a.DB.Project(ctx, caller(ctx).ID, in.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	if p.ActiveAgent == "" {
		return nil, notFound("No active agent found for the project.")
	}
	return reply(activeAgentResponse{success("fetched active agent."), p.ActiveAgent}), nil
}

// setActiveAgent knows no 404, as documented.
func (a *API) setActiveAgent(ctx context.Context, in *struct{ Body setActiveAgentRequest }) (*body[setActiveAgentResponse], error) {
	p, err := a.DB.SetActiveAgent(ctx, caller(ctx).ID, in.Body.ProjectID, in.Body.ActiveAgent)
	if err != nil {
		return nil, missingIs400(err)
	}
	return reply(setActiveAgentResponse{success("updated active agent successfully."), wireProject(p)}), nil
}

// removeActiveAgent acts on the agent's own project (Q21).
func (a *API) removeActiveAgent(ctx context.Context, in *activeAgentPath) (*body[messageResponse], error) {
	if err := a.DB.RemoveActiveAgent(ctx, caller(ctx).ID, in.AgentID); err != nil {
		return nil, err
	}
	return reply(messageResponse{success("Removed active agent from project successfully.")}), nil
}
