package analysis

import (
	"slices"
	"strings"

	"talkstack"
)

// form is how an agent's sentence asks.
type form int

const (
	formNone    form = iota // no question of yes or no
	formOffer               // "Would you like …?", "Can you come …?"
	formPresent             // "Do you have …?", "Are you …?"
	formPast                // "Have you …?", "Did you …?"
	formConfirm             // "…, is that right?"
)

// formOf reads how a sentence asks. Words of choice and negation make it no question of yes or no: a bare yes to them
// says nothing.
func formOf(e *exchange) form {
	words := e.asked.words
	if len(words) == 0 || e.asking > 1 && !isTag(words) || hasWords(words, "or", "dont you", "didnt you", "arent you", "isnt", "wont you", "not", "no", "never", "dont", "doesnt", "didnt", "cant") {
		return formNone
	}
	if isTag(words) || endsInTag(words) {
		return formConfirm
	}
	if !e.asked.question && !isTag(words) {
		return formNone
	}
	for i := range words {
		if f := formAt(words[i:]); f != formNone {
			return f
		}
		if slices.Contains([]string{"what", "whats", "which", "who", "when", "where", "how", "why"}, words[i]) {
			return formNone
		}
		if i > 8 {
			break
		}
	}
	return formNone
}

func formAt(words []string) form {
	offers := []string{
		"would you like", "would you be", "would you", "do you want", "do you wish", "do you agree", "do you accept", "do you confirm", "are you interested", "are you willing", "are you happy to", "are you ready", "are you ok", "are you okay", "shall i", "shall we", "should i", "should we",
		"can i", "may i", "could i", "can we", "may we", "can you", "could you", "will you", "does that work", "would that work", "would it", "would that", "is that ok", "is that okay", "is that fine", "is that alright", "does that suit",
	}
	past := []string{"did you", "have you", "had you", "were you", "was your", "has your"}
	present := []string{"do you", "are you", "is your", "does your", "are your", "do your", "is this your", "is there", "are there", "am i speaking", "is this"}
	switch {
	case lead(words, offers) > 0:
		return formOffer
	case lead(words, past) > 0:
		return formPast
	case lead(words, present) > 0:
		return formPresent
	}
	return formNone
}

// isTag reports whether a sentence only asks whether the ones before it are right.
func isTag(words []string) bool {
	return slices.Contains([]string{
		"is that right", "is that correct", "right", "correct", "is this right", "is this correct", "did i get that right", "is everything correct", "is all of that correct", "is that all correct",
	}, strings.Join(words, " "))
}

func endsInTag(words []string) bool {
	n := len(words)
	return n > 3 && (words[n-1] == "right" || words[n-1] == "correct") && !hasWords(words, "do you", "are you", "did you", "have you", "would you")
}

// boolean answers a question of yes or no by the caller's last clear answer to the agent's question about the same.
func (s *scene) boolean(q asked) string {
	if q.negated || len(q.concepts) == 0 {
		return ""
	}
	found, at := unclear, -1
	all := s.exchanges()
	for i := range all {
		e := &all[i]
		if p, matches := s.replyTo(q, e); matches {
			found, at = p, e.at
		} else if at >= 0 && e.at == at+2 && asksBack(e) {
			found = askedBack(e, found)
			at = e.at
		}
	}
	if found == unclear {
		return ""
	}
	return s.laterOn(q, at, found).String()
}

// replyTo is what the caller answered, when the exchange is about the question.
func (s *scene) replyTo(q asked, e *exchange) (polarity, bool) {
	f := formOf(e)
	if f == formNone {
		return unclear, s.touches(q, e)
	}
	about := e.concepts
	if f == formConfirm && isTag(e.asked.words) {
		about = nil
		if n := len(e.before); n > 0 {
			about = concepts(e.before[n-1].words)
		}
	}
	if !q.about(about) {
		return unclear, false
	}
	extra := without(about, slices.Concat(q.concepts, attitudes()))
	if slices.ContainsFunc(extra, func(c string) bool { return slices.Contains(acts(), c) || turnsRound(c) }) {
		return unclear, true
	}
	special := without(extra, moments())
	p := readPolarity(e.answer, f == formOffer)
	switch f {
	case formOffer:
		if !q.attitude || len(special) > 3 || q.wants() && p == refused && len(extra) > 0 {
			return unclear, true
		}
	case formConfirm:
		if q.wants() || q.perfect || p == refused && !q.confirm {
			return unclear, true
		}
	case formPresent:
		if q.wants() || q.perfect || len(special) > 0 {
			return unclear, true
		}
	case formPast:
		if q.attitude || !q.perfect && !q.past || len(special) > 0 {
			return unclear, true
		}
	case formNone:
	}
	return p, true
}

// touches reports whether an exchange that asks otherwise is about the question too, so that an answer from before it
// may not hold any more.
func (s *scene) touches(q asked, e *exchange) bool {
	return q.about(concepts(slices.Concat(wordsOf(e.before), e.asked.words))) && changesMind(wordsOf(e.answer))
}

// moments are stems of words that place something in time and do not change what it is.
func moments() []string {
	return []string{
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december",
		"tomorrow", "today", "tonight", "week", "next", "morning", "afternoon", "even", "noon", "clock", "oclock", "pm", "am", "time", "day", "one", "two", "three", "four", "fiv", "five", "six", "seven", "eight", "nin", "nine", "ten", "eleven", "twelv", "twelve", "thirty", "fifteen", "forty", "quarter", "half", "past",
		"name", "sir", "madam", "mr", "mrs", "ms", "right", "correct", "first", "second", "third",
	}
}

// asksBack reports whether the agent makes sure of the answer it just got.
func asksBack(e *exchange) bool {
	words := slices.Concat(wordsOf(e.before), e.asked.words)
	return e.asked.question && hasWords(words, "did you say", "you said", "is that a yes", "is that a no", "just to confirm", "to confirm", "are you sure", "is that right", "is that correct", "so yes", "so thats a yes", "so no", "pardon", "sorry", "didnt catch", "did not catch")
}

// askedBack is the answer after the agent has made sure of it.
func askedBack(e *exchange, before polarity) polarity {
	words := slices.Concat(wordsOf(e.before), e.asked.words)
	p := readPolarity(e.answer, false)
	switch {
	case p == unclear, hasWords(words, "no"):
		return unclear
	case hasWords(words, "yes", "is that right", "is that correct", "are you sure", "to confirm"):
		if p == agreed {
			return before
		}
		return unclear
	}
	return p // "Sorry?" — "Yes."
}

// laterOn is an answer after what the caller said about the matter later in the call.
func (s *scene) laterOn(q asked, at int, p polarity) polarity {
	for _, l := range s.lines[min(at+1, len(s.lines)):] {
		if l.role != talkstack.RoleUser {
			continue
		}
		words := wordsOf(l.sentences)
		switch related := q.about(concepts(words)); {
		case hasWords(words, "changed my mind", "change my mind", "on second thought", "never mind", "nevermind", "forget it", "scratch that", "i made a mistake", "i was wrong", "not anymore", "i want to cancel", "id like to cancel", "cancel it", "cancel that"):
			return unclear
		case related && changesMind(words):
			rest := words
			if i := slices.Index(words, "actually"); i >= 0 {
				rest = words[i+1:]
			}
			p = readWords(rest, false)
		case related && slices.ContainsFunc(words, negates) != (p == refused):
			p = unclear
		}
	}
	return p
}
