package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// DefaultFile is the settings file that is read when it is there and no other is named.
const DefaultFile = "talkstack.yaml"

// envTag is the struct tag that names a setting's environment variable. It is not kong's own `env`, because kong
// takes an empty variable for a value, lets the settings file win over the environment, and prints values in errors.
const envTag = "envar"

// Options make a kong parser read settings from the environment and the settings file too, and show the variables'
// names in its help. lookup is os.LookupEnv outside of tests.
func Options(lookup func(string) (string, bool)) []kong.Option {
	return []kong.Option{
		kong.Resolvers(&source{lookup: lookup}),
		kong.ValueFormatter(func(v *kong.Value) string {
			if env := v.Tag.Get(envTag); env != "" {
				return strings.TrimSpace(v.Help + " ($" + env + ")")
			}
			return v.Help
		}),
	}
}

// source finds a setting's value in the environment, then in the settings file.
type source struct {
	lookup func(string) (string, bool)
	file   map[string]string // by key; nil until read
}

// Validate has nothing to say: what the file holds is checked when it is read.
func (*source) Validate(*kong.Application) error { return nil }

// Resolve is the value of one flag that was not given on the command line, nil when it is set nowhere.
func (s *source) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if env := flag.Tag.Get(envTag); env != "" {
		if v, ok := s.lookup(env); ok && v != "" {
			return v, nil
		}
	} else {
		return nil, nil //nolint:nilnil // not a setting; kong's way to say "not set here"
	}
	if flag.Name == "config" {
		return nil, nil //nolint:nilnil // a file does not name itself
	}
	if s.file == nil {
		if err := s.read(ctx); err != nil {
			return nil, err
		}
	}
	if v, ok := s.file[fileKey(flag.Name)]; ok {
		return v, nil
	}
	return nil, nil //nolint:nilnil // kong's way to say "not set here"
}

// read loads the settings file that --config or TALKSTACK_CONFIG names, or the default one.
func (s *source) read(ctx *kong.Context) error {
	name, named := s.fileName(ctx)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		s.file = map[string]string{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("settings file: %w", err)
	}
	if s.file, err = parseFile(text); err != nil {
		return fmt.Errorf("settings file %s: %w", name, err)
	}
	return nil
}

func (s *source) fileName(ctx *kong.Context) (name string, named bool) {
	for _, flag := range ctx.Flags() {
		if flag.Name != "config" {
			continue
		}
		if v, ok := ctx.FlagValue(flag).(string); ok && v != "" {
			return v, true
		}
	}
	if v, ok := s.lookup("TALKSTACK_CONFIG"); ok && v != "" {
		return v, true
	}
	return DefaultFile, false
}

// parseFile reads a flat YAML mapping of settings. Values are taken as they are written; a list is joined by commas.
// A key that is no setting is an error, so that a misspelt one does not silently stay at its default.
func parseFile(text []byte) (map[string]string, error) {
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, fmt.Errorf("it is not a YAML mapping of settings: %w", err)
	}
	known := keys()
	values := make(map[string]string, len(nodes))
	for key, node := range nodes {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("line %d: %q is not a setting; `talkstack config describe` lists them all", node.Line, clip(key))
		}
		v, err := scalar(&node)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", node.Line, key, err)
		}
		if v != "" {
			values[key] = v
		}
	}
	return values, nil
}

func scalar(node *yaml.Node) (string, error) {
	switch {
	case node.Kind == yaml.AliasNode:
		return scalar(node.Alias)
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return "", nil
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil
	case node.Kind == yaml.SequenceNode:
		parts := make([]string, len(node.Content))
		for i, n := range node.Content {
			if n.Kind != yaml.ScalarNode {
				return "", errors.New("a list here holds plain values alone")
			}
			parts[i] = n.Value
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("a setting is a plain value or a list of them")
}

// fileKey is the key of a flag in the settings file.
func fileKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }
