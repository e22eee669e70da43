package analysis

import (
	"slices"
	"strings"
)

// maxReply is the longest answer that is taken over as it was said, in words: more is a story.
const maxReply = 40

// text answers in the caller's own words: those to the agent's question about the same.
func (s *scene) text(q asked) string {
	if q.negated {
		return ""
	}
	found := ""
	about := without(q.concepts, []string{"time", "day"})
	moment := momentWanted(q.words)
	all := s.exchanges()
	for i := range all {
		e := &all[i]
		asking := slices.Concat(lastOf(e.before), e.asked.words)
		switch {
		case asksForReason(q) && opensTheMatter(asking):
		case e.asking > 1 && !isTag(e.asked.words):
			continue
		case q.about(concepts(asking)):
		case moment != noMoment && len(about) > 0 && covers(concepts(asking), about) && asksForMoment(asking):
		default:
			continue
		}
		answer := ""
		switch {
		case moment != noMoment:
			answer = s.momentIn(e.answer, moment, wantsISO(q.words))
			if answer == "" && readPolarity(e.answer, true) == agreed { // "Thursday at three?" — "Yes."
				answer = s.momentIn([]sentence{e.asked}, moment, wantsISO(q.words))
			}
		case asksForName(q):
			answer = nameIn(e.answer)
		default:
			answer = replyText(e)
		}
		if answer != "" || found == "" || changesMind(wordsOf(e.answer)) {
			found = answer
		}
	}
	return found
}

// replyText is an answer as it was said, when it is one.
func replyText(e *exchange) string {
	words := wordsOf(e.answer)
	for len(words) > 0 && isFiller(words[0]) && words[0] != "yes" {
		words = words[1:]
	}
	asksWhat := hasWords(e.asked.words, "what", "whats", "which", "who", "where", "why", "how", "when", "tell me", "could you give", "can you give", "may i have", "can i have", "could i have", "can i get", "describe", "spell", "please provide", "please state", "please tell")
	switch {
	case len(words) == 0, len(words) > maxReply, !asksWhat,
		slices.ContainsFunc(e.answer, func(t sentence) bool { return t.question }),
		hasWords(words, "dont know", "not sure", "no idea", "dont remember", "cant remember", "cant say", "rather not", "none of your business", "pardon", "repeat", "say that again", "one moment", "hold on", "just a moment", "a second", "let me", "hang on", "dont want to", "dont have", "nothing", "sorry", "never mind", "why do you"):
		return ""
	case len(words) <= 2 && (lead(words, yesLeads()) == len(words) || lead(words, noLeads()) == len(words) || lead(words, offerLeads()) == len(words)):
		return ""
	}
	return clip(textOf(e.answer), maxText)
}

func asksForName(q asked) bool { return slices.Contains(q.words, "name") }

// asksForReason reports whether a question is what the call was for.
func asksForReason(q asked) bool {
	return slices.Contains(q.concepts, "reason") && len(without(q.concepts, []string{"reason", "main"})) == 0 && hasWords(q.words, "call", "calling", "called", "contact", "contacting", "contacted")
}

// opensTheMatter reports whether an agent asks what somebody calls for.
func opensTheMatter(words []string) bool {
	return hasWords(words, "how can i help", "how may i help", "how can i assist", "how may i assist", "what can i do for you", "what are you calling about", "what is this about", "what is your call about", "whats this about", "reason for your call", "reason for calling", "why are you calling")
}

// nameIn is the name that somebody introduces themselves by.
func nameIn(answer []sentence) string {
	if len(answer) == 0 || slices.ContainsFunc(answer, func(t sentence) bool { return t.question }) {
		return ""
	}
	text := strings.TrimRight(strings.TrimSpace(answer[0].text), ".!,")
	for changed := true; changed; {
		changed = false
		for _, p := range []string{
			"um, ", "uh, ", "um ", "uh ", "well, ", "yes, ", "sure, ", "yeah, ", "oh, ", "hi, ", "hello, ", "of course, ", "my name is ", "my name's ", "my full name is ", "my last name is ", "my first name is ", "the name is ", "the name's ", "name is ",
			"it's ", "it is ", "this is ", "i'm ", "i am ", "it’s ", "i’m ", "my name’s ", "that's ", "sure. ", "yes. ",
		} {
			if len(text) >= len(p) && strings.EqualFold(text[:len(p)], p) {
				text, changed = text[len(p):], true
			}
		}
	}
	text = strings.Trim(text, " .,!")
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > 4 || len(answer) > 1 && !isCourtesy(answer[1:]) {
		return ""
	}
	for _, w := range words {
		first := []rune(w)[0]
		if first == []rune(strings.ToLower(w))[0] && !slices.Contains([]string{"de", "van", "von", "der", "den", "la", "da", "di", "del", "bin", "al"}, w) {
			return "" // recognisers and people write names large: anything else may be a word
		}
		if tokens := tokenize(w); len(tokens) != 1 || isStop(tokens[0]) || lead(tokens, yesLeads()) > 0 || lead(tokens, noLeads()) > 0 || isNumberWord(tokens[0]) || isCommon(tokens[0]) {
			return ""
		}
	}
	return text
}

// isCommon reports whether a word that stands for itself with a large letter is hardly a name.
func isCommon(w string) bool {
	return slices.Contains([]string{"speaking", "here", "calling", "not", "busy", "sorry", "fine", "good", "nothing", "nobody", "what", "sure", "thanks", "thank", "just", "never", "driving", "interested", "hello", "pardon", "excuse", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tomorrow", "maybe"}, w)
}

func isCourtesy(sentences []sentence) bool {
	return !slices.ContainsFunc(sentences, func(t sentence) bool {
		return !hasWords(t.words, "thank you", "thanks", "nice to meet you", "please") || len(t.words) > 5
	})
}
