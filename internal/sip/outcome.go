package sip

import (
	"errors"
	"fmt"
	"strings"

	"talkstack"
)

// Errors that tell why something did not happen.
var (
	errStopped = errors.New("sip: the user agent is stopped")

	// ErrCanceled is the cause of a handler's ended context, and the error of Answer, when the caller gave up first.
	ErrCanceled = errors.New("sip: the caller gave up")
	// ErrNoCodec means that the other party speaks none of our codecs. It has been told so (488).
	ErrNoCodec = errors.New("sip: no common codec")
	// ErrOver means that the call has ended.
	ErrOver = errors.New("sip: the call is over")
)

// DialError says how a call that was not answered ended.
type DialError struct {
	Status  talkstack.CallStatus // busy, failed or no-answer
	Reason  talkstack.EndReason
	SIPCode int   // the carrier's final response; 0: there was none
	Err     error // what went wrong on our side, nil when the carrier decided
}

func (e *DialError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("dial: %s (%v)", e.Reason.Message, e.Err)
	}
	return "dial: " + e.Reason.Message
}

func (e *DialError) Unwrap() error { return e.Err }

// refusal is what a final response to our INVITE means for the call. The phrase is the carrier's own.
func refusal(code int, phrase string) *DialError {
	said := fmt.Sprintf("%d %s", code, printable(phrase))
	said = strings.TrimSpace(said)
	fail := func(status talkstack.CallStatus, end talkstack.EndCode, format string) *DialError {
		return &DialError{Status: status, SIPCode: code, Reason: talkstack.EndReason{
			Party: talkstack.PartyCarrier, Code: end, Message: fmt.Sprintf(format, said),
		}}
	}
	switch code {
	case 486, 600:
		return fail(talkstack.StatusBusy, talkstack.EndDialBusy, "The line was busy (%s).")
	case 408, 480, 487:
		return fail(talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer, "Nobody answered (%s).")
	case 603, 607, 608:
		return fail(talkstack.StatusFailed, talkstack.EndDialFailed, "The call was declined (%s).")
	case 404, 410, 484, 604:
		return fail(talkstack.StatusFailed, talkstack.EndInvalidDestination, "The number does not exist or is not complete (%s).")
	case 403:
		return fail(talkstack.StatusFailed, talkstack.EndPermissionDenied, "The carrier does not allow this call (%s).")
	case 401, 407:
		return fail(talkstack.StatusFailed, talkstack.EndPermissionDenied, "The carrier refused our user name or password (%s).")
	case 488, 415, 606:
		return fail(talkstack.StatusFailed, talkstack.EndDialFailed, "The other side takes none of our audio formats (%s).")
	}
	switch {
	case code >= 300 && code < 400:
		return fail(talkstack.StatusFailed, talkstack.EndDialFailed, "The carrier sent the call elsewhere, which is not followed (%s).")
	case code >= 500 && code < 600:
		return fail(talkstack.StatusFailed, talkstack.EndDialFailed, "The carrier could not place the call (%s).")
	}
	return fail(talkstack.StatusFailed, talkstack.EndDialFailed, "The call was refused (%s).")
}

// rangOut is a call that rang for as long as it might.
func rangOut() *DialError {
	return &DialError{Status: talkstack.StatusNoAnswer, Reason: talkstack.EndReason{
		Party: talkstack.PartyCarrier, Code: talkstack.EndDialNoAnswer, Message: "Nobody answered before the ring timeout.",
	}}
}

// unreached is a call whose INVITE got no reply, or could not be sent.
func unreached(message string, err error) *DialError {
	return &DialError{Status: talkstack.StatusFailed, Err: err, Reason: talkstack.EndReason{
		Party: talkstack.PartyCarrier, Code: talkstack.EndDialFailed, Message: message,
	}}
}

// dropped is a call that we gave up, or could not begin.
func dropped(message string, err error) *DialError {
	return &DialError{Status: talkstack.StatusFailed, Err: err, Reason: talkstack.EndReason{
		Party: talkstack.PartyPlatform, Code: talkstack.EndDialFailed, Message: message,
	}}
}

// printable makes a peer's words fit for our messages and logs.
func printable(s string) string {
	const limit = 60
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		s = s[:limit]
	}
	return s
}
