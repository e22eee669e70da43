package analysis

import (
	"slices"
	"strings"
)

// polarity is what an answer says to a question of yes or no.
type polarity int

const (
	unclear polarity = iota
	agreed
	refused
)

func (p polarity) String() string {
	switch p {
	case agreed:
		return "Yes"
	case refused:
		return "No"
	case unclear:
	}
	return ""
}

// yesLeads agree with any question when an answer begins with them; the longer stand before the shorter.
func yesLeads() []string {
	return []string{
		"yes", "yeah", "yep", "yup", "yea", "yah", "sure", "of course", "certainly", "absolutely", "definitely", "correct", "exactly", "indeed", "affirmative", "mm hm", "mmhm", "mhm", "uh huh", "that is right", "thats right", "that is correct",
		"thats correct", "thats true", "that is true", "i do", "i am", "i have", "i did", "i would", "i will", "i can", "i was", "we do", "we are", "we have", "we did", "we can", "we will", "it is", "it does", "it was", "right", "you got it",
	}
}

// offerLeads agree with an offer alone: to "do you have a car?" they say nothing.
func offerLeads() []string {
	return []string{
		"ok", "okay", "alright", "all right", "fine", "please", "please do", "go ahead", "sounds good", "sounds great", "that sounds good", "that sounds great", "works for me", "that works", "that would work", "that would be great", "that would be good",
		"that would be nice", "that would be fine", "thats fine", "that is fine", "thats ok", "thats good", "perfect", "great", "id love to", "id like that", "i would love to", "i would like that", "lets do it", "lets do that", "with pleasure", "gladly", "no problem", "why not",
	}
}

// noLeads refuse when an answer begins with them.
func noLeads() []string {
	return []string{
		"no", "nope", "nah", "not really", "not at all", "not interested", "never", "negative", "of course not", "absolutely not", "definitely not", "certainly not", "not yet", "i dont", "i do not", "im not", "i am not", "i havent", "i have not", "i didnt", "i did not", "i wouldnt", "i would not",
		"i cant", "i cannot", "i can not", "i wont", "i will not", "i wasnt", "i was not", "we dont", "we do not", "we arent", "we are not", "we havent", "we have not", "we cant", "we cannot", "we didnt", "it isnt", "it is not", "its not", "it doesnt", "it does not", "it wasnt",
		"thats wrong", "that is wrong", "thats not right", "that is not right", "thats not correct", "that is not correct", "thats incorrect", "incorrect", "wrong", "no thanks", "no thank you", "i dont think so", "i do not think so", "rather not", "id rather not", "i would rather not", "sorry no",
	}
}

// doubts make an answer unclear wherever they stand.
func doubts() []string {
	return []string{
		"not sure", "unsure", "dont know", "do not know", "not certain", "no idea", "maybe", "perhaps", "possibly", "probably", "might", "depends", "depending", "i guess", "i suppose", "i think so", "i believe so", "i hope so", "kind of", "sort of", "sometimes", "it may",
		"let me think", "let me check", "have to check", "need to check", "ill check", "dont remember", "cant remember", "do not remember", "dont recall", "either", "more or less", "yes and no", "yeah no", "yes no", "cant say", "hard to say",
		"but", "however", "although", "though", "unless", "except", "if", "only", "until", "almost", "hopefully", "what do you mean", "pardon", "say that again", "repeat", "used to", "not necessarily", "dont mind", "not always", "not exactly", "not quite", "mostly", "usually",
		"not now", "not today", "not right now", "not at the moment", "later",
	}
}

// isFiller reports whether a word may stand before the one that decides.
func isFiller(w string) bool {
	return slices.Contains([]string{"um", "uh", "er", "erm", "ah", "oh", "hm", "hmm", "well", "so", "and", "hi", "hello", "hey", "ok", "okay", "alright", "sorry", "yes", "thanks"}, w)
}

// lead returns how many words of an answer the longest of the phrases takes that it begins with.
func lead(words []string, phrases []string) int {
	best := 0
	for _, p := range phrases {
		parts := strings.Fields(p)
		if len(parts) > best && len(words) >= len(parts) && slices.Equal(words[:len(parts)], parts) {
			best = len(parts)
		}
	}
	return best
}

// readPolarity reads an answer to a question of yes or no. offer: the question made an offer, to which "great" agrees.
// Anything that hedges, mixes or goes on with a condition is unclear.
func readPolarity(answer []sentence, offer bool) polarity {
	all := wordsOf(answer)
	if corrected, ok := afterCorrection(all); ok {
		return readWords(corrected, offer)
	}
	for _, t := range answer {
		if t.question { // who asks back has not answered, or not all
			return unclear
		}
	}
	return readWords(all, offer)
}

// afterCorrection is what follows the words with which a speaker takes a yes or no back: "yes, actually no".
func afterCorrection(words []string) ([]string, bool) {
	for i := len(words) - 1; i > 0; i-- {
		for _, m := range []string{"actually", "wait", "i mean", "i meant", "sorry", "correction", "scratch that", "on second thought"} {
			n := len(strings.Fields(m))
			if lead(words[i:], []string{m}) == n && i+n < len(words) && (lead(words[i+n:], yesLeads()) > 0 || lead(words[i+n:], noLeads()) > 0) {
				return words[i+n:], true
			}
		}
	}
	return nil, false
}

func readWords(words []string, offer bool) polarity {
	for len(words) > 1 && isFiller(words[0]) && words[0] != "yes" && words[0] != "ok" && words[0] != "okay" && words[0] != "alright" {
		words = words[1:]
	}
	if len(words) == 0 || hasWords(words, doubts()...) {
		return unclear
	}
	yes, no := lead(words, yesLeads()), lead(words, noLeads())
	if offer {
		yes = max(yes, lead(words, offerLeads()))
	} else if yes == 0 && no == 0 && len(words) > 1 && slices.Contains([]string{"ok", "okay", "alright"}, words[0]) {
		return readWords(words[1:], offer) // "okay, yes"
	}
	switch {
	case no > yes:
		return restAgrees(words[no:], refused)
	case yes > 0:
		if isAuxiliary(words[:yes]) && len(words) > yes+6 {
			return unclear // "I have …": a story, not an answer
		}
		return restAgrees(words[yes:], agreed)
	}
	return unclear
}

// isAuxiliary reports whether a yes is only the beginning of a sentence that may be about anything.
func isAuxiliary(words []string) bool {
	return len(words) == 2 && (words[0] == "i" || words[0] == "we" || words[0] == "it")
}

// restAgrees checks that what follows the decisive word does not speak against it.
func restAgrees(rest []string, p polarity) polarity {
	rest = strings.Fields(strings.NewReplacer("no problem", "", "no worries", "", "not a problem", "", "no thank you", "", "no thanks", "", "why not", "").Replace(strings.Join(rest, " ")))
	for i, w := range rest {
		switch p {
		case agreed:
			if negates(w) || w == "cancel" || w == "stop" || w == "wrong" || w == "incorrect" || w == "nope" {
				return unclear
			}
		case refused:
			if slices.Contains([]string{"yes", "yeah", "yep", "yup", "sure", "correct", "right", "exactly"}, w) && !(i > 0 && negates(rest[i-1])) {
				return unclear
			}
			if i+1 < len(rest) && slices.Contains([]string{"i", "we"}, w) && slices.Contains([]string{"do", "have", "am", "will", "can", "would", "did", "are"}, rest[i+1]) && (i+2 >= len(rest) || rest[i+2] != "not") {
				return unclear // "no, I have my own"
			}
		case unclear:
		}
	}
	return p
}
