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

// renumber makes e164 the one number of an agent; those it had stay in the project without an agent. nil: it has none.
func (a *API) renumber(ctx context.Context, agent talkstack.Agent, e164 *string) error {
	before, err := a.DB.NumbersByAgent(ctx, agent.UserID, agent.ID)
	if err != nil {
		return err
	}
	if e164 != nil {
		if _, err := a.DB.AssignNumber(ctx, agent.UserID, agent.ProjectID, agent.ID, *e164); err != nil {
			return err
		}
	}
	for _, n := range before {
		if e164 != nil && n.E164 == *e164 {
			continue
		}
		if _, err := a.DB.AssignNumber(ctx, agent.UserID, agent.ProjectID, "", n.E164); err != nil {
			return err
		}
	}
	return nil
}
