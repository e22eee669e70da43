// Command testcount runs `go test` once for each group of arguments, shows what a person wants to see of it (a line for
// each package, the output of what failed, what was skipped and why, slow tests), and closes with the counts of all groups.
// Usage: testcount -- ARGS… [-- ARGS…]. It fails when one of the runs fails.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// runLimit bounds one run, building included, beyond what go test's own -timeout bounds.
const runLimit = 60 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := false
	report := newReport(os.Stdout)
	for _, args := range groups(os.Args[1:]) {
		if err := test(ctx, args, report); err != nil {
			fmt.Fprintln(os.Stdout, "go test:", err)
			failed = true
		}
	}
	report.close()
	if failed || report.failed > 0 {
		os.Exit(1)
	}
}

// groups splits arguments at each "--".
func groups(args []string) [][]string {
	var all [][]string
	for _, a := range args {
		switch {
		case a == "--":
			all = append(all, nil)
		case len(all) > 0:
			all[len(all)-1] = append(all[len(all)-1], a)
		}
	}
	return all
}

// test runs go test once and feeds its events to the report.
func test(ctx context.Context, args []string, report *report) error {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // go test then ends its children
	cmd.WaitDelay = 15 * time.Second
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := report.read(out)
	_, _ = io.Copy(io.Discard, out) // so that go test never waits for us
	err = cmd.Wait()
	if faults.Len() > 0 {
		fmt.Fprint(os.Stdout, faults.String())
	}
	return errors.Join(err, readErr)
}
