package llm_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/llm"
)

// script is a Chat that gives one prepared answer per request and keeps the requests.
type script struct {
	mu       sync.Mutex
	answers  [][]talkstack.ChatDelta
	requests []talkstack.ChatRequest
	err      error // after the last answer's deltas
}

func (s *script) Stream(ctx context.Context, req talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	var deltas []talkstack.ChatDelta
	if n := len(s.requests); n < len(s.answers) {
		deltas = s.answers[n]
	}
	s.requests = append(s.requests, req)
	return func(yield func(talkstack.ChatDelta, error) bool) {
		for _, d := range deltas {
			if ctx.Err() != nil || !yield(d, nil) {
				return
			}
		}
		if s.err != nil {
			yield(talkstack.ChatDelta{}, s.err)
		}
	}
}

func words(list ...string) []talkstack.ChatDelta {
	var d []talkstack.ChatDelta
	for _, w := range list {
		d = append(d, talkstack.ChatDelta{Text: w})
	}
	return d
}

func call(id, name string) talkstack.ChatDelta {
	return talkstack.ChatDelta{ToolCall: &talkstack.ToolCall{ID: id, Name: name, Arguments: "{}"}}
}

func collect(r brain.Reply) (string, brain.Action, error) {
	var text strings.Builder
	var action brain.Action
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text.String(), action, nil
		}
		if err != nil {
			return text.String(), action, err
		}
		text.WriteString(p.Text)
		if p.Action.Kind != brain.NoAction {
			action = p.Action
		}
	}
}

func TestWordsComeAsTheyAreMade(t *testing.T) {
	t.Parallel()
	chat := &script{answers: [][]talkstack.ChatDelta{words("We open", " at nine.")}}
	r := llm.New(llm.Config{Prompt: "You are Anna.", Chat: chat}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "When?"})
	defer r.Close()
	if p, err := r.Next(); err != nil || p.Text != "We open" {
		t.Fatalf("first piece is %q, %v", p.Text, err)
	}
	if text, action, err := collect(r); text != " at nine." || action.Kind != brain.NoAction || err != nil {
		t.Errorf("the rest is %q, %v, %v", text, action, err)
	}
}

func TestModelSeesWhatWasHeard(t *testing.T) {
	t.Parallel()
	chat := &script{answers: [][]talkstack.ChatDelta{words("Yes.")}}
	r := llm.New(llm.Config{Prompt: "You are Anna.", Chat: chat}).Reply(t.Context(), brain.Input{
		Kind: brain.Keypad, Digits: "42",
		History: []talkstack.Turn{
			{Role: talkstack.RoleAgent, Text: "Hello, this is", Interrupted: true},
			{Role: talkstack.RoleUser, Text: "Hi."},
			{Role: talkstack.RoleUser, Text: "It's Peter."},
			{Role: talkstack.RoleAgent, Text: "Your code?"},
		},
	})
	defer r.Close()
	if _, _, err := collect(r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range chat.requests[0].Messages[1:] {
		got = append(got, string(m.Role)+": "+m.Text)
	}
	want := "user: [The call has just been answered. Greet the caller.]|assistant: Hello, this is [interrupted]|user: Hi.\nIt's Peter.|assistant: Your code?|user: [keyed 42]"
	if strings.Join(got, "|") != want {
		t.Errorf("messages are\n%s\nwant\n%s", strings.Join(got, "|"), want)
	}
	system := chat.requests[0].Messages[0]
	if system.Role != talkstack.ChatSystem || !strings.HasPrefix(system.Text, "You are Anna.") || !strings.Contains(system.Text, llm.EndCall) {
		t.Errorf("system message is %q", system.Text)
	}
}

func TestHangsUpAfterItsWords(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string][]talkstack.ChatDelta{
		"Bye, Peter.": append(words("Bye, Peter."), call("1", llm.EndCall)),
		llm.Goodbye:   {call("1", llm.EndCall)},
	} {
		r := llm.New(llm.Config{Chat: &script{answers: [][]talkstack.ChatDelta{answer}}}).Reply(t.Context(), brain.Input{Text: "Bye.", Kind: brain.Utterance})
		text, action, err := collect(r)
		if text != want || action.Kind != brain.Hangup || err != nil {
			t.Errorf("got %q, %v, %v; want %q and a hang-up", text, action, err, want)
		}
		r.Close()
	}
}

func TestToolsRunAfterCommitAndTheirErrorsAreTold(t *testing.T) {
	t.Parallel()
	ran := make(chan string, 2)
	chat := &script{answers: [][]talkstack.ChatDelta{
		append(words("Let me see."), call("a", "look"), call("b", "unknown")),
		words("It is blue."),
	}}
	b := llm.New(llm.Config{Chat: chat, Tools: []llm.Tool{{
		Spec: talkstack.ToolSpec{Name: "look"},
		Run: func(_ context.Context, args string) (string, error) {
			ran <- args
			return "", talkstack.Errorf(talkstack.CodeUnavailable, "too dark")
		},
	}}})
	guess := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Which colour?"})
	if p, err := guess.Next(); err != nil || p.Text != "Let me see." {
		t.Fatalf("got %q, %v", p.Text, err)
	}
	guess.Close()
	if len(ran) > 0 {
		t.Fatal("a tool ran without a commit")
	}
	chat.mu.Lock()
	chat.requests = nil
	chat.mu.Unlock()

	r := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Which colour?"})
	defer r.Close()
	r.Commit()
	if text, _, err := collect(r); text != "Let me see. It is blue." || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if len(ran) != 1 {
		t.Errorf("the tool ran %d times", len(ran))
	}
	m := chat.requests[1].Messages
	results := m[len(m)-2].Text + "|" + m[len(m)-1].Text
	if results != "Error: too dark|Error: there is no tool of this name" || m[len(m)-1].ToolCallID != "b" {
		t.Errorf("the model was told %q", results)
	}
}

func TestFailuresAreErrors(t *testing.T) {
	t.Parallel()
	cut := talkstack.Errorf(talkstack.CodeUnavailable, "broke off")
	for name, chat := range map[string]*script{
		"empty answer":  {answers: [][]talkstack.ChatDelta{words("")}},
		"broken off":    {answers: [][]talkstack.ChatDelta{words("We")}, err: cut},
		"endless tools": {answers: [][]talkstack.ChatDelta{{call("1", "x")}, {call("2", "x")}, {call("3", "x")}, {call("4", "x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := llm.New(llm.Config{Chat: chat}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Hi"})
			defer r.Close()
			r.Commit()
			if _, _, err := collect(r); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// hanging is a Chat that never answers.
type hanging struct{}

func (hanging) Stream(ctx context.Context, _ talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error] {
	return func(yield func(talkstack.ChatDelta, error) bool) {
		<-ctx.Done()
		yield(talkstack.ChatDelta{}, ctx.Err())
	}
}

func TestCloseEndsAReplyThatHangs(t *testing.T) {
	t.Parallel()
	r := llm.New(llm.Config{Chat: hanging{}}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Hi"})
	failed := make(chan error)
	go func() { _, _, err := collect(r); failed <- err }()
	r.Close()
	r.Close()
	if err := <-failed; err == nil {
		t.Error("a closed reply ends without an error")
	}
}
