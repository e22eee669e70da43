package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/config"
	"talkstack/internal/media"
	"talkstack/internal/phonetest"
	"talkstack/test/program"
)

// message is a chat message on the wire of the OpenAI API.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// model is an endpoint that speaks the OpenAI API and answers by what the caller has said last.
type model struct {
	*httptest.Server
	answer func(heard string) (text string, hangUp bool)

	mu    sync.Mutex
	asked [][]message
	keys  []string
}

func newModel(t testing.TB, answer func(heard string) (string, bool)) *model {
	t.Helper()
	m := &model{answer: answer}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model    string    `json:"model"`
		Stream   bool      `json:"stream"`
		Messages []message `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/chat/completions" || !req.Stream || req.Model != "test" {
		http.Error(w, `{"error":{"message":"not a request for a stream of model test"}}`, http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.asked = append(m.asked, req.Messages)
	m.keys = append(m.keys, r.Header.Get("Authorization"))
	m.mu.Unlock()
	heard := ""
	for _, msg := range req.Messages {
		if msg.Role == "user" {
			heard = plain(msg.Content)
		}
	}
	if strings.Contains(heard, "break") {
		http.Error(w, `{"error":{"message":"out of order"}}`, http.StatusInternalServerError)
		return
	}
	if strings.Contains(heard, "wait") { // it never answers
		<-r.Context().Done()
		return
	}
	text, hangUp := m.answer(heard)
	w.Header().Set("Content-Type", "text/event-stream")
	for _, word := range strings.SplitAfter(text, " ") {
		chunk(w, map[string]any{"content": word}, "")
	}
	finish := "stop"
	if hangUp {
		finish = "tool_calls"
		chunk(w, map[string]any{"tool_calls": []any{map[string]any{
			"index": 0, "id": "call_1", "type": "function", "function": map[string]any{"name": "end_call", "arguments": "{}"},
		}}}, "")
	}
	chunk(w, map[string]any{}, finish)
	_, _ = fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","model":"test","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`+"\n\n", promptTokens, answerTokens)
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

// chunk sends one event of a stream.
func chunk(w http.ResponseWriter, delta map[string]any, finish string) {
	choice := map[string]any{"index": 0, "delta": delta, "finish_reason": nil}
	if finish != "" {
		choice["finish_reason"] = finish
	}
	b, err := json.Marshal(map[string]any{"id": "c", "object": "chat.completion.chunk", "model": "test", "choices": []any{choice}})
	if err != nil {
		panic(err) // plain data always marshals
	}
	_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
	_ = http.NewResponseController(w).Flush()
}

// What the model counts for each answer that is read to its end.
const promptTokens, answerTokens = 1000, 10

// wantCost checks what a call has used and what it cost, by the prices of the test.
func wantCost(t *testing.T, s *system, c client.V1Call, asked int) {
	t.Helper()
	status, answer := s.exchange(t, http.MethodGet, "/v1/calls/"+string(c.SID), http.NoBody)
	var got struct {
		Seconds float64         `json:"duration_seconds"`
		Usage   talkstack.Usage `json:"usage"`
		Cost    struct {
			Total float64            `json:"total"`
			Parts map[string]float64 `json:"parts"`
		} `json:"cost"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d: %s (%v)", status, answer, err)
	}
	t.Logf("%.1f s used %+v and cost %+v", got.Seconds, got.Usage, got.Cost)
	u := got.Usage
	if u.CarrierSeconds < 10 || u.CarrierSeconds < got.Seconds-1 || u.CarrierSeconds > got.Seconds+1 {
		t.Errorf("the carrier was used for %.1f s of %.1f", u.CarrierSeconds, got.Seconds)
	}
	if u.ASRSeconds < 0.9*u.CarrierSeconds || u.ASRSeconds > u.CarrierSeconds+1 {
		t.Errorf("the recogniser heard %.1f s of %.1f", u.ASRSeconds, u.CarrierSeconds)
	}
	counted := u.LLMInput + u.LLMOutput - u.LLMEstimated
	if answers := counted / (promptTokens + answerTokens); answers < 2 || answers > int64(asked) || counted%(promptTokens+answerTokens) != 0 {
		t.Errorf("%d tokens were counted, which are not those of 2 to %d answers", counted, asked)
	}
	if u.TTSCharacters < int64(len(price)) || u.TTSCharacters > 5000 {
		t.Errorf("%d characters were spoken", u.TTSCharacters)
	}
	want := 0.6*u.CarrierSeconds/60 + 0.06*u.ASRSeconds/60 + float64(u.LLMInput+u.LLMOutput)/1e6 + 15*float64(u.TTSCharacters)/1e6
	if got.Cost.Total < want-2e-6 || got.Cost.Total > want+2e-6 || len(got.Cost.Parts) != 4 {
		t.Errorf("it cost %+v, want %.6f in 4 parts", got.Cost, want)
	}
}

// requests are the conversations that the model was asked to go on with, oldest first.
func (m *model) requests() [][]message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([][]message(nil), m.asked...)
}

const (
	story = "Once upon a time there was a poor fisherman, who lived with his wife in a small house by the sea. " +
		"Every morning he went out to catch fish, and every evening he came home. " +
		"One day he caught a golden fish, and in the end they all saw an elephant."
	price = "It costs twenty dollars. Is there anything else?"
)

// TestLanguageModel runs agents whose words come from an OpenAI-compatible endpoint.
func TestLanguageModel(t *testing.T) {
	m := newModel(t, func(heard string) (string, bool) {
		switch {
		case strings.Contains(heard, "bye"):
			return "Thank you, and goodbye.", true
		case strings.Contains(heard, "cost"), strings.Contains(heard, "much"), strings.Contains(heard, "price"):
			return price, false
		case strings.Contains(heard, "story"):
			return story, false
		}
		return "Pardon?", false
	})
	cfg := settings(t, t.TempDir())
	cfg.LLM = config.Chain{{Name: "openai", Model: "test"}}
	cfg.OpenAIBaseURL, cfg.OpenAIAPIKey = m.URL, "sk-test"
	if err := cfg.Prices.UnmarshalText([]byte("carrier=0.6/min, asr=0.06/min, llm_input=1/Mtok, llm_output=1/Mtok, tts=15/Mchar")); err != nil {
		t.Fatal(err)
	}
	s := start(t, cfg)
	agent := s.newAgent(t, "Model", "You sell stories to {{name}}.", "+15005550130", map[string]any{
		"greeting": "Hello. What can I do for you?", "silence_limit_ms": 20_000,
	})
	t.Run("conversation with an interruption", func(t *testing.T) { testStory(t, s, m, agent) })
	for _, c := range []struct{ name, say string }{
		{"model is out of order", "Please break now."},
		{"model hangs", "Please wait for me."},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := s.play(t, agent, nil, func(ctx context.Context, line *phonetest.Line) error {
				if err := listen(ctx, line, "do for you"); err != nil {
					return err
				}
				if err := line.Say(ctx, c.say); err != nil {
					return err
				}
				return untilGone(ctx, line)
			})
			expect(t, sc.call, talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorLLM)
			wantWords(t, "the agent in the transcript", sc.stored(talkstack.RoleAgent), "sorry", "technical problem")
			apology := sc.turns[len(sc.turns)-1]
			if !sounds(t, sc.call.Recording, 1, apology) {
				t.Error("the apology is not in the agent's channel of the recording")
			}
		})
	}
}

// sounds reports whether a channel of a recording holds speech where a turn says so.
func sounds(t testing.TB, url string, channel int, turn client.Turn) bool {
	t.Helper()
	wav, err := media.ReadWAV(bytes.NewReader(program.Download(t, url)))
	if err != nil {
		t.Fatal(err)
	}
	pcm := wav.Channel(channel)
	at := func(m talkstack.Milliseconds) int { return min(len(pcm), int(m)*8) }
	loud := 0
	part := pcm[at(turn.Start):at(turn.End)]
	for i := 40; i <= len(part); i += 40 {
		if level(part, i) > 200 {
			loud++
		}
	}
	return loud*40 > len(part)/3
}

// testStory interrupts a long answer. The model must then be told only what was heard of it.
func testStory(t *testing.T, s *system, m *model, agent talkstack.AgentID) {
	sc := s.play(t, agent, map[string]any{"name": "Anna"}, func(ctx context.Context, line *phonetest.Line) error {
		question, err := line.Voice(ctx, "Excuse me, how much does it cost?")
		if err != nil {
			return err
		}
		if err := listen(ctx, line, "do for you"); err != nil {
			return err
		}
		_ = line.WaitSpeech(ctx) // that of the greeting
		if err := line.Say(ctx, "Please tell me a story."); err != nil {
			return err
		}
		if err := line.WaitSpeech(ctx); err != nil {
			return err
		}
		if err := line.Wait(ctx, 3*time.Second); err != nil {
			return err
		}
		if err := line.Play(ctx, question); err != nil {
			return err
		}
		if err := listen(ctx, line, "dollars|twenty|20|anything else"); err != nil {
			return err
		}
		if err := line.Say(ctx, "No, thank you. Goodbye."); err != nil {
			return err
		}
		return untilGone(ctx, line)
	})
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	wantWords(t, "the agent in the transcript", sc.stored(talkstack.RoleAgent), "once upon a time", "twenty dollars", "goodbye")
	cut := false
	for _, turn := range sc.turns {
		cut = cut || turn.Interrupted && strings.HasPrefix(turn.Text, "Once upon a time") && !strings.Contains(turn.Text, "elephant")
	}
	if !cut {
		t.Error("the story is not in the transcript as interrupted, cut to what was heard")
	}
	asked := m.requests()
	wantCost(t, s, sc.call, len(asked))
	last := asked[len(asked)-1]
	t.Logf("the model was asked %d times, last with %+v", len(asked), last)
	if last[0].Role != "system" || !strings.Contains(last[0].Content, "You sell stories to Anna.") {
		t.Errorf("the first message is %+v, want the prompt with its variable filled", last[0])
	}
	told := ""
	for _, msg := range last {
		if msg.Role == "assistant" {
			told += " " + plain(msg.Content)
		}
	}
	wantWords(t, "what the model was told that it had said", told, "what can i do for you", "once upon a time", "twenty dollars")
	if strings.Contains(told, "elephant") || strings.Contains(told, "golden") {
		t.Errorf("the model was told %q, which nobody has heard to its end", told)
	}
	for _, key := range m.keys {
		if key != "Bearer sk-test" {
			t.Errorf("the endpoint was sent the key %q", key)
		}
	}
}
