package main

import (
	"fmt"
	"runtime"

	"talkstack/internal/onnx"
)

// Set by the linker: see the Makefile.
//
//nolint:gochecknoglobals // the linker can set package variables alone
var (
	version = "development"
	commit  = "unknown"
)

type versionCommand struct{}

// Run prints the version, the commit it was built from, and what it was built with.
func (versionCommand) Run(c *console) error {
	speech := "with local speech"
	if !onnx.Built {
		speech = "without local speech"
	}
	_, err := fmt.Fprintf(c.out, "talkstack %s (commit %s, %s %s/%s, %s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, speech)
	return err
}
