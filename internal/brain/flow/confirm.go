package flow

import (
	"slices"
	"strings"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

// readBack reads the value of n back, together with those of the questions right behind it that were answered in the
// same breath, and asks whether they are right.
func (t *turn) readBack(n *talkstack.FlowNode) {
	t.state.at = n.ID
	t.state.confirming = []string{n.Slot.Name}
	for next := t.brain.cfg.Flow.Node(n.Next); next != nil && next.Kind == talkstack.FlowAsk && next.Slot != nil; next = t.brain.cfg.Flow.Node(next.Next) {
		name := next.Slot.Name
		if !next.Confirm || !t.state.ahead[name] || t.state.confirmed[name] || slices.Contains(t.state.confirming, name) {
			break
		}
		t.state.confirming = append(t.state.confirming, name)
	}
	t.askConfirmation()
}

func (t *turn) askConfirmation() {
	values := make([]string, len(t.state.confirming))
	for i, name := range t.state.confirming {
		values[i] = t.spoken(name)
	}
	last := len(values) - 1
	text := values[last]
	if last > 0 {
		text = strings.Join(values[:last], ", ") + " and " + text
	}
	t.state.question = text + confirmEnding
	t.say(t.state.question)
}

// hearConfirmation reads the answer to "…, is that right?": yes, no, or the right value at once.
func (t *turn) hearConfirmation(u *spoken.Utterance, n *talkstack.FlowNode) {
	answer, answered := u.YesNo()
	changed, same, trouble := t.rectified(u, answer.Text)
	earlier := t.corrections(u, n)
	switch {
	case len(changed) > 0:
		if !t.another(n) {
			return
		}
		t.fillAhead(u, n.Next)
		t.say(sayAllRight)
		t.askConfirmation()
	case len(earlier) > 0:
		if t.replay(earlier) {
			return
		}
		t.acknowledge(earlier, "")
		t.askConfirmation()
	case answered && answer.Text == spoken.Yes, same && answer.Text != spoken.No:
		u.Take(answer)
		t.fillAhead(u, n.Next)
		t.confirmed(n)
	case answered:
		t.refused(n, trouble)
	case t.answerIntent(u, n):
	default:
		t.unclear(n)
	}
}

// rectified reads new values for what is being confirmed. same: the value was only said again.
func (t *turn) rectified(u *spoken.Utterance, answer string) (changed []string, same bool, trouble string) {
	for _, name := range t.state.confirming {
		slot := t.slot(name)
		if slot == nil {
			continue
		}
		var v spoken.Value
		if strict := len(t.state.confirming) > 1 || answer == spoken.Yes; strict {
			v = t.reader.Mention(u, slot)
		} else if slot.Type != talkstack.SlotYesNo && slot.Type != talkstack.SlotText {
			v, trouble = t.reader.Answer(u, slot, t.state.slots[name])
		}
		switch {
		case !v.Found():
		case v.Text == t.state.slots[name]:
			same = true
			u.Take(v)
		default:
			t.fill(name, v, u)
			changed = append(changed, name)
		}
	}
	return changed, same, trouble
}

// slot is the slot of that name as the flow first asks for it.
func (t *turn) slot(name string) *talkstack.FlowSlot {
	for i := range t.brain.cfg.Flow.Nodes {
		if s := t.brain.cfg.Flow.Nodes[i].Slot; s != nil && s.Name == name {
			return s
		}
	}
	return nil
}

// confirmed goes on with the values that were read back.
func (t *turn) confirmed(n *talkstack.FlowNode) {
	for _, name := range t.state.confirming[1:] {
		t.state.confirmed[name] = true
	}
	t.state.confirming = nil
	t.advance(n.Next)
}

// refused drops the values that were read back and asks again.
func (t *turn) refused(n *talkstack.FlowNode, trouble string) {
	for _, name := range t.state.confirming {
		delete(t.state.slots, name)
		delete(t.state.ahead, name)
	}
	t.state.confirming = nil
	if !t.another(n) {
		return
	}
	if trouble == "" {
		trouble = sayRetake
	}
	t.say(trouble)
	t.ask(n.Text)
}

// unclear asks for yes or no once more.
func (t *turn) unclear(n *talkstack.FlowNode) {
	if !t.another(n) {
		return
	}
	t.say(saySorry)
	t.askConfirmation()
}
