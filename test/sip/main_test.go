// Package sip_test holds internal/sip against SIP peers that nobody here wrote: SIPp, with the scenarios in this folder,
// and baresip. All of it runs in network namespaces of its own, which needs root and Linux; nothing is skipped in
// silence, and the last line says how many tests ran.
//
// The test binary starts itself again inside the first of two namespaces. There SIPp is reached over loopback, and
// baresip, which lives in the second, over a virtual cable: it takes no calls on loopback.
package sip_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	insideVar  = "TALKSTACK_TEST_SIP_NAMESPACE" // the second namespace's name; set in the binary that runs the tests
	noPeersVar = "TALKSTACK_TEST_NO_PEERS"
	namePrefix = "talkstack-"

	ourAddr  = "10.213.0.1"
	peerAddr = "10.213.0.2"

	tests = 26 + 6 // SIPp and baresip, for the message that they were not run
)

//nolint:gochecknoglobals // what TestMain prints
var sippRan, baresipRan atomic.Int64

func TestMain(m *testing.M) {
	if os.Getenv(insideVar) != "" {
		code := m.Run()
		fmt.Printf("peers: sipp %d ran, baresip %d ran\n", sippRan.Load(), baresipRan.Load())
		os.Exit(code)
	}
	if os.Getenv(noPeersVar) == "1" {
		fmt.Printf("peers: %d tests against sipp and baresip were NOT RUN, because %s=1 is set\n", tests, noPeersVar)
		os.Exit(0)
	}
	code, err := outside()
	if err != nil {
		fmt.Printf("peers: cannot run: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// outside makes the namespaces, runs this binary in the first, and takes both away again.
func outside() (int, error) {
	if err := check(); err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sweep(ctx)
	a, b := fmt.Sprintf("%sa-%d", namePrefix, os.Getpid()), fmt.Sprintf("%sb-%d", namePrefix, os.Getpid())
	defer remove(context.WithoutCancel(ctx), a, b)
	for _, line := range []string{
		"netns add " + a, "netns add " + b,
		"-n " + a + " link add cable type veth peer name cable netns " + b,
		"-n " + a + " addr add " + ourAddr + "/30 dev cable", "-n " + b + " addr add " + peerAddr + "/30 dev cable",
		"-n " + a + " link set lo up", "-n " + a + " link set cable up",
		"-n " + b + " link set lo up", "-n " + b + " link set cable up",
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("ip %s: %w: %s (network namespaces need root and CAP_NET_ADMIN)", line, err, out)
		}
	}
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", a, self}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideVar+"="+b)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
}

// check says what is missing, and how to get it.
func check() error {
	var missing []string
	for tool, pkg := range map[string]string{"sipp": "sip-tester", "baresip": "baresip-core", "ip": "iproute2"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("install the peers with: apt-get install -y --no-install-recommends %s (or set %s=1 to leave %d tests out)",
			strings.Join(missing, " "), noPeersVar, tests)
	case os.Geteuid() != 0:
		return fmt.Errorf("network namespaces need root: run as root, or set %s=1 to leave %d tests out", noPeersVar, tests)
	}
	return nil
}

// sweep takes away the namespaces of runs that were killed.
func sweep(ctx context.Context) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "list").Output()
	if err != nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, namePrefix)
		_, id, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(id)
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			remove(ctx, name)
		}
	}
}

func remove(ctx context.Context, names ...string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, name := range names {
		_ = exec.CommandContext(ctx, "ip", "netns", "delete", name).Run()
	}
}
