package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// recordingLinkLifetime is how long a link to a recording works.
const recordingLinkLifetime = 24 * time.Hour

// rfc2822 is the documented form of a call's date (Q33): Tue, 30 Jan 2024 13:39:53 +0000.
const rfc2822 = "Mon, 02 Jan 2006 15:04:05 -0700"

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
}

type callHistoryRequest struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1"`
	PageSize  int                 `json:"pageSize,omitempty" minimum:"1" default:"20" doc:"At most 1000 are sent; more are on the next page."`
	Page      int                 `json:"page,omitempty" minimum:"0" maximum:"1000000" default:"0" doc:"From 0."`
}

type callHistoryResponse struct {
	Envelope
	Data    []call `json:"data"`
	HasMore bool   `json:"hasMore" doc:"There is a next page."`
}

// call is the call object: the documented call data (with Q13, Q32 and Q33) and our additions.
type call struct {
	Seconds          int                 `json:"seconds" doc:"Connected time."`
	Cost             float64             `json:"cost" doc:"US dollars; 0 until known."`
	Status           callStatus          `json:"status"`
	From             string              `json:"from"`
	To               string              `json:"to"`
	Date             string              `json:"date" doc:"RFC 2822." example:"Tue, 30 Jan 2024 13:39:53 +0000"`
	RecordingURLs    []string            `json:"recordingUrls" doc:"Links that expire."`
	PhoneNumber      string              `json:"phoneNumber" doc:"The same as to."`
	CallSID          talkstack.CallSID   `json:"callSid"`
	PartnerID        *string             `json:"partnerId,omitempty" doc:"Present when sent as a dynamic variable."`
	ShiftID          *string             `json:"shiftId,omitempty" doc:"Present when sent as a dynamic variable."`
	AssignmentID     *string             `json:"assignmentId,omitempty" doc:"Present when sent as a dynamic variable."`
	Data             map[string]string   `json:"data" doc:"Extracted values; empty when there are none."`
	SID              talkstack.CallSID   `json:"sid"`
	CallID           talkstack.CallSID   `json:"call_id"`
	ProjectID        talkstack.ProjectID `json:"projectId"`
	AgentID          talkstack.AgentID   `json:"agentId"`
	Direction        talkstack.Direction `json:"direction" enum:"outbound,inbound"`
	StartTime        optionalTimestamp   `json:"startTime" doc:"When it was accepted."`
	EndTime          optionalTimestamp   `json:"endTime"`
	DynamicVariables variables           `json:"dynamicVariables"`
	MissingVariables []string            `json:"missingVariables" doc:"Placeholders of the prompt that had no value."`
	EndReason        *endReason          `json:"endReason" doc:"Who ended the call and why; null until then."`
	Latency          latencyCamel        `json:"latency" doc:"How long the caller waited for answers."`
}

// TransformSchema lets endReason be null.
func (call) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "endReason")
	return s
}

type endReason struct {
	Party   talkstack.Party   `json:"party" enum:"caller,agent,carrier,provider,platform"`
	Code    talkstack.EndCode `json:"code" example:"agent_hangup"`
	Message string            `json:"message"`
}

type latencyCamel struct {
	P50   *int64 `json:"p50Ms" nullable:"true"`
	P95   *int64 `json:"p95Ms" nullable:"true"`
	Turns int    `json:"turns" doc:"Turns that were measured."`
}

// callStatus is a call status on the wire.
type callStatus string

// Schema documents the values (spec section 10).
func (callStatus) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: "Temporary: queued, initiated, ringing, in-progress. Permanent: completed, busy, failed, no-answer, voicemail, silence."}
	for _, status := range talkstack.CallStatuses() {
		s.Enum = append(s.Enum, string(status))
	}
	return s
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
		Description: "A read, although a POST. A bare object, no envelope.",
		Errors:      map[int]string{http.StatusNotFound: "There is no such call, or not in this project."},
		Aliases:     map[string]string{"callId": "call_id"},
	}, a.getCall)
	post(a, "/call/get-call-history", operation{
		ID: "getCallHistory", Tag: tag, Summary: "A project's calls, newest first",
		Errors: map[int]string{http.StatusNotFound: "There is no such project."},
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

func (a *API) getCall(ctx context.Context, in *struct{ Body getCallRequest }) (*body[call], error) {
	sid := ""
	for _, s := range []string{in.Body.SID, in.Body.CallSID, in.Body.CallID} {
		if s != "" {
			sid = s
			break
		}
	}
	if sid == "" {
		return nil, invalid("callSid", "is required")
	}
	c, err := a.DB.Call(ctx, caller(ctx).ID, sid)
	if err != nil {
		return nil, err
	}
	if p := in.Body.ProjectID; p != nil && *p != "" && *p != c.ProjectID {
		return nil, notFound("Call not found.")
	}
	w, err := a.wireCall(ctx, c)
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}

func (a *API) getCallHistory(ctx context.Context, in *struct{ Body callHistoryRequest }) (*body[callHistoryResponse], error) {
	size := min(in.Body.PageSize, store.MaxPageSize)
	calls, more, err := a.DB.CallHistory(ctx, caller(ctx).ID, in.Body.ProjectID, in.Body.Page, size)
	if err != nil {
		return nil, err
	}
	list := make([]call, len(calls))
	for i, c := range calls {
		if list[i], err = a.wireCall(ctx, c); err != nil {
			return nil, err
		}
	}
	return reply(callHistoryResponse{success("successfully fetched call history."), list, more}), nil
}

func (a *API) wireCall(ctx context.Context, c talkstack.Call) (call, error) {
	latency, err := a.latencyOf(ctx, c)
	if err != nil {
		return call{}, err
	}
	w := call{
		Seconds: int(c.Duration(a.Now()).Seconds()), Cost: c.Cost, Status: callStatus(c.Status), From: c.From, To: c.To,
		Date: c.CreatedAt.UTC().Format(rfc2822), RecordingURLs: []string{}, PhoneNumber: c.To,
		CallSID: c.SID, SID: c.SID, CallID: c.SID, Data: map[string]string{}, ProjectID: c.ProjectID, AgentID: c.AgentID,
		Direction: c.Direction, StartTime: optionalTimestamp{c.CreatedAt}, EndTime: optionalTimestamp{c.EndedAt},
		DynamicVariables: c.DynamicVariables, MissingVariables: c.MissingVariables, EndReason: (*endReason)(c.EndReason),
		PartnerID: textVariable(c, "partnerId"), ShiftID: textVariable(c, "shiftId"), AssignmentID: textVariable(c, "assignmentId"),
	}
	w.Latency.P50, w.Latency.P95, w.Latency.Turns = latencyMillis(latency)
	if link := a.recordingLink(ctx, c); link != "" {
		w.RecordingURLs = []string{link}
	}
	if c.Slots != nil {
		w.Data = c.Slots
	}
	if w.DynamicVariables == nil {
		w.DynamicVariables = variables{}
	}
	if w.MissingVariables == nil {
		w.MissingVariables = []string{}
	}
	return w, nil
}

// textVariable is a variable that one customer's calls show at the top level, as text (Q32).
func textVariable(c talkstack.Call, name string) *string {
	v, ok := c.DynamicVariables[name]
	if !ok || v == nil {
		return nil
	}
	s := fmt.Sprint(v)
	return &s
}

// latencyOf is what is stored with an ended call, and the sum of its turns while it runs. A call that was never
// answered has none, so they are not looked for.
func (a *API) latencyOf(ctx context.Context, c talkstack.Call) (talkstack.LatencySummary, error) {
	if c.AnsweredAt.IsZero() || !c.EndedAt.IsZero() {
		return c.Latency, nil
	}
	turns, err := a.DB.TurnsBySID(ctx, c.SID)
	if err != nil {
		return talkstack.LatencySummary{}, err
	}
	return talkstack.SummarizeLatency(turns), nil
}

func latencyMillis(l talkstack.LatencySummary) (p50, p95 *int64, turns int) {
	if l.Turns == 0 {
		return nil, nil, 0
	}
	m50, m95 := l.P50.Milliseconds(), l.P95.Milliseconds()
	return &m50, &m95, l.Turns
}

// recordingLink is a link to a call's recording that works without credentials for a day; empty: there is none (yet).
func (a *API) recordingLink(ctx context.Context, c talkstack.Call) string {
	if c.Recording == "" || c.EndedAt.IsZero() {
		return ""
	}
	path := recordingPath(c.SID)
	// whole hours: a page that is loaded twice gets the same link, which browsers can cache
	expires := a.Now().Add(recordingLinkLifetime).Truncate(time.Hour)
	return strings.TrimRight(originOf(ctx).base, "/") + path + "?" + a.Signer.Sign(path, expires)
}

func recordingPath(sid talkstack.CallSID) string { return "/v1/calls/" + string(sid) + "/recording" }
