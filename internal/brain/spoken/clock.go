package spoken

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// halfOfDay is which part of the day an hour was said to be in.
type halfOfDay int

const (
	anyHalf halfOfDay = iota
	morning
	afternoon
	night
)

// clockReading is one possible time in an utterance.
type clockReading struct {
	hour, minute int
	words        []int
	exact        bool // on the 24-hour clock: no guess about the half of the day
	weak         bool // a lone number
}

// clock reads a time of day. Hours without a half of the day are those of business: 7 to 11 in the morning, noon, 1 to 6
// in the afternoon. Strict: not from a lone number without "at". prev is the time that was read back, which "in the
// evening" alone corrects.
func (r Reader) clock(u *Utterance, prev string, strict bool) Value {
	rest := u.copy()
	if d := r.dateParts(rest, true); !d.empty() { // the six of "the twenty sixth" is no hour
		rest.Take(Value{words: d.words})
		rest.taken = restore(rest, u)
	}
	best := clockReading{hour: -1}
	for _, i := range rest.free() {
		if rest.is(i-1, "not") || rest.phrase(i-2, "not", "at") {
			continue
		}
		c, ok := rest.clockAt(i, strict)
		if ok && (best.hour < 0 || best.weak && !c.weak || best.weak == c.weak && len(c.words) > len(best.words)) {
			best = c
		}
	}
	half, words := rest.halfOfDay()
	if best.hour < 0 {
		if half != anyHalf && prev != "" && !strict {
			var h, m int
			if _, err := fmt.Sscanf(prev, "%d:%d", &h, &m); err == nil {
				return Value{Text: clockText(inHalf(h%12, half), m), words: words}
			}
		}
		return Value{}
	}
	if len(words) > 0 && slices.Contains(best.words, words[0]) {
		half = anyHalf
	}
	h := best.hour
	switch {
	case best.exact || h > 12:
	case half != anyHalf:
		h = inHalf(h, half)
	case h >= 1 && h <= 6:
		h += 12
	}
	best.words = append(best.words, words...)
	slices.Sort(best.words)
	return Value{Text: clockText(h, best.minute), words: slices.Compact(best.words)}
}

// restore gives back the words that say the half of the day: a date takes them too ("tonight", "this afternoon").
func restore(rest, u *Utterance) []bool {
	taken := slices.Clone(rest.taken)
	for i := range taken {
		switch u.at(i) {
		case "tonight", "this":
			taken[i] = u.taken[i]
		}
	}
	return taken
}

func clockText(h, m int) string { return fmt.Sprintf("%02d:%02d", h%24, m) }

// inHalf puts an hour of the 12-hour clock into a half of the day.
func inHalf(h int, half halfOfDay) int {
	switch half {
	case morning:
		return h % 12
	case afternoon:
		return h%12 + 12
	case night: // eight at night is 20:00, two at night 2:00
		if h == 12 || h < 5 {
			return h % 12
		}
		return h + 12
	case anyHalf:
	}
	return h
}

// halfOfDay finds "in the afternoon", "pm", "tonight" and their like.
func (u *Utterance) halfOfDay() (halfOfDay, []int) {
	for _, i := range u.free() {
		span := func(from, to int) []int {
			var w []int
			for k := max(from, 0); k < to; k++ {
				if u.at(k) != "" {
					w = append(w, k)
				}
			}
			return w
		}
		start := i
		switch {
		case u.is(i-1, "the") && u.is(i-2, "in"):
			start = i - 2
		case u.is(i-1, "in", "this", "at"):
			start = i - 1
		}
		switch {
		case u.is(i-1, "not") || u.phrase(start-1, "not"):
		case u.is(i, "am", "morning") && !u.phrase(i-1, "good"):
			if u.is(i, "am") && u.is(i-1, "i") { // "I am"
				continue
			}
			return morning, span(start, i+1)
		case u.is(i, "pm", "afternoon", "evening") && !u.phrase(i-1, "good"):
			return afternoon, span(start, i+1)
		case u.is(i, "night") && u.is(i-1, "at"):
			return night, span(start, i+1)
		case u.is(i, "tonight"):
			return afternoon, span(i, i+1)
		case u.phrase(i, "p", "m"):
			return afternoon, span(i, i+2)
		case u.phrase(i, "a", "m"):
			return morning, span(i, i+2)
		}
	}
	return anyHalf, nil
}

// figuresClock is a time in figures.
//
//nolint:gochecknoglobals // compiled once, never changed
var figuresClock = regexp.MustCompile(`^(\d{1,2})[:.](\d{2})$`)

// clockAt reads a time at word i.
func (u *Utterance) clockAt(i int, strict bool) (clockReading, bool) {
	for _, read := range []func(int, bool) (clockReading, int){u.namedHour, u.figures, u.pastHour, u.hourMinute, u.bareHour} {
		if c, next := read(i, strict); next > 0 && c.hour < 25 && c.minute < 60 && (c.hour < 24 || c.minute == 0) {
			for k := i; k < next; k++ {
				c.words = append(c.words, k)
			}
			if u.is(i-1, "at", "around", "about") {
				c.words = append(c.words, i-1)
			}
			return c, true
		}
	}
	return clockReading{}, false
}

// namedHour reads noon and midnight.
func (u *Utterance) namedHour(i int, _ bool) (clockReading, int) {
	switch {
	case u.is(i, "noon", "midday", "noontime"):
		return clockReading{hour: 12, exact: true}, i + 1
	case u.is(i, "midnight"):
		return clockReading{hour: 0, exact: true}, i + 1
	}
	return clockReading{}, 0
}

// figures reads "3:30", "15:30", and "330" where a time is expected.
func (u *Utterance) figures(i int, strict bool) (clockReading, int) {
	w := u.at(i)
	timely := !strict || u.is(i-1, "at") || u.is(i+1, "am", "pm", "oclock")
	if m := figuresClock.FindStringSubmatch(w); m != nil && (strings.Contains(w, ":") || timely) {
		h := atoi(m[1])
		exact := h == 0 || h > 12 || m[1][0] == '0' && !u.is(i+1, "am", "pm")
		return clockReading{hour: h, minute: atoi(m[2]), exact: exact}, i + 1
	}
	if n, ok := plain(w); ok && timely && (len(w) == 3 || len(w) == 4) && n%100 < 60 && n/100 < 24 {
		return clockReading{hour: n / 100, minute: n % 100, exact: len(w) == 4 && n/100 > 12 || w[0] == '0'}, i + 1
	}
	return clockReading{}, 0
}

// pastHour reads "half past three", "half three", "quarter to four", "ten past three", "five minutes to four".
func (u *Utterance) pastHour(i int, _ bool) (clockReading, int) {
	var minute, at int
	switch {
	case u.is(i, "half") && !u.is(i+1, "an", "a"):
		at, minute = i+1, 30
		if u.is(at, "past", "passed") {
			at++
		}
		if h, next := u.hour(at, true); next > 0 && h <= 12 {
			return clockReading{hour: h, minute: 30}, u.oclock(next)
		}
		return clockReading{}, 0
	case u.is(i, "quarter"):
		at, minute = i+1, 15
	default:
		n, next, ok := u.cardinal(i)
		if !ok || n == 0 || n > 30 {
			return clockReading{}, 0
		}
		at, minute = next, n
		if u.is(at, "minutes", "minute") {
			at++
		}
	}
	before := false
	switch {
	case u.is(at, "past", "after", "passed"):
	case u.is(at, "to", "before", "till", "til", "of") || u.is(at, "two", "too") && u.is(i, "quarter"):
		before = true
	default:
		return clockReading{}, 0
	}
	h, next := u.hour(at+1, true)
	if next == 0 || h > 12 {
		return clockReading{}, 0
	}
	if before {
		return clockReading{hour: (h+10)%12 + 1, minute: 60 - minute}, u.oclock(next)
	}
	return clockReading{hour: h, minute: minute}, u.oclock(next)
}

// oclock skips an "o'clock" at word i.
func (u *Utterance) oclock(i int) int {
	switch {
	case u.is(i, "oclock"):
		return i + 1
	case u.phrase(i, "o", "clock"), u.phrase(i, "a", "clock"), u.phrase(i, "of", "clock"):
		return i + 2
	}
	return i
}

// hour reads an hour in words or figures. sure: the words around leave no doubt that it is one, so that a word which
// only sounds like a number counts.
func (u *Utterance) hour(i int, sure bool) (h, next int) {
	if v := soundsLike(u.at(i)); sure && v > 0 && !u.isNumber(i+1) {
		return v, i + 1
	}
	if v, ok := plain(u.at(i)); ok && len(u.at(i)) <= 2 {
		return v, i + 1
	}
	if v, ok := small(u.at(i)); ok {
		return v, i + 1
	}
	if u.is(i, "twenty") {
		if v, ok := small(u.at(i + 1)); ok && v > 0 && v < 4 {
			return 20 + v, i + 2
		}
		return 20, i + 1
	}
	return 0, 0
}

// hourMinute reads "three thirty", "3 30", "three oh five", "fifteen hundred", "three o'clock", "three pm".
func (u *Utterance) hourMinute(i int, strict bool) (clockReading, int) {
	h, next := u.hour(i, u.is(i-1, "at", "around", "about"))
	if next == 0 {
		if v := soundsLike(u.at(i)); v > 0 && (u.oclock(i+1) > i+1 || u.is(i+1, "am", "pm", "thirty", "fifteen")) && !strict {
			h, next = v, i+1 // "to thirty", "for o'clock"
		} else {
			return clockReading{}, 0
		}
	}
	c := clockReading{hour: h, exact: h == 0}
	if after := u.oclock(next); after > next {
		return c, after
	}
	if u.is(next, "hundred") && h > 0 {
		c.exact = true
		if u.is(next+1, "hours") {
			next++
		}
		return c, next + 1
	}
	if m, after, ok := u.minute(next); ok {
		c.minute = m
		return c, after
	}
	if u.is(next, "am", "pm") || u.phrase(next, "p", "m") || u.phrase(next, "a", "m") || u.phrase(next, "in", "the") && u.is(next+2, "morning", "afternoon", "evening") || u.phrase(next, "at", "night") {
		return c, next
	}
	return clockReading{}, 0
}

// minute reads the minutes after an hour: "thirty", "forty five", "oh five", "30".
func (u *Utterance) minute(i int) (m, next int, ok bool) {
	w := u.at(i)
	if u.is(i, "oh", "o", "zero") {
		if v, ok := small(u.at(i + 1)); ok && v > 0 && v < 10 {
			return v, i + 2, true
		}
		if v, ok := plain(u.at(i + 1)); ok && v > 0 && v < 10 {
			return v, i + 2, true
		}
		return 0, 0, false
	}
	if v, ok := plain(w); ok {
		return v, i + 1, len(w) == 2 && v < 60
	}
	if u.counted(i + 1) {
		return 0, 0, false
	}
	if v, ok := small(w); ok {
		return v, i + 1, v >= 10
	}
	if t, ok := tens(w); ok && t < 60 {
		if v, ok := small(u.at(i + 1)); ok && v > 0 && v < 10 {
			return t + v, i + 2, true
		}
		return t, i + 1, true
	}
	return 0, 0, false
}

// bareHour reads a lone hour: after "at", or where nothing but a time was asked for.
func (u *Utterance) bareHour(i int, strict bool) (clockReading, int) {
	said := u.is(i-1, "at", "around", "about") || u.phrase(i-2, "make", "it")
	if strict && !said {
		return clockReading{}, 0
	}
	h, next := u.hour(i, u.is(i-1, "at") || len(u.content()) == 1)
	if next == 0 || h > 24 || u.counted(next) || u.isNumber(next) {
		return clockReading{}, 0
	}
	if u.is(i, "one") && u.is(i-1, "that", "this", "which", "no", "the") {
		return clockReading{}, 0
	}
	return clockReading{hour: h, exact: h == 0, weak: true}, next
}
