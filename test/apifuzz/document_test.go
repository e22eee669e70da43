package apifuzz

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// schema is a JSON schema as decoded JSON.
type schema = map[string]any

// document is an OpenAPI 3.1 document, as far as requests are made from it.
type document struct {
	raw schema
}

// parameter is one of an operation's parameters.
type parameter struct {
	Name, In string
	Required bool
	Schema   schema
}

// operation is an endpoint.
type operation struct {
	Method, Path string
	Parameters   []parameter
	Bodies       map[string]schema // by media type
}

func parse(text []byte) (document, error) {
	var d document
	err := json.Unmarshal(text, &d.raw)
	return d, err
}

// operations are all endpoints, in an order that does not change.
func (d document) operations() []operation {
	var out []operation
	paths, _ := d.raw["paths"].(schema)
	for path, item := range paths {
		for method, described := range item.(schema) {
			o, ok := described.(schema)
			if !ok || !slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
				continue
			}
			out = append(out, d.operation(strings.ToUpper(method), path, o))
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	return out
}

func (d document) operation(method, path string, o schema) operation {
	op := operation{Method: method, Path: path, Bodies: map[string]schema{}}
	list, _ := o["parameters"].([]any)
	for _, p := range list {
		p := d.resolve(p)
		name, _ := p["name"].(string)
		in, _ := p["in"].(string)
		required, _ := p["required"].(bool)
		op.Parameters = append(op.Parameters, parameter{name, in, required, d.resolve(p["schema"])})
	}
	content, _ := d.resolve(o["requestBody"])["content"].(schema)
	for mediaType, m := range content {
		op.Bodies[mediaType] = d.resolve(m.(schema)["schema"])
	}
	return op
}

// resolve follows a reference within the document. What is not there is the empty schema.
func (d document) resolve(v any) schema {
	s, _ := v.(schema)
	ref, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	var at any = d.raw
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(schema)[part]
	}
	return d.resolve(at)
}
