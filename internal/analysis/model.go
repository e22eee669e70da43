package analysis

import (
	"context"
	"log/slog"
	"strings"

	"talkstack"
)

// Chat is a language model that answers in JSON.
type Chat interface {
	// Complete asks for one whole answer. Errors are talkstack.Errors, but for the context's own.
	Complete(ctx context.Context, req talkstack.ChatRequest, format talkstack.ChatFormat) (talkstack.ChatCompletion, error)
	Model() string
}

// Bounds on one analysis by a language model.
const (
	maxRepairs      = 2     // times a wrong answer is sent back
	maxAnswerTokens = 8_000 // of one answer; models that think aloud need most of them
	maxRepairText   = 8_000 // bytes of a wrong answer that are sent back
)

// Model analyses by a language model. What it says is checked; what is wrong goes back to it, and what stays wrong is
// left to the rules.
type Model struct {
	chat  Chat
	rules Rules
	log   *slog.Logger
}

// NewModel makes the analyzer of a language model.
func NewModel(chat Chat, log *slog.Logger) *Model { return &Model{chat: chat, log: log} }

// Name names the model.
func (m *Model) Name() string { return "llm " + m.chat.Model() }

// Analyze asks the model. It fails only when the model does not answer the first time it is asked.
func (m *Model) Analyze(ctx context.Context, in Input) (talkstack.Analysis, error) {
	if !in.answered() {
		return m.rules.Analyze(ctx, in)
	}
	format := answerFormat(in.Questions)
	messages := requestMessages(in)
	var best reading
	var usage talkstack.ChatUsage
	for try := 0; ; try++ {
		answer, err := m.chat.Complete(ctx, talkstack.ChatRequest{Messages: messages, MaxTokens: maxAnswerTokens}, format)
		if err != nil && try == 0 {
			return talkstack.Analysis{}, err
		}
		if err != nil { // a part of an answer is better than another bill for the same
			m.log.Warn("language model failed at repairing its answer", "call_sid", in.Call.SID, "error", err)
			break
		}
		usage.PromptTokens += answer.Usage.PromptTokens
		usage.CompletionTokens += answer.Usage.CompletionTokens
		got := readAnswer(answer.Text, in.Questions)
		best = best.with(got)
		if len(best.wrong) == 0 || try == maxRepairs {
			break
		}
		messages = append(requestMessages(in), repairMessages(answer, best.wrong)...)
	}
	a, err := m.complete(ctx, in, best)
	a.Usage = usage
	return a, err
}

// complete makes the analysis of what was read, with the rules' answers where there is nothing right.
func (m *Model) complete(ctx context.Context, in Input, r reading) (talkstack.Analysis, error) {
	a, err := m.rules.Analyze(ctx, in)
	if err != nil || r.empty() {
		return a, err
	}
	a.Analyzer = m.Name()
	if r.summary != "" {
		a.Summary = r.summary
	}
	if r.sentiment != "" {
		a.Sentiment = r.sentiment
	}
	if r.hasSuccess {
		a.Successful = r.successful
	}
	if r.voicemail != nil && !a.Voicemail { // what the telephone side knows counts more
		a.Voicemail = *r.voicemail && in.Call.Status != talkstack.StatusCompleted
	}
	for i := range a.Answers {
		if v, ok := r.answers[i]; ok {
			a.Answers[i].Value = v
		}
	}
	if len(r.wrong) > 0 {
		m.log.Info("language model answered in part", "call_sid", in.Call.SID, "wrong", len(r.wrong))
	}
	return a, nil
}

// repairMessages send a wrong answer back with what is wrong with it.
func repairMessages(answer talkstack.ChatCompletion, wrong []string) []talkstack.ChatMessage {
	text := answer.Text
	if len(text) > maxRepairText {
		text = strings.ToValidUTF8(text[:maxRepairText], "")
	}
	if strings.TrimSpace(text) == "" {
		text = "(nothing)"
	}
	says := "That answer is not right:\n- " + strings.Join(wrong[:min(len(wrong), 20)], "\n- ")
	if answer.Cut {
		says += "\n- it was too long and broke off: be brief"
	}
	return []talkstack.ChatMessage{
		{Role: talkstack.ChatAssistant, Text: text},
		{Role: talkstack.ChatUser, Text: says + "\nSend the whole JSON object again, corrected, and nothing else."},
	}
}
