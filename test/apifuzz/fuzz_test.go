package apifuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"talkstack"
	"talkstack/internal/config"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/server"
	"talkstack/internal/store/storetest"
	"talkstack/test/program"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// requests is how many are sent to each database.
const requests = 10_000

//nolint:gochecknoglobals // a flag
var seed = flag.Uint64("apifuzz.seed", 0, "seed of the requests, to send the same again; 0: a new one")

func TestSQLite(t *testing.T) { fuzz(t, "") }

func TestPostgreSQL(t *testing.T) { fuzz(t, storetest.PostgreSQL(t)) }

func fuzz(t *testing.T, database string) {
	crm := hubspottest.New(time.Now)
	t.Cleanup(crm.Close)
	s := start(t, database, crm.URL())
	g := &generator{known: map[string][]string{}, key: s.Demo().APIKey, hub: crm.AddPortal(62515).PrivateToken()}
	number := *seed
	if number == 0 {
		number = rand.Uint64()
	}
	t.Logf("seed %d", number)
	g.Rand = rand.New(rand.NewPCG(number, 0))
	text := program.Download(t, s.URL()+"/openapi.json")
	var err error
	if g.doc, err = parse(text); err != nil {
		t.Fatal(err)
	}
	operations := g.doc.operations()
	if len(operations) < 90 {
		t.Fatalf("the document has %d operations only", len(operations))
	}
	check := validatorOf(t, text)
	demo := s.Demo()
	g.home = map[string]string{
		"projectId": string(demo.ProjectID), "project_id": string(demo.ProjectID), "agentId": string(demo.AgentID), "agent_id": string(demo.AgentID),
	}
	answers, failures := map[int]int{}, 0
	answered := map[string]bool{} // operations with a success
	for i := range requests {
		op := g.choose(operations, i > requests*2/3)
		status, ok := exchange(t, s.URL(), g, check, op)
		answers[status]++
		if status/100 == 2 {
			answered[op.Method+" "+op.Path] = true
		}
		if !ok {
			if failures++; failures == 20 {
				t.Fatalf("too many failures after %d requests", i+1)
			}
		}
	}
	var never []string
	for _, op := range operations {
		if name := op.Method + " " + op.Path; !answered[name] {
			never = append(never, name)
		}
	}
	t.Logf("%d requests to %d operations: answers %v; never answered with success: %v", requests, len(operations), answers, never)
	if len(answered) < len(operations)*3/4 {
		t.Errorf("only %d of %d operations were ever answered with success: the requests do not go deep enough", len(answered), len(operations))
	}
}

// choose takes an operation. Those that hash passwords are slow on purpose, and those that destroy come late: they leave
// little for others.
func (g *generator) choose(operations []operation, late bool) operation {
	for {
		op := pick(g, operations...)
		switch {
		case op.Method == http.MethodDelete && !late:
		case strings.HasPrefix(op.Path, "/auth/") && !g.chance(25):
		default:
			return op
		}
	}
}

// exchange sends one request and checks its answer.
func exchange(t *testing.T, base string, g *generator, check validator.Validator, op operation) (status int, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, body := g.request(base, op)
	req = req.WithContext(ctx)
	resp, err := http.DefaultTransport.RoundTrip(req) // redirects are answers too
	if err != nil {
		t.Errorf("%s %s: %v", op.Method, req.URL, err)
		return 0, false
	}
	defer func() { _ = resp.Body.Close() }()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/event-stream" {
		return resp.StatusCode, resp.StatusCode == http.StatusOK // it goes on as long as its call does
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: the answer breaks off: %v", op.Method, req.URL, err)
		return resp.StatusCode, false
	}
	fail := func(what string) (int, bool) {
		t.Errorf("%s %s\n%s: %.2000q\nanswer %d: %.2000s\n%s", op.Method, req.URL, req.Header.Get("Content-Type"), body, resp.StatusCode, answer, what)
		return resp.StatusCode, false
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fail("a server error")
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	req.Body = io.NopCloser(bytes.NewReader(body))
	if known(op, resp.StatusCode) {
		if valid, faults := check.ValidateHttpResponse(req, resp); !valid {
			var text strings.Builder
			for _, f := range faults {
				text.WriteString(f.Error() + "\n")
				for _, s := range f.SchemaValidationErrors {
					text.WriteString("  " + s.Error() + "\n")
				}
			}
			return fail("is not what the document says:\n" + text.String())
		}
	}
	var v any
	if resp.StatusCode/100 == 2 && json.Unmarshal(answer, &v) == nil {
		g.learn(op.Path, v)
	}
	return resp.StatusCode, true
}

// known is false where a made-up path has left its operation: a slash in an id, decoded, is another path.
func known(op operation, status int) bool {
	return !strings.Contains(op.Path, "{") || !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently}, status)
}

func start(t *testing.T, database, crm string) *server.Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(program.LogOf(t), &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := server.Start(context.Background(), config.Config{
		Folders: config.Folders{DataDir: t.TempDir(), ModelsDir: filepath.Join(t.TempDir(), "none")}, DatabaseURL: talkstack.Secret(database),
		Dev: true, HTTPAddr: "127.0.0.1:0", SIPAddr: "127.0.0.1:0", RTPPorts: config.PortRange{Low: 50000, High: 51999},
		ASR: config.Chain{{Name: "local"}}, TTS: config.Chain{{Name: "local"}}, LLM: config.Chain{{Name: "flow"}},
		DrainLimit: time.Second, MaxCalls: 4, HubSpotBaseURL: crm,
	}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Stop(ctx)
	})
	return s
}

func validatorOf(t *testing.T, text []byte) validator.Validator {
	t.Helper()
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	v, faults := validator.NewValidator(doc)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return v
}
