package httpapi

import (
	"context"
	"net/http"

	"talkstack"
	"talkstack/internal/store"
)

// v1Number is a phone number of the account.
type v1Number struct {
	ID        talkstack.NumberID  `json:"id"`
	E164      string              `json:"e164"`
	Status    string              `json:"status" enum:"AVAILABLE"`
	ProjectID talkstack.ProjectID `json:"project_id"`
	AgentID   *string             `json:"agent_id" nullable:"true" doc:"Null: the project's active agent answers."`
	CreatedAt timestamp           `json:"created_at"`
}

func wireV1Number(n talkstack.Number) v1Number {
	return v1Number{
		ID: n.ID, E164: n.E164, Status: n.Status, ProjectID: n.ProjectID, AgentID: textOrNull(n.AgentID), CreatedAt: timestamp{n.CreatedAt},
	}
}

type v1AssignNumberRequest struct {
	E164      string              `json:"e164" minLength:"1" maxLength:"64" example:"+14155550148"`
	ProjectID talkstack.ProjectID `json:"project_id" minLength:"1" maxLength:"100"`
	AgentID   *talkstack.AgentID  `json:"agent_id,omitempty" nullable:"true" maxLength:"100" doc:"Null: the project's active agent answers."`
}

type v1AssignNumberInput struct {
	Idempotent
	Body v1AssignNumberRequest
}

type v1NumberPath struct {
	ID talkstack.NumberID `path:"id"`
}

type v1PatchNumberInput struct {
	ID   talkstack.NumberID `path:"id"`
	Body struct {
		ProjectID sent[talkstack.ProjectID]    `json:"project_id,omitempty" minLength:"1" maxLength:"100" doc:"Moves it; without agent_id it has no agent there."`
		AgentID   clearable[talkstack.AgentID] `json:"agent_id,omitempty" nullable:"true" maxLength:"100" doc:"An agent of its project; null: none."`
	}
}

type v1ListNumbersInput struct {
	PageQuery
	ProjectID talkstack.ProjectID `query:"project_id" maxLength:"100"`
	AgentID   talkstack.AgentID   `query:"agent_id" maxLength:"100"`
	E164      string              `query:"e164" maxLength:"64" doc:"In E.164 form; its + is written %2B in a query."`
}

func (a *API) v1NumberRoutes() {
	const tag = "Numbers"
	unknown := map[int]string{http.StatusNotFound: "There is no such phone number."}
	get(a, "/v1/numbers", operation{ID: "v1ListNumbers", Tag: tag, Summary: "Phone numbers, newest first"}, a.v1ListNumbers)
	post(a, "/v1/numbers", operation{
		ID: "v1AssignNumber", Tag: tag, Summary: "Assign a phone number",
		Description: "The number must be verified with, or bought from, the carrier. One that is assigned elsewhere in the account moves, and keeps its id.",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such project, or no such agent in it.",
			http.StatusConflict: "The number belongs to another account, or the Idempotency-Key was sent with another request before.",
		},
	}, a.v1AssignNumber)
	get(a, "/v1/numbers/{id}", operation{ID: "v1GetNumber", Tag: tag, Summary: "One phone number", Errors: unknown}, a.v1GetNumber)
	patch(a, "/v1/numbers/{id}", operation{
		ID: "v1PatchNumber", Tag: tag, Summary: "Move a phone number to another agent or project",
		Errors: map[int]string{
			http.StatusNotFound: "There is no such phone number, project, or agent in the project.",
			http.StatusConflict: "The number was moved meanwhile.",
		},
	}, a.v1PatchNumber)
	del(a, "/v1/numbers/{id}", operation{
		ID: "v1ReleaseNumber", Tag: tag, Summary: "Release a phone number",
		Description: "It leaves the account: another one may assign it then. Calls that wait keep it as the number they call from.",
		Errors:      unknown,
	}, a.v1ReleaseNumber)
}

func (a *API) v1ListNumbers(ctx context.Context, in *v1ListNumbersInput) (*body[page[v1Number]], error) {
	const list = "numbers"
	after, err := openTimeCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	f := store.NumberFilter{ProjectID: in.ProjectID, AgentID: in.AgentID}
	if in.E164 != "" {
		if f.E164, err = talkstack.ParseE164(in.E164); err != nil {
			return nil, invalid("e164", "must be a number in E.164 form; its + is written %2B in a query")
		}
	}
	found, err := a.DB.NumberPage(ctx, caller(ctx).ID, f, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(found, in.Limit, wireV1Number, func(n talkstack.Number) string {
		return sealTimeCursor(list, n.CreatedAt, string(n.ID))
	})), nil
}

func (a *API) v1AssignNumber(ctx context.Context, in *v1AssignNumberInput) (*created[v1Number], error) {
	e164, err := talkstack.ParseE164(in.Body.E164)
	if err != nil {
		return nil, invalid("e164", "must be a number in E.164 form")
	}
	n := talkstack.Number{UserID: caller(ctx).ID, ProjectID: in.Body.ProjectID, E164: e164}
	if in.Body.AgentID != nil {
		n.AgentID = *in.Body.AgentID
	}
	n, replayed, err := a.assignOnce(ctx, "v1AssignNumber", in.Idempotent, in.Body, n, a.DB.AssignNumber)
	if err != nil {
		return nil, err
	}
	return replyCreated(wireV1Number(n), replayed), nil
}

func (a *API) v1GetNumber(ctx context.Context, in *v1NumberPath) (*body[v1Number], error) {
	n, err := a.DB.Number(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(wireV1Number(n)), nil
}

func (a *API) v1PatchNumber(ctx context.Context, in *v1PatchNumberInput) (*body[v1Number], error) {
	n, err := a.DB.UpdateNumber(ctx, caller(ctx).ID, in.ID, store.NumberUpdate{
		ProjectID: in.Body.ProjectID.pointer(), AgentID: in.Body.AgentID.pointer(),
	})
	if err != nil {
		return nil, err
	}
	return reply(wireV1Number(n)), nil
}

func (a *API) v1ReleaseNumber(ctx context.Context, in *v1NumberPath) (*struct{}, error) {
	return nil, a.DB.ReleaseNumber(ctx, caller(ctx).ID, in.ID)
}
