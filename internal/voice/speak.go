package voice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

const (
	// settleAfter is how much of a reply must have been heard before the caller's turn is final.
	settleAfter = 400 * time.Millisecond
	// afterWords is the pause between the agent's last word and its hanging up.
	afterWords = 200 * time.Millisecond
)

// open begins the conversation.
func (c *Conversation) open(ctx context.Context) {
	if c.cfg.Settings.FirstSpeaker != talkstack.FirstSpeakerCaller {
		c.greet(ctx)
	}
}

func (c *Conversation) greet(ctx context.Context) {
	c.quiet.greeted = true
	if c.cfg.Greeting != "" {
		c.commit(c.say(ctx, c.cfg.Greeting))
	} else {
		c.commit(c.ask(ctx, brain.Input{Kind: brain.Greeting}))
	}
	c.agent.opening = true
}

// replied takes a report of a reply's goroutine.
func (c *Conversation) replied(ctx context.Context, e replyEvent) {
	r := c.agent
	if r == nil || r.id != e.id {
		r = c.ahead
	}
	if r == nil || r.id != e.id {
		return // of a reply that was abandoned
	}
	switch {
	case e.done && e.err != nil:
		c.replyFailed(ctx, r, e.fault, e.err)
	case e.done:
		r.complete, r.action = true, e.action
		r.enter(stageSpoken, c.now)
	case e.stage == stageWords:
		r.marks.words = c.now
	case e.stage == stageAudio:
		r.enter(stageAudio, c.now)
	case e.stage == stageSpoken:
		if r.marks.audio == 0 {
			r.marks.audio = c.now
		}
		r.enter(stageSpoken, c.now)
	}
}

func (r *reply) enter(s replyStage, now time.Duration) { r.stage, r.since = s, now }

// merge adds the moments of the caller's side.
func (m *milestones) merge(caller milestones) {
	caller.words, caller.audio = m.words, m.audio
	*m = caller
}

// watchAgent follows the reply that is on.
func (c *Conversation) watchAgent(ctx context.Context) {
	r := c.agent
	if r == nil {
		return
	}
	p := c.playout.progress()
	if p.started && !r.begun {
		r.begun = true
		c.emit(EventAgentStarted, "")
	}
	if p.played >= settleAfter {
		c.settle()
	}
	if p.finished && r.complete && !c.floor.paused {
		c.finishReply(ctx, r, p)
	}
}

// finishReply is the end of a reply that was heard whole.
func (c *Conversation) finishReply(ctx context.Context, r *reply, p progress) {
	h := c.playout.finish()
	c.agent = nil
	c.floor = floor{}
	end := c.now
	c.settle()
	if p.started {
		end = h.end
		c.record(talkstack.Turn{
			Role: talkstack.RoleAgent, Text: h.text, Start: p.first, End: h.end, Latency: r.marks.latency(p.first),
		})
	}
	r.cancel()
	r.answer.Close()
	c.quiet.spoken(end)
	c.emit(EventAgentStopped, h.text)
	switch {
	case r.then != nil:
		r.then(end)
	case r.action.Kind == brain.Hangup, saysGoodbye(h.text, c.cfg.Settings.EndPhrases):
		c.close(end+afterWords, hangupEnding())
	case r.action.Kind == brain.Transfer:
		c.transfer(ctx, r.action.Target)
	}
}

// saysGoodbye reports whether text holds one of the agent's end phrases, as whole words.
func saysGoodbye(text string, phrases []string) bool {
	words := plainWords(text)
	for _, p := range phrases {
		if containsWords(words, plainWords(p)) {
			return true
		}
	}
	return false
}

func containsWords(words, want []string) bool {
	if len(want) == 0 {
		return false
	}
next:
	for i := 0; i+len(want) <= len(words); i++ {
		for j, w := range want {
			if words[i+j] != w {
				continue next
			}
		}
		return true
	}
	return false
}

// transfer hands the caller over; where the leg cannot, the agent says so and goes on.
func (c *Conversation) transfer(ctx context.Context, target string) {
	if c.cfg.Transfer == nil {
		c.log.Warn("transfer is not available on this leg", "target", talkstack.MaskNumber(target))
		c.commit(c.say(ctx, noTransferSentence))
		return
	}
	c.handedOver = true
	c.wg.Go(func() {
		err := c.cfg.Transfer(ctx, target)
		c.transfers <- err // has room for the one transfer that may run
	})
}

func (c *Conversation) transferred(ctx context.Context, err error) {
	c.handedOver = false
	if err == nil {
		c.close(c.now, transferEnding())
		return
	}
	c.log.Warn("transfer failed", "error", err)
	c.quiet.spoken(c.now)
	if c.agent == nil && c.closing == nil {
		c.commit(c.say(ctx, failedTransferSentence))
	}
}

// watchLimits gives up on what takes too long.
func (c *Conversation) watchLimits(ctx context.Context) {
	u := &c.utterance
	if u.active && u.flushed > 0 && !u.final && !c.ear.speaking && c.now-u.flushed >= c.cfg.Limits.Transcript {
		if u.latest.Text == "" {
			c.transcriberFailed(ctx, fmt.Errorf("voice: no final transcript within %s", c.cfg.Limits.Transcript))
		} else { // what came so far is better than nothing
			c.log.Warn("final transcript is late", "limit", c.cfg.Limits.Transcript)
			u.final, u.latest.Final = true, true
			c.watchFloor(ctx)
			c.watchEndpoint(ctx)
		}
	}
	r := c.agent
	if r == nil || r.complete || c.floor.paused {
		return
	}
	p := c.playout.progress()
	if p.queued > 0 {
		return
	}
	waited := c.now - max(r.since, p.end)
	switch {
	case r.stage == stageAudio && waited >= c.cfg.Limits.Speech:
		r.retried = true // the caller has waited long enough
		c.replyFailed(ctx, r, faultSpeech, fmt.Errorf("voice: no audio within %s", c.cfg.Limits.Speech))
	case r.stage != stageAudio && waited >= c.cfg.Limits.Words:
		r.retried = true
		c.replyFailed(ctx, r, faultBrain, fmt.Errorf("voice: no words within %s", c.cfg.Limits.Words))
	}
}

// transcriberFailed asks the caller to say it again, and gives up when it happens twice in a row.
func (c *Conversation) transcriberFailed(ctx context.Context, err error) {
	c.asrFaults++
	c.log.Warn("recognition failed", "error", err, "faults", c.asrFaults)
	if c.failing != nil { // the call is over anyway
		c.newUtterance()
		return
	}
	switch gone := c.asrFaults > 1 || errors.Is(err, errTranscriberGone); {
	case !gone && c.agent != nil: // whatever it was, the agent has the floor
		c.goOn()
	case !gone:
		c.newUtterance()
		c.commit(c.say(ctx, sayAgainSentence))
	default:
		c.stopAgent(true)
		c.newUtterance()
		c.apologize(ctx, talkstack.EndErrorASR, "The speech recogniser failed.")
	}
}

// replyFailed tries once more when nothing was heard yet; then the agent apologises and hangs up. A reply that
// breaks off after it was heard in part simply ends: the caller can ask on.
func (c *Conversation) replyFailed(ctx context.Context, r *reply, part faultPart, err error) {
	c.log.Warn("reply failed", "error", err, "part", string(part), "retried", r.retried)
	if r == c.ahead { // it will be asked for real at the endpoint
		c.abandon(r)
		c.ahead = nil
		return
	}
	if c.failing != nil {
		c.playout.cut()
		c.abandon(r)
		c.agent = nil
		c.close(c.now, *c.failing)
		return
	}
	if p := c.playout.progress(); p.started {
		r.cancel()
		r.complete = true
		r.speech.close()
		return
	}
	c.playout.cut()
	c.abandon(r)
	c.agent = nil
	if !r.retried {
		c.retry(ctx, r)
		return
	}
	if part == faultSpeech {
		c.apologize(ctx, talkstack.EndErrorTTS, "The speech synthesizer failed.")
	} else {
		c.apologize(ctx, talkstack.EndErrorLLM, "The agent's brain gave no answer.")
	}
}
