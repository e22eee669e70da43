package openai_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"talkstack"
)

func whole(w http.ResponseWriter, text, finish string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "c", "object": "chat.completion", "model": "m",
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": text}}},
		"usage":   map[string]any{"prompt_tokens": 12, "completion_tokens": 5},
	})
}

func format() talkstack.ChatFormat {
	return talkstack.ChatFormat{Name: "answer", Schema: json.RawMessage(`{"type":"object"}`)}
}

func TestCompleteAsksForJSON(t *testing.T) {
	t.Parallel()
	var sent []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		whole(w, `{"a":1}`, "length")
	})
	a, err := c.Complete(t.Context(), hello(), format())
	want := talkstack.ChatUsage{PromptTokens: 12, CompletionTokens: 5}
	if err != nil || a.Text != `{"a":1}` || !a.Cut || a.Usage != want || c.Usage() != want {
		t.Errorf("got %+v, %v, total usage %+v", a, err, c.Usage())
	}
	const request = `{"messages":[{"content":"Hello","role":"user"}],"model":"m",` +
		`"response_format":{"json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}},"type":"json_schema"}}`
	if string(sent) != request {
		t.Errorf("sent %s\nwant %s", sent, request)
	}
}

func TestCompleteErrors(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]talkstack.Code{
		400: talkstack.CodeInvalid, 401: talkstack.CodeUnauthenticated, 404: talkstack.CodeNotFound, 429: talkstack.CodeLimited, 500: talkstack.CodeUnavailable,
	} {
		tries := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			tries++
			w.WriteHeader(status)
		})
		_, err := c.Complete(t.Context(), hello(), format())
		if talkstack.ErrorCode(err) != want {
			t.Errorf("%d: %v, want code %s", status, err, want)
		}
		if wanted := map[bool]int{true: 3, false: 1}[status == 400]; tries != wanted {
			t.Errorf("%d: asked %d times, want %d", status, tries, wanted)
		}
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[]}`)
	})
	if _, err := c.Complete(t.Context(), hello(), format()); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
		t.Errorf("no choice: %v", err)
	}
}
