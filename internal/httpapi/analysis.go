package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/analysis"
)

// question is a question in a request. What it must be is checked by talkstack.CheckQuestions.
type question struct {
	_        struct{}     `additionalProperties:"true"`
	Question string       `json:"question" doc:"1 to 1000 characters." example:"Did the caller confirm the appointment?"`
	Type     questionType `json:"type" doc:"Boolean, Text, Number or Selector, in any case." example:"Boolean"`
	Options  []string     `json:"options,omitempty" nullable:"true" doc:"Of a Selector: 1 to 50, each with 1 to 200 characters."`
	Name     string       `json:"name,omitempty" doc:"Key of the answer among the extracted data." example:"confirmed"`
}

// questionsOf are the questions of a request; nil when it has none.
func questionsOf(sent []question) []talkstack.Question {
	var out []talkstack.Question
	for _, q := range sent {
		out = append(out, talkstack.Question{Name: q.Name, Text: q.Question, Type: talkstack.QuestionType(q.Type), Options: q.Options})
	}
	return out
}

// callAnalysisRequest names the call by any of its names (Q13).
type callAnalysisRequest struct {
	_         struct{}             `additionalProperties:"true"`
	SID       string               `json:"sid,omitempty" doc:"Also accepted as callSid or call_id; the carrier's own id works too."`
	CallSID   string               `json:"callSid,omitempty"`
	CallID    string               `json:"call_id,omitempty"`
	ProjectID *talkstack.ProjectID `json:"projectId,omitempty" nullable:"true"`
	Questions []question           `json:"questions,omitempty" nullable:"true" doc:"At most 50. Without them the project's stored questions are answered."`
}

// answerValue is an answer: a text, a number, or null when the call does not hold it.
type answerValue struct{ value any }

// MarshalJSON prints the answer.
func (v answerValue) MarshalJSON() ([]byte, error) { return json.Marshal(v.value) }

// Schema documents it.
func (answerValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "Boolean: Yes or No. Text: a text. Number: a number. Selector: one of the options. Null: the call does not hold it.",
		AnyOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: "null"}}, Examples: []any{"Yes"},
	}
}

// answer is an answer of the Talkstack family.
type answer struct {
	Question string                 `json:"question"`
	Type     talkstack.QuestionType `json:"type" enum:"Boolean,Text,Number,Selector"`
	Answer   answerValue            `json:"answer"`
}

// callAnalysis is a call's analysis (spec section 12.4).
type callAnalysis struct {
	SID        talkstack.CallSID      `json:"sid"`
	CallStatus callStatus             `json:"call_status"`
	Summary    string                 `json:"call_summary" example:"The agent called +12065550123. The call lasted 23 seconds. The agent hung up."`
	Sentiment  talkstack.Sentiment    `json:"user_sentiment" enum:"Positive,Negative,Neutral,Unknown"`
	Successful *bool                  `json:"call_successful" nullable:"true" doc:"Null when it can not be told."`
	Voicemail  bool                   `json:"in_voicemail" doc:"A machine answered."`
	Data       map[string]answerValue `json:"custom_analysis_data" doc:"Answers by name: to the project's questions, and to those of the request that have a name."`
	Answers    []answer               `json:"answers" doc:"To the questions of the request, or without them to the project's."`
	Analyzer   string                 `json:"analyzer" doc:"Who answered: rules, or a language model." example:"rules"`
}

type callAnalysisResponse struct {
	Envelope
	Data callAnalysis `json:"data"`
}

func (a *API) analysisRoutes() {
	post(a, "/call/analysis", operation{
		ID: "getCallAnalysis", Tag: "Call", Summary: "Sentiment, summary and answers of a call that has ended",
		Description: "Asked again it answers from the store, unless the questions have changed. Without a language model, rules answer: they answer null where they are not sure.",
		Errors: map[int]string{
			http.StatusBadRequest:      "sid is missing, a question is malformed, or the call has not ended.",
			http.StatusNotFound:        "There is no such call.",
			http.StatusTooManyRequests: "The account has asked for too many analyses at once.",
		},
		Aliases: map[string]string{"callId": "call_id"},
	}, a.getCallAnalysis)
}

func (a *API) getCallAnalysis(ctx context.Context, in *struct{ Body callAnalysisRequest }) (*body[callAnalysisResponse], error) {
	sid := firstText(in.Body.SID, in.Body.CallSID, in.Body.CallID)
	if sid == "" {
		return nil, invalid("sid", "is required")
	}
	r, err := a.analyse(ctx, sid, in.Body.ProjectID, in.Body.Questions)
	if err != nil {
		return nil, err
	}
	return reply(r), nil
}

// analyse answers as /call/analysis does, wherever it was asked (Q35).
func (a *API) analyse(ctx context.Context, sid string, project *talkstack.ProjectID, sent []question) (callAnalysisResponse, error) {
	r := analysis.Request{User: caller(ctx).ID, SID: sid, Questions: questionsOf(sent)}
	if project != nil {
		r.Project = *project
	}
	c, x, err := a.Analyses.Ask(ctx, r)
	if err != nil {
		return callAnalysisResponse{}, err
	}
	return callAnalysisResponse{success("call analysis fetched successfully."), wireCallAnalysis(&c, &x, r.Questions != nil)}, nil
}

// wireCallAnalysis shows an analysis. asked: its questions were the request's, not the project's.
func wireCallAnalysis(c *talkstack.Call, x *talkstack.Analysis, asked bool) callAnalysis {
	w := callAnalysis{
		SID: c.SID, CallStatus: callStatus(c.Status), Summary: x.Summary, Sentiment: sentimentOf(x), Successful: x.Successful,
		Voicemail: x.Voicemail, Data: map[string]answerValue{}, Answers: []answer{}, Analyzer: x.Analyzer,
	}
	if own := c.Analysis; asked && own != nil {
		for k, v := range own.Values() {
			w.Data[k] = answerValue{v}
		}
	}
	if !asked {
		for k, v := range x.Values() {
			w.Data[k] = answerValue{v}
		}
	}
	for _, v := range x.Answers {
		w.Answers = append(w.Answers, answer{v.Question.Text, v.Question.Type, answerValue{v.Value}})
		if asked && v.Question.Name != "" {
			w.Data[v.Question.Name] = answerValue{v.Value}
		}
	}
	return w
}

// firstText is the first that is not empty.
func firstText(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// callOrAnalysis is what /call answers: the call, or its analysis when the request has questions (Q35).
type callOrAnalysis struct {
	call     *call
	analysis *callAnalysisResponse
}

// MarshalJSON prints the one that is there.
func (v callOrAnalysis) MarshalJSON() ([]byte, error) {
	if v.analysis != nil {
		return json.Marshal(v.analysis)
	}
	return json.Marshal(v.call)
}

// Schema documents both.
func (callOrAnalysis) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[call](), true, ""), r.Schema(reflect.TypeFor[callAnalysisResponse](), true, ""),
	}}
}
