package voice

import (
	"context"
	"time"

	"talkstack"
)

const (
	// openAfter is how long an agent that lets the caller speak first waits before it does.
	openAfter = 4 * time.Second
	// goodbyeLead is how long before the maximum duration the agent takes its leave.
	goodbyeLead = 3 * time.Second
	// goodbyeFrom is the shortest maximum duration that leaves time for that.
	goodbyeFrom = 10 * time.Second
)

// quiet measures how long nobody has spoken. Thinking and speaking of the agent are not silence.
type quiet struct {
	since   time.Duration // when somebody last spoke
	graced  bool          // a noise has put the limit off since then
	greeted bool          // the agent has opened the conversation, or the caller has
	said    []bool        // the idle prompts that are used up
}

// spoken notes that somebody stopped speaking at `at`.
func (q *quiet) spoken(at time.Duration) {
	q.since, q.graced = max(q.since, at), false
}

// noise notes a sound without words that ended at `at`: perhaps the recogniser missed a word, so half of the
// limit is granted anew, once.
func (q *quiet) noise(at, limit time.Duration) {
	if !q.graced {
		q.since, q.graced = max(q.since, at-limit/2), true
	}
}

// watchSilence prompts a silent caller, and ends the call of one who stays silent.
func (c *Conversation) watchSilence(ctx context.Context) {
	if c.agent != nil || c.closing != nil || c.utterance.active || c.keypad.open() || c.handedOver {
		return
	}
	s := &c.cfg.Settings
	silent, limit := c.now-c.quiet.since, s.SilenceLimit.Duration()
	if silent >= limit {
		c.close(c.now, silenceEnding(limit))
		return
	}
	if !c.quiet.greeted && silent >= min(openAfter, limit/2) {
		c.greet(ctx)
		return
	}
	if p := c.nextPrompt(); p >= 0 && silent >= s.IdlePrompts[p].After.Duration() {
		c.quiet.said[p] = true
		c.commit(c.say(ctx, s.IdlePrompts[p].Text))
	}
}

// nextPrompt is the index of the idle prompt that comes next, -1 for none.
func (c *Conversation) nextPrompt() int {
	prompts := c.cfg.Settings.IdlePrompts
	if c.quiet.said == nil {
		c.quiet.said = make([]bool, len(prompts))
	}
	next := -1
	for i := range prompts {
		if !c.quiet.said[i] && (next < 0 || prompts[i].After < prompts[next].After) {
			next = i
		}
	}
	return next
}

// watchDuration ends the call at its longest duration, with a word of goodbye just before.
func (c *Conversation) watchDuration(ctx context.Context) {
	limit := c.cfg.Settings.MaxDuration.Duration()
	if limit <= 0 || c.closing != nil {
		return
	}
	if c.now >= limit {
		c.stopAgent(true)
		c.close(c.now, durationEnding(limit))
		return
	}
	if limit < goodbyeFrom || c.now < limit-goodbyeLead || c.failing != nil || c.answer.leaving {
		return
	}
	c.stopAgent(true)
	c.settle()
	c.finalWords(ctx, durationSentence, durationEnding(limit))
}

// finalWords says a sentence that cannot be interrupted, and ends the call after it.
func (c *Conversation) finalWords(ctx context.Context, text string, ending talkstack.Ending) {
	if c.ahead != nil {
		c.abandon(c.ahead)
		c.ahead = nil
	}
	c.failing = &ending
	r := c.say(ctx, text)
	r.firm = true
	r.then = func(end time.Duration) { c.close(end+afterWords, ending) }
	c.commit(r)
}
