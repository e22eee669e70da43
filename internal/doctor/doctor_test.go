package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/config"
	"talkstack/internal/doctor"
	"talkstack/internal/store"
)

// settings are those of a machine where nothing is installed and nothing runs.
func settings(t *testing.T) config.Config {
	t.Helper()
	return config.Config{
		Folders:  config.Folders{DataDir: filepath.Join(t.TempDir(), "data")},
		HTTPAddr: "127.0.0.1:0",
		SIPAddr:  "127.0.0.1:0",
		RTPPorts: config.PortRange{Low: 46000, High: 46019},
		LLM:      config.Chain{{Name: config.ProviderFlow}},
	}
}

// part examines cfg and returns what was found about one part.
func part(t *testing.T, cfg config.Config, name string) doctor.Finding {
	t.Helper()
	findings := doctor.Examine(t.Context(), cfg)
	for _, f := range findings {
		if f.Part == name {
			if f.State == doctor.NotReady && (f.Advice == "" || doctor.Fit(findings)) {
				t.Errorf("%s is not ready, without advice or without failing: %+v", name, f)
			}
			return f
		}
	}
	t.Fatalf("nothing was found about %s", name)
	return doctor.Finding{}
}

func expect(t *testing.T, f doctor.Finding, state doctor.State, detail string) {
	t.Helper()
	if f.State != state || !strings.Contains(f.Detail, detail) {
		t.Errorf("%s is %s: %s; want %s: …%s…", f.Part, f.State, f.Detail, state, detail)
	}
}

func TestAFreshMachine(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	expect(t, part(t, cfg, "data folder"), doctor.Ready, "will be made")
	expect(t, part(t, cfg, "database"), doctor.Ready, "will be made")
	expect(t, part(t, cfg, "SIP port"), doctor.Ready, "free")
	expect(t, part(t, cfg, "brain"), doctor.Ready, "no language model")
	expect(t, part(t, cfg, "models"), doctor.NotReady, "missing")
	expect(t, part(t, cfg, "carrier"), doctor.NotReady, "nowhere to go")
	cfg.Dev = true
	expect(t, part(t, cfg, "carrier"), doctor.Ready, "test phone")
	if entries, err := os.ReadDir(filepath.Dir(cfg.DataDir)); err != nil || len(entries) > 0 {
		t.Errorf("examining left %v behind, error %v", entries, err)
	}
}

func TestPortsThatOthersHave(t *testing.T) {
	t.Parallel()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	cfg := settings(t)
	cfg.SIPAddr = conn.LocalAddr().String()
	cfg.HTTPAddr = strings.TrimPrefix(stranger.URL, "http://")
	expect(t, part(t, cfg, "SIP port"), doctor.NotReady, "taken by another program")
	expect(t, part(t, cfg, "HTTP port"), doctor.NotReady, "taken by another program")
	cfg.SIPAddr = "192.0.2.1:5060" // a documentation address (RFC 5737): never this machine's
	expect(t, part(t, cfg, "SIP port"), doctor.NotReady, "not an address of this machine")
	expect(t, part(t, cfg, "RTP ports"), doctor.NotReady, "none of")
}

func TestPortsOfOurOwnServer(t *testing.T) {
	t.Parallel()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ours := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			fmt.Fprint(w, `{"status":"ok","version":"1"}`)
		}
	}))
	defer ours.Close()
	cfg := settings(t)
	cfg.HTTPAddr, cfg.SIPAddr = strings.TrimPrefix(ours.URL, "http://"), conn.LocalAddr().String()
	expect(t, part(t, cfg, "HTTP port"), doctor.Ready, "a talkstack server is running")
	expect(t, part(t, cfg, "SIP port"), doctor.Ready, "in use by the running server")
	cfg.SIPAddr = "127.0.0.1:0"
	expect(t, part(t, cfg, "SIP port"), doctor.Limited, "another SIP address")
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{Path: cfg.DatabasePath()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, part(t, cfg, "database"), doctor.Ready, "answers") // while its owner holds the lock
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, part(t, cfg, "database"), doctor.Ready, "answers")
	if err := os.WriteFile(cfg.DatabasePath(), []byte(strings.Repeat("not a database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, part(t, cfg, "database"), doctor.NotReady, cfg.DatabasePath())
	cfg.DatabaseURL = "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1"
	f := part(t, cfg, "database")
	expect(t, f, doctor.NotReady, "PostgreSQL")
	if strings.Contains(f.Detail+f.Advice, "hunter2") {
		t.Errorf("the password is shown: %+v", f)
	}
}

func TestLanguageModels(t *testing.T) {
	t.Parallel()
	answers := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" || r.Header.Get("Authorization") != "Bearer sk-hunter2" {
			t.Errorf("asked for %s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		w.WriteHeader(answers)
	}))
	defer server.Close()
	cfg := settings(t)
	cfg.OpenAIAPIKey, cfg.OpenAIBaseURL = "sk-hunter2", server.URL
	cfg.LLM = config.Chain{{Name: config.ProviderOpenAI, Model: "m"}}
	expect(t, part(t, cfg, "brain"), doctor.Ready, "openai/m at ")
	answers = http.StatusUnauthorized
	expect(t, part(t, cfg, "brain"), doctor.NotReady, "refuses the key")
	cfg.OpenAIBaseURL = "http://127.0.0.1:1"
	expect(t, part(t, cfg, "brain"), doctor.NotReady, "nothing answers")
}

func TestCarriers(t *testing.T) {
	t.Parallel()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	go func() { // answers one OPTIONS request
		defer close(asked)
		buf := make([]byte, 2000)
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo([]byte("SIP/2.0 405 Method Not Allowed\r\n\r\n"), from)
		asked <- string(buf[:n])
	}()
	cfg := settings(t)
	cfg.SIPTrunk = talkstack.Secret("sip:u:hunter2@" + conn.LocalAddr().String())
	expect(t, part(t, cfg, "carrier"), doctor.Ready, "405 Method Not Allowed")
	if request := <-asked; !strings.HasPrefix(request, "OPTIONS sip:127.0.0.1:") || !strings.HasSuffix(request, "\r\n\r\n") || strings.Contains(request, "hunter2") {
		t.Errorf("the carrier was asked %q", request)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, part(t, cfg, "carrier"), doctor.Limited, "did not answer")
	cfg.SIPTrunk = "sip:host;transport=tls"
	expect(t, part(t, cfg, "carrier"), doctor.NotReady, "tls")
}

func TestPrintPutsAdviceBelowItsPart(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := doctor.Print(&out, []doctor.Finding{
		{Part: "database", State: doctor.Ready, Detail: "answers"},
		{Part: "models", State: doctor.NotReady, Detail: "missing", Advice: "install them"},
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err != nil || len(lines) != 3 || !strings.Contains(lines[2], "→ install them") {
		t.Errorf("printed %q, error %v", out.String(), err)
	}
}
