package client

import (
	"context"
	"io"
)

// Voice is what an agent can speak with.
type Voice struct {
	ID         string      `json:"voice_id"`
	Name       string      `json:"name"`
	Labels     VoiceLabels `json:"labels"`
	PreviewURL string      `json:"preview_url"` // a WAV file
}

// VoiceLabels describe a voice; those that are unknown are empty.
type VoiceLabels struct {
	Accent      string `json:"accent"`
	Description string `json:"description"`
	Age         string `json:"age"`
	Gender      string `json:"gender"`
	UseCase     string `json:"use_case"`
}

// ListVoices reads all voices. The first is the default of new agents.
func (c *Client) ListVoices(ctx context.Context) ([]Voice, error) {
	var answer struct {
		envelope
		Voices []Voice `json:"voices"`
	}
	err := c.call(ctx, get("/voices", &answer))
	return answer.Voices, err
}

// GetVoice reads a voice.
func (c *Client) GetVoice(ctx context.Context, id string) (Voice, error) {
	var answer struct {
		envelope
		Voice Voice `json:"voice"`
	}
	err := c.call(ctx, get("/voices/"+segment(id), &answer))
	return answer.Voice, err
}

// PreviewVoice is a sentence in a voice, as a WAV file that the caller closes.
func (c *Client) PreviewVoice(ctx context.Context, id string) (io.ReadCloser, error) {
	r := get("/voices/"+segment(id)+"/preview", nil)
	r.open = true
	return c.file(ctx, r)
}

// file is the body of an answer. The context ends it.
func (c *Client) file(ctx context.Context, r *request) (io.ReadCloser, error) {
	resp, err := c.download(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
