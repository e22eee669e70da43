package voice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime/debug"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

// reply is one answer of the agent, from the question to its last sample. The loop owns it; its goroutine reads
// only what is set before it starts.
type reply struct {
	id        int
	input     brain.Input // what it answers; zero for a fixed sentence
	answer    brain.Reply
	text      string // a sentence of ours instead
	fixed     bool   // it is one, and is kept in the cache
	opening   bool   // it opens the conversation
	firm      bool   // the caller cannot interrupt it
	speech    *speech
	cancel    context.CancelFunc
	committed chan struct{} // closed when the turn is real
	retried   bool

	// Of the loop.
	marks    milestones
	stage    replyStage
	since    time.Duration // when the stage began
	begun    bool          // its first frame was sent
	complete bool          // the goroutine is done
	action   brain.Action
	then     func(end time.Duration) // what follows when it was heard; nil: listening
}

// replyStage is what a reply waits for.
type replyStage int

const (
	stageWords  replyStage = iota // the brain
	stageAudio                    // the synthesizer
	stageSpoken                   // nothing: it is being heard, or complete
)

// replyEvent is what the goroutine of a reply reports to the loop.
type replyEvent struct {
	id     int
	stage  replyStage // the stage that begins
	fault  faultPart
	err    error
	done   bool
	action brain.Action
}

// faultPart names the provider that failed.
type faultPart string

const (
	noFault     faultPart = ""
	faultBrain  faultPart = "brain"
	faultSpeech faultPart = "synthesizer"
)

// ask starts an answer to in.
func (c *Conversation) ask(ctx context.Context, in brain.Input) *reply {
	in.History = c.turns.history()
	return c.start(ctx, &reply{input: in}, func(ctx context.Context) brain.Reply { return c.cfg.Brain.Reply(ctx, in) })
}

// say starts a sentence of ours.
func (c *Conversation) say(ctx context.Context, text string) *reply {
	return c.start(ctx, &reply{text: text, fixed: true}, func(context.Context) brain.Reply { return &sentence{text: text} })
}

func (c *Conversation) start(ctx context.Context, r *reply, answer func(context.Context) brain.Reply) *reply {
	c.nextReply++
	r.id = c.nextReply
	r.speech = c.playout.newSpeech()
	r.committed = make(chan struct{})
	r.since = c.now
	ctx, r.cancel = context.WithCancel(ctx)
	r.answer = answer(ctx)
	s := speaking{
		id: r.id, fixed: r.fixed, answer: r.answer, speech: r.speech, committed: r.committed,
		synth: c.cfg.Synthesizer, report: c.replies,
		req: talkstack.SpeechRequest{Voice: c.cfg.Voice, Speed: c.cfg.Settings.Speed, Rate: c.cfg.Rate, Made: c.cfg.OnSynthesis},
	}
	c.wg.Go(func() { s.run(ctx) })
	return r
}

// commit makes a reply real: its answer may take effect, and it is heard as soon as there is audio.
func (c *Conversation) commit(r *reply) {
	c.agent = r
	r.answer.Commit()
	close(r.committed)
	r.since = max(r.since, c.now)
	c.playout.play(r.speech)
}

// abandon stops a reply that is not heard any further.
func (c *Conversation) abandon(r *reply) {
	r.cancel()
	c.wg.Go(r.answer.Close) // may wait for a request to end
	r.speech.discard()
}

// sentence is a fixed text as a brain's reply.
type sentence struct {
	text string
	said bool
}

func (s *sentence) Next() (brain.Piece, error) {
	if s.said {
		return brain.Piece{}, io.EOF
	}
	s.said = true
	return brain.Piece{Text: s.text}, nil
}

func (s *sentence) Commit() {}
func (s *sentence) Close()  {}

// speaking is the work of a reply's goroutine: the brain's words become clauses, clauses become audio.
type speaking struct {
	id        int
	fixed     bool
	answer    brain.Reply
	speech    *speech
	committed <-chan struct{}
	synth     Synthesizer
	req       talkstack.SpeechRequest
	report    chan<- replyEvent

	cutter  clauseCutter
	clauses int  // spoken so far
	worded  bool // the first words were reported
}

// thinkingPause is how long a brain may say nothing more before a sentence that looks complete is spoken as it is.
// Without it "Let me check that." would wait for what the check gives.
const thinkingPause = 60 * time.Millisecond

// pulled is what a brain's Next returned.
type pulled struct {
	piece brain.Piece
	err   error
}

// pull asks the brain for piece after piece, so that it can be waited for with a limit. The goroutine ends with
// the answer, or when the answer is closed.
func (s *speaking) pull(ctx context.Context, pieces chan<- pulled) {
	defer close(pieces)
	for {
		p := s.next()
		select {
		case pieces <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil {
			return
		}
	}
}

// next is the brain's next piece. A panic of a brain is a fault of this reply, not of the process.
func (s *speaking) next() (p pulled) {
	defer func() {
		if v := recover(); v != nil {
			p.err = fmt.Errorf("voice: panic in a brain: %v\n%s", v, debug.Stack())
		}
	}()
	p.piece, p.err = s.answer.Next()
	return p
}

func (s *speaking) run(ctx context.Context) {
	pieces := make(chan pulled, 16)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.answer.Close()
	wg.Go(func() { s.pull(ctx, pieces) })

	last := replyEvent{id: s.id, done: true, stage: stageSpoken}
	last.action, last.fault, last.err = s.speakAll(ctx, pieces)
	s.speech.close()
	s.send(ctx, last)
}

func (s *speaking) send(ctx context.Context, e replyEvent) {
	select {
	case s.report <- e:
	case <-ctx.Done():
	}
}

// speakAll speaks the whole answer. A panic of a synthesizer is a fault of this reply, not of the process.
func (s *speaking) speakAll(ctx context.Context, pieces <-chan pulled) (action brain.Action, fault faultPart, err error) {
	defer func() {
		if v := recover(); v != nil {
			fault, err = faultSpeech, fmt.Errorf("voice: panic in a synthesizer: %v\n%s", v, debug.Stack())
		}
	}()
	for {
		p, waited := s.await(ctx, pieces)
		if waited {
			if err := s.speakClauses(ctx, s.cutter.rest()); err != nil {
				return action, faultSpeech, err
			}
			continue
		}
		if errors.Is(p.err, io.EOF) {
			break
		}
		if p.err != nil {
			return action, faultBrain, p.err
		}
		if p.piece.Action.Kind != brain.NoAction {
			action = p.piece.Action
		}
		if err := s.speakClauses(ctx, s.cutter.add(p.piece.Text)); err != nil {
			return action, faultSpeech, err
		}
		if s.cutter.buf != "" {
			s.hasWords(ctx)
		}
	}
	if err := s.speakClauses(ctx, s.cutter.rest()); err != nil {
		return action, faultSpeech, err
	}
	return action, noFault, nil
}

// await is the next piece; waited is whether none came for a while and there is a sentence to speak.
func (s *speaking) await(ctx context.Context, pieces <-chan pulled) (p pulled, waited bool) {
	var pause <-chan time.Time
	if s.cutter.couldEnd() {
		timer := time.NewTimer(thinkingPause)
		defer timer.Stop()
		pause = timer.C
	}
	select {
	case p, ok := <-pieces:
		if !ok {
			p.err = context.Canceled // the goroutine gave up because ctx is done
		}
		return p, false
	case <-pause:
		return pulled{}, true
	case <-ctx.Done():
		return pulled{err: context.Cause(ctx)}, false
	}
}

func (s *speaking) speakClauses(ctx context.Context, clauses []string) error {
	for _, clause := range clauses {
		if err := s.speak(ctx, clause); err != nil {
			return err
		}
	}
	return nil
}

func (s *speaking) hasWords(ctx context.Context) {
	if !s.worded {
		s.worded = true
		s.send(ctx, replyEvent{id: s.id, stage: stageWords})
	}
}

// speak turns one clause into audio. A synthesizer that fails before its first sample is asked once more.
func (s *speaking) speak(ctx context.Context, clause string) error {
	s.hasWords(ctx)
	s.clauses++
	if s.clauses == 2 { // the first clause is made ahead, the others when the turn is real
		select {
		case <-s.committed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.send(ctx, replyEvent{id: s.id, stage: stageAudio})
	s.speech.begin(clause)
	n, err := s.synthesize(ctx, clause)
	if err != nil && n == 0 && ctx.Err() == nil && !errors.Is(err, errCut) {
		n, err = s.synthesize(ctx, clause)
	}
	s.speech.done()
	if err == nil && n == 0 && ctx.Err() == nil {
		err = errNoAudio
	}
	return err
}

var errNoAudio = errors.New("voice: the synthesizer gave no audio")

func (s *speaking) synthesize(ctx context.Context, clause string) (samples int, err error) {
	s.req.Text = clause
	for pcm, err := range s.audio(ctx) {
		if err != nil {
			return samples, err
		}
		if len(pcm) == 0 {
			continue
		}
		if err := s.speech.write(ctx, pcm); err != nil {
			return samples, err
		}
		if samples == 0 {
			s.send(ctx, replyEvent{id: s.id, stage: stageSpoken})
		}
		samples += len(pcm)
	}
	return samples, ctx.Err()
}

// fixedSpeaker is a synthesizer that keeps what it is told to keep.
type fixedSpeaker interface {
	SpeakFixed(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error]
}

func (s *speaking) audio(ctx context.Context) iter.Seq2[[]int16, error] {
	if f, ok := s.synth.(fixedSpeaker); ok && s.fixed {
		return f.SpeakFixed(ctx, s.req)
	}
	return s.synth.Speak(ctx, s.req)
}
