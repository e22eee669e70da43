package flow

import (
	"slices"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

// corrections reads new values for questions that were answered before, sets them, and names them in order. Only a
// value that differs corrects anything: "Thursday is fine" does not.
func (t *turn) corrections(u *spoken.Utterance, n *talkstack.FlowNode) []string {
	var names []string
	tried := map[string]bool{}
	corrects := u.Corrects()
	for i := len(t.state.trail) - 1; i >= 0; i-- {
		past := t.brain.cfg.Flow.Node(t.state.trail[i])
		if past == nil || past.Kind != talkstack.FlowAsk || past.Slot == nil {
			continue
		}
		name := past.Slot.Name
		if tried[name] || name == n.Slot.Name || slices.Contains(t.state.confirming, name) {
			continue
		}
		tried[name] = true
		if t.state.slots[name] == "" || !t.mayCorrect(u, n, past, corrects) {
			continue
		}
		v := t.reader.Mention(u, past.Slot)
		if !v.Found() {
			continue
		}
		u.Take(v)
		if v.Text == t.state.slots[name] {
			continue
		}
		if t.sent(i, name) {
			t.say(sayTooLate)
			continue
		}
		t.fill(name, v, nil)
		names = append(names, name)
	}
	slices.Reverse(names)
	return names
}

// mayCorrect decides whether an utterance is looked at for a new answer to a past question. With a word of correction
// it is. Without one, only days and times are, which are hard to take for anything else; and never those that answer
// the present question, or one to come.
func (t *turn) mayCorrect(u *spoken.Utterance, n, past *talkstack.FlowNode, corrects bool) bool {
	if past.Slot.Type == n.Slot.Type && past.Slot.Type != talkstack.SlotYesNo {
		first, _ := u.YesNo()
		return corrects && first.Text == spoken.No && len(t.state.confirming) == 0
	}
	if past.Slot.Type != talkstack.SlotDate && past.Slot.Type != talkstack.SlotTime {
		return corrects
	}
	if n.Slot.Type == talkstack.SlotPhone || n.Slot.Type == talkstack.SlotDigits { // the "five zero one" in them is no time
		v, _ := t.reader.Answer(u, n.Slot, "")
		return corrects && !v.Found()
	}
	return true
}

// sent reports whether a request that changes something outside has used the slot since trail[i].
func (t *turn) sent(i int, name string) bool {
	for _, id := range t.state.trail[i:] {
		n := t.brain.cfg.Flow.Node(id)
		if n != nil && n.Kind == talkstack.FlowHTTP && n.Request != nil && n.Request.Method != "GET" && uses(n.Request, name) {
			return true
		}
	}
	return false
}

// uses reports whether a request holds the slot.
func uses(r *talkstack.FlowRequest, name string) bool {
	texts := []string{r.URL, r.Body}
	for _, v := range r.Headers {
		texts = append(texts, v)
	}
	for _, text := range texts {
		if slices.Contains(talkstack.ParseTemplate(text).Variables(), name) {
			return true
		}
	}
	return false
}

// replay goes back to the first of the corrected questions whose answer has decided the way since, and follows the
// flow anew from there with all that is known. False: the way is the same.
func (t *turn) replay(names []string) bool {
	for i, id := range t.state.trail {
		n := t.brain.cfg.Flow.Node(id)
		if n == nil || n.Slot == nil || !slices.Contains(names, n.Slot.Name) || !t.decides(i, n.Slot.Name) {
			continue
		}
		t.muted = map[string]bool{}
		for _, later := range t.state.trail[i+1:] {
			t.muted[later] = true
			if p := t.brain.cfg.Flow.Node(later); p != nil && p.Slot != nil && t.state.slots[p.Slot.Name] != "" && later != t.state.at {
				t.state.ahead[p.Slot.Name], t.state.confirmed[p.Slot.Name] = true, true
			}
		}
		t.state.trail = t.state.trail[:i+1]
		t.state.confirming = nil
		t.acknowledge(names, "")
		t.advance(n.Next)
		return true
	}
	return false
}

// decides reports whether the slot has chosen the way at a branch, or was asked about elsewhere, since trail[i].
func (t *turn) decides(i int, name string) bool {
	for _, id := range t.state.trail[i:] {
		n := t.brain.cfg.Flow.Node(id)
		if n == nil {
			continue
		}
		if n.Kind == talkstack.FlowBranch && n.On == name || n.Kind == talkstack.FlowHTTP && n.Request != nil && uses(n.Request, name) {
			return true
		}
	}
	return false
}
