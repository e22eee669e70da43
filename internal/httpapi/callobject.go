package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
)

// How long a link to a recording works: that of an answer, which can be asked for again, and that of a webhook message,
// which is delivered late when its receiver was down.
const (
	recordingLinkLifetime = 24 * time.Hour
	webhookLinkLifetime   = 7 * 24 * time.Hour
)

// rfc2822 is the documented form of a call's date (Q33): Tue, 30 Jan 2024 13:39:53 +0000.
const rfc2822 = "Mon, 02 Jan 2006 15:04:05 -0700"

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
	Data             map[string]string   `json:"data" doc:"Extracted values: what the agent's flow filled, and the answers of the analysis; empty when there are none."`
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
	Analysis         *analysisCamel      `json:"analysis" doc:"By the project's questions; null until the call has been analysed."`
}

// TransformSchema lets what has not happened yet be null.
func (call) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "endReason")
	orNull(s, "analysis")
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

// analysisCamel is the analysis in the call object. The extracted values are the call's data.
type analysisCamel struct {
	Summary    *string             `json:"summary" nullable:"true"`
	Sentiment  talkstack.Sentiment `json:"sentiment" enum:"Positive,Negative,Neutral,Unknown"`
	Successful *bool               `json:"successful" nullable:"true" doc:"Null when it can not be told."`
	Voicemail  bool                `json:"voicemail" doc:"A machine answered."`
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

// render is what a call object shows beside the call itself.
type render struct {
	now   time.Time     // a call that runs lasts until then
	base  string        // scheme and host that links start with
	links time.Duration // how long links work
}

// renderOf is how calls are shown in the answer to a request.
func (a *API) renderOf(ctx context.Context) render {
	return render{now: a.Now(), base: originOf(ctx).base, links: recordingLinkLifetime}
}

// wireCall is the Talkstack call object of a call.
func (a *API) wireCall(ctx context.Context, c talkstack.Call, r render) (call, error) {
	latency, err := a.latencyOf(ctx, c)
	if err != nil {
		return call{}, err
	}
	w := call{
		Seconds: int(c.Duration(r.now).Seconds()), Cost: c.Cost, Status: callStatus(c.Status), From: c.From, To: c.To,
		Date: c.CreatedAt.UTC().Format(rfc2822), RecordingURLs: []string{}, PhoneNumber: c.To,
		CallSID: c.SID, SID: c.SID, CallID: c.SID, Data: extracted(c), ProjectID: c.ProjectID, AgentID: c.AgentID,
		Direction: c.Direction, StartTime: optionalTimestamp{c.CreatedAt}, EndTime: optionalTimestamp{c.EndedAt},
		DynamicVariables: orEmptyObject(c.DynamicVariables), MissingVariables: orEmptyList(c.MissingVariables), EndReason: (*endReason)(c.EndReason),
		PartnerID: textVariable(c, "partnerId"), ShiftID: textVariable(c, "shiftId"), AssignmentID: textVariable(c, "assignmentId"),
	}
	w.Latency.P50, w.Latency.P95, w.Latency.Turns = latencyMillis(latency)
	if link := a.recordingLink(c, r); link != "" {
		w.RecordingURLs = []string{link}
	}
	if x := c.Analysis; x != nil {
		w.Analysis = &analysisCamel{
			Summary: textOrNull(x.Summary), Sentiment: sentimentOf(x), Successful: x.Successful, Voicemail: x.Voicemail,
		}
	}
	return w, nil
}

// extracted is a call's data (Q32): what the agent's flow filled, and what the analysis answered, which counts more.
func extracted(c talkstack.Call) map[string]string {
	data := map[string]string{}
	for k, v := range c.Slots {
		data[k] = v
	}
	if c.Analysis != nil {
		for k, v := range c.Analysis.Data() {
			data[k] = v
		}
	}
	return data
}

func sentimentOf(x *talkstack.Analysis) talkstack.Sentiment {
	if x.Sentiment == "" {
		return talkstack.SentimentUnknown
	}
	return x.Sentiment
}

func orEmptyObject(m map[string]any) variables {
	if m == nil {
		return variables{}
	}
	return m
}

func orEmptyList(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
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

// recordingLink is a link to a call's recording that works without credentials for a while; empty: there is none (yet).
func (a *API) recordingLink(c talkstack.Call, r render) string {
	if c.Recording == "" || c.EndedAt.IsZero() {
		return ""
	}
	path := recordingPath(c.SID)
	// whole hours: a page that is loaded twice gets the same link, which browsers can cache
	expires := a.Now().Add(r.links).Truncate(time.Hour)
	return strings.TrimRight(r.base, "/") + path + "?" + a.Signer.Sign(path, expires)
}

func recordingPath(sid talkstack.CallSID) string { return "/v1/calls/" + string(sid) + "/recording" }

// WebhookMessage is the body of a webhook message (spec section 12.6).
type WebhookMessage struct {
	Type      talkstack.EventType `json:"type"`
	Timestamp timestamp           `json:"timestamp"`
	Data      any                 `json:"data"`
}

// webhookCall is the call object of call.ended: with what was said.
type webhookCall struct {
	call
	Transcript []turn `json:"transcript"`
}

// WebhookBody makes the body of a webhook message: the call as it was when the event became true, in the shape of call
// data (spec sections 12.3 and 12.6), and in call.ended with its transcript. Links start with the public URL, or, when
// none is configured, with base. A message of no call has no data.
func (a *API) WebhookBody(ctx context.Context, d talkstack.Delivery, base string) ([]byte, error) {
	m := WebhookMessage{Type: d.Type, Timestamp: timestamp{d.CreatedAt}, Data: struct{}{}}
	if d.CallSID != "" {
		if a.PublicURL != "" {
			base = a.PublicURL
		}
		c, err := a.wireCall(ctx, d.Call, render{now: d.CreatedAt, base: base, links: webhookLinkLifetime})
		if err != nil {
			return nil, err
		}
		m.Data = c
		if d.Type == talkstack.EventCallEnded {
			turns, err := a.DB.TurnsBySID(ctx, d.CallSID)
			if err != nil {
				return nil, err
			}
			m.Data = webhookCall{c, wireTurns(turns)}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
