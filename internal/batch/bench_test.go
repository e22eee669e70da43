package batch_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"talkstack"
	"talkstack/internal/batch"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// BenchmarkAccept reads a sheet of 100,000 rows into the store: how long it takes, how long until a call of it can be
// claimed, and how much memory it needs at most beyond the sheet.
func BenchmarkAccept(b *testing.B) {
	sheets := []struct {
		name string
		data []byte
	}{{"CSV", peopleCSV(100_000)}, {"XLSX", peopleXLSX(b, 100_000)}}
	engines := []struct {
		name string
		open func(testing.TB) *store.DB
	}{{"SQLite", storetest.OpenSQLite}, {"PostgreSQL", storetest.OpenPostgreSQL}}
	for _, e := range engines {
		for _, s := range sheets {
			b.Run(e.name+"/"+s.name, func(b *testing.B) {
				for b.Loop() {
					accept(b, e.open, s.data)
				}
			})
		}
	}
}

func accept(b *testing.B, open func(testing.TB) *store.DB, data []byte) {
	b.Helper()
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
	_, err := batch.New(batch.Config{DB: db, Log: slog.New(slog.DiscardHandler)}).Accept(b.Context(), batch.Order{
		ID: talkstack.NewBatchID(), UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID,
	}, batch.Sheet(bytes.NewReader(data), int64(len(data))), func(talkstack.Batch, []batch.Placed) error {
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

func person(i int) []any {
	return []any{fmt.Sprintf("+1206%07d", 2_000_000+i), fmt.Sprintf("Name %d", i), "Seattle"}
}

func peopleCSV(rows int) []byte {
	var sheet bytes.Buffer
	sheet.WriteString("number,name,city\n")
	for i := range rows {
		fmt.Fprintf(&sheet, "%s,%s,%s\n", person(i)...)
	}
	return sheet.Bytes()
}

func peopleXLSX(b *testing.B, rows int) []byte {
	b.Helper()
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		b.Fatal(err)
	}
	for i := range rows + 1 {
		cells := []any{"number", "name", "city"}
		if i > 0 {
			cells = person(i - 1)
		}
		if err := w.SetRow(fmt.Sprintf("A%d", i+1), cells); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	data, err := f.WriteToBuffer()
	if err != nil {
		b.Fatal(err)
	}
	return data.Bytes()
}
