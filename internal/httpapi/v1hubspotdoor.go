package httpapi

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/hubspot"
)

// The endpoints that HubSpot, or a browser that it has sent, calls.

const htmlType = "text/html; charset=utf-8"

type hubspotCallbackQuery struct {
	Code  string `query:"code" maxLength:"2048" doc:"From HubSpot."`
	State string `query:"state" maxLength:"4096" doc:"From authorize-url, by way of HubSpot."`
	Error string `query:"error" maxLength:"500" doc:"From HubSpot: the owner did not consent."`
}

// hubspotCallbackRoute is a page for people, whatever happens.
func (a *API) hubspotCallbackRoute(tag string) {
	o := a.describe(http.MethodGet, hubspotCallback, operation{
		ID: "v1HubSpotCallback", Tag: tag, Access: accessOpen, Content: "text/html",
		Summary:     "Where HubSpot sends the browser after consent; answers with a page",
		Description: "The state that authorize-url made says whose account is connected.",
		Errors: map[int]string{
			http.StatusBadRequest: "HubSpot does not take the code, or there was no consent.",
			http.StatusForbidden:  "The state was not made here, or has expired.",
			http.StatusConflict:   "The server has no HubSpot app.",
		},
	}, reflect.TypeFor[hubspotCallbackQuery]())
	for _, status := range []string{"400", "403", "409", "500", "503"} {
		o.Responses[status].Content["text/html"] = binary("text/html")["text/html"]
	}
	huma.Register(a.huma, o, a.v1HubSpotCallback)
}

func (a *API) v1HubSpotCallback(ctx context.Context, in *hubspotCallbackQuery) (*huma.StreamResponse, error) {
	status, text := http.StatusOK, "This account is connected to HubSpot. You can close this page."
	switch {
	case in.Code == "" || in.State == "":
		status, text = http.StatusBadRequest, "HubSpot was not connected: there was no consent. Begin again to try once more."
	default:
		if _, err := a.HubSpot.Callback(ctx, in.Code, in.State); err != nil {
			f := domain(err)
			logger(ctx).Warn("hubspot was not connected", "error", err)
			status, text = f.status, "HubSpot was not connected. "+f.message
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", htmlType)
		hc.SetStatus(status)
		_, _ = fmt.Fprintf(hc.BodyWriter(), "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>HubSpot</title><p>%s</p></html>\n", html.EscapeString(text)) // the browser has gone
	}}, nil
}

// hubspotAction is what HubSpot sends when a workflow comes to the action. It documents the body; hubspot.ParseAction reads it.
type hubspotAction struct {
	_          struct{} `additionalProperties:"true"`
	CallbackID string   `json:"callbackId,omitempty" doc:"Of this execution: the same when HubSpot sends it again, and then no other call is made." example:"ap-102670506-56776413549-7-0"`
	Origin     struct {
		_        struct{} `additionalProperties:"true"`
		PortalID int64    `json:"portalId,omitempty" example:"102670506"`
	} `json:"origin,omitempty" doc:"The portal, which must be connected to an account."`
	Object struct {
		_          struct{}       `additionalProperties:"true"`
		Properties map[string]any `json:"properties,omitempty"`
	} `json:"object,omitempty" doc:"The enrolled record; its properties become dynamic variables."`
	InputFields map[string]any `json:"inputFields,omitempty" doc:"phone_number; project_id or agent_id; all others become dynamic variables."`
}

type hubspotActionRequest struct {
	Signature string `header:"X-HubSpot-Signature-v3" doc:"HubSpot's signature, version 3."`
	Timestamp string `header:"X-HubSpot-Request-Timestamp" doc:"Unix milliseconds; 5 minutes old at most."`
	Body      hubspotAction
	RawBody   []byte
	uri       string // path and query as they were called
}

// Resolve keeps the address, which is signed.
func (r *hubspotActionRequest) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	r.uri = u.RequestURI()
	return nil
}

type hubspotActionResponse struct {
	OutputFields hubspotOutput `json:"outputFields"`
}

// hubspotOutput is what a workflow can go on with.
type hubspotOutput struct {
	ExecutionState string `json:"hs_execution_state" enum:"SUCCESS,FAIL_CONTINUE" doc:"FAIL_CONTINUE: no call was made, and the workflow goes on."`
	CallSID        string `json:"call_sid" doc:"Empty when no call was made." example:"CA00000000000000000000000000000000"`
	Error          string `json:"error" doc:"Why no call was made."`
}

func (a *API) hubspotActionRoute(tag string) {
	post(a, "/v1/hubspot/actions/make-call", operation{
		ID: "v1HubSpotMakeCall", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Place a call for a workflow of HubSpot: the address of a custom workflow action",
		Description: "HubSpot signs its requests (X-HubSpot-Signature-v3); nobody else can call this. What cannot be done by trying again " +
			"is answered with 200 and FAIL_CONTINUE; 429 and 5xx make HubSpot try again.",
		Errors: map[int]string{
			http.StatusBadRequest:   "The body is not that of a workflow action.",
			http.StatusUnauthorized: "The request is not signed by HubSpot for this address, or is older than 5 minutes.",
			http.StatusConflict:     "The server has no HubSpot app.",
		},
	}, a.v1HubSpotMakeCall)
}

func (a *API) v1HubSpotMakeCall(ctx context.Context, in *hubspotActionRequest) (*body[hubspotActionResponse], error) {
	err := a.HubSpot.Verify(hubspot.SignedRequest{
		Method: http.MethodPost, URI: originOf(ctx).base + in.uri, Body: in.RawBody, Signature: in.Signature, Timestamp: in.Timestamp,
	})
	if err != nil {
		return nil, err
	}
	action, err := hubspot.ParseAction(in.RawBody)
	if err != nil {
		return nil, err
	}
	c, err := a.placeAction(ctx, action)
	switch talkstack.ErrorCode(err) {
	case "":
		return reply(hubspotActionResponse{hubspotOutput{ExecutionState: "SUCCESS", CallSID: string(c.SID)}}), nil
	case talkstack.CodeInvalid, talkstack.CodeNotFound, talkstack.CodeConflict, talkstack.CodeForbidden:
		return reply(hubspotActionResponse{hubspotOutput{ExecutionState: "FAIL_CONTINUE", Error: talkstack.ErrorMessage(err)}}), nil
	case talkstack.CodeUnauthenticated, talkstack.CodeLimited, talkstack.CodeUnavailable, talkstack.CodeInternal:
	}
	return nil, err // HubSpot tries again
}

// placeAction places the call of an action, once for each execution.
func (a *API) placeAction(ctx context.Context, action hubspot.Action) (talkstack.Call, error) {
	number, err := talkstack.ParseE164(action.Phone)
	if err != nil {
		return talkstack.Call{}, err
	}
	user, project, err := a.actionOwner(ctx, action)
	if err != nil {
		return talkstack.Call{}, err
	}
	ctx = context.WithValue(ctx, userKey{}, talkstack.User{ID: user})
	c, _, err := makeOnce(ctx, a, Idempotent{IdempotencyKey: action.CallbackID}, once[talkstack.CallSID, talkstack.Call]{
		Operation: "v1HubSpotMakeCall", Request: action.CallbackID, NewID: talkstack.NewCallSID,
		Make: func(ctx context.Context, sid talkstack.CallSID) (talkstack.Call, error) {
			return a.Calls.Place(ctx, talkstack.Placement{
				SID: sid, UserID: user, ProjectID: project, AgentID: action.AgentID, To: number, DynamicVariables: action.Variables,
			})
		},
		Find: func(ctx context.Context, sid talkstack.CallSID) (talkstack.Call, error) {
			return a.DB.Call(ctx, user, string(sid))
		},
	})
	return c, err
}

// actionOwner is the account, of those that are connected to the portal, whose project or agent is named; and the project.
// Where one account is connected and nothing is named, it is its active project.
func (a *API) actionOwner(ctx context.Context, action hubspot.Action) (talkstack.UserID, talkstack.ProjectID, error) {
	accounts, err := a.DB.HubSpotConnectionsOfPortal(ctx, action.PortalID)
	if err != nil {
		return "", "", err
	}
	if len(accounts) == 0 {
		return "", "", notFound("This HubSpot portal is not connected to an account.")
	}
	for _, c := range accounts {
		project, err := a.actionProject(ctx, c.UserID, action, len(accounts) == 1)
		if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
			continue
		}
		if err != nil || project != "" {
			return c.UserID, project, err
		}
	}
	if action.ProjectID == "" && action.AgentID == "" {
		return "", "", invalid(hubspot.InputProject, "or "+hubspot.InputAgent+" is required")
	}
	return "", "", notFound("There is no such project or agent in the account that this portal is connected to.")
}

func (a *API) actionProject(ctx context.Context, user talkstack.UserID, action hubspot.Action, only bool) (talkstack.ProjectID, error) {
	switch {
	case action.ProjectID != "":
		p, err := a.DB.Project(ctx, user, action.ProjectID)
		return p.ID, err
	case action.AgentID != "":
		agent, err := a.DB.Agent(ctx, user, action.AgentID)
		return agent.ProjectID, err
	case only:
		u, err := a.DB.User(ctx, user)
		return u.ActiveProject, err
	}
	return "", nil
}
