package telemetry_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"talkstack"
	"talkstack/internal/telemetry"
)

func TestLoggerWritesItsLevelAndFormat(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, err := telemetry.NewLogger(&out, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not written")
	log.Warn("written", "password", talkstack.Secret("hunter2"))
	var line struct{ Msg, Password string }
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%q is not one JSON line: %v", out.String(), err)
	}
	if line.Msg != "written" || line.Password != "***" {
		t.Errorf("logged %+v", line)
	}
}

func TestLoggerRefusesUnknownLevelAndFormat(t *testing.T) {
	t.Parallel()
	if _, err := telemetry.NewLogger(nil, "loud", "text"); err == nil {
		t.Error("level loud is accepted")
	}
	if _, err := telemetry.NewLogger(nil, "info", "xml"); err == nil {
		t.Error("format xml is accepted")
	}
}

func TestMetricsCarryThePrefix(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics("1.2.3")
	calls := prometheus.NewCounter(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."})
	m.MustRegister(calls)
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, name := range []string{"talkstack_calls_total", "talkstack_build_info", "go_goroutines", "process_resident_memory_bytes"} {
		if !found[name] {
			t.Errorf("metric %s is missing", name)
		}
	}
}
