package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"talkstack"
)

// checkText refuses what PostgreSQL can not hold, on both databases alike: the zero byte, and what is not UTF-8.
// It takes pairs of a field's name and its value.
func checkText(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := pairs[i+1]; strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
			return badText(pairs[i])
		}
	}
	return nil
}

func badText(field string) error {
	const message = "must be UTF-8 without zero bytes"
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: field + " " + message + ".",
		Fields: []talkstack.FieldError{{Field: field, Message: message}},
	}
}

// cleanText makes any text storable, for texts that come from machines: a carrier's odd reason phrase must not keep a
// call from ending.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// encode makes the JSON text of a column that holds what a person sent.
func encode(field string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", talkstack.WrapError(talkstack.CodeInvalid, err, field+" can not be written as JSON.")
	}
	if holdsNUL(b) {
		return "", badText(field)
	}
	return string(b), nil
}

// holdsNUL reports whether marshalled JSON holds \u0000: a u0000 after an odd number of backslashes.
func holdsNUL(b []byte) bool {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(`\u0000`))
		if i < 0 {
			return false
		}
		at := from + i
		slashes := 1
		for at-slashes >= 0 && b[at-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 1 {
			return true
		}
		from = at + 1
	}
}

// decode reads a column's JSON. Numbers without a type stay json.Number: a 17-digit customer id is not a float.
func decode(column, text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("store: column %s: %w", column, err)
	}
	return nil
}

// orNull is the column value of a text that may be missing.
func orNull[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	v := string(s)
	return &v
}

// orEmpty is the reverse of orNull.
func orEmpty[T ~string](s *string) T {
	if s == nil {
		return ""
	}
	return T(*s)
}

// timeOrNull is the column value of a time that may be zero.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}

// timeOrZero is the reverse of timeOrNull.
func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
