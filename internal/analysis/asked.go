package analysis

import (
	"slices"

	"talkstack"
)

// asked is a question of the analysis, prepared for comparing.
type asked struct {
	words    []string
	concepts []string // what it is about, without the attitude and the words that ask for a quantity or a moment
	attitude bool     // it asks whether the caller agreed, wanted, confirmed: what an answer to an offer tells
	confirm  bool     // it asks whether the caller confirmed
	perfect  bool     // "has the caller …": about what lies behind
	past     bool     // "did the caller …"
	negated  bool     // it turns something round: no answer is safe
	ofAgent  bool     // it is about the agent, whose words no rule judges
}

func newAsked(text string) asked {
	a := asked{words: tokenize(text)}
	if len(a.words) == 0 {
		return a
	}
	a.concepts = without(concepts(a.words), slices.Concat(attitudes(), quantities()))
	first := a.words[0]
	a.perfect = slices.Contains([]string{"has", "have", "had", "hasnt"}, first)
	a.past = slices.Contains([]string{"did", "was", "were"}, first)
	for _, w := range a.words {
		c := stem(w)
		a.confirm = a.confirm || c == "confirm"
		a.attitude = a.attitude || slices.Contains(attitudes(), c)
		a.negated = a.negated || negates(w) || turnsRound(c)
		a.ofAgent = a.ofAgent || slices.Contains([]string{"agent", "agents", "assistant", "representative", "bot", "operator", "ai"}, w)
	}
	a.attitude = a.attitude || slices.Contains([]string{"will", "would", "can", "could"}, first)
	return a
}

// attitudes are the stems of words for what an answer to an offer tells in any case.
func attitudes() []string {
	return []string{"agree", "accept", "confirm", "want", "wish", "lik", "interest", "will", "ready", "open", "approv", "consent"}
}

// wants are the attitudes that a no to something special does not deny: who wants no morning appointment may want another.
func (q *asked) wants() bool { return q.attitude && !q.confirm }

// quantities are the stems of words that only ask for a number or a moment.
func quantities() []string {
	return []string{"number", "total", "count", "quantity", "amount", "dollar", "euro", "pound", "usd", "eur", "preferr", "prefer", "requir", "expect", "desir", "request", "choos", "chos", "chosen", "select", "pick", "decid"}
}

// turnsRound reports whether a word, as its stem, makes the opposite or a part of what follows.
func turnsRound(c string) bool {
	return slices.Contains([]string{
		"refus", "declin", "deny", "reject", "fail", "unabl", "unwill", "unhappy", "dissatisfied", "avoid", "miss", "lack", "oppos", "instead", "except", "hesitat", "doubt", "disagre", "dislik", "object",
	}, c)
}

// acts are stems of words that change what an answer means when only one side has them: a no to "cancel your
// appointment?" confirms it.
func acts() []string {
	return []string{
		"cancel", "reschedule", "mov", "move", "chang", "stop", "end", "remov", "delet", "keep", "leav", "leave", "return", "refund", "buy", "sell", "rent", "pay", "renew", "upgrad", "downgrad",
		"switch", "wait", "forget", "skip", "quit", "clos", "open", "turn", "replac", "repeat", "hold", "miss", "lat", "call", "callback", "first", "last", "other", "another", "different", "only",
	}
}

// about reports whether what an agent said holds all that the question is about, in words that mean the same.
func (q *asked) about(said []string) bool {
	return len(q.concepts) > 0 && covers(said, q.concepts)
}

// exchange is a question of the agent, and what the caller answered.
type exchange struct {
	at       int        // line of the answer
	asked    sentence   // the agent's last question, or its last sentence when it asked for nothing in so many words
	before   []sentence // what the agent said before it, in the same breath
	asking   int        // questions in the agent's line
	answer   []sentence
	concepts []string // of the question
}

// exchanges are the agent's lines, each with the caller's line that follows it.
func (s *scene) exchanges() []exchange {
	var out []exchange
	for i := 1; i < len(s.lines); i++ {
		if s.lines[i].role != talkstack.RoleUser || s.lines[i-1].role != talkstack.RoleAgent {
			continue
		}
		said := s.lines[i-1].sentences
		last := len(said) - 1
		e := exchange{at: i, answer: s.lines[i].sentences}
		for k, t := range said {
			if t.question {
				e.asking++
				last = k
			}
		}
		if last < 0 {
			continue
		}
		e.asked, e.before = said[last], said[:last]
		e.concepts = concepts(e.asked.words)
		out = append(out, e)
	}
	return out
}

// words are all words of sentences.
func wordsOf(sentences []sentence) []string {
	var out []string
	for _, t := range sentences {
		out = append(out, t.words...)
	}
	return out
}

// textOf is what was said, as it was said.
func textOf(sentences []sentence) string {
	out := ""
	for _, t := range sentences {
		if out != "" {
			out += " "
		}
		out += t.text
	}
	return out
}

// changesMind reports whether somebody takes back what they said.
func changesMind(words []string) bool {
	return hasWords(words, "actually", "changed my mind", "change my mind", "on second thought", "second thoughts", "i made a mistake", "scratch that", "never mind", "nevermind",
		"correction", "let me correct", "i meant", "i mean", "not anymore", "wait", "forget it", "forget that", "i was wrong", "i said", "make it", "make that", "sorry", "instead", "rather")
}
