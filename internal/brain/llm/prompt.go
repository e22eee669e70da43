package llm

import (
	"strings"

	"talkstack"
	"talkstack/internal/brain"
)

// phoneRules follow the agent's own instruction. They say what a model cannot know by itself: that its words are
// spoken, that the caller's words come from a recogniser, and how the history marks an interruption.
const phoneRules = `You are speaking on the telephone. Your words are turned into speech, and the caller's words come from a speech recogniser.
- Answer in one to three short sentences, then let the caller speak. Ask one thing at a time.
- Write plain spoken words: no lists, no markdown, no emojis, no web addresses unless asked. Write numbers, dates and times as they are said.
- The recogniser makes mistakes. When something makes no sense, ask instead of guessing; repeat numbers, names and dates back.
- "` + interruptedMark + `" at the end of one of your messages means that the caller spoke over you there and heard no more of it. Do not write it yourself.
- "[keyed 12]" means that the caller pressed 12 on the telephone's keypad.
- Do not claim to have done something that no tool has done.
- When the conversation is over, say goodbye and call ` + EndCall + ` in the same answer.`

// How the history marks what has no words.
const (
	interruptedMark = "[interrupted]"
	greetingCue     = "[The call has just been answered. Greet the caller.]"
	silentCue       = "[The caller has said nothing.]"
)

// messages is the conversation as the model sees it: the instruction, the turns as they were heard, and the input.
func (b *Brain) messages(in brain.Input) []talkstack.ChatMessage {
	system := strings.TrimSpace(b.cfg.Prompt + "\n\n" + phoneRules)
	list := []talkstack.ChatMessage{{Role: talkstack.ChatSystem, Text: system}}
	add := func(role talkstack.ChatRole, text string) {
		text = strings.TrimSpace(text)
		last := &list[len(list)-1]
		switch {
		case text == "":
		case last.Role == role: // some models refuse two messages of one role in a row
			last.Text += "\n" + text
		default:
			list = append(list, talkstack.ChatMessage{Role: role, Text: text})
		}
	}
	for _, t := range in.History {
		switch t.Role {
		case talkstack.RoleUser:
			add(talkstack.ChatUser, t.Text)
		case talkstack.RoleAgent:
			if len(list) == 1 { // and some an assistant that speaks first
				add(talkstack.ChatUser, greetingCue)
			}
			text := t.Text
			if t.Interrupted {
				text += " " + interruptedMark
			}
			add(talkstack.ChatAssistant, text)
		case talkstack.RoleTool: // results were in the words the agent then said
		}
	}
	switch in.Kind {
	case brain.Greeting:
		add(talkstack.ChatUser, greetingCue)
	case brain.Keypad:
		add(talkstack.ChatUser, "[keyed "+in.Digits+"]")
	case brain.Utterance:
		add(talkstack.ChatUser, in.Text)
	}
	if list[len(list)-1].Role != talkstack.ChatUser {
		add(talkstack.ChatUser, silentCue)
	}
	return list
}
