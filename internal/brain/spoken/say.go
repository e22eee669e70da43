package spoken

import (
	"fmt"
	"strings"
	"time"

	"talkstack"
)

// Say writes a stored value as it is spoken: "15:30" as "3:30 PM", "2026-11-26" as "Thursday, November 26th", "0415" as
// "0 4 1 5". now decides whether a date needs its year.
func Say(t talkstack.FlowSlotType, v string, now time.Time) string {
	switch t {
	case talkstack.SlotDate:
		if d, err := time.Parse(DateLayout, v); err == nil {
			return SayDate(d, now)
		}
	case talkstack.SlotTime:
		if c, err := time.Parse("15:04", v); err == nil {
			return SayTime(c)
		}
	case talkstack.SlotPhone, talkstack.SlotDigits:
		return SpellDigits(v)
	case talkstack.SlotYesNo, talkstack.SlotNumber, talkstack.SlotName, talkstack.SlotChoice, talkstack.SlotText:
	}
	return v
}

// SayDate is "Thursday, November 26th", with the year when it is not the one that comes to mind.
func SayDate(d, now time.Time) string {
	day := d.Day()
	suffix := "th"
	if day < 11 || day > 13 {
		switch day % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	s := fmt.Sprintf("%s, %s %d%s", d.Weekday(), d.Month(), day, suffix)
	if away := d.Sub(now); away < -48*time.Hour || away > 330*24*time.Hour {
		s += fmt.Sprintf(", %d", d.Year())
	}
	return s
}

// SayTime is "3:30 PM", "3 PM", "noon" or "midnight".
func SayTime(c time.Time) string {
	switch {
	case c.Hour() == 12 && c.Minute() == 0:
		return "noon"
	case c.Hour() == 0 && c.Minute() == 0:
		return "midnight"
	case c.Minute() == 0:
		return c.Format("3 PM")
	}
	return c.Format("3:04 PM")
}

// SpellDigits puts digits apart so that they are read one by one, with a pause after each group.
func SpellDigits(v string) string {
	digits := strings.TrimPrefix(v, "+")
	var b strings.Builder
	if len(digits) < len(v) {
		b.WriteString("plus ")
	}
	for i, c := range digits {
		if i > 0 {
			if left := len(digits) - i; i%3 == 0 && left > 1 && len(digits) > 4 {
				b.WriteString(",")
			}
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
