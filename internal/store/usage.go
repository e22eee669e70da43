package store

import (
	"context"
	"hash/fnv"
	"math"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// usageShards is over how many rows a day's calls of one status are spread, on PostgreSQL.
const usageShards = 8

// UsageSum is what ended calls add up to.
type UsageSum struct {
	Calls     int64
	ByStatus  map[talkstack.CallStatus]int64
	Answered  int64         // calls that were answered, by whomever
	Connected time.Duration // of those
	Cost      float64       // US dollars
	Usage     talkstack.Usage
	Latency   talkstack.LatencySummary // means of the calls' own percentiles, weighted by their turns
}

// UsageDay is what the calls of one project that ended on one day of UTC add up to.
type UsageDay struct {
	Day       time.Time // its midnight
	ProjectID talkstack.ProjectID
	UsageSum
}

// Add adds another sum.
func (s *UsageSum) Add(o UsageSum) {
	if turns := s.Latency.Turns + o.Latency.Turns; turns > 0 {
		mean := func(a, b time.Duration) time.Duration {
			return (a*time.Duration(s.Latency.Turns) + b*time.Duration(o.Latency.Turns)) / time.Duration(turns)
		}
		s.Latency = talkstack.LatencySummary{P50: mean(s.Latency.P50, o.Latency.P50), P95: mean(s.Latency.P95, o.Latency.P95), Turns: turns}
	}
	if s.ByStatus == nil {
		s.ByStatus = map[talkstack.CallStatus]int64{}
	}
	for status, n := range o.ByStatus {
		s.ByStatus[status] += n
	}
	s.Calls += o.Calls
	s.Answered += o.Answered
	s.Connected += o.Connected
	s.Cost = talkstack.RoundCost(s.Cost + o.Cost)
	s.Usage.CarrierSeconds += o.Usage.CarrierSeconds
	s.Usage.ASRSeconds += o.Usage.ASRSeconds
	s.Usage.LLMInput += o.Usage.LLMInput
	s.Usage.LLMOutput += o.Usage.LLMOutput
	s.Usage.TTSCharacters += o.Usage.TTSCharacters
}

// UsageDays returns what the user's calls add up to that ended from the first to the last day of UTC, both included, by
// day and project; only one project's when it is not empty. Days without calls are left out.
func (db *DB) UsageDays(ctx context.Context, user talkstack.UserID, first, last time.Time, project talkstack.ProjectID) ([]UsageDay, error) {
	rows, err := db.reader().UsageDays(ctx, query.UsageDaysParams{
		UserID: user, FirstDay: dayOf(first), LastDay: dayOf(last), ProjectID: cleanText(string(project)),
	})
	if err != nil {
		return nil, wrap("read the usage", err)
	}
	var days []UsageDay
	for _, r := range rows {
		day, err := time.Parse(time.DateOnly, r.Day)
		if err != nil {
			return nil, wrap("read the usage", err)
		}
		sum := UsageSum{
			Calls: r.Calls, ByStatus: map[talkstack.CallStatus]int64{talkstack.CallStatus(r.Status): r.Calls}, Answered: r.Answered,
			Connected: time.Duration(r.ConnectedMs) * time.Millisecond, Cost: float64(r.CostMicros) / 1e6,
			Usage: talkstack.Usage{
				CarrierSeconds: float64(r.ConnectedMs) / 1000, ASRSeconds: float64(r.AsrMs) / 1000,
				LLMInput: r.LlmInput, LLMOutput: r.LlmOutput, TTSCharacters: r.TtsCharacters,
			},
			Latency: talkstack.LatencySummary{Turns: int(r.Turns)},
		}
		if r.Turns > 0 {
			sum.Latency.P50, sum.Latency.P95 = micros(r.LatencyP50US/r.Turns), micros(r.LatencyP95US/r.Turns)
		}
		if n := len(days); n == 0 || !days[n-1].Day.Equal(day) || days[n-1].ProjectID != r.ProjectID {
			days = append(days, UsageDay{Day: day, ProjectID: r.ProjectID})
		}
		days[len(days)-1].Add(sum)
	}
	return days, nil
}

// countUsage adds a call that has ended to its day.
func (db *DB) countUsage(ctx context.Context, q *tx, c *talkstack.Call) error {
	p := db.usageRow(c)
	p.Calls, p.CostMicros = 1, dollarMicros(c.Cost)
	if !c.AnsweredAt.IsZero() {
		p.Answered, p.ConnectedMs = 1, c.Duration(c.EndedAt).Milliseconds()
	}
	p.AsrMs = int64(math.Round(c.Usage.ASRSeconds * 1000))
	p.LlmInput, p.LlmOutput, p.TtsCharacters = c.Usage.LLMInput, c.Usage.LLMOutput, c.Usage.TTSCharacters
	p.Turns = int64(c.Latency.Turns)
	p.LatencyP50US, p.LatencyP95US = c.Latency.P50.Microseconds()*p.Turns, c.Latency.P95.Microseconds()*p.Turns
	return q.AddUsage(ctx, p)
}

// countCost adds what became known of a call's cost after its end to the call's day.
func (db *DB) countCost(ctx context.Context, q *tx, c *talkstack.Call, dollars float64) error {
	p := db.usageRow(c)
	p.CostMicros = dollarMicros(dollars)
	return q.AddUsage(ctx, p)
}

// usageRow is the row that a call is counted in.
func (db *DB) usageRow(c *talkstack.Call) query.AddUsageParams {
	p := query.AddUsageParams{UserID: c.UserID, Day: dayOf(c.EndedAt), ProjectID: c.ProjectID, Status: string(c.Status)}
	if db.engine == PostgreSQL {
		h := fnv.New32a()
		_, _ = h.Write([]byte(c.SID))
		p.Shard = int64(h.Sum32() % usageShards)
	}
	return p
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func dollarMicros(dollars float64) int64 { return int64(math.Round(dollars * 1e6)) }
