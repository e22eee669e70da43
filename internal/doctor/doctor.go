// Package doctor examines an installation: for each part it says whether it is ready and, if not, what to do. It changes
// nothing and works whether the server runs or not. It owns the examinations; the parts belong to others.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"talkstack/internal/config"
)

// State is how a part is.
type State string

// The states.
const (
	Ready    State = "ready"
	Limited  State = "limited"   // works, with something a person should know
	NotReady State = "not ready" // a call would fail
)

// Finding is what was found about one part.
type Finding struct {
	Part   string
	State  State
	Detail string
	Advice string // what to do; empty when nothing is to do
}

// limit bounds each examination: doctor answers within seconds even when everything is away.
const limit = 8 * time.Second

// Examine looks at every part, all at the same time, and reports in a fixed order.
func Examine(ctx context.Context, cfg config.Config) []Finding {
	e := &examination{cfg: cfg, http: &http.Client{Timeout: limit}}
	e.running = e.serverRuns(ctx)
	parts := []struct {
		name string
		look func(context.Context) Finding
	}{
		{"data folder", e.dataFolder},
		{"database", e.database},
		{"HTTP port", e.httpPort},
		{"SIP port", e.sipPort},
		{"RTP ports", e.rtpPorts},
		{"models", e.models},
		{"espeak-ng", e.espeak},
		{"brain", e.brain},
		{"carrier", e.carrier},
	}
	findings := make([]Finding, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			findings[i] = part.look(ctx)
			findings[i].Part = part.name
		})
	}
	wg.Wait()
	return findings
}

// Fit reports whether no part is NotReady.
func Fit(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.State == NotReady })
}

// Print writes the findings as a table, with the advice below the part it is for.
func Print(w io.Writer, findings []Finding) error {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-12s %-10s %s\n", f.Part, f.State, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(&b, "%-12s %-10s → %s\n", "", "", f.Advice)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// examination is one run over all parts.
type examination struct {
	cfg     config.Config
	http    *http.Client
	running bool // a talkstack server answers at the configured HTTP address
}

// serverRuns asks the configured HTTP address whether it is a server of ours.
func (e *examination) serverRuns(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(e.cfg.HTTPAddr)+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: time.Second}).Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	var health struct {
		Status  string `json:"status"`
		Version string `json:"version"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<10)).Decode(&health)
	return err == nil && health.Status == "ok" && health.Version != ""
}

func ready(format string, args ...any) Finding {
	return Finding{State: Ready, Detail: fmt.Sprintf(format, args...)}
}

func limited(advice, format string, args ...any) Finding {
	return Finding{State: Limited, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

func notReady(advice, format string, args ...any) Finding {
	return Finding{State: NotReady, Detail: fmt.Sprintf(format, args...), Advice: advice}
}
