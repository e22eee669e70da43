package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
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
	Analysis         *v1Analysis         `json:"analysis" doc:"Null until the call has been analysed."`
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

type v1Analysis struct {
	Summary    *string        `json:"summary" nullable:"true"`
	Sentiment  string         `json:"sentiment" enum:"Positive,Negative,Neutral,Unknown"`
	Successful *bool          `json:"successful" nullable:"true"`
	Data       map[string]any `json:"data"`
}

type transcript struct {
	Data []turn `json:"data"`
}

// turn is what one party said. Times count from the start of the call's media, which is also the recording's.
type turn struct {
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
	get(a, "/v1/calls/{sid}", operation{ID: "v1GetCall", Tag: tag, Summary: "One call", Errors: unknown}, a.v1GetCall)
	get(a, "/v1/calls/{sid}/transcript", operation{
		ID: "v1GetTranscript", Tag: tag, Summary: "What was said, turn by turn", Errors: unknown,
	}, a.v1GetTranscript)
	a.recordingRoute(tag)
}

func (a *API) v1GetCall(ctx context.Context, in *callPath) (*body[v1Call], error) {
	c, err := a.DB.Call(ctx, caller(ctx).ID, string(in.SID))
	if err != nil {
		return nil, err
	}
	latency, err := a.latencyOf(ctx, c)
	if err != nil {
		return nil, err
	}
	w := v1Call{
		SID: c.SID, Direction: c.Direction, Status: callStatus(c.Status), EndReason: (*endReason)(c.EndReason),
		From: c.From, To: c.To, ProjectID: c.ProjectID, AgentID: c.AgentID, AgentVersion: c.AgentVersion,
		DynamicVariables: c.DynamicVariables, MissingVariables: c.MissingVariables, Slots: c.Slots,
		CreatedAt: timestamp{c.CreatedAt}, AnsweredAt: optionalTimestamp{c.AnsweredAt}, EndedAt: optionalTimestamp{c.EndedAt},
		DurationSeconds: float64(c.Duration(a.Now()).Milliseconds()) / 1000,
		Cost:            v1Cost{Total: c.Cost, Parts: map[string]float64{}},
		RecordingURL:    textOrNull(a.recordingLink(c, originOf(ctx).base)),
	}
	w.Latency.P50, w.Latency.P95, w.Latency.Turns = latencyMillis(latency)
	if w.DynamicVariables == nil {
		w.DynamicVariables = variables{}
	}
	if w.MissingVariables == nil {
		w.MissingVariables = []string{}
	}
	if w.Slots == nil {
		w.Slots = map[string]string{}
	}
	return reply(w), nil
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
		Role: t.Role, Text: t.Text, StartMS: t.Start.Milliseconds(), EndMS: t.End.Milliseconds(),
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
