package talkstack_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
)

func zones(t testing.TB, names ...string) []*time.Location {
	t.Helper()
	list := make([]*time.Location, len(names))
	for i, name := range names {
		zone, err := talkstack.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = zone
	}
	return list
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNextOpening(t *testing.T) {
	t.Parallel()
	workdays := []string{"mon", "tue", "wed", "thu", "fri"}
	office := []talkstack.CallingWindow{{Days: workdays, From: "09:00", To: "18:00"}}
	for name, c := range map[string]struct {
		windows []talkstack.CallingWindow
		zones   []string
		at      string
		want    string // empty: never
	}{
		"no windows":              {nil, nil, "2026-11-24T03:00:00Z", "2026-11-24T03:00:00Z"},
		"windows, no zone":        {office, nil, "2026-11-24T10:00:00Z", ""},
		"inside":                  {office, []string{"Europe/Berlin"}, "2026-11-24T09:30:12.5Z", "2026-11-24T09:30:12.5Z"},
		"before":                  {office, []string{"Europe/Berlin"}, "2026-11-24T07:00:00Z", "2026-11-24T08:00:00Z"},
		"to is outside":           {office, []string{"Europe/Berlin"}, "2026-11-24T17:00:00Z", "2026-11-25T08:00:00Z"},
		"over the weekend":        {office, []string{"Europe/Berlin"}, "2026-11-27T17:00:00Z", "2026-11-30T08:00:00Z"},
		"the weekday is local":    {office, []string{"Pacific/Auckland"}, "2026-11-22T20:30:00Z", "2026-11-22T20:30:00Z"}, // Monday 09:30 there
		"coast to coast":          {office, []string{"America/New_York", "America/Los_Angeles"}, "2026-11-24T14:00:00Z", "2026-11-24T17:00:00Z"},
		"never together":          {office, []string{"Europe/London", "Pacific/Auckland"}, "2026-11-24T14:00:00Z", ""},
		"until midnight":          {[]talkstack.CallingWindow{{From: "22:00", To: "24:00"}}, []string{"UTC"}, "2026-11-24T23:59:59Z", "2026-11-24T23:59:59Z"},
		"over midnight":           {[]talkstack.CallingWindow{{From: "22:00", To: "24:00"}, {From: "00:00", To: "02:00"}}, []string{"UTC"}, "2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z"},
		"today again in a week":   {[]talkstack.CallingWindow{{Days: []string{"tue"}, From: "09:00", To: "10:00"}}, []string{"UTC"}, "2026-11-24T10:00:00Z", "2026-12-01T09:00:00Z"},
		"an hour that is skipped": {[]talkstack.CallingWindow{{From: "02:00", To: "03:00"}}, []string{"Europe/Berlin"}, "2026-03-29T00:30:00Z", "2026-03-30T00:00:00Z"},
		"half of it is skipped":   {[]talkstack.CallingWindow{{From: "02:30", To: "03:30"}}, []string{"Europe/Berlin"}, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
		"an hour that comes twice": { // at 02:30 in summer time; 02:00 comes again
			[]talkstack.CallingWindow{{From: "02:00", To: "02:30"}},
			[]string{"Europe/Berlin"},
			"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z",
		},
		"a day that was left out": { // Samoa had no Friday 30 December 2011
			[]talkstack.CallingWindow{{Days: []string{"fri"}, From: "00:00", To: "24:00"}},
			[]string{"Pacific/Apia"},
			"2011-12-30T09:59:00Z", "2012-01-05T10:00:00Z",
		},
		"zones an hour apart all summer": {
			[]talkstack.CallingWindow{{From: "09:00", To: "10:00"}},
			[]string{"America/Phoenix", "America/Denver"},
			"2026-05-01T12:00:00Z", "2026-11-01T16:00:00Z",
		},
		"malformed": {[]talkstack.CallingWindow{{From: "9", To: "10:00"}}, []string{"UTC"}, "2026-05-01T12:00:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := talkstack.NextOpening(c.windows, zones(t, c.zones...), instant(t, c.at))
			if ok != (c.want != "") || ok && !got.Equal(instant(t, c.want)) {
				t.Errorf("got %v, %v; want %q", got.UTC(), ok, c.want)
			}
		})
	}
}

// Whatever the windows, the zones and the time: the answer is the one that looking at every minute gives.
func TestNextOpeningAgreesWithLookingAtEveryMinute(t *testing.T) {
	t.Parallel()
	names := []string{
		"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo",
		"Australia/Lord_Howe", "Australia/Sydney", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Pacific/Chatham", "Pacific/Apia",
		"Pacific/Kiritimati", "Africa/Casablanca", "America/Havana", "Asia/Gaza", "Antarctica/Troll", "Europe/Dublin",
	}
	moments := []string{ // around changes of clocks, and others
		"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-03-07T20:00:00Z", "2026-10-31T20:00:00Z", "2026-04-04T00:00:00Z",
		"2026-10-03T00:00:00Z", "2011-12-29T00:00:00Z", "2026-06-15T00:00:00Z", "2026-12-31T12:00:00Z", "2024-02-28T12:00:00Z",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	for range 400 {
		var windows []talkstack.CallingWindow
		for range 1 + rng.IntN(3) {
			from := rng.IntN(24 * 60)
			to := from + 1 + rng.IntN(min(24*60-from, 600))
			w := talkstack.CallingWindow{From: clock(from), To: clock(to)}
			for _, d := range days {
				if rng.IntN(3) == 0 {
					w.Days = append(w.Days, d)
				}
			}
			windows = append(windows, w)
		}
		if err := talkstack.ValidateWindows(windows); err != nil {
			t.Fatal(err)
		}
		var chosen []string
		for range 1 + rng.IntN(3) {
			chosen = append(chosen, names[rng.IntN(len(names))])
		}
		list := zones(t, chosen...)
		at := instant(t, moments[rng.IntN(len(moments))]).Add(time.Duration(rng.IntN(48*3600)) * time.Second)
		got, ok := talkstack.NextOpening(windows, list, at)
		want, found := everyMinute(windows, list, at, 9*24*time.Hour)
		switch {
		case found && (!ok || !got.Equal(want)), !found && ok && got.Before(at.Add(9*24*time.Hour)):
			t.Errorf("%v in %v from %v: got %v, %v; want %v, %v", windows, chosen, at.UTC(), got.UTC(), ok, want.UTC(), found)
		case ok && !openAt(windows, list, got):
			t.Errorf("%v in %v from %v: it is not open at %v", windows, chosen, at.UTC(), got.UTC())
		}
	}
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// everyMinute looks at the instant, and then at every full minute: no zone's clocks change in the midst of one.
func everyMinute(windows []talkstack.CallingWindow, list []*time.Location, at time.Time, limit time.Duration) (time.Time, bool) {
	end := at.Add(limit)
	for t := at; t.Before(end); t = t.Truncate(time.Minute).Add(time.Minute) {
		if openAt(windows, list, t) {
			return t, true
		}
	}
	return time.Time{}, false
}

func openAt(windows []talkstack.CallingWindow, list []*time.Location, at time.Time) bool {
	for _, zone := range list {
		local := at.In(zone)
		now := clock(local.Hour()*60 + local.Minute())
		day := strings.ToLower(local.Weekday().String()[:3])
		if !slices.ContainsFunc(windows, func(w talkstack.CallingWindow) bool {
			return (len(w.Days) == 0 || slices.Contains(w.Days, day)) && now >= w.From && now < w.To
		}) {
			return false
		}
	}
	return true
}

func TestWindowsAreValidated(t *testing.T) {
	t.Parallel()
	for _, w := range []talkstack.CallingWindow{
		{From: "00:00", To: "24:00"}, {From: "23:59", To: "24:00", Days: []string{"sun", "sun"}}, {From: "00:00", To: "00:01"},
	} {
		if err := w.Validate(); err != nil {
			t.Errorf("%v: %v", w, err)
		}
	}
	for _, w := range []talkstack.CallingWindow{
		{},
		{From: "09:00", To: "09:00"},
		{From: "18:00", To: "09:00"},
		{From: "24:00", To: "24:00"},
		{From: "9:00", To: "18:00"},
		{From: "09:00", To: "24:01"},
		{From: "09:00", To: "25:00"},
		{From: "09:60", To: "18:00"},
		{From: "+9:00", To: "18:00"},
		{From: "09:00", To: "18:00", Days: []string{"Monday"}},
		{From: "09:00", To: "18:00", Days: []string{""}},
		{From: "09-00", To: "18:00"},
	} {
		if err := w.Validate(); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%v: %v", w, err)
		}
	}
	if err := talkstack.ValidateWindows(make([]talkstack.CallingWindow, 29)); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
		t.Errorf("29 windows: %v", err)
	}
	for _, name := range []string{"", "Local", "Berlin", "../UTC", "Europe/Berlin\x00", "CET-1", strings.Repeat("x", 100_000)} {
		if _, err := talkstack.LoadZone(name); talkstack.ErrorCode(err) != talkstack.CodeInvalid || len(err.Error()) > 300 {
			t.Errorf("zone %.20q: %v", name, err)
		}
	}
}

func BenchmarkNextOpening(b *testing.B) {
	office := []talkstack.CallingWindow{{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "18:00"}}
	for name, list := range map[string][]*time.Location{
		"one zone": zones(b, "Europe/Berlin"),
		"never":    zones(b, "Europe/London", "Pacific/Auckland", "America/New_York", "Pacific/Guam"),
	} {
		b.Run(name, func(b *testing.B) {
			at := instant(b, "2026-11-27T20:00:00Z")
			for b.Loop() {
				talkstack.NextOpening(office, list, at)
			}
		})
	}
}
