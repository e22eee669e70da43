package httpapi

import (
	"context"
	"net/http"
	"strings"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/webhook"
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

type createProjectInput struct {
	Idempotent
	Body createProjectRequest
}

type updateProjectRequest struct {
	_           struct{}          `additionalProperties:"true"`
	Name        sent[string]      `json:"name,omitempty" minLength:"1" maxLength:"200" example:"Demo Project"`
	Description sent[string]      `json:"description,omitempty" maxLength:"5000" example:"This is a project."`
	WebhookURL  clearable[string] `json:"webhookUrl,omitempty" nullable:"true" maxLength:"2048" doc:"Receives the project's call updates; null or empty: nobody does." example:"https://example.com/hook"`
}

type updateProjectInput struct {
	ProjectID talkstack.ProjectID `path:"projectId"`
	Body      updateProjectRequest
}

type deleteProjectRequest struct {
	_       struct{} `additionalProperties:"true"`
	Cascade bool     `json:"cascade,omitempty" default:"false" doc:"Delete the project's agents and phone numbers too. Without it, there must be none."`
}

type deleteProjectInput struct {
	ProjectID talkstack.ProjectID `path:"projectId"`
	Body      *deleteProjectRequest
}

type addWebhookRequest struct {
	_          struct{}            `additionalProperties:"true"`
	ProjectID  talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
	WebhookURL string              `json:"webhookURL" minLength:"1" maxLength:"2048" format:"uri" example:"https://example.com/hook"`
}

type projectResponse struct {
	Envelope
	Data project `json:"data"`
}

type projectListResponse struct {
	Envelope
	Data []project `json:"data"`
}

// webhookSpellings are the other names of a webhook's URL that endpoints take, beyond their own and its other case (Q15).
func webhookSpellings(canonical string) map[string]string {
	all := map[string]string{}
	for _, name := range []string{"webhookURL", "webhookUrl", "call_status_webhook", "callStatusWebhook"} {
		if name != canonical {
			all[name] = canonical
		}
	}
	return all
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
	unknown := "There is no such project."
	put(a, "/project/{projectId}", operation{
		ID: "updateProject", Tag: tag, Summary: "Update a project's name, description or webhook",
		Errors: map[int]string{
			http.StatusBadRequest: "No field to change was sent, one is malformed, or the name is taken.",
			http.StatusNotFound:   unknown,
		},
		Aliases: webhookSpellings("webhookUrl"),
	}, a.updateProject)
	del(a, "/project/{projectId}", operation{
		ID: "deleteProject", Tag: tag, Summary: "Delete a project",
		Description: "Its batches are cancelled and calls that wait end as failed; those in progress go on. Calls and recordings stay readable.",
		Errors: map[int]string{
			http.StatusBadRequest: "Agents or phone numbers remain, and cascade is false.",
			http.StatusNotFound:   unknown,
		},
	}, a.deleteProject)
	post(a, "/project/call-status/add-webhookurl", operation{
		ID: "addWebhookUrl", Tag: tag, Summary: "Set the URL that receives the project's call updates",
		Errors:  map[int]string{http.StatusBadRequest: "A field is missing, the URL cannot be used, or there is no such project."},
		Aliases: webhookSpellings("webhookURL"),
	}, a.addWebhook)
	a.activeAgentRoutes(tag)
}

func (a *API) createProject(ctx context.Context, in *createProjectInput) (*created[projectResponse], error) {
	name := strings.TrimSpace(in.Body.Name)
	if name == "" {
		return nil, invalid("name", "is required")
	}
	user := caller(ctx).ID
	p, replayed, err := makeOnce(ctx, a, in.Idempotent, once[talkstack.ProjectID, talkstack.Project]{
		Operation: "createProject", Request: in.Body, NewID: talkstack.NewProjectID,
		Make: func(ctx context.Context, id talkstack.ProjectID) (talkstack.Project, error) {
			p, err := a.DB.CreateProject(ctx, talkstack.Project{ID: id, UserID: user, Name: name, Description: in.Body.Description})
			return p, conflictIs400(err)
		},
		Find: func(ctx context.Context, id talkstack.ProjectID) (talkstack.Project, error) {
			return a.DB.Project(ctx, user, id)
		},
	})
	if err != nil {
		return nil, err
	}
	return replyCreated(projectResponse{success("successfully created project."), wireProject(p)}, replayed), nil
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

// nameAndWebhook checks the name and the webhook URL that are sent to change a project, and adds them to the change.
// What is nil was not sent; field is what the family calls the URL.
func (a *API) nameAndWebhook(change *store.ProjectUpdate, name *string, field string, url *string) error {
	if name != nil {
		trimmed := strings.TrimSpace(*name)
		if trimmed == "" {
			return invalid("name", "must not be empty")
		}
		change.Name = &trimmed
	}
	if url != nil {
		address, err := a.webhookURL(field, *url)
		if err != nil {
			return err
		}
		change.WebhookURL = &address
	}
	return nil
}

// updateProject takes one field or several (Q18).
func (a *API) updateProject(ctx context.Context, in *updateProjectInput) (*body[projectResponse], error) {
	b := in.Body
	if !b.Name.is && !b.Description.is && !b.WebhookURL.is {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "name, description or webhookUrl is required.")
	}
	change := store.ProjectUpdate{Description: b.Description.pointer()}
	if err := a.nameAndWebhook(&change, b.Name.pointer(), "webhookUrl", b.WebhookURL.pointer()); err != nil {
		return nil, err
	}
	p, err := a.DB.UpdateProject(ctx, caller(ctx).ID, in.ProjectID, change)
	if err != nil {
		return nil, conflictIs400(err)
	}
	return reply(projectResponse{success("successfully updated project info."), wireProject(p)}), nil
}

// deleteProject answers 400 when something is left in the project (Q19).
func (a *API) deleteProject(ctx context.Context, in *deleteProjectInput) (*body[messageResponse], error) {
	cascade := in.Body != nil && in.Body.Cascade
	if err := a.DB.DeleteProject(ctx, caller(ctx).ID, in.ProjectID, cascade); err != nil {
		return nil, conflictIs400(err)
	}
	return reply(messageResponse{success("successfully deleted project.")}), nil
}

// addWebhook knows no 404, as documented.
func (a *API) addWebhook(ctx context.Context, in *struct{ Body addWebhookRequest }) (*body[messageResponse], error) {
	address, err := a.webhookURL("webhookURL", in.Body.WebhookURL)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, invalid("webhookURL", "is required")
	}
	if _, err := a.DB.UpdateProject(ctx, caller(ctx).ID, in.Body.ProjectID, store.ProjectUpdate{WebhookURL: &address}); err != nil {
		return nil, missingIs400(err)
	}
	return reply(messageResponse{success("added webhook url.")}), nil
}

// webhookURL checks the URL that a project's webhook messages are to go to. Empty: to nobody.
func (a *API) webhookURL(field, address string) (string, error) {
	if strings.TrimSpace(address) == "" {
		return "", nil
	}
	return webhook.CheckURL(field, address, a.PrivateWebhooks)
}
