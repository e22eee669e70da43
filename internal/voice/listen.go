package voice

import (
	"context"
	"errors"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

const (
	// flushAfter is the silence after which the final transcript is asked for: early enough that it is there
	// before the endpoint, late enough not to ask in every pause for breath.
	flushAfter = 120 * time.Millisecond
	// maxGap bounds the silence that is put in for dropped frames, to keep the recogniser on the media clock.
	maxGap = 10 * time.Second
)

var errTranscriberGone = errors.New("voice: the transcriber has stopped")

// utterance is what the caller is saying, from the last reset of the transcriber on.
type utterance struct {
	number  int           // resets of the transcriber
	active  bool          // speech was heard in it
	start   time.Duration // first sound
	flushed time.Duration // when the final was asked for; 0: not since the caller last spoke
	latest  talkstack.Transcript
	final   bool // latest covers all that was said
}

// hear takes one frame of the caller. It is the clock of the conversation.
func (c *Conversation) hear(ctx context.Context, h Heard) {
	c.fillGap(h)
	c.now = h.At + media.FrameDuration
	c.frame = h.Frame
	speech := c.cfg.Detector.Hear(&c.frame)
	c.cfg.Transcriber.Hear(&c.frame, speech)
	change := c.ear.hear(&c.frame, h.At, speech)
	c.watchAgent(ctx)
	if c.closing == nil && c.answer.listen(&c.frame, c.now) {
		c.answered()
	}
	switch change {
	case segmentStarted:
		c.callerStarted()
	case segmentEnded:
		c.floor.ignore = false
		c.emit(EventCallerStopped, "")
	case noChange:
	}
	c.tick(ctx)
}

// fillGap gives the transcriber silence for frames that were dropped.
func (c *Conversation) fillGap(h Heard) {
	if h.At <= c.now {
		return
	}
	silent := media.NewFrame(h.Frame.Rate)
	for missing := min(h.At-c.now, maxGap); missing > 0; missing -= media.FrameDuration {
		c.cfg.Transcriber.Hear(&silent, false)
	}
}

func (c *Conversation) callerStarted() {
	u := &c.utterance
	if !u.active {
		u.active, u.start = true, c.ear.start
	}
	u.flushed, u.final = 0, false
	if c.ahead != nil { // the caller goes on
		c.abandon(c.ahead)
		c.ahead = nil
	}
	c.emit(EventCallerStarted, "")
}

// tick does what the passing of time asks for. The order is that of precedence.
func (c *Conversation) tick(ctx context.Context) {
	c.watchDuration(ctx)
	switch {
	case c.closing != nil:
		c.closing.due = c.closing.due || c.now >= c.closing.at
	case c.answer.leaving:
		c.leaveMessage(ctx)
	default:
		c.watchKeypad(ctx)
		c.watchFloor(ctx)
		c.watchEndpoint(ctx)
		c.watchLimits(ctx)
		c.watchSilence(ctx)
	}
}

// recognised takes a transcript.
func (c *Conversation) recognised(ctx context.Context, t talkstack.Transcript) {
	u := &c.utterance
	if c.closing != nil || c.answer.leaving || t.Utterance != u.number {
		return // of an utterance that is over
	}
	if t.Err != nil {
		// An interim that failed may be made good by the next one.
		if t.Final || u.flushed > 0 || errors.Is(t.Err, errTranscriberGone) {
			c.transcriberFailed(ctx, t.Err)
		}
		return
	}
	t.Text = strings.TrimSpace(t.Text)
	if !t.Final && u.final {
		return // an interim that was overtaken
	}
	u.latest = t
	if t.Final {
		c.asrFaults = 0
		c.sayings.learn(t.Text)
		u.final = u.covers(t, c.ear.spoken, c.ear.speaking)
	}
	if t.Text != "" {
		c.emit(EventTranscript, t.Text)
		if c.answer.recognised(t.Text, u.start) {
			c.answered()
			return
		}
	}
	c.watchFloor(ctx)
	c.watchEndpoint(ctx)
}

// covers reports whether a final transcript holds all that was said so far.
func (u *utterance) covers(t talkstack.Transcript, end time.Duration, speaking bool) bool {
	if speaking || u.flushed == 0 && t.UpTo == 0 {
		return false
	}
	return t.UpTo == 0 || t.UpTo >= end
}

// watchEndpoint decides whether the caller has finished.
func (c *Conversation) watchEndpoint(ctx context.Context) {
	u := &c.utterance
	if !u.active || c.ear.speaking || c.ear.maybe() || c.keypad.open() {
		return
	}
	quiet := c.now - c.ear.end
	if u.flushed == 0 && quiet >= flushAfter {
		u.flushed = c.now
		c.cfg.Transcriber.Flush()
	}
	if c.agent != nil || c.handedOver { // the floor is the agent's until watchFloor says otherwise
		return
	}
	wait := c.wait()
	switch {
	case u.final && u.latest.Text == "":
		c.dropUtterance()
	case u.final && quiet >= wait:
		c.endTurn(ctx, wait)
	case u.final && c.ahead == nil && !c.cfg.NoSpeculation && quiet >= wait-c.cfg.Settings.Endpointing.Complete.Duration():
		c.ahead = c.ask(ctx, brain.Input{Kind: brain.Utterance, Text: c.userTurn().Text})
	}
}

// wait is the silence that ends the utterance as it sounds now.
func (c *Conversation) wait() time.Duration {
	e := &c.cfg.Settings.Endpointing
	text := c.utterance.latest.Text
	if c.answer.suspicious(text) { // do not talk into a machine's greeting
		return silence(e, soundsUnfinished)
	}
	expected, want := c.cfg.Brain.ExpectsDigits()
	return silence(e, c.sayings.judge(text, expected, want))
}

// userTurn is the caller's turn as it would be stored now.
func (c *Conversation) userTurn() talkstack.Turn {
	u := &c.utterance
	return merged(c.turns.open, talkstack.Turn{
		Role: talkstack.RoleUser, Text: u.latest.Text, Start: u.start, End: c.ear.end, Words: u.latest.Words,
	})
}

// endTurn is the endpoint: the caller has finished, and is answered.
func (c *Conversation) endTurn(ctx context.Context, wait time.Duration) {
	turn := c.userTurn()
	marks := milestones{
		valid: true, speech: c.ear.end, endpoint: min(c.now, ceilFrame(c.ear.end+wait)), transcript: c.now,
	}
	if c.ear.end < c.quiet.since { // said while the agent spoke: the wait was for the agent's end
		marks.valid = false
	}
	c.callerWasHere(c.ear.end)
	if c.answer.endpoint(c.utterance.latest.Text, c.ear.end, c.now) {
		c.emit(EventAnswerDetected, string(c.answer.verdict))
	}
	c.emit(EventEndpoint, turn.Text)
	c.newUtterance()

	r := c.ahead
	c.ahead = nil
	if r != nil && r.input.Text != turn.Text {
		c.abandon(r)
		r = nil
	}
	if r == nil {
		r = c.ask(ctx, brain.Input{Kind: brain.Utterance, Text: turn.Text})
	} else {
		c.emit(EventSpeculationUsed, "")
	}
	c.turns.open = &turn
	r.marks.merge(marks)
	c.commit(r)
}

// newUtterance forgets what was heard of the last one.
func (c *Conversation) newUtterance() {
	c.cfg.Transcriber.Reset()
	c.utterance = utterance{number: c.utterance.number + 1}
	if c.ear.speaking { // a caller who has not stopped is in the new one
		c.utterance.active, c.utterance.start = true, c.now
	}
}

// dropUtterance forgets sounds that were no words.
func (c *Conversation) dropUtterance() {
	c.quiet.noise(c.ear.end, c.cfg.Settings.SilenceLimit.Duration())
	c.newUtterance()
}

func (c *Conversation) emit(kind EventKind, text string) {
	if c.cfg.OnEvent != nil {
		c.cfg.OnEvent(Event{Kind: kind, At: c.now, Text: text})
	}
}
