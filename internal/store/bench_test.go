package store_test

import (
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

const benchCalls = 100_000

// fill stores benchCalls calls of accounts in one state, a thousand of each second.
func fill(b *testing.B, db *store.DB, accounts []storetest.Account, state talkstack.CallState, status talkstack.CallStatus) {
	b.Helper()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for chunk := range benchCalls / 1000 {
		a := accounts[chunk%len(accounts)]
		at := base.Add(time.Duration(chunk) * time.Second)
		err := db.Exec(b.Context(), `
			INSERT INTO calls (sid, carrier_sid, user_id, project_id, agent_id, agent_version, direction, from_number, to_number,
				status, state, end_party, end_code, end_message, dynamic_variables, missing_variables, slots, cost, cost_parts, usage,
				analysis, recording, latency_p50_us, latency_p95_us, latency_turns, node, attempt, batch_row, time_zone, try, retry_of, superseded,
				not_before, created_at)
			WITH RECURSIVE n(i) AS (SELECT CAST(?1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < CAST(?1 AS BIGINT) + 999)
			SELECT 'CA' || CAST(i AS TEXT), '', CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), 1, 'outbound', '+14155550148',
				'+12065550123', CAST(?5 AS TEXT), CAST(?6 AS TEXT), '', '', '', '{"name":"John"}', '[]', '{}', 0, '{}', '{}',
				'', '', 0, 0, 0, '', 0, 0, '', 1, '', FALSE, ?7, ?7 FROM n`,
			int64(chunk)*1000+1_000_000, string(a.User.ID), string(a.Project.ID), string(a.Agent.ID), string(status), string(state), at)
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Exec(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkClaim claims 50 calls of 10 projects with 100,000 queued ones, and gives them back outside the measurement.
func BenchmarkClaim(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		var accounts []storetest.Account
		for range 10 {
			accounts = append(accounts, storetest.NewAccount(b, db, 50))
		}
		fill(b, db, accounts, talkstack.StateQueued, talkstack.StatusQueued)
		node := talkstack.NewNodeID()
		if err := db.Heartbeat(b.Context(), node); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			calls, err := db.Claim(b.Context(), node, 50)
			if err != nil || len(calls) != 50 {
				b.Fatal(len(calls), err)
			}
			b.StopTimer()
			if err := db.Exec(b.Context(), "UPDATE calls SET state = 'queued', node = '' WHERE state = 'claimed'"); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkIdleClaim is what a node with nothing to do asks once a second.
func BenchmarkIdleClaim(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		storetest.NewAccount(b, db, 50)
		node := talkstack.NewNodeID()
		for b.Loop() {
			if calls, err := db.Claim(b.Context(), node, 50); err != nil || len(calls) != 0 {
				b.Fatal(len(calls), err)
			}
		}
	})
}

// BenchmarkCall takes one call from its placing to its end: place, claim, dialing, ringing, answered, one turn, end.
func BenchmarkCall(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		ctx := b.Context()
		a := storetest.NewAccount(b, db, 50)
		node := talkstack.NewNodeID()
		if err := db.Heartbeat(ctx, node); err != nil {
			b.Fatal(err)
		}
		turn := talkstack.Turn{Role: talkstack.RoleAgent, Text: "Good morning, how can I help?", End: 2 * time.Second}
		for b.Loop() {
			a.Place(b, db, 1)
			calls, err := db.Claim(ctx, node, 1)
			if err != nil || len(calls) != 1 {
				b.Fatal(len(calls), err)
			}
			c := calls[0]
			for _, err := range []error{
				db.MarkDialing(ctx, c), db.MarkRinging(ctx, c), db.MarkAnswered(ctx, c, time.Now(), ""), db.AddTurn(ctx, c.SID, turn),
				db.FinishCall(ctx, c, store.Outcome{Ending: storetest.Completed()}),
			} {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkAPIKey is what each authenticated request asks first.
func BenchmarkAPIKey(b *testing.B) {
	storetest.BenchmarkOnEach(b, func(b *testing.B, db *store.DB) {
		b.Helper()
		a := storetest.NewAccount(b, db, 50)
		if err := db.SetAPIKey(b.Context(), a.User.ID, "digest"); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := db.UserByAPIKey(b.Context(), "digest"); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
