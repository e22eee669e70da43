package spoken

// Intent is what a caller wants of the conversation itself, whatever was asked.
type Intent int

// The intents.
const (
	NoIntent Intent = iota
	Repeat          // "Could you say that again?"
	Help            // "What can I say?"
	Human           // "I want to speak to a person."
	Hold            // "One moment, please."
	Goodbye         // "That's all, bye."
	Thanks          // "Thank you."
	Hello           // "Hello? Are you there?"
	Identity        // "Are you a robot?"
)

// intentRule is a list of phrases for an intent. An utterance with more than most meaning words says something else.
type intentRule struct {
	intent  Intent
	most    int
	phrases []string
}

func intentRules() []intentRule {
	return []intentRule{
		{Human, 16, []string{
			"speak to a human", "talk to a human", "real person", "human being", "speak to someone", "talk to someone", "speak to somebody", "talk to somebody",
			"speak to a person", "talk to a person", "speak with a person", "speak with someone", "speak with a human", "representative", "operator", "live agent", "human agent",
			"speak to an agent", "talk to an agent", "real human", "actual person", "put me through", "transfer me", "connect me", "customer service", "talk to a real", "speak to a real",
		}},
		{Identity, 9, []string{"are you a robot", "are you a machine", "are you human", "are you a human", "are you real", "are you a real", "am i talking to", "am i speaking to", "am i speaking with", "who are you", "whos this", "who is this", "who am i", "are you an ai", "are you a computer", "is this a recording", "is this a robot"}},
		{Repeat, 9, []string{
			"repeat", "say that again", "say it again", "come again", "one more time", "what did you say", "didnt catch", "did not catch", "didnt hear", "did not hear", "couldnt hear", "cant hear you",
			"didnt understand", "did not understand", "what was that", "what was the question", "whats the question", "didnt get that", "beg your pardon", "pardon", "excuse me", "say again", "could you say", "can you say that",
		}},
		{Help, 8, []string{"what can i say", "what are my options", "what are the options", "what options", "what are the choices", "which options", "what do you mean", "what should i say", "how does this work", "i need help", "help me"}},
		{Hold, 7, []string{"one moment", "just a moment", "a moment", "one second", "just a second", "a second", "hold on", "hang on", "wait a minute", "give me a minute", "give me a second", "let me check", "let me see", "let me look", "one sec", "just a minute", "one minute"}},
		{Goodbye, 9, []string{"goodbye", "good bye", "bye", "bye bye", "see you", "talk to you later", "thats all", "that is all", "that will be all", "thatll be all", "thats it", "nothing else", "have a nice day", "have a good day", "have a great day", "im done", "hang up"}},
		{Hello, 6, []string{"are you there", "anybody there", "anyone there", "can you hear me", "do you hear me", "is anyone there"}},
		{Thanks, 5, []string{"thank you", "thanks", "cheers", "thank you very much", "thank you so much"}},
	}
}

// Intent reads what the caller wants of the conversation itself.
func (u *Utterance) Intent() Intent {
	n := u.Words()
	for _, rule := range intentRules() {
		if _, ok := u.has(rule.phrases...); ok && n <= rule.most {
			return rule.intent
		}
	}
	free := u.free()
	switch {
	case len(free) == 1 && u.is(free[0], "what", "sorry", "huh", "eh"):
		return Repeat
	case len(free) == 1 && u.is(free[0], "help", "options"):
		return Help
	case len(free) == 1 && u.is(free[0], "human", "agent", "person"):
		return Human
	case len(free) > 0 && n == 0 && u.is(free[0], "hello", "hi", "hey"):
		return Hello
	}
	return NoIntent
}

// Says reports whether any of the phrases occurs in the utterance. Phrases are lower case, without apostrophes.
func (u *Utterance) Says(phrases ...string) bool {
	_, ok := u.has(phrases...)
	return ok
}
