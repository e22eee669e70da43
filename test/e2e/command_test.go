package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"talkstack/internal/media"
	"talkstack/test/program"
)

// TestCommandLine runs the commands as people do, against a real server in development mode.
func TestCommandLine(t *testing.T) {
	bin, dataDir := program.Build(t), t.TempDir()
	p := launch(t, bin, dataDir, "")
	_, demo := p.client(t, dataDir)
	env := []string{
		"TALKSTACK_SERVER=" + p.URL, "TALKSTACK_API_KEY=" + demo.APIKey, "TALKSTACK_DATA_DIR=" + dataDir,
		"TALKSTACK_MODELS_DIR=" + modelsDir(t),
	}
	var run runner = func(t *testing.T, code int, args ...string) string {
		t.Helper()
		return command(t, bin, env, code, args...)
	}

	t.Run("phone call", func(t *testing.T) { testPhoneCall(t, run, "sip:"+demo.Number+"@"+p.SIP) })
	t.Run("phone call to nobody", func(t *testing.T) {
		if out := run(t, 1, "phone", "call", "sip:+15005550999@"+p.SIP, "--say", "Hello."); !strings.Contains(out, "404") {
			t.Errorf("the reason is not told:\n%s", out)
		}
	})
	t.Run("call", func(t *testing.T) {
		out := run(t, 0, "call", "+15005550002", "--var", "name=Anna")
		if !regexp.MustCompile(`(?m)^call CA[0-9a-f]{32}$`).MatchString(out) || !strings.Contains(out, "\nbusy\n") ||
			!strings.Contains(out, "ended by carrier: dial_busy. The line was busy (486") {
			t.Errorf("the course of the call is not told:\n%s", out)
		}
		if out := run(t, 1, "call", "12345"); !strings.Contains(out, "E.164") {
			t.Errorf("a bad number is not explained:\n%s", out)
		}
		if out := run(t, 1, "call", "+15005550002", "--key", "wrong"); strings.Contains(out, "call CA") {
			t.Errorf("a wrong key places calls:\n%s", out)
		}
	})
	t.Run("doctor", func(t *testing.T) { testDoctor(t, run, demo.APIKey) })
	t.Run("models check", func(t *testing.T) {
		if out := run(t, 0, "models", "check"); !strings.Contains(out, "are right") {
			t.Errorf("nothing is said of the files:\n%s", out)
		}
		if out := run(t, 1, "models", "check", "--models-dir", t.TempDir()); !strings.Contains(out, "talkstack models install") {
			t.Errorf("what to do without models is not said:\n%s", out)
		}
	})
	t.Run("version", func(t *testing.T) {
		if out := run(t, 0, "version"); !strings.HasPrefix(out, "talkstack ") || strings.Count(out, "\n") != 1 {
			t.Errorf("printed %q", out)
		}
	})
	t.Run("config describe", func(t *testing.T) {
		out := run(t, 0, "config", "describe")
		for _, name := range []string{"TALKSTACK_HTTP_ADDR", "TALKSTACK_SIP_TRUNK", "TALKSTACK_LLM", "OPENAI_BASE_URL", "127.0.0.1:5060"} {
			if !strings.Contains(out, name) {
				t.Errorf("%s is not described", name)
			}
		}
	})
	t.Run("mistakes", func(t *testing.T) {
		for _, args := range [][]string{{"sevre"}, {"serve", "--no-such-flag"}, {"serve", "--rtp-ports=9-1"}, {"phone", "call"}} {
			if out := run(t, 2, args...); !strings.Contains(out, "talkstack: ") {
				t.Errorf("%q: the mistake is not told:\n%s", args, out)
			}
		}
	})
}

// runner runs the program, which must exit with the code, and returns what it printed.
type runner func(t *testing.T, code int, args ...string) string

// testPhoneCall talks to an agent, and looks at what was printed and recorded.
func testPhoneCall(t *testing.T, run runner, uri string) {
	wav := filepath.Join(t.TempDir(), "call.wav")
	out := run(t, 0, "phone", "call", uri, "--say", "Thursday, please.", "--say", "At three o'clock.",
		"--stay", "1s", "--record", wav)
	heard := plain(out)
	wantWords(t, "the phone printed", heard, "answered", "which day|day", "thursday", "time|what")
	if !regexp.MustCompile(`(?m)^< .*[Dd]ay`).MatchString(out) || !strings.Contains(out, "> Thursday, please.\n") {
		t.Errorf("each side's words should be on lines of their own:\n%s", out)
	}
	b, err := os.ReadFile(wav)
	if err != nil {
		t.Fatal(err)
	}
	a, err := media.ReadWAV(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i, side := range []string{"other", "phone's own"} {
		if peak := loudest(a.Channel(i)); a.Channels != 2 || peak < 2000 {
			t.Errorf("the recording has %d channels, and the %s side's loudest sample is %d", a.Channels, side, peak)
		}
	}
}

// testDoctor asks for the state of a server without a carrier, and of one in development mode.
func testDoctor(t *testing.T, run runner, secret string) {
	// Without a carrier a part is not ready, and people are told what to do.
	out := run(t, 1, "doctor", "--http-addr=127.0.0.1:0", "--sip-addr=127.0.0.1:0", "--rtp-ports=44000-44099")
	for _, part := range []string{"database", "SIP port", "RTP ports", "models", "espeak-ng", "brain", "carrier"} {
		if !strings.Contains(out, part) {
			t.Errorf("nothing is said about %s:\n%s", part, out)
		}
	}
	if !strings.Contains(out, "TALKSTACK_SIP_TRUNK") {
		t.Errorf("what to do about the carrier is not said:\n%s", out)
	}
	out = run(t, 0, "doctor", "--dev", "--http-addr=127.0.0.1:0", "--sip-addr=127.0.0.1:0", "--rtp-ports=44000-44099")
	if strings.Contains(out, secret) {
		t.Error("a secret is printed")
	}
}

// commandLimit bounds a command: the longest talks for half a minute.
const commandLimit = 2 * time.Minute

// command runs the program, checks its exit code and returns all it printed.
func command(t *testing.T, bin string, env []string, code int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Errorf("talkstack %s: exit code %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

func loudest(pcm []int16) (peak int) {
	for _, s := range pcm {
		peak = max(peak, abs(s))
	}
	return peak
}

// launchPhone starts the program's own phone as another process, which answers and stays, and returns its address.
func launchPhone(t testing.TB, bin string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(bin, "phone", "answer", "--listen=127.0.0.1:0", "--stay=10m") //nolint:noctx // it is killed by hand
	cmd.Env = append(os.Environ(), "TALKSTACK_MODELS_DIR="+t.TempDir())               // deaf: it needs no recogniser
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`The phone is at sip:(\S+)\. `).FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() { //nolint:revive // the pipe must be emptied
				}
			}()
			return cmd, m[1]
		}
	}
	t.Fatal("the phone did not start")
	return nil, ""
}

// status is the HTTP status of a page; 0 when nobody answers.
func status(t testing.TB, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
