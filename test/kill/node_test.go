package kill

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
)

// buildBinary builds the real program.
func buildBinary(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "talkstack")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "talkstack/cmd/talkstack")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// node is one place where the program runs. It is started again after each kill, with the same settings.
type node struct {
	bin string
	env []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	url  string
}

// start runs the program and returns when it serves.
func (n *node) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(n.bin, "serve", "--log-level=error") //nolint:noctx // it is killed by hand
	cmd.Env = append(os.Environ(), n.env...)
	cmd.Stderr = testLog{t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`^\s+API\s+(\S+)`)
	url := ""
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
	}
	if url == "" {
		t.Fatalf("the program did not start: %v", cmd.Wait())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() { //nolint:revive // the pipe must be emptied
		}
		_ = cmd.Wait() // it was killed
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd, n.done, n.url = cmd, done, url
}

// kill ends the program at once, in the middle of whatever it does.
func (n *node) kill(t testing.TB) {
	t.Helper()
	n.mu.Lock()
	cmd, done := n.cmd, n.done
	n.mu.Unlock()
	select {
	case <-done:
		t.Fatal("the program had ended by itself")
	default:
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-done
}

// address is where the program's API is now.
func (n *node) address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.url
}

// settings are the environment of a node: no speech models, because thousands of short calls need none.
func settings(t testing.TB, trunk string, ports int, more ...string) []string {
	t.Helper()
	return append([]string{
		"TALKSTACK_DATA_DIR=" + t.TempDir(), "TALKSTACK_MODELS_DIR=" + t.TempDir(), "TALKSTACK_HTTP_ADDR=127.0.0.1:0",
		"TALKSTACK_SIP_ADDR=127.0.0.1:0", fmt.Sprintf("TALKSTACK_RTP_PORTS=%d-%d", ports, ports+1999), "TALKSTACK_SIP_TRUNK=" + trunk,
		"TALKSTACK_MAX_CALLS=100", "TALKSTACK_ALLOW_PRIVATE_WEBHOOKS=true",
	}, more...)
}

// testLog sends the program's log to the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}
