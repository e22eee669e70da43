package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Keys of an operation's metadata.
const (
	shapeKey   = "shape"   // errorShape
	aliasesKey = "aliases" // map[string]string: a spelling that is accepted → the canonical one
	queryKey   = "query"   // map[string]reflect.Kind: fields of the body that may stand in the query instead
	accessKey  = "access"  // access
	directKey  = "direct"  // bool: the handler reads the body itself
)

// access says who may call an operation.
type access int

const (
	accessAny    access = iota // a Bearer token or an API key
	accessBearer               // a Bearer token only (Q30)
	accessOpen                 // everybody
	accessLink                 // credentials, or the signature of a link: the handler asks
)

// Security schemes of the document.
const (
	bearerScheme = "bearerAuth"
	apiKeyScheme = "apiKeyAuth"
)

// operation describes an endpoint in the words that differ between endpoints.
type operation struct {
	ID          string
	Tag         string
	Summary     string
	Description string
	Access      access
	Errors      map[int]string    // documented failures of this endpoint's own: status → when
	Aliases     map[string]string // spellings of body fields beyond the other case (Q14)
	Shape       errorShape        // nil: the family's
	ErrorType   reflect.Type      // what Shape makes
	PlainFaults bool              // 5xx have the family's type, not ErrorType
	Content     string            // media type of a success; empty: JSON
	Lenient     bool              // the handler checks the body itself, to answer with the endpoint's own enum
}

// get, post, put, patch and del register an endpoint.
func get[I, O any](a *API, path string, op operation, h func(context.Context, *I) (*O, error)) {
	register(a, http.MethodGet, path, op, h)
}

func post[I, O any](a *API, path string, op operation, h func(context.Context, *I) (*O, error)) {
	register(a, http.MethodPost, path, op, h)
}

func put[I, O any](a *API, path string, op operation, h func(context.Context, *I) (*O, error)) {
	register(a, http.MethodPut, path, op, h)
}

func patch[I, O any](a *API, path string, op operation, h func(context.Context, *I) (*O, error)) {
	register(a, http.MethodPatch, path, op, h)
}

func del[I, O any](a *API, path string, op operation, h func(context.Context, *I) (*O, error)) {
	register(a, http.MethodDelete, path, op, h)
}

func register[I, O any](a *API, method, path string, op operation, h func(context.Context, *I) (*O, error)) {
	o := a.describe(method, path, op, reflect.TypeFor[I]())
	huma.Register(a.huma, o, h)
}

// describe makes huma's operation: what the endpoint may answer is documented in full, whoever answers it.
func (a *API) describe(method, path string, op operation, input reflect.Type) huma.Operation {
	v1 := isV1(path)
	for f := range input.Fields() {
		if f.Anonymous && !f.IsExported() { // the framework does not look into it: its parameters would stay empty
			panic(fmt.Sprintf("httpapi: %s embeds %s, whose parameters are not read", op.ID, f.Name))
		}
	}
	o := huma.Operation{
		OperationID: op.ID, Method: method, Path: path, Tags: []string{op.Tag},
		Summary: op.Summary, Description: op.Description,
		Responses:        map[string]*huma.Response{},
		MaxBodyBytes:     -1, // readBody has the limit
		BodyReadTimeout:  -1, // and the deadline
		SkipValidateBody: op.Lenient,
		Metadata:         map[string]any{accessKey: op.Access},
	}
	shape, family := errorShape(talkstackShape), reflect.TypeFor[TalkstackError]()
	if v1 {
		shape, family = v1Shape, reflect.TypeFor[v1Error]()
	}
	own := family
	if op.Shape != nil {
		shape, own = op.Shape, op.ErrorType
	}
	o.Metadata[shapeKey] = shape
	switch op.Access {
	case accessAny:
		o.Security = []map[string][]string{{bearerScheme: {}}, {apiKeyScheme: {}}}
	case accessBearer:
		o.Security = []map[string][]string{{bearerScheme: {}}}
	case accessLink:
		o.Security = []map[string][]string{{bearerScheme: {}}, {apiKeyScheme: {}}, {}}
	case accessOpen:
		o.Security = []map[string][]string{}
	}
	for status, when := range a.failures(op, input) {
		t := own
		if op.PlainFaults && status >= http.StatusInternalServerError {
			t = family
		}
		o.Responses[strconv.Itoa(status)] = a.errorResponse(when, t)
	}
	if op.Content != "" {
		o.Responses["200"] = &huma.Response{Description: "The file.", Content: binary(op.Content)}
	}
	if field, ok := input.FieldByName("Body"); ok {
		request := field.Type
		if request.Kind() == reflect.Pointer {
			request = request.Elem()
		}
		if !v1 {
			o.Metadata[aliasesKey] = aliasesOf(request, op.Aliases)
		}
		if method == http.MethodDelete {
			o.Metadata[queryKey] = fieldsOf(request)
			o.Parameters = inQuery(fieldsOf(request))
		}
	}
	return o
}

// failures are the statuses an endpoint may answer with, and when.
func (a *API) failures(op operation, input reflect.Type) map[int]string {
	all := map[int]string{
		http.StatusBadRequest:          "A field is missing or malformed.",
		http.StatusTooManyRequests:     "Too many requests; come back after Retry-After seconds.",
		http.StatusInternalServerError: "Server error.",
		http.StatusServiceUnavailable:  "A part of the server is away or full; come back after Retry-After seconds.",
	}
	if op.Access != accessOpen {
		all[http.StatusUnauthorized] = "Credentials missing, invalid or expired."
	}
	if _, ok := input.FieldByName("Body"); ok {
		all[http.StatusRequestTimeout] = "The body did not arrive in time."
		all[http.StatusRequestEntityTooLarge] = "The body is larger than 1 MB."
		all[http.StatusUnsupportedMediaType] = "The body is not application/json."
	}
	if _, ok := input.FieldByName("IdempotencyKey"); ok {
		all[http.StatusConflict] = "The Idempotency-Key was sent with another request before."
	}
	for status, when := range op.Errors {
		all[status] = when
	}
	return all
}

// inQuery documents the fields of a DELETE's body that may stand in its query.
func inQuery(fields map[string]reflect.Kind) []*huma.Param {
	params := make([]*huma.Param, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		schema := &huma.Schema{Type: huma.TypeString}
		if fields[name] == reflect.Bool {
			schema.Type = huma.TypeBoolean
		}
		params = append(params, &huma.Param{
			Name: name, In: "query", Schema: schema, Description: "As in the body, for clients that drop the body of a DELETE.",
		})
	}
	return params
}

// binary documents a body that is a file.
func binary(mediaType string) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
}

func (a *API) errorResponse(when string, t reflect.Type) *huma.Response {
	return &huma.Response{
		Description: when,
		Content:     map[string]*huma.MediaType{jsonType: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(t, true, "")}},
	}
}
