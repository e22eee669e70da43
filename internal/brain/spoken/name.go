package spoken

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameWords is how many words a name may have: "Maria del Carmen Lopez Garcia".
const maxNameWords = 5

// introductions are what people say before their name.
func introductions() [][]string {
	return [][]string{
		{"my", "name", "is"},
		{"my", "names"},
		{"the", "name", "is"},
		{"the", "names"},
		{"name", "is"},
		{"names"},
		{"my", "full", "name", "is"},
		{"you", "are", "speaking", "with"},
		{"youre", "speaking", "with"},
		{"you", "can", "call", "me"},
		{"they", "call", "me"},
		{"call", "me"},
		{"put", "it", "under"},
		{"its", "under"},
		{"this", "is"},
		{"here", "is"},
		{"it", "is"},
		{"its"},
		{"it", "s"},
		{"i", "am"},
		{"im"},
		{"thats"},
		{"that", "is"},
		{"under"},
		{"speaking", "with"},
	}
}

// sureIntroductions are those that can introduce nothing but a name, but for the last.
const sureIntroductions = 13

// name reads a name. Strict: only one that is introduced as one.
func (r Reader) name(u *Utterance, strict bool) Value {
	from, sure := u.introduction()
	if strict && !sure {
		return Value{}
	}
	words := u.nameWords(from)
	if len(words) == 0 || len(words) > 2*maxNameWords+20 {
		return Value{}
	}
	text := u.nameText(words)
	if text == "" {
		return Value{}
	}
	return Value{Text: text, words: words}
}

// introduction finds where the name begins: after the introduction furthest to the right, else at the first word
// that says something.
func (u *Utterance) introduction() (from int, sure bool) {
	for i := len(u.words) - 1; i >= 0; i-- {
		for k, p := range introductions() {
			if u.phrase(i, p...) && i+len(p) < len(u.words) && (len(p) > 1 || i == 0 || u.words[i-1].pause || !u.is(i-1, "it", "that")) {
				return i + len(p), k < sureIntroductions
			}
		}
	}
	return 0, false
}

// nameWords are the places of the words of a name from word i on.
func (u *Utterance) nameWords(i int) []int {
	var list []int
	for ; i < len(u.words); i++ {
		w := u.at(i)
		switch {
		case w == "" && len(list) == 0, len(list) == 0 && (filler(w) && !u.inSpelling(i) || polite(w)), w == "um" || w == "uh":
			continue
		case w == "", u.is(i, "and") && len(list) > 0, u.is(i, "speaking", "here", "please", "thanks", "calling", "but", "from", "with"):
			return list
		case u.phrase(i, "thank", "you"), u.phrase(i, "is", "my", "name"), u.phrase(i, "as", "in") && len(list) == 0:
			return list
		}
		if !nameable(w) && !u.inSpelling(i) {
			if len(list) > 0 && u.words[i-1].pause {
				return list
			}
			return nil
		}
		list = append(list, i)
	}
	return list
}

// inSpelling reports whether word i belongs to the spelling of a name: a letter among letters, "double", "as", "in".
func (u *Utterance) inSpelling(i int) bool {
	if u.letter(i) {
		return u.letter(i-1) || u.letter(i+1) || u.is(i-1, "double") || u.is(i+1, "as", "like", "for", "double")
	}
	return (u.is(i, "double") && u.letter(i+1)) || (u.is(i, "as", "like", "for") && u.letter(i-1)) ||
		(u.is(i, "in") && u.is(i-1, "as") && u.letter(i-2)) || u.is(i, "capital") || u.is(i, "spelled", "spelt")
}

// letter reports whether word i is a single letter.
func (u *Utterance) letter(i int) bool {
	w := u.at(i)
	r, size := utf8.DecodeRuneInString(w)
	return size > 0 && size == len(w) && unicode.IsLetter(r)
}

// nameText writes the name in words, with what was spelled in place of what it spells.
func (u *Utterance) nameText(words []int) string {
	var said []string
	var letters strings.Builder
	for k := 0; k < len(words); k++ {
		i := words[k]
		w := u.at(i)
		switch {
		case u.is(i, "double") && u.letter(i+1):
			letters.WriteString(u.at(i+1) + u.at(i+1))
			k++
		case u.letter(i) && (letters.Len() > 0 || u.letter(i+1) || u.is(i+1, "as", "for", "like", "double")):
			letters.WriteString(w)
			switch {
			case u.is(i+1, "as") && u.is(i+2, "in"): // "S as in Sam"
				k += 3
			case u.is(i+1, "for", "like"):
				k += 2
			}
		case w == "capital" || w == "spelled" || w == "spelt":
		default:
			said = append(said, u.nameWord(i))
		}
	}
	if letters.Len() == 1 {
		said = append(said, strings.ToUpper(letters.String()))
	} else if letters.Len() > 1 {
		said = placeSpelling(said, title(letters.String()))
	}
	if n := len(said); n == 3 && strings.EqualFold(said[0], said[2]) { // "Smith, Anna Smith"
		said = said[1:]
	} else if n == 2 && strings.EqualFold(said[0], said[1]) {
		said = said[1:]
	}
	if len(said) > maxNameWords || utf8.RuneCountInString(strings.Join(said, " ")) > 100 {
		return ""
	}
	return strings.Join(said, " ")
}

// placeSpelling puts a spelled word in place of the said one it resembles: "Anna Smyth, S M I T H" → "Anna Smith".
func placeSpelling(said []string, spelled string) []string {
	for i := len(said) - 1; i >= 0; i-- {
		if distance(lower(said[i]), lower(spelled)) <= max(1, len(spelled)/2) {
			said[i] = spelled
			return said
		}
	}
	return append(said, spelled)
}

// nameWord is word i as part of a name: the recogniser's capitals are kept where it set them inside.
func (u *Utterance) nameWord(i int) string {
	raw := u.words[i].raw
	first, size := utf8.DecodeRuneInString(raw)
	if unicode.IsUpper(first) && lower(raw[size:]) != raw[size:] && strings.ToUpper(raw) != raw {
		return raw
	}
	if strings.ContainsAny(raw, "'’") {
		head, tail, _ := strings.Cut(strings.ReplaceAll(raw, "’", "'"), "'")
		if len(tail) > 1 {
			return title(head) + "'" + title(tail)
		}
		return title(head)
	}
	return title(raw)
}

func title(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + lower(s[size:])
}

func lower(s string) string { return strings.ToLower(s) }

// polite are words that may come before a name and are none.
func polite(w string) bool {
	return slices.Contains([]string{"yes", "yeah", "sure", "of", "course", "certainly", "good", "morning", "afternoon", "evening", "oh", "no", "sorry", "actually", "right", "fine", "great"}, w)
}

// nameable reports whether w can be a word of a name. Everyday words are not, which keeps "I don't know" from being
// somebody; nor are numbers.
func nameable(w string) bool {
	if strings.ContainsAny(w, "0123456789") || monthOf(w) > 0 && len(w) > 5 {
		return false
	}
	if _, ok := small(w); ok {
		return false
	}
	if _, ok := tens(w); ok {
		return false
	}
	return !everyday(w)
}

// everyday reports whether w is an everyday word that is hardly anybody's name.
func everyday(w string) bool {
	switch w {
	case "i", "you", "he", "she", "it", "we", "they", "me", "my", "your", "our", "im", "ive", "id", "ill", "its",
		"is", "are", "was", "were", "be", "been", "do", "does", "did", "dont", "cant", "wont", "didnt", "doesnt",
		"have", "has", "had", "would", "could", "should", "can", "need", "want", "like", "know", "think", "said", "say", "tell", "give",
		"what", "whats", "why", "who", "whos", "where", "when", "how", "which", "that", "thats", "this", "these", "those", "there", "here",
		"the", "a", "an", "of", "to", "in", "on", "at", "for", "with", "about", "from", "by", "as", "if", "or", "and", "but", "not", "no", "yes", "yeah",
		"name", "number", "people", "person", "time", "day", "today", "tomorrow", "appointment", "book", "booking", "table", "please",
		"oclock", "noon", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "half", "quarter", "past",
		"something", "nothing", "anything", "wait", "hold", "repeat", "again", "pardon", "excuse", "sorry", "hello", "hi", "operator", "human", "agent",
		"just", "some", "any", "all", "very", "really", "get", "go", "make", "mean", "meant", "actually", "sure", "okay", "ok", "right", "correct", "help",
		"double", "triple", "zero", "pm", "am":
		return true
	}
	return false
}
