package apifuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// generator makes requests up. It remembers the ids that answers have given, so that requests go deep.
type generator struct {
	*rand.Rand
	doc   document
	known map[string][]string // by the name of the field
	key   string              // of the account
	hub   string              // a HubSpot token that works
	home  map[string]string   // ids of the demo account, which fit each other
	odd   bool                // this request is to be odd somewhere
}

// chance is true in about n of a hundred cases.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

// pick is one of several values.
func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// oddTexts break parsers, pages, queries, paths and logs.
func oddTexts() []string {
	return []string{
		"", " ", "\t\n", "null", "0", "-1", "'; DROP TABLE calls; --", "<script>alert(1)</script>", "{{name}}", "{{", "%00", "%s%n", "../../etc/passwd",
		"\u202e\u0645", "\U0001f4de", "O'Brien", strings.Repeat("a", 300), strings.Repeat("ä", 5000), "+15005550001", "+1206555", "4.15555E+10", "9999-99-99", "2026-02-30",
		"http://169.254.169.254/", "https://example.com/hook", "javascript:alert(1)", "CA00000000000000000000000000000000", "00000000-0000-0000-0000-000000000000",
		"a\u0000b", "\ufeff", "1e309", "true", "[]", "{}", "=1+1", "Europe/Berlin", "Mars/Olympus", "23:59", "mon",
	}
}

// anything is a value of no particular type.
func (g *generator) anything(depth int) any {
	switch g.IntN(9) {
	case 0:
		return nil
	case 1:
		return g.chance(50)
	case 2:
		return pick(g, 0, -1, 1, 7, 1<<31, -1<<31, 1<<53, 1000000)
	case 3:
		return pick(g, 0.5, -0.1, 1e300, 1e-300)
	case 4:
		if depth > 0 {
			return []any{g.anything(depth - 1), g.anything(depth - 1)}
		}
		return []any{}
	case 5:
		if depth > 0 {
			return map[string]any{"name": g.anything(depth - 1), pick(g, oddTexts()...): g.anything(depth - 1)}
		}
		return map[string]any{}
	}
	return pick(g, oddTexts()...)
}

// value is a value for a field: mostly what its schema asks for.
func (g *generator) value(name string, s schema, depth int) any {
	s = g.doc.resolve(s)
	if g.odd && g.chance(12) {
		return g.anything(2)
	}
	if home := g.home[name]; home != "" && !g.odd && g.chance(60) {
		return home
	}
	if known := g.known[name]; len(known) > 0 && (!g.odd || g.chance(60)) {
		return pick(g, known[max(0, len(known)-1-g.IntN(8)):]...)
	}
	if name == "token" && g.chance(50) {
		return g.hub
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		return pick(g, list...)
	}
	if list, ok := s["examples"].([]any); ok && len(list) > 0 && g.chance(50) {
		return pick(g, list...)
	}
	for _, of := range []string{"anyOf", "oneOf"} {
		if list, ok := s[of].([]any); ok && len(list) > 0 {
			return g.value(name, g.doc.resolve(pick(g, list...)), depth)
		}
	}
	switch typeOf(g, s) {
	case "object":
		return g.object(s, depth)
	case "array":
		items := make([]any, g.IntN(4))
		for i := range items {
			items[i] = g.value(name, g.doc.resolve(s["items"]), depth-1)
		}
		return items
	case "boolean":
		return g.chance(50)
	case "integer":
		return g.number(s, 1)
	case "number":
		return g.number(s, 0.01)
	case "null":
		return nil
	}
	if format, _ := s["format"].(string); format == "date-time" {
		return pick(g, "2026-03-11T17:49:38.925Z", "2026-11-23T00:00:00+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
	}
	switch name {
	case "number", "to", "from", "e164", "phoneNumber", "phone_number":
		return fmt.Sprintf("+1206555%04d", g.IntN(10000))
	case "name":
		return fmt.Sprint("Demo ", g.IntN(1000))
	}
	if g.odd {
		return pick(g, oddTexts()...)
	}
	return pick(g, "John", "2026-11-23", "https://example.com/hook", "09:00", "18:00", "Is it good?")
}

func typeOf(g *generator, s schema) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		kind, _ := pick(g, t...).(string)
		return kind
	}
	if s["properties"] != nil {
		return "object"
	}
	return "string"
}

// number is within the schema's bounds, on one, or just outside.
func (g *generator) number(s schema, step float64) any {
	low, hasLow := s["minimum"].(float64)
	high, hasHigh := s["maximum"].(float64)
	if !hasLow {
		low = -1
	}
	if !hasHigh {
		high = low + 1000
	}
	n := min(high, low+float64(g.IntN(100)))
	if g.odd {
		n = pick(g, low, high, low+step, low-step, high+step)
	}
	if step == 1 {
		return int64(n)
	}
	return n
}

func (g *generator) object(s schema, depth int) any {
	out := map[string]any{}
	properties, _ := s["properties"].(schema)
	required, _ := s["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		must := slices.Contains(required, any(name))
		if depth <= 0 && !must || g.odd && must && g.chance(8) || !must && g.chance(60) {
			continue
		}
		out[name] = g.value(name, g.doc.resolve(properties[name]), depth-1)
	}
	if extra, ok := s["additionalProperties"]; ok && extra != false && g.chance(30) {
		out[pick(g, "name", "partnerId", "shiftId", pick(g, oddTexts()...))] = g.anything(1)
	}
	return out
}

// request makes a request for an operation.
func (g *generator) request(base string, op operation) (*http.Request, []byte) {
	g.odd = g.chance(50)
	path, query := op.Path, url.Values{}
	headers := http.Header{}
	for _, p := range op.Parameters {
		if p.In != "path" && !p.Required && g.chance(50) {
			continue
		}
		name := p.Name
		if own := name + "@" + resource(op.Path); p.In == "path" && len(g.known[own]) > 0 {
			name = own
		}
		v := g.value(name, p.Schema, 1)
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			text = string(b)
		}
		switch p.In {
		case "path":
			if text == "" || text == "." || text == ".." || len(text) > 1000 {
				text = "x"
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text))
		case "query":
			query.Add(p.Name, text)
		case "header":
			if !strings.ContainsAny(text, "\x00\r\n") {
				headers.Set(p.Name, text)
			}
		}
	}
	if g.odd && g.chance(6) {
		query.Add(pick(g, oddTexts()...), pick(g, oddTexts()...))
	}
	body, contentType := g.body(op)
	address := base + path
	if encoded := query.Encode(); encoded != "" && len(address)+len(encoded) < mostAddress {
		address += "?" + encoded
	}
	req, err := http.NewRequest(op.Method, address, bytes.NewReader(body)) //nolint:noctx // the caller gives it one
	if err != nil {
		panic(fmt.Sprintf("%s %q: %v", op.Method, address, err)) // a fault of this generator
	}
	req.Header = headers
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	switch {
	case !g.odd:
		req.Header.Set("X-Api-Key", g.key)
	case g.chance(3):
		req.Header.Set("Authorization", pick(g, "Bearer x", "Basic eDp5", "Bearer ", "nonsense"))
	case g.chance(3):
		req.Header.Set("X-Api-Key", pick(g, "x", strings.Repeat("0", 64)))
	default:
		req.Header.Set("X-Api-Key", g.key)
	}
	return req, body
}

// mostAddress keeps addresses below what the HTTP server itself refuses, before any endpoint sees them.
const mostAddress = 8000

// body is the body of a request and its type.
func (g *generator) body(op operation) ([]byte, string) {
	if len(op.Bodies) == 0 {
		if g.chance(2) {
			return []byte("{}"), "application/json"
		}
		return nil, ""
	}
	mediaType := pick(g, slices.Sorted(maps.Keys(op.Bodies))...)
	if strings.HasPrefix(mediaType, "multipart/") {
		return g.form(op.Bodies[mediaType])
	}
	switch n := g.IntN(100); {
	case !g.odd:
	case n < 4:
		return nil, mediaType
	case n < 8:
		return []byte(pick(g, "{", "[", `{"a":`, "\xff\xfe", "null", "[]", "1", `"x"`, "{}}", strings.Repeat("[", 10000))), mediaType
	case n < 12:
		return []byte("a=b"), pick(g, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x", "/")
	}
	b, err := json.Marshal(g.value("", op.Bodies[mediaType], 4))
	if err != nil {
		panic(err)
	}
	if g.odd && g.chance(4) && len(b) > 2 {
		b = b[:g.IntN(len(b))]
	}
	return b, mediaType
}

// form is a multipart body. A part that is a file is a sheet, mostly.
func (g *generator) form(s schema) ([]byte, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	properties, _ := s["properties"].(schema)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		required, _ := s["required"].([]any)
		if must := slices.Contains(required, any(name)); g.odd && g.chance(10) || !must && g.chance(70) {
			continue
		}
		p := g.doc.resolve(properties[name])
		if p["format"] == "binary" || p["contentMediaType"] != nil || name == "file" {
			part, err := w.CreateFormFile(name, pick(g, "calls.csv", "calls.xlsx", "", "../x.csv"))
			if err == nil {
				if !g.odd {
					_, _ = io.WriteString(part, "number,name\n+12065550123,John\n+12065550124,Mary\n")
					continue
				}
				_, _ = io.WriteString(part, pick(g,
					"number,name\n+12065550123,John\n", "number;dynamicVariables\r\n+12065550124;\"{\"\"a\"\":1}\"\r\n", "\ufeffnumber\n+12065550125\n12\n4.1E+10\n",
					"", "name\nJohn\n", "PK\x03\x04broken", "number\n"+strings.Repeat("+12065550126\n", 50), "number,\"a\n+1", strings.Repeat(",", 5000)))
			}
			continue
		}
		v := g.value(name, p, 2)
		text, ok := v.(string)
		if !ok {
			j, _ := json.Marshal(v) // made from JSON types
			text = string(j)
		}
		_ = w.WriteField(name, text)
	}
	if !g.odd || g.chance(95) {
		_ = w.Close()
	}
	return b.Bytes(), w.FormDataContentType()
}

// learn remembers the ids in an answer. The bare name "id" stands for what the path is about.
func (g *generator) learn(path string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			g.learn(path, e)
		}
	case map[string]any:
		for name, e := range v {
			text, ok := e.(string)
			if !ok {
				g.learn(path, e)
				continue
			}
			switch name {
			case "number":
				g.remember("number@"+resource(path), text)
			case "id":
				g.remember("id@"+resource(path), text)
				for _, alias := range aliases(path) {
					g.remember(alias, text)
				}
			case "sid", "call_id", "callSid":
				for _, alias := range []string{"sid", "call_id", "callSid"} {
					g.remember(alias, text)
				}
			case "projectId", "project_id", "agentId", "agent_id", "voice_id", "e164", "next_cursor", "batch_id", "active_agent":
				g.remember(name, text)
			}
		}
	}
	if cursors := g.known["next_cursor"]; len(cursors) > 0 {
		g.known["cursor"] = cursors
	}
}

// resource is what a path is about: "batches" of /v1/batches/{id}/pause.
func resource(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/"), "v1/"), "/")
	return name
}

// aliases are the names under which requests ask for the id of what a path is about.
func aliases(path string) []string {
	switch {
	case strings.Contains(path, "agent"):
		return []string{"agentId", "agent_id", "active_agent", "id"}
	case strings.Contains(path, "number"):
		return []string{"phoneNumberId", "id"}
	case strings.Contains(path, "batch"):
		return []string{"batch_id", "id"}
	case strings.Contains(path, "deliver"):
		return []string{"id"}
	case strings.Contains(path, "project"):
		return []string{"projectId", "project_id", "id"}
	}
	return []string{"id"}
}

// mostKnown bounds what is remembered of each kind; the newest is kept, because older things are deleted by and by.
const mostKnown = 40

func (g *generator) remember(name, id string) {
	if id == "" || slices.Contains(g.known[name], id) {
		return
	}
	g.known[name] = append(g.known[name], id)
	if n := len(g.known[name]); n > mostKnown {
		g.known[name] = g.known[name][n-mostKnown:]
	}
}
