package spoken

import "strings"

// Yes and No are the forms in which a yes or no is kept.
const (
	Yes = "yes"
	No  = "no"
)

// noPhrases are ways to refuse, the longer before the shorter they hold.
func noPhrases() []string {
	return []string{
		"i dont think so", "i do not think so", "not at all", "not really", "not quite", "not exactly", "not correct", "not right", "isnt right", "isnt correct",
		"thats wrong", "that is wrong", "is wrong", "is not right", "is not correct", "im not", "i am not", "id rather not", "i would rather not", "better not", "of course not", "certainly not", "absolutely not",
		"i dont", "i do not", "i wouldnt", "i would not", "i cant", "i cannot", "it isnt", "it is not", "it doesnt", "no", "nope", "nah", "know", "never", "negative", "wrong", "incorrect", "not",
	}
}

// yesPhrases are ways to agree; the first nine agree with all that follows them.
func yesPhrases() []string {
	return []string{
		"yes", "yeah", "yep", "yup", "ya", "yea", "yas", "yess", "jes", "sure", "of course", "certainly", "absolutely", "definitely", "exactly", "correct", "right", "okay", "ok", "alright", "all right",
		"fine", "perfect", "great", "good", "please do", "please", "go ahead", "go on", "i do", "i would", "i am", "it is", "it does", "i think so", "indeed", "affirmative", "mm hm", "mhm", "mmhmm", "uh huh", "you got it",
		"sounds good", "works for me", "that works", "id like", "id love", "i want", "true", "agreed", "yes is", "why not",
	}
}

// YesNo reads agreement or refusal. The first word of an answer decides ("yes, I don't mind"); without one, a refusal
// anywhere weighs more than an agreement ("that is not right").
func (u *Utterance) YesNo() (value Value, ok bool) {
	if i, n := u.leading(yesPhrases()[:9]); n > 0 && !u.is(i+n, "not") {
		return u.value(Yes, i, i+n), true
	}
	if i, n := u.leading([]string{"no", "nope", "nah", "know"}); n > 0 {
		if j, right := u.has("thats right", "that is right", "thats correct", "that is correct", "its right", "its correct", "thats fine", "that is fine"); right && j > i {
			return Value{}, false // "no, that's right" may mean either
		}
		return u.value(No, i, i+n), true
	}
	if v, ok := u.anywhere(noPhrases(), No); ok {
		return v, true
	}
	return u.anywhere(yesPhrases(), Yes)
}

func (u *Utterance) anywhere(phrases []string, answer string) (Value, bool) {
	for _, p := range phrases {
		i, ok := u.has(p)
		end := i + len(strings.Fields(p))
		switch {
		case !ok, p == "know" && !u.alone(i), p == "no" && u.is(end, "one"):
		case p == "please" && len(u.content()) > 0: // "a check-up, please" agrees to nothing
		case u.is(end, "know", "mind", "care", "understand", "remember"): // "I don't mind" is neither
		default:
			return u.value(answer, i, end), true
		}
	}
	return Value{}, false
}

// alone reports whether word i is all that is said.
func (u *Utterance) alone(i int) bool {
	c := u.content()
	return len(c) == 1 && c[0] == i
}

// leading reports which of the phrases opens the utterance, fillers left out.
func (u *Utterance) leading(phrases []string) (i, n int) {
	for k := range u.words {
		if u.at(k) == "" {
			continue
		}
		for _, p := range phrases {
			words := strings.Fields(p)
			if u.phrase(k, words...) && (p != "know" || u.alone(k) || u.words[k].pause) {
				return k, len(words)
			}
		}
		if !filler(u.at(k)) && !u.is(k, "oh", "sorry") {
			return 0, 0
		}
	}
	return 0, 0
}
