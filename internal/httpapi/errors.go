package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/auth"
)

// TalkstackError is the error body of the Talkstack family (Q2).
type TalkstackError struct {
	status  int
	Message string                 `json:"message" doc:"For people."`
	Status  string                 `json:"status" enum:"error"`
	Errors  []talkstack.FieldError `json:"errors,omitempty" nullable:"false" doc:"Each bad field, when fields are the reason."`
}

func (e *TalkstackError) Error() string { return e.Message }

// GetStatus is the HTTP status.
func (e *TalkstackError) GetStatus() int { return e.status }

// v1Error is the error body of /v1.
type v1Error struct {
	status  int
	Status  string                 `json:"status" enum:"error"`
	Code    talkstack.Code         `json:"code" enum:"invalid,unauthenticated,forbidden,not_found,conflict,limited,unavailable,internal"`
	Message string                 `json:"message" doc:"For people: says what to do next."`
	Errors  []talkstack.FieldError `json:"errors" nullable:"false" doc:"Each bad field; empty when fields are not the reason."`
}

func (e *v1Error) Error() string  { return e.Message }
func (e *v1Error) GetStatus() int { return e.status }

// Error bodies of the endpoints that add an enum (spec section 9).
type (
	signupError struct {
		TalkstackError
		SignupStatus signupStatus `json:"signupStatus"`
	}
	verifyEmailError struct {
		TalkstackError
		VerificationStatus verificationStatus `json:"verificationStatus"`
	}
	loginError struct {
		TalkstackError
		LoginStatus loginStatus `json:"loginStatus"`
	}
)

// failure is what went wrong with one request, before it takes the form of a family or an endpoint.
type failure struct {
	status  int
	code    talkstack.Code
	message string
	fields  []talkstack.FieldError
	cause   error
}

// errorShape turns a failure into the body that an operation documents.
type errorShape func(failure) huma.StatusError

func talkstackShape(f failure) huma.StatusError { return newError(f) }

func newError(f failure) *TalkstackError {
	return &TalkstackError{status: f.status, Message: f.message, Status: "error", Errors: f.fields}
}

func v1Shape(f failure) huma.StatusError {
	fields := f.fields
	if fields == nil {
		fields = []talkstack.FieldError{}
	}
	return &v1Error{status: f.status, Status: "error", Code: f.code, Message: f.message, Errors: fields}
}

// statusOf is the one map from code to HTTP status.
func statusOf(c talkstack.Code) int {
	switch c {
	case talkstack.CodeInvalid:
		return http.StatusBadRequest
	case talkstack.CodeUnauthenticated:
		return http.StatusUnauthorized
	case talkstack.CodeForbidden:
		return http.StatusForbidden
	case talkstack.CodeNotFound:
		return http.StatusNotFound
	case talkstack.CodeConflict:
		return http.StatusConflict
	case talkstack.CodeLimited:
		return http.StatusTooManyRequests
	case talkstack.CodeUnavailable:
		return http.StatusServiceUnavailable
	case talkstack.CodeInternal:
	}
	return http.StatusInternalServerError
}

// codeOf is the code for a status that the framework chose.
func codeOf(status int) talkstack.Code {
	switch status {
	case http.StatusUnauthorized:
		return talkstack.CodeUnauthenticated
	case http.StatusForbidden:
		return talkstack.CodeForbidden
	case http.StatusNotFound:
		return talkstack.CodeNotFound
	case http.StatusTooManyRequests:
		return talkstack.CodeLimited
	case http.StatusServiceUnavailable:
		return talkstack.CodeUnavailable
	}
	if status >= http.StatusInternalServerError {
		return talkstack.CodeInternal
	}
	return talkstack.CodeInvalid
}

// statusError gives an error another status than its code's, where the contract wants it (Q17).
type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

// missingIs400 makes an unknown id a bad request.
func missingIs400(err error) error {
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return &statusError{err, http.StatusBadRequest}
	}
	return err
}

// conflictIs400 makes a clash with stored data a bad request: the Talkstack API knows no 409.
func conflictIs400(err error) error {
	if talkstack.ErrorCode(err) == talkstack.CodeConflict {
		return &statusError{err, http.StatusBadRequest}
	}
	return err
}

// notFound is the answer for an id that is unknown or somebody else's.
func notFound(message string) error { return talkstack.Errorf(talkstack.CodeNotFound, "%s", message) }

// invalid is a bad request because of one field.
func invalid(field, message string) error {
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: field + " " + message + ".",
		Fields: []talkstack.FieldError{{Field: field, Message: message}},
	}
}

//nolint:gochecknoglobals // huma's own hooks are globals too
var installOnce sync.Once

// installErrors makes huma write our bodies. The framework reports its own findings and our handlers' errors through
// one function, so every error of the API is written here.
func installErrors() {
	installOnce.Do(func() {
		huma.DefaultArrayNullable = false // we never send null for an array
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			return talkstackShape(framework(status, message, errs))
		}
		huma.NewErrorWithContext = writeError
	})
}

func writeError(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	f := framework(status, message, errs)
	if len(errs) == 1 && status == http.StatusInternalServerError {
		f = domain(errs[0])
	}
	setHeaders(ctx, f)
	switch log := logger(ctx.Context()).With("operation", ctx.Operation().OperationID, "error", f.cause); {
	case f.status < http.StatusInternalServerError:
	case errors.Is(ctx.Context().Err(), context.Canceled):
		log.Debug("request given up by its client")
	default:
		log.Error("request failed")
	}
	if shape, ok := ctx.Operation().Metadata[shapeKey].(errorShape); ok {
		return shape(f)
	}
	return talkstackShape(f)
}

// domain is the failure behind an error that a handler returned.
func domain(err error) failure {
	f := failure{code: talkstack.ErrorCode(err), message: talkstack.ErrorMessage(err), cause: err}
	f.status = statusOf(f.code)
	if e, ok := errors.AsType[*talkstack.Error](err); ok {
		f.fields = e.Fields
	}
	if e, ok := errors.AsType[*statusError](err); ok {
		f.status = e.status
	}
	return f
}

// framework is the failure behind what huma found. Bad input is 400 here, never 422; rejected values are not repeated,
// since they may be passwords.
func framework(status int, message string, errs []error) failure {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	f := failure{status: status, code: codeOf(status), message: sentence(message), cause: errors.Join(errs...)}
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			continue
		}
		found := fieldError(d)
		if found.Field == "" { // it is about the body as a whole
			f.message, f.fields = sentence(found.Message), nil
			return f
		}
		f.fields = append(f.fields, found)
	}
	if len(f.fields) > 0 {
		f.message = sentence(f.fields[0].Field + " " + f.fields[0].Message)
	}
	return f
}

// setHeaders says how to do better: with credentials (RFC 9110 section 11.6.1), or later.
func setHeaders(ctx huma.Context, f failure) {
	if need, ok := ctx.Operation().Metadata[accessKey].(access); ok && need != accessOpen && f.status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="talkstack"`)
	}
	if after := retryAfter(f); after > 0 {
		ctx.SetHeader("Retry-After", strconv.Itoa(after))
	}
}

// retryAfter is how many seconds to wait before the same request may succeed; 0 where waiting does not help.
func retryAfter(f failure) int {
	if f.status != http.StatusTooManyRequests && f.status != http.StatusServiceUnavailable {
		return 0
	}
	after := time.Duration(0)
	if e, ok := errors.AsType[*auth.LimitError](f.cause); ok {
		after = e.RetryAfter
	}
	return max(1, int(math.Ceil(after.Seconds())))
}

// sentence ends a text like one.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// fieldError says in our words what huma found. A field is a path from the body: "nodes[2].next".
func fieldError(d *huma.ErrorDetail) talkstack.FieldError {
	field := d.Location
	for _, root := range []string{"body", "path", "query", "header"} {
		if field == root {
			field = ""
		}
		field = strings.TrimPrefix(field, root+".")
	}
	if rest, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		name := strings.TrimSuffix(rest, " to be present")
		if field != "" {
			name = field + "." + name
		}
		return talkstack.FieldError{Field: name, Message: "is required"}
	}
	if field == "" && d.Message == "expected object" {
		return talkstack.FieldError{Message: "The body must be a JSON object"}
	}
	return talkstack.FieldError{Field: field, Message: rewriteFinding(d.Message)}
}

func rewriteFinding(message string) string {
	rest, ok := strings.CutPrefix(message, "expected ")
	if !ok {
		if message == "unexpected property" {
			return "is not a known field"
		}
		return message
	}
	for _, r := range []struct{ prefix, text string }{
		{"number >= ", "must be at least "},
		{"number <= ", "must be at most "},
		{"number > ", "must be more than "},
		{"number < ", "must be less than "},
		{"length >= ", "must have at least this many characters: "},
		{"length <= ", "must have at most this many characters: "},
		{"array length >= ", "must have at least this many entries: "},
		{"array length <= ", "must have at most this many entries: "},
	} {
		if v, ok := strings.CutPrefix(rest, r.prefix); ok {
			if r.prefix == "length >= " && v == "1" {
				return "must not be empty"
			}
			return r.text + v
		}
	}
	if v, ok := strings.CutPrefix(rest, "value to be one of "); ok {
		return "must be one of: " + strings.Trim(v, `"`)
	}
	switch rest {
	case "array", "object", "integer":
		return "must be an " + rest
	case "boolean", "number", "string":
		return "must be a " + rest
	}
	return "must be " + strings.TrimPrefix(rest, "string to be ")
}
