package analysis

import (
	"slices"
	"strconv"

	"talkstack"
)

// number answers with a number that the caller said to the agent's question about the same.
func (s *scene) number(q asked) any {
	if q.negated || len(q.concepts) == 0 || hasWords(q.words, "before", "after", "more than", "less than", "difference", "average") {
		return nil
	}
	unit := unitOf(q.words)
	var value float64
	found, at := false, -1
	all := s.exchanges()
	for i := range all {
		e := &all[i]
		if !q.about(concepts(slices.Concat(lastOf(e.before), e.asked.words))) {
			if at >= 0 && s.takesBack(q, e, unit, &value) {
				found = false // something was corrected, and it is not clear to what
				at = -1
			}
			continue
		}
		if formOf(e) == formConfirm && readPolarity(e.answer, false) == agreed && found {
			continue // read back, and right
		}
		if e.asking > 1 && !isTag(e.asked.words) {
			found = false
			continue
		}
		value, found = s.numberIn(q, e, unit)
		at = e.at
	}
	if found {
		return value
	}
	if at < 0 {
		if v, ok := s.toldNumber(q); ok {
			return v
		}
	}
	return nil
}

// lastOf is the words of the last sentence.
func lastOf(sentences []sentence) []string {
	if len(sentences) == 0 {
		return nil
	}
	return sentences[len(sentences)-1].words
}

// numberIn is the number that answers an exchange.
func (s *scene) numberIn(q asked, e *exchange, unit string) (float64, bool) {
	words := wordsOf(e.answer)
	for _, t := range e.answer {
		if t.question {
			return 0, false
		}
	}
	if tail, ok := correctedTail(words); ok {
		words = tail
	}
	if len(words) == 0 || bounded(words) || slices.ContainsFunc(words, negates) && word(words, 0) != "no" || hasWords(words, "or", "not sure", "dont know", "maybe", "probably", "i guess", "perhaps", "might", "used to", "was", "last", "previous", "previously", "usually", "normally", "instead of", "too many", "too much", "if") || ofOthers(words) {
		return 0, false
	}
	if q.asksForCode() {
		return codeIn(words)
	}
	return pick(words, q, unit)
}

// pick is the one number among words that the question wants.
func pick(words []string, q asked, unit string) (float64, bool) {
	figures, ok := readFigures(words)
	if !ok || len(figures) == 0 {
		return 0, false
	}
	if len(figures) > 1 { // the one that counts what was asked for
		figures = slices.DeleteFunc(figures, func(f figure) bool { return f.unit == "" || !slices.Contains(q.concepts, f.unit) && f.unit != unit })
	}
	if len(figures) != 1 {
		return 0, false
	}
	f := figures[0]
	if unit != "" && f.unit != unit && isUnit(f.unit) || f.money && isUnit(unit) && !isMoney(unit) {
		return 0, false // asked for minutes, told hours
	}
	if unit == "" && isUnit(f.unit) && !isMoney(f.unit) && f.unit != "year" && f.unit != "percent" && !slices.Contains(q.concepts, f.unit) {
		return 0, false
	}
	return f.value, true
}

// correctedTail is what follows the last correction: "two, no, three".
func correctedTail(words []string) ([]string, bool) {
	for i := len(words) - 1; i > 0; i-- {
		for _, m := range []string{"no", "sorry", "actually", "i mean", "i meant", "wait", "correction", "make that", "make it", "rather", "scratch that"} {
			n := lead(words[i:], []string{m})
			if n == 0 || i+n >= len(words) || !hasNumber(words[:i]) || !hasNumber(words[i+n:]) {
				continue
			}
			return words[i+n:], true
		}
	}
	return nil, false
}

func hasNumber(words []string) bool { return slices.ContainsFunc(words, isNumberWord) }

// takesBack reports whether the caller corrects the number in an exchange about something else. When it is clear to
// what, value is changed and the report is false.
func (s *scene) takesBack(q asked, e *exchange, unit string, value *float64) bool {
	words := wordsOf(e.answer)
	if !changesMind(words) || !hasNumber(words) {
		return false
	}
	if !q.about(concepts(words)) && !slices.ContainsFunc(words, func(w string) bool { return slices.Contains(q.concepts, stem(w)) }) {
		// "Actually, make it five": about what was asked, unless the agent asked for another number meanwhile
		return hasWords(e.asked.words, "how many", "how much", "number")
	}
	tail := words
	if t, ok := correctedTail(words); ok {
		tail = t
	}
	v, ok := pick(tail, q, unit)
	if !ok || slices.ContainsFunc(tail, negates) || bounded(tail) || hasWords(tail, "or", "maybe") {
		return true
	}
	*value = v
	return false
}

// toldNumber is a number that the caller told unasked, counting what the question asks for: "we are four people".
func (s *scene) toldNumber(q asked) (float64, bool) {
	var value float64
	found := false
	for _, l := range s.lines {
		if l.role != talkstack.RoleUser {
			continue
		}
		for _, t := range l.sentences {
			figures, ok := readFigures(t.words)
			if !q.about(concepts(t.words)) || !hasNumber(t.words) {
				continue
			}
			if !ok || t.question || len(figures) != 1 || !slices.Contains(q.concepts, figures[0].unit) || bounded(t.words) || slices.ContainsFunc(t.words, negates) ||
				hasWords(t.words, "or", "maybe", "if", "used to", "probably") || !ofSpeaker(t.words) || found && figures[0].value != value {
				return 0, false
			}
			value, found = figures[0].value, true
		}
	}
	return value, found
}

// ofSpeaker reports whether a sentence is about who speaks.
func ofSpeaker(words []string) bool {
	if ofOthers(words) || hasWords(words, "you", "your") {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"i", "im", "ive", "id", "ill", "we", "weve", "were", "well", "us", "my", "our", "there", "therell", "theres", "its", "for"}, w)
	})
}

// unitOf is the unit that a question wants its number in, as a stem: "in minutes". Empty: none is named.
func unitOf(words []string) string {
	for i, w := range words {
		u := stem(w)
		if isUnit(u) && (i == 0 || !slices.Contains([]string{"per", "every", "each", "last", "this", "next"}, words[i-1])) {
			return u
		}
	}
	return ""
}

func isMoney(u string) bool {
	return slices.Contains([]string{"dollar", "euro", "pound", "buck", "cent", "usd", "eur", "gbp", "rupe", "rupee", "yen", "peso"}, u)
}

// isUnit reports whether a stem is a unit of measure.
func isUnit(u string) bool {
	return isMoney(u) || slices.Contains([]string{
		"second", "minut", "minute", "hour", "day", "week", "month", "year", "percent", "mil", "mile", "kilometer", "kilomet", "km", "meter", "metr", "feet", "foot", "inch", "inches", "kg", "kilo", "kilogram", "gram", "liter", "litr", "gallon", "degre", "degree",
	}, u)
}

// asksForCode reports whether a question wants digits that were spelled out: an order number, a postcode.
func (q *asked) asksForCode() bool {
	return slices.ContainsFunc(q.words, func(w string) bool {
		return slices.Contains([]string{"code", "id", "pin", "zip", "postcode", "reference", "order", "account", "phone", "policy", "invoice", "ticket", "badge"}, w)
	}) && !hasWords(q.words, "how many", "how much")
}

// codeIn reads digits that were spelled or written, as one number. A zero in front would be lost in a number.
func codeIn(words []string) (float64, bool) {
	digits, runs, inRun := "", 0, false
	for _, w := range words {
		d := ""
		if n, ok := smallNumber(w); ok && n < 10 {
			d = strconv.Itoa(n)
		} else if startsLikeNumber(w) {
			for _, r := range w {
				if r < '0' || r > '9' {
					return 0, false
				}
			}
			d = w
		} else if isNumberWord(w) || w == "double" || w == "triple" || w == "oh" || w == "hundred" || w == "thousand" {
			return 0, false // "twenty one": 21 or 20 1
		}
		if d != "" && !inRun {
			runs++
		}
		inRun = d != ""
		digits += d
	}
	if runs != 1 || len(digits) > 15 || digits[0] == '0' {
		return 0, false
	}
	v, err := strconv.ParseFloat(digits, 64)
	return v, err == nil
}
