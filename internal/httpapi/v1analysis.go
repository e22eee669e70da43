package httpapi

import (
	"context"
	"net/http"

	"talkstack"
	"talkstack/internal/analysis"
)

// v1Question is a question of an analysis.
type v1Question struct {
	Name     string       `json:"name,omitempty" maxLength:"100" doc:"Key of the answer among the data; when missing it is made from the question." example:"confirmed"`
	Question string       `json:"question" minLength:"1" maxLength:"1000" example:"Did the caller confirm the appointment?"`
	Type     questionType `json:"type" doc:"Boolean, Text, Number or Selector, in any case." example:"Boolean"`
	Options  []string     `json:"options,omitempty" nullable:"true" maxItems:"50" doc:"Of a Selector: 1 to 50, each with 1 to 200 characters."`
}

// v1AnalysisSchema is what the calls of a project are analysed by when they have ended.
type v1AnalysisSchema struct {
	Questions []v1Question `json:"questions" maxItems:"50"`
}

type v1AnalysisRequest struct {
	Questions []v1Question `json:"questions,omitempty" nullable:"true" maxItems:"50" doc:"Without them the project's stored questions are answered."`
}

type v1Answer struct {
	Name     string                 `json:"name" doc:"Key among the data."`
	Question string                 `json:"question"`
	Type     talkstack.QuestionType `json:"type" enum:"Boolean,Text,Number,Selector"`
	Answer   answerValue            `json:"answer"`
}

// v1CallAnalysis is an analysis that was asked for.
type v1CallAnalysis struct {
	SID        talkstack.CallSID      `json:"sid"`
	Status     callStatus             `json:"status"`
	Summary    string                 `json:"summary" example:"The agent called +12065550123. The call lasted 23 seconds. The agent hung up."`
	Sentiment  talkstack.Sentiment    `json:"sentiment" enum:"Positive,Negative,Neutral,Unknown"`
	Successful *bool                  `json:"successful" nullable:"true" doc:"Null when it can not be told."`
	Voicemail  bool                   `json:"voicemail" doc:"A machine answered."`
	Data       map[string]answerValue `json:"data" doc:"The answers by name."`
	Answers    []v1Answer             `json:"answers"`
	Analyzer   string                 `json:"analyzer" doc:"Who answered: rules, or a language model." example:"rules"`
	CreatedAt  timestamp              `json:"created_at"`
}

type schemaPath struct {
	ID talkstack.ProjectID `path:"id"`
}

func (a *API) v1AnalysisRoutes() {
	const tag = "Analysis"
	const path = "/v1/projects/{id}/analysis-schema"
	unknown := map[int]string{http.StatusNotFound: "There is no such project."}
	get(a, path, operation{ID: "v1GetAnalysisSchema", Tag: tag, Summary: "The questions that a project's calls are analysed by", Errors: unknown}, a.v1GetAnalysisSchema)
	put(a, path, operation{
		ID: "v1PutAnalysisSchema", Tag: tag, Summary: "Replace the questions that a project's calls are analysed by",
		Description: "Calls that end from now on are analysed by them; earlier ones when their analysis is asked for.", Errors: unknown,
	}, a.v1PutAnalysisSchema)
	post(a, "/v1/calls/{sid}/analysis", operation{
		ID: "v1AnalyzeCall", Tag: tag, Summary: "Analyse a call that has ended, by the project's questions or by others",
		Description: "Asked again it answers from the store, unless the questions have changed.",
		Errors: map[int]string{
			http.StatusBadRequest:      "A question is malformed, or the call has not ended.",
			http.StatusNotFound:        "There is no such call.",
			http.StatusTooManyRequests: "The account has asked for too many analyses at once.",
		},
	}, a.v1AnalyzeCall)
}

func (a *API) v1GetAnalysisSchema(ctx context.Context, in *schemaPath) (*body[v1AnalysisSchema], error) {
	p, err := a.DB.Project(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(wireSchema(p.AnalysisSchema)), nil
}

type putSchemaInput struct {
	ID   talkstack.ProjectID `path:"id"`
	Body v1AnalysisSchema
}

func (a *API) v1PutAnalysisSchema(ctx context.Context, in *putSchemaInput) (*body[v1AnalysisSchema], error) {
	questions, err := talkstack.CheckQuestions(v1QuestionsOf(in.Body.Questions))
	if err != nil {
		return nil, err
	}
	p, err := a.DB.SetAnalysisSchema(ctx, caller(ctx).ID, in.ID, questions)
	if err != nil {
		return nil, err
	}
	return reply(wireSchema(p.AnalysisSchema)), nil
}

type analyzeCallInput struct {
	SID  string `path:"sid" doc:"CA and 32 hex digits; the carrier's own id works too."`
	Body *v1AnalysisRequest
}

func (a *API) v1AnalyzeCall(ctx context.Context, in *analyzeCallInput) (*body[v1CallAnalysis], error) {
	r := analysis.Request{User: caller(ctx).ID, SID: in.SID}
	if in.Body != nil {
		r.Questions = v1QuestionsOf(in.Body.Questions)
	}
	c, x, err := a.Analyses.Ask(ctx, r)
	if err != nil {
		return nil, err
	}
	w := v1CallAnalysis{
		SID: c.SID, Status: callStatus(c.Status), Summary: x.Summary, Sentiment: sentimentOf(&x), Successful: x.Successful,
		Voicemail: x.Voicemail, Data: map[string]answerValue{}, Answers: []v1Answer{}, Analyzer: x.Analyzer, CreatedAt: timestamp{x.CreatedAt},
	}
	questions := make([]talkstack.Question, len(x.Answers))
	for i, v := range x.Answers {
		questions[i] = v.Question
	}
	for i, key := range talkstack.QuestionKeys(questions) {
		w.Data[key] = answerValue{x.Answers[i].Value}
		w.Answers = append(w.Answers, v1Answer{key, questions[i].Text, questions[i].Type, answerValue{x.Answers[i].Value}})
	}
	return reply(w), nil
}

func v1QuestionsOf(sent []v1Question) []talkstack.Question {
	var out []talkstack.Question
	for _, q := range sent {
		out = append(out, talkstack.Question{Name: q.Name, Text: q.Question, Type: talkstack.QuestionType(q.Type), Options: q.Options})
	}
	return out
}

func wireSchema(questions []talkstack.Question) v1AnalysisSchema {
	w := v1AnalysisSchema{Questions: []v1Question{}}
	for _, q := range questions {
		w.Questions = append(w.Questions, v1Question{Name: q.Name, Question: q.Text, Type: questionType(q.Type), Options: q.Options})
	}
	return w
}
