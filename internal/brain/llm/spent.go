package llm

import (
	"unicode/utf8"

	"talkstack"
)

// What is assumed of a tokenizer when the endpoint does not count. Four characters to a token is OpenAI's own rule of
// thumb for English; each message costs a few more for its role.
const (
	charactersPerToken = 4
	tokensPerMessage   = 4
)

// spending follows what one request uses.
type spending struct {
	usage   talkstack.ChatUsage
	counted bool // the endpoint has told
	began   bool // the endpoint has answered something
	answer  int  // characters of the answer so far
}

func (s *spending) add(d talkstack.ChatDelta) {
	s.began = true
	s.answer += utf8.RuneCountInString(d.Text)
	if d.ToolCall != nil {
		s.answer += utf8.RuneCountInString(d.ToolCall.Name + d.ToolCall.Arguments)
	}
	if d.Usage != nil {
		s.counted = true
		s.usage = *d.Usage
	}
}

// total is what the request has used. Endpoints count at the very end, so an answer that was no longer wanted, or that
// broke off, is estimated from its texts: it costs all the same. A request that was refused used nothing.
func (s *spending) total(req talkstack.ChatRequest, abandoned bool) talkstack.ChatUsage {
	if s.counted || !s.began && !abandoned {
		return s.usage
	}
	asked := 0
	for _, m := range req.Messages {
		asked += utf8.RuneCountInString(m.Text) + tokensPerMessage*charactersPerToken
		for _, call := range m.ToolCalls {
			asked += utf8.RuneCountInString(call.Name + call.Arguments)
		}
	}
	for _, t := range req.Tools {
		asked += utf8.RuneCountInString(t.Name+t.Description) + len(t.Parameters)
	}
	return talkstack.ChatUsage{PromptTokens: tokens(asked), CompletionTokens: tokens(s.answer), Estimated: true}
}

func tokens(characters int) int64 {
	return int64((characters + charactersPerToken - 1) / charactersPerToken)
}
