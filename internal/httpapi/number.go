package httpapi

import (
	"context"
	"net/http"

	"talkstack"
)

// phoneNumber is the phone number object.
type phoneNumber struct {
	E164      string              `json:"e164"`
	ID        talkstack.NumberID  `json:"id"`
	Status    string              `json:"status" enum:"AVAILABLE"`
	ProjectID talkstack.ProjectID `json:"projectId"`
	AgentID   *string             `json:"agentId" nullable:"true" doc:"Null: the project's active agent answers."`
}

func wirePhoneNumber(n talkstack.Number) phoneNumber {
	return phoneNumber{E164: n.E164, ID: n.ID, Status: n.Status, ProjectID: n.ProjectID, AgentID: textOrNull(n.AgentID)}
}

// getNumberRequest names numbers by one of three ids. Null and "" are as good as not sent.
type getNumberRequest struct {
	_         struct{}             `additionalProperties:"true"`
	NumberID  *talkstack.NumberID  `json:"phoneNumberId,omitempty" nullable:"true" maxLength:"100" example:"3189fbff-f9fa-4920-b95c-63387b1204a4"`
	AgentID   *talkstack.AgentID   `json:"agentId,omitempty" nullable:"true" maxLength:"100"`
	ProjectID *talkstack.ProjectID `json:"projectId,omitempty" nullable:"true" maxLength:"100"`
}

type phoneNumberResponse struct {
	Envelope
	Data         phoneNumber   `json:"data"`
	PhoneNumbers []phoneNumber `json:"phoneNumbers" doc:"All that match, oldest first; data is the first of them."`
}

type assignNumberRequest struct {
	_         struct{}            `additionalProperties:"true"`
	E164      string              `json:"e164" minLength:"1" maxLength:"64" example:"+14155550148"`
	AgentID   talkstack.AgentID   `json:"agentId" minLength:"1" maxLength:"100"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1" maxLength:"100"`
}

type assignNumberInput struct {
	Idempotent
	Body assignNumberRequest
}

func (a *API) numberRoutes() {
	const tag = "Phone Number"
	post(a, "/phone-number", operation{
		ID: "getPhoneNumber", Tag: tag, Summary: "Look up phone numbers by number id, agent or project",
		Description: "A read, although a POST. The first of phoneNumberId, agentId, projectId that is sent wins.",
		Errors: map[int]string{
			http.StatusBadRequest: "No identifier was sent.",
			http.StatusNotFound:   "There is no such number, or the agent or project has none.",
		},
	}, a.getNumber)
	post(a, "/phone-number/add-number", operation{
		ID: "assignPhoneNumber", Tag: tag, Summary: "Assign a phone number to an agent",
		Description: "The number must be verified with, or bought from, the carrier. One that is assigned elsewhere in the account moves.",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing, the number is not E.164, or it belongs to another account.",
			http.StatusNotFound:   "There is no such project or agent.",
		},
		Aliases: map[string]string{"phoneNumber": "e164", "phone_number": "e164"},
	}, a.assignNumber)
}

// getNumber shows one number, and all that match (Q39).
func (a *API) getNumber(ctx context.Context, in *struct{ Body getNumberRequest }) (*body[phoneNumberResponse], error) {
	user := caller(ctx).ID
	var found []talkstack.Number
	var err error
	switch b := in.Body; {
	case b.NumberID != nil && *b.NumberID != "":
		n, missing := a.DB.Number(ctx, user, *b.NumberID)
		found, err = []talkstack.Number{n}, missing
	case b.AgentID != nil && *b.AgentID != "":
		found, err = a.DB.NumbersByAgent(ctx, user, *b.AgentID)
	case b.ProjectID != nil && *b.ProjectID != "":
		found, err = a.DB.NumbersByProject(ctx, user, *b.ProjectID)
	default:
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "phoneNumberId, agentId or projectId is required.")
	}
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound || err == nil && len(found) == 0 {
		return nil, notFound("No phone number found.")
	}
	if err != nil {
		return nil, err
	}
	list := make([]phoneNumber, len(found))
	for i, n := range found {
		list[i] = wirePhoneNumber(n)
	}
	return reply(phoneNumberResponse{success("Phone number details fetched successfully."), list[0], list}), nil
}

// assignNumber moves a number within an account; another account's is refused (Q40).
func (a *API) assignNumber(ctx context.Context, in *assignNumberInput) (*created[messageResponse], error) {
	e164, err := talkstack.ParseE164(in.Body.E164)
	if err != nil {
		return nil, err
	}
	n := talkstack.Number{UserID: caller(ctx).ID, ProjectID: in.Body.ProjectID, AgentID: in.Body.AgentID, E164: e164}
	_, replayed, err := a.assignOnce(ctx, "assignPhoneNumber", in.Idempotent, in.Body, n, func(ctx context.Context, n talkstack.Number) (talkstack.Number, error) {
		made, err := a.DB.AssignNumber(ctx, n)
		return made, conflictIs400(err)
	})
	if err != nil {
		return nil, err
	}
	return replyCreated(messageResponse{success("PhoneNumber assigned successfully.")}, replayed), nil
}

// assignOnce assigns a number, once for an Idempotency-Key. One that the account has elsewhere is moved, and keeps its id.
func (a *API) assignOnce(
	ctx context.Context, operation string, in Idempotent, request any, n talkstack.Number,
	add func(context.Context, talkstack.Number) (talkstack.Number, error),
) (talkstack.Number, bool, error) {
	return makeOnce(ctx, a, in, once[talkstack.NumberID, talkstack.Number]{
		Operation: operation, Request: request, NewID: talkstack.NewNumberID,
		Make: func(ctx context.Context, id talkstack.NumberID) (talkstack.Number, error) {
			n.ID = id
			return add(ctx, n)
		},
		Find: func(ctx context.Context, id talkstack.NumberID) (talkstack.Number, error) {
			return a.DB.Number(ctx, n.UserID, id)
		},
		IDOf: func(n talkstack.Number) talkstack.NumberID { return n.ID },
	})
}

// agentNumber is the number that an agent calls from: the oldest it has, or none.
func (a *API) agentNumber(ctx context.Context, agent talkstack.Agent) (string, error) {
	numbers, err := a.DB.NumbersByAgent(ctx, agent.UserID, agent.ID)
	if err != nil || len(numbers) == 0 {
		return "", err
	}
	return numbers[0].E164, nil
}
