package main

import (
	"context"

	"talkstack/internal/config"
	"talkstack/internal/doctor"
)

type doctorCommand struct {
	config.Config
}

// Run examines each part. The exit code is 1 when one is not ready.
func (d *doctorCommand) Run(ctx context.Context, c *console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	findings := doctor.Examine(ctx, d.Config)
	if err := doctor.Print(c.out, findings); err != nil {
		return err
	}
	if !doctor.Fit(findings) {
		return errTold
	}
	return nil
}
