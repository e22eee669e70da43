package sip

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"talkstack/internal/media"
)

// defaultKeyPress is how long a key counts as held when its sender does not say.
const defaultKeyPress = 160 * time.Millisecond

var errKey = errors.New("sip: not a key")

// parseKey reads a key from the body of an INFO: "Signal=5\r\nDuration=160" (application/dtmf-relay), or the key alone
// (application/dtmf). Neither was ever standardised; events above 9 may be written as their numbers: 10 is *, 11 is #.
func parseKey(body []byte) (media.Digit, error) {
	const limit = 256
	if len(body) > limit {
		return media.Digit{}, errKey
	}
	signal, duration := "", defaultKeyPress
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch {
		case line == "":
		case !ok && signal == "":
			signal = line
		case ok && strings.EqualFold(strings.TrimSpace(name), "signal") && signal == "":
			signal = value
		case ok && strings.EqualFold(strings.TrimSpace(name), "duration"):
			if ms, err := strconv.ParseUint(value, 10, 16); err == nil && ms > 0 {
				duration = time.Duration(min(ms, 10_000)) * time.Millisecond
			}
		}
	}
	key, ok := keyOf(signal)
	if !ok {
		return media.Digit{}, errKey
	}
	return media.Digit{Key: key, Duration: duration}, nil
}

func keyOf(signal string) (byte, bool) {
	const events = "0123456789*#ABCD" // RFC 4733 section 3.2
	if n, err := strconv.ParseUint(signal, 10, 8); err == nil && n < uint64(len(events)) {
		return events[n], true
	}
	if len(signal) != 1 {
		return 0, false
	}
	key := strings.ToUpper(signal)[0]
	return key, strings.IndexByte(events, key) >= 0
}
