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

// fill puts the variables into the texts of an agent.
func fill(agent talkstack.Agent, vars map[string]any) script {
	var s script
	put := func(text string) string {
		filled, missing := talkstack.ParseTemplate(text).Fill(vars)
		for _, name := range missing {
			if !slices.Contains(s.missing, name) {
				s.missing = append(s.missing, name)
			}
		}
		return filled
	}
	s.prompt = put(agent.Prompt)
	s.greeting = put(agent.Settings.Greeting)
	s.voicemail = put(agent.Settings.Voicemail.Message)
	return s
}

// variables are a call's dynamic variables with those that every call has: caller_number and called_number.
func variables(c talkstack.Call) map[string]any {
	vars := map[string]any{"caller_number": c.From, "called_number": c.To}
	maps.Copy(vars, c.DynamicVariables)
	return vars
}
