package analysis

import (
	"slices"
	"strings"
	"unicode"
)

// maxTokens bounds the work on one text: longer ones are read to there.
const maxTokens = 2_000

// sentence is one sentence of a transcript.
type sentence struct {
	text     string   // as it was said
	words    []string // of tokenize
	question bool     // it ends with a question mark
}

// splitSentences cuts a text where sentences end. Points inside of numbers and abbreviations end none.
func splitSentences(text string) []sentence {
	text = strings.TrimSpace(text)
	var out []sentence
	add := func(s string) {
		if words := tokenize(s); len(words) > 0 {
			out = append(out, sentence{text: strings.TrimSpace(s), words: words, question: strings.HasSuffix(strings.TrimRight(s, " \"”'"), "?")})
		}
	}
	start := 0
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != '.' && c != '?' && c != '!' && c != '\n' {
			continue
		}
		if i+1 < len(text) && text[i] != '\n' && text[i+1] != ' ' && text[i+1] != '\n' {
			continue
		}
		if text[i] == '.' && isAbbreviation(text[start:i]) {
			continue
		}
		add(text[start : i+1])
		start = i + 1
	}
	add(text[start:])
	return out
}

func isAbbreviation(before string) bool {
	fields := strings.Fields(before)
	if len(fields) == 0 {
		return false
	}
	switch strings.ToLower(fields[len(fields)-1]) {
	case "dr", "mr", "mrs", "ms", "st", "a.m", "p.m", "no", "approx", "ext":
		return strings.ToLower(fields[len(fields)-1]) != "no" // "no." is an answer
	}
	return false
}

// tokenize is the words of a text in lower case, without punctuation and apostrophes: "don't" is "dont". Figures keep
// points, colons and signs of money that belong to them: "$1,200.50" is "$1200.50".
func tokenize(text string) []string {
	var out []string
	for field := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("-–—/…\"“”()[]{};*_", r)
	}) {
		if len(out) >= maxTokens {
			break
		}
		field = strings.Trim(field, ".,:!?'’‘<>#&=+")
		field = strings.NewReplacer("'", "", "’", "", "‘", "").Replace(field)
		switch field {
		case "a.m":
			field = "am"
		case "p.m":
			field = "pm"
		}
		if startsLikeNumber(field) {
			field = strings.ReplaceAll(field, ",", "")
		}
		for _, w := range splitGlued(field) {
			if w = strings.Trim(w, ".,:!?"); w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

func startsLikeNumber(s string) bool {
	s = strings.TrimLeft(s, "$€£")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}

// splitGlued parts words that a comma or point without a blank joins, and "3pm".
func splitGlued(s string) []string {
	if startsLikeNumber(s) {
		if half := s[max(0, len(s)-2):]; (half == "am" || half == "pm") && len(s) > 2 {
			return []string{s[:len(s)-2], half}
		}
		return []string{s}
	}
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '?' || r == '!' || r == ':' })
}

// stem cuts a word to what its forms have in common.
func stem(w string) string {
	if c, ok := irregular(w); ok {
		return c
	}
	switch {
	case len(w) < 4 || startsLikeNumber(w):
	case strings.HasSuffix(w, "ies") && len(w) > 4:
		w = w[:len(w)-3] + "y"
	case strings.HasSuffix(w, "ing") && len(w) > 5:
		w = undouble(w[:len(w)-3])
	case strings.HasSuffix(w, "ed") && len(w) > 4:
		w = undouble(w[:len(w)-2])
	case strings.HasSuffix(w, "sses"):
		w = w[:len(w)-2]
	case strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is"):
		w = w[:len(w)-1]
	}
	if len(w) > 3 {
		w = strings.TrimSuffix(w, "e")
	}
	if c, ok := irregular(w); ok {
		return c
	}
	return w
}

// undouble takes back the consonant that an ending doubles: "cancelled", "planning".
func undouble(w string) string {
	if n := len(w); n > 3 && w[n-1] == w[n-2] && !strings.ContainsRune("aeiouls", rune(w[n-1])) || n > 5 && strings.HasSuffix(w, "ll") {
		return w[:n-1]
	}
	return w
}

// irregular joins words of one meaning: a word, or its stem, to the word that stands for all.
func irregular(w string) (string, bool) {
	switch w {
	case "booking", "bookings", "book", "booked", "reservation", "reservations", "reserve", "reserv", "appointments", "appointment":
		return "appointment", true
	case "people", "peoples", "guest", "guests", "persons", "person", "party", "parties", "attendees", "attendee":
		return "people", true
	case "telephone", "telephon", "mobile", "mobil", "cell", "cellphone", "phon", "phone":
		return "phone", true
	case "mail", "emails", "email":
		return "email", true
	case "cost", "costs", "price", "pric", "prices":
		return "price", true
	case "kid", "kids", "child", "children":
		return "child", true
	case "old", "age", "ages", "ag":
		return "age", true
	case "date", "dates", "dat", "day", "days":
		return "day", true
	case "spend", "spent", "budget", "budgets":
		return "budget", true
	case "purchase", "purchas", "purchased", "bought", "buy":
		return "buy", true
	case "vehicle", "vehicl", "car", "cars":
		return "car", true
	case "house", "hous", "home", "hom":
		return "home", true
	case "medication", "medications", "medicine", "medicin", "medicines":
		return "medication", true
	case "insured", "insurance", "insuranc", "insur":
		return "insurance", true
	case "allergic", "allergies", "allergy", "allergi":
		return "allergy", true
	case "why", "purpose", "purpos", "reason", "reasons":
		return "reason", true
	case "reschedule", "reschedul", "rescheduled", "postpone", "postpon", "postponed":
		return "reschedule", true
	case "company", "companies", "firm", "business", "businesses":
		return "company", true
	case "occupation", "profession", "job":
		return "job", true
	case "cheaper", "cheapest":
		return "cheap", true
	case "rating", "ratings", "rate", "rat":
		return "rate", true
	case "agree", "agreed", "agrees", "agreeing":
		return "agree", true
	case "callback", "callbacks":
		return "callback", true
	case "mornings":
		return "morning", true
	case "satisfied", "satisfi", "happy":
		return "happy", true
	}
	return "", false
}

// isStop reports whether a word says nothing about what a sentence is about. Words that limit or turn round what is said
// (not, only, before, more) are none of them.
func isStop(w string) bool {
	switch w {
	case "a", "an", "the", "this", "that", "these", "those", "thats", "its", "it", "there", "here",
		"i", "im", "ive", "id", "ill", "me", "my", "mine", "myself", "you", "youre", "youve", "your", "yours", "yourself", "he", "she", "they", "them", "their", "his", "her", "him", "we", "us", "our", "were", "weve",
		"caller", "callers", "customer", "customers", "user", "users", "client", "clients", "patient", "patients", "lead", "prospect", "recipient", "contact", "callee", "respondent",
		"do", "does", "did", "done", "is", "are", "was", "be", "been", "being", "am", "have", "has", "had", "having", "will", "would", "can", "could", "shall", "should", "may", "might",
		"get", "got", "getting", "go", "going", "let", "lets",
		"of", "to", "in", "on", "at", "for", "with", "by", "from", "as", "about", "into", "and", "or", "if", "whether", "so", "then", "than",
		"what", "whats", "which", "who", "whom", "whose", "when", "where", "how", "please", "ok", "okay", "alright", "well", "just", "also", "any", "some", "still", "really", "actually", "currently", "now", "already", "ever",
		"say", "says", "said", "tell", "told", "mention", "mentioned", "state", "stated", "give", "gave", "given", "provide", "provided", "indicate", "indicated", "report", "reported",
		"anymore", "much", "many", "call", "great", "thank", "thanks", "um", "uh", "er", "sorry", "hi", "hello", "hey", "kind", "sort", "exactly", "during", "conversation", "per":
		return true
	}
	return false
}

// concepts is the set of what words are about, each as its stem. "call back" is one thing.
func concepts(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if i+1 < len(words) && words[i+1] == "back" && slices.Contains([]string{"call", "called", "calling", "ring", "phone", "phoned"}, w) {
			w = "callback"
			i++
		} else if isStop(w) {
			continue
		}
		if c := stem(w); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// covers reports whether all of part is in whole.
func covers(whole, part []string) bool {
	return !slices.ContainsFunc(part, func(c string) bool { return !slices.Contains(whole, c) })
}

// without is list without what is in drop.
func without(list, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(c string) bool { return slices.Contains(drop, c) })
}

// hasWords reports whether one of the phrases occurs among the words.
func hasWords(words []string, phrases ...string) bool {
	return containsAny(" "+strings.Join(words, " ")+" ", phrases)
}
