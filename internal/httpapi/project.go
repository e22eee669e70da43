package httpapi

import (
	"context"
	"net/http"
	"strings"

	"talkstack"
)

// project is the project object: one shape everywhere, timestamps always filled (Q12).
type project struct {
	ID                talkstack.ProjectID `json:"id"`
	Name              string              `json:"name"`
	UserID            talkstack.UserID    `json:"user_id"`
	Status            string              `json:"status" enum:"ACTIVE"`
	Description       string              `json:"description"`
	IsDeleted         bool                `json:"is_deleted"`
	CallStatusWebhook *string             `json:"call_status_webhook" nullable:"true"`
	ActiveAgent       *string             `json:"active_agent" nullable:"true"`
	CreatedAt         optionalTimestamp   `json:"created_at"`
	UpdatedAt         optionalTimestamp   `json:"updated_at"`
}

func wireProject(p talkstack.Project) project {
	return project{
		ID: p.ID, Name: p.Name, UserID: p.UserID, Status: "ACTIVE", Description: p.Description, IsDeleted: p.Deleted,
		CallStatusWebhook: textOrNull(p.WebhookURL), ActiveAgent: textOrNull(p.ActiveAgent),
		CreatedAt: optionalTimestamp{p.CreatedAt}, UpdatedAt: optionalTimestamp{p.UpdatedAt},
	}
}

type createProjectRequest struct {
	_           struct{} `additionalProperties:"true"`
	Name        string   `json:"name" minLength:"1" maxLength:"200" example:"Demo Project"`
	Description string   `json:"description" maxLength:"5000" doc:"Must be present; may be empty." example:"This is a demo project."`
}

type projectResponse struct {
	Envelope
	Data project `json:"data"`
}

type projectListResponse struct {
	Envelope
	Data []project `json:"data"`
}

func (a *API) projectRoutes() {
	const tag = "Project"
	post(a, "/project/create-project", operation{
		ID: "createProject", Tag: tag, Summary: "Create a project; names are unique per user",
		Errors: map[int]string{http.StatusBadRequest: "A field is missing, or the name is taken."},
	}, a.createProject)
	get(a, "/project", operation{ID: "listProjects", Tag: tag, Summary: "The user's projects"}, a.listProjects)
	get(a, "/project/{projectId}", operation{
		ID: "getProject", Tag: tag, Summary: "One project",
		Errors: map[int]string{http.StatusBadRequest: "There is no such project."},
	}, a.getProject)
}

func (a *API) createProject(ctx context.Context, in *struct{ Body createProjectRequest }) (*body[projectResponse], error) {
	name := strings.TrimSpace(in.Body.Name)
	if name == "" {
		return nil, invalid("name", "is required")
	}
	p := talkstack.Project{
		ID: talkstack.NewProjectID(), UserID: caller(ctx).ID, Name: name, Description: in.Body.Description,
		MaxCalls: talkstack.DefaultProjectMaxCalls,
	}
	p, err := a.DB.CreateProject(ctx, p)
	if err != nil {
		return nil, conflictIs400(err)
	}
	return reply(projectResponse{success("successfully created project."), wireProject(p)}), nil
}

func (a *API) listProjects(ctx context.Context, _ *struct{}) (*body[projectListResponse], error) {
	projects, err := a.DB.Projects(ctx, caller(ctx).ID)
	if err != nil {
		return nil, err
	}
	list := make([]project, len(projects))
	for i, p := range projects {
		list[i] = wireProject(p)
	}
	return reply(projectListResponse{success("successfully fetched project list."), list}), nil
}

type projectPath struct {
	ProjectID talkstack.ProjectID `path:"projectId"`
}

// getProject answers 400, not 404, for an unknown project, as documented (Q17).
func (a *API) getProject(ctx context.Context, in *projectPath) (*body[projectResponse], error) {
	p, err := a.DB.Project(ctx, caller(ctx).ID, in.ProjectID)
	if err != nil {
		return nil, missingIs400(err)
	}
	return reply(projectResponse{success("successfully fetched project data."), wireProject(p)}), nil
}
