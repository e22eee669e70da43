package spoken

import (
	"fmt"
	"strconv"
	"strings"

	"talkstack"
)

// The lengths of a telephone number: E.164 allows 15 digits, and shorter ones than five are no subscriber's.
const (
	minPhone       = 5
	minPhoneStrict = 7
	maxPhone       = 15
	maxDigits      = 32
)

// phone reads a dictated telephone number.
func (r Reader) phone(u *Utterance, strict bool) (Value, string) {
	if i, ok := u.has("this number", "the same number", "number im calling from", "number i am calling from", "calling from", "number youre calling"); ok && r.Caller != "" {
		return u.value(r.Caller, i, i+2), ""
	}
	least := minPhone
	if strict {
		least = minPhoneStrict
	}
	best := Value{}
	for _, v := range u.digitRuns() {
		if len(v.Text) > len(best.Text) {
			best = v
		}
	}
	n := len(strings.TrimPrefix(best.Text, "+"))
	switch {
	case n == 0, strict && (n < least || n > maxPhone):
		return Value{}, ""
	case n < least:
		return Value{}, fmt.Sprintf("I only got %s.", SpellDigits(best.Text))
	case n > maxPhone:
		return Value{}, "That was longer than a phone number can be."
	}
	return best, ""
}

// digits reads a dictated string of digits. Strict: only one of the very length that is wanted.
func (r Reader) digits(u *Utterance, s *talkstack.FlowSlot, strict bool) (Value, string) {
	best := Value{}
	for _, v := range u.digitRuns() {
		v.Text = strings.TrimPrefix(v.Text, "+")
		if s.Length > 0 && len(v.Text) == s.Length {
			return v, ""
		}
		if len(v.Text) > len(best.Text) {
			best = v
		}
	}
	if strict || best.Text == "" || len(best.Text) > maxDigits {
		return Value{}, ""
	}
	if s.Length > 0 {
		return Value{}, wrongLength(best.Text, s.Length)
	}
	return best, ""
}

func wrongLength(got string, want int) string {
	return fmt.Sprintf("I got %s. There should be %d digits.", SpellDigits(got), want)
}

// digitRuns finds the stretches of the utterance that are dictated digits. A stretch at whose edge stands a word that
// only sounds like a digit ("for one five") comes with it and without it.
func (u *Utterance) digitRuns() []Value {
	var runs []Value
	for i := 0; i < len(u.words); i++ {
		for _, edge := range []bool{true, false} {
			if v, next := u.digitRun(i, edge); v.Text != "" {
				runs = append(runs, v)
				if !edge || soundsLike(u.at(i)) < 0 {
					i = max(i, next-1)
					break
				}
			}
		}
	}
	return runs
}

// digitRun reads the digits from word i on. edge: a first or last word that only sounds like a digit counts too.
func (u *Utterance) digitRun(i int, edge bool) (v Value, next int) {
	var b strings.Builder
	start, end := i, i
	if u.is(i, "plus") {
		b.WriteByte('+')
		i++
	}
	for i < len(u.words) {
		if d, n := u.digitsAt(i); d != "" {
			b.WriteString(d)
			i, end = n, n
			continue
		}
		if d := soundsLike(u.at(i)); d >= 0 && u.amongDigits(i, start, edge) {
			b.WriteByte(byte('0' + d))
			i++
			end = i
			continue
		}
		if b.Len() > 0 && u.is(i, "and", "uh", "um", "er", "then", "dash", "dot", "hyphen", "space", "ah") {
			i++
			continue
		}
		break
	}
	if end == start || b.String() == "+" {
		return Value{}, i
	}
	return u.value(b.String(), start, end), end
}

// amongDigits decides whether word i, which sounds like a digit, is one: it has digits on both sides, or on one side
// with nothing on the other, when edges count. "Oh" before a pause is surprise.
func (u *Utterance) amongDigits(i, start int, edge bool) bool {
	after, _ := u.digitsAt(i + 1)
	next := after != "" || soundsLike(u.at(i+1)) >= 0
	switch {
	case i > start && next:
		return true
	case i > start:
		return edge && (i == len(u.words)-1 || u.words[i].pause || u.is(i, "o", "oh"))
	case u.is(i, "oh") && u.words[i].pause:
		return false
	default:
		return edge && next || u.is(i, "oh", "o") && next
	}
}

// digitsAt reads the digits that word i stands for: "4", "four", "fifteen", "twenty five", "double five", "hundred".
func (u *Utterance) digitsAt(i int) (digits string, next int) {
	w := u.at(i)
	times := 0
	switch w {
	case "double":
		times = 2
	case "triple", "treble":
		times = 3
	case "hundred":
		if d, _ := u.digitsAt(i - 1); d != "" {
			return "00", i + 1
		}
	case "thousand":
		if d, _ := u.digitsAt(i - 1); d != "" {
			return "000", i + 1
		}
	case "nought", "naught":
		return "0", i + 1
	}
	if times > 0 {
		d := u.at(i + 1)
		if v, ok := small(d); ok && v < 10 {
			d = strconv.Itoa(v)
		} else if v := soundsLike(d); v >= 0 {
			d = strconv.Itoa(v)
		} else if len(d) != 1 || d < "0" || d > "9" {
			return "", i
		}
		return strings.Repeat(d, times), i + 2
	}
	if w != "" && len(w) <= maxDigits && strings.Trim(w, "0123456789") == "" {
		return w, i + 1
	}
	if v, ok := small(w); ok {
		return strconv.Itoa(v), i + 1
	}
	if v, ok := tens(w); ok {
		if ones, ok := small(u.at(i + 1)); ok && ones > 0 && ones < 10 {
			return strconv.Itoa(v + ones), i + 2
		}
		return strconv.Itoa(v), i + 1
	}
	return "", i
}
