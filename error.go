package talkstack

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. Each door maps it once: httpapi to an HTTP status, sip to a SIP status.
type Code string

// The codes, from the caller's fault to ours.
const (
	CodeInvalid         Code = "invalid"         // the request is malformed or breaks a rule
	CodeUnauthenticated Code = "unauthenticated" // no credentials, or bad ones
	CodeForbidden       Code = "forbidden"       // known, but not allowed
	CodeNotFound        Code = "not_found"       // unknown, or somebody else's
	CodeConflict        Code = "conflict"        // clashes with what is stored
	CodeLimited         Code = "limited"         // too much, too fast
	CodeUnavailable     Code = "unavailable"     // a part is away or full; later may work
	CodeInternal        Code = "internal"        // our fault
)

// Error is the one error type that crosses packages. It is made where the cause is known.
type Error struct {
	Code    Code
	Message string       // safe to show to users; says what to do next
	Fields  []FieldError // which fields are wrong, for CodeInvalid
	Err     error        // for us; never shown
}

// FieldError is one bad field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error. With a %w verb the wrapped error is kept for us, and appears in the message too:
// use WrapError when it must not.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WrapError makes an Error that hides err behind a message for users.
func WrapError(code Code, err error, message string) *Error {
	return &Error{Code: code, Message: message, Err: err}
}

// ErrorCode is the code of err: that of the Error it holds, CodeInternal for any other, empty for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// ErrorMessage is the text of err that users may see.
func ErrorMessage(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "Internal error."
}
