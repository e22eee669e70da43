package talkstack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"talkstack"
)

// sound is a flow of every kind of node that has nothing wrong.
const sound = `{"start":"hello","nodes":[
	{"id":"hello","kind":"say","text":"Hello {{name}}.","next":"day"},
	{"id":"day","kind":"ask","text":"Which day?","slot":{"name":"day","type":"date"},"reprompts":["Sorry, which day?"],"max_attempts":2,"confirm":true,"next":"what","on_fail":"bye"},
	{"id":"what","kind":"ask","text":"What for?","slot":{"name":"what","type":"choice","choices":[{"value":"a","key":"1"},{"value":"b","synonyms":["bee"]}]},"next":"count"},
	{"id":"count","kind":"ask","text":"How many?","slot":{"name":"count","type":"number","min":1,"max":8},"next":"way"},
	{"id":"way","kind":"branch","on":"what","cases":[{"op":"equals","value":"a","next":"post"}],"next":"person"},
	{"id":"post","kind":"http","request":{"method":"POST","url":"https://example.com/{{day}}","body":"{}","save":{"id":"a.id"}},"next":"day","on_fail":"bye"},
	{"id":"person","kind":"transfer","text":"One moment.","to":"+14155550148"},
	{"id":"bye","kind":"end","text":"Goodbye."}]}`

func TestFlowCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, field string }{
		{"sound", "", "", ""},
		{"no start", `"start":"hello"`, `"start":"nowhere"`, "start"},
		{"id twice", `"id":"bye"`, `"id":"day"`, "nodes[7].id"},
		{"no id", `"id":"bye"`, `"id":""`, "nodes[7].id"},
		{"unknown target", `"next":"day","on_fail"`, `"next":"nowhere","on_fail"`, "nodes[5].next"},
		{"unknown kind", `"kind":"transfer"`, `"kind":"sing"`, "nodes[6].kind"},
		{"no text", `"text":"Hello {{name}}."`, `"text":" "`, "nodes[0].text"},
		{"long text", "Hello {{name}}.", strings.Repeat("a", 2001), "nodes[0].text"},
		{"foreign field", `"kind":"say"`, `"kind":"say","to":"+14155550148"`, "nodes[0].to"},
		{"no slot", `"slot":{"name":"day","type":"date"},`, "", "nodes[1].slot"},
		{"slot name", `"name":"day"`, `"name":"the day"`, "nodes[1].slot.name"},
		{"slot type", `"type":"date"`, `"type":"colour"`, "nodes[1].slot.type"},
		{"too many attempts", `"max_attempts":2`, `"max_attempts":11`, "nodes[1].max_attempts"},
		{"no choices", `"choices":[{"value":"a","key":"1"},{"value":"b","synonyms":["bee"]}]`, `"choices":[]`, "nodes[2].slot.choices"},
		{"choice twice", `"value":"b"`, `"value":"A"`, "nodes[2].slot.choices[1].value"},
		{"bad key", `"key":"1"`, `"key":"x"`, "nodes[2].slot.choices[0].key"},
		{"min over max", `"min":1`, `"min":9`, "nodes[3].slot.max"},
		{"length of a number", `"max":8`, `"length":8`, "nodes[3].slot.length"},
		{"branch on nothing", `"on":"what"`, `"on":""`, "nodes[4].on"},
		{"bad operator", `"op":"equals"`, `"op":"like"`, "nodes[4].cases[0].op"},
		{"case to nowhere", `"next":"post"`, `"next":""`, "nodes[4].cases[0].next"},
		{"bad method", `"POST"`, `"TRACE"`, "nodes[5].request.method"},
		{"no web address", "https://example.com", "file:///etc", "nodes[5].request.url"},
		{"host from the caller", "https://example.com", "https://{{day}}.example.com", "nodes[5].request.url"},
		{"long wait", `"save"`, `"timeout_ms":30001,"save"`, "nodes[5].request.timeout_ms"},
		{"header break", `"save"`, `"headers":{"X":"a\r\nY: b"},"save"`, "nodes[5].request.headers"},
		{"save name", `"id":"a.id"`, `"my id":"a.id"`, "nodes[5].request.save"},
		{"no number", "+14155550148", "0415", "nodes[6].to"},
		{"unreachable", `"next":"person"`, `"next":"bye"`, "nodes[6].id"},
		{"endless loop", `"next":"day","on_fail"`, `"next":"way","on_fail"`, "nodes[4].next"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var f talkstack.Flow
			if err := json.Unmarshal([]byte(strings.Replace(sound, c.old, c.new, 1)), &f); err != nil {
				t.Fatal(err)
			}
			bad := f.Check()
			if c.field == "" {
				if len(bad) > 0 {
					t.Errorf("a sound flow has %v", bad)
				}
				return
			}
			for _, b := range bad {
				if b.Field == c.field {
					return
				}
			}
			t.Errorf("got %v, want %s", bad, c.field)
		})
	}
}
