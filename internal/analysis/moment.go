package analysis

import (
	"slices"
	"strings"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

// moment is what a question wants to know about a point in time.
type moment int

const (
	noMoment moment = iota
	anyMoment
	dayMoment
	timeMoment
)

// momentWanted reads what a question asks for: "when", "which day", "what time".
func momentWanted(words []string) moment {
	switch {
	case hasWords(words, "date", "which day", "what day"):
		if hasWords(words, "time", "date of birth") && !hasWords(words, "time of day") {
			return anyMoment
		}
		return dayMoment
	case hasWords(words, "what time", "which time", "at what time", "time of the", "preferred time"):
		return timeMoment
	case hasWords(words, "when"):
		return anyMoment
	}
	return noMoment
}

func asksForMoment(words []string) bool {
	return hasWords(words, "when", "what time", "which time", "what day", "which day", "date", "time") || slices.ContainsFunc(words, isDayWord)
}

// wantsISO reports whether a question asks for a calendar date.
func wantsISO(words []string) bool { return hasWords(words, "date") || hasWords(words, "iso") }

// momentIn is the one day or time that was named, as it was said; as an ISO date where the day of the call determines
// it and the question asks for a date. What was corrected counts as it was corrected.
func (s *scene) momentIn(answer []sentence, m moment, iso bool) string {
	words := wordsOf(answer)
	raw := rawWords(answer)
	if len(raw) != len(words) {
		return ""
	}
	from := 0
	for i := len(words) - 1; i > 0; i-- {
		if n := lead(words[i:], []string{"no", "actually", "sorry", "i mean", "i meant", "wait", "make it", "make that", "rather"}); n > 0 && len(spansOf(words[i+n:])) > 0 {
			from = i + n
			break
		}
	}
	words, raw = words[from:], raw[from:]
	if hasWords(words, "or", "not", "dont", "cant", "except", "but", "maybe", "perhaps", "not sure", "before", "after", "until", "between", "any", "either", "probably", "dont know", "wont", "doesnt", "isnt", "unless", "if", "from", "around", "about", "sometime") {
		return ""
	}
	spans := spansOf(words)
	if len(spans) != 1 {
		return ""
	}
	span := spans[0].only(words, m)
	if span.end <= span.start {
		return ""
	}
	text := strings.Join(raw[span.start:span.end], " ")
	if iso && m != timeMoment {
		if day := s.isoDay(words[span.start:span.end]); day != "" {
			return day
		}
	}
	return strings.TrimRight(text, ".,;!")
}

// isoDay is a day in the form 2006-01-02, when it is certain which one is meant.
func (s *scene) isoDay(words []string) string {
	if hasWords(words, "next", "this", "coming", "following", "last", "weekend", "today", "tonight") || hasWords(words, "morning", "week") && !hasWords(words, "tomorrow") {
		return "" // "next Thursday" is two days, as people say it
	}
	named := slices.ContainsFunc(words, func(w string) bool { return slices.Contains(months(), w) || w == "may" || w == "tomorrow" })
	weekday := slices.ContainsFunc(words, isWeekday)
	if !named && !weekday {
		return ""
	}
	now := s.call.CreatedAt.In(s.zone)
	if weekday && !named && hasWords(words, strings.ToLower(now.Weekday().String())) {
		return "" // on a Monday, "Monday" may be today
	}
	reader := spoken.Reader{Now: now}
	v := reader.Mention(spoken.Parse(strings.Join(words, " ")), &talkstack.FlowSlot{Type: talkstack.SlotDate})
	return v.Text
}

// span is a stretch of words that names a moment.
type span struct {
	start, end int
}

// spansOf finds the stretches of words that name a day or a time. Connecting words join two of them: "Thursday at three".
func spansOf(words []string) []span {
	var out []span
	for i := 0; i < len(words); {
		j := i
		strong := false
		for k := i; k < len(words); k++ {
			if isMoment(words, k) {
				strong = strong || isStrong(words, k)
				j = k + 1
				continue
			}
			if j == i || !slices.Contains([]string{"at", "on", "in", "the", "of", "a", "and", "to"}, words[k]) || k-j > 1 {
				break
			}
		}
		if j > i && strong {
			out = append(out, span{i, j})
		}
		i = max(j, i+1)
	}
	return out
}

func isWeekday(w string) bool {
	return slices.Contains([]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}, w)
}

func isDayWord(w string) bool {
	return isWeekday(w) || slices.Contains(months(), w) || slices.Contains([]string{"tomorrow", "today", "tonight", "weekend"}, w)
}

// isMoment reports whether the word at i can be a part of a day or time.
func isMoment(words []string, i int) bool {
	w := words[i]
	switch {
	case isDayWord(w), isOrdinal(w), slices.Contains([]string{"morning", "afternoon", "evening", "night", "noon", "midnight", "oclock", "am", "pm", "next", "this", "week", "month", "half", "quarter", "past", "coming", "following"}, w):
		return w != "this" && w != "next" && w != "coming" && w != "following" || i+1 < len(words) && isMoment(words, i+1)
	case w == "may":
		return i+1 < len(words) && (isNumberWord(words[i+1]) || isOrdinal(words[i+1])) || i > 0 && (isOrdinal(words[i-1]) || words[i-1] == "of" || isNumberWord(words[i-1]))
	case isNumberWord(w):
		return true
	}
	return false
}

// isStrong reports whether the word at i makes a stretch a moment: a number alone could be anything.
func isStrong(words []string, i int) bool {
	w := words[i]
	return isDayWord(w) || strings.Contains(w, ":") || slices.Contains([]string{"oclock", "am", "pm", "noon", "midnight", "morning", "afternoon", "evening", "night"}, w) || w == "may" ||
		isNumberWord(w) && i > 0 && words[i-1] == "at" || (w == "week" || w == "month") && i > 0 && words[i-1] == "next" || isOrdinal(w) && i > 0 && words[i-1] == "the" || w == "past" && i > 0 && isMoment(words, i-1)
}

func isOrdinal(w string) bool {
	if n := strings.TrimRight(w, "stndrh"); n != w && n != "" && strings.Trim(n, "0123456789") == "" {
		return true
	}
	return slices.Contains([]string{
		"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth",
		"seventeenth", "eighteenth", "nineteenth", "twentieth", "thirtieth",
	}, w)
}

// only is the part of a stretch that a question wants: its day or its time.
func (sp span) only(words []string, m moment) span {
	if m == anyMoment {
		return sp
	}
	cut := -1 // where the day ends and the time begins
	for i := sp.start; i < sp.end; i++ {
		if words[i] == "at" && i > sp.start {
			cut = i
			break
		}
	}
	hasDay := slices.ContainsFunc(words[sp.start:sp.end], func(w string) bool { return isDayWord(w) || isOrdinal(w) || w == "week" || w == "may" })
	switch {
	case cut >= 0 && m == dayMoment:
		return span{sp.start, cut}
	case cut >= 0:
		return span{cut + 1, sp.end}
	case m == dayMoment && !hasDay:
		return span{}
	case m == timeMoment && hasDay:
		return span{} // "Thursday morning": no time that could be told apart
	}
	return sp
}

// rawWords are the words as they were said, one for each of tokenize's; nil when they can not be paired.
func rawWords(sentences []sentence) []string {
	var out []string
	for _, t := range sentences {
		for _, field := range strings.Fields(t.text) {
			switch n := len(tokenize(field)); {
			case n == 1:
				out = append(out, strings.Trim(field, ",;!?\"“”"))
			case n > 1:
				out = append(out, tokenize(field)...)
			}
		}
	}
	return out
}
