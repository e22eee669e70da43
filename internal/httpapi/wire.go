package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Envelope is the documented frame of a success (spec section 1). The status is always "success" (Q3).
type Envelope struct {
	Message string `json:"message" doc:"For people; do not match on it."`
	Status  string `json:"status" enum:"success"`
}

func success(message string) Envelope { return Envelope{Message: message, Status: "success"} }

// body is a response that is a JSON document.
type body[T any] struct {
	Body T
}

func reply[T any](v T) *body[T] { return &body[T]{Body: v} }

// timeLayout is ISO 8601 in UTC with milliseconds, as documented: 2025-03-11T17:49:38.925Z.
const timeLayout = "2006-01-02T15:04:05.000Z"

// timestamp is an instant on the wire.
type timestamp struct{ time.Time }

// MarshalJSON prints it in UTC with milliseconds.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

// UnmarshalJSON reads RFC 3339.
func (t *timestamp) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &t.Time) }

// Schema documents it.
func (timestamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "ISO 8601, UTC, milliseconds."}
}

// optionalTimestamp is an instant that may not have come yet: the zero time is null.
type optionalTimestamp struct{ time.Time }

// MarshalJSON prints it in UTC with milliseconds, or null.
func (t optionalTimestamp) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return timestamp(t).MarshalJSON()
}

// Schema documents it.
func (optionalTimestamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Description: "ISO 8601, UTC, milliseconds; null until it has happened."}
}

// variables are values for {{placeholders}}. Numbers keep the digits they were sent with: 4217 is not 4.217e+03 in a caller's ear.
type variables map[string]any

// UnmarshalJSON reads an object.
func (v *variables) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	m := map[string]any{}
	if err := d.Decode(&m); err != nil {
		return err
	}
	*v = m
	return nil
}

// Schema documents it.
func (variables) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Values for the {{key}} placeholders of the agent's systemInstruction."}
}

// sent is a field of a change, which knows whether it was in the body. It must not be null: the framework takes null for
// missing where a field is not required.
type sent[T any] struct {
	value T
	is    bool
}

// UnmarshalJSON is called for a field that is there.
func (s *sent[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return &json.UnmarshalTypeError{Value: "null", Type: reflect.TypeFor[T]()}
	}
	s.is = true
	return json.Unmarshal(b, &s.value)
}

// clearable is sent for a field that null empties: it is the zero value then.
type clearable[T any] struct{ sent[T] }

// UnmarshalJSON is called for a field that is there.
func (s *clearable[T]) UnmarshalJSON(b []byte) error {
	s.is = true
	return json.Unmarshal(b, &s.value)
}

// Schema documents it as the value's type.
func (sent[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// pointer is the value, or nil where there was none.
func (s sent[T]) pointer() *T {
	if !s.is {
		return nil
	}
	return &s.value
}

// textOrNull is s, or null when it is empty.
func textOrNull[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	t := string(s)
	return &t
}

// orNull lets a property be null. Only needed where it refers to another schema: huma does the rest by nullable:"true".
func orNull(s *huma.Schema, property string) {
	p := s.Properties[property]
	s.Properties[property] = &huma.Schema{
		Description: p.Description,
		AnyOf:       []*huma.Schema{{Ref: p.Ref}, {Type: "null"}},
	}
}
