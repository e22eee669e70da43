package spoken

import (
	"strings"

	"talkstack"
)

// choice reads one of the slot's choices: by its value or a synonym, as heard or nearly so; where nothing else was
// asked for also by its place ("the second one") or its key. Strict: only by its words, exactly.
func (r Reader) choice(u *Utterance, s *talkstack.FlowSlot, strict bool) (Value, string) {
	exact := u.choices(s, 0)
	if len(exact) == 0 && !strict {
		exact = u.choices(s, 1)
	}
	switch {
	case len(exact) == 1:
		return exact[0], ""
	case len(exact) > 1 && strict:
		return Value{}, ""
	case len(exact) > 1:
		return Value{}, "I heard both " + exact[0].Text + " and " + exact[1].Text + "."
	case strict:
		return Value{}, ""
	}
	return u.choiceByPlace(s), ""
}

// choices are the choices that the utterance names, each once with its longest match. slack is 0 for exact matches,
// and 1 for those that a misheard letter or two, or a blank too many, keeps apart.
func (u *Utterance) choices(s *talkstack.FlowSlot, slack int) []Value {
	var found []Value
	for _, c := range s.Choices {
		best := Value{}
		for _, name := range append([]string{c.Value}, c.Synonyms...) {
			if v := u.find(name, slack); len(v.words) > len(best.words) {
				best = v
			}
		}
		if len(best.words) > 0 {
			best.Text = c.Value
			found = append(found, best)
		}
	}
	return dropCovered(found)
}

// dropCovered removes matches that lie inside a longer one: "check" in "check-up".
func dropCovered(found []Value) []Value {
	var kept []Value
	for i, v := range found {
		covered := false
		for j, w := range found {
			if i != j && len(w.words) > len(v.words) && v.words[0] >= w.words[0] && v.words[len(v.words)-1] <= w.words[len(w.words)-1] {
				covered = true
			}
		}
		if !covered {
			kept = append(kept, v)
		}
	}
	return kept
}

// find looks for the words of name, but not after "not".
func (u *Utterance) find(name string, slack int) Value {
	want := Parse(name)
	n := len(want.words)
	if n == 0 {
		return Value{}
	}
	joined := want.joined(0, n)
	for _, i := range u.free() {
		if u.is(i-1, "not") || u.is(i-1, "a", "the") && u.is(i-2, "not") {
			continue
		}
		for _, k := range []int{n, n + 1, n - 1} {
			if k < 1 || i+k > len(u.words) || slack == 0 && k != n {
				continue
			}
			got := u.joined(i, i+k)
			if got == "" {
				continue
			}
			if near(got, joined, slack) {
				return u.value(name, i, i+k)
			}
		}
	}
	return Value{}
}

// joined is words i to j-1 without blanks; empty when one of them is taken.
func (u *Utterance) joined(i, j int) string {
	var b strings.Builder
	for ; i < j; i++ {
		if u.at(i) == "" {
			return ""
		}
		b.WriteString(u.at(i))
	}
	return b.String()
}

// near reports whether got may be a mishearing of want.
func near(got, want string, slack int) bool {
	if got == want || strings.TrimSuffix(got, "s") == strings.TrimSuffix(want, "s") {
		return true
	}
	if slack == 0 || len(want) < 4 || got[0] != want[0] && len(want) < 6 {
		return false
	}
	allowed := 1
	if len(want) >= 7 {
		allowed = 2
	}
	return distance(got, want) <= allowed
}

// distance is the number of letters to change, add or drop to get from a to b (Levenshtein).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return max(len(x), len(y))
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		last := row[0]
		row[0] = i + 1
		for j := range y {
			cost := last
			if x[i] != y[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(y)]
}

// choiceByPlace reads "the second one", "number two", "option one", "the last one", or the key of a choice.
func (u *Utterance) choiceByPlace(s *talkstack.FlowSlot) Value {
	c := u.content()
	if len(c) == 0 || len(c) > 4 {
		return Value{}
	}
	for _, i := range c {
		n := ordinalOf(u.at(i))
		if u.is(i, "last", "latter") {
			n = len(s.Choices)
		}
		if v, ok := small(u.at(i)); ok && u.is(i-1, "number", "option", "choice") {
			n = v
		} else if v, ok := plain(u.at(i)); ok && u.is(i-1, "number", "option", "choice") {
			n = v
		}
		if n >= 1 && n <= len(s.Choices) {
			return u.value(s.Choices[n-1].Value, i, i+1)
		}
	}
	if len(c) == 1 {
		if d, _ := u.digitsAt(c[0]); d != "" {
			if v, ok := byKey(s, d); ok {
				return u.value(v, c[0], c[0]+1)
			}
		}
	}
	return Value{}
}

func byKey(s *talkstack.FlowSlot, key string) (string, bool) {
	for _, ch := range s.Choices {
		if ch.Key != "" && ch.Key == key {
			return ch.Value, true
		}
	}
	return "", false
}
