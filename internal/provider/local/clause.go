package local

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Lengths of clauses, in characters. The first is short so that the answer begins early; later ones grow up to a
// sentence, because longer ones are spoken with better melody. Each must be made while the one before it is heard, or the
// caller hears a hole: so none is longer than growth times the one before.
const (
	firstClause = 45
	firstJoined = 30 // of several fragments
	growth      = 2
	firstLeast  = 8
	laterClause = 160
	fragmentMax = 220 // of words without punctuation
)

// fragment is a run of words with the punctuation behind it, which may be empty.
type fragment struct {
	words string
	mark  string // one of , ; : . ! ? — … or ) or "
}

// clause is what is synthesised at once.
type clause []fragment

// length is about how long the clause is to hear, in characters.
func (c clause) length() int {
	n := 0
	for _, f := range c {
		n += f.length()
	}
	return n
}

func (f fragment) length() int {
	n := len(f.words) + len(f.mark) + 1
	for _, r := range f.words {
		if unicode.IsDigit(r) {
			n += 3 // a figure is a word
		}
	}
	return n
}

// text is the clause as it was written.
func (c clause) text() string {
	var b strings.Builder
	for i, f := range c {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.words + f.mark)
	}
	return b.String()
}

// pause is the natural silence behind the clause when another follows.
func (c clause) pause() time.Duration {
	if len(c) == 0 {
		return 0
	}
	switch c[len(c)-1].mark {
	case "":
		return 20 * time.Millisecond
	case ",", ")", "\"":
		return 110 * time.Millisecond
	case ";", ":", "—":
		return 170 * time.Millisecond
	}
	return 260 * time.Millisecond
}

// fragments cuts normalised text at its punctuation. Only punctuation at the end of a word counts: "3.5" is one word.
func fragments(text string) []fragment {
	var out []fragment
	var words []string
	length := 0
	end := func(mark string) {
		if len(words) > 0 {
			out = append(out, fragment{strings.Join(words, " "), mark})
		} else if len(out) > 0 && out[len(out)-1].mark == "" {
			out[len(out)-1].mark = mark
		}
		words, length = nil, 0
	}
	for word := range strings.FieldsSeq(text) {
		core, mark := splitMark(word)
		if core != "" {
			if length+len(core) > fragmentMax || len(words) > 3 && length > fragmentMax/2 && conjunction(core) {
				end("")
			}
			words = append(words, core)
			length += len(core) + 1
		}
		if mark != "" {
			end(mark)
		}
	}
	end("")
	return out
}

// splitMark takes the punctuation off a word. Of several marks the strongest counts.
func splitMark(word string) (core, mark string) {
	const marks = ",;:.!?—…)\"("
	core = strings.TrimLeft(word, marks+"'[]{}<>\\-^")
	trimmed := strings.TrimRight(core, marks+"'[]{}<>\\-^")
	tail := core[len(trimmed):]
	if trimmed == "" {
		tail = word
	}
	for _, m := range []string{"?", "!", "…", ".", "—", ":", ";", ",", ")"} {
		if strings.Contains(tail, m) {
			mark = m
			break
		}
	}
	return speakable(trimmed), mark
}

// speakable drops the characters inside a word that would make the phonemiser split or spell it.
func speakable(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '\'', r == '-', r == '.':
			return r
		}
		return -1
	}, strings.Trim(word, "'-"))
}

// conjunction reports whether a clause may be cut before the word.
func conjunction(word string) bool {
	switch strings.ToLower(word) {
	case "and", "but", "or", "so", "because", "which", "that", "when", "while", "if", "then", "with", "after", "before", "until":
		return true
	}
	return false
}

func preposition(word string) bool {
	switch strings.ToLower(word) {
	case "for", "at", "on", "in", "from", "about", "by", "into", "through", "under", "over", "between":
		return true
	}
	return false
}

// clauses joins fragments into what is synthesised at once.
func clauses(fragments []fragment) []clause {
	var out []clause
	var c clause
	for _, f := range fragments {
		limit := laterClause
		if len(out) > 0 {
			limit = min(limit, max(firstJoined, growth*out[len(out)-1].length()))
		} else {
			limit = firstJoined
			if first, rest, ok := cutFirst(f); ok && len(c) == 0 {
				out = append(out, clause{first})
				c = clause{rest}
				if sentenceEnd(rest.mark) {
					out, c = append(out, c), nil
				}
				continue
			}
		}
		if len(c) > 0 && c.length()+f.length() > limit && c.length() >= firstLeast {
			out, c = append(out, c), nil
		}
		c = append(c, f)
		if sentenceEnd(f.mark) && c.length() >= firstLeast {
			out, c = append(out, c), nil
		}
	}
	if len(c) > 0 {
		out = append(out, c)
	}
	return out
}

func sentenceEnd(mark string) bool { return mark == "." || mark == "!" || mark == "?" || mark == "…" }

// cutFirst cuts a long first fragment before a conjunction or preposition, so that the answer begins early.
func cutFirst(f fragment) (first, rest fragment, ok bool) {
	if f.length() <= firstClause+firstClause/3 {
		return first, rest, false
	}
	at := 0
	for i, word := 0, ""; i < len(f.words); i += len(word) + 1 {
		word, _, _ = strings.Cut(f.words[i:], " ")
		if i > firstClause {
			break
		}
		if i >= 2*firstLeast && (conjunction(word) || preposition(word)) {
			at = i
		}
	}
	if at == 0 {
		return first, rest, false
	}
	return fragment{f.words[:at-1], ""}, fragment{f.words[at:], f.mark}, true
}

// joinPhonemes puts the marks back between the phonemes of a clause's fragments.
func joinPhonemes(c clause, phonemes []string) string {
	var b strings.Builder
	for i, f := range c {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(phonemes[i])
		b.WriteString(f.mark)
	}
	return b.String()
}

// cutPhonemes cuts what is too long for one run at spaces.
func cutPhonemes(phonemes string, limit int) []string {
	var out []string
	for utf8.RuneCountInString(phonemes) > limit {
		runes := []rune(phonemes)
		at := limit
		for at > limit/2 && runes[at] != ' ' {
			at--
		}
		out = append(out, string(runes[:at]))
		phonemes = strings.TrimLeft(string(runes[at:]), " ")
	}
	return append(out, phonemes)
}
