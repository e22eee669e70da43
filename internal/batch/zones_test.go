package batch_test

import (
	"slices"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/batch"
)

func TestZonesOfANumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string][]string{
		"+14155550101":   {"America/Los_Angeles"},
		"+12125550101":   {"America/New_York"},
		"+442079460000":  {"Europe/London"},
		"+4930901820":    {"Europe/Berlin"},
		"+5511912345678": {"America/Sao_Paulo"},
		"+80012345678":   nil, // a country of its own
		"+99912345678":   nil,
		"":               nil,
		"nobody":         nil,
	} {
		if got := batch.Zones(number); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", number, got, want)
		}
	}
	free := batch.Zones("+18005550101")
	for _, zone := range []string{"America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Pacific/Guam", "Atlantic/Bermuda"} {
		if !slices.Contains(free, zone) {
			t.Errorf("+1 800 is not thought to be in %s, only in %v", zone, free)
		}
	}
	if !slices.IsSorted(free) {
		t.Error("zones are not sorted")
	}
}

// Whoever the number of a whole country belongs to must not be called at night. From Bermuda to Guam it is never day together.
func TestNumberOfAWholeCountryIsOpenWhenAllOfItIs(t *testing.T) {
	t.Parallel()
	zones := func(number string) (list []*time.Location) {
		for _, name := range batch.Zones(number) {
			zone, err := talkstack.LoadZone(name)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, zone)
		}
		return list
	}
	office := []talkstack.CallingWindow{{From: "09:00", To: "18:00"}}
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	if opens, ok := talkstack.NextOpening(office, zones("+18005550101"), at); ok {
		t.Errorf("open at %v", opens)
	}
	if opens, ok := talkstack.NextOpening(office, zones("+447911123456"), at); !ok || !opens.Equal(at.Add(6*time.Hour)) {
		t.Errorf("got %v, %v", opens, ok)
	}
}
