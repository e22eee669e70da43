package voice

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// firstClause is the length from which the first clause is cut at a comma: the sooner it is made, the
	// sooner the agent answers.
	firstClause = 20
	// firstClauseLimit is where the first clause is cut when no punctuation comes, and clauseLimit where later
	// ones are: recognisably long for a breath, and within what a synthesizer takes at once.
	firstClauseLimit = 100
	clauseLimit      = 240
	// laterClause is the least length of a clause that is not the first: short sentences are spoken together,
	// which sounds better and gives no gap between them.
	laterClause = 30
	// clauseLook is how many bytes after a possible cut must be known before it is made. It makes the cuts
	// depend on the text alone, not on how it arrived, so that sentences made ahead are found again.
	clauseLook = 8
)

// Clauses is text as a conversation will speak it: cleaned of what cannot be said, one element a clause.
func Clauses(text string) []string {
	var c clauseCutter
	return append(c.add(text), c.rest()...)
}

// clauseCutter cuts a text that comes in pieces into clauses to be spoken.
type clauseCutter struct {
	buf  string
	past bool // the first clause is out
}

// add takes more text and returns the clauses that are complete.
func (c *clauseCutter) add(text string) []string {
	c.buf += text
	var out []string
	for {
		n := c.cut(c.buf)
		if n == 0 {
			return out
		}
		out = c.emit(out, c.buf[:n])
		c.buf = c.buf[n:]
	}
}

// rest returns what is left when no more text comes.
func (c *clauseCutter) rest() []string {
	var out []string
	for c.buf != "" {
		padded := c.buf + "\n" + strings.Repeat("x", clauseLook)
		n := min(c.cut(padded), len(c.buf))
		if n == 0 {
			n = len(c.buf)
		}
		out = c.emit(out, c.buf[:n])
		c.buf = c.buf[n:]
	}
	return out
}

// couldEnd reports whether what is left looks like a whole sentence.
func (c *clauseCutter) couldEnd() bool {
	s := strings.TrimRight(c.buf, " \t\n\"')]*”’")
	if s == "" {
		return false
	}
	r, size := utf8.DecodeLastRuneInString(s)
	switch r {
	case '!', '?', '…', '。', '！', '？':
		return true
	case '.': // not in "3.", which may become "3.5"
		s = s[:len(s)-size]
		return s != "" && !isDigit(s[len(s)-1]) && !abbreviation(s, "")
	}
	return false
}

func (c *clauseCutter) emit(out []string, raw string) []string {
	if s := speakable(raw); s != "" {
		c.past = true
		out = append(out, s)
	}
	return out
}

// cut is the length of the first clause of s, 0 when it does not end yet.
func (c *clauseCutter) cut(s string) int {
	limit := firstClauseLimit
	if c.past {
		limit = clauseLimit
	}
	atComma, atSpace, atJoin := 0, 0, 0
	for i, r := range s {
		n := i + utf8.RuneLen(r)
		if r == utf8.RuneError || n+clauseLook > len(s) {
			if r == utf8.RuneError && n+clauseLook <= len(s) {
				continue
			}
			return 0
		}
		length := utf8.RuneCountInString(strings.TrimSpace(s[:n]))
		switch {
		case sentenceEnd(s, i, r):
			n = afterClosing(s, n)
			if !c.past || length >= laterClause {
				return n
			}
			atComma = n
		case comma(s, i, r):
			if !c.past && length >= firstClause {
				return n
			}
			if length >= laterClause {
				atComma = n
			}
		case unicode.IsSpace(r) && !betweenDigits(s, i):
			atSpace = n
			if joins(s[n:]) {
				atJoin = n
			}
		}
		if length < limit {
			continue
		}
		for _, at := range []int{atComma, atJoin, atSpace} {
			if at > 0 {
				return at
			}
		}
		if length >= 2*clauseLimit { // no word is that long
			return n
		}
	}
	return 0
}

// sentenceEnd reports whether the rune at i ends a sentence.
func sentenceEnd(s string, i int, r rune) bool {
	switch r {
	case '\n':
		return strings.TrimSpace(s[:i]) != ""
	case '。', '！', '？':
		return true
	case '.', '!', '?', '…':
	default:
		return false
	}
	next, _ := utf8.DecodeRuneInString(s[afterClosing(s, i+utf8.RuneLen(r)):])
	if !unicode.IsSpace(next) {
		return false // 3.5, example.com, "?!", an ellipsis that goes on
	}
	return r != '.' || !abbreviation(s[:i], s[i+1:])
}

// afterClosing skips quotes and brackets that belong to what ends before n.
func afterClosing(s string, n int) int {
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !strings.ContainsRune("\"')]*”’", r) {
			break
		}
		n += size
	}
	return n
}

// abbreviation reports whether a full stop between s and after belongs to the word: "Dr", "e.g", an initial, the
// number of a list item.
func abbreviation(s, after string) bool {
	word := s[strings.LastIndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == '"' })+1:]
	switch strings.ToLower(word) {
	case "dr", "mr", "mrs", "ms", "prof", "st", "jr", "sr", "vs", "etc", "approx", "apt", "dept", "inc", "ltd", "co", "corp",
		"e.g", "i.e", "u.s", "u.k", "tel", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
		"a.m", "p.m", "ave", "blvd", "rd", "ca", "min", "max", "hr", "hrs":
		return true
	case "no", "nos", "nr", "ext", "fig": // "No. 5", not "No. I cannot"
		after = strings.TrimLeft(after, " ")
		return after != "" && isDigit(after[0])
	}
	if r, size := utf8.DecodeRuneInString(word); size == len(word) && unicode.IsLetter(r) {
		return unicode.IsUpper(r) && r != 'I'
	}
	before := strings.TrimSpace(strings.TrimSuffix(s, word))
	return before == "" && word != "" && strings.Trim(word, "0123456789") == "" // "1." at the head of a line
}

// comma reports whether the rune at i is a lesser break: , ; : or a dash that stands free.
func comma(s string, i int, r rune) bool {
	n := i + utf8.RuneLen(r)
	next, _ := utf8.DecodeRuneInString(s[n:])
	switch r {
	case ',', ';', ':':
		return unicode.IsSpace(next) && !betweenDigits(s, i)
	case '—', '–', '-':
		return unicode.IsSpace(next) && i > 0 && s[i-1] == ' '
	case '、', '，':
		return true
	}
	return false
}

// betweenDigits reports whether the gap around i has a digit on both sides, as in a dictated number.
func betweenDigits(s string, i int) bool {
	left := strings.TrimRight(s[:i], " ,;:")
	right := strings.TrimLeft(s[i:], " ,;:")
	return left != "" && right != "" && isDigit(left[len(left)-1]) && isDigit(right[0])
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// joins reports whether s begins with a word before which one may breathe.
func joins(s string) bool {
	word, _, ok := strings.Cut(s, " ")
	if !ok {
		return false
	}
	switch word {
	case "and", "but", "or", "because", "so", "which", "that", "when", "if", "while", "then":
		return true
	}
	return false
}
