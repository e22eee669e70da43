package talkstack

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxWindows is how many calling windows a batch may have: four for each day of the week.
const maxWindows = 28

// horizon is how far NextOpening looks: within a year every zone has gone through its changes of daylight saving time.
const horizon = 366 * 24 * time.Hour

// Validate reports the first thing that is wrong with a window.
func (w CallingWindow) Validate() error {
	_, err := w.span()
	return err
}

// ValidateWindows checks a list of windows. An empty list is right: calls may begin at any time.
func ValidateWindows(windows []CallingWindow) error {
	if len(windows) > maxWindows {
		return Errorf(CodeInvalid, "%d calling windows are more than %d: join those that have the same times.", len(windows), maxWindows)
	}
	for _, w := range windows {
		if err := w.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// LoadZone finds a time zone by its name in the IANA time zone database, such as "Europe/Berlin" or "UTC".
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" || len(name) > 64 {
		return nil, Errorf(CodeInvalid, "%q is not a time zone: use a name of the IANA database, for example Europe/Berlin or America/New_York.", clipText(name))
	}
	return zone, nil
}

// NextOpening is the first instant, at or after the given one, that lies in a window in every zone. Without windows it
// is always open. It is false when the windows are never open together, when they are malformed, or when there are
// windows but no zone to read them in.
//
// A window is a matter of what clocks show: where they are put forward over a part of it, that part is missing; where
// they are put back over a part of it, that part comes twice.
func NextOpening(windows []CallingWindow, zones []*time.Location, at time.Time) (time.Time, bool) {
	if len(windows) == 0 {
		return at, true
	}
	spans := make([]span, len(windows))
	for i, w := range windows {
		s, err := w.span()
		if err != nil {
			return time.Time{}, false
		}
		spans[i] = s
	}
	if len(zones) == 0 {
		return time.Time{}, false
	}
	// While no zone changes its offset, the pattern repeats every week: a week from now, and from each change, is enough.
	for from, end := at, at.Add(horizon); from.Before(end); {
		if t, ok := openInAll(spans, zones, from, from.Add(8*24*time.Hour)); ok {
			return t, true
		}
		next := end
		for _, zone := range zones {
			if _, change := from.In(zone).ZoneBounds(); !change.IsZero() && change.Before(next) {
				next = change
			}
		}
		from = next
	}
	return time.Time{}, false
}

// openInAll is the first instant in [from, end) at which every zone is in a span.
func openInAll(spans []span, zones []*time.Location, from, end time.Time) (time.Time, bool) {
	agreed := 0 // zones in a row in which it is open at from
	for i := 0; from.Before(end); i = (i + 1) % len(zones) {
		t, ok := openIn(spans, zones[i], from)
		switch {
		case !ok:
			return time.Time{}, false
		case t.Equal(from):
			agreed++
		default:
			from, agreed = t, 1
		}
		if agreed == len(zones) {
			return from, from.Before(end)
		}
	}
	return time.Time{}, false
}

// openIn is the first instant from t on at which a zone's clocks are in a span. It goes from change to change of the
// zone's offset: between two, clocks run evenly.
func openIn(spans []span, zone *time.Location, t time.Time) (time.Time, bool) {
	for end := t.Add(horizon); t.Before(end); {
		_, offset := t.In(zone).Zone()
		_, change := t.In(zone).ZoneBounds()
		shift := time.Duration(offset) * time.Second
		if clock, ok := nextOnClock(spans, t.UTC().Add(shift)); ok {
			if open := clock.Add(-shift); change.IsZero() || open.Before(change) {
				return open.In(t.Location()), true
			}
		}
		if change.IsZero() {
			return time.Time{}, false
		}
		t = change.In(t.Location())
	}
	return time.Time{}, false
}

// nextOnClock is the first moment from clock on that lies in a span, on a clock without time zone.
func nextOnClock(spans []span, clock time.Time) (time.Time, bool) {
	day := time.Date(clock.Year(), clock.Month(), clock.Day(), 0, 0, 0, 0, time.UTC)
	for range 8 { // today's weekday again: today's spans may be over
		var first time.Time
		for _, s := range spans {
			if !s.days[day.Weekday()] || !clock.Before(day.Add(s.to)) {
				continue
			}
			open := day.Add(s.from)
			if open.Before(clock) {
				open = clock
			}
			if first.IsZero() || open.Before(first) {
				first = open
			}
		}
		if !first.IsZero() {
			return first, true
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// span is a CallingWindow that was read: from inclusive to exclusive, as times since midnight on the clock.
type span struct {
	days     [7]bool // by time.Weekday
	from, to time.Duration
}

func (w CallingWindow) span() (span, error) {
	var s span
	for _, name := range w.Days {
		day := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, name)
		if day < 0 {
			return span{}, Errorf(CodeInvalid, "%q is not a day of a calling window: use mon, tue, wed, thu, fri, sat and sun.", clipText(name))
		}
		s.days[day] = true
	}
	if len(w.Days) == 0 {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	var fromOK, toOK bool
	s.from, fromOK = clockTime(w.From)
	s.to, toOK = clockTime(w.To)
	switch {
	case !fromOK || s.from == 24*time.Hour:
		return span{}, Errorf(CodeInvalid, "%q is not a time of day: write from as HH:MM, for example 09:00.", clipText(w.From))
	case !toOK:
		return span{}, Errorf(CodeInvalid, "%q is not a time of day: write to as HH:MM, for example 18:00, or 24:00 for midnight.", clipText(w.To))
	case s.to <= s.from:
		return span{}, Errorf(CodeInvalid, "A calling window from %s to %s is empty: to must be after from; for one over midnight write two, up to 24:00 and from 00:00.", w.From, w.To)
	}
	return s, nil
}

// clockTime reads HH:MM from 00:00 to 24:00.
func clockTime(s string) (time.Duration, bool) {
	hours, minutes, _ := strings.Cut(s, ":")
	h, hErr := strconv.ParseUint(hours, 10, 8)
	m, mErr := strconv.ParseUint(minutes, 10, 8)
	if len(s) != 5 || len(hours) != 2 || hErr != nil || mErr != nil || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, true
}

// clipText keeps what a person wrote short enough to be repeated in a message.
func clipText(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
