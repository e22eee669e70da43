package talkstack

import (
	"maps"
	"slices"
)

// Placeholders are the names of the values that an agent's texts want.
type Placeholders []string

// Placeholders lists the names in the agent's texts, each once, in the order of their first use. Of a flow's own texts
// those are left out that the flow fills itself.
func (a *Agent) Placeholders() Placeholders {
	var p Placeholders
	add := func(text string, own []string) {
		for _, name := range ParseTemplate(text).Variables() {
			if !slices.Contains(p, name) && !slices.Contains(own, name) {
				p = append(p, name)
			}
		}
	}
	add(a.Prompt, nil)
	add(a.Settings.Greeting, nil)
	add(a.Settings.Voicemail.Message, nil)
	flow := a.Settings.Flow
	if flow == nil {
		return p
	}
	own := flow.slotNames()
	for _, n := range flow.Nodes {
		add(n.Text, own)
		for _, r := range n.Reprompts {
			add(r, own)
		}
	}
	return p
}

// slotNames are the names that a flow fills itself.
func (f *Flow) slotNames() []string {
	var names []string
	for _, n := range f.Nodes {
		if n.Slot != nil {
			names = append(names, n.Slot.Name)
		}
		if n.Request != nil {
			names = slices.AppendSeq(names, maps.Keys(n.Request.Save))
		}
	}
	return names
}

// Missing are the names among p for which a call to a number has no value. Every call has caller_number, called_number
// and counterpart_number.
func (p Placeholders) Missing(vars map[string]any) []string {
	missing := []string{}
	for _, name := range p {
		switch name {
		case "caller_number", "called_number", "counterpart_number":
			if _, sent := vars[name]; !sent {
				continue
			}
		}
		if v, ok := lookUp(vars, name); !ok || v == nil {
			missing = append(missing, name)
		}
	}
	return missing
}
