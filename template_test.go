package talkstack_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"talkstack"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	var vars map[string]any
	dec := json.NewDecoder(strings.NewReader(`{"name":"O'Brien <b>","n":3,"big":12345678901,"half":3.5,"exp":1e21,"ok":true,"none":null,"empty":"",
		"list":["a",2,true],"person":{"first":"Anna","home":{"town":"Ulm"}},"a.b":"whole","trick":"{{name}}"}`))
	if err := dec.Decode(&vars); err != nil {
		t.Fatal(err)
	}
	vars["number"] = json.Number("1E3")
	for _, c := range []struct {
		text, want string
		missing    []string
	}{
		{"Hello {{name}}!", "Hello O'Brien <b>!", nil},
		{"{{ name }}", "O'Brien <b>", nil},
		{"{{n}} {{big}} {{half}} {{number}}", "3 12345678901 3.5 1000", nil},
		{"{{exp}}", "1000000000000000000000", nil},
		{"{{ok}}", "true", nil},
		{"{{list}}", "a, 2, true", nil},
		{"{{person.first}} of {{person.home.town}}", "Anna of Ulm", nil},
		{"{{person}}", "first: Anna, home: town: Ulm", nil},
		{"{{a.b}}", "whole", nil},
		{"{{trick}}", "{{name}}", nil},
		{"[{{empty}}]", "[]", nil},
		{"[{{none}}{{gone}}{{gone}}{{person.age}}{{name.x}}]", "[]", []string{"none", "gone", "person.age", "name.x"}},
		{"{{{name}}}", "{O'Brien <b>}", nil},
		{"{{ {{n}}", "{{ 3", nil},
		{"{{}} {{ }} {{a b}} {{1x}} {{.a}} {{a.}} {{a", "{{}} {{ }} {{a b}} {{1x}} {{.a}} {{a.}} {{a", nil},
		{"{{> file}} {{#if}}", "{{> file}} {{#if}}", nil},
		{"{name} }} {{", "{name} }} {{", nil},
		{"", "", nil},
	} {
		got, missing := talkstack.ParseTemplate(c.text).Fill(vars)
		if got != c.want || !slices.Equal(missing, c.missing) {
			t.Errorf("%q: got %q, missing %q; want %q, %q", c.text, got, missing, c.want, c.missing)
		}
	}
	if got := talkstack.ParseTemplate("{{b}} {{a.c}} {{b}}").Variables(); !slices.Equal(got, []string{"b", "a.c"}) {
		t.Errorf("variables are %q", got)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("Hello {{name}}, {{a.b}} {{ {{x}}", "Anna")
	f.Add("{{{name}}}", "{{name}}")
	f.Add("{{\xff}}", "\x00")
	f.Fuzz(func(t *testing.T, text, value string) {
		tm := talkstack.ParseTemplate(text)
		vars := map[string]any{}
		for _, name := range tm.Variables() {
			vars[name] = value
		}
		if _, missing := tm.Fill(vars); len(missing) > 0 {
			t.Errorf("%q: %q have a value and are missing", text, missing)
		}
		got, missing := tm.Fill(nil)
		if len(missing) != len(tm.Variables()) {
			t.Errorf("%q: %q of %q are missing", text, missing, tm.Variables())
		}
		if len(tm.Variables()) == 0 && got != text {
			t.Errorf("plain text %q became %q", text, got)
		}
	})
}
