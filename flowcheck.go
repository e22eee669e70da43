package talkstack

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// The sizes that Check holds a flow to.
const (
	maxFlowNodes     = 200
	maxFlowID        = 64
	maxFlowText      = 2000
	maxFlowReprompts = 5
	maxFlowAttempts  = 10
	maxFlowChoices   = 50
	maxFlowChoice    = 100
	maxFlowBody      = 20_000
	maxFlowDigits    = 32
	maxFlowTimeout   = 30_000
)

// Check lists what is wrong with the flow; fields are paths such as nodes[2].next.
func (f *Flow) Check() []FieldError {
	c := flowCheck{flow: f, index: map[string]int{}, slots: map[string]FlowSlotType{}}
	if len(f.Nodes) == 0 || len(f.Nodes) > maxFlowNodes {
		c.add("nodes", "must hold 1 to %d nodes", maxFlowNodes)
	}
	for i := range f.Nodes {
		c.id(i)
	}
	if _, ok := c.index[f.Start]; !ok {
		c.add("start", "must be the id of a node")
	}
	for i := range f.Nodes {
		c.node(fmt.Sprintf("nodes[%d]", i), &f.Nodes[i])
	}
	if len(c.bad) == 0 { // the walks need targets that exist
		c.reachable()
		c.loops()
	}
	return c.bad
}

// Node is the node with that id; nil when there is none.
func (f *Flow) Node(id string) *FlowNode {
	for i := range f.Nodes {
		if f.Nodes[i].ID == id {
			return &f.Nodes[i]
		}
	}
	return nil
}

// flowCheck collects what is wrong with a flow.
type flowCheck struct {
	flow  *Flow
	bad   []FieldError
	index map[string]int          // id → place in Nodes
	slots map[string]FlowSlotType // slot name → its type where it was asked first
}

func (c *flowCheck) add(field, format string, args ...any) {
	c.bad = append(c.bad, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// needs reports an unmet condition.
func (c *flowCheck) needs(ok bool, field, format string, args ...any) {
	if !ok {
		c.add(field, format, args...)
	}
}

func (c *flowCheck) id(i int) {
	id, field := c.flow.Nodes[i].ID, fmt.Sprintf("nodes[%d].id", i)
	if id == "" || len(id) > maxFlowID {
		c.add(field, "must be 1 to %d characters long", maxFlowID)
		return
	}
	if first, ok := c.index[id]; ok {
		c.add(field, "is also the id of nodes[%d]", first)
		return
	}
	c.index[id] = i
}

// target checks a reference to a node; empty is allowed unless needed.
func (c *flowCheck) target(field, id string, needed bool) {
	if id == "" {
		c.needs(!needed, field, "is needed")
		return
	}
	_, ok := c.index[id]
	c.needs(ok, field, "must be the id of a node")
}

func (c *flowCheck) text(field, text string, needed bool) {
	c.needs(!needed || strings.TrimSpace(text) != "", field, "is needed")
	c.needs(utf8.RuneCountInString(text) <= maxFlowText, field, "must not be longer than %d characters", maxFlowText)
}

// node checks the fields of one node against its kind: those it needs, and that there are none it would ignore.
func (c *flowCheck) node(at string, n *FlowNode) {
	c.foreign(at, n)
	c.target(at+".next", n.Next, false)
	c.target(at+".on_fail", n.OnFail, false)
	switch n.Kind {
	case FlowSay:
		c.text(at+".text", n.Text, true)
	case FlowAsk:
		c.ask(at, n)
	case FlowBranch:
		c.branch(at, n)
	case FlowHTTP:
		c.text(at+".text", n.Text, false)
		c.request(at+".request", n.Request)
	case FlowTransfer:
		c.text(at+".text", n.Text, false)
		_, err := ParseE164(n.To)
		c.needs(err == nil, at+".to", "must be a phone number in E.164 form, such as +14155550148")
	case FlowEnd:
		c.text(at+".text", n.Text, false)
	default:
		c.add(at+".kind", "must be say, ask, branch, http, transfer or end")
	}
}

// foreign refuses fields that belong to other kinds: they would be ignored, and that is never what was meant.
func (c *flowCheck) foreign(at string, n *FlowNode) {
	for _, f := range []struct {
		name  string
		set   bool
		kinds []FlowNodeKind
	}{
		{"text", n.Text != "", []FlowNodeKind{FlowSay, FlowAsk, FlowHTTP, FlowTransfer, FlowEnd}},
		{"next", n.Next != "", []FlowNodeKind{FlowSay, FlowAsk, FlowBranch, FlowHTTP}},
		{"on_fail", n.OnFail != "", []FlowNodeKind{FlowAsk, FlowHTTP}},
		{"slot", n.Slot != nil, []FlowNodeKind{FlowAsk}},
		{"reprompts", len(n.Reprompts) > 0, []FlowNodeKind{FlowAsk}},
		{"max_attempts", n.MaxAttempts != 0, []FlowNodeKind{FlowAsk}},
		{"confirm", n.Confirm, []FlowNodeKind{FlowAsk}},
		{"on", n.On != "", []FlowNodeKind{FlowBranch}},
		{"cases", len(n.Cases) > 0, []FlowNodeKind{FlowBranch}},
		{"request", n.Request != nil, []FlowNodeKind{FlowHTTP}},
		{"to", n.To != "", []FlowNodeKind{FlowTransfer}},
	} {
		if f.set && !slices.Contains(f.kinds, n.Kind) {
			c.add(at+"."+f.name, "does not belong to a node of kind %q", n.Kind)
		}
	}
}

func (c *flowCheck) ask(at string, n *FlowNode) {
	c.text(at+".text", n.Text, true)
	c.needs(len(n.Reprompts) <= maxFlowReprompts, at+".reprompts", "must not be more than %d", maxFlowReprompts)
	for i, r := range n.Reprompts {
		c.text(fmt.Sprintf("%s.reprompts[%d]", at, i), r, true)
	}
	c.needs(n.MaxAttempts >= 0 && n.MaxAttempts <= maxFlowAttempts, at+".max_attempts", "must be between 0 and %d", maxFlowAttempts)
	if n.Slot == nil {
		c.add(at+".slot", "is needed")
		return
	}
	c.slot(at+".slot", n.Slot)
}

func (c *flowCheck) slot(at string, s *FlowSlot) {
	c.needs(ValidSlotName(s.Name), at+".name", "must start with a letter or _ and hold at most 64 letters, digits and _")
	switch s.Type {
	case SlotYesNo, SlotNumber, SlotDate, SlotTime, SlotPhone, SlotDigits, SlotName, SlotChoice, SlotText:
	default:
		c.add(at+".type", "must be yes_no, number, date, time, phone, digits, name, choice or text")
	}
	if first, ok := c.slots[s.Name]; ok && first != s.Type {
		c.add(at+".type", "differs from the type this slot has in an earlier node: %s", first)
	} else {
		c.slots[s.Name] = s.Type
	}
	c.needs(s.Type == SlotNumber || s.Min == nil && s.Max == nil, at+".min", "and max belong to type number only")
	c.needs(s.Min == nil || s.Max == nil || *s.Min <= *s.Max, at+".max", "must not be less than min")
	c.needs(s.Type == SlotDigits || s.Length == 0, at+".length", "belongs to type digits only")
	c.needs(s.Length >= 0 && s.Length <= maxFlowDigits, at+".length", "must be between 0 and %d", maxFlowDigits)
	if s.Type == SlotChoice {
		c.choices(at+".choices", s.Choices)
	} else {
		c.needs(len(s.Choices) == 0, at+".choices", "belong to type choice only")
	}
}

func (c *flowCheck) choices(at string, choices []FlowChoice) {
	c.needs(len(choices) > 0 && len(choices) <= maxFlowChoices, at, "must be 1 to %d choices", maxFlowChoices)
	values, keys := map[string]bool{}, map[string]bool{}
	for i, ch := range choices {
		at := fmt.Sprintf("%s[%d]", at, i)
		value := strings.ToLower(strings.TrimSpace(ch.Value))
		c.needs(value != "" && utf8.RuneCountInString(value) <= maxFlowChoice, at+".value", "must be 1 to %d characters long", maxFlowChoice)
		c.needs(!values[value], at+".value", "is there twice")
		values[value] = true
		c.needs(len(ch.Synonyms) <= maxFlowChoices, at+".synonyms", "must not be more than %d", maxFlowChoices)
		for j, s := range ch.Synonyms {
			c.needs(strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= maxFlowChoice,
				fmt.Sprintf("%s.synonyms[%d]", at, j), "must be 1 to %d characters long", maxFlowChoice)
		}
		if ch.Key == "" {
			continue
		}
		c.needs(len(ch.Key) == 1 && strings.Contains("0123456789*", ch.Key), at+".key", "must be one of 0-9 and * (# ends keypad input)")
		c.needs(!keys[ch.Key], at+".key", "is there twice")
		keys[ch.Key] = true
	}
}

func (c *flowCheck) branch(at string, n *FlowNode) {
	c.needs(validPath(n.On), at+".on", "must be the name of a slot or variable")
	c.needs(len(n.Cases) > 0 && len(n.Cases) <= maxFlowChoices, at+".cases", "must be 1 to %d cases", maxFlowChoices)
	for i, cs := range n.Cases {
		at := fmt.Sprintf("%s.cases[%d]", at, i)
		switch cs.Op {
		case "equals", "not_equals", "contains", "less", "greater":
			c.needs(cs.Value != "", at+".value", "is needed")
		case "empty", "not_empty":
			c.needs(cs.Value == "", at+".value", "does not belong to %s", cs.Op)
		default:
			c.add(at+".op", "must be equals, not_equals, contains, less, greater, empty or not_empty")
		}
		c.needs(utf8.RuneCountInString(cs.Value) <= maxFlowText, at+".value", "must not be longer than %d characters", maxFlowText)
		c.target(at+".next", cs.Next, true)
	}
}

func (c *flowCheck) request(at string, r *FlowRequest) {
	if r == nil {
		c.add(at, "is needed")
		return
	}
	c.needs(slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.Method), at+".method", "must be GET, POST, PUT, PATCH or DELETE")
	c.needs(validFlowURL(r.URL), at+".url", "must start with http:// or https:// and a host, and not be longer than %d characters", maxFlowText)
	c.needs(len(r.Body) <= maxFlowBody, at+".body", "must not be longer than %d characters", maxFlowBody)
	c.needs(r.Timeout >= 0 && r.Timeout <= maxFlowTimeout, at+".timeout_ms", "must be between 0 and %d", maxFlowTimeout)
	c.needs(len(r.Headers) <= maxFlowChoices, at+".headers", "must not be more than %d", maxFlowChoices)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		c.needs(validHeaderName(name), at+".headers", "holds %q, which is no header name", name)
		value := r.Headers[name]
		c.needs(len(value) <= maxFlowText && !strings.ContainsAny(value, "\r\n\x00"), at+".headers", "holds a value for %s that is too long or has a line break", name)
	}
	c.needs(len(r.Save) <= maxFlowChoices, at+".save", "must not be more than %d", maxFlowChoices)
	for _, name := range slices.Sorted(maps.Keys(r.Save)) {
		c.needs(ValidSlotName(name), at+".save", "holds %q, which is no slot name", name)
		path := r.Save[name]
		c.needs(strings.TrimSpace(path) != "" && len(path) <= maxFlowText, at+".save", "holds no path for %s", name)
	}
}

// reachable refuses nodes that no path from the start leads to.
func (c *flowCheck) reachable() {
	seen := map[string]bool{}
	var walk func(id string)
	walk = func(id string) {
		if id == "" || seen[id] {
			return
		}
		seen[id] = true
		for _, next := range c.flow.Nodes[c.index[id]].targets() {
			walk(next)
		}
	}
	walk(c.flow.Start)
	for i, n := range c.flow.Nodes {
		c.needs(seen[n.ID], fmt.Sprintf("nodes[%d].id", i), "cannot be reached from start")
	}
}

// loops refuses circles without an ask node: nobody could ever get out of one.
func (c *flowCheck) loops() {
	const open, closed = 1, 2
	mark := map[string]int{}
	var walk func(id string)
	walk = func(id string) {
		n := &c.flow.Nodes[c.index[id]]
		if n.Kind == FlowAsk || mark[id] == closed {
			return
		}
		if mark[id] == open {
			c.add(fmt.Sprintf("nodes[%d].next", c.index[id]), "leads back here without an ask node on the way")
			return
		}
		mark[id] = open
		for _, next := range n.targets() {
			walk(next)
		}
		mark[id] = closed
	}
	for _, n := range c.flow.Nodes {
		walk(n.ID)
	}
}

// targets are the ids that n leads to.
func (n *FlowNode) targets() []string {
	var ids []string
	for _, cs := range n.Cases {
		ids = append(ids, cs.Next)
	}
	ids = append(ids, n.Next, n.OnFail)
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// ValidSlotName reports whether s can name a slot.
func ValidSlotName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// validPath reports whether s is a name that a placeholder could hold.
func validPath(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !validVariable(part) {
			return false
		}
	}
	return len(s) <= 200
}

// validFlowURL checks what can be checked of a URL before its placeholders are filled. The host is part of that:
// a caller's words must not choose the machine a request goes to.
func validFlowURL(s string) bool {
	if len(s) > maxFlowText {
		return false
	}
	var b strings.Builder
	for _, p := range ParseTemplate(s).parts {
		if p.name == "" {
			b.WriteString(p.text)
		} else {
			b.WriteString("\x00")
		}
	}
	scheme, rest, _ := strings.Cut(b.String(), "://")
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if strings.ContainsRune(scheme+host, 0) {
		return false
	}
	u, err := url.Parse(strings.ReplaceAll(b.String(), "\x00", "x"))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// validHeaderName checks for a token (RFC 9110 section 5.6.2).
func validHeaderName(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != "" && len(s) <= 200
}
