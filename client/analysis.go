package client

import (
	"context"
	"net/http"
	"time"

	"talkstack"
)

// CallAnalysis is an analysis as the Talkstack API shows it.
type CallAnalysis struct {
	SID        talkstack.CallSID    `json:"sid"`
	CallStatus talkstack.CallStatus `json:"call_status"`
	Summary    string               `json:"call_summary"`
	Sentiment  talkstack.Sentiment  `json:"user_sentiment"`
	Successful *bool                `json:"call_successful"` // nil: cannot be told
	Voicemail  bool                 `json:"in_voicemail"`
	Data       map[string]any       `json:"custom_analysis_data"` // string, float64, or nil
	Answers    []Answer             `json:"answers"`
	Analyzer   string               `json:"analyzer"` // "rules", or a language model
}

// Answer is what a transcript holds for a question.
type Answer struct {
	Question string                 `json:"question"`
	Type     talkstack.QuestionType `json:"type"`
	Answer   any                    `json:"answer"` // string, float64, or nil: the transcript does not hold it
}

// GetCallAnalysis analyses a call. Without questions the project's own are answered; asked again, the answer is stored.
func (c *Client) GetCallAnalysis(ctx context.Context, sid talkstack.CallSID, questions ...talkstack.Question) (CallAnalysis, error) {
	var answer struct {
		envelope
		Data CallAnalysis `json:"data"`
	}
	in := struct {
		SID       talkstack.CallSID    `json:"sid"`
		Questions []talkstack.Question `json:"questions,omitempty"`
	}{sid, questions}
	r := ask("/call/analysis", in, &answer)
	r.long = true // a language model may take a while
	err := c.call(ctx, r)
	return answer.Data, err
}

// V1CallAnalysis is an analysis in /v1.
type V1CallAnalysis struct {
	SID        talkstack.CallSID    `json:"sid"`
	Status     talkstack.CallStatus `json:"status"`
	Summary    string               `json:"summary"`
	Sentiment  talkstack.Sentiment  `json:"sentiment"`
	Successful *bool                `json:"successful"` // nil: cannot be told
	Voicemail  bool                 `json:"voicemail"`
	Data       map[string]any       `json:"data"` // string, float64, or nil
	Answers    []V1Answer           `json:"answers"`
	Analyzer   string               `json:"analyzer"`
	CreatedAt  time.Time            `json:"created_at"`
}

// V1Answer is what a transcript holds for a question.
type V1Answer struct {
	Name     string                 `json:"name"` // its key among the data
	Question string                 `json:"question"`
	Type     talkstack.QuestionType `json:"type"`
	Answer   any                    `json:"answer"` // string, float64, or nil
}

// AnalyzeCall analyses a call. Without questions the project's own are answered.
func (v V1) AnalyzeCall(ctx context.Context, sid talkstack.CallSID, questions ...talkstack.Question) (V1CallAnalysis, error) {
	var a V1CallAnalysis
	in := struct {
		Questions []talkstack.Question `json:"questions,omitempty"`
	}{questions}
	r := ask("/v1/calls/"+segment(sid)+"/analysis", in, &a)
	r.long = true
	err := v.c.call(ctx, r)
	return a, err
}

type analysisSchema struct {
	Questions []talkstack.Question `json:"questions"`
}

// GetAnalysisSchema reads the questions that are asked of each call of a project.
func (v V1) GetAnalysisSchema(ctx context.Context, id talkstack.ProjectID) ([]talkstack.Question, error) {
	var s analysisSchema
	err := v.c.call(ctx, get("/v1/projects/"+segment(id)+"/analysis-schema", &s))
	return s.Questions, err
}

// PutAnalysisSchema sets the questions that are asked of each call of a project.
func (v V1) PutAnalysisSchema(ctx context.Context, id talkstack.ProjectID, questions []talkstack.Question) ([]talkstack.Question, error) {
	var s analysisSchema
	if questions == nil {
		questions = []talkstack.Question{}
	}
	err := v.c.call(ctx, set(http.MethodPut, "/v1/projects/"+segment(id)+"/analysis-schema", analysisSchema{questions}, &s))
	return s.Questions, err
}
