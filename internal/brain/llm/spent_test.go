package llm_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/llm"
)

// bill collects what requests have used.
type bill struct {
	mu    sync.Mutex
	items []talkstack.ChatUsage
}

func (b *bill) add(u talkstack.ChatUsage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, u)
}

func TestUsageOfEveryRequestIsTold(t *testing.T) {
	t.Parallel()
	usage := func(in, out int64) talkstack.ChatDelta {
		return talkstack.ChatDelta{Usage: &talkstack.ChatUsage{PromptTokens: in, CompletionTokens: out}}
	}
	chat := &script{answers: [][]talkstack.ChatDelta{
		{{Text: "Let me see."}, usage(100, 5), call("a", "look")},
		{{Text: "It is blue."}, usage(130, 4)},
	}}
	var b bill
	r := llm.New(llm.Config{Chat: chat, OnUsage: b.add}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Which colour?"})
	r.Commit()
	_, _, err := collect(r)
	r.Close()
	want := []talkstack.ChatUsage{{PromptTokens: 100, CompletionTokens: 5}, {PromptTokens: 130, CompletionTokens: 4}}
	if err != nil || len(b.items) != 2 || b.items[0] != want[0] || b.items[1] != want[1] {
		t.Errorf("told %+v, %v; want %+v", b.items, err, want)
	}
}

// endless answers word after word, until nobody listens.
type endless struct{}

func (endless) Stream(ctx context.Context, _ talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error] {
	return func(yield func(talkstack.ChatDelta, error) bool) {
		for ctx.Err() == nil && yield(talkstack.ChatDelta{Text: "word "}, nil) {
		}
	}
}

// A speculation that is thrown away was paid for: the endpoint never tells what it took, so it is estimated, once.
func TestAnswerThatWasThrownAwayIsEstimated(t *testing.T) {
	t.Parallel()
	var b bill
	r := llm.New(llm.Config{Prompt: "You are Anna.", Chat: endless{}, OnUsage: b.add}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Hello?"})
	for range 8 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	if len(b.items) != 1 || !b.items[0].Estimated || b.items[0].PromptTokens < 20 || b.items[0].PromptTokens > 1000 ||
		b.items[0].CompletionTokens < 10 || b.items[0].CompletionTokens > 13 {
		t.Errorf("told %+v", b.items)
	}
}

func TestRequestThatWasRefusedCostsNothing(t *testing.T) {
	t.Parallel()
	var b bill
	r := llm.New(llm.Config{Chat: &script{err: errors.New("401")}, OnUsage: b.add}).Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Hello?"})
	_, _, err := collect(r)
	r.Close()
	if err == nil || len(b.items) != 1 || b.items[0] != (talkstack.ChatUsage{}) {
		t.Errorf("told %+v, %v", b.items, err)
	}
}
