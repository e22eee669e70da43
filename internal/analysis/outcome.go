package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"talkstack"
)

// voicemailOf reports whether a machine took the call: detection in the call knows.
func voicemailOf(c *talkstack.Call) bool {
	return c.Status == talkstack.StatusVoicemail || c.EndReason != nil && c.EndReason.Code == talkstack.EndVoicemailReached
}

// successOf says whether the call reached what it was for: nil when that can not be told.
func successOf(in *Input) *bool {
	yes, no := true, false
	switch in.Call.Status {
	case talkstack.StatusBusy, talkstack.StatusNoAnswer, talkstack.StatusFailed, talkstack.StatusVoicemail, talkstack.StatusSilence:
		return &no
	case talkstack.StatusCompleted:
	default:
		return nil
	}
	refused, said, goodbye := false, false, false
	for _, t := range in.Turns {
		words := " " + strings.Join(tokenize(t.Text), " ") + " "
		switch t.Role {
		case talkstack.RoleUser:
			said = true
			refused = refused || containsAny(words, refusals())
			goodbye = goodbye || containsAny(words, goodbyes())
		case talkstack.RoleAgent:
			goodbye = goodbye || containsAny(words, goodbyes())
		case talkstack.RoleTool:
		}
	}
	byAgent := in.Call.EndReason != nil && in.Call.EndReason.Code == talkstack.EndAgentHangup
	byCaller := in.Call.EndReason != nil && in.Call.EndReason.Code == talkstack.EndUserHangup
	switch {
	case refused:
		return &no
	case !said:
		return nil
	case byAgent && len(in.Call.Slots) > 0: // a flow hangs up at its end
		return &yes
	case (byAgent || byCaller) && goodbye:
		return &yes
	}
	return nil
}

func containsAny(words string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(words, " "+p+" ") })
}

// refusals end what a call was for. They are written as tokenize writes them.
func refusals() []string {
	return []string{
		"not interested", "no interest", "stop calling", "dont call", "do not call", "never call", "wrong number", "wrong person", "take me off", "remove me", "leave me alone",
		"no longer interested", "isnt interested", "arent interested",
	}
}

func goodbyes() []string {
	return []string{"goodbye", "good bye", "bye", "have a nice day", "have a good day", "have a great day", "see you", "talk to you later", "take care"}
}

// summaryOf is the facts of a call in plain sentences: it says nothing that is not known.
func summaryOf(in *Input, a *talkstack.Analysis) string {
	c := &in.Call
	var parts []string
	who := fmt.Sprintf("The agent called %s.", c.To)
	if c.Direction == talkstack.Inbound {
		who = fmt.Sprintf("%s called the agent.", orUnknown(c.From))
	}
	parts = append(parts, who)
	switch {
	case c.Status == talkstack.StatusBusy:
		parts = append(parts, "The line was busy.")
	case c.Status == talkstack.StatusNoAnswer:
		parts = append(parts, "Nobody answered.")
	case c.AnsweredAt.IsZero():
		parts = append(parts, "The call was not connected.")
	case a.Voicemail:
		parts = append(parts, fmt.Sprintf("A machine answered; the call lasted %s.", spellDuration(c.Duration(c.EndedAt))))
	default:
		parts = append(parts, fmt.Sprintf("The call lasted %s.", spellDuration(c.Duration(c.EndedAt))))
	}
	if how := endingText(c); how != "" {
		parts = append(parts, how)
	}
	if len(c.Slots) > 0 {
		parts = append(parts, "Collected: "+joinPairs(c.Slots)+".")
	}
	answers := map[string]string{}
	for key, v := range a.Values() {
		if _, isSlot := c.Slots[key]; v != nil && !isSlot {
			answers[key] = talkstack.FormatValue(v)
		}
	}
	if len(answers) > 0 {
		parts = append(parts, "Answers: "+joinPairs(answers)+".")
	}
	return clip(strings.Join(parts, " "), maxSummary)
}

func orUnknown(number string) string {
	if number == "" {
		return "An unknown number"
	}
	return number
}

// endingText says how a call ended, where the status alone does not.
func endingText(c *talkstack.Call) string {
	if c.EndReason == nil || c.Status == talkstack.StatusBusy || c.Status == talkstack.StatusNoAnswer {
		return ""
	}
	switch c.EndReason.Code {
	case talkstack.EndUserHangup:
		return "The other party hung up."
	case talkstack.EndAgentHangup:
		return "The agent hung up."
	case talkstack.EndCallTransfer:
		return "The call was transferred."
	case talkstack.EndInactivity:
		return "It ended because nobody spoke."
	case talkstack.EndMaxDuration:
		return "It ended at the longest duration allowed."
	case talkstack.EndVoicemailReached:
		return ""
	default: // what went wrong, as it is told to people
	}
	if m := strings.TrimSpace(c.EndReason.Message); m != "" {
		return strings.TrimSuffix(m, ".") + "."
	}
	return ""
}

func joinPairs(values map[string]string) string {
	list := make([]string, 0, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		list = append(list, k+": "+clip(values[k], 200))
	}
	return strings.Join(list, ", ")
}

// spellDuration is a duration in words: "1 minute 5 seconds".
func spellDuration(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	unit := func(n int, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return fmt.Sprintf("%d %ss", n, name)
	}
	switch {
	case seconds < 60:
		return unit(seconds, "second")
	case seconds%60 == 0:
		return unit(seconds/60, "minute")
	}
	return unit(seconds/60, "minute") + " " + unit(seconds%60, "second")
}
