package client

import (
	"context"

	"talkstack"
)

// UsageFilter says which report to make. Days are of UTC, in the form 2026-03-01; empty: the last 30 days.
type UsageFilter struct {
	From, To  string
	ProjectID talkstack.ProjectID // empty: all
	GroupBy   string              // "day", the default, or "project"
}

// UsageReport is what calls add up to that have ended.
type UsageReport struct {
	From  string       `json:"from"`
	To    string       `json:"to"` // included
	Total UsageSum     `json:"total"`
	Data  []UsageGroup `json:"data"`
}

// UsageGroup is the calls of a day or a project.
type UsageGroup struct {
	Day       string              `json:"day"`
	ProjectID talkstack.ProjectID `json:"project_id"`
	UsageSum
}

// UsageSum is what calls add up to.
type UsageSum struct {
	Calls           int64            `json:"calls"`
	ByStatus        map[string]int64 `json:"by_status"`
	Answered        int64            `json:"answered"`
	AnsweredShare   float64          `json:"answered_share"` // 0 to 1
	Minutes         float64          `json:"minutes"`        // connected
	AverageDuration float64          `json:"average_duration_seconds"`
	Cost            float64          `json:"cost"` // US dollars
	Usage           UsageParts       `json:"usage"`
	Latency         V1Latency        `json:"latency"`
}

// UsageParts is what calls have used of their providers.
type UsageParts struct {
	ASRSeconds    float64 `json:"asr_seconds"`
	LLMInput      int64   `json:"llm_input_tokens"`
	LLMOutput     int64   `json:"llm_output_tokens"`
	TTSCharacters int64   `json:"tts_characters"`
}

// Usage reads what calls add up to: numbers, minutes, cost, latency.
func (v V1) Usage(ctx context.Context, f UsageFilter) (UsageReport, error) {
	var u UsageReport
	r := get("/v1/usage", &u)
	r.query = filters("from", f.From, "to", f.To, "project_id", string(f.ProjectID), "group_by", f.GroupBy)
	err := v.c.call(ctx, r)
	return u, err
}
