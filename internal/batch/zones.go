package batch

import (
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// Zones are the IANA names of the time zones that a number in E.164 form may be in, by its longest known prefix: one for
// most, several where an area lies in several or where the number tells no area (+1 800 may be anywhere from Bermuda to
// Guam). They are sorted, and none when even the country is unknown.
func Zones(e164 string) []string {
	zones, err := phonenumbers.GetTimezonesForPrefix(e164)
	if err != nil {
		return nil
	}
	zones = slices.DeleteFunc(slices.Clone(zones), func(z string) bool { return z == phonenumbers.UNKNOWN_TIMEZONE })
	slices.Sort(zones)
	return slices.Compact(zones)
}
