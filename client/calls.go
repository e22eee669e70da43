package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"talkstack"
)

// CallRef names a call that was accepted.
type CallRef struct {
	CallID talkstack.CallSID `json:"call_id"`
	From   string            `json:"from"`
	To     string            `json:"to"`
}

// MakeCallRequest asks for an outbound call.
type MakeCallRequest struct {
	Number           string              `json:"number"` // E.164
	ProjectID        talkstack.ProjectID `json:"projectId"`
	AgentID          talkstack.AgentID   `json:"agentId,omitempty"` // empty: the project's active agent
	DynamicVariables map[string]any      `json:"dynamicVariables,omitempty"`
}

// MakeCall places a call. It is stored and queued when MakeCall returns, not answered. However often the request must be
// sent, one call is made.
func (c *Client) MakeCall(ctx context.Context, req MakeCallRequest, options ...RequestOption) (CallRef, error) {
	var answer struct {
		envelope
		Call CallRef `json:"call"`
	}
	err := c.call(ctx, create("/call/makeCall", req, &answer, options))
	return answer.Call, err
}

// Call is a call as the Talkstack API shows it.
type Call struct {
	SID              talkstack.CallSID    `json:"sid"`
	CallSID          talkstack.CallSID    `json:"callSid"` // the same
	CallID           talkstack.CallSID    `json:"call_id"` // the same
	ProjectID        talkstack.ProjectID  `json:"projectId"`
	AgentID          talkstack.AgentID    `json:"agentId"`
	Direction        talkstack.Direction  `json:"direction"`
	Status           talkstack.CallStatus `json:"status"`
	From             string               `json:"from"`
	To               string               `json:"to"`
	PhoneNumber      string               `json:"phoneNumber"` // the same as To
	Date             string               `json:"date"`        // RFC 2822
	StartTime        time.Time            `json:"startTime"`   // when it was accepted
	EndTime          time.Time            `json:"endTime"`     // zero: not ended
	Seconds          int                  `json:"seconds"`     // connected
	Cost             float64              `json:"cost"`        // US dollars; 0 until known
	RecordingURLs    []string             `json:"recordingUrls"`
	Data             map[string]string    `json:"data"` // extracted values
	DynamicVariables map[string]any       `json:"dynamicVariables"`
	MissingVariables []string             `json:"missingVariables"` // placeholders that had no value
	PartnerID        string               `json:"partnerId"`        // these three: when sent as dynamic variables
	ShiftID          string               `json:"shiftId"`
	AssignmentID     string               `json:"assignmentId"`
	EndReason        *talkstack.EndReason `json:"endReason"` // nil until it has ended
	Latency          CallLatency          `json:"latency"`
	Analysis         *CallFindings        `json:"analysis"` // nil until it has been analysed
}

// CallLatency is how long the caller waited for answers, in milliseconds.
type CallLatency struct {
	P50   *int64 `json:"p50Ms"` // nil: no turn was measured
	P95   *int64 `json:"p95Ms"`
	Turns int    `json:"turns"`
}

// CallFindings is what is known of a call once it has ended.
type CallFindings struct {
	Summary    string              `json:"summary"`
	Sentiment  talkstack.Sentiment `json:"sentiment"`
	Successful *bool               `json:"successful"` // nil: cannot be told
	Voicemail  bool                `json:"voicemail"`
}

// GetCall reads a call, by its id or the carrier's.
func (c *Client) GetCall(ctx context.Context, sid talkstack.CallSID) (Call, error) {
	var call Call
	err := c.call(ctx, ask("/call", map[string]string{"sid": string(sid)}, &call))
	return call, err
}

// CallHistoryRequest says which of a project's calls to read. A call must match all fields that are set. Days are of UTC,
// in the form 2025-03-11.
type CallHistoryRequest struct {
	ProjectID       talkstack.ProjectID `json:"projectId"`
	To              string              `json:"to,omitempty"`
	From            string              `json:"from,omitempty"`
	Status          string              `json:"status,omitempty"`
	StartTime       string              `json:"startTime,omitempty"`
	StartTimeBefore string              `json:"startTimeBefore,omitempty"`
	StartTimeAfter  string              `json:"startTimeAfter,omitempty"`
	EndTime         string              `json:"endTime,omitempty"`
	EndTimeBefore   string              `json:"endTimeBefore,omitempty"`
	EndTimeAfter    string              `json:"endTimeAfter,omitempty"`
	Page            int                 `json:"page,omitempty"` // from 0
	PageSize        int                 `json:"pageSize,omitempty"`
}

// GetCallHistory reads one page of a project's calls, newest first, and tells whether there is another.
func (c *Client) GetCallHistory(ctx context.Context, req CallHistoryRequest) (calls []Call, more bool, err error) {
	var answer struct {
		envelope
		Data    []Call `json:"data"`
		HasMore bool   `json:"hasMore"`
	}
	err = c.call(ctx, ask("/call/get-call-history", req, &answer))
	return answer.Data, answer.HasMore, err
}

// V1Call is a call in /v1.
type V1Call struct {
	SID              talkstack.CallSID    `json:"sid"`
	Direction        talkstack.Direction  `json:"direction"`
	Status           talkstack.CallStatus `json:"status"`
	EndReason        *talkstack.EndReason `json:"end_reason"` // nil until it has ended
	From             string               `json:"from"`
	To               string               `json:"to"`
	ProjectID        talkstack.ProjectID  `json:"project_id"`
	AgentID          talkstack.AgentID    `json:"agent_id"`
	AgentVersion     int                  `json:"agent_version"`
	DynamicVariables map[string]any       `json:"dynamic_variables"`
	MissingVariables []string             `json:"missing_variables"` // placeholders that had no value
	Slots            map[string]string    `json:"slots"`             // what the agent's flow filled
	CreatedAt        time.Time            `json:"created_at"`
	AnsweredAt       time.Time            `json:"answered_at"` // zero: not answered
	EndedAt          time.Time            `json:"ended_at"`    // zero: not ended
	Seconds          float64              `json:"duration_seconds"`
	Cost             V1Cost               `json:"cost"`
	Latency          V1Latency            `json:"latency"`
	Recording        string               `json:"recording_url"` // a link that expires; empty: none
	Usage            talkstack.Usage      `json:"usage"`
	Analysis         *V1Analysis          `json:"analysis"` // nil until it has been analysed
	BatchID          talkstack.BatchID    `json:"batch_id"` // empty: of no batch
	BatchRow         int                  `json:"batch_row"`
	Try              int                  `json:"try"`
	RetryOf          talkstack.CallSID    `json:"retry_of"` // empty: the first try
}

// V1Cost is what a call has cost, in US dollars.
type V1Cost struct {
	Total float64            `json:"total"`
	Parts map[string]float64 `json:"parts"`
}

// V1Latency is how long callers waited for answers, voice to voice, in milliseconds.
type V1Latency struct {
	P50   *int64 `json:"p50_ms"` // nil: no turn was measured
	P95   *int64 `json:"p95_ms"`
	Turns int    `json:"turns"`
}

// V1Analysis is what is known of a call once it has ended, by its project's questions.
type V1Analysis struct {
	Summary    string              `json:"summary"`
	Sentiment  talkstack.Sentiment `json:"sentiment"`
	Successful *bool               `json:"successful"` // nil: cannot be told
	Voicemail  bool                `json:"voicemail"`
	Data       map[string]any      `json:"data"`     // string, float64, or nil
	Analyzer   string              `json:"analyzer"` // "rules", or a language model
	CreatedAt  time.Time           `json:"created_at"`
}

// V1CallFilter narrows a list of calls; empty fields allow everything.
type V1CallFilter struct {
	ProjectID     talkstack.ProjectID
	AgentID       talkstack.AgentID
	BatchID       talkstack.BatchID
	Status        talkstack.CallStatus
	Direction     talkstack.Direction
	To, From      string
	CreatedAfter  time.Time // accepted at this instant or later
	CreatedBefore time.Time // accepted before this instant
}

// ListCalls reads calls, newest first. Calls that come in meanwhile move nothing.
func (v V1) ListCalls(ctx context.Context, f V1CallFilter) iter.Seq2[V1Call, error] {
	return list[V1Call](ctx, v.c, "/v1/calls", filters(
		"project_id", string(f.ProjectID), "agent_id", string(f.AgentID), "batch_id", string(f.BatchID),
		"status", string(f.Status), "direction", string(f.Direction), "to", f.To, "from", f.From,
		"created_after", instant(f.CreatedAfter), "created_before", instant(f.CreatedBefore)))
}

// V1PlaceCallRequest asks for an outbound call.
type V1PlaceCallRequest struct {
	To               string              `json:"to"` // E.164
	ProjectID        talkstack.ProjectID `json:"project_id"`
	AgentID          talkstack.AgentID   `json:"agent_id,omitempty"` // empty: the project's active agent
	DynamicVariables map[string]any      `json:"dynamic_variables,omitempty"`
}

// PlaceCall places a call. It is stored and queued when PlaceCall returns, not answered. However often the request must be
// sent, one call is made.
func (v V1) PlaceCall(ctx context.Context, req V1PlaceCallRequest, options ...RequestOption) (V1Call, error) {
	var call V1Call
	err := v.c.call(ctx, create("/v1/calls", req, &call, options))
	return call, err
}

// GetCall reads a call, by its id or the carrier's.
func (v V1) GetCall(ctx context.Context, sid talkstack.CallSID) (V1Call, error) {
	var call V1Call
	err := v.c.call(ctx, get("/v1/calls/"+segment(sid), &call))
	return call, err
}

// HangupCall ends a call. One that is live ends at once: the answer is the call as it is now, which may be before that.
func (v V1) HangupCall(ctx context.Context, sid talkstack.CallSID) (V1Call, error) {
	var call V1Call
	err := v.c.call(ctx, set(http.MethodPost, "/v1/calls/"+segment(sid)+"/hangup", nil, &call))
	return call, err
}

// GetRecording is a call's recording, a WAV file that the caller closes; WithHeader("Range", …) asks for a part of it.
func (v V1) GetRecording(ctx context.Context, sid talkstack.CallSID, options ...RequestOption) (io.ReadCloser, error) {
	return v.c.file(ctx, get("/v1/calls/"+segment(sid)+"/recording", nil).with(options))
}

// Turn is what one party said. Times count from the start of the call's media, which is also the recording's.
type Turn struct {
	Seq         int                    `json:"seq"` // from 0
	Role        talkstack.Role         `json:"role"`
	Text        string                 `json:"text"`
	Start       talkstack.Milliseconds `json:"start_ms"`
	End         talkstack.Milliseconds `json:"end_ms"`
	Words       []Word                 `json:"words"`
	Interrupted bool                   `json:"interrupted"`
	Latency     *TurnLatency           `json:"latency"` // agent turns that answer the caller; nil for others
}

// Word is one word of a turn.
type Word struct {
	Text  string                 `json:"word"`
	Start talkstack.Milliseconds `json:"start_ms"`
	End   talkstack.Milliseconds `json:"end_ms"`
}

// TurnLatency is how long the caller waited for an answer. The stages follow each other and add up to Total.
type TurnLatency struct {
	Endpointing   talkstack.Milliseconds `json:"endpointing_ms"`
	ASRFinal      talkstack.Milliseconds `json:"asr_final_ms"`
	LLMFirstToken talkstack.Milliseconds `json:"llm_first_token_ms"`
	TTSFirstByte  talkstack.Milliseconds `json:"tts_first_byte_ms"`
	Playout       talkstack.Milliseconds `json:"playout_ms"`
	Total         talkstack.Milliseconds `json:"total_ms"`
}

// GetTranscript reads what was said in a call so far.
func (v V1) GetTranscript(ctx context.Context, sid talkstack.CallSID) ([]Turn, error) {
	var answer struct {
		Data []Turn `json:"data"`
	}
	err := v.c.call(ctx, get("/v1/calls/"+segment(sid)+"/transcript", &answer))
	return answer.Data, err
}
