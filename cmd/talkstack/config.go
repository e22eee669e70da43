package main

import "talkstack/internal/config"

type configCommand struct {
	Describe configDescribe `cmd:"" help:"Print every setting with its type, default and meaning."`
}

type configDescribe struct {
	Format string `enum:"text,markdown" default:"text" help:"Form: text or markdown."`
}

// Run prints the settings.
func (d *configDescribe) Run(c *console) error {
	if d.Format == "markdown" {
		return config.DescribeMarkdown(c.out)
	}
	return config.Describe(c.out)
}
