package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/phonetest"
	"talkstack/test/program"
)

// BenchmarkLocalTurn books appointments with the local models until 20 turns were answered, and reports what the
// caller waited: from the end of his speech to the first sound of the answer. The far end's own recognition and
// speech run on the same processors.
func BenchmarkLocalTurn(b *testing.B) {
	const wanted = 20
	s := start(b, settings(b, b.TempDir()))
	for b.Loop() {
		var total []time.Duration
		stages := map[string]time.Duration{}
		for len(total) < wanted {
			sid := s.place(b, phonetest.NumberBooks)
			call := s.wait(b, sid)
			expect(b, call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
			for _, turn := range s.transcript(b, sid) {
				if l := turn.Latency; l != nil {
					total = append(total, l.Total.Duration())
					stages["endpointing"] += l.Endpointing.Duration()
					stages["asr"] += l.ASRFinal.Duration()
					stages["brain"] += l.LLMFirstToken.Duration()
					stages["tts"] += l.TTSFirstByte.Duration()
					stages["playout"] += l.Playout.Duration()
				}
			}
		}
		slices.Sort(total)
		b.ReportMetric(float64(total[len(total)/2].Milliseconds()), "p50-ms")
		b.ReportMetric(float64(total[(len(total)*95+99)/100-1].Milliseconds()), "p95-ms")
		b.ReportMetric(float64(len(total)), "turns")
		for stage, sum := range stages {
			b.ReportMetric(float64(sum.Milliseconds())/float64(len(total)), stage+"-mean-ms")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart measures from the start of the process to the line that says it is ready, on an empty database, and
// what memory the idle process then has, with the local models and without.
func BenchmarkStart(b *testing.B) {
	bin := program.Build(b)
	for _, c := range []struct {
		name   string
		models string
	}{{"models", modelsDir(b)}, {"no-models", b.TempDir()}} {
		b.Run(c.name, func(b *testing.B) {
			var rss int
			var took time.Duration
			n := 0
			for b.Loop() {
				dir := b.TempDir()
				begin := time.Now()
				p := launchWith(b, bin, dir, "", c.models)
				took += time.Since(begin)
				n++
				rss = residentKB(b, p.PID())
				p.Kill(b)
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(n), "ready-ms")
			b.ReportMetric(float64(rss)/1024, "idle-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// residentKB is a process's resident memory.
func residentKB(b *testing.B, pid int) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
