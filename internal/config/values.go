package config

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is a range of UDP ports, both ends included. Its text form is "20000-29999".
type PortRange struct {
	Low, High int
}

// UnmarshalText reads "low-high".
func (r *PortRange) UnmarshalText(text []byte) error {
	low, high, ok := strings.Cut(string(text), "-")
	if !ok {
		return fmt.Errorf("%q is not a range of ports: write the lowest and the highest, for example 20000-29999", clip(string(text)))
	}
	var err error
	if r.Low, err = port(low); err != nil {
		return err
	}
	if r.High, err = port(high); err != nil {
		return err
	}
	if r.Pairs() < 1 {
		return fmt.Errorf("%s has no room for a call: each takes an even port and the next one, for example 20000-29999", r)
	}
	return nil
}

// String is "low-high".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Low, r.High) }

// Pairs is how many calls the range has room for: RTP on an even port, RTCP on the next (RFC 3550 section 11).
func (r PortRange) Pairs() int {
	first := r.Low + r.Low%2
	return max(0, (r.High-first+1)/2)
}

func port(s string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err != nil || n < 1024 {
		return 0, fmt.Errorf("%q is not a port from 1024 to 65535", clip(s))
	}
	return int(n), nil
}

// Provider is one link of a chain: a provider and its model, such as openai and gpt-5-mini.
type Provider struct {
	Name  string // lower case
	Model string // empty: the provider's default
}

// String is "name" or "name/model".
func (p Provider) String() string {
	if p.Model == "" {
		return p.Name
	}
	return p.Name + "/" + p.Model
}

// Chain is a list of providers: the next takes over when one fails. Its text form is "openai/gpt-5-mini,flow".
type Chain []Provider

// UnmarshalText reads a comma-separated list. A model's name may itself hold slashes and colons.
func (c *Chain) UnmarshalText(text []byte) error {
	*c = nil
	for part := range strings.SplitSeq(string(text), ",") {
		name, model, slash := strings.Cut(strings.TrimSpace(part), "/")
		name = strings.ToLower(strings.TrimSpace(name))
		model = strings.TrimSpace(model)
		if name == "" || slash && model == "" {
			return fmt.Errorf("%q is not a list of providers: write a provider, optionally with a model, separated by commas, for example openai/gpt-5-mini,flow", clip(string(text)))
		}
		*c = append(*c, Provider{Name: name, Model: model})
	}
	return nil
}

// String is the comma-separated list.
func (c Chain) String() string {
	parts := make([]string, len(c))
	for i, p := range c {
		parts[i] = p.String()
	}
	return strings.Join(parts, ",")
}

// clip keeps a wrong value short enough for an error line.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
