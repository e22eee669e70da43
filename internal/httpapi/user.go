package httpapi

import (
	"context"
	"net/http"
	"strings"

	"talkstack"
	"talkstack/internal/store"
)

// user is the account object: one shape everywhere (Q11).
type user struct {
	ID            talkstack.UserID `json:"id"`
	Email         string           `json:"email"`
	Name          string           `json:"name"`
	Verified      bool             `json:"verified"`
	ActiveProject *string          `json:"active_project" nullable:"true"`
	CompanyName   *string          `json:"company_name" nullable:"true"`
	CreatedAt     timestamp        `json:"created_at"`
	UpdatedAt     timestamp        `json:"updated_at"`
}

func wireUser(u talkstack.User) user {
	return user{
		ID: u.ID, Email: u.Email, Name: u.Name, Verified: u.Verified,
		ActiveProject: textOrNull(u.ActiveProject), CompanyName: textOrNull(u.CompanyName),
		CreatedAt: timestamp{u.CreatedAt}, UpdatedAt: timestamp{u.UpdatedAt},
	}
}

type apiKeyResponse struct {
	Envelope
	APIKey string `json:"apiKey" pattern:"^[0-9a-f]{64}$" doc:"Shown once; it replaces the one before."`
}

type projectIDRequest struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" maxLength:"100"`
}

type setActiveProjectResponse struct {
	Envelope
	UserData    user    `json:"userData"`
	ProjectData project `json:"projectData"`
}

type activeProjectResponse struct {
	Envelope
	ProjectData project `json:"projectData"`
}

func (a *API) userRoutes() {
	const tag = "User"
	get(a, "/user/generate-apikey", operation{
		ID: "generateApiKey", Tag: tag, Access: accessBearer,
		Summary:     "Make a new API key, replacing the old one",
		Description: "Changes state although it is a GET: do not retry it. A Bearer token only.",
	}, a.generateAPIKey)
	post(a, "/user/set-active-project", operation{
		ID: "setActiveProject", Tag: tag, Summary: "Make a project the user's active project",
		Errors: map[int]string{http.StatusBadRequest: "projectId is missing, or there is no such project."},
	}, a.setActiveProject)
	get(a, "/user/get-active-project", operation{
		ID: "getActiveProject", Tag: tag, Summary: "The user's active project",
		Errors: map[int]string{http.StatusNotFound: "No active project is set."},
	}, a.getActiveProject)
	a.v1MeRoutes()
}

func (a *API) generateAPIKey(ctx context.Context, _ *struct{}) (*body[apiKeyResponse], error) {
	key, err := a.Accounts.GenerateAPIKey(ctx, caller(ctx).ID)
	if err != nil {
		return nil, err
	}
	return reply(apiKeyResponse{Envelope: success("API key successfully generated and updated."), APIKey: key.Reveal()}), nil
}

// setActiveProject answers 400, not 404, for an unknown project, as documented (Q17).
func (a *API) setActiveProject(ctx context.Context, in *struct{ Body projectIDRequest }) (*body[setActiveProjectResponse], error) {
	if in.Body.ProjectID == "" {
		return nil, invalid("projectId", "is required")
	}
	u, p, err := a.DB.SetActiveProject(ctx, caller(ctx).ID, in.Body.ProjectID)
	if err != nil {
		return nil, missingIs400(err)
	}
	return reply(setActiveProjectResponse{
		success("successfully set project with id " + string(p.ID) + " active."), wireUser(u), wireProject(p),
	}), nil
}

func (a *API) getActiveProject(ctx context.Context, _ *struct{}) (*body[activeProjectResponse], error) {
	const none = "No active project is set."
	u := caller(ctx)
	if u.ActiveProject == "" {
		return nil, notFound(none)
	}
	p, err := a.DB.Project(ctx, u.ID, u.ActiveProject)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound { // deleted since the request was let in
		return nil, notFound(none)
	}
	if err != nil {
		return nil, err
	}
	return reply(activeProjectResponse{success("fetched active project data."), wireProject(p)}), nil
}

// v1Account is the caller's account in /v1.
type v1Account struct {
	ID              talkstack.UserID  `json:"id"`
	Email           string            `json:"email"`
	Name            string            `json:"name"`
	CompanyName     *string           `json:"company_name" nullable:"true"`
	Verified        bool              `json:"verified"`
	ActiveProject   *string           `json:"active_project" nullable:"true"`
	APIKeyCreatedAt optionalTimestamp `json:"api_key_created_at" doc:"The key itself was shown once. Null when there is none."`
	CreatedAt       timestamp         `json:"created_at"`
	UpdatedAt       timestamp         `json:"updated_at"`
}

type v1AccountPatch struct {
	Name        *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
	CompanyName *string `json:"company_name,omitempty" maxLength:"200" doc:"Empty: none."`
}

func (a *API) v1MeRoutes() {
	const tag = "Account"
	get(a, "/v1/me", operation{ID: "v1GetMe", Tag: tag, Summary: "The account that asks"}, a.v1GetMe)
	patch(a, "/v1/me", operation{
		ID: "v1UpdateMe", Tag: tag, Summary: "Change the account's names; fields that are not sent stay",
	}, a.v1UpdateMe)
}

func (a *API) v1GetMe(ctx context.Context, _ *struct{}) (*body[v1Account], error) {
	return a.v1Account(ctx, caller(ctx))
}

func (a *API) v1UpdateMe(ctx context.Context, in *struct{ Body v1AccountPatch }) (*body[v1Account], error) {
	change := store.UserUpdate{Name: trimmed(in.Body.Name), CompanyName: trimmed(in.Body.CompanyName)}
	if change.Name != nil && *change.Name == "" {
		return nil, invalid("name", "must not be empty")
	}
	u, err := a.DB.UpdateUser(ctx, caller(ctx).ID, change)
	if err != nil {
		return nil, err
	}
	return a.v1Account(ctx, u)
}

func (a *API) v1Account(ctx context.Context, u talkstack.User) (*body[v1Account], error) {
	keyTime, err := a.DB.APIKeyTime(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	return reply(v1Account{
		ID: u.ID, Email: u.Email, Name: u.Name, CompanyName: textOrNull(u.CompanyName), Verified: u.Verified,
		ActiveProject: textOrNull(u.ActiveProject), APIKeyCreatedAt: optionalTimestamp{keyTime},
		CreatedAt: timestamp{u.CreatedAt}, UpdatedAt: timestamp{u.UpdatedAt},
	}), nil
}

// trimmed is a text without blanks around it; nil stays nil.
func trimmed(s *string) *string {
	if s == nil {
		return nil
	}
	t := strings.TrimSpace(*s)
	return &t
}
