package call

import (
	"maps"
	"slices"

	"talkstack"
)

// script is an agent's texts with the call's variables filled in.
type script struct {
	prompt    string
	greeting  string
	voicemail string
	missing   []string // placeholders without a value, each once, in the order of their first use
}

// fill puts the variables into the texts of an agent. A flow's texts are filled by its brain as it goes; here only
// what they miss is found: names that are neither a variable nor a slot that the flow fills itself.
func fill(agent talkstack.Agent, vars map[string]any) script {
	var s script
	put := func(text string, own []string) string {
		filled, missing := talkstack.ParseTemplate(text).Fill(vars)
		for _, name := range missing {
			if !slices.Contains(s.missing, name) && !slices.Contains(own, name) {
				s.missing = append(s.missing, name)
			}
		}
		return filled
	}
	s.prompt = put(agent.Prompt, nil)
	s.greeting = put(agent.Settings.Greeting, nil)
	s.voicemail = put(agent.Settings.Voicemail.Message, nil)
	if flow := agent.Settings.Flow; flow != nil {
		own := flowSlots(flow)
		for _, n := range flow.Nodes {
			put(n.Text, own)
			for _, r := range n.Reprompts {
				put(r, own)
			}
		}
	}
	return s
}

// flowSlots are the names that a flow fills itself.
func flowSlots(flow *talkstack.Flow) []string {
	var names []string
	for _, n := range flow.Nodes {
		if n.Slot != nil {
			names = append(names, n.Slot.Name)
		}
		if n.Request != nil {
			names = slices.AppendSeq(names, maps.Keys(n.Request.Save))
		}
	}
	return names
}

// variables are a call's dynamic variables, with those that every call has: caller_number, called_number and
// counterpart_number, which is that of the agent's other party.
func variables(c talkstack.Call) map[string]any {
	vars := map[string]any{"caller_number": c.From, "called_number": c.To, "counterpart_number": c.Counterpart()}
	maps.Copy(vars, c.DynamicVariables)
	return vars
}
