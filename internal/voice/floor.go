package voice

import (
	"context"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

const (
	// askAgain is how long a caller may speak over the agent before the recogniser is asked what it is.
	askAgain = 600 * time.Millisecond
	// noWords is how long the agent stays paused at most for a sound that the recogniser has no words for. A
	// recogniser that has not answered yet is waited for.
	noWords = 2 * time.Second
	// briefSound is how short a sound is in which one word fits: a recogniser that has two for it ("Yeah, for.") has
	// made up the second.
	briefSound = 620 * time.Millisecond
	// nearlyDone is how close to its end a question may be for "yes" to be its answer.
	nearlyDone = 1200 * time.Millisecond
	// pickUpWindow is how late in a call "hello" may begin and still be how the phone was answered.
	pickUpWindow = 3 * time.Second
)

// floor is whose turn it is to speak while the agent has one.
type floor struct {
	paused bool
	since  time.Duration // when the agent paused
	asked  time.Duration // when a final was asked for while the caller speaks; 0: not yet
	ignore bool          // this segment was found to be noise
}

// watchFloor pauses the agent when the caller speaks over it, and decides what that was.
func (c *Conversation) watchFloor(ctx context.Context) {
	if c.agent == nil || c.agent.firm || !c.utterance.active {
		return
	}
	b := &c.cfg.Settings.BargeIn
	if !b.Enabled {
		return // the utterance waits for the end of the agent's
	}
	if !c.floor.paused && c.ear.speaking && !c.floor.ignore && c.ear.voiced >= b.PauseAfter.Duration() {
		c.playout.pause()
		c.floor = floor{paused: true, since: c.now}
		c.emit(EventAgentPaused, "")
	}
	u := &c.utterance
	said := u.latest.Final && (u.final || c.floor.asked > 0 && c.ear.speaking && u.latest.UpTo >= c.floor.since)
	switch {
	case said && c.interrupts(u.latest.Text):
		c.interrupt(ctx)
	case u.final:
		c.goOn()
	case !c.floor.paused || !c.ear.speaking || u.latest.Text != "":
	case c.floor.asked == 0 && c.now-c.floor.since >= askAgain:
		c.floor.asked = c.now
		c.cfg.Transcriber.Flush()
	case c.floor.asked > 0 && c.now-c.floor.since >= noWords && (said || c.now-c.floor.asked >= c.cfg.Limits.Transcript):
		c.floor.ignore = true // it lasts, and the recogniser hears nothing in it
		c.goOn()
	}
}

// interrupts reports whether text is something to stop for.
func (c *Conversation) interrupts(text string) bool {
	words := plainWords(text)
	if len(words) == 0 {
		return false
	}
	if c.agent.action.Kind != brain.NoAction && farewell(words) || c.picksUp(words) {
		return false
	}
	if backchannel(words) || c.ear.voiced <= briefSound && acknowledges(words) {
		return c.answersQuestion()
	}
	return true
}

// picksUp reports whether words are what people say when they answer a telephone, spoken into the agent's greeting.
func (c *Conversation) picksUp(words []string) bool {
	return c.agent.opening && c.utterance.start < pickUpWindow && pickUp(words)
}

// answersQuestion reports whether the agent is at the end of a question, so that "yes" is the answer to it.
func (c *Conversation) answersQuestion() bool {
	p := c.playout.progress()
	return c.agent.complete && p.started && p.queued <= nearlyDone &&
		strings.HasSuffix(c.playout.heard().whole, "?")
}

// goOn lets the agent speak on from the exact sample: it was a backchannel, or noise.
func (c *Conversation) goOn() {
	ignore := c.floor.ignore
	if c.floor.paused {
		if c.picksUp(plainWords(c.utterance.latest.Text)) && c.playout.progress().played <= settleAfter {
			c.playout.rewind() // a greeting that was broken off in its first word begins again
		}
		c.playout.resume()
		c.emit(EventAgentResumed, "")
		c.agent.since = c.now // what it waited for had no time limit meanwhile
	}
	c.floor = floor{ignore: ignore}
	if c.ear.speaking { // words may come yet
		return
	}
	c.answer.note(c.utterance.latest.Text, c.ear.end)
	c.newUtterance()
}

// interrupt ends the agent's turn where it was paused. What nobody has heard of it is not in the history; when
// nothing was heard at all, the caller had simply not finished, and goes on with the same turn.
func (c *Conversation) interrupt(ctx context.Context) {
	heard := c.stopAgent(true)
	if heard {
		c.emit(EventInterrupted, "")
	}
	c.watchEndpoint(ctx)
}

// stopAgent cuts the agent's reply and records what was heard of it. It reports whether anything was.
func (c *Conversation) stopAgent(interrupted bool) bool {
	r := c.agent
	if r == nil {
		return false
	}
	c.agent = nil
	c.floor = floor{}
	first := c.playout.progress().first
	h := c.playout.cut()
	if h.text == "" {
		if back, ok := r.answer.(brain.Retractor); ok && interrupted {
			back.Retract()
		}
		c.abandon(r)
		return false
	}
	c.abandon(r)
	c.settle()
	c.record(talkstack.Turn{
		Role: talkstack.RoleAgent, Text: h.text, Start: first, End: h.end,
		Interrupted: true, Latency: r.marks.latency(first),
	})
	c.quiet.spoken(h.end)
	return true
}
