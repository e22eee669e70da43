package local

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// normalizer writes out what a phonemiser would read wrongly: addresses, telephone numbers, times, dates, money,
// abbreviations and letters. It is immutable.
type normalizer struct {
	rules   []rule
	british bool // 3/4 is the third of April
}

type rule struct {
	pattern *regexp.Regexp
	write   func(groups []string) string
}

func newNormalizer(british bool) *normalizer {
	n := &normalizer{british: british}
	n.rules = []rule{
		{regexp.MustCompile(`([\w)])[ \t]*\n\s*`), to("$1. ")},             // a line is a sentence
		{regexp.MustCompile("[*_`#~|]{2,}|[*`~|]|(?m:^[#>]+ *)"), to(" ")}, // Markdown that a language model lets slip
		{regexp.MustCompile(`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`), func(g []string) string { return spellAddress(g[0]) }},
		{regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s,;!?]*[\w/]`), func(g []string) string { return spellAddress(trimScheme(g[0])) }},
		{regexp.MustCompile(`\+\d[\d ().-]{5,}\d|\(\d{3}\) ?\d{3}[ .-]?\d{4}\b|\b\d{3}[ .-]\d{3}[ .-]\d{4}\b`), func(g []string) string { return speakPhone(g[0]) }},
		{regexp.MustCompile(`\b(\d{4})-(\d{2})-(\d{2})\b`), func(g []string) string { return n.date(g[0], g[1], g[2], g[3]) }},
		{regexp.MustCompile(`\b(\d{1,2})/(\d{1,2})/(\d{4})\b`), func(g []string) string { return n.slashDate(g[0], g[1], g[2], g[3]) }},
		{regexp.MustCompile(`(?i)\b([01]?\d|2[0-3])[:.]([0-5]\d) ?([ap])\.?m\b\.?`), func(g []string) string { return clock(g[1], g[2], g[3]) }},
		{regexp.MustCompile(`\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?\b`), func(g []string) string { return clock(g[1], g[2], "") }},
		{regexp.MustCompile(`(?i)\b(1[0-2]|[1-9]) ?([ap])\.?m\b\.?`), func(g []string) string { return g[1] + " " + spell(g[2]+"m") }},
		{regexp.MustCompile(`([$€£])\s?(\d[\d,]*)(?:\.(\d{1,2}))?(?:\s?(thousand|million|billion|trillion|k|K)\b)?`), func(g []string) string { return money(g[1], g[2], g[3], g[4]) }},
		{regexp.MustCompile(`(\d),(\d{3})\b`), func(g []string) string { return g[1] + g[2] }},
		{regexp.MustCompile(`(\d),(\d{3})\b`), func(g []string) string { return g[1] + g[2] }}, // matches do not overlap
		{regexp.MustCompile(months + ` (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?\b`), func(g []string) string { return monthDay(month(g[1]), g[2], g[3]) }},
		{regexp.MustCompile(`\b(\d{1,2})(?:st|nd|rd|th)?(?: of)? ` + months + `(?:,? (\d{4}))?\b`), func(g []string) string { return dayMonth(g[1], month(g[2]), g[3]) }},
		{regexp.MustCompile(`(?i)\b(in|since|from|until|till|by|before|after|year|during|of|and) (1[1-9]\d\d|20\d\d)\b`), func(g []string) string { return g[1] + " " + year(g[2]) }},
		{regexp.MustCompile(`\b(\d{4}) ?[-–] ?(\d{4})\b`), func(g []string) string { return year(g[1]) + " to " + year(g[2]) }},
		{regexp.MustCompile(`(\d)\s?[–-]\s?(\d)`), func(g []string) string { return g[1] + " to " + g[2] }},
		{regexp.MustCompile(`(?:^|\s)[-−](\d)`), func(g []string) string { return " minus " + g[1] }},
		{regexp.MustCompile(`\b24/7\b`), to("24 7")},
		{regexp.MustCompile(`\b\d{7,}\b`), func(g []string) string { return longNumber(g[0]) }},
		{regexp.MustCompile(`(\d)\s?%`), to("$1 percent")},
		{regexp.MustCompile(`(\d)\s?°\s?([CF])\b`), func(g []string) string {
			return g[1] + map[string]string{"C": " degrees Celsius", "F": " degrees Fahrenheit"}[g[2]]
		}},
		{regexp.MustCompile(`(\d)\s?(km|kg|mph|lbs?|ft|cm|mm|mi|hrs?|mins?|secs?|GB|MB)\b\.?`), func(g []string) string { return g[1] + " " + unit(g[2]) }},
		{regexp.MustCompile(`\b(Dr|Mr|Mrs|Ms|Prof|Sr|Jr|St|Ave|Blvd|Rd|Apt|Dept|Inc|Ltd|Corp|Co|vs|etc|approx|No|Mon|Tue|Tues|Wed|Thu|Thur|Thurs|Fri|Sat|Sun)\.( *)(\S?)`), func(g []string) string { return abbreviation(g[1], g[2], g[3]) }},
		{regexp.MustCompile(`(?i)\be\.g\.,?`), to("for example")},
		{regexp.MustCompile(`(?i)\bi\.e\.,?`), to("that is")},
		{regexp.MustCompile(`#(\d)`), to("number $1")},
		{regexp.MustCompile(`\b(?:[A-Z]\.){2,}`), func(g []string) string { return spell(strings.ReplaceAll(g[0], ".", "")) }},
		{regexp.MustCompile(`\b[A-Z0-9]+(?:-[A-Z0-9]+)*(?:s|'s)?\b`), func(g []string) string { return capitals(g[0]) }},
		{regexp.MustCompile(`\s*&\s*`), to(" and ")},
		{regexp.MustCompile(`\s*@\s*`), to(" at ")},
		{regexp.MustCompile(`\s*=\s*`), to(" equals ")},
		{regexp.MustCompile(`\s*\+\s*`), to(" plus ")},
		{regexp.MustCompile(`\b([A-Za-z]+)/([A-Za-z]+)\b`), to("$1 $2")},
		{regexp.MustCompile(`(\d)\s*/\s*(\d)`), to("$1 over $2")},
	}
	return n
}

func to(replacement string) func([]string) string {
	return func(g []string) string {
		out := replacement
		for i := 1; i < len(g); i++ {
			out = strings.ReplaceAll(out, "$"+strconv.Itoa(i), g[i])
		}
		return out
	}
}

// normalize writes text out. The result holds words, plain numbers and punctuation.
func (n *normalizer) normalize(text string) string {
	text = plainCharacters(text)
	if shouting(text) {
		text = strings.ToLower(text)
	}
	for _, r := range n.rules {
		text = r.pattern.ReplaceAllStringFunc(text, func(match string) string {
			return r.write(r.pattern.FindStringSubmatch(match))
		})
	}
	return strings.Join(strings.Fields(text), " ")
}

// plainCharacters keeps letters, digits, ASCII symbols and the punctuation that shapes speech.
func plainCharacters(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\u2018' || r == '\u2019' || r == '\u02bc':
			b.WriteByte('\'')
		case r == '\u201c' || r == '\u201d':
			b.WriteByte('"')
		case r == '\u2014' || r == '\u2015':
			b.WriteString(" — ")
		case r == '\u2026':
			b.WriteString("… ")
		case r == '\u2013' || r == '\u2212' || r == '°' || r == '€' || r == '£' || r < unicode.MaxASCII && unicode.IsPrint(r) || unicode.IsLetter(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString("\n")
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsMark(r): // part of a letter
			b.WriteRune(r)
		default: // emoji and the like
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// shouting reports whether a text of several words is all capitals, which then spell nothing.
func shouting(text string) bool {
	words := 0
	for w := range strings.FieldsSeq(text) {
		letters := 0
		for _, r := range w {
			if unicode.IsLower(r) {
				return false
			}
			if unicode.IsUpper(r) {
				letters++
			}
		}
		if letters > 1 {
			words++
		}
	}
	return words >= 3
}

// capitals spells acronyms and codes, letter by letter and digit by digit, and leaves words and numbers alone.
func capitals(word string) string {
	stem, suffix := strings.TrimSuffix(word, "s"), ""
	if stem != word {
		stem, suffix = strings.TrimSuffix(stem, "'"), "'s"
	}
	letters, digits := 0, 0
	for _, r := range stem {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r != '-':
			letters++
		}
	}
	switch {
	case letters == 0 || letters == 1 && digits == 0: // a number, "A", "I"
		return word
	case digits == 0 && (letters > 5 || strings.Contains(stem, "-") || pronounced(stem)):
		return word
	case suffix != "" && digits > 0: // "1990S" is not a plural of capitals
		suffix = " s"
	}
	return spell(strings.ReplaceAll(stem, "-", "")) + suffix
}

// pronounced reports whether capitals are read as a word.
func pronounced(s string) bool {
	switch s {
	case "PIN", "SIM", "ZIP", "GIF", "RAM", "ROM", "NO", "YES", "THE", "AND", "NOT":
		return true
	case "ASAP", "HVAC":
		return false
	}
	// Without a vowel nobody can pronounce it; with one, four letters and more are a word in capitals or read like one (NASA).
	return len(s) >= 4 && strings.ContainsAny(s, "AEIOU") && !strings.ContainsAny(s, "QX")
}

// spell writes letters and digits apart. "A" alone would be read as the article.
func spell(s string) string {
	var parts []string
	for _, r := range strings.ToUpper(s) {
		if r == 'A' {
			parts = append(parts, "ay")
			continue
		}
		parts = append(parts, string(r))
	}
	return strings.Join(parts, " ")
}
