package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"

	"talkstack"
)

// formatting is how an endpoint is asked for JSON. Not every compatible endpoint knows each way.
type formatting int32

const (
	bySchema formatting = iota // response_format json_schema, strict
	byObject                   // response_format json_object
	byPrompt                   // only the words of the request
)

// maxAnswer bounds the bytes of a whole answer that are kept: a broken endpoint must not fill the memory.
const maxAnswer = 1 << 20

// Complete asks for one whole answer that is JSON of the given format. An endpoint that refuses the format is asked
// again in a plainer way, which is remembered when it works: the request itself must say that JSON is wanted, and the
// answer may hold more than it. Errors are those of Stream.
func (c *Client) Complete(ctx context.Context, req talkstack.ChatRequest, format talkstack.ChatFormat) (talkstack.ChatCompletion, error) {
	var schema map[string]any
	if err := json.Unmarshal(format.Schema, &schema); err != nil {
		return talkstack.ChatCompletion{}, talkstack.WrapError(talkstack.CodeInternal, err, "The format of the answer is not a JSON schema.")
	}
	for way := formatting(c.formatting.Load()); ; way++ {
		p := c.params(req)
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{}
		p.ResponseFormat = responseFormat(way, format.Name, schema)
		answer, err := c.complete(ctx, p)
		if err == nil {
			c.formatting.Store(int32(way))
			return answer, nil
		}
		if way == byPrompt || !refusesFormat(err) || ctx.Err() != nil {
			return talkstack.ChatCompletion{}, classify(ctx, err)
		}
	}
}

func responseFormat(way formatting, name string, schema map[string]any) openai.ChatCompletionNewParamsResponseFormatUnion {
	switch way {
	case bySchema:
		return openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: name, Strict: param.NewOpt(true), Schema: schema},
		}}
	case byObject:
		return openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}
	case byPrompt:
	}
	return openai.ChatCompletionNewParamsResponseFormatUnion{}
}

// refusesFormat reports whether an endpoint may not know the format it was asked for: it finds the request itself wrong.
func refusesFormat(err error) bool {
	api, ok := errors.AsType[*openai.Error](err)
	return ok && (api.StatusCode == 400 || api.StatusCode == 422 || api.StatusCode == 501)
}

func (c *Client) complete(ctx context.Context, p openai.ChatCompletionNewParams) (talkstack.ChatCompletion, error) {
	answer, err := c.chat.New(ctx, p)
	if err != nil {
		return talkstack.ChatCompletion{}, err
	}
	out := talkstack.ChatCompletion{Usage: talkstack.ChatUsage{
		PromptTokens: answer.Usage.PromptTokens, CompletionTokens: answer.Usage.CompletionTokens,
	}}
	c.prompt.Add(out.Usage.PromptTokens)
	c.completion.Add(out.Usage.CompletionTokens)
	if len(answer.Choices) == 0 {
		return talkstack.ChatCompletion{}, fmt.Errorf("%w: it has no choice", errCut)
	}
	choice := answer.Choices[0]
	out.Text = choice.Message.Content + choice.Message.Refusal
	out.Cut = choice.FinishReason == "length" || len(out.Text) > maxAnswer
	out.Text = out.Text[:min(len(out.Text), maxAnswer)]
	return out, nil
}
