package kill

import (
	"fmt"
	"sync"
	"testing"

	"talkstack/test/program"
)

// node is one place where the program runs. It is started again after each kill, with the same settings.
type node struct {
	bin string
	env []string

	mu      sync.Mutex
	process *program.Process
}

// start runs the program and returns when it serves.
func (n *node) start(t testing.TB) {
	t.Helper()
	p := program.Serve(t, n.bin, n.env, "--log-level=error")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process = p
}

func (n *node) running() *program.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// kill ends the program at once, in the middle of whatever it does.
func (n *node) kill(t testing.TB) {
	t.Helper()
	n.running().Kill(t)
}

// address is where the program's API is now.
func (n *node) address() string { return n.running().URL }

// settings are the environment of a node: no speech models, because thousands of short calls need none.
func settings(t testing.TB, trunk string, ports int, more ...string) []string {
	t.Helper()
	return append([]string{
		"TALKSTACK_DATA_DIR=" + t.TempDir(), "TALKSTACK_MODELS_DIR=" + t.TempDir(), "TALKSTACK_HTTP_ADDR=127.0.0.1:0",
		"TALKSTACK_SIP_ADDR=127.0.0.1:0", fmt.Sprintf("TALKSTACK_RTP_PORTS=%d-%d", ports, ports+1999), "TALKSTACK_SIP_TRUNK=" + trunk,
		"TALKSTACK_MAX_CALLS=100", "TALKSTACK_ALLOW_PRIVATE_WEBHOOKS=true",
	}, more...)
}
