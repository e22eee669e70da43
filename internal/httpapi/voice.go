package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
)

// voice is the voice object.
type voice struct {
	Name       string      `json:"name"`
	Labels     voiceLabels `json:"labels"`
	VoiceID    string      `json:"voice_id"`
	PreviewURL string      `json:"preview_url" doc:"A WAV file that plays in a browser."`
}

// voiceLabels describe a voice.
type voiceLabels map[string]string

// Schema documents the labels that voices usually have.
func (voiceLabels) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: text, Properties: map[string]*huma.Schema{}}
	for _, name := range []string{"accent", "description", "age", "gender", "use_case"} {
		s.Properties[name] = text
	}
	return s
}

type voiceListResponse struct {
	Envelope
	Voices []voice `json:"voices"`
}

type voiceResponse struct {
	Envelope
	Voice voice `json:"voice"`
}

type voicePath struct {
	VoiceID string `path:"voice_id"`
}

func (a *API) voiceRoutes() {
	const tag = "Voices"
	get(a, "/voices", operation{ID: "listVoices", Tag: tag, Summary: "All voices"}, a.listVoices)
	unknown := map[int]string{http.StatusNotFound: "There is no such voice."}
	get(a, "/voices/{voice_id}", operation{ID: "getVoice", Tag: tag, Summary: "One voice", Errors: unknown}, a.getVoice)
	get(a, "/voices/{voice_id}/preview", operation{
		ID: "previewVoice", Tag: tag, Access: accessOpen, Summary: "A sentence in this voice, as a WAV file", Errors: unknown,
		Content: wavType,
	}, a.previewVoice)
}

func (a *API) listVoices(ctx context.Context, _ *struct{}) (*body[voiceListResponse], error) {
	list := []voice{}
	for _, v := range a.Voices.Voices() {
		list = append(list, wireVoice(ctx, v))
	}
	return reply(voiceListResponse{success("successfully fetched voice list."), list}), nil
}

func (a *API) getVoice(ctx context.Context, in *voicePath) (*body[voiceResponse], error) {
	v, ok := findVoice(a.Voices.Voices(), in.VoiceID)
	if !ok {
		return nil, notFound("Voice not found.")
	}
	return reply(voiceResponse{success("successfully fetched voice list."), wireVoice(ctx, v)}), nil // the documented text (Q4)
}

// wav is a response that is a sound.
type wav struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (a *API) previewVoice(ctx context.Context, in *voicePath) (*wav, error) {
	if _, ok := findVoice(a.Voices.Voices(), in.VoiceID); !ok {
		return nil, notFound("Voice not found.")
	}
	sound, err := a.previews.get(ctx, in.VoiceID, a.Voices.Preview)
	if err != nil {
		return nil, err
	}
	return &wav{ContentType: wavType, CacheControl: "public, max-age=86400", Body: sound}, nil
}

func findVoice(voices []talkstack.Voice, id string) (talkstack.Voice, bool) {
	i := slices.IndexFunc(voices, func(v talkstack.Voice) bool { return v.ID == id })
	if i < 0 {
		return talkstack.Voice{}, false
	}
	return voices[i], true
}

func wireVoice(ctx context.Context, v talkstack.Voice) voice {
	labels := v.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	return voice{
		Name: v.Name, Labels: labels, VoiceID: v.ID,
		PreviewURL: originOf(ctx).base + "/voices/" + url.PathEscape(v.ID) + "/preview",
	}
}

// previewLimit bounds the making of a preview, whose sentence takes a core about a second.
const previewLimit = 20 * time.Second

// previewCache keeps the previews that were asked for, and has one made at a time: the door is open to everybody, since
// a browser's player sends no credentials, and speech takes a core. What was begun is finished and kept even when who
// asked has gone: however often somebody asks and leaves, each voice is made to speak once.
type previewCache struct {
	making chan struct{}
	mu     *sync.Mutex
	sounds map[string][]byte // as many as there are voices
}

func newPreviewCache() previewCache {
	return previewCache{making: make(chan struct{}, 1), mu: &sync.Mutex{}, sounds: map[string][]byte{}}
}

func (c previewCache) get(ctx context.Context, id string, preview func(context.Context, string) ([]byte, error)) ([]byte, error) {
	if sound, ok := c.have(id); ok {
		return sound, nil
	}
	select {
	case c.making <- struct{}{}:
		defer func() { <-c.making }()
	case <-ctx.Done():
		return nil, talkstack.WrapError(talkstack.CodeUnavailable, context.Cause(ctx), "The preview took too long. Try again.")
	}
	if sound, ok := c.have(id); ok {
		return sound, nil
	}
	made, cancel := context.WithTimeout(context.WithoutCancel(ctx), previewLimit)
	defer cancel()
	sound, err := preview(made, id)
	if err != nil && made.Err() != nil {
		return nil, talkstack.WrapError(talkstack.CodeUnavailable, err, "The preview took too long. Try again.")
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sounds[id] = sound
	return sound, nil
}

func (c previewCache) have(id string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sound, ok := c.sounds[id]
	return sound, ok
}
