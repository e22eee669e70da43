package httpapi

import (
	"context"
	"net/http"

	"talkstack"
)

type assignNumberRequest struct {
	_         struct{}            `additionalProperties:"true"`
	E164      string              `json:"e164" minLength:"1" maxLength:"64" example:"+14155550148"`
	AgentID   talkstack.AgentID   `json:"agentId" minLength:"1"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1"`
}

func (a *API) numberRoutes() {
	post(a, "/phone-number/add-number", operation{
		ID: "assignPhoneNumber", Tag: "Phone Number", Summary: "Assign a phone number to an agent",
		Description: "The number must be verified with, or bought from, the carrier. One that is assigned elsewhere in the account moves.",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing, the number is not E.164, or it belongs to another account.",
			http.StatusNotFound:   "There is no such project or agent.",
		},
		Aliases: map[string]string{"phoneNumber": "e164", "phone_number": "e164"},
	}, a.assignNumber)
}

// assignNumber moves a number within an account; another account's is refused (Q40).
func (a *API) assignNumber(ctx context.Context, in *struct{ Body assignNumberRequest }) (*body[messageResponse], error) {
	b := in.Body
	if _, err := a.DB.AssignNumber(ctx, caller(ctx).ID, b.ProjectID, b.AgentID, b.E164); err != nil {
		return nil, conflictIs400(err)
	}
	return reply(messageResponse{success("PhoneNumber assigned successfully.")}), nil
}

// agentNumber is the number that an agent calls from: the oldest it has, or none.
func (a *API) agentNumber(ctx context.Context, agent talkstack.Agent) (string, error) {
	numbers, err := a.DB.NumbersByAgent(ctx, agent.UserID, agent.ID)
	if err != nil || len(numbers) == 0 {
		return "", err
	}
	return numbers[0].E164, nil
}
