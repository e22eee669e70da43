package call

import (
	"maps"

	"talkstack"
)

// script is an agent's texts with the call's variables filled in.
type script struct {
	prompt    string
	greeting  string
	voicemail string
}

// fill puts the variables into the texts of an agent. A flow's texts are filled by its brain as it goes.
func fill(agent talkstack.Agent, vars map[string]any) script {
	put := func(text string) string {
		filled, _ := talkstack.ParseTemplate(text).Fill(vars)
		return filled
	}
	return script{
		prompt: put(agent.Prompt), greeting: put(agent.Settings.Greeting), voicemail: put(agent.Settings.Voicemail.Message),
	}
}

// variables are a call's dynamic variables, with those that every call has: caller_number, called_number and
// counterpart_number, which is that of the agent's other party.
func variables(c talkstack.Call) map[string]any {
	vars := map[string]any{"caller_number": c.From, "called_number": c.To, "counterpart_number": c.Counterpart()}
	maps.Copy(vars, c.DynamicVariables)
	return vars
}
