package spoken

import (
	"strconv"
	"strings"

	"talkstack"
)

// small is the value of a word from zero to nineteen.
func small(w string) (int, bool) {
	for i, n := range [...]string{
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
		"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
	} {
		if w == n {
			return i, true
		}
	}
	return 0, false
}

// tens is the value of a word from twenty to ninety.
func tens(w string) (int, bool) {
	for i, n := range [...]string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"} {
		if w == n {
			return 20 + 10*i, true
		}
	}
	if w == "fourty" {
		return 40, true
	}
	return 0, false
}

// soundsLike is the digit that a recogniser mistakes for a common word; -1 for none.
func soundsLike(w string) int {
	switch w {
	case "o", "oh":
		return 0
	case "won":
		return 1
	case "to", "too":
		return 2
	case "tree", "free":
		return 3
	case "for", "fore":
		return 4
	case "fife":
		return 5
	case "sex", "sicks", "sics":
		return 6
	case "ate":
		return 8
	case "nein", "niner":
		return 9
	}
	return -1
}

// plain reads a run of ASCII digits.
func plain(w string) (int, bool) {
	if w == "" || len(w) > 9 || strings.Trim(w, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(w)
	return n, err == nil
}

// cardinal reads a whole number that starts at word i and returns the place after it: "26", "twenty six",
// "a hundred and five", "two thousand", "5 hundred".
func (u *Utterance) cardinal(i int) (n, next int, ok bool) {
	var total, cur int
	got, open, written := false, true, false // open: a smaller part may follow; written: in figures
	start := i
	if u.is(i, "a", "an") && u.is(i+1, "hundred", "thousand", "million") {
		cur, got, i = 1, true, i+1
	}
	for ; i-start < 20; i++ {
		w := u.at(i)
		if v, ok := plain(w); ok && !got {
			cur, got, open, written = v, true, false, true
		} else if v, ok := tens(w); ok && open && cur%100 == 0 {
			cur, got, open = cur+v, true, true
		} else if v, ok := small(w); ok && open && (cur%100 == 0 || cur%10 == 0 && v > 0 && v < 10) {
			if v == 0 && got {
				break
			}
			cur, got, open = cur+v, true, false
		} else if w == "hundred" && got && cur > 0 && cur < 100 {
			cur, open, written = cur*100, true, false
		} else if (w == "thousand" || w == "million") && got && cur > 0 && cur < 1000 && total%1000 == 0 && total < 1_000_000_000 {
			scale := 1000
			if w == "million" {
				scale = 1_000_000
			}
			total, cur, open, written = total+cur*scale, 0, true, false
		} else if w == "and" && got && open && !written && u.is(i-1, "hundred", "thousand", "million") && u.isNumber(i+1) {
			continue
		} else {
			break
		}
	}
	return total + cur, i, got
}

func (u *Utterance) isNumber(i int) bool {
	w := u.at(i)
	_, a := small(w)
	_, b := tens(w)
	_, c := plain(w)
	return a || b || c
}

// number reads the first number. Strict: only one that is said to count something ("two people", "party of six").
func (r Reader) number(u *Utterance, s *talkstack.FlowSlot, strict bool) (Value, string) {
	for _, i := range u.free() {
		text, next, ok := u.decimal(i)
		if !ok || text == "1" && u.is(i-1, "that", "this", "which", "no", "another", "other", "first", "last", "the", "any") {
			continue
		}
		if strict && !u.counts(i, next) {
			continue
		}
		return u.value(text, i, next), outside(text, s)
	}
	if strict {
		return Value{}, ""
	}
	if i, ok := u.has("just me", "only me", "by myself", "just myself", "alone", "on my own"); ok {
		return u.value("1", i, i+2), outside("1", s)
	}
	if c := u.soundingNumber(); c >= 0 {
		return u.value(strconv.Itoa(soundsLike(u.at(c))), c, c+1), outside(strconv.Itoa(soundsLike(u.at(c))), s)
	}
	return Value{}, ""
}

// soundingNumber finds a common word that must be a misheard number: it stands alone, or before what is counted.
func (u *Utterance) soundingNumber() int {
	if c := u.content(); len(c) == 1 && soundsLike(u.at(c[0])) >= 0 {
		return c[0]
	}
	for _, i := range u.free() {
		if soundsLike(u.at(i)) > 0 && u.counted(i+1) {
			return i
		}
	}
	return -1
}

// counts reports whether the number between i and next counts something.
func (u *Utterance) counts(i, next int) bool {
	return u.counted(next) || u.phrase(i-2, "party", "of") || u.phrase(i-2, "table", "for") || u.phrase(i-2, "group", "of")
}

func (u *Utterance) counted(i int) bool {
	return u.is(i, "people", "persons", "person", "guests", "guest", "adults", "tickets", "seats", "pieces", "times", "items", "nights", "children", "kids") ||
		u.phrase(i, "of", "us")
}

// decimal reads a number in any way it is said: "12", "minus four", "three point five", "two and a half", "a dozen".
func (u *Utterance) decimal(i int) (text string, next int, ok bool) {
	switch {
	case u.phrase(i, "half", "a", "dozen"):
		return "6", i + 3, true
	case u.phrase(i, "a", "dozen"):
		return "12", i + 2, true
	case u.phrase(i, "a", "couple"):
		return "2", i + 2, true
	}
	sign := ""
	if u.is(i, "minus", "negative") {
		sign = "-"
		i++
	}
	if f, err := strconv.ParseFloat(u.at(i), 64); err == nil && strings.Contains(u.at(i), ".") && strings.Trim(u.at(i), "0123456789.") == "" {
		return sign + strconv.FormatFloat(f, 'f', -1, 64), i + 1, true
	}
	n, next, ok := u.cardinal(i)
	if !ok {
		return "", 0, false
	}
	text = sign + strconv.Itoa(n)
	if u.phrase(next, "and", "a", "half") {
		return text + ".5", next + 3, true
	}
	if u.is(next, "point") {
		if digits, after := u.fraction(next + 1); digits != "" {
			return text + "." + digits, after, true
		}
	}
	return text, next, true
}

// fraction reads the digits after a point.
func (u *Utterance) fraction(i int) (digits string, next int) {
	for len(digits) < 9 {
		if v, ok := small(u.at(i)); ok && v < 10 {
			digits += strconv.Itoa(v)
		} else if _, ok := plain(u.at(i)); ok {
			digits += u.at(i)
		} else {
			break
		}
		i++
	}
	return digits, i
}

// outside says what is wrong with a number that is out of bounds.
func outside(text string, s *talkstack.FlowSlot) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return ""
	}
	say := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case s.Min != nil && f < *s.Min:
		return "It must be at least " + say(*s.Min) + "."
	case s.Max != nil && f > *s.Max:
		return "It can be " + say(*s.Max) + " at most."
	}
	return ""
}
