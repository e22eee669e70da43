package store_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// historyCalls is how many calls the benchmarks of the history store: TALKSTACK_BENCH_CALLS, or 100,000.
func historyCalls(b *testing.B) int {
	b.Helper()
	v := os.Getenv("TALKSTACK_BENCH_CALLS")
	if v == "" {
		return 100_000
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1000 {
		b.Fatalf("TALKSTACK_BENCH_CALLS=%q: must be a number from 1000", v)
	}
	return n
}

// year is the time over which fillHistory spreads its calls, from its start on.
const year = 365 * 24 * time.Hour

func yearStart() time.Time { return time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC) }

// fillHistory stores n ended calls of one project over a year: from ten numbers to 50,000, one in a hundred incoming,
// the statuses as rare as they are.
func fillHistory(b *testing.B, db *store.DB, a storetest.Account, n int) {
	b.Helper()
	const chunk = 50_000
	step := year / time.Duration(n)
	for from := 0; from < n; from += chunk {
		base := yearStart().Add(step * time.Duration(from))
		seconds := step.Seconds()
		at, later := "strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(?6) + (i - ?1) * ?7 / 86400.0)", "strftime('%Y-%m-%d %H:%M:%f+00:00', julianday(?6) + ((i - ?1) * ?7 + 20 + i % 300) / 86400.0)"
		if db.Engine() == store.PostgreSQL {
			at = "CAST(?6 AS TIMESTAMPTZ) + (i - ?1) * CAST(?7 AS DOUBLE PRECISION) * INTERVAL '1 second'"
			later = at + " + (20 + i % 300) * INTERVAL '1 second'"
		}
		text := fmt.Sprintf(`
			INSERT INTO calls (sid, carrier_sid, user_id, project_id, agent_id, agent_version, direction, from_number, to_number,
				status, state, end_party, end_code, end_message, dynamic_variables, missing_variables, slots, cost, cost_parts, usage,
				analysis, recording, latency_p50_us, latency_p95_us, latency_turns, node, attempt, batch_row, time_zone, try, retry_of,
				superseded, not_before, created_at, answered_at, ended_at)
			WITH RECURSIVE n(i) AS (SELECT CAST(?1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < CAST(?2 AS BIGINT) - 1)
			SELECT 'CA' || CAST(100000000 + (i * 7919) %% 100000007 AS TEXT) || CAST(i AS TEXT), 'carrier-' || CAST(i AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS TEXT), 1,
				CASE WHEN i %% 100 = 0 THEN 'inbound' ELSE 'outbound' END, '+1415555' || CAST(1000 + i %% 10 AS TEXT), '+1206' || CAST(5500000 + (i * 31) %% 50000 AS TEXT),
				CASE WHEN i %% 10000 = 0 THEN 'silence' WHEN i %% 5 = 0 THEN 'no-answer' WHEN i %% 7 = 0 THEN 'busy' ELSE 'completed' END,
				'ended', 'agent', 'agent_hangup', 'The agent hung up.', '{"name":"John"}', '[]', '{"date":"2026-03-12"}', 0.05, '{"carrier":0.05}',
				'{"carrier_seconds":31.5,"asr_seconds":31.5,"llm_input_tokens":900,"llm_output_tokens":80,"tts_characters":400}', '', '',
				500000, 800000, 6, '', 1, 0, '', 1, '', FALSE, %s, %s, %s, %s FROM n`, at, at, at, later)
		args := []any{int64(from), int64(min(from+chunk, n)), string(a.User.ID), string(a.Project.ID), string(a.Agent.ID), base.Format("2006-01-02 15:04:05.000"), seconds}
		if err := db.Exec(b.Context(), text, args...); err != nil {
			b.Fatal(err)
		}
	}
	day, shard := "SUBSTR(ended_at, 1, 10)", "0"
	if db.Engine() == store.PostgreSQL {
		day, shard = "TO_CHAR(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')", "ABS(HASHTEXT(sid)) % 8"
	}
	err := db.Exec(b.Context(), fmt.Sprintf(`
		INSERT INTO usage_days (user_id, day, project_id, status, shard, calls, answered, connected_ms, cost_micros, asr_ms, llm_input,
			llm_output, tts_characters, turns, latency_p50_us, latency_p95_us)
		SELECT user_id, %s, project_id, status, %s, COUNT(*), COUNT(*), 31500 * COUNT(*), 50000 * COUNT(*), 31500 * COUNT(*), 900 * COUNT(*),
			80 * COUNT(*), 400 * COUNT(*), 6 * COUNT(*), 3000000 * COUNT(*), 4800000 * COUNT(*) FROM calls GROUP BY 1, 2, 3, 4, 5`, day, shard))
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range map[store.Engine][]string{store.SQLite: {"PRAGMA optimize"}, store.PostgreSQL: {"VACUUM ANALYZE calls"}}[db.Engine()] {
		if err := db.Exec(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCallHistory reads a page of 20 for each filter, and reports the 99th percentile.
func BenchmarkCallHistory(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		n := historyCalls(b)
		a := storetest.NewAccount(b, db, 50)
		fillHistory(b, db, a, n)
		day := yearStart().Add(200 * 24 * time.Hour)
		for _, c := range []struct {
			name   string
			filter store.CallFilter
			page   int
			empty  bool
		}{
			{name: "none"},
			{name: "to", filter: store.CallFilter{To: "+12065500031"}},
			{name: "from", filter: store.CallFilter{From: "+14155551003"}},
			{name: "status", filter: store.CallFilter{Status: talkstack.StatusCompleted}},
			{name: "rare status", filter: store.CallFilter{Status: talkstack.StatusSilence}},
			{name: "no such status", filter: store.CallFilter{Status: talkstack.StatusInProgress}, empty: true},
			{name: "startTime", filter: store.CallFilter{CreatedFrom: day, CreatedBefore: day.Add(24 * time.Hour)}},
			{name: "startTimeBefore", filter: store.CallFilter{CreatedBefore: day}},
			{name: "startTimeAfter", filter: store.CallFilter{CreatedFrom: day}},
			{name: "endTime", filter: store.CallFilter{EndedFrom: day, EndedBefore: day.Add(24 * time.Hour)}},
			{name: "endTimeBefore", filter: store.CallFilter{EndedBefore: day}},
			{name: "endTimeAfter", filter: store.CallFilter{EndedFrom: day}},
			{name: "endTime, none then", filter: store.CallFilter{EndedFrom: day.Add(year), EndedBefore: day.Add(year + time.Hour)}, empty: true},
			{name: "from, status, endTime", filter: store.CallFilter{From: "+14155551000", Status: talkstack.StatusNoAnswer, EndedFrom: day, EndedBefore: day.Add(24 * time.Hour)}},
			{name: "from, rare status", filter: store.CallFilter{From: "+14155551000", Status: talkstack.StatusSilence}},
			{name: "agent", filter: store.CallFilter{AgentID: a.Agent.ID}},
			{name: "direction", filter: store.CallFilter{Direction: talkstack.Inbound}},
			{name: "page 50", page: 50},
			{name: "page 5000", page: min(5000, n/20-20)},
		} {
			b.Run(c.name, func(b *testing.B) {
				c.filter.ProjectID = a.Project.ID
				var took []time.Duration
				for b.Loop() {
					begin := time.Now()
					calls, _, err := db.CallHistory(b.Context(), a.User.ID, c.filter, c.page, 20)
					took = append(took, time.Since(begin))
					if err != nil || len(calls) == 0 != c.empty {
						b.Fatal(len(calls), err)
					}
				}
				reportPercentile(b, took)
			})
		}
		b.Run("usage of 92 days", func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				days, err := db.UsageDays(b.Context(), a.User.ID, day, day.AddDate(0, 0, 91), "")
				took = append(took, time.Since(begin))
				if err != nil || len(days) != 92 {
					b.Fatal(len(days), err)
				}
			}
			reportPercentile(b, took)
		})
		b.Run("next page by cursor, deep", func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				calls, err := db.Calls(b.Context(), a.User.ID, store.CallFilter{}, store.Cursor{At: day, ID: "CA5"}, 21)
				took = append(took, time.Since(begin))
				if err != nil || len(calls) != 21 {
					b.Fatal(len(calls), err)
				}
			}
			reportPercentile(b, took)
		})
	})
}

func reportPercentile(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(float64(took[(len(took)*99+99)/100-1].Microseconds())/1000, "p99-ms")
}
