package retrieval

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// The parameters of BM25 (Robertson and Zaragoza, 2009), and how sure an answer must be.
const (
	saturation = 1.2  // k1: how soon a repeated word counts no more
	lengthBias = 0.5  // b: how much a long sentence is held back; sentences differ less than documents
	kinship    = 0.6  // weight of a related word against the word itself
	enough     = 0.45 // share of the question's weight that a sentence must cover to answer it
	alsoGood   = 0.75 // a second sentence is read when it scores this much of the first
)

// index finds facts by their words.
type index struct {
	facts []fact
	terms []map[string]float64 // for each fact, how often a term occurs
	size  []float64
	mean  float64
	in    map[string]int // in how many facts a term occurs
}

func newIndex(facts []fact) *index {
	x := &index{facts: facts, in: map[string]int{}}
	total := 0.0
	for _, f := range facts {
		counts := map[string]float64{}
		for _, t := range terms(f.text) {
			counts[t]++
		}
		n := float64(len(counts))
		for _, t := range terms(f.context) {
			if counts[t] == 0 {
				counts[t] = 0.8 // a heading counts a little less than the sentence itself
			}
		}
		for t := range counts {
			x.in[t]++
		}
		x.terms, x.size = append(x.terms, counts), append(x.size, n)
		total += n
	}
	x.mean = max(total/float64(max(len(facts), 1)), 1)
	return x
}

// idf is how much a term tells.
func (x *index) idf(term string) float64 {
	n, df := float64(len(x.facts)), float64(x.in[term])
	return math.Log(1 + (n-df+0.5)/(df+0.5))
}

// answer is the best sentence, with a second one that is nearly as good; empty when none answers the question.
func (x *index) answer(question string) string {
	asked := terms(question)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) == 0 || len(x.facts) == 0 {
		return ""
	}
	type hit struct {
		fact            int
		score, coverage float64
	}
	var hits []hit
	for i := range x.facts {
		if score, coverage := x.score(i, asked); coverage >= enough {
			hits = append(hits, hit{i, score, coverage})
		}
	}
	if len(hits) == 0 {
		return ""
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return a.fact - b.fact
	})
	best := []int{hits[0].fact}
	if len(hits) > 1 && hits[1].score >= alsoGood*hits[0].score && x.facts[hits[1].fact].text != x.facts[hits[0].fact].text {
		best = append(best, hits[1].fact)
		slices.Sort(best) // in the order of the prompt
	}
	texts := make([]string, len(best))
	for i, f := range best {
		texts[i] = x.facts[f].text
	}
	return strings.Join(texts, " ")
}

// score rates fact i, and says which share of the question's weight it covers.
func (x *index) score(i int, asked []string) (score, coverage float64) {
	var covered, all float64
	for _, term := range asked {
		weight := x.idf(term)
		switch term {
		case "wher", "when", "much", "long": // they say what kind of answer is wanted, not about what
			weight /= 3
		}
		all += weight
		count, kin := x.terms[i][term], 1.0
		if count == 0 {
			for _, other := range related(term) {
				if c := x.terms[i][other]; c > count {
					count, kin = c, kinship
				}
			}
		}
		if count == 0 {
			continue
		}
		norm := saturation * (1 - lengthBias + lengthBias*x.size[i]/x.mean)
		score += kin * weight * count * (saturation + 1) / (count + norm)
		covered += weight
		if kin < 1 { // a word that is only related says less about whether this is what was meant
			covered -= 0.15 * weight
		}
	}
	if all == 0 {
		return 0, 0
	}
	return score, covered / all
}

// terms are the telling words of a text, in their stems.
func terms(text string) []string {
	var list []string
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '’' }) {
		w = strings.NewReplacer("'s", "", "’s", "", "'", "", "’", "").Replace(w)
		if w != "" && !stop(w) {
			list = append(list, stem(w))
		}
	}
	return list
}

// stem drops the commonest endings of English, so that "opening" finds "open".
func stem(w string) string {
	for _, end := range []string{"ings", "ing", "ies", "ied", "ed", "es", "s"} {
		if base, ok := strings.CutSuffix(w, end); ok && len(base) >= 3 && !strings.HasSuffix(base, "s") {
			if end == "ies" || end == "ied" {
				return base + "y"
			}
			w = base
			break
		}
	}
	return strings.TrimSuffix(w, "e")
}

// stop reports whether w tells nothing.
func stop(w string) bool {
	switch w {
	case "a", "an", "the", "is", "are", "was", "be", "am", "do", "does", "did", "have", "has", "had", "can", "could", "would", "will", "shall", "should", "may", "might",
		"i", "you", "we", "they", "it", "he", "she", "me", "us", "my", "your", "our", "their", "its", "im", "youre", "ive", "id", "ill", "whats", "thats",
		"of", "to", "in", "on", "at", "for", "from", "with", "by", "as", "and", "or", "but", "if", "so", "than", "then", "there", "here", "this", "that", "these", "those",
		"what", "which", "who", "please", "tell", "know", "want", "like", "need", "get", "about", "hello", "hi", "hey", "yes", "no", "okay", "ok", "um", "uh", "well", "just", "also", "any", "some", "say", "let", "see", "give", "question", "wondering", "ask", "how", "too", "really", "very", "actually", "thanks", "thank", "not", "dont", "sorry":
		return true
	}
	return false
}

// related are the stems of words that callers and prompts use for one thing.
func related(term string) []string {
	for _, group := range [][]string{
		{"open", "hour", "clos", "when", "time", "monday", "weekday", "day"},
		{"saturday", "sunday", "weekend"},
		{"cost", "pric", "much", "fe", "charg", "expensiv", "dollar", "euro", "pound", "pay"},
		{"wher", "addres", "locat", "street", "find", "situat", "plac"},
		{"park", "car", "garag"},
		{"pay", "card", "cash", "payment", "accept", "credit"},
		{"phon", "number", "telephon", "call", "reach"},
		{"email", "mail", "e-mail"},
		{"appointment", "book", "reserv", "schedul", "visit"},
		{"cancel", "reschedul"},
		{"doctor", "dentist", "physician"},
		{"deliver", "delivery", "ship", "shipp"},
		{"offer", "sell", "provid", "servic", "do", "product"},
		{"kid", "child", "children"},
		{"long", "tak", "minut", "duration", "last"},
		{"wheelchair", "accessibl", "step-fre", "lift", "elevator"},
		{"refund", "return", "money"},
		{"speak", "languag"},
	} {
		if slices.Contains(group, term) {
			return group
		}
	}
	return nil
}
