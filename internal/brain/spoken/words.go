package spoken

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// maxWords bounds the work on one utterance. A minute of fast speech has about 200.
const maxWords = 300

// word is one word of an utterance.
type word struct {
	text  string // lower case, no punctuation: "oclock", "pm", "26th", "3:30"
	raw   string // as the recogniser wrote it: "O'Brien"
	pause bool   // punctuation follows
}

// Utterance is what a caller said, as words. Words that were understood as a value are taken: later readings of the
// same utterance do not see them, so that "Thursday at three for two people" is read as three different things.
type Utterance struct {
	Text  string
	words []word
	taken []bool
}

// Parse splits a recogniser's text into words.
func Parse(text string) *Utterance {
	u := &Utterance{Text: strings.TrimSpace(text)}
	for field := range strings.FieldsSeq(text) {
		if len(u.words) >= maxWords {
			break
		}
		u.split(field)
	}
	u.taken = make([]bool, len(u.words))
	return u
}

// The shapes of fields that are not plain words.
//
//nolint:gochecknoglobals // compiled once, never changed
var (
	halfDay   = regexp.MustCompile(`^[ap]\.?m\.?$`)
	dotted    = regexp.MustCompile(`^(\pL\.)+\pL?$`)
	thousands = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
	glued     = regexp.MustCompile(`^(\d{1,2}(?:[:.]\d{2})?)([ap]m)$`)
	isoDate   = regexp.MustCompile(`^\d{4}-\d{1,2}-\d{1,2}$`)
	numeric   = regexp.MustCompile(`^[\d:./]+$`)
)

// split adds the words of one blank-free field.
func (u *Utterance) split(field string) {
	const around = `.,;:?!"()[]{}…*“”«»¿¡$€£%#<>|~^=_`
	body := strings.Trim(field, around+"-–—'’‘")
	pause := strings.TrimRight(field, around+"-–—") != field && strings.ContainsAny(field[len(field)-1:], ".,;:?!")
	if rest, ok := strings.CutPrefix(strings.TrimLeft(field, around), "+"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		u.add("plus", "+", false)
		body = strings.TrimPrefix(body, "+")
	}
	lower := strings.ToLower(body)
	switch {
	case body == "":
		if field == "&" {
			u.add("and", "&", false)
		} else if n := len(u.words); n > 0 {
			u.words[n-1].pause = true
		}
		return
	case halfDay.MatchString(lower):
		u.add(lower[:1]+"m", body, pause)
		return
	case dotted.MatchString(body):
		for r := range strings.SplitSeq(strings.TrimRight(body, "."), ".") {
			u.add(strings.ToLower(r), r, false)
		}
	case isoDate.MatchString(lower):
		u.add(lower, body, pause)
	case thousands.MatchString(lower):
		u.add(strings.ReplaceAll(lower, ",", ""), body, pause)
	default:
		for part := range strings.FieldsFuncSeq(body, func(r rune) bool {
			return strings.ContainsRune("-–—,", r) || r == '/' && !numeric.MatchString(body)
		}) {
			u.part(part)
		}
	}
	if n := len(u.words); n > 0 {
		u.words[n-1].pause = u.words[n-1].pause || pause
	}
}

// part adds one hyphen-free part of a field.
func (u *Utterance) part(s string) {
	s = strings.Trim(s, ".'’‘")
	lower := strings.Map(func(r rune) rune {
		if r == '\'' || r == '’' || r == '‘' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	if m := glued.FindStringSubmatch(lower); m != nil {
		u.add(m[1], m[1], false)
		u.add(m[2], m[2], false)
		return
	}
	if strings.Count(lower, ".") > 1 && numeric.MatchString(lower) && !strings.ContainsAny(lower, ":/") { // 415.555.0148
		for d := range strings.SplitSeq(lower, ".") {
			u.add(d, d, false)
		}
		return
	}
	u.add(lower, s, false)
}

func (u *Utterance) add(text, raw string, pause bool) {
	if text != "" && len(u.words) < maxWords {
		u.words = append(u.words, word{text: text, raw: raw, pause: pause})
	}
}

// at is the text of word i; empty when there is none, or it is taken.
func (u *Utterance) at(i int) string {
	if i < 0 || i >= len(u.words) || u.taken[i] {
		return ""
	}
	return u.words[i].text
}

// is reports whether word i is one of list.
func (u *Utterance) is(i int, list ...string) bool {
	w := u.at(i)
	return w != "" && slices.Contains(list, w)
}

// phrase reports whether the words from i on are those of p.
func (u *Utterance) phrase(i int, p ...string) bool {
	for k, w := range p {
		if u.at(i+k) != w {
			return false
		}
	}
	return len(p) > 0
}

// has reports whether any of the phrases occurs, and where it first does.
func (u *Utterance) has(phrases ...string) (int, bool) {
	for i := range u.words {
		for _, p := range phrases {
			if u.phrase(i, strings.Fields(p)...) {
				return i, true
			}
		}
	}
	return 0, false
}

// copy is u with its own marks.
func (u *Utterance) copy() *Utterance {
	c := *u
	c.taken = slices.Clone(u.taken)
	return &c
}

// take marks words i to j-1.
func (u *Utterance) take(i, j int) {
	for ; i < j && i < len(u.taken); i++ {
		if i >= 0 {
			u.taken[i] = true
		}
	}
}

// Take marks the words of v, so that they are not read again.
func (u *Utterance) Take(v Value) {
	for _, i := range v.words {
		u.taken[i] = true
	}
}

// from is u without the words before i.
func (u *Utterance) from(i int) *Utterance {
	c := u.copy()
	c.take(0, i)
	return c
}

// free are the places of the words that are not taken.
func (u *Utterance) free() []int {
	var list []int
	for i := range u.words {
		if !u.taken[i] {
			list = append(list, i)
		}
	}
	return list
}

// content are the places of the free words that mean something: no fillers.
func (u *Utterance) content() []int {
	return slices.DeleteFunc(u.free(), func(i int) bool { return filler(u.words[i].text) })
}

// Empty reports whether nothing is left but fillers.
func (u *Utterance) Empty() bool { return len(u.content()) == 0 }

// Words is how many words there are, fillers left out.
func (u *Utterance) Words() int { return len(u.content()) }

// filler reports whether w says nothing.
func filler(w string) bool {
	switch w {
	case "um", "uh", "er", "erm", "ah", "hm", "hmm", "mm", "mmm", "uhm", "eh", "well", "so", "like", "please", "thanks",
		"hi", "hello", "hey", "then", "just", "maybe", "perhaps", "okay", "ok", "alright", "the", "a", "an", "and":
		return true
	}
	return false
}

// markers are the words after which a caller says the right thing.
func markers() [][]string {
	return [][]string{
		{"i", "mean"},
		{"i", "meant"},
		{"make", "it"},
		{"make", "that"},
		{"no", "wait"},
		{"no", "sorry"},
		{"or", "rather"},
		{"change", "it", "to"},
		{"change", "that", "to"},
		{"i", "said"},
		{"no"},
		{"sorry"},
		{"actually"},
		{"rather"},
		{"wait"},
		{"correction"},
		{"nope"},
		{"instead"},
		{"know"},
	}
}

// corrected is the part of u after its last correction marker: "three, no, four" → "four". False when there is none.
func (u *Utterance) corrected() (*Utterance, bool) {
	for i := len(u.words) - 1; i >= 0; i-- {
		for _, m := range markers() {
			if u.phrase(i, m...) && i+len(m) < len(u.words) && (m[0] != "know" || i == 0) {
				return u.from(i + len(m)), true
			}
		}
	}
	return nil, false
}

// Corrects reports whether the caller is putting something right: "no, …", "actually …", "not Tuesday".
func (u *Utterance) Corrects() bool {
	if _, ok := u.corrected(); ok {
		return true
	}
	_, ok := u.has("not", "instead", "change", "wrong", "i meant", "i said", "make it", "rather")
	return ok
}
