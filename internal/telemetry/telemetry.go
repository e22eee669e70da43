// Package telemetry sets up logging and metrics: the process's logger and the Prometheus registry. What is logged and
// counted belongs to the parts that log and count; they are given what is made here.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewLogger makes a logger that writes lines of at least the given level (debug, info, warn, error) in the given
// format (text, json).
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is neither text nor json", format)
}

// prefix starts the name of every metric of ours. The Go runtime's and the process's keep their well-known names.
const prefix = "talkstack_"

// Metrics is where parts register what they count, and what /metrics shows.
type Metrics struct {
	prometheus.Registerer // puts the prefix talkstack_ before each name
	prometheus.Gatherer   // everything, with go_ and process_ metrics
}

// NewMetrics makes an empty registry with the Go runtime, the process and the build information in it.
func NewMetrics(version string) Metrics {
	registry := prometheus.NewRegistry()
	ours := prometheus.WrapRegistererWithPrefix(prefix, registry)
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "build_info",
		Help:        "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	ours.MustRegister(build)
	return Metrics{Registerer: ours, Gatherer: registry}
}
