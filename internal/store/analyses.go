package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// maxAnalyses is how many analyses of one call are kept, by what was asked: the oldest make room.
const maxAnalyses = 50

// analysisRow is the JSON form of an analysis in calls.analysis and analyses.result.
type analysisRow struct {
	Summary    string              `json:"summary"`
	Sentiment  talkstack.Sentiment `json:"sentiment"`
	Successful *bool               `json:"successful"`
	Voicemail  bool                `json:"voicemail"`
	Answers    []answerRow         `json:"answers"`
	Analyzer   string              `json:"analyzer"`
	Input      int64               `json:"input_tokens,omitempty"`
	Output     int64               `json:"output_tokens,omitempty"`
	CreatedAt  time.Time           `json:"created_at"`
}

type answerRow struct {
	Question talkstack.Question `json:"question"`
	Value    any                `json:"value"`
}

func encodeAnalysis(a *talkstack.Analysis) (string, error) {
	row := analysisRow{
		Summary: cleanText(a.Summary), Sentiment: a.Sentiment, Successful: a.Successful, Voicemail: a.Voicemail,
		Answers: make([]answerRow, 0, len(a.Answers)), Analyzer: cleanText(a.Analyzer),
		Input: a.Usage.PromptTokens, Output: a.Usage.CompletionTokens, CreatedAt: a.CreatedAt.UTC(),
	}
	for _, answer := range a.Answers {
		if s, ok := answer.Value.(string); ok { // a machine's words
			answer.Value = cleanText(s)
		}
		row.Answers = append(row.Answers, answerRow(answer))
	}
	return encode("analysis", row)
}

// analysisOf reads a column; empty is no analysis.
func analysisOf(text string) (*talkstack.Analysis, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // not every call has been analysed
	}
	var row analysisRow
	if err := decode("analysis", text, &row); err != nil {
		return nil, err
	}
	a := &talkstack.Analysis{
		Summary: row.Summary, Sentiment: row.Sentiment, Successful: row.Successful, Voicemail: row.Voicemail,
		Answers: make([]talkstack.Answer, 0, len(row.Answers)), Analyzer: row.Analyzer,
		Usage: talkstack.ChatUsage{PromptTokens: row.Input, CompletionTokens: row.Output}, CreatedAt: row.CreatedAt.UTC(),
	}
	for _, answer := range row.Answers {
		if n, ok := answer.Value.(json.Number); ok {
			f, err := n.Float64()
			if err != nil {
				return nil, wrap("read an analysis", err)
			}
			answer.Value = f
		}
		a.Answers = append(a.Answers, talkstack.Answer(answer))
	}
	return a, nil
}

// SetAnalysisSchema replaces the questions that the calls of one of the user's projects are analysed by. They must have
// passed talkstack.CheckQuestions.
func (db *DB) SetAnalysisSchema(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, questions []talkstack.Question) (talkstack.Project, error) {
	if questions == nil {
		questions = []talkstack.Question{}
	}
	text, err := encode("questions", questions)
	if err != nil {
		return talkstack.Project{}, err
	}
	var p talkstack.Project
	err = db.transact(ctx, "set an analysis schema", func(q *tx) (err error) {
		if _, err = projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})); err != nil {
			return err
		}
		if p, err = projectOf(q.SetAnalysisSchema(ctx, query.SetAnalysisSchemaParams{ID: id, AnalysisSchema: text, Now: db.now()})); err != nil {
			return err
		}
		return db.audit(ctx, q, user, "analysis_schema.update", "project", string(id), map[string]any{"questions": questions})
	})
	return p, err
}

// AnalysisQuestions are the questions that a call is analysed by: those of its project, even of one that was deleted
// since.
func (db *DB) AnalysisQuestions(ctx context.Context, project talkstack.ProjectID) ([]talkstack.Question, error) {
	text, err := db.reader().AnalysisSchema(ctx, project)
	if err != nil {
		return nil, lookup("project", err)
	}
	questions := []talkstack.Question{}
	return questions, decode("analysis_schema", text, &questions)
}

// StoredAnalysis is the analysis of a call that was stored under a digest; false when there is none.
func (db *DB) StoredAnalysis(ctx context.Context, sid talkstack.CallSID, digest string) (talkstack.Analysis, bool, error) {
	text, err := db.reader().Analysis(ctx, query.AnalysisParams{CallSID: sid, Digest: digest})
	if errors.Is(err, sql.ErrNoRows) {
		return talkstack.Analysis{}, false, nil
	}
	if err != nil {
		return talkstack.Analysis{}, false, wrap("look up an analysis", err)
	}
	a, err := analysisOf(text)
	if err != nil || a == nil {
		return talkstack.Analysis{}, false, err
	}
	return *a, true, nil
}

// AnalysisResult is an analysis on its way into the store.
type AnalysisResult struct {
	Analysis talkstack.Analysis
	Digest   string  // of what was asked
	Cost     float64 // US dollars
	Schema   bool    // it answers the project's questions: it is the call's own analysis
}

// StoreAnalysis stores an analysis of a call that has ended, adds its cost to the call's, and, when it is the call's own,
// makes it part of the call. With the call's first own analysis follows what waits for it: the webhook message
// call.analyzed, and the engagement in HubSpot where the account is connected. Storing again tells nobody twice.
func (db *DB) StoreAnalysis(ctx context.Context, sid talkstack.CallSID, r AnalysisResult) error {
	return db.transact(ctx, "store an analysis", func(q *tx) error {
		c, err := callOf(q.LockCall(ctx, sid))
		if err != nil {
			return err
		}
		if c.State != talkstack.StateEnded {
			return talkstack.Errorf(talkstack.CodeConflict, "The call has not ended: it can be analysed when it has.")
		}
		if r.Analysis.CreatedAt.IsZero() {
			r.Analysis.CreatedAt = db.now()
		}
		text, err := encodeAnalysis(&r.Analysis)
		if err != nil {
			return err
		}
		if err := q.UpsertAnalysis(ctx, query.UpsertAnalysisParams{CallSID: sid, Digest: r.Digest, Result: text, CreatedAt: db.now()}); err != nil {
			return err
		}
		if err := q.TrimAnalyses(ctx, query.TrimAnalysesParams{CallSID: sid, Kept: maxAnalyses}); err != nil {
			return err
		}
		if err := db.addCost(ctx, q, &c, r.Cost); err != nil || !r.Schema {
			return err
		}
		first := c.Analysis == nil
		c.Analysis = &r.Analysis
		if err := q.SetCallAnalysis(ctx, query.SetCallAnalysisParams{SID: sid, Analysis: text}); err != nil {
			return err
		}
		q.touch(sid)
		if !first {
			return nil
		}
		return db.followAnalysis(ctx, q, &c)
	})
}

// analysisPart is the analysis among the parts of a call's cost.
const analysisPart = "analysis"

func (db *DB) addCost(ctx context.Context, q *tx, c *talkstack.Call, dollars float64) error {
	if dollars <= 0 {
		return nil
	}
	c.Cost += dollars
	c.CostParts[analysisPart] += dollars
	parts, err := encode("costParts", c.CostParts)
	if err != nil {
		return err
	}
	q.touch(c.SID)
	if err := q.SetCallCost(ctx, query.SetCallCostParams{SID: c.SID, Cost: c.Cost, CostParts: parts}); err != nil {
		return err
	}
	return db.countCost(ctx, q, c, dollars)
}

// followAnalysis does what follows from a call's first analysis. c is the call as it is with it.
func (db *DB) followAnalysis(ctx context.Context, q *tx, c *talkstack.Call) error {
	if err := db.deliver(ctx, q, c, talkstack.EventCallAnalyzed); err != nil {
		return err
	}
	if neverDialed(c) {
		return nil // whoever was not called has nothing of it in the customer's CRM
	}
	return db.queueHubSpot(ctx, q, c.UserID, c.SID)
}
