package httpapi

import (
	"context"
	"net/http"
	"strings"

	"talkstack"
	"talkstack/internal/store"
)

// v1Project is a project with its limits.
type v1Project struct {
	ID                talkstack.ProjectID `json:"id"`
	Name              string              `json:"name"`
	Description       string              `json:"description"`
	ActiveAgentID     *string             `json:"active_agent_id" nullable:"true" doc:"Dials and answers where no agent is named."`
	MaxCalls          int                 `json:"max_calls" doc:"Calls it may have at once."`
	CallsPerSecond    float64             `json:"calls_per_second" doc:"How fast outbound calls begin; 0: no limit."`
	RedialInterrupted int                 `json:"redial_interrupted" doc:"How often a call that a crash of the server cut off is dialled again, as a new call."`
	WebhookURL        *string             `json:"webhook_url" nullable:"true"`
	CreatedAt         timestamp           `json:"created_at"`
	UpdatedAt         timestamp           `json:"updated_at"`
}

func wireV1Project(p talkstack.Project) v1Project {
	return v1Project{
		ID: p.ID, Name: p.Name, Description: p.Description, ActiveAgentID: textOrNull(p.ActiveAgent),
		MaxCalls: p.MaxCalls, CallsPerSecond: p.CallsPerSecond, RedialInterrupted: p.RedialInterrupted,
		WebhookURL: textOrNull(p.WebhookURL), CreatedAt: timestamp{p.CreatedAt}, UpdatedAt: timestamp{p.UpdatedAt},
	}
}

type v1CreateProjectRequest struct {
	Name              string  `json:"name" minLength:"1" maxLength:"200" doc:"Unique among the account's projects." example:"Clinic"`
	Description       string  `json:"description,omitempty" maxLength:"5000"`
	MaxCalls          int     `json:"max_calls,omitempty" minimum:"1" maximum:"10000" default:"20" doc:"Calls it may have at once."`
	CallsPerSecond    float64 `json:"calls_per_second,omitempty" minimum:"0" maximum:"1000" doc:"How fast outbound calls begin; 0: no limit."`
	RedialInterrupted int     `json:"redial_interrupted,omitempty" minimum:"0" maximum:"3" doc:"How often a call that a crash of the server cut off is dialled again."`
}

type v1CreateProjectInput struct {
	Idempotent
	Body v1CreateProjectRequest
}

type v1PatchProjectRequest struct {
	Name              sent[string]                 `json:"name,omitempty" minLength:"1" maxLength:"200" example:"Clinic"`
	Description       clearable[string]            `json:"description,omitempty" nullable:"true" maxLength:"5000"`
	ActiveAgentID     clearable[talkstack.AgentID] `json:"active_agent_id,omitempty" nullable:"true" maxLength:"100" doc:"An agent of the project; null: none."`
	MaxCalls          sent[int]                    `json:"max_calls,omitempty" minimum:"1" maximum:"10000"`
	CallsPerSecond    sent[float64]                `json:"calls_per_second,omitempty" minimum:"0" maximum:"1000"`
	RedialInterrupted sent[int]                    `json:"redial_interrupted,omitempty" minimum:"0" maximum:"3"`
	WebhookURL        clearable[string]            `json:"webhook_url,omitempty" nullable:"true" maxLength:"2048" doc:"Null or empty: none." example:"https://example.com/hook"`
}

type v1ProjectPath struct {
	ID talkstack.ProjectID `path:"id"`
}

type v1PatchProjectInput struct {
	ID   talkstack.ProjectID `path:"id"`
	Body v1PatchProjectRequest
}

type v1DeleteProjectInput struct {
	ID      talkstack.ProjectID `path:"id"`
	Cascade bool                `query:"cascade" doc:"Delete its agents and numbers too. Without it, there must be none."`
}

type v1ListProjectsInput struct{ PageQuery }

func (a *API) v1ProjectRoutes() {
	const tag = "Projects"
	unknown := map[int]string{http.StatusNotFound: "There is no such project."}
	get(a, "/v1/projects", operation{ID: "v1ListProjects", Tag: tag, Summary: "Projects, newest first"}, a.v1ListProjects)
	post(a, "/v1/projects", operation{
		ID: "v1CreateProject", Tag: tag, Summary: "Create a project",
		Errors: map[int]string{http.StatusConflict: "The name is taken, or the Idempotency-Key was sent with another request before."},
	}, a.v1CreateProject)
	get(a, "/v1/projects/{id}", operation{ID: "v1GetProject", Tag: tag, Summary: "One project", Errors: unknown}, a.v1GetProject)
	patch(a, "/v1/projects/{id}", operation{
		ID: "v1PatchProject", Tag: tag, Summary: "Change some of a project's fields",
		Description: "What is not sent stays. A lower max_calls ends no call.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such project, or no such agent in it.",
			http.StatusConflict: "The name is taken.",
		},
	}, a.v1PatchProject)
	del(a, "/v1/projects/{id}", operation{
		ID: "v1DeleteProject", Tag: tag, Summary: "Delete a project",
		Description: "Its batches are cancelled and calls that wait end as failed; those in progress go on. Calls and recordings stay readable.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such project.",
			http.StatusConflict: "Agents or phone numbers remain, and cascade is false.",
		},
	}, a.v1DeleteProject)
}

func (a *API) v1ListProjects(ctx context.Context, in *v1ListProjectsInput) (*body[page[v1Project]], error) {
	const list = "projects"
	after, err := openTimeCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.DB.ProjectPage(ctx, caller(ctx).ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(found, in.Limit, wireV1Project, func(p talkstack.Project) string {
		return sealTimeCursor(list, p.CreatedAt, string(p.ID))
	})), nil
}

func (a *API) v1CreateProject(ctx context.Context, in *v1CreateProjectInput) (*created[v1Project], error) {
	b, user := in.Body, caller(ctx).ID
	b.Name = strings.TrimSpace(b.Name)
	if b.Name == "" {
		return nil, invalid("name", "must not be empty")
	}
	p, replayed, err := makeOnce(ctx, a, in.Idempotent, once[talkstack.ProjectID, talkstack.Project]{
		Operation: "v1CreateProject", Request: in.Body, NewID: talkstack.NewProjectID,
		Make: func(ctx context.Context, id talkstack.ProjectID) (talkstack.Project, error) {
			return a.DB.CreateProject(ctx, talkstack.Project{
				ID: id, UserID: user, Name: b.Name, Description: b.Description, MaxCalls: b.MaxCalls,
				CallsPerSecond: b.CallsPerSecond, RedialInterrupted: b.RedialInterrupted,
			})
		},
		Find: func(ctx context.Context, id talkstack.ProjectID) (talkstack.Project, error) {
			return a.DB.Project(ctx, user, id)
		},
	})
	if err != nil {
		return nil, err
	}
	return replyCreated(wireV1Project(p), replayed), nil
}

func (a *API) v1GetProject(ctx context.Context, in *v1ProjectPath) (*body[v1Project], error) {
	p, err := a.DB.Project(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(wireV1Project(p)), nil
}

func (a *API) v1PatchProject(ctx context.Context, in *v1PatchProjectInput) (*body[v1Project], error) {
	b := in.Body
	change := store.ProjectUpdate{
		Description: b.Description.pointer(), ActiveAgent: b.ActiveAgentID.pointer(), MaxCalls: b.MaxCalls.pointer(),
		CallsPerSecond: b.CallsPerSecond.pointer(), RedialInterrupted: b.RedialInterrupted.pointer(),
	}
	if err := a.nameAndWebhook(&change, b.Name.pointer(), "webhook_url", b.WebhookURL.pointer()); err != nil {
		return nil, err
	}
	p, err := a.DB.UpdateProject(ctx, caller(ctx).ID, in.ID, change)
	if err != nil {
		return nil, err
	}
	return reply(wireV1Project(p)), nil
}

func (a *API) v1DeleteProject(ctx context.Context, in *v1DeleteProjectInput) (*struct{}, error) {
	return nil, a.DB.DeleteProject(ctx, caller(ctx).ID, in.ID, in.Cascade)
}
