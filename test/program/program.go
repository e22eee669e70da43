// Package program runs the real program as another process, as its users do, for the tests that kill it, and a phone that
// outlives it. What the program is asked to do, and what must have come of it, is theirs.
package program

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// Build builds the program into a folder of the test's and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "talkstack")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "talkstack/cmd/talkstack")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// Process is a running `talkstack serve`.
type Process struct {
	URL string // of the API
	SIP string // address of the SIP socket

	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; set before done is closed
}

// Serve starts `talkstack serve` with more arguments and more environment than the test's own, and returns when it
// is ready. It is killed when the test ends.
func Serve(t testing.TB, bin string, env []string, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"serve"}, args...)...) //nolint:noctx // it is killed by hand
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = LogOf(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	address := regexp.MustCompile(`^\s+(API|SIP)\s+(\S+)`)
	lines := bufio.NewScanner(out)
	for (p.URL == "" || p.SIP == "") && lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil && m[1] == "API" {
			p.URL = m[2]
		} else if m != nil {
			p.SIP = m[2]
		}
	}
	if p.URL == "" || p.SIP == "" {
		t.Fatalf("the program did not start: %v", cmd.Wait())
	}
	go func() {
		defer close(p.done)
		for lines.Scan() { //nolint:revive // the pipe must be emptied
		}
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error: it has ended
		<-p.done
	})
	return p
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the program at once, in the middle of whatever it does. It must not have ended before.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("the program had ended by itself: %v", p.err)
	default:
	}
	p.Signal(t, syscall.SIGKILL)
	<-p.done
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the program's end and returns how it ended, as exec.Cmd.Wait does.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// LogOf is a writer to the test's log.
func LogOf(t testing.TB) io.Writer { return logWriter{t} }

type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimRight(p, "\n"))
	return len(p), nil
}
