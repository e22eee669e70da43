package voice

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

// Heard is one frame of the caller with its place on the media clock: zero at the answer, 20 ms more each. A gap
// means that frames were dropped.
type Heard struct {
	Frame media.Frame
	At    time.Duration
}

// Transcriber recognises the speech of one call. Transcripts are cumulative: each covers the utterance from its
// beginning, the last Reset.
type Transcriber interface {
	// Hear takes the next frame and never blocks. speech is the detector's word on it.
	Hear(f *media.Frame, speech bool)
	// Flush asks for a final transcript of all that was heard. The caller may go on speaking after it.
	Flush()
	// Reset begins a new utterance. Transcript.Utterance counts resets.
	Reset()
	// Transcripts is where interim and final transcripts arrive.
	Transcripts() <-chan talkstack.Transcript
	Close()
}

// Synthesizer speaks texts. The PCM comes in stretches at req.Rate, without leading silence, and each stretch is
// only read before the next is asked for. Breaking the loop or cancelling ctx stops it.
type Synthesizer interface {
	Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error]
}

// Detector tells speech from everything else, frame by frame.
type Detector interface {
	Hear(f *media.Frame) bool
}

// Limits are the longest times a stage of a turn may take before the turn is tried again, or given up.
type Limits struct {
	Transcript time.Duration // flush → final transcript
	Words      time.Duration // question → first words of the brain, and between two of its clauses
	Speech     time.Duration // clause → its first audio
}

// DefaultLimits are the limits of a Config that sets none.
func DefaultLimits() Limits {
	return Limits{Transcript: 3 * time.Second, Words: 12 * time.Second, Speech: 6 * time.Second}
}

// Config is what a conversation is made of. Brain, Transcriber, Synthesizer and Detector belong to it alone
// (a shared Synthesizer is fine), and Run closes the Transcriber.
type Config struct {
	Settings    talkstack.AgentSettings
	Greeting    string // Settings.Greeting with its variables filled; empty: the brain decides
	Message     string // Settings.Voicemail.Message with its variables filled
	Voice       talkstack.Voice
	Rate        int // of the leg's frames: 8000 or 16000
	Direction   talkstack.Direction
	Brain       brain.Brain
	Transcriber Transcriber
	Synthesizer Synthesizer // a *Cache keeps the fixed sentences
	Detector    Detector
	Limits      Limits // zero fields: the defaults
	// NoSpeculation makes the agent wait for the endpoint before it thinks.
	NoSpeculation bool
	// Transfer hands the caller over and returns when that has worked (the conversation then ends) or failed
	// (it goes on). Nil: the leg cannot transfer, and the caller is told so.
	Transfer func(ctx context.Context, target string) error
	// OnTurn is called from Run with each turn once it is final: a caller's when its answer begins to be heard,
	// an agent's when it ends. It must not block.
	OnTurn func(talkstack.Turn)
	// OnSynthesis is told how many characters are really synthesised, by a Synthesizer that knows: a Cache. It is called
	// from any goroutine, and must not block.
	OnSynthesis func(characters int)
	// OnEvent is called from Run with what happens meanwhile, for people who watch. It must not block.
	OnEvent func(Event)
	Log     *slog.Logger
}

// EventKind names something that happened in a conversation.
type EventKind string

// The kinds of event.
const (
	EventCallerStarted   EventKind = "caller_started"   // the caller began to speak
	EventCallerStopped   EventKind = "caller_stopped"   // the caller fell silent
	EventTranscript      EventKind = "transcript"       // Text is what was recognised so far
	EventEndpoint        EventKind = "endpoint"         // the caller has finished; Text is the utterance
	EventAgentStarted    EventKind = "agent_started"    // the first frame of a reply was sent
	EventAgentStopped    EventKind = "agent_stopped"    // the reply was heard to its end
	EventAgentPaused     EventKind = "agent_paused"     // the caller speaks over the agent
	EventAgentResumed    EventKind = "agent_resumed"    // it was nothing
	EventInterrupted     EventKind = "interrupted"      // it was a barge-in
	EventAnswerDetected  EventKind = "answer_detected"  // Text is human, voicemail or unknown
	EventSpeculationUsed EventKind = "speculation_used" // the reply had been prepared before the endpoint
)

// Event is something that happened in a conversation, on the media clock.
type Event struct {
	Kind EventKind
	At   time.Duration
	Text string
}

// Conversation is the spoken dialogue of one call.
type Conversation struct {
	cfg     Config
	log     *slog.Logger
	playout *Playout
	replies chan replyEvent
	wg      sync.WaitGroup // reply goroutines and the transfer

	// The fields below belong to Run.
	now        time.Duration // end of the last frame heard
	frame      media.Frame   // the last frame heard; here, so that hearing allocates nothing
	ear        ear
	utterance  utterance
	sayings    endpointer
	agent      *reply // being prepared or spoken, for real
	ahead      *reply // prepared on speculation
	nextReply  int
	floor      floor
	turns      turns
	quiet      quiet
	keypad     keypad
	answer     answerDetection
	asrFaults  int               // in a row
	failing    *talkstack.Ending // the last words are being said; how the call ends after them
	closing    *closing
	transfers  chan error
	handedOver bool // a transfer is under way
}

// New makes a conversation. It panics when a part is missing: that is a mistake in the program.
func New(cfg Config) *Conversation {
	if cfg.Brain == nil || cfg.Transcriber == nil || cfg.Synthesizer == nil || cfg.Detector == nil {
		panic("voice: a conversation needs a brain, a transcriber, a synthesizer and a detector")
	}
	d := DefaultLimits()
	if cfg.Limits.Transcript == 0 {
		cfg.Limits.Transcript = d.Transcript
	}
	if cfg.Limits.Words == 0 {
		cfg.Limits.Words = d.Words
	}
	if cfg.Limits.Speech == 0 {
		cfg.Limits.Speech = d.Speech
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Conversation{
		cfg:       cfg,
		log:       cfg.Log,
		playout:   NewPlayout(cfg.Rate),
		replies:   make(chan replyEvent, 16),
		transfers: make(chan error, 1),
		ear:       ear{rate: cfg.Rate},
		answer:    newAnswerDetection(&cfg),
	}
}

// Playout is the agent's voice, for the media loop to send.
func (c *Conversation) Playout() *Playout { return c.playout }

// Run holds the conversation. It returns how it ended: by the agent, by a limit, by a fault, because in was
// closed (the caller has gone), or because ctx was cancelled. Nothing of it runs on when it has returned.
func (c *Conversation) Run(ctx context.Context, in <-chan Heard, digits <-chan media.Digit) talkstack.Ending {
	ctx, cancel := context.WithCancel(ctx)
	defer c.wg.Wait()
	defer c.cfg.Transcriber.Close()
	defer c.drop()
	defer cancel()

	c.open(ctx)
	transcripts := c.cfg.Transcriber.Transcripts()
	for c.closing == nil || !c.closing.due {
		select {
		case h, ok := <-in:
			if !ok {
				return c.leave(c.goneEnding())
			}
			c.hear(ctx, h)
		case t, ok := <-transcripts:
			if !ok {
				transcripts = nil
				t = talkstack.Transcript{Utterance: c.utterance.number, Err: errTranscriberGone}
			}
			c.recognised(ctx, t)
		case e := <-c.replies:
			c.replied(ctx, e)
		case d, ok := <-digits:
			if !ok {
				digits = nil
				continue
			}
			c.press(ctx, d)
		case err := <-c.transfers:
			c.transferred(ctx, err)
		case <-ctx.Done():
			return c.leave(shutdownEnding())
		}
	}
	return c.leave(c.closing.ending)
}
