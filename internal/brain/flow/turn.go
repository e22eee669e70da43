package flow

import (
	"strconv"
	"strings"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/spoken"
)

// turn works out one answer on its own copy of the state.
type turn struct {
	brain  *Brain
	reader spoken.Reader
	state  *state
	out    []brain.Piece
	muted  map[string]bool // say nodes that were heard before and are passed again
}

// take reacts to what the caller did.
func (t *turn) take(in brain.Input) {
	switch {
	case t.state.over:
		t.leave()
	case !t.state.begun:
		t.open(in)
	case in.Kind == brain.Utterance:
		t.hear(spoken.Parse(in.Text))
	case in.Kind == brain.Keypad:
		t.keys(in.Digits)
	default: // asked to begin again
		t.say(t.state.question)
	}
}

// open begins the flow. What the caller said before anything was asked may already answer some of it.
func (t *turn) open(in brain.Input) {
	t.state.begun = true
	if in.Kind == brain.Utterance {
		u := spoken.Parse(in.Text)
		if u.Intent() == spoken.Human && t.human(false) {
			return
		}
		t.answerUnasked(u)
		t.fillAhead(u, t.brain.cfg.Flow.Start)
	}
	t.advance(t.brain.cfg.Flow.Start)
}

// answerUnasked takes the caller's first words as an answer to the first question, which the greeting may have put.
func (t *turn) answerUnasked(u *spoken.Utterance) {
	n := t.brain.cfg.Flow.Node(t.brain.cfg.Flow.Start)
	if n == nil || n.Kind != talkstack.FlowAsk || n.Slot == nil {
		return
	}
	switch n.Slot.Type {
	case talkstack.SlotDate, talkstack.SlotChoice, talkstack.SlotPhone, talkstack.SlotDigits:
		if v, _ := t.reader.Answer(u, n.Slot, ""); v.Found() {
			t.fill(n.Slot.Name, v, u)
			t.state.ahead[n.Slot.Name] = true
		}
	default:
	}
}

// advance goes from node id to the next one that has to wait: for an answer, for a request, or for ever.
func (t *turn) advance(id string) {
	for range 2 * (len(t.brain.cfg.Flow.Nodes) + 1) {
		n := t.brain.cfg.Flow.Node(id)
		if n == nil {
			break
		}
		t.state.pass(id)
		switch n.Kind {
		case talkstack.FlowSay:
			if !t.muted[id] {
				t.speak(n.Text)
			}
			id = n.Next
		case talkstack.FlowAsk:
			if n.Slot == nil {
				t.end(talkstack.FlowEnd, "")
				return
			}
			if !t.pass(n) {
				return
			}
			id = n.Next
		case talkstack.FlowBranch:
			id = t.choose(n)
		case talkstack.FlowHTTP:
			t.speak(n.Text)
			t.state.at, t.state.request = "", id
			return
		case talkstack.FlowTransfer:
			t.speak(n.Text)
			t.end(talkstack.FlowTransfer, n.To)
			return
		default:
			t.speak(n.Text)
			t.end(talkstack.FlowEnd, "")
			return
		}
	}
	t.end(talkstack.FlowEnd, "") // the flow has run out
}

// pass reaches an ask node. True: its slot is filled already, and the flow goes on.
func (t *turn) pass(n *talkstack.FlowNode) bool {
	name := n.Slot.Name
	t.state.at, t.state.attempts, t.state.confirming = n.ID, 0, nil
	if !t.state.ahead[name] {
		t.ask(n.Text)
		return false
	}
	delete(t.state.ahead, name) // once: a loop asks again
	if n.Confirm && !t.state.confirmed[name] {
		t.readBack(n)
		return false
	}
	delete(t.state.confirmed, name)
	return true
}

// end is the end of the flow.
func (t *turn) end(kind talkstack.FlowNodeKind, to string) {
	t.state.over, t.state.at, t.state.request, t.state.confirming = true, "", "", nil
	t.state.farewell, t.state.target = kind, to
	t.leave()
}

// leave says how the call ends.
func (t *turn) leave() {
	action := brain.Action{Kind: brain.Hangup}
	if t.state.farewell == talkstack.FlowTransfer {
		to, err := talkstack.ParseE164(t.state.target)
		if err == nil {
			action = brain.Action{Kind: brain.Transfer, Target: to}
		}
	}
	t.out = append(t.out, brain.Piece{Action: action})
}

// ask puts a question in the given words.
func (t *turn) ask(text string) {
	t.state.question = t.filled(text)
	t.say(t.state.question)
}

// speak says a text of the flow.
func (t *turn) speak(text string) { t.say(t.filled(text)) }

// say adds words to the answer.
func (t *turn) say(text string) {
	if text = tidy(text); text == "" {
		return
	}
	if len(t.out) > 0 {
		text = " " + text
	}
	t.out = append(t.out, brain.Piece{Text: text})
}

// filled puts the variables, and the slots as they are spoken, into a text.
func (t *turn) filled(text string) string {
	s, _ := talkstack.ParseTemplate(text).Fill(t.values(true))
	return tidy(s)
}

// tidy closes the gaps that empty values leave.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

// values are all variables and slots; aloud: slots as they are spoken.
func (t *turn) values(aloud bool) map[string]any {
	vars := make(map[string]any, len(t.brain.cfg.Variables)+len(t.state.slots))
	for k, v := range t.brain.cfg.Variables {
		vars[k] = v
	}
	for k, v := range t.state.slots {
		if aloud {
			v = t.spoken(k)
		}
		vars[k] = v
	}
	return vars
}

// spoken is a slot's value as it is spoken.
func (t *turn) spoken(name string) string {
	return spoken.Say(t.brain.types[name], t.state.slots[name], t.reader.Now)
}

// choose finds the way out of a branch node.
func (t *turn) choose(n *talkstack.FlowNode) string {
	vars := t.values(false)
	got, _ := talkstack.ParseTemplate("{{" + n.On + "}}").Fill(vars)
	for _, c := range n.Cases {
		want, _ := talkstack.ParseTemplate(c.Value).Fill(vars)
		if matches(c.Op, strings.TrimSpace(got), strings.TrimSpace(want)) {
			return c.Next
		}
	}
	return n.Next
}

// matches applies one operator. Numbers are compared as numbers; dates and times compare well as they are kept.
func matches(op, got, want string) bool {
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	numbers := errA == nil && errB == nil
	switch op {
	case "equals":
		return strings.EqualFold(got, want) || numbers && a == b
	case "not_equals":
		return !strings.EqualFold(got, want) && (!numbers || a != b)
	case "contains":
		return strings.Contains(strings.ToLower(got), strings.ToLower(want))
	case "less":
		return numbers && a < b || !numbers && got != "" && got < want
	case "greater":
		return numbers && a > b || !numbers && got != "" && got > want
	case "empty":
		return got == ""
	case "not_empty":
		return got != ""
	}
	return false
}
