package flow

import "talkstack"

// What the engine itself says. Questions of the flow follow most of them.
const (
	saySorry      = "Sorry, I didn't get that."
	sayNoKeys     = "Please say it instead."
	sayGiveUp     = "I'm sorry, I could not understand you. Please call again later. Goodbye."
	sayFailed     = "I'm sorry, something went wrong on our side. Please call again later. Goodbye."
	sayNobody     = "I'm an automated assistant, and I can't put you through to a person. But I can help you with this."
	sayHold       = "Of course, take your time."
	sayHere       = "Yes, I can hear you."
	sayMachine    = "I'm an automated assistant."
	sayBye        = "All right. Goodbye."
	sayAllRight   = "All right."
	sayTooLate    = "I'm sorry, that has already been sent, so I can't change it any more."
	sayRetake     = "Sorry about that."
	sayYesOrNo    = "Please say yes or no."
	confirmEnding = ", is that right?"
	sayPutThrough = "One moment, I'll put you through."
)

// ownSentences are those that are always the same.
func ownSentences() []string {
	return []string{
		saySorry, sayNoKeys, sayGiveUp, sayFailed, sayNobody, sayHold, sayHere, sayMachine, sayBye, sayAllRight, sayTooLate,
		sayRetake, sayYesOrNo, sayPutThrough,
	}
}

// hint tells the caller what an answer may sound like.
func hint(s *talkstack.FlowSlot) string {
	switch s.Type {
	case talkstack.SlotYesNo:
		return sayYesOrNo
	case talkstack.SlotNumber:
		return "Please say a number, such as four."
	case talkstack.SlotDate:
		return "You can say a day, such as Thursday, or the third of December."
	case talkstack.SlotTime:
		return "You can say a time, such as half past three."
	case talkstack.SlotPhone:
		return "Please say the phone number digit by digit, or key it in."
	case talkstack.SlotDigits:
		return "Please say the digits one by one, or key them in."
	case talkstack.SlotName:
		return "You can say your name, or spell it."
	case talkstack.SlotChoice:
		return "You can say " + options(s) + "."
	case talkstack.SlotText:
	}
	return "You can say it in your own words."
}

// options names the choices: "a, b or c".
func options(s *talkstack.FlowSlot) string {
	text := ""
	for i, c := range s.Choices {
		switch {
		case i == 0:
		case i == len(s.Choices)-1:
			text += " or "
		default:
			text += ", "
		}
		text += c.Value
	}
	return text
}
