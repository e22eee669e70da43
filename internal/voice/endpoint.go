package voice

import (
	"strings"
	"time"
	"unicode"

	"talkstack"
)

// manner is how an utterance sounds when it has stopped for now.
type manner int

const (
	soundsComplete manner = iota
	soundsUnfinished
	soundsDictated // digits, and more may come
)

// endpointer judges from the words whether the caller has finished.
type endpointer struct {
	// punctuates is whether this recogniser has been seen to end a sentence with a full stop: then text
	// without one is unfinished.
	punctuates bool
}

// learn looks at a final transcript.
func (e *endpointer) learn(text string) {
	if endsSentence(text) {
		e.punctuates = true
	}
}

// judge says how text sounds. expected is whether the agent asked for digits, and want how many (0: any number).
func (e *endpointer) judge(text string, expected bool, want int) manner {
	words := plainWords(text)
	if len(words) == 0 {
		return soundsUnfinished
	}
	if n, ends := countDigits(words); ends {
		switch {
		case expected && want > 0 && n >= want:
			return soundsComplete
		case expected, n >= 3 && !strings.Contains(text, ":"):
			return soundsDictated
		}
	}
	if e.unfinished(text, words) {
		return soundsUnfinished
	}
	return soundsComplete
}

func (e *endpointer) unfinished(text string, words []string) bool {
	trimmed := strings.TrimRightFunc(text, unicode.IsSpace)
	switch {
	case strings.HasSuffix(trimmed, "?"):
		return false
	case strings.HasSuffix(trimmed, "..."), strings.HasSuffix(trimmed, "…"),
		strings.HasSuffix(trimmed, ","), strings.HasSuffix(trimmed, "-"), strings.HasSuffix(trimmed, ":"):
		return true
	case shortAnswer(words):
		return false
	case leavesOpen(words):
		return true
	}
	return e.punctuates && !endsSentence(trimmed)
}

// silence is how long the caller must be silent after text that sounds like m.
func silence(s *talkstack.Endpointing, m manner) time.Duration {
	wait := s.Complete
	switch m {
	case soundsComplete:
	case soundsUnfinished:
		wait = s.Incomplete
	case soundsDictated:
		wait = s.Digits
	}
	return min(wait, s.Limit).Duration()
}

func endsSentence(text string) bool {
	text = strings.TrimRight(text, " \t\n\"')”")
	if strings.HasSuffix(text, "...") {
		return false
	}
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?")
}

// shortAnswer recognises whole answers that end like the beginning of a sentence, or that are too short for a
// recogniser to punctuate: "yes", "yes it is", "I think so".
func shortAnswer(words []string) bool {
	if len(words) > 4 {
		return false
	}
	switch strings.Join(words, " ") {
	case "i am", "i do", "i will", "i have", "it is", "that is", "they are", "we are":
		return true
	}
	switch words[0] {
	case "yes", "yeah", "yep", "no", "nope", "sure", "okay", "ok", "correct", "hello", "hi", "thanks":
		switch last := words[len(words)-1]; last {
		case "and", "but", "or", "so", "because", "the", "a", "an", "my", "um", "uh", "to":
			return false
		case "is", "am", "are", "was", "do", "have":
			return len(words) >= 3 // "yes it is"; "no the" has been caught above
		}
		return len(words) == 1 || !leavesOpen(words)
	}
	return false
}

// leavesOpen reports words after which something must come.
func leavesOpen(words []string) bool {
	last, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch last {
	case "and", "but", "or", "because", "if", "unless", "although", "while", "than", // conjunctions
		"the", "a", "an", "my", "your", "our", "their", "its", // determiners
		"to", "for", "of", "with", "from", "by", "about", "between", "into", "at", "on", "in", // prepositions
		"is", "are", "was", "were", "am", "be", "i'm", "it's", "that's", "there's", "i'd", "i'll", "i've", "we're", "they're", // verbs
		"um", "uh", "er", "erm", "uhm", "ehm", "hmm", // fillers
		"i", "we", "they", "gonna", "wanna", "very":
		return true
	case "so":
		return before != "think" && before != "hope" && before != "guess"
	case "like":
		return before == "would" || before == "i'd" || before == "something" || before == ""
	case "well", "actually", "basically":
		return before == ""
	}
	tail := " " + strings.Join(words, " ")
	for _, open := range []string{
		" let me see", " let me think", " let me check", " hold on", " one moment", " one second", " just a second", " just a moment", " wait a minute",
		" i want", " i need", " i would", " can you", " could you", " would you", " can i", " do you", " will you", " my name", " my number", " the number", " it will",
	} {
		if strings.HasSuffix(tail, open) {
			return true
		}
	}
	return false
}

// plainWords is text in lower case without punctuation: its words, apostrophes kept.
func plainWords(text string) []string {
	text = strings.ToLower(strings.ReplaceAll(text, "’", "'"))
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && !unicode.IsMark(r)
	})
}

// countDigits counts the digits at the end of words, said or written ("double five" is two), and whether the
// last word is one.
func countDigits(words []string) (n int, ends bool) {
	for i := len(words) - 1; i >= 0; i-- {
		d := digitsIn(words[i])
		if d == 0 {
			break
		}
		if i > 0 && d == 1 {
			switch words[i-1] {
			case "double":
				d, i = 2, i-1
			case "triple":
				d, i = 3, i-1
			}
		}
		n += d
	}
	return n, n > 0
}

// digitsIn is how many digits a word stands for; 0 when it is something else.
func digitsIn(word string) int {
	switch word {
	case "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine":
		return 1
	case "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
		"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety":
		return 2
	}
	n := 0
	for _, r := range word {
		if r < '0' || r > '9' {
			return 0
		}
		n++
	}
	return n
}
