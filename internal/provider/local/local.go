// Package local recognises and makes speech on this machine: Moonshine listens, Kokoro speaks, espeak-ng gives the phonemes
// and the fallback voice. One Engine holds the networks and serves all calls.
//
// It owns the queues in front of the networks and what is needed around them: segmentation, reading numbers and dates
// aloud, levels and sample rates. It does not detect speech (vad) and knows nothing of turns (voice).
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"talkstack"
	"talkstack/internal/onnx"
)

// Config of an engine.
type Config struct {
	Dir     string // models folder
	Library string // onnxruntime; empty: libonnxruntime.so in Dir
	Workers int    // recognitions at a time; 0: one for each processor
	Threads int    // threads of one synthesis; 0: up to four, one for each processor
	Log     *slog.Logger
}

// The watermarks of Saturated: how long a sentence without urgency would wait.
const (
	saturatedAbove = 1500 * time.Millisecond
	relaxedBelow   = 700 * time.Millisecond
)

// Engine speaks and listens for all calls. All methods but Close may be called at any time from anywhere.
type Engine struct {
	log       *slog.Logger
	espeak    *espeak
	moonshine *moonshine // nil: only espeak-ng's voice
	kokoro    *kokoro    // nil with it
	listening *lane
	speaking  *lane
	english   [2]language // American, British
	saturated atomic.Bool
	asrCost   average // seconds of work for a second of audio
	ttsCost   average // seconds of work for a phoneme
}

// language is how one kind of English is read aloud.
type language struct {
	espeak     string
	normalizer *normalizer
	phonemes   phonemeMap
}

// Open loads the networks. When models are missing the error says how to get them; OpenEspeak needs none.
func Open(cfg Config) (*Engine, error) {
	e, err := OpenEspeak(cfg)
	if err != nil {
		return nil, err
	}
	if err := e.load(cfg); err != nil {
		e.Close()
		return nil, unavailable(cfg.Dir, err)
	}
	return e, nil
}

// unavailable explains why the networks could not be loaded.
func unavailable(dir string, err error) error {
	switch {
	case errors.Is(err, onnx.ErrNotBuilt):
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "This binary is built without local speech recognition. Build it with cgo and without the tag noonnx.")
	case errors.Is(err, os.ErrNotExist):
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "The speech models are not in "+dir+". Run `talkstack models install`.")
	}
	return talkstack.WrapError(talkstack.CodeUnavailable, err, "The speech models in "+dir+" cannot be loaded. Run `talkstack models install`.")
}

// OpenEspeak makes an engine that speaks with espeak-ng's voices and recognises nothing.
func OpenEspeak(cfg Config) (*Engine, error) {
	es, err := openEspeak(american, british)
	if err != nil {
		return nil, err
	}
	workers := cfg.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		log:    log,
		espeak: es,
		english: [2]language{
			{american, newNormalizer(false), newPhonemeMap(false)},
			{british, newNormalizer(true), newPhonemeMap(true)},
		},
		listening: newLane(workers),
		speaking:  newLane(1),
	}
	e.asrCost.set(0.1)
	e.ttsCost.set(0.02)
	return e, nil
}

func (e *Engine) load(cfg Config) error {
	threads := cfg.Threads
	if threads <= 0 {
		threads = min(4, runtime.GOMAXPROCS(0))
	}
	start := time.Now()
	library := cfg.Library
	if library == "" {
		library = filepath.Join(cfg.Dir, "libonnxruntime.so")
	}
	if err := onnx.Start(library); err != nil {
		return err
	}
	loaded := make(chan error, 1)
	go func() {
		var err error
		e.moonshine, err = openMoonshine(filepath.Join(cfg.Dir, "moonshine"), 1)
		loaded <- err
	}()
	k, err := openKokoro(filepath.Join(cfg.Dir, "kokoro"), threads)
	e.kokoro = k
	if err := errors.Join(err, <-loaded); err != nil {
		return err
	}
	if err := e.warm(); err != nil {
		return err
	}
	e.log.Info("local speech is ready", "runtime", onnx.Version(), "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// warm runs each network once: the first run allocates, and is several times slower.
func (e *Engine) warm() error {
	ctx := context.Background()
	heard := make(chan error, 1)
	go func() {
		noise := make([]float32, asrRate/2)
		for i := range noise {
			noise[i] = float32((i*7919)%200-100) / 1000
		}
		_, err := e.moonshine.transcribe(ctx, noise)
		heard <- err
	}()
	_, err := e.kokoro.speak(ctx, "həlˈO", kokoroVoices()[0].Key, 1)
	return errors.Join(err, <-heard)
}

// Close ends the work that is going on and frees the networks. Transcribers must be closed before.
func (e *Engine) Close() {
	e.listening.close()
	e.speaking.close()
	e.espeak.close()
	if e.moonshine != nil {
		e.moonshine.close()
	}
	if e.kokoro != nil {
		e.kokoro.close()
	}
}

// Voices lists the voices that this engine can speak with.
func (e *Engine) Voices() []talkstack.Voice {
	if e.kokoro == nil {
		return espeakVoices()
	}
	return Catalogue()
}

// NewTranscriber makes the recogniser of one call, for frames of the given sample rate in Hz.
// On an engine without networks each final carries an error.
func (e *Engine) NewTranscriber(rate int) *Transcriber {
	return newTranscriber(rate, e.recognise, e.quiet)
}

// quiet reports whether there is time for work that is only nice to have.
func (e *Engine) quiet() bool { return e.listening.idle() && e.speaking.snapshot().Queued == 0 }

// recognise queues a recognition and waits for it.
func (e *Engine) recognise(ctx context.Context, pcm []float32, deadline time.Time) (h hearing, err error) {
	if e.moonshine == nil {
		return h, talkstack.Errorf(talkstack.CodeUnavailable, "There are no models for speech recognition. Run `talkstack models install`.")
	}
	audio := samplesTime(int64(len(pcm)))
	err = errClosed
	j := &job{ctx: ctx, deadline: deadline, cost: e.asrCost.of(audio.Seconds() + 1)}
	j.run = func(ctx context.Context) time.Duration {
		start := time.Now()
		h, err = e.moonshine.transcribe(ctx, pcm)
		if err == nil {
			e.asrCost.add(time.Since(start).Seconds() / (audio.Seconds() + 1))
		}
		return audio
	}
	e.listening.submit(j)
	<-j.done
	if ctx.Err() != nil {
		return hearing{}, ctx.Err()
	}
	return h, err
}

var errClosed = errors.New("local: engine is closed")

// Saturated reports whether the networks have more to do than they can before callers notice. New calls should then
// wait; calls in progress are served as before, in the order of their urgency.
func (e *Engine) Saturated() bool {
	wait := max(e.listening.wait(), e.speaking.wait())
	switch {
	case wait > saturatedAbove:
		e.saturated.Store(true)
	case wait < relaxedBelow:
		e.saturated.Store(false)
	}
	return e.saturated.Load()
}

// Stats is the engine's work since Open.
type Stats struct {
	Listening LaneStats // recognition
	Speaking  LaneStats // synthesis
	Saturated bool
}

// Stats are the numbers for metrics.
func (e *Engine) Stats() Stats {
	return Stats{e.listening.snapshot(), e.speaking.snapshot(), e.Saturated()}
}

// Speaks reports whether the engine knows the voice.
func (e *Engine) Speaks(v talkstack.Voice) bool {
	_, err := e.voice(v)
	return err == nil
}

// voice completes a voice: by its identifier, or by provider and key; the zero Voice is the default.
func (e *Engine) voice(v talkstack.Voice) (talkstack.Voice, error) {
	voices := e.Voices()
	if v.ID == "" && v.Key == "" {
		return voices[0], nil
	}
	for _, known := range voices {
		if v.ID == known.ID || v.ID == "" && v.Provider == known.Provider && v.Key == known.Key {
			return known, nil
		}
	}
	return v, talkstack.Errorf(talkstack.CodeNotFound, "There is no local voice %q.", v.ID)
}

func (e *Engine) language(v talkstack.Voice) *language {
	if v.Language == "en-GB" {
		return &e.english[1]
	}
	return &e.english[0]
}

var _ fmt.Stringer = (*Engine)(nil)

// String names what the engine runs on.
func (e *Engine) String() string {
	if e.kokoro == nil {
		return "espeak-ng"
	}
	return "moonshine, kokoro, onnxruntime " + onnx.Version()
}
