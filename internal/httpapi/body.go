package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json" // RFC 7396
)

// Limits on a request's body.
const (
	maxBody     = 1 << 20 // bytes; limitBody enforces it
	bodyTimeout = 10 * time.Second
)

// humaContext has another name than its method Context, so that it can be embedded.
type humaContext huma.Context

// bodyContext is a request whose body has been read and made canonical.
type bodyContext struct {
	humaContext
	body io.Reader
}

// Header is the request's, but that the body is JSON by now, however the Content-Type was written.
func (c *bodyContext) Header(name string) string {
	if name == "Content-Type" {
		return jsonType
	}
	return c.humaContext.Header(name)
}

// BodyReader is the canonical body.
func (c *bodyContext) BodyReader() io.Reader { return c.body }

// Unwrap gives the framework its own context back.
func (c *bodyContext) Unwrap() huma.Context { return c.humaContext }

// readBody reads the body of an operation that has one: at most maxBody bytes of JSON in UTF-8 without NUL, which
// no database takes. Spellings of field names that the contract accepts become the canonical ones (Q14).
// The Content-Type of a request without a body does not count (Q42).
func (a *API) readBody(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if direct, _ := op.Metadata[directKey].(bool); direct || op.RequestBody == nil {
		next(ctx)
		return
	}
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer has deadlines
	data, err := io.ReadAll(ctx.BodyReader())
	if err != nil {
		a.refuseUnread(ctx, err)
		return
	}
	if len(bytes.TrimSpace(data)) > 0 && !isJSON(ctx.Header("Content-Type")) {
		a.refuse(ctx, http.StatusUnsupportedMediaType, "The Content-Type must be application/json.")
		return
	}
	if err := checkText(data); err != nil {
		a.refuse(ctx, http.StatusBadRequest, err.Error())
		return
	}
	aliases, _ := op.Metadata[aliasesKey].(map[string]string)
	data = canonical(data, aliases)
	if fields, ok := op.Metadata[queryKey].(map[string]reflect.Kind); ok {
		url := ctx.URL()
		data = withQuery(data, fields, aliases, url.Query())
	}
	next(&bodyContext{ctx, bytes.NewReader(data)})
}

func (a *API) refuse(ctx huma.Context, status int, message string) {
	_ = huma.WriteErr(a.huma, ctx, status, message) // it logs what it cannot write
}

func (a *API) refuseUnread(ctx huma.Context, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		a.refuse(ctx, http.StatusRequestEntityTooLarge, "The body is larger than 1 MB.")
		return
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		a.refuse(ctx, http.StatusRequestTimeout, "The body did not arrive in time.")
		return
	}
	a.refuse(ctx, http.StatusBadRequest, "The body could not be read to its end.")
}

// isJSON reports whether a Content-Type is JSON; none at all is taken for it.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == jsonType || t == mergePatchType)
}

// checkText refuses what JSON parsers let through and databases do not.
func checkText(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("The body is not valid UTF-8.") //nolint:revive,staticcheck // it is shown as it is
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(b[i+1:], []byte("u0000")) {
			return errors.New(`The body must not hold the character \u0000.`) //nolint:revive,staticcheck // as above
		}
		i++ // the escaped character is not a backslash that escapes
	}
	return nil
}

// canonical renames the aliases among the names of a JSON object. Where both spellings are sent, the canonical one counts.
func canonical(data []byte, aliases map[string]string) []byte {
	if len(aliases) == 0 {
		return data
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return data // the decoder says what is wrong
	}
	changed := false
	for _, name := range slices.Sorted(maps.Keys(object)) { // in an order: of two aliases the same one always counts
		value := object[name]
		if to, ok := aliases[name]; ok {
			if _, both := object[to]; !both {
				object[to] = value
			}
			delete(object, name)
			changed = true
		}
	}
	if !changed {
		return data
	}
	b, err := json.Marshal(object)
	if err != nil {
		return data
	}
	return b
}

// withQuery takes the fields that are not in the body of a DELETE from its query: some clients and proxies drop such
// bodies (Q41).
func withQuery(data []byte, fields map[string]reflect.Kind, aliases map[string]string, query url.Values) []byte {
	object := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(data)) > 0 && (json.Unmarshal(data, &object) != nil || object == nil) {
		return data // the decoder says what is wrong
	}
	for _, sent := range slices.Sorted(maps.Keys(query)) {
		name := sent
		if to, ok := aliases[sent]; ok {
			name = to
		}
		kind, known := fields[name]
		if _, there := object[name]; there || !known {
			continue
		}
		value, _ := json.Marshal(query.Get(sent)) // a text can always be marshalled
		if b, err := strconv.ParseBool(query.Get(sent)); err == nil && kind == reflect.Bool {
			value = strconv.AppendBool(nil, b)
		}
		object[name] = value
	}
	all, err := json.Marshal(object)
	if err != nil {
		return data
	}
	return all
}

// fieldsOf are the fields of a request that may be sent in its query too, with their kinds.
func fieldsOf(t reflect.Type) map[string]reflect.Kind {
	fields := map[string]reflect.Kind{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = t.Field(i).Type.Kind()
		}
	}
	return fields
}

// aliasesOf lists the other case of each field of a request, and the spellings of the endpoint's own.
func aliasesOf(t reflect.Type, own map[string]string) map[string]string {
	aliases := map[string]string{}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			for _, other := range []string{snakeCase(name), camelCase(name)} {
				if other != name {
					aliases[other] = name
				}
			}
		}
	}
	for other, name := range own {
		aliases[other] = name
	}
	return aliases
}

func snakeCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(rune(s[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func camelCase(s string) string {
	words := strings.Split(s, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// decode reads JSON and says in plain words what is wrong with it.
func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if strings.HasPrefix(e.Value, "number ") && e.Type.Kind() == reflect.Float64 {
			return errors.New("The body holds a number that is too large") //nolint:revive,staticcheck // it is shown as it is
		}
		if e.Field == "" {
			return errors.New("The body must be a JSON object") //nolint:revive,staticcheck // it is shown as it is
		}
		return fmt.Errorf("%s must be %s", e.Field, jsonKind(e.Type))
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("The body is not valid JSON (at byte %d)", e.Offset) //nolint:revive,staticcheck // as above
	}
	return errors.New("The body is not valid JSON") //nolint:revive,staticcheck // as above
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number"
}
