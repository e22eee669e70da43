package httpapitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"talkstack"
	"talkstack/internal/store"
)

// Calls places calls in the database and nowhere else: they stay queued.
type Calls struct {
	DB *store.DB

	mu   sync.Mutex
	seen []talkstack.Placement
	err  error
}

// Place stores a call. Without an agent it takes the project's active one; without a number to call from it refuses.
func (c *Calls) Place(ctx context.Context, p talkstack.Placement) (talkstack.Call, error) {
	c.mu.Lock()
	c.seen = append(c.seen, p)
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return talkstack.Call{}, err
	}
	project, err := c.DB.Project(ctx, p.UserID, p.ProjectID)
	if err != nil {
		return talkstack.Call{}, err
	}
	if p.AgentID == "" {
		p.AgentID = project.ActiveAgent
	}
	if p.AgentID == "" {
		return talkstack.Call{}, talkstack.Errorf(talkstack.CodeInvalid, "agentId is required.")
	}
	agent, err := c.DB.Agent(ctx, p.UserID, p.AgentID)
	if err != nil {
		return talkstack.Call{}, err
	}
	numbers, err := c.DB.NumbersByAgent(ctx, p.UserID, agent.ID)
	if err != nil {
		return talkstack.Call{}, err
	}
	if len(numbers) == 0 {
		return talkstack.Call{}, talkstack.Errorf(talkstack.CodeInvalid, "The agent has no number to call from.")
	}
	return c.DB.PlaceCall(ctx, talkstack.Call{
		SID: p.SID, UserID: p.UserID, ProjectID: p.ProjectID, AgentID: agent.ID, AgentVersion: agent.Version,
		From: numbers[0].E164, To: p.To, DynamicVariables: p.DynamicVariables,
	})
}

// Fail makes every Place fail; nil: no longer.
func (c *Calls) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Placed are the placements that were asked for.
func (c *Calls) Placed() []talkstack.Placement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]talkstack.Placement(nil), c.seen...)
}

// Voices are two voices whose previews are short and counted.
type Voices struct {
	mu    sync.Mutex
	made  int
	voice []talkstack.Voice
}

// NewVoices makes them. The first has the id of the documented examples.
func NewVoices() *Voices {
	return &Voices{voice: []talkstack.Voice{
		{ID: "EXAVITQu4vr4xnSDxMaL", Name: "Aria", Provider: "test", Key: "aria", Language: "en-US", Labels: map[string]string{
			"accent": "American", "description": "expressive", "age": "middle-aged", "gender": "female", "use_case": "social media",
		}},
		{ID: "CwhRBWXzGAHq8TQ4Fs17", Name: "Roger", Provider: "test", Key: "roger", Language: "en-US"},
	}}
}

// Voices are the voices.
func (v *Voices) Voices() []talkstack.Voice { return v.voice }

// Preview is a WAV header and a little silence.
func (v *Voices) Preview(context.Context, string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.made++
	return append([]byte("RIFF\x24\x00\x00\x00WAVEfmt "), make([]byte, 28)...), nil
}

// Made is how many previews were made.
func (v *Voices) Made() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.made
}

// Recordings are recordings in memory.
type Recordings struct {
	mu    sync.Mutex
	files map[string][]byte
}

// Put stores a recording.
func (r *Recordings) Put(key string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	r.files[key] = data
}

// Open reads one.
func (r *Recordings) Open(_ context.Context, key string) (io.ReadSeekCloser, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.files[key]
	if !ok {
		return nil, 0, talkstack.WrapError(talkstack.CodeNotFound, fmt.Errorf("no file %q", key), "The recording is gone.")
	}
	return file{bytes.NewReader(data)}, int64(len(data)), nil
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }
