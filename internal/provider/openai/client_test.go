package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/provider/openai"
)

// events writes an answer as a stream of server-sent events, as the API documents it.
func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", d)
	}
	w.(http.Flusher).Flush()
}

func chunk(delta, finish string) string {
	return `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
}

const usage = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`

func serve(t *testing.T, h http.HandlerFunc) *openai.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return openai.New(openai.Config{BaseURL: s.URL, Key: "sk-secret", Model: "m"})
}

// answer is all that one request yields.
type answer struct {
	text  string
	calls []talkstack.ToolCall
	usage talkstack.ChatUsage
	err   error
}

func ask(ctx context.Context, c *openai.Client, req talkstack.ChatRequest) answer {
	var a answer
	for d, err := range c.Stream(ctx, req) {
		a.text += d.Text
		if d.ToolCall != nil {
			a.calls = append(a.calls, *d.ToolCall)
		}
		if d.Usage != nil {
			a.usage = *d.Usage
		}
		a.err = err
	}
	return a
}

func hello() talkstack.ChatRequest {
	return talkstack.ChatRequest{Messages: []talkstack.ChatMessage{{Role: talkstack.ChatUser, Text: "Hello"}}}
}

func TestStreamsText(t *testing.T) {
	t.Parallel()
	var path, key string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, key = r.URL.Path, r.Header.Get("Authorization")
		events(w, chunk(`{"role":"assistant","content":""}`, "null"), chunk(`{"content":"Good"}`, "null"), chunk(`{"content":" day."}`, "null"), chunk(`{}`, `"stop"`), usage, "[DONE]")
	})
	a := ask(t.Context(), c, hello())
	want := talkstack.ChatUsage{PromptTokens: 12, CompletionTokens: 5}
	if a.err != nil || a.text != "Good day." || a.usage != want || c.Usage() != want {
		t.Errorf("got %+v, total usage %+v", a, c.Usage())
	}
	if path != "/v1/chat/completions" || key != "Bearer sk-secret" {
		t.Errorf("asked %s with %q", path, key)
	}
}

func TestBaseURLWithVersion(t *testing.T) {
	t.Parallel()
	var path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		events(w, chunk(`{"content":"x"}`, `"stop"`), "[DONE]")
	}))
	t.Cleanup(s.Close)
	for base, want := range map[string]string{"": "/v1/chat/completions", "/": "/v1/chat/completions", "/v1": "/v1/chat/completions", "/v1/": "/v1/chat/completions", "/openai/v1": "/openai/v1/chat/completions"} {
		if a := ask(t.Context(), openai.New(openai.Config{BaseURL: s.URL + base, Model: "m"}), hello()); a.err != nil || path != want {
			t.Errorf("%q: asked %s (%v), want %s", base, path, a.err, want)
		}
	}
}

func TestSendsTheConversationAndTools(t *testing.T) {
	t.Parallel()
	var sent map[string]any
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&sent)
		events(w, chunk(`{"content":"x"}`, `"stop"`), "[DONE]")
	})
	ask(t.Context(), c, talkstack.ChatRequest{
		Messages: []talkstack.ChatMessage{
			{Role: talkstack.ChatSystem, Text: "Be brief."},
			{Role: talkstack.ChatUser, Text: "Look."},
			{Role: talkstack.ChatAssistant, ToolCalls: []talkstack.ToolCall{{ID: "c1", Name: "look", Arguments: `{"at":1}`}}},
			{Role: talkstack.ChatTool, ToolCallID: "c1", Text: "blue"},
		},
		Tools: []talkstack.ToolSpec{{Name: "look", Description: "Looks.", Parameters: json.RawMessage(`{"type":"object"}`)}},
	})
	got, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"messages":[{"content":"Be brief.","role":"system"},{"content":"Look.","role":"user"},` +
		`{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"at\":1}","name":"look"},"id":"c1","type":"function"}]},` +
		`{"content":"blue","role":"tool","tool_call_id":"c1"}],"model":"m","stream":true,"stream_options":{"include_usage":true},` +
		`"tools":[{"function":{"description":"Looks.","name":"look","parameters":{"type":"object"}},"type":"function"}]}`
	if string(got) != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestJoinsToolCalls(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		events(w,
			chunk(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"end_call","arguments":""}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"why\":"}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"bye\"}"}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"look","arguments":"{}"}}]}`, "null"),
			chunk(`{"tool_calls":[{"index":1,"id":"c3","type":"function","function":{"name":"look","arguments":"{}"}}]}`, "null"), // one index for two
			chunk(`{}`, `"tool_calls"`), "[DONE]")
	})
	a := ask(t.Context(), c, hello())
	want := []talkstack.ToolCall{{ID: "c1", Name: "end_call", Arguments: `{"why":"bye"}`}, {ID: "c2", Name: "look", Arguments: "{}"}, {ID: "c3", Name: "look", Arguments: "{}"}}
	if a.err != nil || fmt.Sprint(a.calls) != fmt.Sprint(want) {
		t.Errorf("got %v, %v", a.calls, a.err)
	}
}

func TestErrorsSayWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]talkstack.Code{
		400: talkstack.CodeInvalid, 401: talkstack.CodeUnauthenticated, 403: talkstack.CodeForbidden, 404: talkstack.CodeNotFound,
		429: talkstack.CodeLimited, 500: talkstack.CodeUnavailable, 503: talkstack.CodeUnavailable,
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":{"message":"key sk-secret is bad","type":"t","param":null,"code":"c"}}`)
		})
		a := ask(t.Context(), c, hello())
		if talkstack.ErrorCode(a.err) != want || asked != 1 {
			t.Errorf("%d: %v (%s) after %d requests, want %s after one", status, a.err, talkstack.ErrorCode(a.err), asked, want)
		}
		if a.err != nil && (strings.Contains(a.err.Error(), "sk-secret") || !strings.Contains(a.err.Error(), "language model")) {
			t.Errorf("%d: the error is %q", status, a.err)
		}
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"ends without a finish": func(w http.ResponseWriter, _ *http.Request) { events(w, chunk(`{"content":"Good"}`, "null")) },
		"connection cut": func(w http.ResponseWriter, _ *http.Request) {
			events(w, chunk(`{"content":"Good"}`, "null"))
			panic(http.ErrAbortHandler)
		},
		"error in the stream": func(w http.ResponseWriter, _ *http.Request) {
			events(w, chunk(`{"content":"Good"}`, "null"), `{"error":{"message":"overloaded","type":"server_error"}}`)
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			events(w, chunk(`{"content":"Good"}`, "null"), `{"choices":`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a := ask(t.Context(), serve(t, h), hello()); a.text != "Good" || talkstack.ErrorCode(a.err) != talkstack.CodeUnavailable {
				t.Errorf("got %q, %v", a.text, a.err)
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if a := ask(t.Context(), openai.New(openai.Config{BaseURL: gone.URL, Model: "m"}), hello()); talkstack.ErrorCode(a.err) != talkstack.CodeUnavailable {
		t.Errorf("nobody listening: %v", a.err)
	}
}

func TestCancelStopsTheEndpoint(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		events(w, chunk(`{"content":"Good"}`, "null"))
		<-r.Context().Done() // hangs until the client goes away
		close(stopped)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for d, err := range c.Stream(ctx, hello()) {
		if d.Text == "Good" {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error is %v", last)
	}
	<-stopped
}

func TestLeavingTheLoopStopsTheEndpoint(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		events(w, chunk(`{"content":"Good"}`, "null"))
		<-r.Context().Done()
		close(stopped)
	})
	for _, err := range c.Stream(t.Context(), hello()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	<-stopped
}
