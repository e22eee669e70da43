package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Setting documents one setting.
type Setting struct {
	Flag    string // "--http-addr"
	Env     string // "TALKSTACK_HTTP_ADDR"; empty: by flag alone
	Key     string // key in the settings file: "http_addr"; empty: not there
	Type    string // "HOST:PORT", "true or false", "one of text, json"
	Default string // empty: none
	Secret  bool   // its value is never printed
	Doc     string
}

// Settings are all settings, in the order of Config.
func Settings() []Setting {
	var all []Setting
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		tag := f.Tag
		if tag.Get("name") == "" {
			continue // not a setting
		}
		s := Setting{
			Flag:    "--" + tag.Get("name"),
			Env:     tag.Get(envTag),
			Type:    typeOf(f),
			Default: tag.Get("default"),
			Secret:  f.Type.Name() == "Secret",
			Doc:     tag.Get("help"),
		}
		if s.Env != "" && f.Name != "File" {
			s.Key = fileKey(tag.Get("name"))
		}
		all = append(all, s)
	}
	return all
}

// keys are the settings file's keys.
func keys() []string {
	var all []string
	for _, s := range Settings() {
		if s.Key != "" {
			all = append(all, s.Key)
		}
	}
	return all
}

func typeOf(f reflect.StructField) string {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case f.Tag.Get("enum") != "":
		return "one of " + strings.ReplaceAll(f.Tag.Get("enum"), ",", ", ")
	case t.Kind() == reflect.Bool:
		return "true or false"
	case f.Tag.Get("placeholder") != "":
		return f.Tag.Get("placeholder")
	}
	return t.String()
}

// Describe prints every setting as plain text.
func Describe(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A setting is looked for in this order: flag, environment variable, settings file (%s or --config), default.\n", DefaultFile)
	for _, s := range Settings() {
		name := s.Env
		if name == "" {
			name = s.Flag
		}
		fmt.Fprintf(&b, "\n%s\n", name)
		fmt.Fprintf(&b, "    flag %s", s.Flag)
		if s.Key != "" {
			fmt.Fprintf(&b, ", file key %s", s.Key)
		}
		fmt.Fprintf(&b, "\n    type %s", s.Type)
		if s.Secret {
			b.WriteString(", secret")
		}
		if s.Default != "" {
			fmt.Fprintf(&b, ", default %s", s.Default)
		}
		fmt.Fprintf(&b, "\n    %s\n", s.Doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// DescribeMarkdown prints every setting as the page docs/configuration.md.
func DescribeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Settings\n\n")
	b.WriteString("<!-- Made by `make generate` from internal/config; edits here are lost. -->\n\n")
	b.WriteString("A setting is looked for in this order: flag, environment variable (set and not empty), settings file, default.\n")
	fmt.Fprintf(&b, "The settings file is `%s` in the working directory, or the one that `--config` names; it is flat YAML:\n\n", DefaultFile)
	b.WriteString("```yaml\nhttp_addr: 0.0.0.0:8080\nllm: [openai/gpt-5-mini, flow]\n```\n\n")
	b.WriteString("Secrets are better given as environment variables than as flags, which other users of the machine can see.\n\n")
	b.WriteString("| Variable | Flag | File key | Type | Default | Meaning |\n|---|---|---|---|---|---|\n")
	for _, s := range Settings() {
		typ := s.Type
		if s.Secret {
			typ += " (secret)"
		}
		cells := []string{code(s.Env), code(s.Flag), code(s.Key), typ, code(s.Default), s.Doc}
		for i, c := range cells {
			cells[i] = strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(c)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
