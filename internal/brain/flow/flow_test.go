package flow_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/flow"
)

// monday is when the calls of these tests take place: Monday, November 23rd 2026, at ten in the morning.
func monday() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

// line is one exchange of a story: what the caller does, and what the agent's answer must hold.
type line struct {
	caller string   // keypad input when it begins with "keys:"; "" at the very start: the agent greets
	agent  []string // parts of the answer
}

// story plays a whole conversation and returns how it ended.
func story(t *testing.T, b *flow.Brain, lines []line) brain.Action {
	t.Helper()
	var action brain.Action
	for _, l := range lines {
		in := brain.Input{Kind: brain.Utterance, Text: l.caller}
		if keys, ok := strings.CutPrefix(l.caller, "keys:"); ok {
			in = brain.Input{Kind: brain.Keypad, Digits: keys}
		} else if l.caller == "" {
			in = brain.Input{Kind: brain.Greeting}
		}
		text, a := answer(t, b, in)
		for _, want := range l.agent {
			if !strings.Contains(text, want) {
				t.Fatalf("%q: the agent said %q, want %q in it", l.caller, text, want)
			}
		}
		action = a
	}
	return action
}

// answer gives the brain one input and commits its reply.
func answer(t *testing.T, b *flow.Brain, in brain.Input) (string, brain.Action) {
	t.Helper()
	r := b.Reply(t.Context(), in)
	defer r.Close()
	r.Commit()
	var text strings.Builder
	var action brain.Action
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text.String(), action
		}
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(p.Text)
		if p.Action.Kind != brain.NoAction {
			action = p.Action
		}
	}
}

func wantSlots(t *testing.T, b *flow.Brain, want map[string]string) {
	t.Helper()
	if got := b.Slots(); !maps.Equal(got, want) {
		t.Errorf("slots are %v, want %v", got, want)
	}
}

func demo(t *testing.T) *flow.Brain {
	t.Helper()
	f := flow.Demo()
	if bad := f.Check(); len(bad) > 0 {
		t.Fatalf("the demo flow is not valid: %v", bad)
	}
	return flow.New(flow.Config{Flow: f, Now: monday, Location: time.UTC, Caller: "+15005550001"})
}

func TestDemoBooksAnAppointment(t *testing.T) {
	t.Parallel()
	b := demo(t)
	end := story(t, b, []line{
		{"Thursday, please.", []string{"At what time?"}},
		{"Half past three.", []string{"a check-up, a cleaning, or a toothache?"}},
		{"A check up.", []string{"what is your name?"}},
		{"My name is Anna Smith.", []string{"send a reminder"}},
		{"Yes.", []string{"So that is Thursday, November 26th, at 3:30 PM, for a check-up, under the name Anna Smith. Is that all correct?"}},
		{"Yes, that's right.", []string{"Thank you, Anna Smith.", "Goodbye."}},
	})
	if end.Kind != brain.Hangup {
		t.Errorf("the call ends with %v, want a hang-up", end)
	}
	wantSlots(t, b, map[string]string{
		"date": "2026-11-26", "time": "15:30", "reason": "check-up", "name": "Anna Smith", "reminder": "yes", "confirmed": "yes",
	})
}

func TestCallerSaysSeveralThingsAtOnceAndChangesTheirMind(t *testing.T) {
	t.Parallel()
	b := demo(t)
	story(t, b, []line{
		{"Hi, I'd like a cleaning on Tuesday at three.", []string{"And what is your name?"}},
		{"Actually, make it four o'clock.", []string{"All right, 4 PM.", "what is your name?"}},
		{"It's Anna Smith, and I meant Wednesday.", []string{"All right, Wednesday, November 25th.", "reminder"}},
		{"Could you repeat that?", []string{"Shall we send a reminder"}},
		{"No.", []string{"Which number should we use?"}},
		{"keys:4155550148#", []string{"4 1 5, 5 5 5, 0 1 4 8, is that right?"}},
		{"Yes.", []string{"So that is Wednesday, November 25th, at 4 PM, for a cleaning, under the name Anna Smith."}},
		{"No, Thursday.", []string{"All right.", "So that is Thursday, November 26th, at 4 PM"}},
		{"Yes, but make it half past four.", []string{"So that is Thursday, November 26th, at 4:30 PM"}},
		{"Yes.", []string{"Thank you, Anna Smith."}},
	})
	wantSlots(t, b, map[string]string{
		"date": "2026-11-26", "time": "16:30", "reason": "cleaning", "name": "Anna Smith", "reminder": "no", "phone": "4155550148", "confirmed": "yes",
	})
}

func TestChangingAnAnswerThatDecidedTheWayGoesAnotherWay(t *testing.T) {
	t.Parallel()
	f := &talkstack.Flow{Start: "kind", Nodes: []talkstack.FlowNode{
		{ID: "kind", Kind: talkstack.FlowAsk, Text: "Sales or support?", Next: "way", Slot: &talkstack.FlowSlot{Name: "kind", Type: talkstack.SlotChoice, Choices: []talkstack.FlowChoice{{Value: "sales"}, {Value: "support"}}}},
		{ID: "way", Kind: talkstack.FlowBranch, On: "kind", Next: "sell", Cases: []talkstack.FlowCase{{Op: "equals", Value: "support", Next: "when"}}},
		{ID: "sell", Kind: talkstack.FlowAsk, Text: "How many would you like?", Next: "end", Slot: &talkstack.FlowSlot{Name: "count", Type: talkstack.SlotNumber}},
		{ID: "when", Kind: talkstack.FlowAsk, Text: "When did it break?", Next: "end", Slot: &talkstack.FlowSlot{Name: "when", Type: talkstack.SlotDate}},
		{ID: "end", Kind: talkstack.FlowEnd, Text: "Thank you."},
	}}
	if bad := f.Check(); len(bad) > 0 {
		t.Fatal(bad)
	}
	b := flow.New(flow.Config{Flow: f, Now: monday})
	story(t, b, []line{
		{"", []string{"Sales or support?"}},
		{"Sales.", []string{"How many"}},
		{"No, I meant support.", []string{"All right, support.", "When did it break?"}},
		{"Yesterday.", []string{"Thank you."}},
	})
	wantSlots(t, b, map[string]string{"kind": "support", "when": "2026-11-22"})
}

// booking asks for a date and a time, both read back.
func booking() *talkstack.Flow {
	return &talkstack.Flow{Start: "date", Nodes: []talkstack.FlowNode{
		{ID: "date", Kind: talkstack.FlowAsk, Text: "Which day?", Confirm: true, Next: "time", Slot: &talkstack.FlowSlot{Name: "date", Type: talkstack.SlotDate}},
		{ID: "time", Kind: talkstack.FlowAsk, Text: "What time?", Confirm: true, Next: "end", Slot: &talkstack.FlowSlot{Name: "time", Type: talkstack.SlotTime}},
		{ID: "end", Kind: talkstack.FlowEnd, Text: "See you {{date}} at {{time}}."},
	}}
}

func TestConfirmation(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]line{
		"yes": {
			{"Thursday.", []string{"Thursday, November 26th, is that right?"}},
			{"Yes.", []string{"What time?"}},
		},
		"corrected in the same breath": {
			{"Thursday.", nil},
			{"No, Friday.", []string{"Friday, November 27th, is that right?"}},
			{"Right.", []string{"What time?"}},
		},
		"corrected without a no": {
			{"Thursday.", nil},
			{"Friday.", []string{"Friday, November 27th, is that right?"}},
		},
		"said again": {
			{"Thursday.", nil},
			{"Thursday.", []string{"What time?"}},
		},
		"refused": {
			{"Thursday.", nil},
			{"No.", []string{"Which day?"}},
			{"Friday", []string{"Friday, November 27th, is that right?"}},
		},
		"both in one sentence": {
			{"Thursday at half past three.", []string{"Thursday, November 26th and 3:30 PM, is that right?"}},
			{"No, at four.", []string{"Thursday, November 26th and 4 PM, is that right?"}},
			{"Yes.", []string{"See you Thursday, November 26th at 4 PM."}},
		},
		"the day, while the time is confirmed": {
			{"Thursday.", nil},
			{"Yes.", nil},
			{"Three.", []string{"3 PM, is that right?"}},
			{"No, Friday.", []string{"All right, Friday, November 27th.", "3 PM, is that right?"}},
			{"Yes.", []string{"See you Friday, November 27th at 3 PM."}},
		},
		"the half of the day": {
			{"Thursday", nil},
			{"Yes", nil},
			{"Eight.", []string{"8 AM, is that right?"}},
			{"No, in the evening.", []string{"8 PM, is that right?"}},
		},
		"yes, and more": {
			{"Thursday.", nil},
			{"Yes, at half past three.", []string{"3:30 PM, is that right?"}},
		},
		"by key": {
			{"Thursday.", nil},
			{"keys:1#", []string{"What time?"}},
		},
		"unclear": {
			{"Thursday.", nil},
			{"Bananas.", []string{"Sorry, I didn't get that. Thursday, November 26th, is that right?"}},
			{"Can you say that again?", []string{"Thursday, November 26th, is that right?"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, flow.New(flow.Config{Flow: booking(), Now: monday}), append([]line{{"", []string{"Which day?"}}}, lines...))
		})
	}
}

func TestGivesUpAfterTheLastAttempt(t *testing.T) {
	t.Parallel()
	f := booking()
	f.Nodes[0].Reprompts = []string{"Sorry, which day?", "A weekday, please."}
	f.Nodes[0].OnFail, f.Nodes[0].MaxAttempts = "bad", 3
	f.Nodes = append(f.Nodes, talkstack.FlowNode{ID: "bad", Kind: talkstack.FlowTransfer, Text: "I'll put you through.", To: "+1 415 555 0100"})
	end := story(t, flow.New(flow.Config{Flow: f, Now: monday}), []line{
		{"", []string{"Which day?"}},
		{"Bananas.", []string{"Sorry, which day?"}},
		{"Thursday or Friday.", []string{"I need one day.", "A weekday, please."}},
		{"Bananas.", []string{"I'll put you through."}},
	})
	if end != (brain.Action{Kind: brain.Transfer, Target: "+14155550100"}) {
		t.Errorf("the call ends with %v", end)
	}
	end = story(t, flow.New(flow.Config{Flow: booking(), Now: monday}), []line{{"", nil}, {"Bananas.", nil}, {"Bananas.", nil}, {"Bananas.", []string{"Goodbye."}}})
	if end.Kind != brain.Hangup {
		t.Errorf("without on_fail the call ends with %v", end)
	}
}

func TestPersonIsAskedFor(t *testing.T) {
	t.Parallel()
	story(t, demo(t), []line{
		{"", nil},
		{"I want to speak to a human.", []string{"I can't put you through", "On which day"}},
		{"What can I say?", []string{"such as Thursday"}},
		{"Hold on.", []string{"take your time"}},
		{"Are you a robot?", []string{"I'm an automated assistant.", "On which day"}},
	})
}

func TestSpeculationLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := demo(t)
	answer(t, b, brain.Input{Kind: brain.Greeting})
	r := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: "Tuesday"})
	if p, err := r.Next(); err != nil || p.Text != "At what time?" {
		t.Fatalf("speculation said %q, %v", p.Text, err)
	}
	r.Close()
	wantSlots(t, b, map[string]string{})
	answer(t, b, brain.Input{Kind: brain.Utterance, Text: "Tuesday the first"})
	wantSlots(t, b, map[string]string{"date": "2026-12-01"})
}

func TestExpectsDigits(t *testing.T) {
	t.Parallel()
	f := &talkstack.Flow{Start: "code", Nodes: []talkstack.FlowNode{
		{ID: "code", Kind: talkstack.FlowAsk, Text: "Your code?", Confirm: true, Slot: &talkstack.FlowSlot{Name: "code", Type: talkstack.SlotDigits, Length: 6}},
	}}
	b := flow.New(flow.Config{Flow: f})
	story(t, b, []line{{"", nil}, {"Four one five.", []string{"I got 4 1 5. There should be 6 digits."}}})
	if yes, n := b.ExpectsDigits(); !yes || n != 6 {
		t.Errorf("ExpectsDigits is %v, %d while the code is asked for", yes, n)
	}
	story(t, b, []line{{"415 222", []string{"4 1 5, 2 2 2, is that right?"}}})
	if yes, _ := b.ExpectsDigits(); yes {
		t.Error("ExpectsDigits while a yes or no is waited for")
	}
}

func TestSentencesHoldNoSlots(t *testing.T) {
	t.Parallel()
	list := strings.Join(demo(t).Sentences(), "\n")
	if !strings.Contains(list, "At what time?") || strings.Contains(list, "under the name") {
		t.Errorf("sentences are:\n%s", list)
	}
}

func FuzzFlow(f *testing.F) {
	for _, fl := range []*talkstack.Flow{flow.Demo(), booking()} {
		b, err := json.Marshal(fl)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "Thursday at three|no, Friday|yes|415 555 0148|keys:1#|Anna|a check-up")
	}
	f.Fuzz(func(t *testing.T, definition []byte, said string) {
		var fl talkstack.Flow
		if json.Unmarshal(definition, &fl) != nil {
			return
		}
		sound := len(fl.Check()) == 0
		b := flow.New(flow.Config{Flow: &fl, Now: monday})
		b.Sentences()
		over := false
		for i, text := range strings.Split("|"+said, "|") {
			if i > 30 {
				break
			}
			in := brain.Input{Kind: brain.Utterance, Text: text}
			if keys, ok := strings.CutPrefix(text, "keys:"); ok {
				in = brain.Input{Kind: brain.Keypad, Digits: keys}
			}
			said, action := answer(t, b, in)
			over = over || action.Kind != brain.NoAction
			if sound && !over && said == "" && !strings.Contains(string(definition), "{{") {
				t.Errorf("%q: the agent is mute", text)
			}
		}
	})
}

// A caller who goes on before the next question was heard is asked the same again, with all of what was said.
func TestRetractedReplyLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := flow.New(flow.Config{Flow: flow.Demo(), Now: func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }})
	say := func(text string) brain.Reply {
		r := b.Reply(t.Context(), brain.Input{Kind: brain.Utterance, Text: text})
		r.Commit()
		return r
	}
	start := b.Reply(t.Context(), brain.Input{Kind: brain.Greeting})
	start.Commit()
	early := say("Thursday.")
	early.(brain.Retractor).Retract()
	early.Close()
	if got := b.Slots(); len(got) != 0 {
		t.Fatalf("slots after a retracted answer: %v, want none", got)
	}
	say("Thursday. No, Friday.").Close()
	if got := b.Slots()["date"]; got != "2026-11-27" {
		t.Errorf("date is %q, want 2026-11-27", got)
	}
}

func TestDictatedDigitsCorrectNoTime(t *testing.T) {
	t.Parallel()
	for _, number := range []string{
		"My number is. Four one five. Five, five, five. Zero one two three.",
		"No, use four one five, five five five, zero one two three.",
	} {
		b := flow.New(flow.Config{Flow: flow.Demo(), Now: monday})
		story(t, b, []line{
			{"", nil},
			{"Thursday.", []string{"what time"}},
			{"Half past three.", []string{"check-up"}},
			{"A cleaning.", []string{"name"}},
			{"Anna Smith.", []string{"reminder"}},
			{"No.", []string{"Which number"}},
			{number, []string{"4 1 5, 5 5 5, 0 1 2 3"}},
			{"Yes.", []string{"3:30"}},
		})
		if s := b.Slots(); s["phone"] != "4155550123" || s["time"] != "15:30" {
			t.Errorf("%q: slots %v", number, s)
		}
	}
}
