package httpapi

import (
	"context"
	"net/http"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// maxUsageDays bounds the range of a usage report, both ends included.
const maxUsageDays = 92

type usageInput struct {
	From      string              `query:"from" doc:"First day, YYYY-MM-DD, UTC; 29 days before the last one when missing."`
	To        string              `query:"to" doc:"Last day, included; today when missing. At most 92 days."`
	ProjectID talkstack.ProjectID `query:"project_id" doc:"Only this project's calls."`
	GroupBy   string              `query:"group_by" enum:"day,project" default:"day"`
}

type usageResponse struct {
	From  string       `json:"from" doc:"First day of the report." example:"2026-03-01"`
	To    string       `json:"to" doc:"Last day of the report, included." example:"2026-03-30"`
	Total UsageSum     `json:"total"`
	Data  []usageGroup `json:"data" doc:"By day, oldest first, or by project. Groups without calls are left out."`
}

type usageGroup struct {
	Day       *string              `json:"day,omitempty" doc:"With group_by=day." example:"2026-03-11"`
	ProjectID *talkstack.ProjectID `json:"project_id,omitempty" doc:"With group_by=project."`
	UsageSum
}

// UsageSum is what calls add up to that have ended. A call counts on the day of UTC on which it ended.
type UsageSum struct {
	Calls           int64            `json:"calls" doc:"Calls that have ended."`
	ByStatus        map[string]int64 `json:"by_status" doc:"How many ended with each status." example:"{\"completed\":18,\"busy\":2}"`
	Answered        int64            `json:"answered"`
	AnsweredShare   float64          `json:"answered_share" doc:"Answered calls among all, 0 to 1."`
	Minutes         float64          `json:"minutes" doc:"Connected time."`
	AverageDuration float64          `json:"average_duration_seconds" doc:"Connected time of an answered call."`
	Cost            float64          `json:"cost" doc:"US dollars."`
	Usage           usageParts       `json:"usage"`
	Latency         v1Latency        `json:"latency" doc:"Means of the calls' own percentiles, weighted by their turns."`
}

type usageParts struct {
	ASRSeconds    float64 `json:"asr_seconds" doc:"Audio given to speech recognition."`
	LLMInput      int64   `json:"llm_input_tokens"`
	LLMOutput     int64   `json:"llm_output_tokens"`
	TTSCharacters int64   `json:"tts_characters" doc:"Characters that were synthesised."`
}

func (a *API) v1UsageRoutes() {
	get(a, "/v1/usage", operation{
		ID: "v1Usage", Tag: "Usage", Summary: "What calls add up to: numbers, minutes, cost, providers, latency",
		Errors: map[int]string{http.StatusBadRequest: "A date is malformed, or the range is longer than 92 days."},
	}, a.v1Usage)
}

func (a *API) v1Usage(ctx context.Context, in *usageInput) (*body[usageResponse], error) {
	first, last, err := usageRange(in.From, in.To, a.Now())
	if err != nil {
		return nil, err
	}
	days, err := a.DB.UsageDays(ctx, caller(ctx).ID, first, last, in.ProjectID)
	if err != nil {
		return nil, err
	}
	var total store.UsageSum
	groups := map[string]*store.UsageSum{}
	var names []string
	for _, d := range days {
		total.Add(d.UsageSum)
		name := d.Day.Format(time.DateOnly)
		if in.GroupBy == "project" {
			name = string(d.ProjectID)
		}
		if groups[name] == nil {
			groups[name] = &store.UsageSum{}
			names = append(names, name)
		}
		groups[name].Add(d.UsageSum)
	}
	r := usageResponse{From: first.Format(time.DateOnly), To: last.Format(time.DateOnly), Total: wireUsage(total), Data: make([]usageGroup, len(names))}
	for i, name := range names {
		r.Data[i].UsageSum = wireUsage(*groups[name])
		if in.GroupBy == "project" {
			id := talkstack.ProjectID(name)
			r.Data[i].ProjectID = &id
		} else {
			r.Data[i].Day = &name
		}
	}
	return reply(r), nil
}

// usageRange reads the first and the last day of a report.
func usageRange(from, to string, now time.Time) (first, last time.Time, err error) {
	last = now.UTC().Truncate(24 * time.Hour)
	if to != "" {
		if last, err = time.Parse(time.DateOnly, to); err != nil {
			return first, last, invalid("to", "must be a date, YYYY-MM-DD")
		}
	}
	first = last.AddDate(0, 0, -29)
	if from != "" {
		if first, err = time.Parse(time.DateOnly, from); err != nil {
			return first, last, invalid("from", "must be a date, YYYY-MM-DD")
		}
	}
	switch {
	case first.After(last):
		return first, last, invalid("from", "must not be after to")
	case first.Before(last.AddDate(0, 0, 1-maxUsageDays)):
		return first, last, invalid("from", "must be at most 92 days before the end of to")
	}
	return first, last, nil
}

func wireUsage(s store.UsageSum) UsageSum {
	w := UsageSum{
		Calls: s.Calls, ByStatus: map[string]int64{}, Answered: s.Answered, Minutes: s.Connected.Minutes(), Cost: s.Cost,
		Usage: usageParts{
			ASRSeconds: s.Usage.ASRSeconds, LLMInput: s.Usage.LLMInput, LLMOutput: s.Usage.LLMOutput, TTSCharacters: s.Usage.TTSCharacters,
		},
	}
	for status, n := range s.ByStatus {
		if n > 0 {
			w.ByStatus[string(status)] = n
		}
	}
	if s.Calls > 0 {
		w.AnsweredShare = float64(s.Answered) / float64(s.Calls)
	}
	if s.Answered > 0 {
		w.AverageDuration = s.Connected.Seconds() / float64(s.Answered)
	}
	w.Latency.P50, w.Latency.P95, w.Latency.Turns = latencyMillis(s.Latency)
	return w
}
