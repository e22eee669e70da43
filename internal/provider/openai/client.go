// Package openai talks to any OpenAI-compatible endpoint: OpenAI itself, Ollama, vLLM, llama.cpp, Groq and their like.
// It owns the wire format of chat completions and the sorting of the endpoint's errors. It does not decide what to
// ask, does not retry (a caller is waiting; the next provider of the chain is the better second try) and sets no
// time limits: those come with the context.
package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"

	"talkstack"
)

// DefaultBaseURL is OpenAI's own endpoint.
const DefaultBaseURL = "https://api.openai.com/v1"

// Config says which endpoint and which of its models to use.
type Config struct {
	BaseURL string           // with or without /v1; empty: DefaultBaseURL
	Key     talkstack.Secret // empty for endpoints without one
	Model   string
	HTTP    *http.Client // nil: a client of its own, without a time limit
}

// Client asks for chat completions, streamed or whole. It is safe for use by many calls at once.
type Client struct {
	chat       openai.ChatCompletionService
	model      string
	prompt     atomic.Int64
	completion atomic.Int64
	formatting atomic.Int32 // the last way of asking for JSON that worked
}

// New makes a client. Nothing is sent until the first request.
func New(cfg Config) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	opts := []option.RequestOption{
		option.WithBaseURL(baseURL(cfg.BaseURL)),
		option.WithHTTPClient(cfg.HTTP),
		option.WithMaxRetries(0),
	}
	if cfg.Key != "" {
		opts = append(opts, option.WithAPIKey(cfg.Key.Reveal()))
	}
	// The service is made by itself: openai.NewClient would read keys and addresses from the environment.
	return &Client{chat: openai.NewChatCompletionService(opts...), model: cfg.Model}
}

// baseURL completes an address that was given without its version.
func baseURL(s string) string {
	s = strings.TrimRight(strings.TrimSpace(s), "/")
	if s == "" {
		return DefaultBaseURL
	}
	_, rest, _ := strings.Cut(s, "://")
	if !strings.Contains(rest, "/") {
		s += "/v1"
	}
	return s
}

// Usage is what all requests so far have used, as far as the endpoint told.
func (c *Client) Usage() talkstack.ChatUsage {
	return talkstack.ChatUsage{PromptTokens: c.prompt.Load(), CompletionTokens: c.completion.Load()}
}

// Model is the model that is asked.
func (c *Client) Model() string { return c.model }

// Stream asks for the next message. Text comes as it is made, tool calls when they are complete, usage last. An error
// is a talkstack.Error, except that the context's own is yielded when it ended; it is the last thing yielded.
// Leaving the loop, or cancelling ctx, stops the endpoint's work.
func (c *Client) Stream(ctx context.Context, req talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error] {
	return func(yield func(talkstack.ChatDelta, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream := c.chat.NewStreaming(ctx, c.params(req))
		defer func() { _ = stream.Close() }() // only frees the connection: what it had to say was read
		if err := c.read(stream, yield); err != nil && !errors.Is(err, errStopped) {
			yield(talkstack.ChatDelta{}, classify(ctx, err))
		}
	}
}

// Why reading a stream ended.
var (
	errStopped = errors.New("the consumer has left the loop")
	errCut     = errors.New("the answer broke off before its end")
)

// read passes the chunks of stream on.
func (c *Client) read(stream *ssestream.Stream[openai.ChatCompletionChunk], yield func(talkstack.ChatDelta, error) bool) error {
	var calls toolCalls
	finished := false
	for stream.Next() {
		chunk := stream.Current()
		for _, choice := range chunk.Choices {
			if choice.Index != 0 { // only one is asked for
				continue
			}
			text := choice.Delta.Content + choice.Delta.Refusal
			if text != "" && !yield(talkstack.ChatDelta{Text: text}, nil) {
				return errStopped
			}
			calls.add(choice.Delta.ToolCalls)
			finished = finished || choice.FinishReason != ""
		}
		if u := chunk.Usage; u.PromptTokens+u.CompletionTokens > 0 {
			c.prompt.Add(u.PromptTokens)
			c.completion.Add(u.CompletionTokens)
			usage := talkstack.ChatUsage{PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens}
			if !yield(talkstack.ChatDelta{Usage: &usage}, nil) {
				return errStopped
			}
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if !finished {
		return errCut
	}
	for _, call := range calls.list {
		if !yield(talkstack.ChatDelta{ToolCall: call}, nil) {
			return errStopped
		}
	}
	return nil
}

// maxToolCalls bounds what a broken endpoint can make us hold.
const maxToolCalls = 16

// toolCalls joins the stretches in which tool calls come.
type toolCalls struct {
	list  []*talkstack.ToolCall
	index []int64 // the endpoint's number of each
}

func (t *toolCalls) add(deltas []openai.ChatCompletionChunkChoiceDeltaToolCall) {
	for _, d := range deltas {
		call := t.find(d)
		if call == nil {
			continue
		}
		if call.ID == "" {
			call.ID = d.ID
		}
		call.Name += d.Function.Name
		call.Arguments += d.Function.Arguments
	}
}

// find is the call that d belongs to. Some endpoints number every call 0 but give each its own id.
func (t *toolCalls) find(d openai.ChatCompletionChunkChoiceDeltaToolCall) *talkstack.ToolCall {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.index[i] == d.Index && (d.ID == "" || t.list[i].ID == "" || t.list[i].ID == d.ID) {
			return t.list[i]
		}
	}
	if len(t.list) == maxToolCalls {
		return nil
	}
	t.list = append(t.list, &talkstack.ToolCall{})
	t.index = append(t.index, d.Index)
	return t.list[len(t.list)-1]
}

// params is req in the endpoint's words.
func (c *Client) params(req talkstack.ChatRequest) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model:         c.model,
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)},
	}
	if req.MaxTokens > 0 {
		p.MaxCompletionTokens = param.NewOpt(int64(req.MaxTokens))
	}
	for _, m := range req.Messages {
		p.Messages = append(p.Messages, message(m))
	}
	for _, t := range req.Tools {
		f := shared.FunctionDefinitionParam{Name: t.Name, Description: param.NewOpt(t.Description)}
		if err := json.Unmarshal(t.Parameters, &f.Parameters); err != nil || f.Parameters == nil {
			f.Parameters = shared.FunctionParameters{"type": "object", "properties": map[string]any{}}
		}
		p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(f))
	}
	return p
}

func message(m talkstack.ChatMessage) openai.ChatCompletionMessageParamUnion {
	switch m.Role {
	case talkstack.ChatSystem:
		return openai.SystemMessage(m.Text)
	case talkstack.ChatTool:
		return openai.ToolMessage(m.Text, m.ToolCallID)
	case talkstack.ChatAssistant:
		if len(m.ToolCalls) == 0 {
			return openai.AssistantMessage(m.Text)
		}
		var a openai.ChatCompletionAssistantMessageParam
		if m.Text != "" {
			a.Content.OfString = param.NewOpt(m.Text)
		}
		for _, call := range m.ToolCalls {
			a.ToolCalls = append(a.ToolCalls, openai.ChatCompletionMessageToolCallUnionParam{
				OfFunction: &openai.ChatCompletionMessageFunctionToolCallParam{
					ID: call.ID,
					Function: openai.ChatCompletionMessageFunctionToolCallFunctionParam{
						Name: call.Name, Arguments: call.Arguments,
					},
				},
			})
		}
		return openai.ChatCompletionMessageParamUnion{OfAssistant: &a}
	case talkstack.ChatUser:
	}
	return openai.UserMessage(m.Text)
}

// classify says what kind of failure err is. The message is for people and names the stage; the cause is kept for us.
func classify(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("language model: %w", context.Cause(ctx))
	}
	code, what := talkstack.CodeUnavailable, "could not be reached"
	api, isAPI := errors.AsType[*openai.Error](err)
	_, inStream := errors.AsType[*ssestream.StreamError](err)
	switch {
	case isAPI:
		code, what = classifyStatus(api)
	case inStream:
		what = "broke off its answer with an error"
	case errors.Is(err, errCut):
		what = "broke off its answer"
	}
	return talkstack.WrapError(code, err, "The language model "+what+".")
}

// classifyStatus sorts an HTTP status as OpenAI documents them; compatible endpoints follow it.
func classifyStatus(e *openai.Error) (talkstack.Code, string) {
	switch status := e.StatusCode; {
	case status == http.StatusUnauthorized:
		return talkstack.CodeUnauthenticated, "did not accept its key: check it"
	case status == http.StatusForbidden:
		return talkstack.CodeForbidden, "does not allow this key, model or country"
	case status == http.StatusNotFound:
		return talkstack.CodeNotFound, "is not known to its endpoint: check its name and the base URL"
	case status == http.StatusTooManyRequests && e.Code == "insufficient_quota":
		return talkstack.CodeLimited, "has no credit left: check its plan"
	case status == http.StatusTooManyRequests:
		return talkstack.CodeLimited, "is asked too often"
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusConflict:
		return talkstack.CodeUnavailable, fmt.Sprintf("is out of order (%d)", status)
	default:
		return talkstack.CodeInvalid, fmt.Sprintf("refused the request (%d)", status)
	}
}
