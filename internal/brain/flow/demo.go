package flow

import "talkstack"

// DemoGreeting is the first sentence of the demo agent: it already puts the first question of Demo.
const DemoGreeting = "Hello, this is the Talkstack demo clinic. On which day would you like to come?"

// Demo is the flow of the demo agent: it books an appointment. Its slots are date, time, reason, name, reminder,
// phone (only when there is to be no reminder on the caller's number) and confirmed.
func Demo() *talkstack.Flow {
	ask := func(id, next, text string, slot talkstack.FlowSlot, reprompts ...string) talkstack.FlowNode {
		slot.Name = id
		return talkstack.FlowNode{
			ID: id, Kind: talkstack.FlowAsk, Text: text, Next: next, OnFail: "sorry",
			Slot: &slot, Reprompts: reprompts,
		}
	}
	phone := ask("phone", "confirmed", "Which number should we use? You can say it, or key it in.",
		talkstack.FlowSlot{Type: talkstack.SlotPhone}, "Please say the number digit by digit, or key it in and press hash.")
	phone.Confirm = true
	return &talkstack.Flow{Start: "date", Nodes: []talkstack.FlowNode{
		ask("date", "time", "On which day would you like to come?", talkstack.FlowSlot{Type: talkstack.SlotDate},
			"Sorry, which day was that? You can say, for example, Thursday.", "Please say a day of the week, or a date."),
		ask("time", "reason", "At what time?", talkstack.FlowSlot{Type: talkstack.SlotTime},
			"Sorry, at what time? You can say, for example, half past three.", "Please say a time, such as ten o'clock."),
		ask("reason", "name", "Is it for a check-up, a cleaning, or a toothache?", talkstack.FlowSlot{Type: talkstack.SlotChoice, Choices: []talkstack.FlowChoice{
			{Value: "check-up", Synonyms: []string{"check", "examination", "routine visit", "regular visit"}, Key: "1"},
			{Value: "cleaning", Synonyms: []string{"clean", "teeth cleaned", "hygiene"}, Key: "2"},
			{Value: "toothache", Synonyms: []string{"tooth hurts", "teeth hurt", "pain", "ache", "emergency"}, Key: "3"},
		}}, "Sorry, was that a check-up, a cleaning, or a toothache?"),
		ask("name", "reminder", "And what is your name?", talkstack.FlowSlot{Type: talkstack.SlotName},
			"Sorry, what is your name?", "Please say your first and last name."),
		ask("reminder", "where", "Shall we send a reminder to the number you are on now?", talkstack.FlowSlot{Type: talkstack.SlotYesNo},
			"Sorry, may we send a reminder to this number? Please say yes or no."),
		{ID: "where", Kind: talkstack.FlowBranch, On: "reminder", Next: "confirmed", Cases: []talkstack.FlowCase{
			{Op: "equals", Value: "no", Next: "phone"},
		}},
		phone,
		ask("confirmed", "check", "So that is {{date}}, at {{time}}, for a {{reason}}, under the name {{name}}. Is that all correct?",
			talkstack.FlowSlot{Type: talkstack.SlotYesNo},
			"Sorry, is {{date}}, at {{time}}, for a {{reason}}, correct? Please say yes or no."),
		{ID: "check", Kind: talkstack.FlowBranch, On: "confirmed", Next: "again", Cases: []talkstack.FlowCase{
			{Op: "equals", Value: "yes", Next: "done"},
		}},
		{ID: "again", Kind: talkstack.FlowSay, Text: "All right, let us go through it once more.", Next: "date"},
		{ID: "done", Kind: talkstack.FlowEnd, Text: "Thank you, {{name}}. We will see you on {{date}}. Goodbye."},
		{ID: "sorry", Kind: talkstack.FlowEnd, Text: "I'm sorry, I could not understand you. Please call again later. Goodbye."},
	}}
}
