package server

import (
	"bytes"
	"context"
	"fmt"

	"talkstack"
	"talkstack/internal/media"
)

// previewRate is the sample rate of voice previews: what a browser plays well, and the voices' own.
const previewRate = 24000

// Voices lists what agents can speak with; the first is the default.
func (s *speech) Voices() []talkstack.Voice { return s.engine.Voices() }

// Preview is a sentence in a voice, as a WAV file.
func (s *speech) Preview(ctx context.Context, voiceID string) ([]byte, error) {
	for _, v := range s.engine.Voices() {
		if v.ID != voiceID {
			continue
		}
		text := fmt.Sprintf("Hello, this is %s. I can answer your calls, and make some for you, too.", v.Name)
		a := media.Audio{Rate: previewRate, Channels: 1}
		for pcm, err := range s.engine.Speak(ctx, talkstack.SpeechRequest{
			Text: text, Voice: v, Rate: previewRate, Ahead: true, // calls go first
		}) {
			if err != nil {
				return nil, err
			}
			a.Samples = append(a.Samples, pcm...)
		}
		var wav bytes.Buffer
		if err := media.WriteWAV(&wav, &a); err != nil {
			return nil, err
		}
		return wav.Bytes(), nil
	}
	return nil, talkstack.Errorf(talkstack.CodeNotFound, "There is no voice %q: GET /voices lists them.", voiceID)
}
