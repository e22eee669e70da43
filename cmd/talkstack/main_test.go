package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// invoke runs the program with arguments and environment, as a shell would.
func invoke(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, fault strings.Builder
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	code = run(context.Background(), args, &console{out: &out, err: &fault, lookup: lookup})
	return code, out.String(), fault.String()
}

func TestHelpListsTheDocumentedCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}} {
		code, out, _ := invoke(t, nil, args...)
		if code != exitOK {
			t.Errorf("%v: exit code %d", args, code)
		}
		for _, command := range []string{"serve", "migrate", "doctor", "models install", "models list", "call", "config describe", "version"} {
			if !strings.Contains(out, "\n  "+command) {
				t.Errorf("%v: help lacks %q:\n%s", args, command, out)
			}
		}
	}
}

func TestUnknownCommandsAndSettingsAreUsageErrors(t *testing.T) {
	t.Parallel()
	code, _, fault := invoke(t, nil, "serv")
	if code != exitBadUsage || !strings.Contains(fault, "talkstack --help") {
		t.Errorf("exit code %d, said %q", code, fault)
	}
	code, _, fault = invoke(t, map[string]string{"TALKSTACK_TTS": "elevenlabs"}, "serve")
	if code != exitBadUsage || !strings.Contains(fault, "TALKSTACK_TTS: elevenlabs is not supported") {
		t.Errorf("exit code %d, said %q", code, fault)
	}
}

func TestVersionNamesItself(t *testing.T) {
	t.Parallel()
	code, out, _ := invoke(t, nil, "version")
	if code != exitOK || !strings.HasPrefix(out, "talkstack "+version+" (commit "+commit) {
		t.Errorf("exit code %d, printed %q", code, out)
	}
}

func TestConfigDescribePrintsTheSettings(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"config", "describe"}, {"config", "describe", "--format=markdown"}} {
		code, out, fault := invoke(t, nil, args...)
		if code != exitOK || !strings.Contains(out, "TALKSTACK_SIP_TRUNK") {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, fault)
		}
	}
}

func TestMigrateIsRepeatable(t *testing.T) {
	t.Parallel()
	env := map[string]string{"TALKSTACK_DATA_DIR": filepath.Join(t.TempDir(), "data"), "TALKSTACK_LOG_LEVEL": "error"}
	for _, want := range []string{"went from schema 0", "already"} {
		code, out, fault := invoke(t, env, "migrate")
		if code != exitOK || !strings.Contains(out, want) {
			t.Fatalf("exit code %d, printed %q, said %q; want %q", code, out, fault, want)
		}
	}
}

func TestModelsListSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, out, fault := invoke(t, nil, "models", "list", "--dir", dir)
	if code != exitOK || !strings.Contains(out, "MIT") || !strings.Contains(out, "talkstack models install") {
		t.Errorf("list: exit code %d, printed %q, said %q", code, out, fault)
	}
	code, out, fault = invoke(t, nil, "models", "check", "--dir", dir)
	if code != exitFailed || !strings.Contains(out, "is missing") || !strings.Contains(fault, "models install") {
		t.Errorf("check: exit code %d, printed %q, said %q", code, out, fault)
	}
}

func TestDoctorFailsWhereSomethingIsNotReady(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"TALKSTACK_DATA_DIR":  t.TempDir(),
		"TALKSTACK_HTTP_ADDR": "127.0.0.1:0",
		"TALKSTACK_SIP_ADDR":  "127.0.0.1:0",
		"TALKSTACK_RTP_PORTS": "45000-45009",
	}
	code, out, _ := invoke(t, env, "doctor")
	if code != exitFailed {
		t.Errorf("exit code %d without models and carrier:\n%s", code, out)
	}
	for _, part := range []string{"database", "SIP port", "RTP ports", "models", "espeak-ng", "brain", "carrier"} {
		if !strings.Contains(out, part) {
			t.Errorf("nothing is said about %s:\n%s", part, out)
		}
	}
}

func TestCallFollowsACallToItsEnd(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /project", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"id":"p1","name":"Demo"}]}`)
	})
	mux.HandleFunc("POST /call/makeCall", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			ProjectID        string
			DynamicVariables map[string]string
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.ProjectID != "p1" || req.DynamicVariables["name"] != "Anna; and Bert" {
			t.Errorf("request %+v, error %v", req, err)
		}
		fmt.Fprint(w, `{"call":{"call_id":"CA1"}}`)
	})
	mux.HandleFunc("GET /v1/calls/CA1", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"sid":"CA1","status":"completed","end_reason":{"party":"agent","code":"agent_hangup","message":"Done."},"recording_url":"http://h/r?a=1&b=2"}`)
	})
	mux.HandleFunc("GET /v1/calls/CA1/transcript", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"role":"agent","text":"Hello.","start_ms":500}]}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	env := map[string]string{"TALKSTACK_API_KEY": "k", "TALKSTACK_SERVER": server.URL}
	code, out, fault := invoke(t, env, "call", "+15005550001", "--var", "name=Anna; and Bert")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, fault)
	}
	for _, want := range []string{"call CA1\n", "completed\n", "ended by agent: agent_hangup. Done.\n", "0.50 s  agent  Hello.\n", "recording http://h/r?a=1&b=2\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	code, _, fault = invoke(t, nil, "call", "+15005550001")
	if code != exitFailed || !strings.Contains(fault, "TALKSTACK_API_KEY") {
		t.Errorf("without a key: exit code %d, said %q", code, fault)
	}
}

func TestASecondStartTellsThatThePortIsTaken(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	env := map[string]string{
		"TALKSTACK_DATA_DIR":  t.TempDir(),
		"TALKSTACK_HTTP_ADDR": strings.TrimPrefix(taken.URL, "http://"),
		"TALKSTACK_SIP_ADDR":  "127.0.0.1:0",
		"TALKSTACK_LOG_LEVEL": "error",
	}
	code, _, fault := invoke(t, env, "serve")
	if code != exitFailed || !strings.Contains(fault, env["TALKSTACK_HTTP_ADDR"]) {
		t.Errorf("exit code %d, said %q", code, fault)
	}
	if _, err := os.Stat(filepath.Join(env["TALKSTACK_DATA_DIR"], "talkstack.db")); err != nil {
		t.Errorf("the database was not left in place: %v", err)
	}
}
