package analysis

import (
	"slices"

	"talkstack"
)

// Bounds of the judgement on somebody's mood.
const (
	minMoodWords = 8 // of the caller, without any word of the lexicon: fewer are too little to call neutral
	minMood      = 2 // weight on one side, and how much heavier it must be than the other
)

// moodOf is the weight of a word in a caller's mouth: thanks and other politeness have none.
func moodOf(word string) int {
	switch word {
	case "love", "loved", "excellent", "wonderful", "fantastic", "amazing", "awesome", "delighted", "thrilled", "brilliant", "terrific":
		return 2
	case "great", "good", "nice", "happy", "glad", "pleased", "perfect", "helpful", "lovely", "appreciate", "excited", "satisfied", "enjoyed", "enjoy", "pleasure", "cool", "super":
		return 1
	case "hate", "hated", "terrible", "horrible", "awful", "furious", "disgusting", "unacceptable", "ridiculous", "scam", "worst", "angry", "outrageous", "useless", "pathetic", "disgusted", "livid":
		return -2
	case "bad", "annoyed", "annoying", "upset", "disappointed", "disappointing", "frustrated", "frustrating", "unhappy", "rude", "wrong", "broken", "complain", "complaint", "poor", "unsatisfied", "dissatisfied",
		"waste", "fed", "slow", "worse", "confusing", "disappointment", "nuisance", "spam":
		return -1
	}
	return 0
}

// negates reports whether a word turns the next ones round.
func negates(word string) bool {
	switch word {
	case "not", "no", "never", "isnt", "wasnt", "arent", "werent", "dont", "doesnt", "didnt", "cant", "cannot", "couldnt", "wont", "wouldnt", "hardly", "nothing", "aint", "without", "neither", "nor", "havent", "hasnt":
		return true
	}
	return false
}

// sentiment is the mood of the other party, by the words they chose.
func (s *scene) sentiment() talkstack.Sentiment {
	plus, minus, words := 0, 0, 0
	for _, l := range s.lines {
		if l.role != talkstack.RoleUser {
			continue
		}
		for _, t := range l.sentences {
			words += len(t.words)
			for i, w := range t.words {
				m := moodOf(w)
				if m == 0 || isGreeting(t.words, i) {
					continue
				}
				if slices.ContainsFunc(t.words[max(0, i-3):i], negates) {
					m = -m
					if m > 0 { // "not bad" is no praise
						m = 0
					}
				}
				if m > 0 {
					plus += m
				} else {
					minus -= m
				}
			}
		}
	}
	switch {
	case plus >= minMood && plus-minus >= minMood:
		return talkstack.SentimentPositive
	case minus >= minMood && minus-plus >= minMood:
		return talkstack.SentimentNegative
	case words >= minMoodWords:
		return talkstack.SentimentNeutral
	}
	return talkstack.SentimentUnknown
}

// isGreeting reports whether the word at i says nothing about mood where it stands: "good morning", "no good reason".
func isGreeting(words []string, i int) bool {
	next := ""
	if i+1 < len(words) {
		next = words[i+1]
	}
	switch words[i] {
	case "good":
		return slices.Contains([]string{"morning", "afternoon", "evening", "day", "night", "bye", "reason", "idea"}, next)
	case "nice", "great":
		return next == "day" || next == "to" || next == "evening" || next == "weekend"
	case "wrong":
		return next == "number" || next == "person"
	case "fed":
		return next != "up"
	case "happy":
		return next == "birthday" || next == "to"
	case "slow":
		return next == "down"
	}
	return false
}
