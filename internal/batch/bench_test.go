package batch_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/batch"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// BenchmarkAccept reads a sheet of 100,000 rows into the store: how long it takes, how long until a call of it can be
// claimed, and how much memory it needs at most beyond the sheet.
func BenchmarkAccept(b *testing.B) {
	var sheet bytes.Buffer
	sheet.WriteString("number,name,city\n")
	for i := range 100_000 {
		fmt.Fprintf(&sheet, "+1206%07d,Name %d,Seattle\n", 2_000_000+i, i)
	}
	for engine, open := range map[string]func(testing.TB) *store.DB{"SQLite": storetest.OpenSQLite, "PostgreSQL": storetest.OpenPostgreSQL} {
		b.Run(engine, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db := open(b)
				a := storetest.NewAccount(b, db, 50)
				node := talkstack.NewNodeID()
				if err := db.Heartbeat(b.Context(), node); err != nil {
					b.Fatal(err)
				}
				runtime.GC()
				var base, now runtime.MemStats
				runtime.ReadMemStats(&base)
				peak := uint64(0)
				b.StartTimer()
				_, err := batch.New(batch.Config{DB: db}).Accept(b.Context(), batch.Order{
					ID: talkstack.NewBatchID(), UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID,
				}, batch.Sheet(bytes.NewReader(sheet.Bytes()), int64(sheet.Len())), func(talkstack.Batch, []batch.Placed) error {
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				accepted := time.Now()
				calls, err := db.Claim(b.Context(), node, 50)
				if err != nil || len(calls) != 50 {
					b.Fatal(len(calls), err)
				}
				b.ReportMetric(float64(time.Since(accepted).Microseconds())/1000, "ms-to-first-call")
				b.ReportMetric(float64(peak-min(peak, base.HeapAlloc))/(1<<20), "MB-peak")
			}
		})
	}
}
