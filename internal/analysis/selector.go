package analysis

import (
	"slices"
	"strings"

	"talkstack"
)

// selector answers with the option that the caller's words name, when they name only one.
func (s *scene) selector(q asked, options []string) string {
	if yes, no, ok := yesNoOptions(options); ok {
		switch s.boolean(q) {
		case "Yes":
			return yes
		case "No":
			return no
		}
		return ""
	}
	if q.negated {
		return ""
	}
	prepared := newChoices(options)
	if prepared == nil {
		return ""
	}
	found, at := "", -1
	all := s.exchanges()
	for i := range all {
		e := &all[i]
		asking := concepts(slices.Concat(wordsOf(e.before), e.asked.words))
		offered := 0
		for _, c := range prepared {
			if covers(asking, c.tells) {
				offered++
			}
		}
		if !q.about(asking) && offered < 2 {
			continue
		}
		if named := chosen(e.answer, prepared); named != "" || at < 0 {
			found, at = named, e.at
		} else if changesMind(wordsOf(e.answer)) {
			found, at = "", e.at
		}
	}
	if at >= 0 {
		return s.chosenLater(found, at, prepared)
	}
	return s.told(prepared)
}

// choice is an option, prepared for comparing.
type choice struct {
	option  string
	tells   []string // what it is about, without what all options share
	negated bool
	story   bool // it is a statement about the caller, not a name of something
}

// newChoices prepares options; nil when their words do not tell them apart.
func newChoices(options []string) []choice {
	var out []choice
	for _, o := range options {
		words := tokenize(o)
		c := choice{option: o, tells: concepts(slices.DeleteFunc(slices.Clone(words), negates)), negated: slices.ContainsFunc(words, negates)}
		c.story = slices.ContainsFunc(words, func(w string) bool {
			return slices.Contains([]string{"user", "caller", "customer", "client", "patient", "lead", "they", "is", "was", "has", "got", "wants", "wanted"}, w)
		}) && len(words) > 2
		out = append(out, c)
	}
	var shared []string // words of all options tell nothing
	for _, w := range out[0].tells {
		if !slices.ContainsFunc(out, func(c choice) bool { return !slices.Contains(c.tells, w) }) {
			shared = append(shared, w)
		}
	}
	if !slices.ContainsFunc(out, func(c choice) bool { return len(without(c.tells, shared)) == 0 }) {
		for i := range out {
			out[i].tells = without(out[i].tells, shared)
		}
	}
	for i := range out {
		if len(out[i].tells) == 0 {
			out[i].tells = []string{"\x00"} // "Other", "None of them": named by nothing
		}
		for j := range out[:i] {
			if out[i].negated == out[j].negated && covers(out[i].tells, out[j].tells) && covers(out[j].tells, out[i].tells) {
				return nil
			}
		}
	}
	return out
}

// yesNoOptions are the options that stand for yes and no, when the options are only these and what is in between.
func yesNoOptions(options []string) (yes, no string, ok bool) {
	for _, o := range options {
		switch strings.ToLower(strings.Trim(o, ". ")) {
		case "yes":
			yes = o
		case "no":
			no = o
		case "maybe", "unknown", "unsure", "not sure", "unclear", "n/a", "not applicable":
		default:
			return "", "", false
		}
	}
	return yes, no, yes != "" && no != ""
}

// chosen is the option that an answer names, when it names one alone and does not turn it down.
func chosen(answer []sentence, choices []choice) string {
	words := wordsOf(answer)
	if i := lastCorrection(words); i > 0 {
		return plainChoice(words[i:], choices)
	}
	for _, t := range answer {
		if t.question {
			return ""
		}
	}
	if hasWords(words, "not sure", "dont know", "maybe", "either", "or", "both", "any", "whichever", "whatever", "doesnt matter", "dont care", "dont mind", "probably", "perhaps", "if", "but", "except", "unless", "depends", "neither", "used to") {
		return ""
	}
	return plainChoice(words, choices)
}

// plainChoice is the only option that words name, when they say nothing else: "premium is too expensive" chooses nothing.
func plainChoice(words []string, choices []choice) string {
	named := namedIn(words, choices)
	if len(named) != 1 {
		return ""
	}
	c := named[0]
	if c.story {
		if ofOthers(words) {
			return ""
		}
		return c.option
	}
	rest := without(concepts(slices.DeleteFunc(slices.Clone(words), negates)), slices.Concat(c.tells, concepts(tokenize(c.option)), attitudes(), quantities(), moments(), []string{
		"one", "tak", "think", "definitel", "definitely", "good", "fin", "perfect", "ye", "yes", "yeah", "sure", "option", "try", "sound", "work", "pleas", "s",
	}))
	if len(rest) > 0 {
		return ""
	}
	return c.option
}

// ofOthers reports whether words are about somebody else than who speaks.
func ofOthers(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{
			"he", "she", "they", "his", "her", "their", "sister", "brother", "friend", "friends", "neighbor", "neighbour", "husband", "wife", "mother", "father", "mom", "dad", "colleague", "boss", "son", "daughter", "everyone", "somebody", "someone",
		}, w)
	})
}

// lastCorrection is where the words begin that correct the ones before; 0 when nothing is corrected.
func lastCorrection(words []string) int {
	for i := len(words) - 1; i > 0; i-- {
		for _, m := range []string{"actually", "no wait", "wait", "i mean", "i meant", "sorry", "rather", "make it", "make that", "scratch that", "no"} {
			if n := lead(words[i:], []string{m}); n > 0 && i+n < len(words) {
				return i + n
			}
		}
	}
	return 0
}

// namedIn are the options that words name, with the same sense.
func namedIn(words []string, choices []choice) []choice {
	said := concepts(words)
	negated := slices.ContainsFunc(words, negates)
	var named []choice
	for _, c := range choices {
		if covers(said, c.tells) && c.negated == negated {
			named = append(named, c)
		}
	}
	if len(named) > 1 { // "premium plus" also says "premium"
		named = slices.DeleteFunc(slices.Clone(named), func(c choice) bool {
			return slices.ContainsFunc(named, func(d choice) bool {
				return d.option != c.option && len(d.tells) > len(c.tells) && covers(d.tells, c.tells)
			})
		})
	}
	return named
}

// chosenLater is a choice after what was said later: naming another option leaves it open, unless it is a correction.
func (s *scene) chosenLater(found string, at int, choices []choice) string {
	for _, l := range s.lines[at+1:] {
		if l.role != talkstack.RoleUser {
			continue
		}
		words := wordsOf(l.sentences)
		if hasWords(words, "changed my mind", "change my mind", "never mind", "nevermind", "forget it", "on second thought", "neither", "none of them") {
			found = ""
		}
		named := namedIn(words, choices)
		if len(named) != 1 || named[0].option == found || named[0].story {
			continue
		}
		if changesMind(words) || hasWords(words, "no") {
			found = chosen(l.sentences, choices)
		} else {
			found = ""
		}
	}
	return found
}

// told is the option that is a statement which the caller has made in one sentence, when there is only one.
func (s *scene) told(choices []choice) string {
	found := ""
	for _, l := range s.lines {
		if l.role != talkstack.RoleUser {
			continue
		}
		for _, t := range l.sentences {
			if t.question || hasWords(t.words, "if", "maybe", "might", "perhaps", "not sure", "used to", "would be", "or", "probably") || ofOthers(t.words) {
				continue
			}
			for _, c := range namedIn(t.words, choices) {
				if !c.story || len(c.tells) == 1 && c.tells[0] == "\x00" {
					continue
				}
				if found != "" && found != c.option {
					return ""
				}
				found = c.option
			}
		}
	}
	return found
}
