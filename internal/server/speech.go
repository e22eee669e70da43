package server

import (
	"errors"
	"log/slog"

	"talkstack"
	"talkstack/internal/call"
	"talkstack/internal/media"
	"talkstack/internal/phonetest"
	"talkstack/internal/provider/local"
	"talkstack/internal/vad"
	"talkstack/internal/voice"
)

// cacheBytes is how much spoken text is kept: about half an hour at 8 kHz.
const cacheBytes = 32 << 20

// speech is the local speech engine with what falls back when its models are missing.
type speech struct {
	engine *local.Engine
	silero *vad.Model // nil: energy alone
	cache  *voice.Cache
	hears  bool // the engine has a recogniser
	fault  error
	log    *slog.Logger
}

// openSpeech loads the models. Without them the server still starts: espeak-ng speaks, nothing is recognised, and
// the fault says how to get them.
func openSpeech(dir string, log *slog.Logger) (*speech, error) {
	s := &speech{log: log, hears: true}
	var err error
	s.engine, err = local.Open(local.Config{Dir: dir, Log: log})
	if err != nil {
		s.fault, s.hears = err, false
		log.Warn("local speech models are not ready: agents cannot hear", "error", err)
		if s.engine, err = local.OpenEspeak(local.Config{Log: log}); err != nil {
			return nil, err
		}
	}
	if s.silero, err = vad.Open(dir); err != nil {
		s.silero = nil
		s.fault = errors.Join(s.fault, err)
		log.Warn("voice detection falls back to energy", "error", err)
	}
	s.cache = voice.NewCache(s.engine, cacheBytes)
	return s, nil
}

func (s *speech) close() {
	s.cache.Close()
	s.engine.Close()
	if s.silero != nil {
		s.silero.Close()
	}
}

// forCalls is the speech of agents.
func (s *speech) forCalls() call.Speech {
	return call.Speech{
		Synthesizer: s.cache,
		// Without models it says that it cannot hear: the conversation then apologises and ends with error_asr.
		NewTranscriber: func(rate int) voice.Transcriber { return s.engine.NewTranscriber(rate) },
		NewDetector:    func(rate int) voice.Detector { return s.detector(rate) },
		Voice:          s.voice,
		Saturated:      s.engine.Saturated,
	}
}

// forPhone is the speech of the test phone: another voice, and no share in the agents' cache.
func (s *speech) forPhone() phonetest.Speech {
	p := phonetest.Speech{
		Speak:       s.engine.Speak,
		NewDetector: func(rate int) phonetest.Detector { return s.detector(rate) },
		Voice:       s.voice(phoneVoice),
	}
	if s.hears {
		p.NewEars = func(rate int) phonetest.Ears { return s.engine.NewTranscriber(rate) }
	}
	return p
}

// phoneVoice is a voice that no agent has by default, so that recordings are easy to follow.
const phoneVoice = "kokoro-am_michael"

// voice finds a voice; an id that is gone, or whose model is missing, gives the first one there is.
func (s *speech) voice(id string) talkstack.Voice {
	all := s.engine.Voices()
	for _, v := range all {
		if v.ID == id {
			return v
		}
	}
	return all[0]
}

// detectors of both kinds fit every consumer.
type detector interface{ Hear(f *media.Frame) bool }

func (s *speech) detector(rate int) detector {
	if s.silero != nil {
		d, err := s.silero.NewDetector(rate)
		if err == nil {
			return d
		}
		s.log.Error("voice detection falls back to energy", "error", err)
	}
	return vad.NewEnergy()
}

// PhoneSpeech opens the speech of a test phone at the command line. Call the returned function when it is no longer used.
func PhoneSpeech(dir string, log *slog.Logger) (phonetest.Speech, func(), error) {
	s, err := openSpeech(dir, log)
	if err != nil {
		return phonetest.Speech{}, nil, err
	}
	return s.forPhone(), s.close, nil
}
