package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// v1Call is a call in /v1.
type v1Call struct {
	SID              talkstack.CallSID   `json:"sid"`
	Direction        talkstack.Direction `json:"direction" enum:"outbound,inbound"`
	Status           callStatus          `json:"status"`
	EndReason        *endReason          `json:"end_reason" doc:"Who ended the call and why; null until then."`
	From             string              `json:"from"`
	To               string              `json:"to"`
	ProjectID        talkstack.ProjectID `json:"project_id"`
	AgentID          talkstack.AgentID   `json:"agent_id"`
	AgentVersion     int                 `json:"agent_version"`
	DynamicVariables variables           `json:"dynamic_variables"`
	MissingVariables []string            `json:"missing_variables" doc:"Placeholders of the prompt that had no value."`
	Slots            map[string]string   `json:"slots" doc:"What the agent's flow filled."`
	CreatedAt        timestamp           `json:"created_at"`
	AnsweredAt       optionalTimestamp   `json:"answered_at"`
	EndedAt          optionalTimestamp   `json:"ended_at"`
	DurationSeconds  float64             `json:"duration_seconds" doc:"Connected time."`
	Cost             v1Cost              `json:"cost"`
	Latency          v1Latency           `json:"latency" doc:"How long the caller waited for answers, voice to voice."`
	RecordingURL     *string             `json:"recording_url" nullable:"true" doc:"A link that expires; null when there is no recording, or not yet."`
	Usage            talkstack.Usage     `json:"usage" doc:"What the cost is made from."`
	Analysis         *v1Analysis         `json:"analysis" doc:"Null until the call has been analysed."`
	BatchID          *string             `json:"batch_id" nullable:"true" doc:"The batch it belongs to; null when it belongs to none."`
	BatchRow         int                 `json:"batch_row" doc:"Its row of the batch's sheet, from 1; 0 when it belongs to none."`
	Try              int                 `json:"try" doc:"1, or more for a recipient of a batch who is called again."`
	RetryOf          *string             `json:"retry_of" nullable:"true" doc:"The try before; null for the first."`
}

// TransformSchema lets what has not happened yet be null.
func (v1Call) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "end_reason")
	orNull(s, "analysis")
	return s
}

type v1Cost struct {
	Total float64            `json:"total" doc:"US dollars; 0 until known."`
	Parts map[string]float64 `json:"parts" doc:"The total by what it was spent on."`
}

type v1Latency struct {
	P50   *int64 `json:"p50_ms" nullable:"true"`
	P95   *int64 `json:"p95_ms" nullable:"true"`
	Turns int    `json:"turns" doc:"Turns that were measured."`
}

// v1Analysis is what is known of a call once it has ended, by its project's questions.
type v1Analysis struct {
	Summary    *string             `json:"summary" nullable:"true"`
	Sentiment  talkstack.Sentiment `json:"sentiment" enum:"Positive,Negative,Neutral,Unknown"`
	Successful *bool               `json:"successful" nullable:"true" doc:"Null when it can not be told."`
	Voicemail  bool                `json:"voicemail" doc:"A machine answered."`
	Data       map[string]any      `json:"data" doc:"Answers by the names of the project's questions: a text, a number, or null when the transcript does not hold it."`
	Analyzer   string              `json:"analyzer" doc:"What has read the transcript: rules, or a language model."`
	CreatedAt  timestamp           `json:"created_at"`
}

type transcript struct {
	Data []turn `json:"data"`
}

// turn is what one party said. Times count from the start of the call's media, which is also the recording's.
type turn struct {
	Seq         int            `json:"seq" doc:"From 0, in the order in which turns began."`
	Role        talkstack.Role `json:"role" enum:"agent,user,tool"`
	Text        string         `json:"text" doc:"An agent's text is what was really heard."`
	StartMS     int64          `json:"start_ms"`
	EndMS       int64          `json:"end_ms"`
	Words       []word         `json:"words" doc:"Empty when the recogniser does not time words."`
	Interrupted bool           `json:"interrupted" doc:"The caller barged in."`
	Latency     *turnLatency   `json:"latency,omitempty" doc:"On answers to the caller."`
}

type word struct {
	Word    string `json:"word"`
	StartMS int64  `json:"start_ms"`
	EndMS   int64  `json:"end_ms"`
}

// turnLatency is the critical path of an answer; the stages add up to total_ms, but for rounding.
type turnLatency struct {
	EndpointingMS   int64 `json:"endpointing_ms"`
	ASRFinalMS      int64 `json:"asr_final_ms"`
	LLMFirstTokenMS int64 `json:"llm_first_token_ms"`
	TTSFirstByteMS  int64 `json:"tts_first_byte_ms"`
	PlayoutMS       int64 `json:"playout_ms"`
	TotalMS         int64 `json:"total_ms"`
}

type callPath struct {
	SID talkstack.CallSID `path:"sid" doc:"CA and 32 hex digits; the carrier's own id works too."`
}

func (a *API) v1CallRoutes() {
	const tag = "Calls"
	unknown := map[int]string{http.StatusNotFound: "There is no such call."}
	get(a, "/v1/calls", operation{
		ID: "v1ListCalls", Tag: tag, Summary: "The account's calls, newest first",
		Description: "A call must match all filters. Calls that come in while you read on move nothing.",
	}, a.v1ListCalls)
	post(a, "/v1/calls", operation{
		ID: "v1PlaceCall", Tag: tag, Summary: "Place an outbound call",
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing, the number is not E.164, or there is no agent or no number to call from.",
			http.StatusNotFound:   "There is no such project or agent.",
		},
	}, a.v1PlaceCall)
	get(a, "/v1/calls/{sid}", operation{ID: "v1GetCall", Tag: tag, Summary: "One call", Errors: unknown}, a.v1GetCall)
	post(a, "/v1/calls/{sid}/hangup", operation{
		ID: "v1HangupCall", Tag: tag, Summary: "End a call",
		Description: "A call that is not dialled yet never will be. One that is dialled or live ends at once, on whichever node it is: the answer is the call as it is now. " +
			"One that has ended stays as it is.",
		Errors: unknown,
	}, a.v1HangupCall)
	get(a, "/v1/calls/{sid}/transcript", operation{
		ID: "v1GetTranscript", Tag: tag, Summary: "What was said, turn by turn", Errors: unknown,
	}, a.v1GetTranscript)
	a.eventsRoute(tag)
	a.recordingRoute(tag)
	a.v1UsageRoutes()
}

// callList is the name of the list of calls, of which cursors are.
const callList = "calls"

type v1ListCallsInput struct {
	PageQuery
	ProjectID     talkstack.ProjectID `query:"project_id"`
	AgentID       talkstack.AgentID   `query:"agent_id"`
	BatchID       talkstack.BatchID   `query:"batch_id"`
	Status        string              `query:"status" enum:"queued,initiated,ringing,in-progress,completed,busy,failed,no-answer,voicemail,silence"`
	Direction     talkstack.Direction `query:"direction" enum:"outbound,inbound"`
	To            string              `query:"to" doc:"The number that was called."`
	From          string              `query:"from" doc:"The number that called."`
	CreatedAfter  time.Time           `query:"created_after" doc:"RFC 3339: calls that were accepted at this instant or later."`
	CreatedBefore time.Time           `query:"created_before" doc:"RFC 3339: calls that were accepted before this instant."`
}

func (a *API) v1ListCalls(ctx context.Context, in *v1ListCallsInput) (*body[page[v1Call]], error) {
	after, err := openTimeCursor(callList, in.Cursor)
	if err != nil {
		return nil, err
	}
	calls, err := a.DB.Calls(ctx, caller(ctx).ID, store.CallFilter{
		ProjectID: in.ProjectID, AgentID: in.AgentID, BatchID: in.BatchID, Status: talkstack.CallStatus(in.Status), Direction: in.Direction,
		To: numberText(in.To), From: numberText(in.From), CreatedFrom: in.CreatedAfter, CreatedBefore: in.CreatedBefore,
	}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	r := a.renderOf(ctx)
	wired := make(map[talkstack.CallSID]v1Call, len(calls))
	for _, c := range calls {
		if wired[c.SID], err = a.wireV1Call(ctx, c, r); err != nil {
			return nil, err
		}
	}
	return reply(pageOf(calls, in.Limit,
		func(c talkstack.Call) v1Call { return wired[c.SID] },
		func(c talkstack.Call) string { return sealTimeCursor(callList, c.CreatedAt, string(c.SID)) })), nil
}

type v1PlaceCallInput struct {
	Idempotent
	Body struct {
		To               string              `json:"to" minLength:"1" maxLength:"64" doc:"The number to call, E.164."`
		ProjectID        talkstack.ProjectID `json:"project_id" minLength:"1"`
		AgentID          *talkstack.AgentID  `json:"agent_id,omitempty" nullable:"true" doc:"The project's active agent when missing."`
		DynamicVariables *variables          `json:"dynamic_variables,omitempty"`
	}
}

func (a *API) v1PlaceCall(ctx context.Context, in *v1PlaceCallInput) (*created[v1Call], error) {
	p := talkstack.Placement{UserID: caller(ctx).ID, ProjectID: in.Body.ProjectID, To: in.Body.To}
	if in.Body.AgentID != nil {
		p.AgentID = *in.Body.AgentID
	}
	if in.Body.DynamicVariables != nil {
		p.DynamicVariables = *in.Body.DynamicVariables
	}
	c, replayed, err := a.placeOnce(ctx, in.Idempotent, "v1PlaceCall", in.Body, p)
	if err != nil {
		return nil, err
	}
	w, err := a.wireV1Call(ctx, c, a.renderOf(ctx))
	if err != nil {
		return nil, err
	}
	return replyCreated(w, replayed), nil
}

func (a *API) v1GetCall(ctx context.Context, in *callPath) (*body[v1Call], error) {
	c, err := a.DB.Call(ctx, caller(ctx).ID, string(in.SID))
	if err != nil {
		return nil, err
	}
	return a.replyV1Call(ctx, c)
}

func (a *API) v1HangupCall(ctx context.Context, in *callPath) (*body[v1Call], error) {
	c, err := a.DB.RequestHangup(ctx, caller(ctx).ID, string(in.SID))
	if err != nil {
		return nil, err
	}
	return a.replyV1Call(ctx, c)
}

func (a *API) replyV1Call(ctx context.Context, c talkstack.Call) (*body[v1Call], error) {
	w, err := a.wireV1Call(ctx, c, a.renderOf(ctx))
	if err != nil {
		return nil, err
	}
	return reply(w), nil
}

// wireV1Call is the call object of /v1.
func (a *API) wireV1Call(ctx context.Context, c talkstack.Call, r render) (v1Call, error) {
	latency, err := a.latencyOf(ctx, c)
	if err != nil {
		return v1Call{}, err
	}
	w := v1Call{
		SID: c.SID, Direction: c.Direction, Status: callStatus(c.Status), EndReason: (*endReason)(c.EndReason),
		From: c.From, To: c.To, ProjectID: c.ProjectID, AgentID: c.AgentID, AgentVersion: c.AgentVersion,
		DynamicVariables: orEmptyObject(c.DynamicVariables), MissingVariables: orEmptyList(c.MissingVariables), Slots: c.Slots,
		CreatedAt: timestamp{c.CreatedAt}, AnsweredAt: optionalTimestamp{c.AnsweredAt}, EndedAt: optionalTimestamp{c.EndedAt},
		DurationSeconds: float64(c.Duration(r.now).Milliseconds()) / 1000,
		Cost:            v1Cost{Total: c.Cost, Parts: c.CostParts}, Usage: c.Usage,
		RecordingURL: textOrNull(a.recordingLink(c, r)),
		BatchID:      textOrNull(c.BatchID), BatchRow: c.BatchRow, Try: c.Try, RetryOf: textOrNull(c.RetryOf),
	}
	w.Latency.P50, w.Latency.P95, w.Latency.Turns = latencyMillis(latency)
	if w.Slots == nil {
		w.Slots = map[string]string{}
	}
	if w.Cost.Parts == nil {
		w.Cost.Parts = map[string]float64{}
	}
	if x := c.Analysis; x != nil {
		w.Analysis = &v1Analysis{
			Summary: textOrNull(x.Summary), Sentiment: sentimentOf(x), Successful: x.Successful, Voicemail: x.Voicemail,
			Data: make(map[string]any, len(x.Answers)), Analyzer: x.Analyzer, CreatedAt: timestamp{x.CreatedAt},
		}
		for _, answer := range x.Answers {
			w.Analysis.Data[answer.Question.Key()] = answer.Value
		}
	}
	return w, nil
}

func (a *API) v1GetTranscript(ctx context.Context, in *callPath) (*body[transcript], error) {
	c, err := a.DB.Call(ctx, caller(ctx).ID, string(in.SID))
	if err != nil {
		return nil, err
	}
	turns, err := a.DB.TurnsBySID(ctx, c.SID)
	if err != nil {
		return nil, err
	}
	return reply(transcript{Data: wireTurns(turns)}), nil
}

func wireTurns(turns []talkstack.Turn) []turn {
	list := make([]turn, len(turns))
	for i := range turns {
		list[i] = wireTurn(&turns[i])
	}
	return list
}

func wireTurn(t *talkstack.Turn) turn {
	w := turn{
		Seq: t.Seq, Role: t.Role, Text: t.Text, StartMS: t.Start.Milliseconds(), EndMS: t.End.Milliseconds(),
		Words: make([]word, len(t.Words)), Interrupted: t.Interrupted,
	}
	for i, x := range t.Words {
		w.Words[i] = word{Word: x.Text, StartMS: x.Start.Milliseconds(), EndMS: x.End.Milliseconds()}
	}
	if l := t.Latency; l != nil {
		w.Latency = &turnLatency{
			EndpointingMS: l.Endpointing.Milliseconds(), ASRFinalMS: l.ASRFinal.Milliseconds(),
			LLMFirstTokenMS: l.LLMFirstToken.Milliseconds(), TTSFirstByteMS: l.TTSFirstByte.Milliseconds(),
			PlayoutMS: l.Playout.Milliseconds(), TotalMS: l.Total.Milliseconds(),
		}
	}
	return w
}
