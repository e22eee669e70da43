package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/config"
	"talkstack/internal/server"
	"talkstack/test/program"
)

// callLimit bounds every call of these tests: none of them talks for that long.
const callLimit = 4 * time.Minute

// modelsDir is where `make models` puts the speech models.
func modelsDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TALKSTACK_MODELS_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "data", "models")
	}
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
		t.Fatalf("the speech models are not installed: run `make models` (%v)", err)
	}
	return dir
}

// settings are those of a development server on free ports with a data folder of its own.
func settings(t testing.TB, dataDir string) config.Config {
	t.Helper()
	return config.Config{
		Folders: config.Folders{DataDir: dataDir, ModelsDir: modelsDir(t)},
		Dev:     true, HTTPAddr: "127.0.0.1:0", SIPAddr: "127.0.0.1:0", RTPPorts: config.PortRange{Low: 30000, High: 39999},
		ASR: config.Chain{{Name: "local"}}, TTS: config.Chain{{Name: "local"}}, LLM: config.Chain{{Name: "flow"}},
		DrainLimit: 20 * time.Second,
	}
}

// system is a running server with a client that is logged in as its demo account.
type system struct {
	*server.Server
	api  *client.Client
	demo *server.Demo
	url  string
}

func start(t testing.TB, cfg config.Config) *system {
	t.Helper()
	log := slog.New(slog.NewTextHandler(program.LogOf(t), &slog.HandlerOptions{Level: slog.LevelInfo}))
	s, err := server.Start(context.Background(), cfg, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Stop(ctx)
	})
	api, err := client.New(s.URL(), talkstack.Secret(s.Demo().APIKey), client.WithStrictAnswers())
	if err != nil {
		t.Fatal(err)
	}
	return &system{Server: s, api: api, demo: s.Demo(), url: s.URL()}
}

// place calls a number with the demo agent.
func (s *system) place(t testing.TB, number string) talkstack.CallSID {
	t.Helper()
	made, err := s.api.MakeCall(t.Context(), client.MakeCallRequest{
		Number: number, ProjectID: s.demo.ProjectID, AgentID: s.demo.AgentID, DynamicVariables: map[string]any{"name": "Anna"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sid := made.CallID
	return sid
}

// wait follows a call to its end.
func (s *system) wait(t testing.TB, sid talkstack.CallSID) client.V1Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	c, err := s.api.V1().Watch(ctx, sid, func(client.V1Call) {})
	if err != nil {
		t.Fatalf("call %s did not end: %v", sid, err)
	}
	return c
}

// transcript is what was said, and goes to the test's log.
func (s *system) transcript(t testing.TB, sid talkstack.CallSID) []client.Turn {
	t.Helper()
	turns, err := s.api.V1().GetTranscript(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	for _, turn := range turns {
		t.Logf("%6d-%6d %-5s %s", turn.Start, turn.End, turn.Role, turn.Text)
	}
	return turns
}

// ask sends a request with the demo key and decodes the answer.
func (s *system) ask(t testing.TB, method, path string, body, out any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := s.exchange(t, method, path, bytes.NewReader(b))
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d: %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// exchange sends a body as it is, with the demo key, and returns the status and the body of the answer.
func (s *system) exchange(t testing.TB, method, path string, body io.Reader) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-api-key", s.demo.APIKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// patchAgent changes the demo agent's settings.
func (s *system) patchAgent(t testing.TB, change map[string]any) {
	t.Helper()
	s.ask(t, http.MethodPatch, "/v1/agents/"+string(s.demo.AgentID), change, nil)
}

func expect(t testing.TB, c client.V1Call, status talkstack.CallStatus, party talkstack.Party, code talkstack.EndCode) {
	t.Helper()
	if c.EndReason == nil {
		t.Fatalf("call to %s ended %s without a reason", c.To, c.Status)
	}
	got := fmt.Sprintf("%s %s/%s", c.Status, c.EndReason.Party, c.EndReason.Code)
	if want := fmt.Sprintf("%s %s/%s", status, party, code); got != want {
		t.Errorf("call to %s ended %q (%s), want %q", c.To, got, c.EndReason.Message, want)
	}
}
