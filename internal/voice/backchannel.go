package voice

// maxBackchannel is how many words a listener's sign of attention has at most.
const maxBackchannel = 4

// backchannel reports whether words only say that the caller is listening: "mm-hm", "yeah, okay", "I see".
func backchannel(words []string) bool {
	if len(words) == 0 || len(words) > maxBackchannel {
		return false
	}
	for i := 0; i < len(words); i++ {
		if i+1 < len(words) && listenerPhrase(words[i], words[i+1]) {
			i++
			continue
		}
		if !listenerWord(words[i]) {
			return false
		}
	}
	return true
}

func listenerWord(w string) bool {
	switch w {
	case "mm", "mmm", "hm", "hmm", "mhm", "mmhm", "mmhmm", "mhmm", "uhhuh", "uh", "huh", "um", "ah", "aha", "oh", "ooh", "eh",
		"yeah", "yes", "yep", "yup", "ya", "ok", "okay", "k", "right", "sure", "alright", "cool", "good", "great", "nice", "fine", "exactly":
		return true
	}
	return false
}

func listenerPhrase(a, b string) bool {
	switch a + " " + b {
	case "i see", "got it", "uh huh", "mm hm", "mm hmm", "of course", "go on", "all right", "i know":
		return true
	}
	return false
}

// acknowledges reports whether words begin as a backchannel does and hold nothing that asks the agent to stop.
func acknowledges(words []string) bool {
	if len(words) == 0 || len(words) > maxBackchannel || !listenerWord(words[0]) {
		return false
	}
	for _, w := range words[1:] {
		switch w {
		case "no", "not", "stop", "wait", "but", "what", "who", "hold", "hang", "sorry", "actually", "one":
			return false
		}
	}
	return true
}

// pickUp reports whether words are how a telephone is answered: "Hello?", "Yes, hello", "Hello, this is Anna speaking".
func pickUp(words []string) bool {
	if len(words) == 0 || len(words) > 7 {
		return false
	}
	for i, w := range words {
		switch w {
		case "hello", "hi", "hey", "hullo", "yes", "yeah", "speaking", "here", "good", "morning", "afternoon", "evening", "day", "there":
		case "this", "it's", "i'm":
			return len(words)-i <= 5 // a name follows
		default:
			return false
		}
	}
	return true
}

// farewell reports whether words only say goodbye: no reason to stop an agent that is saying it too.
func farewell(words []string) bool {
	if len(words) == 0 || len(words) > 8 {
		return false
	}
	for _, w := range words {
		if listenerWord(w) {
			continue
		}
		switch w {
		case "bye", "goodbye", "byebye", "thanks", "thank", "you", "too", "cheers", "have", "a", "day", "one", "evening", "see", "later", "very", "much", "so":
		default:
			return false
		}
	}
	return true
}
