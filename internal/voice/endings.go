package voice

import (
	"context"
	"fmt"
	"time"

	"talkstack"
)

// The sentences an agent speaks on its own account.
const (
	apologySentence        = "I'm sorry, I'm having a technical problem. Please call again later. Goodbye."
	sayAgainSentence       = "Sorry, I didn't catch that. Could you say it again?"
	durationSentence       = "I have to end the call now. Goodbye."
	noTransferSentence     = "I'm sorry, I can't transfer this call. Is there anything else I can do for you?"
	failedTransferSentence = "I'm sorry, I couldn't reach anyone. Is there anything else I can do for you?"
)

// FixedSentences are the sentences every agent may have to speak, for Cache.Warm. With them in the cache an
// apology is heard even while the synthesizer is away.
func FixedSentences() []string {
	return []string{apologySentence, sayAgainSentence, durationSentence, noTransferSentence, failedTransferSentence}
}

// closing is the end of the call, decided and not yet due.
type closing struct {
	ending talkstack.Ending
	at     time.Duration
	due    bool
}

// close ends the call at the moment `at`.
func (c *Conversation) close(at time.Duration, e talkstack.Ending) {
	if c.closing == nil {
		c.closing = &closing{ending: e, at: at, due: at <= c.now}
	}
}

// leave records what is unfinished, and returns the ending.
func (c *Conversation) leave(e talkstack.Ending) talkstack.Ending {
	c.stopAgent(false)
	if c.utterance.latest.Text != "" {
		t := c.userTurn()
		c.turns.open = &t
	}
	c.settle()
	if c.keypad.open() {
		c.record(talkstack.Turn{
			Role: talkstack.RoleUser, Text: string(c.keypad.keys), Start: c.keypad.start, End: c.keypad.last,
		})
	}
	return e
}

// drop frees the replies that are left.
func (c *Conversation) drop() {
	for _, r := range []*reply{c.agent, c.ahead} {
		if r != nil {
			c.abandon(r)
		}
	}
	c.agent, c.ahead = nil, nil
}

// retry asks again for a reply that failed before anything of it was heard.
func (c *Conversation) retry(ctx context.Context, failed *reply) {
	var r *reply
	if failed.fixed {
		r = c.say(ctx, failed.text)
	} else {
		r = c.ask(ctx, failed.input)
	}
	r.retried, r.opening, r.firm, r.then = true, failed.opening, failed.firm, failed.then
	r.marks = failed.marks
	r.marks.words, r.marks.audio = 0, 0
	c.commit(r)
}

// apologize ends the call because a provider failed.
func (c *Conversation) apologize(ctx context.Context, code talkstack.EndCode, message string) {
	c.log.Error("conversation ends after a fault", "code", string(code))
	c.finalWords(ctx, apologySentence, talkstack.Ending{
		Status: talkstack.StatusFailed,
		Reason: talkstack.EndReason{Party: talkstack.PartyProvider, Code: code, Message: message},
	})
}

// goneEnding is for a caller who has hung up. After the last word of the agent, it is the agent that ended it.
func (c *Conversation) goneEnding() talkstack.Ending {
	switch {
	case c.closing != nil:
		return c.closing.ending
	case c.answer.leaving:
		return voicemailEnding()
	}
	return ending(talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup, "The other party hung up.")
}

func ending(s talkstack.CallStatus, p talkstack.Party, code talkstack.EndCode, message string) talkstack.Ending {
	return talkstack.Ending{Status: s, Reason: talkstack.EndReason{Party: p, Code: code, Message: message}}
}

func hangupEnding() talkstack.Ending {
	return ending(talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup, "The agent ended the call.")
}

func transferEnding() talkstack.Ending {
	return ending(talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndCallTransfer, "The agent transferred the call.")
}

func voicemailEnding() talkstack.Ending {
	return ending(talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached, "A voicemail answered.")
}

func silenceEnding(limit time.Duration) talkstack.Ending {
	return ending(talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity,
		fmt.Sprintf("Nobody spoke for %s.", limit))
}

func durationEnding(limit time.Duration) talkstack.Ending {
	return ending(talkstack.StatusCompleted, talkstack.PartyPlatform, talkstack.EndMaxDuration,
		fmt.Sprintf("The call reached its longest duration, %s.", limit))
}

func shutdownEnding() talkstack.Ending {
	return ending(talkstack.StatusFailed, talkstack.PartyPlatform, talkstack.EndShutdown, "The call was ended from outside.")
}
