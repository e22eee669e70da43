package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"talkstack/internal/store"
)

// The contract as an OpenAPI document is in testdata. Everything it says of an operation that we serve must be in the
// document that we serve: the operation, its statuses, its fields with their types, its required fields and its enums.
// Ours may say more, since objects are supersets.

// document resolves references in an OpenAPI document.
type document struct{ root object }

func (d document) resolve(v any) object {
	m, _ := v.(object)
	for m["$ref"] != nil {
		ref, _ := m["$ref"].(string)
		var at any = d.root
		for _, part := range splitPointer(ref) {
			at = at.(object)[part] //nolint:forcetypeassert // a broken reference may fail the test
		}
		m = at.(object) //nolint:forcetypeassert // as above
	}
	return m
}

func splitPointer(ref string) []string {
	var parts []string
	part := ""
	for _, r := range ref[len("#/"):] {
		if r == '/' {
			parts, part = append(parts, part), ""
			continue
		}
		part += string(r)
	}
	return append(parts, part)
}

// shape is a schema with its references and its allOf taken apart.
type shape struct {
	types      []string
	enum       []any
	properties map[string]any
	required   []string
	items      any
	any        []any // anyOf and oneOf
}

func (d document) shape(v any) shape {
	m := d.resolve(v)
	s := shape{properties: map[string]any{}, items: m["items"]}
	switch t := m["type"].(type) {
	case string:
		s.types = []string{t}
	case list:
		for _, x := range t {
			s.types = append(s.types, fmt.Sprint(x))
		}
	}
	if c, ok := m["const"]; ok {
		s.enum = []any{c}
	}
	if e, ok := m["enum"].(list); ok {
		s.enum = e
	}
	if p, ok := m["properties"].(object); ok {
		maps.Copy(s.properties, p)
	}
	for _, r := range asList(m["required"]) {
		s.required = append(s.required, fmt.Sprint(r))
	}
	for _, part := range asList(m["allOf"]) {
		inner := d.shape(part)
		maps.Copy(s.properties, inner.properties)
		s.required = append(s.required, inner.required...)
		s.types = slices.Compact(append(s.types, inner.types...))
	}
	s.any = append(asList(m["anyOf"]), asList(m["oneOf"])...)
	return s
}

func asList(v any) list {
	l, _ := v.(list)
	return l
}

type comparison struct {
	t            *testing.T
	spec, served document
	fields       int
}

// schema compares what the contract says of a value with what we say. In a request every field of the contract must be
// taken; in a response every required one must be required of us too.
func (c *comparison) schema(where string, want, have any, response bool) {
	c.t.Helper()
	c.fields++
	w, h := c.spec.shape(want), c.served.shape(have)
	if len(h.types) == 0 { // where we answer with one of several, the contract's is among them
		var types []string
		for _, alternative := range h.any {
			one := c.served.shape(alternative)
			if types = append(types, one.types...); slices.Equal(one.types, w.types) {
				h = one
				break
			}
		}
		if len(h.types) == 0 {
			h.types = types
		}
	}
	for _, typ := range w.types {
		if response && typ == "null" {
			continue // always filled is as good
		}
		if !slices.Contains(h.types, typ) && !(typ == "number" && slices.Contains(h.types, "integer")) {
			c.t.Errorf("%s: the contract's type is %v, ours %v", where, w.types, h.types)
		}
	}
	for _, v := range w.enum {
		if !slices.ContainsFunc(h.enum, func(x any) bool { return fmt.Sprint(x) == fmt.Sprint(v) }) {
			c.t.Errorf("%s: the contract has the value %v, ours are %v", where, v, h.enum)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.properties)) {
		mine, ok := h.properties[name]
		if !ok {
			c.t.Errorf("%s: the field %s is missing", where, name)
			continue
		}
		c.schema(where+"."+name, w.properties[name], mine, response)
	}
	for _, name := range w.required {
		if !slices.Contains(h.required, name) && (response || !c.oneOfRequired(h, name)) {
			c.t.Errorf("%s: %s is required by the contract, not by us", where, name)
		}
	}
	for _, way := range w.any { // of one of these fields at least
		for _, name := range c.spec.shape(way).required {
			if !c.oneOfRequired(h, name) {
				c.t.Errorf("%s: %s is no way to make a whole request, by the contract it is", where, name)
			}
		}
	}
	if !response && len(w.any) == 0 { // in a request we must not demand more
		for _, name := range h.required {
			if !slices.Contains(w.required, name) {
				c.t.Errorf("%s: we require %s, the contract does not", where, name)
			}
		}
	}
	if w.items != nil {
		c.schema(where+"[]", w.items, h.items, response)
	}
}

// oneOfRequired says that a field is required where no other spelling of it is sent (Q13).
func (c *comparison) oneOfRequired(h shape, name string) bool {
	return slices.ContainsFunc(h.any, func(way any) bool { return slices.Equal(c.served.shape(way).required, []string{name}) })
}

// operation compares an operation; byUs: its requests are made by us, so that we may promise more of them, not less.
func (c *comparison) operation(where string, want, have object, byUs bool) {
	c.t.Helper()
	c.parameters(where, asList(want["parameters"]), asList(have["parameters"]), byUs)
	if body := c.spec.resolve(want["requestBody"]); body != nil {
		c.schema(where+" request", jsonSchema(body), jsonSchema(c.served.resolve(have["requestBody"])), byUs)
	}
	ours, _ := have["responses"].(object)
	responses, _ := want["responses"].(object)
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		mine, ok := ours[status]
		if !ok {
			c.t.Errorf("%s: the status %s is missing", where, status)
			continue
		}
		c.schema(where+" "+status, jsonSchema(c.spec.resolve(responses[status])), jsonSchema(c.served.resolve(mine)), true)
	}
	if _, open := want["security"].(list); open != (len(asList(have["security"])) < 2) {
		c.t.Errorf("%s: security is %v, the contract's %v", where, have["security"], want["security"])
	}
}

// parameters compares those of the path and the query; headers too, but for the credentials, which are no parameters.
func (c *comparison) parameters(where string, want, have list, byUs bool) {
	c.t.Helper()
	for _, p := range want {
		w := c.spec.resolve(p)
		i := slices.IndexFunc(have, func(q any) bool {
			h := c.served.resolve(q)
			return h["name"] == w["name"] && h["in"] == w["in"]
		})
		if i < 0 {
			c.t.Errorf("%s: the parameter %v in the %v is missing", where, w["name"], w["in"])
			continue
		}
		h := c.served.resolve(have[i])
		if (w["required"] == true) != (h["required"] == true) && !(byUs && h["required"] == true) {
			c.t.Errorf("%s: the parameter %v is required: %v; the contract says %v", where, w["name"], h["required"], w["required"])
		}
		c.schema(where+" "+fmt.Sprint(w["name"]), w["schema"], h["schema"], false)
	}
}

// jsonSchema is the schema of a body: of JSON, or of the form where there is no other.
func jsonSchema(content object) any {
	media, _ := content["content"].(object)
	for _, name := range []string{"application/json", "multipart/form-data"} {
		if typed, ok := media[name].(object); ok {
			return typed["schema"]
		}
	}
	return nil
}

func TestServedDocumentKeepsTheContract(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/talkstack-openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := comparison{t: t}
	if err := yaml.Unmarshal(raw, &c.spec.root); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(newServer(t, store.SQLite).API.OpenAPI(), &c.served.root); err != nil {
		t.Fatal(err)
	}
	if c.served.root["openapi"] != "3.1.0" {
		t.Errorf("the document is OpenAPI %v", c.served.root["openapi"])
	}
	paths := c.spec.root["paths"].(object)  //nolint:forcetypeassert // it is a document
	mine := c.served.root["paths"].(object) //nolint:forcetypeassert // as above
	operations := 0
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		shared := asList(paths[path].(object)["parameters"])  //nolint:forcetypeassert // as above
		for method, operation := range paths[path].(object) { //nolint:forcetypeassert // as above
			want, ok := operation.(object)
			if !ok { // the shared parameters
				continue
			}
			operations++
			want["parameters"] = append(shared, asList(want["parameters"])...)
			have, _ := mine[path].(object)
			got, ok := have[method].(object)
			if !ok {
				t.Errorf("%s %s is missing", method, path)
				continue
			}
			if got["operationId"] != want["operationId"] {
				t.Errorf("%s %s is called %v; want %v", method, path, got["operationId"], want["operationId"])
			}
			c.operation(method+" "+path, want, got, false)
		}
	}
	if operations != 34 {
		t.Errorf("%d operations were compared; the contract has 34", operations)
	}
	for name, hook := range c.spec.root["webhooks"].(object) { //nolint:forcetypeassert // as above
		hooks, _ := c.served.root["webhooks"].(object)
		have, _ := hooks[name].(object)
		got, ok := have["post"].(object)
		if !ok {
			t.Errorf("the webhook %s is missing", name)
			continue
		}
		c.operation("webhook "+name, hook.(object)["post"].(object), got, true) //nolint:forcetypeassert // as above
	}
	if c.fields < 400 {
		t.Errorf("only %d schemas were compared: the comparison does not look into them", c.fields)
	}
}
