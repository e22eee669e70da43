package talkstack

import "encoding/json"

// ChatRole is who a message to a language model is from.
type ChatRole string

// The chat roles, as every OpenAI-compatible endpoint spells them.
const (
	ChatSystem    ChatRole = "system"
	ChatUser      ChatRole = "user"
	ChatAssistant ChatRole = "assistant"
	ChatTool      ChatRole = "tool"
)

// ChatRequest asks a language model for the next message of a conversation.
type ChatRequest struct {
	Messages  []ChatMessage
	Tools     []ToolSpec
	MaxTokens int // longest answer; 0 leaves it to the provider
}

// ChatFormat is the JSON that an answer as a whole must be.
type ChatFormat struct {
	Name   string          // lower case with underscores
	Schema json.RawMessage // JSON schema, in the subset that OpenAI documents for strict structured outputs
}

// ChatCompletion is a whole answer of a language model.
type ChatCompletion struct {
	Text  string
	Cut   bool // the answer was longer than it was allowed to be
	Usage ChatUsage
}

// ChatMessage is one message of a conversation with a language model.
type ChatMessage struct {
	Role       ChatRole
	Text       string
	ToolCalls  []ToolCall // ChatAssistant: what the model wanted called
	ToolCallID string     // ChatTool: the call that Text answers
}

// ToolSpec describes a function that a model may call.
type ToolSpec struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON schema of the arguments; empty: none
}

// ToolCall is a function that a model wants called.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON as the model wrote it; may be malformed
}

// ChatDelta is a stretch of a model's answer as it streams. One field is set.
type ChatDelta struct {
	Text     string
	ToolCall *ToolCall // complete
	Usage    *ChatUsage
}

// ChatUsage counts the tokens of one request.
type ChatUsage struct {
	PromptTokens     int64
	CompletionTokens int64
	Estimated        bool // from the length of the texts: the endpoint did not count
}
