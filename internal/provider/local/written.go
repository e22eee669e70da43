package local

import (
	"strconv"
	"strings"
)

// months matches a month's name or its abbreviation, as a group.
const months = `\b(January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?`

func monthNames() []string {
	return []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
}

// month is the full name of a month.
func month(name string) string {
	for _, full := range monthNames() {
		if strings.HasPrefix(full, name[:3]) {
			return full
		}
	}
	return name
}

// date writes a date of numbers with the month's name, for the rules behind it; what is none stays as it was.
func (n *normalizer) date(written, y, m, d string) string {
	number, err := strconv.Atoi(m)
	if err != nil || number < 1 || number > 12 {
		return written
	}
	name := monthNames()[number-1]
	if n.british {
		return strings.TrimPrefix(d, "0") + " " + name + " " + y
	}
	return name + " " + strings.TrimPrefix(d, "0") + ", " + y
}

// slashDate reads 4/3/2026 by the habit of the country, or the other way round where only that makes sense.
func (n *normalizer) slashDate(written, first, second, y string) string {
	m, d := first, second
	if n.british {
		m, d = second, first
	}
	if number, err := strconv.Atoi(m); err == nil && number > 12 {
		m, d = d, m
	}
	return n.date(written, y, m, d)
}

func monthDay(month, day, y string) string {
	out := month + " " + ordinal(day)
	if y != "" {
		out += ", " + year(y)
	}
	return out
}

func dayMonth(day, month, y string) string {
	out := ordinal(day) + " of " + month
	if y != "" {
		out += " " + year(y)
	}
	return out
}

// ordinal writes 23 as 23rd, which the phonemiser reads.
func ordinal(day string) string {
	day = strings.TrimLeft(day, "0")
	suffix := "th"
	if len(day) != 2 || day[0] != '1' {
		switch {
		case strings.HasSuffix(day, "1"):
			suffix = "st"
		case strings.HasSuffix(day, "2"):
			suffix = "nd"
		case strings.HasSuffix(day, "3"):
			suffix = "rd"
		}
	}
	return day + suffix
}

// year reads a year in two halves, but for the first of a millennium.
func year(y string) string {
	if len(y) != 4 || y[1:3] == "00" {
		return y
	}
	switch {
	case y[2:] == "00":
		return y[:2] + " hundred"
	case y[2] == '0':
		return y[:2] + " oh " + y[3:]
	}
	return y[:2] + " " + y[2:]
}

// clock reads a time of day; half is "a", "p" or empty.
func clock(hour, minute, half string) string {
	hour = strings.TrimPrefix(hour, "0")
	if hour == "" {
		hour = "0"
	}
	switch {
	case minute == "00" && half == "":
		if h, err := strconv.Atoi(hour); err == nil && h >= 1 && h <= 12 {
			return hour + " o'clock"
		}
		return hour + " hundred hours"
	case minute == "00":
		return hour + " " + spell(half+"m")
	case minute[0] == '0':
		minute = "oh " + minute[1:]
	}
	if half != "" {
		return hour + " " + minute + " " + spell(half+"m")
	}
	return hour + " " + minute
}

// money reads an amount; scale is "million" and the like, or empty.
func money(sign, whole, cents, scale string) string {
	one, many, small, smalls := "dollar", "dollars", "cent", "cents"
	switch sign {
	case "€":
		one, many = "euro", "euros"
	case "£":
		one, many, small, smalls = "pound", "pounds", "penny", "pence"
	}
	whole = strings.TrimRight(whole, ",")
	tail := ""
	whole = strings.ReplaceAll(whole, ",", "")
	if scale == "k" || scale == "K" {
		scale = "thousand"
	}
	if scale != "" {
		if cents != "" {
			whole += "." + cents
		}
		return whole + " " + scale + " " + many
	}
	if len(cents) == 1 { // no amount of money, but "$2.5 a minute"
		return whole + "." + cents + " " + many
	}
	unit := many
	if whole == "1" {
		unit = one
	}
	if c := strings.TrimPrefix(cents, "0"); cents != "" && cents != "00" {
		if c == "1" {
			smalls = small
		}
		if whole == "0" {
			return c + " " + smalls
		}
		tail = " and " + c + " " + smalls
	}
	return whole + " " + unit + tail
}

// speakPhone reads a telephone number digit by digit, in groups with a short pause between them.
func speakPhone(written string) string {
	var digits []byte
	for i := range len(written) {
		if c := written[i]; c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	prefix := ""
	if strings.HasPrefix(written, "+") {
		prefix = "plus "
		if len(digits) == 11 && digits[0] == '1' { // North America: +1 and ten digits
			return prefix + "1, " + groups(digits[1:])
		}
		if len(digits) > 9 {
			return prefix + apart(digits[:2]) + ", " + groups(digits[2:])
		}
	}
	return prefix + groups(digits)
}

// groups reads digits in threes, the last group with up to four.
func groups(digits []byte) string {
	var parts []string
	for len(digits) > 4 {
		parts = append(parts, apart(digits[:3]))
		digits = digits[3:]
	}
	return strings.Join(append(parts, apart(digits)), ", ")
}

func apart(digits []byte) string {
	return strings.Join(strings.Split(string(digits), ""), " ")
}

// longNumber reads a number of seven digits and more: round ones as a quantity, others, which are somebody's number,
// digit by digit.
func longNumber(digits string) string {
	if strings.HasSuffix(digits, "00000") && len(digits) <= 12 {
		return digits
	}
	return groups([]byte(digits))
}

// spellAddress reads a mail or web address.
func spellAddress(s string) string {
	s = strings.NewReplacer("@", " at ", ".", " dot ", "/", " slash ", "-", " dash ", "_", " underscore ", ":", " colon ", "+", " plus ", "?", " ", "=", " equals ", "&", " and ").Replace(s)
	words := strings.Fields(s)
	for i, w := range words {
		if vowelless(w) {
			words[i] = spell(w)
		}
	}
	return strings.Join(words, " ")
}

// vowelless reports whether a short word cannot be pronounced.
func vowelless(w string) bool {
	return len(w) <= 4 && len(w) > 1 && !strings.ContainsAny(strings.ToLower(w), "aeiouy0123456789")
}

func trimScheme(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	return strings.TrimRight(strings.TrimPrefix(rest, "www."), "/")
}

func unit(short string) string {
	switch short {
	case "km":
		return "kilometers"
	case "kg":
		return "kilograms"
	case "mph":
		return "miles an hour"
	case "lb", "lbs":
		return "pounds"
	case "ft":
		return "feet"
	case "cm":
		return "centimeters"
	case "mm":
		return "millimeters"
	case "mi":
		return "miles"
	case "hr", "hrs":
		return "hours"
	case "min", "mins":
		return "minutes"
	case "sec", "secs":
		return "seconds"
	case "GB":
		return "gigabytes"
	case "MB":
		return "megabytes"
	}
	return short
}

// abbreviation writes an abbreviation out. next is the character behind it and tells whether the full stop ends the
// sentence too.
func abbreviation(short, space, next string) string {
	full := map[string]string{
		"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Sr": "Senior", "Jr": "Junior",
		"Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Apt": "Apartment", "Dept": "Department", "Inc": "Incorporated",
		"Ltd": "Limited", "Corp": "Corporation", "Co": "Company", "vs": "versus", "etc": "et cetera", "approx": "approximately",
		"Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
		"Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
	}[short]
	title := false
	capital := next != "" && strings.ToUpper(next) == next && strings.ToLower(next) != next
	switch short {
	case "Dr", "Mr", "Mrs", "Ms", "Prof":
		title = true
	case "St":
		full = "Street"
		if capital { // "St. James"
			full, title = "Saint", true
		}
	case "No":
		if next == "" || next[0] < '0' || next[0] > '9' { // the answer, not the number
			return short + "." + space + next
		}
		full = "number"
	case "Mon", "Sat", "Sun":
		if next == "" { // "The sky, the Sun."
			return short + "." + space + next
		}
	}
	if !title && (next == "" || capital && space != "") {
		full += "."
	}
	return full + space + next
}
