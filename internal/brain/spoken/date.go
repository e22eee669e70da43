package spoken

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// DateLayout is the form in which dates are kept.
const DateLayout = "2006-01-02"

// dateParts are what an utterance says about a day.
type dateParts struct {
	words     []int
	weekdays  []time.Weekday
	next      bool // "next Tuesday", "Tuesday next week"
	this      bool
	weeks     int // "a week from Tuesday"
	month     time.Month
	monthStep int // "the first of next month"
	day       int
	year      int
	offset    int // days from today, when relative
	relative  bool
	either    bool // "Thursday or Friday"
}

func (p *dateParts) use(i, j int) {
	for ; i < j; i++ {
		p.words = append(p.words, i)
	}
}

func (p *dateParts) empty() bool {
	return len(p.weekdays) == 0 && p.day == 0 && !p.relative
}

// date reads a day. Strict: not from a lone number or an abbreviation.
func (r Reader) date(u *Utterance, strict bool) (Value, string) {
	p := r.dateParts(u, strict)
	if p.empty() {
		if strict {
			return Value{}, ""
		}
		p = r.looseDay(u)
		if p.empty() {
			return Value{}, ""
		}
	}
	day, trouble := r.resolve(p)
	if trouble != "" {
		return Value{}, trouble
	}
	slices.Sort(p.words)
	return Value{Text: day.Format(DateLayout), words: slices.Compact(p.words)}, ""
}

// dateParts collects all that is said about a day, wherever in the utterance: "Thursday, um, the 26th".
func (r Reader) dateParts(u *Utterance, strict bool) dateParts {
	var p dateParts
	for i := 0; i < len(u.words); i++ {
		if u.at(i) == "" || u.is(i-1, "not") || u.phrase(i-2, "not", "on") {
			continue
		}
		if n := r.relativeDay(u, i, &p); n > 0 {
			p.use(i, i+n)
			i += n - 1
			continue
		}
		if wd, n := u.weekday(i, strict); n > 0 {
			u.addWeekday(i, n, wd, &p)
			i += n - 1
			continue
		}
		if n := u.calendar(i, &p); n > 0 {
			p.use(i, i+n)
			i += n - 1
		}
	}
	return p
}

// relativeDay reads "tomorrow", "in three days" and their like; it returns how many words they are.
func (r Reader) relativeDay(u *Utterance, i int, p *dateParts) int {
	set := func(days, n int) int {
		p.relative, p.offset = true, days
		return n
	}
	switch {
	case u.phrase(i, "day", "after", "tomorrow"):
		return set(2, 3)
	case u.is(i, "tomorrow", "tomorrows"), u.is(i, "tonight", "today", "todays"):
		if u.is(i, "tomorrow", "tomorrows") {
			return set(1, 1)
		}
		return set(0, 1)
	case u.phrase(i, "to", "morrow"):
		return set(1, 2)
	case u.is(i, "yesterday"):
		return set(-1, 1)
	case u.phrase(i, "next", "week"):
		p.next = true
		return 2
	case u.is(i, "this") && u.is(i+1, "afternoon", "evening", "morning"):
		set(0, 1)
		return 1
	case u.phrase(i, "a", "week", "from"), u.phrase(i, "week", "from"):
		p.weeks++
		n := 3
		if u.is(i, "week") {
			n = 2
		}
		if u.is(i+n, "now") {
			return set(0, n+1)
		}
		return n
	case u.phrase(i, "in", "a", "week"):
		return set(7, 3)
	case u.is(i, "in"):
		if n, next, ok := u.cardinal(i + 1); ok && n < 1000 {
			if u.is(next, "days", "day") {
				return set(n, next+1-i)
			}
			if u.is(next, "weeks", "week") {
				return set(7*n, next+1-i)
			}
		}
	}
	return 0
}

// addWeekday notes a weekday with what stands beside it.
func (u *Utterance) addWeekday(i, n int, wd time.Weekday, p *dateParts) {
	p.use(i, i+n)
	switch {
	case u.is(i-1, "next", "following"):
		p.next = true
		p.use(i-1, i)
	case u.is(i-1, "this", "coming"):
		p.this = true
		p.use(i-1, i)
	}
	if u.is(i+n, "week") { // "Thursday week"
		p.weeks++
		p.use(i+n, i+n+1)
	}
	if len(p.weekdays) > 0 && u.is(i-1, "or", "to", "and", "through") && p.weekdays[len(p.weekdays)-1] != wd {
		p.either = true
	}
	p.weekdays = append(p.weekdays, wd)
}

// weekday reads a weekday at word i, as a recogniser may write it; it returns how many words it is.
func (u *Utterance) weekday(i int, strict bool) (time.Weekday, int) {
	first, second := u.at(i), u.at(i+1)
	if second == "day" || second == "days" {
		switch first {
		case "sun":
			return time.Sunday, 2
		case "mon", "moon":
			return time.Monday, 2
		case "tues", "choose", "twos", "chews":
			return time.Tuesday, 2
		case "wednes", "wens", "wins", "whens":
			return time.Wednesday, 2
		case "thurs", "thirst", "furs":
			return time.Thursday, 2
		case "fri", "fry":
			return time.Friday, 2
		case "satur", "sat":
			return time.Saturday, 2
		}
	}
	switch first {
	case "sunday", "sundays":
		return time.Sunday, 1
	case "monday", "mondays", "munday":
		return time.Monday, 1
	case "tuesday", "tuesdays", "tues", "tuseday", "teusday", "chewsday":
		return time.Tuesday, 1
	case "wednesday", "wednesdays", "wensday", "wendsday", "wenesday", "weds":
		return time.Wednesday, 1
	case "thursday", "thursdays", "thurs", "thirsday", "thersday", "thirstday":
		return time.Thursday, 1
	case "friday", "fridays", "fryday":
		return time.Friday, 1
	case "saturday", "saturdays", "saterday":
		return time.Saturday, 1
	}
	if strict {
		return 0, 0
	}
	switch first {
	case "sun":
		return time.Sunday, 1
	case "mon":
		return time.Monday, 1
	case "tue":
		return time.Tuesday, 1
	case "wed":
		return time.Wednesday, 1
	case "thu", "thur":
		return time.Thursday, 1
	case "fri":
		return time.Friday, 1
	case "sat":
		return time.Saturday, 1
	}
	return 0, 0
}

// monthOf reads a month's name.
func monthOf(w string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if name := lower(m.String()); w == name || len(w) == 3 && w == name[:3] || w == "sept" && m == time.September {
			return m
		}
	}
	switch w {
	case "febuary", "februari":
		return time.February
	}
	return 0
}

// The shapes of dates in figures.
//
//nolint:gochecknoglobals // compiled once, never changed
var (
	figuresUS  = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?$`)
	figuresISO = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})$`)
)

// calendar reads a day of a month at word i: "November 26th", "the twenty sixth of November", "the 26th", "11/26",
// "2026-11-26". It returns how many words that is.
func (u *Utterance) calendar(i int, p *dateParts) int {
	w := u.at(i)
	if m := figuresISO.FindStringSubmatch(w); m != nil {
		p.year, p.month, p.day = atoi(m[1]), time.Month(atoi(m[2])), atoi(m[3])
		return 1
	}
	if m := figuresUS.FindStringSubmatch(w); m != nil {
		p.month, p.day, p.year = time.Month(atoi(m[1])), atoi(m[2]), atoi(m[3])
		if p.month > 12 && p.day <= 12 { // day first
			p.month, p.day = time.Month(p.day), int(p.month)
		}
		if p.year > 0 && p.year < 100 {
			p.year += 2000
		}
		return 1
	}
	if month := monthOf(w); month > 0 {
		at := i + 1
		if u.is(at, "the") {
			at++
		}
		day, n, _ := u.dayOfMonth(at)
		if n == 0 {
			return 0
		}
		p.month, p.day = month, day
		return at + n + u.year(at+n, p) - i
	}
	return u.dayFirst(i, p)
}

// dayFirst reads "26th of November", "26 November", "the 26th".
func (u *Utterance) dayFirst(i int, p *dateParts) int {
	day, n, ordinal := u.dayOfMonth(i)
	if n == 0 {
		return 0
	}
	at := i + n
	if u.is(at, "of") {
		at++
	}
	if u.phrase(at, "next", "month") || u.phrase(at, "this", "month") {
		if u.is(at, "next") {
			p.monthStep = 1
		}
		p.day = day
		return at + 2 - i
	}
	if month := monthOf(u.at(at)); month > 0 {
		p.month, p.day = month, day
		return at + 1 + u.year(at+1, p) - i
	}
	the := u.is(i-1, "the")
	switch {
	case u.is(i-1, "a", "one", "just", "half", "oclock", "past", "to", "at") && !ordinal, u.is(i-1, "a", "one", "just"):
		return 0
	case u.is(at, "one", "time", "thing", "available", "name", "appointment", "floor", "option", "choice", "free", "slot", "oclock", "people", "am", "pm", "thirty"):
		return 0
	case ordinal && (the || startsWithDigit(u.at(i)) || len(p.weekdays) > 0 || day > 3):
	case !ordinal && the && len(u.at(i)) > 0 && day > 12:
	case !ordinal && len(p.weekdays) > 0 && the:
	default:
		return 0
	}
	if p.month == 0 || p.day == 0 {
		p.day = day
		return n
	}
	return 0
}

// dayOfMonth reads "26th", "twenty sixth", "twenty six", "26".
func (u *Utterance) dayOfMonth(i int) (day, n int, ordinal bool) {
	w := u.at(i)
	if len(w) > 2 {
		if d, ok := plain(w[:len(w)-2]); ok && slices.Contains([]string{"st", "nd", "rd", "th"}, w[len(w)-2:]) && d >= 1 && d <= 31 {
			return d, 1, true
		}
	}
	if d := ordinalOf(w); d > 0 {
		return d, 1, true
	}
	if t, ok := tens(w); ok && t <= 30 {
		if d := ordinalOf(u.at(i + 1)); d > 0 && d < 10 && t+d <= 31 {
			return t + d, 2, true
		}
	}
	if d, next, ok := u.cardinal(i); ok && d >= 1 && d <= 31 {
		return d, next - i, false
	}
	return 0, 0, false
}

// ordinalOf reads one ordinal word.
func ordinalOf(w string) int {
	for i, n := range [...]string{
		"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
		"thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
	} {
		if w == n {
			return i + 1
		}
	}
	switch w {
	case "forth":
		return 4
	case "eigth":
		return 8
	case "nineth":
		return 9
	case "thirtieth":
		return 30
	}
	return 0
}

// year reads a year at word i, "2026" or "twenty twenty six", and returns how many words it is.
func (u *Utterance) year(i int, p *dateParts) int {
	if y, ok := plain(u.at(i)); ok && y >= 1900 && y < 2200 {
		p.year = y
		return 1
	}
	if u.is(i, "two") && u.is(i+1, "thousand") {
		if y, next, ok := u.cardinal(i); ok && y < 2200 {
			p.year = y
			return next - i
		}
	}
	if u.is(i, "twenty", "nineteen") {
		if y, next, ok := u.cardinal(i + 1); ok && y >= 10 && y < 100 {
			p.year = 2000 + y
			if u.is(i, "nineteen") {
				p.year = 1900 + y
			}
			return next - i
		}
	}
	return 0
}

// looseDay reads a lone number as the day of the month, when nothing else is said: "Twenty six."
func (r Reader) looseDay(u *Utterance) dateParts {
	c := u.content()
	if len(c) == 0 || len(c) > 3 {
		return dateParts{}
	}
	at := c[0]
	if u.is(at, "on") && len(c) > 1 {
		at = c[1]
	}
	day, n, _ := u.dayOfMonth(at)
	if u.is(at-1, "a", "one", "just") {
		return dateParts{}
	}
	if n == 0 || at+n != c[len(c)-1]+1 {
		return dateParts{}
	}
	p := dateParts{day: day}
	p.use(at, at+n)
	return p
}

// resolve finds the day that p means, seen from today.
func (r Reader) resolve(p dateParts) (time.Time, string) {
	today := time.Date(r.Now.Year(), r.Now.Month(), r.Now.Day(), 0, 0, 0, 0, time.UTC)
	if p.either {
		return time.Time{}, "I need one day."
	}
	if p.day > 0 {
		return r.resolveDay(p, today)
	}
	if len(p.weekdays) == 0 {
		return today.AddDate(0, 0, p.offset+7*p.weeks), ""
	}
	wd := p.weekdays[len(p.weekdays)-1]
	if p.relative && today.AddDate(0, 0, p.offset).Weekday() == wd { // "tomorrow, Tuesday"
		return today.AddDate(0, 0, p.offset), ""
	}
	days := (int(wd-today.Weekday()) + 7) % 7
	switch {
	case p.next: // the one in the next week, and weeks begin on Monday
		monday := (8 - int(today.Weekday())) % 7
		if monday == 0 {
			monday = 7
		}
		days = monday + (int(wd)+6)%7
	case days == 0 && !p.this:
		days = 7
	}
	return today.AddDate(0, 0, days+7*p.weeks), ""
}

// resolveDay finds the next day that fits a day of the month, and the month, year and weekday that came with it.
func (r Reader) resolveDay(p dateParts, today time.Time) (time.Time, string) {
	if p.month > 12 {
		return time.Time{}, "There is no such day."
	}
	var found []time.Time
	for m := range 14 {
		first := time.Date(today.Year(), today.Month()+time.Month(m), 1, 0, 0, 0, 0, time.UTC)
		if p.year > 0 {
			first = time.Date(p.year, time.Month(m+1), 1, 0, 0, 0, 0, time.UTC)
		}
		if p.year > 0 && m >= 12 || p.month > 0 && first.Month() != p.month || p.monthStep > m {
			continue
		}
		if p.month == 0 && p.year > 0 {
			first = time.Date(p.year, today.Month(), 1, 0, 0, 0, 0, time.UTC)
		}
		d := first.AddDate(0, 0, p.day-1)
		if d.Month() == first.Month() && (p.year > 0 || !d.Before(today)) {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		if p.month == time.February && p.day == 29 {
			return time.Time{}, "February has no 29th then."
		}
		return time.Time{}, "There is no such day."
	}
	if len(p.weekdays) == 0 {
		return found[0], ""
	}
	wd := p.weekdays[len(p.weekdays)-1]
	for _, d := range found {
		if d.Weekday() == wd && d.Sub(found[0]) < 62*24*time.Hour {
			return d, ""
		}
	}
	return time.Time{}, fmt.Sprintf("%s is a %s, not a %s.", SayDate(found[0], r.Now), found[0].Weekday(), wd)
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func startsWithDigit(w string) bool { return w != "" && w[0] >= '0' && w[0] <= '9' }
