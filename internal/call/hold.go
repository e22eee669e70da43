package call

import (
	"context"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/recording"
	"talkstack/internal/store"
	"talkstack/internal/voice"
)

// prepared is what a call needs before it is answered: made while the phone rings, so that the answer costs nothing.
type prepared struct {
	agent     talkstack.Agent
	script    script
	voice     talkstack.Voice
	brain     brain.Brain
	brainName string
	ahead     sync.WaitGroup // speaks texts into the cache until cancel
	cancel    context.CancelFunc
	meter     *meter
}

// stopAhead ends the work done ahead.
func (p *prepared) stopAhead() {
	p.cancel()
	p.ahead.Wait()
}

// discard ends the work done ahead, and the brain's.
func (p *prepared) discard() {
	p.stopAhead()
	if c, ok := p.brain.(io.Closer); ok {
		_ = c.Close() // it only cancels
	}
}

// prepare loads the agent of a call, makes its brain, and has its greeting spoken ahead into the cache.
func (s *Switchboard) prepare(ctx context.Context, c talkstack.Call, log *slog.Logger) (*prepared, error) {
	loading, loaded := context.WithTimeout(ctx, tryLimit)
	agent, err := s.cfg.DB.AgentVersion(loading, c.AgentID, c.AgentVersion)
	loaded()
	if err != nil {
		return nil, err
	}
	vars := variables(c)
	p := &prepared{agent: agent, script: fill(agent, vars), voice: s.cfg.Speech.Voice(agent.VoiceID), meter: &meter{}}
	if p.brain, p.brainName, err = s.cfg.NewBrain(agent, p.script.prompt, vars, p.meter.thought); err != nil {
		return nil, err
	}
	ahead, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	p.ahead.Go(func() { s.speakAhead(ahead, p, log) })
	return p, nil
}

// Rehearse has spoken into the cache what an agent says in every call, so that its first call finds it there.
func (s *Switchboard) Rehearse(ctx context.Context, agent talkstack.Agent) error {
	p := &prepared{agent: agent, script: fill(agent, nil), voice: s.cfg.Speech.Voice(agent.VoiceID), meter: &meter{}}
	var err error
	if p.brain, p.brainName, err = s.cfg.NewBrain(agent, p.script.prompt, nil, p.meter.thought); err != nil {
		return err
	}
	s.speakAhead(ctx, p, s.cfg.Log)
	return nil
}

// speakAhead has what the agent will certainly or probably say spoken into the cache: its greeting now, and the fixed
// sentences of its brain when nobody else needs the voice.
func (s *Switchboard) speakAhead(ctx context.Context, p *prepared, log *slog.Logger) {
	req := talkstack.SpeechRequest{Voice: p.voice, Speed: p.agent.Settings.Speed, Rate: narrowband, Made: p.meter.synthesised}
	sentences := []string{p.script.greeting}
	if b, ok := p.brain.(interface{ Sentences() []string }); ok {
		sentences = append(sentences, b.Sentences()...)
	}
	sentences = append(sentences, voice.FixedSentences()...)
	for i, text := range sentences {
		if text == "" {
			continue
		}
		req.Text, req.Ahead = text, i > 0
		if err := s.cfg.Speech.Synthesizer.Warm(ctx, req); err != nil {
			if ctx.Err() == nil {
				log.Warn("a sentence was not spoken ahead", "error", err)
			}
			return
		}
	}
}

// narrowband is the frame rate of telephone legs, in Hz.
const narrowband = 8000

// hold runs an answered call to its end and stores it.
func (s *Switchboard) hold(ctx context.Context, c talkstack.Call, leg Leg, p *prepared, book *ledger, log *slog.Logger) {
	answered := time.Now()
	defer func() { // a fault of ours must not leave the party on the line
		if v := recover(); v != nil {
			log.Error("call panicked", "panic", v, "stack", string(debug.Stack()))
			hangUp(ctx, leg, internalEnding().Reason, log)
			s.finish(book, c, s.settle(c, p, answered, store.Outcome{Ending: internalEnding()}), log)
		}
	}()
	key := ""
	var rec *recording.Writer
	if p.agent.Settings.Recording {
		key = recording.Key(c.SID, answered)
		var err error
		if rec, err = s.cfg.Recordings.Create(key, leg.Rate()); err != nil {
			log.Error("call is not recorded", "error", err)
			key = "" // nobody is shown a recording that is not there
		}
	}
	// The recording's name is stored with the answer, not at the end: a killed call keeps what was recorded of it.
	book.add("answered", func(ctx context.Context) error { return s.cfg.DB.MarkAnswered(ctx, c, answered, key) })
	log.Info("answered", "brain", p.brainName)
	live := &Live{leg: leg, rec: rec, log: log, conv: voice.New(voice.Config{
		Settings: p.agent.Settings, Greeting: p.script.greeting, Message: p.script.voicemail, Voice: p.voice, Rate: leg.Rate(),
		Brain: p.brain, Synthesizer: s.cfg.Speech.Synthesizer, OnSynthesis: p.meter.synthesised,
		Transcriber: meteredTranscriber{s.cfg.Speech.NewTranscriber(leg.Rate()), p.meter},
		Detector:    s.cfg.Speech.NewDetector(leg.Rate()), Direction: c.Direction, Log: log,
		Limits: limits(p.agent.Settings.Flow),
		OnTurn: func(t talkstack.Turn) {
			s.cfg.OnTurn(t)
			book.add("turn", func(ctx context.Context) error { return s.cfg.DB.AddTurn(ctx, c.SID, t) })
		},
	})}
	ending, at := live.Run(ctx)
	s.finish(book, c, s.settle(c, p, answered, store.Outcome{Ending: ending, EndedAt: at, Slots: p.brain.Slots()}), log)
}

// limits are the conversation's, with room for the slowest request that a flow may make: the caller is told first what
// the flow says before it, so the wait is the flow's own choice.
func limits(flow *talkstack.Flow) voice.Limits {
	l := voice.DefaultLimits()
	if flow == nil {
		return l
	}
	for _, n := range flow.Nodes {
		if n.Request != nil {
			l.Words = max(l.Words, n.Request.Timeout.Duration()+2*time.Second)
		}
	}
	return l
}

// finish stores the end of a call after everything that happened before it, and waits until it is stored.
func (s *Switchboard) finish(book *ledger, c talkstack.Call, o store.Outcome, log *slog.Logger) {
	if o.EndedAt.IsZero() {
		o.EndedAt = time.Now()
	}
	s.cfg.OnEnd(o.Ending)
	book.add("end", func(ctx context.Context) error { return s.cfg.DB.FinishCall(ctx, c, o) })
	book.close()
	log.Info("ended", "status", o.Ending.Status, "party", o.Ending.Reason.Party, "reason", o.Ending.Reason.Code)
}
