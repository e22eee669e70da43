package talkstack

// Flow is a small graph of nodes that an agent follows without a language model.
type Flow struct {
	Start string     `json:"start" minLength:"1" maxLength:"64" doc:"Id of the first node."`
	Nodes []FlowNode `json:"nodes" minItems:"1" maxItems:"200"`
}

// FlowNodeKind says what a node does.
type FlowNodeKind string

// The node kinds.
const (
	FlowSay      FlowNodeKind = "say"      // speaks Text, goes to Next
	FlowAsk      FlowNodeKind = "ask"      // speaks Text, fills Slot from the answer, goes to Next (or OnFail)
	FlowBranch   FlowNodeKind = "branch"   // looks at a slot, goes to the first Case that matches, else Next
	FlowHTTP     FlowNodeKind = "http"     // makes Request, saves from its answer, goes to Next (or OnFail)
	FlowTransfer FlowNodeKind = "transfer" // speaks Text, hands the caller to the number To
	FlowEnd      FlowNodeKind = "end"      // speaks Text, hangs up
)

// FlowNode is one node. Which fields count depends on Kind. Texts may hold {{variables}} and {{slots}}.
type FlowNode struct {
	ID          string       `json:"id" minLength:"1" maxLength:"64"`
	Kind        FlowNodeKind `json:"kind" enum:"say,ask,branch,http,transfer,end"`
	Text        string       `json:"text,omitempty" maxLength:"2000"`
	Next        string       `json:"next,omitempty" doc:"Id of the following node; empty on the last."`
	OnFail      string       `json:"on_fail,omitempty" doc:"Node after max_attempts failed answers, or a failed request; empty: end the call politely."`
	Slot        *FlowSlot    `json:"slot,omitempty"`
	Reprompts   []string     `json:"reprompts,omitempty" maxItems:"5" doc:"What is said instead of text at the 2nd, 3rd … try; the last one repeats."`
	MaxAttempts int          `json:"max_attempts,omitempty" minimum:"0" maximum:"10" doc:"Tries before on_fail; 0 means 3."`
	Confirm     bool         `json:"confirm,omitempty" doc:"Read the value back and ask whether it is right."`
	On          string       `json:"on,omitempty" doc:"branch: name of the slot or variable to look at."`
	Cases       []FlowCase   `json:"cases,omitempty" maxItems:"50"`
	Request     *FlowRequest `json:"request,omitempty"`
	To          string       `json:"to,omitempty" doc:"transfer: E.164 number."`
}

// FlowSlotType is the type of value an ask node wants.
type FlowSlotType string

// The slot types, with the form in which a value is kept.
const (
	SlotYesNo  FlowSlotType = "yes_no" // "yes" or "no"
	SlotNumber FlowSlotType = "number" // decimal digits, with a point: "12", "3.5", "-4"
	SlotDate   FlowSlotType = "date"   // 2006-01-02, resolved against the day of the call
	SlotTime   FlowSlotType = "time"   // 15:04
	SlotPhone  FlowSlotType = "phone"  // digits, with + when said
	SlotDigits FlowSlotType = "digits" // digits as dictated or keyed: "004217"
	SlotName   FlowSlotType = "name"   // "Anna Smith"
	SlotChoice FlowSlotType = "choice" // the Value of one of Choices
	SlotText   FlowSlotType = "text"   // what was said
)

// FlowSlot is a typed value that an ask node fills.
type FlowSlot struct {
	Name    string       `json:"name" pattern:"^[A-Za-z_][A-Za-z0-9_]{0,63}$"`
	Type    FlowSlotType `json:"type" enum:"yes_no,number,date,time,phone,digits,name,choice,text"`
	Choices []FlowChoice `json:"choices,omitempty" maxItems:"50"`
	Min     *float64     `json:"min,omitempty" doc:"number: smallest value."`
	Max     *float64     `json:"max,omitempty" doc:"number: largest value."`
	Length  int          `json:"length,omitempty" minimum:"0" maximum:"32" doc:"digits: how many there must be; 0 means any."`
}

// FlowChoice is one value of a choice slot.
type FlowChoice struct {
	Value    string   `json:"value" minLength:"1" maxLength:"100"`
	Synonyms []string `json:"synonyms,omitempty" maxItems:"50" doc:"Other words for it."`
	Key      string   `json:"key,omitempty" maxLength:"1" doc:"Keypad digit that picks it."`
}

// FlowCase is one way out of a branch node.
type FlowCase struct {
	Op    string `json:"op" enum:"equals,not_equals,contains,less,greater,empty,not_empty"`
	Value string `json:"value,omitempty"`
	Next  string `json:"next" minLength:"1"`
}

// FlowRequest is the HTTP request of an http node. URL, headers and body may hold {{variables}} and {{slots}}.
type FlowRequest struct {
	Method  string            `json:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
	URL     string            `json:"url" maxLength:"2000"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty" maxLength:"20000"`
	Save    map[string]string `json:"save,omitempty" doc:"Slot name → dotted path in the JSON answer: appointment.id."`
	Timeout Milliseconds      `json:"timeout_ms,omitempty" minimum:"0" maximum:"30000" doc:"0 means 5000."`
}
