package flow

import (
	"strings"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

// defaultAttempts is how many answers may fail at a node that does not say.
const defaultAttempts = 3

// hear reacts to an utterance while an answer is waited for.
func (t *turn) hear(u *spoken.Utterance) {
	n := t.brain.cfg.Flow.Node(t.state.at)
	if n == nil || n.Slot == nil {
		t.end(talkstack.FlowEnd, "")
		return
	}
	if u.Intent() == spoken.Human && !t.namesChoice(u, n) && t.human(true) {
		return
	}
	if len(t.state.confirming) > 0 {
		t.hearConfirmation(u, n)
		return
	}
	t.hearAnswer(u, n)
}

// namesChoice reports whether the words are one of the answers asked for: "operator" may be a choice.
func (t *turn) namesChoice(u *spoken.Utterance, n *talkstack.FlowNode) bool {
	return n.Slot.Type == talkstack.SlotText && u.Words() > 8 ||
		n.Slot.Type == talkstack.SlotChoice && t.reader.Mention(u, n.Slot).Found()
}

// hearAnswer reads the answer to a question, what it corrects, and what it says ahead.
func (t *turn) hearAnswer(u *spoken.Utterance, n *talkstack.FlowNode) {
	if n.Slot.Type != talkstack.SlotText || u.Corrects() && u.Words() <= 6 {
		changes := t.corrections(u, n)
		if len(changes) > 0 {
			t.hearCorrected(u, n, changes)
			return
		}
	}
	v, trouble := t.reader.Answer(u, n.Slot, "")
	if n.Slot.Type == talkstack.SlotText && u.Words() < 8 && t.answerIntent(u, n) {
		return
	}
	if v.Found() {
		t.accept(u, n, v)
		return
	}
	if t.answerIntent(u, n) {
		return
	}
	if filled := t.fillAhead(u, n.Next); len(filled) > 0 && trouble == "" {
		t.acknowledge(filled, n.Text) // "at three o'clock", when the day was asked for
		t.ask(n.Text)
		return
	}
	t.fail(n, trouble)
}

// accept takes the value, and what else the utterance says, and goes on.
func (t *turn) accept(u *spoken.Utterance, n *talkstack.FlowNode, v spoken.Value) {
	t.fill(n.Slot.Name, v, u)
	t.fillAhead(u, n.Next)
	if n.Confirm {
		t.readBack(n)
		return
	}
	t.advance(n.Next)
}

// hearCorrected goes on after corrections of earlier answers. The same breath may hold the answer itself.
func (t *turn) hearCorrected(u *spoken.Utterance, n *talkstack.FlowNode, changes []string) {
	if n.Slot.Type != talkstack.SlotYesNo { // "no, Thursday" refuses nothing
		if v, _ := t.reader.Answer(u, n.Slot, ""); v.Found() && n.Slot.Type != talkstack.SlotText {
			t.acknowledge(changes, "")
			t.accept(u, n, v)
			return
		}
	}
	if t.replay(changes) {
		return
	}
	t.acknowledge(changes, n.Text)
	t.ask(n.Text)
}

// acknowledge says what was understood, unless the question that follows says it.
func (t *turn) acknowledge(names []string, question string) {
	uses := talkstack.ParseTemplate(question).Variables()
	var values []string
	for _, name := range names {
		shown := false
		for _, v := range uses {
			shown = shown || v == name
		}
		if !shown {
			values = append(values, t.spoken(name))
		}
	}
	if len(values) == 0 {
		t.say(sayAllRight)
		return
	}
	t.say("All right, " + strings.Join(values, " and ") + ".")
}

// fail counts a failed answer: it asks again, or gives up.
func (t *turn) fail(n *talkstack.FlowNode, trouble string) {
	if !t.another(n) {
		return
	}
	if trouble == "" && len(n.Reprompts) == 0 {
		trouble = saySorry
	}
	t.say(trouble)
	t.ask(t.reprompt(n))
}

// another counts a failed attempt; false: it was the last, and the flow has gone on.
func (t *turn) another(n *talkstack.FlowNode) bool {
	limit := n.MaxAttempts
	if limit == 0 {
		limit = defaultAttempts
	}
	t.state.attempts++
	if t.state.attempts < limit {
		return true
	}
	t.state.confirming = nil
	if n.OnFail == "" {
		t.say(sayGiveUp)
		t.end(talkstack.FlowEnd, "")
		return false
	}
	t.advance(n.OnFail)
	return false
}

// reprompt is the question of n as put after failed answers.
func (t *turn) reprompt(n *talkstack.FlowNode) string {
	if len(n.Reprompts) == 0 {
		return n.Text
	}
	i := max(t.state.attempts-1, 0)
	return n.Reprompts[min(i, len(n.Reprompts)-1)]
}

// fill sets a slot and takes its words from the utterance.
func (t *turn) fill(name string, v spoken.Value, u *spoken.Utterance) {
	t.state.slots[name] = v.Text
	delete(t.state.confirmed, name)
	if u != nil {
		u.Take(v)
	}
}

// fillAhead fills slots of the questions to come, from node id on, with what the utterance clearly says.
func (t *turn) fillAhead(u *spoken.Utterance, id string) []string {
	var filled []string
	seen := map[string]bool{}
	for id != "" && !seen[id] {
		seen[id] = true
		n := t.brain.cfg.Flow.Node(id)
		if n == nil {
			break
		}
		switch n.Kind {
		case talkstack.FlowAsk:
			if n.Slot != nil && !t.state.ahead[n.Slot.Name] && n.ID != t.state.at {
				if v := t.reader.Mention(u, n.Slot); v.Found() {
					t.fill(n.Slot.Name, v, u)
					t.state.ahead[n.Slot.Name] = true
					filled = append(filled, n.Slot.Name)
				}
			}
			id = n.Next
		case talkstack.FlowBranch:
			if _, ok := t.state.slots[n.On]; !ok && t.asked(n.On) {
				return filled // which way it goes is not known yet
			}
			id = t.choose(n)
		case talkstack.FlowSay, talkstack.FlowHTTP:
			id = n.Next
		default:
			return filled
		}
	}
	return filled
}

// asked reports whether some node asks for the slot.
func (t *turn) asked(name string) bool {
	_, ok := t.brain.types[name]
	return ok
}

// answerIntent reacts to what the caller wants of the conversation itself. False: nothing of the kind.
func (t *turn) answerIntent(u *spoken.Utterance, n *talkstack.FlowNode) bool {
	again := func(first string) bool {
		t.say(first)
		t.say(t.state.question)
		return true
	}
	switch u.Intent() {
	case spoken.Repeat:
		return again("")
	case spoken.Help:
		return again(hint(n.Slot))
	case spoken.Hold:
		t.say(sayHold)
		return true
	case spoken.Hello:
		return again(sayHere)
	case spoken.Identity:
		return again(sayMachine)
	case spoken.Goodbye:
		t.say(sayBye)
		t.end(talkstack.FlowEnd, "")
		return true
	case spoken.NoIntent, spoken.Human, spoken.Thanks:
	}
	return false
}

// human puts the caller through when the flow has a transfer node, and says so when it has none.
func (t *turn) human(asked bool) bool {
	for i := range t.brain.cfg.Flow.Nodes {
		n := &t.brain.cfg.Flow.Nodes[i]
		if n.Kind != talkstack.FlowTransfer {
			continue
		}
		if n.Text == "" {
			t.say(sayPutThrough)
		}
		t.advance(n.ID)
		return true
	}
	t.say(sayNobody)
	if asked {
		t.say(t.state.question)
	}
	return asked
}

// keys reacts to the keypad.
func (t *turn) keys(digits string) {
	n := t.brain.cfg.Flow.Node(t.state.at)
	if n == nil || n.Slot == nil {
		t.end(talkstack.FlowEnd, "")
		return
	}
	if len(t.state.confirming) > 0 {
		switch strings.TrimSuffix(digits, "#") {
		case "1":
			t.confirmed(n)
			return
		case "2":
			t.refused(n, "")
			return
		}
		if len(t.state.confirming) > 1 {
			t.unclear(n)
			return
		}
	}
	v, trouble := t.reader.Keys(digits, n.Slot)
	switch {
	case v.Found():
		t.fill(n.Slot.Name, v, nil)
		if n.Confirm {
			t.readBack(n)
			return
		}
		t.advance(n.Next)
	case trouble != "":
		t.fail(n, trouble)
	default:
		t.fail(n, sayNoKeys)
	}
}
