// Package spoken reads typed values out of what a recogniser wrote down, and writes values so that they can be spoken.
// It owns the ways in which people say dates, times, numbers, names and yes or no, with the mistakes recognisers
// typically make. It keeps no state and does not know dialogues: what was asked, and what to do with the answer, is
// the caller's business.
package spoken

import (
	"slices"
	"strings"
	"time"

	"talkstack"
)

// maxText is the longest text a text slot takes, in bytes.
const maxText = 2000

// Value is a value that was understood, in the form the slot's type documents. The zero Value is none.
type Value struct {
	Text  string
	words []int // places of the words it was read from
}

// Found reports whether there is a value.
func (v Value) Found() bool { return v.Text != "" }

// value is what words i to j-1 say.
func (u *Utterance) value(text string, i, j int) Value {
	v := Value{Text: text}
	for ; i < j && i < len(u.words); i++ {
		if i >= 0 && !u.taken[i] {
			v.words = append(v.words, i)
		}
	}
	return v
}

// Reader reads values for one moment and one caller.
type Reader struct {
	Now    time.Time // the present, where the agent is: what "tomorrow" and "Thursday" are counted from
	Caller string    // the caller's number, for "this number"; may be empty
}

// Answer reads the answer to a question for the slot: a lone word will do. prev is the value that was read back, if
// any: "in the evening" changes only its half. The trouble, when there is some, says in a sentence why something that
// was understood is no value: "February has no 30th."
func (r Reader) Answer(u *Utterance, s *talkstack.FlowSlot, prev string) (Value, string) {
	switch s.Type {
	case talkstack.SlotYesNo:
		v, _ := u.YesNo()
		return v, ""
	case talkstack.SlotText:
		if u.Empty() {
			return Value{}, ""
		}
		text := u.Text
		if len(text) > maxText {
			text = strings.ToValidUTF8(text[:maxText], "")
		}
		return Value{Text: text, words: u.free()}, ""
	case talkstack.SlotNumber, talkstack.SlotDate, talkstack.SlotTime, talkstack.SlotPhone, talkstack.SlotDigits, talkstack.SlotName, talkstack.SlotChoice:
	}
	if tail, ok := u.corrected(); ok { // what was said last is what was meant
		if v, trouble := r.read(tail, s, prev, false); v.Found() || trouble != "" && s.Type != talkstack.SlotDigits {
			return v, trouble
		}
	}
	return r.read(u, s, prev, false)
}

// Mention reads a value for a slot that was not asked for just now: only what can hardly mean anything else.
func (r Reader) Mention(u *Utterance, s *talkstack.FlowSlot) Value {
	if tail, ok := u.corrected(); ok {
		if v, _ := r.read(tail, s, "", true); v.Found() {
			return v
		}
	}
	v, trouble := r.read(u, s, "", true)
	if trouble != "" {
		return Value{}
	}
	return v
}

func (r Reader) read(u *Utterance, s *talkstack.FlowSlot, prev string, strict bool) (v Value, trouble string) {
	switch s.Type {
	case talkstack.SlotNumber:
		v, trouble = r.number(u, s, strict)
	case talkstack.SlotDate:
		v, trouble = r.date(u, strict)
	case talkstack.SlotTime:
		v = r.clock(u, prev, strict)
	case talkstack.SlotPhone:
		v, trouble = r.phone(u, strict)
	case talkstack.SlotDigits:
		v, trouble = r.digits(u, s, strict)
	case talkstack.SlotName:
		v = r.name(u, strict)
	case talkstack.SlotChoice:
		v, trouble = r.choice(u, s, strict)
	case talkstack.SlotYesNo, talkstack.SlotText: // never said in passing
	}
	if trouble != "" {
		return Value{}, trouble
	}
	return v, ""
}

// Keys reads what was keyed for a slot.
func (r Reader) Keys(keys string, s *talkstack.FlowSlot) (Value, string) {
	keys = strings.TrimSuffix(keys, "#")
	plus := strings.HasPrefix(keys, "*")
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, keys)
	v, trouble := "", ""
	switch s.Type {
	case talkstack.SlotYesNo:
		v = map[string]string{"1": Yes, "2": No}[keys]
	case talkstack.SlotChoice:
		v, _ = byKey(s, keys)
	case talkstack.SlotNumber:
		if v = strings.TrimLeft(digits, "0"); v == "" && digits != "" {
			v = "0"
		}
		trouble = outside(v, s)
	case talkstack.SlotDigits:
		if v = digits; s.Length > 0 && v != "" && len(v) != s.Length {
			trouble = wrongLength(v, s.Length)
		}
	case talkstack.SlotPhone:
		v = digits
		if len(digits) < minPhone || len(digits) > maxPhone {
			v = ""
		} else if plus {
			v = "+" + digits
		}
	case talkstack.SlotTime:
		if len(digits) == 3 || len(digits) == 4 {
			if n := atoi(digits); n/100 < 24 && n%100 < 60 {
				v = clockText(n/100, n%100)
			}
		}
	case talkstack.SlotDate, talkstack.SlotName, talkstack.SlotText: // not for a keypad
	}
	if trouble != "" {
		return Value{}, trouble
	}
	return Value{Text: v}, ""
}

// Valid reports whether v is in the form in which values of the slot's type are kept.
func Valid(s *talkstack.FlowSlot, v string) bool {
	digits := v != "" && strings.Trim(v, "0123456789") == ""
	switch s.Type {
	case talkstack.SlotYesNo:
		return v == Yes || v == No
	case talkstack.SlotDate:
		_, err := time.Parse(DateLayout, v)
		return err == nil
	case talkstack.SlotTime:
		_, err := time.Parse("15:04", v)
		return err == nil
	case talkstack.SlotDigits:
		return digits && (s.Length == 0 || len(v) == s.Length)
	case talkstack.SlotPhone:
		return strings.Trim(strings.TrimPrefix(v, "+"), "0123456789") == "" && len(v) >= minPhone
	case talkstack.SlotNumber:
		return strings.Trim(strings.TrimPrefix(v, "-"), "0123456789.") == "" && v != ""
	case talkstack.SlotChoice:
		return slices.ContainsFunc(s.Choices, func(c talkstack.FlowChoice) bool { return c.Value == v })
	case talkstack.SlotName, talkstack.SlotText:
	}
	return strings.TrimSpace(v) != ""
}
