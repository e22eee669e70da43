package analysis

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"talkstack"
)

// slotAnswer is the value that a flow has collected for a question: by the question's name, or by a slot whose name says
// what the question asks for and nothing else. ok: such a slot was filled, so nothing else needs to be read; its value
// may still be no answer of the question's type.
func (s *scene) slotAnswer(q talkstack.Question, a asked) (value any, ok bool) {
	name, ok := s.slotFor(q, a)
	if !ok || a.negated {
		return nil, ok
	}
	v := strings.TrimSpace(s.call.Slots[name])
	switch q.Type {
	case talkstack.QuestionText:
		return orNil(v), true
	case talkstack.QuestionNumber:
		if f, err := strconv.ParseFloat(v, 64); err == nil && isDecimal(v) {
			return f, true
		}
	case talkstack.QuestionBoolean:
		switch strings.ToLower(v) {
		case "yes", "true":
			return "Yes", true
		case "no", "false":
			return "No", true
		}
	case talkstack.QuestionSelector:
		return orNil(optionOf(v, q.Options)), true
	}
	return nil, true
}

// slotFor is the name of the slot that belongs to a question, when only one does.
func (s *scene) slotFor(q talkstack.Question, a asked) (string, bool) {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(s.call.Slots)) {
		if strings.TrimSpace(s.call.Slots[name]) == "" {
			continue
		}
		if q.Name != "" && plainName(q.Name) == plainName(name) {
			return name, true
		}
		about := without(concepts(nameWords(name)), slices.Concat(attitudes(), quantities()))
		if len(about) > 0 && len(a.concepts) > 0 && covers(about, a.concepts) && covers(a.concepts, about) && (q.Type != talkstack.QuestionBoolean || isYesNo(s.call.Slots[name])) {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

func isYesNo(v string) bool {
	return slices.Contains([]string{"yes", "no", "true", "false"}, strings.ToLower(strings.TrimSpace(v)))
}

// optionOf is the option that a value names: letter by letter, or the only one that has all its words.
func optionOf(v string, options []string) string {
	for _, o := range options {
		if strings.EqualFold(strings.Trim(o, ". "), strings.Trim(v, ". ")) {
			return o
		}
	}
	about := concepts(tokenize(v))
	found := ""
	for _, o := range options {
		words := tokenize(o)
		if len(about) == 0 || !covers(concepts(words), about) || slices.ContainsFunc(words, negates) {
			continue
		}
		if found != "" {
			return ""
		}
		found = o
	}
	return found
}

// plainName is a name without case and signs: "newDate" and "new_date" are one.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// nameWords parts a slot's name into words: "newDate" and "new_date" are two.
func nameWords(name string) []string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return tokenize(strings.ReplaceAll(b.String(), "_", " "))
}
