package analysis_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/provider/openai"
)

// endpoint is an OpenAI-compatible server that answers as a test tells it to: each request takes the next answer, the
// last one stays.
type endpoint struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer
	asked   []map[string]any
	block   chan struct{} // hanging answers end when it is closed
}

// answer is what an endpoint says once.
type answer struct {
	text   string
	status int  // other than 200
	hang   bool // until the client leaves or the test ends
	wait   chan struct{}
}

func newEndpoint(t testing.TB, answers ...answer) *endpoint {
	t.Helper()
	e := &endpoint{answers: answers, block: make(chan struct{})}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(func() {
		close(e.block)
		e.Close()
	})
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var request map[string]any
	if err != nil || json.Unmarshal(b, &request) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.asked = append(e.asked, request)
	next := e.answers[0]
	if len(e.answers) > 1 {
		e.answers = e.answers[1:]
	}
	e.mu.Unlock()
	if next.wait != nil {
		<-next.wait
	}
	switch {
	case next.hang:
		select {
		case <-r.Context().Done():
		case <-e.block:
		}
	case next.status != 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(next.status)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"no","code":"x"}}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": "c", "object": "chat.completion", "model": "m",
			"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": next.text}}},
			"usage":   map[string]any{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
		})
	}
}

func (e *endpoint) requests() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]map[string]any(nil), e.asked...)
}

// words are the texts of a request's messages.
func words(request map[string]any) string {
	var b strings.Builder
	for _, m := range request["messages"].([]any) {
		b.WriteString(m.(map[string]any)["content"].(string) + "\n")
	}
	return b.String()
}

func (e *endpoint) client() *openai.Client {
	return openai.New(openai.Config{BaseURL: e.URL, Model: "m"})
}

func (e *endpoint) model() analysis.Analyzer {
	return analysis.NewModel(e.client(), slog.New(slog.DiscardHandler))
}

// good is a whole right answer to questions() with this first answer.
func good(first string) string {
	return `{"summary":"They spoke.","user_sentiment":"Positive","call_successful":true,"in_voicemail":false,"answers":{"q1":` + first + `,"q2":4,"q3":"Basic plan","q4":null}}`
}

func questions() []talkstack.Question {
	return []talkstack.Question{
		{Name: "insured", Text: "Does the caller have insurance?", Type: talkstack.QuestionBoolean},
		number("How many people are coming?"),
		selector("Which plan did the caller choose?", "Basic plan", "Premium plan"),
		text("What is the caller's name?"),
	}
}

func conversation() analysis.Input {
	in := corpusCase{said: "A: Do you have insurance?\nC: Yes.\nA: How many people are coming?\nC: Three.", question: questions()[0]}.input()
	in.Questions = questions()
	return in
}
