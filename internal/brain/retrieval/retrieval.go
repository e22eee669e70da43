// Package retrieval is the brain of an agent that has neither a flow nor a language model: it answers with sentences
// of the agent's prompt and knowledge, found by BM25, says so when it does not know, and takes a message. It owns the
// reading of a prompt into facts; it makes nothing up, and the same words always get the same answer.
package retrieval

import (
	"context"
	"maps"
	"strings"
	"sync"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/spoken"
)

// The slots of a message that was taken.
const (
	SlotMessage  = "message"
	SlotCallback = "callback_number"
)

// Config is what the agent knows.
type Config struct {
	Prompt    string   // the agent's instruction, with its variables filled in
	Knowledge []string // further texts to answer from
	Caller    string   // number of the agent's other party, for "this number"; may be empty
}

// Brain answers for one agent in one call.
type Brain struct {
	cfg   Config
	who   string // "Anna of Acme Dental"; empty when the prompt does not say
	index *index

	mu    sync.Mutex
	state state
}

var _ brain.Brain = (*Brain)(nil)

// phase is what the last reply has asked for.
type phase int

const (
	talking  phase = iota
	offered        // "Would you like to leave a message?"
	message        // "What may I pass on?"
	callback       // "On which number …?"
	anything       // "Is there anything else?"
	goodbye        // the agent has said goodbye
)

// state is where a conversation is. It is replaced, never changed, by a commit.
type state struct {
	phase phase
	tries int // answers in this phase that were not understood
	slots map[string]string
	last  string // what was said last, for "could you repeat that?"
}

// New reads the prompt and makes a brain.
func New(cfg Config) *Brain {
	sentences := facts(cfg.Prompt)
	for _, text := range cfg.Knowledge {
		sentences = append(sentences, facts(text)...)
	}
	return &Brain{cfg: cfg, who: identity(cfg.Prompt), index: newIndex(sentences), state: state{slots: map[string]string{}}}
}

// Slots are the message and the number to call back, once they were given.
func (b *Brain) Slots() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.state.slots)
}

// ExpectsDigits reports whether the caller was asked for a number to call back.
func (b *Brain) ExpectsDigits() (bool, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.phase == callback, 0
}

// Sentences are the texts that are known before the call, for the cache of speech.
func (b *Brain) Sentences() []string {
	return []string{
		b.greeting(), sayUnknown, sayMessage, sayCallback, sayCallbackAgain, sayTaken, sayAnything, sayBye, sayHere, sayHold,
		sayAgain, sayNobody, sayOfferAgain,
	}
}

// Reply works out the answer. Nothing is remembered before Commit.
func (b *Brain) Reply(_ context.Context, in brain.Input) brain.Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.state
	next.slots = maps.Clone(b.state.slots)
	text := ""
	switch in.Kind {
	case brain.Greeting:
		text = b.greeting()
	case brain.Keypad:
		text = b.keys(&next, in.Digits)
	case brain.Utterance:
		text = b.hear(&next, spoken.Parse(in.Text))
	}
	next.last = text
	pieces := []brain.Piece{{Text: text}}
	if next.phase == goodbye {
		pieces = append(pieces, brain.Piece{Action: brain.Action{Kind: brain.Hangup}})
	}
	return brain.NewPrepared(pieces, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.state = next
	})
}

// What the brain itself says.
const (
	sayUnknown       = "I'm sorry, I don't know that. Would you like to leave a message, so that somebody can call you back?"
	sayNobody        = "I'm an automated assistant and can't put you through. Would you like to leave a message, so that somebody can call you back?"
	sayOfferAgain    = "Would you like to leave a message? Please say yes or no."
	sayMessage       = "What may I pass on?"
	sayCallback      = "Thank you. On which number can you be called back? You can say it, or key it in."
	sayCallbackAgain = "Sorry, I didn't get that number. Please say it digit by digit, or key it in."
	sayTaken         = "I have noted your message. Is there anything else?"
	sayAnything      = "Is there anything else I can help you with?"
	sayBye           = "Thank you for your call. Goodbye."
	sayHere          = "Yes, I can hear you. How can I help you?"
	sayHold          = "Of course, take your time."
	sayAgain         = "Sorry, I didn't get that. What would you like to know?"
)

// greeting opens the call when the agent has no greeting of its own.
func (b *Brain) greeting() string {
	if b.who == "" {
		return "Hello. How can I help you?"
	}
	return "Hello, this is " + b.who + ". How can I help you?"
}

// hear answers an utterance.
func (b *Brain) hear(s *state, u *spoken.Utterance) string {
	switch s.phase {
	case goodbye:
		return sayBye
	case message:
		return takeMessage(s, u)
	case callback:
		return b.takeCallback(s, u)
	case offered:
		if text := b.offered(s, u); text != "" {
			return text
		}
	case anything:
		if yes, ok := u.YesNo(); ok && u.Words() <= 5 {
			if yes.Text == spoken.No {
				s.phase = goodbye
				return sayBye
			}
			if u.Words() <= 2 {
				s.phase = talking
				return "What would you like to know?"
			}
		}
	case talking:
	}
	return b.converse(s, u)
}

// converse answers what was said of the caller's own accord.
func (b *Brain) converse(s *state, u *spoken.Utterance) string {
	if wantsMessage(u) {
		s.phase, s.tries = message, 0
		return sayMessage
	}
	switch u.Intent() {
	case spoken.Goodbye:
		s.phase = goodbye
		return sayBye
	case spoken.Human:
		s.phase, s.tries = offered, 0
		return sayNobody
	case spoken.Identity:
		return b.introduce()
	case spoken.Repeat:
		if s.last != "" {
			return s.last
		}
	case spoken.Hold:
		return sayHold
	case spoken.Hello:
		if s.last == "" {
			return b.greeting()
		}
		return sayHere
	case spoken.Thanks:
		s.phase = anything
		return "You're welcome. " + sayAnything
	case spoken.NoIntent, spoken.Help:
	}
	if u.Empty() {
		return sayAgain
	}
	if answer := b.index.answer(u.Text); answer != "" {
		s.phase = talking
		return answer
	}
	if vague(u) {
		return "Of course. What would you like to know?"
	}
	s.phase, s.tries = offered, 0
	return sayUnknown
}

// introduce says honestly what is speaking.
func (b *Brain) introduce() string {
	if b.who == "" {
		return "I'm an automated assistant. How can I help you?"
	}
	return "This is " + b.who + ". I'm an automated assistant. How can I help you?"
}

// offered reads the answer to the offer of taking a message. Empty: it was something else, such as another question.
func (b *Brain) offered(s *state, u *spoken.Utterance) string {
	yes, ok := u.YesNo()
	switch {
	case wantsMessage(u) && (!ok || yes.Text == spoken.Yes), ok && yes.Text == spoken.Yes:
		s.phase, s.tries = message, 0
		return sayMessage
	case ok && b.index.answer(u.Text) == "":
		s.phase = anything
		return "All right. " + sayAnything
	case !ok && u.Intent() == spoken.NoIntent && b.index.answer(u.Text) == "" && s.tries == 0:
		s.tries++
		return sayOfferAgain
	}
	return ""
}

// takeMessage keeps the caller's words as the message.
func takeMessage(s *state, u *spoken.Utterance) string {
	if u.Words() <= 5 {
		switch u.Intent() {
		case spoken.Goodbye:
			s.phase = goodbye
			return sayBye
		case spoken.Hold:
			return sayHold
		case spoken.Repeat:
			return sayMessage
		default:
		}
	}
	if u.Empty() {
		return sayMessage
	}
	s.slots[SlotMessage] = u.Text
	s.phase, s.tries = callback, 0
	return sayCallback
}

// takeCallback keeps the number to call back. After three failures the message stands alone.
func (b *Brain) takeCallback(s *state, u *spoken.Utterance) string {
	slot := talkstack.FlowSlot{Name: SlotCallback, Type: talkstack.SlotPhone}
	v, trouble := spoken.Reader{Caller: b.cfg.Caller}.Answer(u, &slot, "")
	if v.Found() {
		return taken(s, v.Text)
	}
	switch u.Intent() {
	case spoken.Repeat:
		return sayCallback
	case spoken.Hold:
		return sayHold
	case spoken.Goodbye:
		s.phase = goodbye
		return sayBye
	default:
	}
	if no, ok := u.YesNo(); ok && no.Text == spoken.No {
		s.phase = anything
		return sayTaken
	}
	return missedNumber(s, trouble)
}

func missedNumber(s *state, trouble string) string {
	if s.tries++; s.tries >= 3 {
		s.phase = anything
		return sayTaken
	}
	return strings.TrimSpace(trouble + " " + sayCallbackAgain)
}

func taken(s *state, number string) string {
	s.slots[SlotCallback] = number
	s.phase = anything
	return "That is " + spoken.SpellDigits(number) + ". " + sayTaken
}

// keys takes a keyed number.
func (b *Brain) keys(s *state, digits string) string {
	if s.phase != callback {
		return sayAgain
	}
	slot := talkstack.FlowSlot{Name: SlotCallback, Type: talkstack.SlotPhone}
	v, trouble := spoken.Reader{}.Keys(digits, &slot)
	if v.Found() {
		return taken(s, v.Text)
	}
	return missedNumber(s, trouble)
}

// wantsMessage reports whether the caller asks to leave a message.
func wantsMessage(u *spoken.Utterance) bool {
	return u.Says("leave a message", "take a message", "leave him a message", "leave her a message", "call me back", "called back", "pass on a message", "give him a message", "give her a message")
}

// vague reports whether the caller only announces a question.
func vague(u *spoken.Utterance) bool {
	return u.Says("i have a question", "have some questions", "can you help me", "could you help me", "i need some information", "i need help", "ask you something", "i have a few questions", "help me")
}
