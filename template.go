package talkstack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Template is a text with {{name}} and {{name.part}} placeholders, in which blanks beside the name do not matter.
// Anything else between braces is plain text. Values are put in as they are: they are never escaped (they go into a
// caller's ear, not into a page) and never read as templates themselves.
type Template struct {
	parts []templatePart
}

// templatePart is plain text, or a placeholder when name is set.
type templatePart struct {
	text string // for a placeholder: as written
	name string
}

// ParseTemplate reads s. It never fails: braces that are no placeholder stay as they are.
func ParseTemplate(s string) Template {
	var t Template
	plain := 0 // start of the plain text not yet taken
	for i := 0; ; {
		open := strings.Index(s[i:], "{{")
		if open < 0 {
			break
		}
		open += i
		name, end := placeholder(s, open)
		if name == "" {
			i = open + 1 // "{{{a}}" holds one from its second brace
			continue
		}
		if open > plain {
			t.parts = append(t.parts, templatePart{text: s[plain:open]})
		}
		t.parts = append(t.parts, templatePart{text: s[open:end], name: name})
		i, plain = end, end
	}
	if plain < len(s) {
		t.parts = append(t.parts, templatePart{text: s[plain:]})
	}
	return t
}

// placeholder reads the placeholder that opens at s[open:]; the name is empty when there is none.
func placeholder(s string, open int) (name string, end int) {
	body, _, ok := strings.Cut(s[open+2:], "}}")
	if !ok {
		return "", 0
	}
	name = strings.Trim(body, " \t")
	for part := range strings.SplitSeq(name, ".") {
		if !validVariable(part) {
			return "", 0
		}
	}
	return name, open + 2 + len(body) + 2
}

// validVariable reports whether s can be one part of a placeholder's name.
func validVariable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			return false
		}
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && r != '-') {
			return false
		}
	}
	return s != ""
}

// Variables are the names in t, each once, in the order of their first use.
func (t Template) Variables() []string {
	var names []string
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Fill puts in the values. A name without a value, or with null, becomes empty and is reported in missing, once.
// {{a.b}} is the value of the key "a.b", else of "b" in the object "a".
func (t Template) Fill(vars map[string]any) (text string, missing []string) {
	return t.FillEscaped(vars, func(s string) string { return s })
}

// FillEscaped is Fill with each value passed through escape, for texts with a syntax of their own: URLs, JSON.
func (t Template) FillEscaped(vars map[string]any, escape func(string) string) (text string, missing []string) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		v, ok := lookUp(vars, p.name)
		if ok && v != nil {
			b.WriteString(escape(FormatValue(v)))
		} else if !slices.Contains(missing, p.name) {
			missing = append(missing, p.name)
		}
	}
	return b.String(), missing
}

// lookUp finds name in vars: as a whole key first, then part by part.
func lookUp(vars map[string]any, name string) (any, bool) {
	if v, ok := vars[name]; ok {
		return v, true
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		switch inner := vars[name[:i]].(type) {
		case map[string]any:
			if v, ok := lookUp(inner, name[i+1:]); ok {
				return v, true
			}
		case map[string]string:
			if v, ok := inner[name[i+1:]]; ok {
				return v, true
			}
		}
	}
	return nil, false
}

// FormatValue writes a JSON-like value as people say it: numbers without exponent, lists joined by ", ",
// objects as "key: value" sorted by key, null as nothing.
func FormatValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32)
	case json.Number:
		return formatNumber(v)
	case []any:
		return joinValues(v)
	case []string:
		return strings.Join(v, ", ")
	case map[string]any:
		return joinFields(v)
	default:
		return fmt.Sprint(v)
	}
}

// formatNumber keeps the digits as sent, which may be more than a float holds, unless there is an exponent.
func formatNumber(n json.Number) string {
	if strings.ContainsAny(n.String(), "eE") {
		if f, err := n.Float64(); err == nil {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return n.String()
}

func joinValues(list []any) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = FormatValue(v)
	}
	return strings.Join(texts, ", ")
}

func joinFields(m map[string]any) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = k + ": " + FormatValue(m[k])
	}
	return strings.Join(keys, ", ")
}
