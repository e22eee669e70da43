package voice

import (
	"context"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

// maxKeys bounds one keypad input.
const maxKeys = 64

// keypad collects what the caller keys.
type keypad struct {
	keys  []byte
	start time.Duration
	last  time.Duration
}

func (k *keypad) open() bool { return len(k.keys) > 0 }

// press takes a key. It interrupts whatever is being said, by either party.
func (c *Conversation) press(ctx context.Context, d media.Digit) {
	if c.closing != nil || c.failing != nil || c.answer.leaving || c.handedOver {
		return
	}
	c.answer.decide(answerUnknown)
	c.stopSpeech()
	if !c.keypad.open() {
		c.keypad.start = c.now
	}
	c.keypad.last = c.now
	if d.Key == '#' {
		c.enter(ctx)
		return
	}
	c.keypad.keys = append(c.keypad.keys, d.Key)
	_, want := c.cfg.Brain.ExpectsDigits()
	if want > 0 && len(c.keypad.keys) >= want || len(c.keypad.keys) >= maxKeys {
		c.enter(ctx)
	}
}

// stopSpeech ends what both parties are saying. The caller's words so far are a turn of their own.
func (c *Conversation) stopSpeech() {
	if c.ahead != nil {
		c.abandon(c.ahead)
		c.ahead = nil
	}
	c.stopAgent(true)
	if c.utterance.latest.Text != "" {
		t := c.userTurn()
		c.turns.open = &t
	}
	c.settle()
	if c.utterance.active {
		c.newUtterance()
	}
}

// watchKeypad ends the input after a pause.
func (c *Conversation) watchKeypad(ctx context.Context) {
	if c.keypad.open() && c.now-c.keypad.last >= c.cfg.Settings.KeypadTimeout.Duration() {
		c.enter(ctx)
	}
}

// enter gives the keys to the brain. A lone # is an input too: some menus ask for it.
func (c *Conversation) enter(ctx context.Context) {
	keys := string(c.keypad.keys)
	if keys == "" {
		keys = "#"
	}
	turn := talkstack.Turn{Role: talkstack.RoleUser, Text: keys, Start: c.keypad.start, End: c.keypad.last}
	c.keypad = keypad{}
	if c.utterance.active { // what was said beside the keys is not an answer of its own
		c.newUtterance()
	}
	c.callerWasHere(c.now)
	r := c.ask(ctx, brain.Input{Kind: brain.Keypad, Digits: keys})
	c.turns.open = &turn
	c.commit(r)
}

// callerWasHere notes that the caller took part: the idle prompts are fresh again.
func (c *Conversation) callerWasHere(at time.Duration) {
	c.quiet.spoken(at)
	c.quiet.greeted = true
	clear(c.quiet.said)
}
