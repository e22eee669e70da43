package httpapi

import (
	"context"
	"net/http"

	"talkstack"
)

type makeCallRequest struct {
	_                struct{}            `additionalProperties:"true"`
	Number           string              `json:"number" minLength:"1" maxLength:"64" doc:"E.164." example:"+12065550123"`
	ProjectID        talkstack.ProjectID `json:"projectId" minLength:"1"`
	AgentID          *talkstack.AgentID  `json:"agentId,omitempty" nullable:"true" doc:"The project's active agent when missing; without one, 400."`
	DynamicVariables *variables          `json:"dynamicVariables,omitempty"`
}

type callRef struct {
	CallID talkstack.CallSID `json:"call_id"`
	To     string            `json:"to"`
	From   string            `json:"from"`
}

type makeCallResponse struct {
	Envelope
	Call callRef `json:"call"`
}

// getCallRequest names the call by any of its names (Q13).
type getCallRequest struct {
	_         struct{}             `additionalProperties:"true"`
	SID       string               `json:"sid,omitempty" doc:"Also accepted as callSid or call_id; the carrier's own id works too."`
	CallSID   string               `json:"callSid,omitempty"`
	CallID    string               `json:"call_id,omitempty"`
	ProjectID *talkstack.ProjectID `json:"projectId,omitempty" nullable:"true"`
	Questions []question           `json:"questions,omitempty" nullable:"true" doc:"With questions the answer is that of /call/analysis."`
}

func (a *API) callRoutes() {
	const tag = "Call"
	post(a, "/call/makeCall", operation{
		ID: "makeCall", Tag: tag, Summary: "Place an outbound call",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing, the number is not E.164, or there is no agent or no number to call from.",
			http.StatusNotFound:   "There is no such project or agent.",
		},
	}, a.makeCall)
	post(a, "/call", operation{
		ID: "getCall", Tag: tag, Summary: "One call's data",
		Description: "A read, although a POST. A bare object, no envelope; with questions in the request, the analysis as /call/analysis answers it.",
		Errors:      map[int]string{http.StatusNotFound: "There is no such call, or not in this project."},
		Aliases:     map[string]string{"callId": "call_id"},
	}, a.getCall)
	post(a, "/call/get-call-history", operation{
		ID: "getCallHistory", Tag: tag, Summary: "A project's calls, newest first",
		Description: "Filters stand in the query or in the body; a call must match all of them. A date is a day of UTC.",
		Errors: map[int]string{
			http.StatusBadRequest: "projectId is missing, a status is unknown, or a date is not YYYY-MM-DD.",
			http.StatusNotFound:   "There is no such project.",
		},
		Aliases: historyAliases(),
	}, a.getCallHistory)
}

type makeCallInput struct {
	Idempotent
	Body makeCallRequest
}

func (a *API) makeCall(ctx context.Context, in *makeCallInput) (*created[makeCallResponse], error) {
	p := talkstack.Placement{UserID: caller(ctx).ID, ProjectID: in.Body.ProjectID, To: in.Body.Number}
	if in.Body.AgentID != nil {
		p.AgentID = *in.Body.AgentID
	}
	if in.Body.DynamicVariables != nil {
		p.DynamicVariables = *in.Body.DynamicVariables
	}
	c, replayed, err := a.placeOnce(ctx, in.Idempotent, "makeCall", in.Body, p)
	if err != nil {
		return nil, err
	}
	return replyCreated(makeCallResponse{success("call made successfully."), callRef{CallID: c.SID, To: c.To, From: c.From}}, replayed), nil
}

// placeOnce places a call, or finds the one that the same request has placed: a repeated request never dials twice.
func (a *API) placeOnce(ctx context.Context, key Idempotent, operation string, request any, p talkstack.Placement) (talkstack.Call, bool, error) {
	to, err := talkstack.ParseE164(p.To)
	if err != nil {
		return talkstack.Call{}, false, err
	}
	p.To = to
	return makeOnce(ctx, a, key, once[talkstack.CallSID, talkstack.Call]{
		Operation: operation, Request: request, NewID: talkstack.NewCallSID,
		Make: func(ctx context.Context, sid talkstack.CallSID) (talkstack.Call, error) {
			p.SID = sid
			return a.Calls.Place(ctx, p)
		},
		Find: func(ctx context.Context, sid talkstack.CallSID) (talkstack.Call, error) {
			return a.DB.Call(ctx, p.UserID, string(sid))
		},
	})
}

func (a *API) getCall(ctx context.Context, in *struct{ Body getCallRequest }) (*body[callOrAnalysis], error) {
	sid := firstText(in.Body.SID, in.Body.CallSID, in.Body.CallID)
	if sid == "" {
		return nil, invalid("callSid", "is required")
	}
	if in.Body.Questions != nil {
		r, err := a.analyse(ctx, sid, in.Body.ProjectID, in.Body.Questions)
		if err != nil {
			return nil, err
		}
		return reply(callOrAnalysis{analysis: &r}), nil
	}
	c, err := a.DB.Call(ctx, caller(ctx).ID, sid)
	if err != nil {
		return nil, err
	}
	if p := in.Body.ProjectID; p != nil && *p != "" && *p != c.ProjectID {
		return nil, notFound("Call not found.")
	}
	w, err := a.wireCall(ctx, c, a.renderOf(ctx))
	if err != nil {
		return nil, err
	}
	return reply(callOrAnalysis{call: &w}), nil
}
