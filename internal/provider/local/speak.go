package local

import (
	"context"
	"iter"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"talkstack"
)

// Speak says a text: it is cut into clauses, and the audio of each comes as soon as it is made, at the request's sample
// rate. The first sample is speech, the last of each clause is the pause behind it; the last clause has none. The next
// clause is made while the caller takes the last one. Breaking off the iteration, or ctx, breaks off the synthesis.
func (e *Engine) Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := e.newSpeech(ctx, req)
		if err != nil {
			yield(nil, err)
			return
		}
		for i, next := 0, s.start(ctx, 0); next != nil; i++ {
			done := next
			next = s.start(ctx, i+1)
			pcm, err := s.wait(ctx, done)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(pcm) > 0 && !yield(pcm, nil) {
				return
			}
		}
	}
}

// speech is one Speak in progress.
type speech struct {
	engine *Engine
	voice  talkstack.Voice
	speed  float64
	rate   int
	pieces []piece
	begin  time.Time
	ahead  bool
	hurry  <-chan struct{} // of the request
	made   atomic.Int64    // time.Duration of audio made so far
}

// piece is what one run of a network speaks.
type piece struct {
	say   string // phonemes for Kokoro, text for espeak-ng
	pause time.Duration
}

// newSpeech prepares a text: everything but the synthesis.
func (e *Engine) newSpeech(ctx context.Context, req talkstack.SpeechRequest) (*speech, error) {
	voice, err := e.voice(req.Voice)
	if err != nil {
		return nil, err
	}
	s := &speech{engine: e, voice: voice, speed: req.Speed, rate: req.Rate, begin: time.Now(), ahead: req.Ahead, hurry: req.Hurry}
	if s.speed == 0 {
		s.speed = 1
	}
	if s.rate < 8000 || s.rate > 48000 || s.speed < 0.25 || s.speed > 4 {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "Speech at %d Hz and speed %g is not possible.", s.rate, s.speed)
	}
	language := e.language(voice)
	all := clauses(fragments(language.normalizer.normalize(req.Text)))
	if voice.Provider == ProviderEspeak {
		for _, c := range all {
			s.pieces = append(s.pieces, piece{c.text(), c.pause()})
		}
	} else if err := s.phonemize(ctx, language, all); err != nil {
		return nil, err
	}
	if len(s.pieces) > 0 {
		s.pieces[len(s.pieces)-1].pause = 0
	}
	return s, nil
}

// phonemize asks for the phonemes of all clauses at once.
func (s *speech) phonemize(ctx context.Context, language *language, all []clause) error {
	var words []string
	for _, c := range all {
		for _, f := range c {
			words = append(words, f.words)
		}
	}
	if len(words) == 0 {
		return nil
	}
	phonemes, err := s.engine.espeak.phonemes(ctx, language.espeak, words)
	if err != nil {
		return err
	}
	for i, p := range phonemes {
		phonemes[i] = language.phonemes.convert(p)
	}
	for _, c := range all {
		say := joinPhonemes(c, phonemes[:len(c)])
		phonemes = phonemes[len(c):]
		if strings.TrimSpace(say) == "" {
			continue
		}
		parts := cutPhonemes(say, maxPhonemes)
		for i, part := range parts {
			p := piece{part, 0}
			if i == len(parts)-1 {
				p.pause = c.pause()
			}
			s.pieces = append(s.pieces, p)
		}
	}
	return nil
}

// utterance is a piece whose audio is being made.
type utterance struct {
	job *job
	pcm []float32
	hz  int
	err error
	piece
}

// start queues a piece; nil when there is none. Its deadline is when the audio before it will have been heard: so the
// first clause of an answer goes before clauses of other calls that have time.
func (s *speech) start(ctx context.Context, i int) *utterance {
	if i >= len(s.pieces) {
		return nil
	}
	u := &utterance{piece: s.pieces[i], err: errClosed}
	cost := s.engine.ttsCost.of(float64(len(u.say)))
	u.job = &job{ctx: ctx, deadline: s.begin.Add(time.Duration(s.made.Load())), cost: cost}
	if i > 0 && s.made.Load() == 0 { // queued behind the first, which is not made yet: it will last about as long as its text
		u.job.deadline = s.begin.Add(time.Duration(len(s.pieces[0].say)) * 60 * time.Millisecond)
	}
	if s.ahead { // after all that somebody waits for, and no reason to refuse calls
		u.job.deadline, u.job.cost, u.job.ahead = u.job.deadline.Add(aheadSlack), 0, true
	}
	u.job.run = func(ctx context.Context) time.Duration {
		u.pcm, u.hz, u.err = s.make(ctx, u.say)
		if u.err != nil {
			return 0
		}
		audio := time.Duration(len(u.pcm)) * time.Second / time.Duration(u.hz)
		s.made.Add(int64(audio))
		return audio
	}
	s.engine.speaking.submit(u.job)
	return u
}

// aheadSlack is how much later than other speech what nobody waits for is due.
const aheadSlack = time.Minute

// make runs the synthesis of one piece.
func (s *speech) make(ctx context.Context, say string) ([]float32, int, error) {
	if s.voice.Provider == ProviderEspeak {
		return s.engine.espeak.speak(ctx, say, s.voice.Key, s.speed)
	}
	start := time.Now()
	pcm, err := s.engine.kokoro.speak(ctx, say, s.voice.Key, s.speed)
	if err == nil && len(say) > 0 {
		s.engine.ttsCost.add(time.Since(start).Seconds() / float64(len(say)))
	}
	return pcm, kokoroRate, err
}

// wait takes the audio of a piece, ready to be sent.
func (s *speech) wait(ctx context.Context, u *utterance) ([]int16, error) {
	select {
	case <-u.job.done:
	case <-s.hurry:
		s.ahead = false
		s.engine.speaking.hurry(u.job, s.engine.ttsCost.of(float64(len(u.say))))
		<-u.job.done
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if u.err != nil {
		return nil, u.err
	}
	return toPCM(shape(u.pcm, u.hz), u.hz, s.rate, u.pause)
}

// average is a sliding average of a cost.
type average struct{ bits atomic.Uint64 }

func (a *average) set(v float64) { a.bits.Store(math.Float64bits(v)) }

func (a *average) value() float64 { return math.Float64frombits(a.bits.Load()) }

// add moves the average by a tenth; an update lost to another at the same time does no harm.
func (a *average) add(v float64) { a.set(a.value() + 0.1*(v-a.value())) }

// of is the cost of n units.
func (a *average) of(n float64) time.Duration {
	return time.Duration(n * a.value() * float64(time.Second))
}
