package retrieval

import (
	"regexp"
	"strings"
	"unicode"
)

// fact is a sentence that may be read to a caller.
type fact struct {
	text    string // as spoken
	context string // words it can be found by and that are not read: its heading, the question it answers
}

// maxFacts bounds the index; a prompt of more sentences than this is no prompt.
const maxFacts = 5000

// facts reads a text into the sentences that tell a caller something. Sentences that tell the agent who it is or how
// to behave are not among them.
func facts(text string) []fact {
	var list []fact
	heading, question := "", ""
	for line := range strings.SplitSeq(text, "\n") {
		raw := strings.TrimSpace(line)
		line := strings.TrimSpace(strings.TrimLeft(raw, "#*-•> \t"))
		line = strings.ReplaceAll(strings.ReplaceAll(line, "**", ""), "`", "")
		switch {
		case line == "":
			continue
		case strings.HasPrefix(raw, "#"), strings.HasSuffix(line, ":") && len(line) < 80:
			heading = strings.Trim(line, ": ")
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "Q:"), "A:"))
		for _, s := range sentences(line) {
			if strings.HasSuffix(s, "?") {
				question = s
				continue
			}
			if said := retell(s); said != "" && len(list) < maxFacts {
				list = append(list, fact{text: said, context: heading + " " + question})
			}
			question = ""
		}
	}
	return list
}

// sentences splits a line where a sentence ends. "Dr. Smith", "3.5" and "9 a.m. to 5 p.m." hold no end.
func sentences(line string) []string {
	var list []string
	start := 0
	runes := []rune(line)
	for i, r := range runes {
		if !strings.ContainsRune(".!?", r) || i+1 < len(runes) && !unicode.IsSpace(runes[i+1]) {
			continue
		}
		if r == '.' && i+2 < len(runes) && (!unicode.IsUpper(runes[i+2]) && !unicode.IsDigit(runes[i+2]) || abbreviation(string(runes[start:i]))) {
			continue
		}
		list = append(list, strings.TrimSpace(string(runes[start:i+1])))
		start = i + 1
	}
	if rest := strings.TrimSpace(string(runes[start:])); rest != "" {
		list = append(list, rest+".")
	}
	return list
}

func abbreviation(before string) bool {
	fields := strings.Fields(before)
	if len(fields) == 0 {
		return false
	}
	switch strings.ToLower(fields[len(fields)-1]) {
	case "dr", "mr", "mrs", "ms", "st", "no", "prof", "vs", "e.g", "i.e":
		return true
	}
	return false
}

// The shapes of sentences that are not read as they are.
//
//nolint:gochecknoglobals // compiled once, never changed
var (
	role      = regexp.MustCompile(`(?i)^(you are|you're|your name is|act as|i am|this is)\s+(.+?)[.!]*$`)
	roleFact  = regexp.MustCompile(`(?i)^(you are|you're)\s+(open|closed|located|based|available|near|opposite|next to|in |on |at )`)
	hidden    = regexp.MustCompile(`(?i)^(say|tell|answer|reply|explain|mention|inform)\s+(the |your )?(caller|callers|customer|customers|them|him|her|people|patients|guests)?\s*(that|:)\s+(.+)$`)
	whenAsked = regexp.MustCompile(`(?i)^(?:if|when)\s+(.+?),\s*(?:then )?(?:please )?(?:say|tell (?:them|him|her|the caller|callers|customers)|answer|reply|explain|respond)(?:\s+with)?(?:\s+that|:)?\s+(.+)$`)
	conduct   = regexp.MustCompile(`(?i)^(be|always|never|do not|don't|avoid|speak|talk|answer|respond|reply|keep|use|ask|make sure|ensure|remember|greet|try|end|hang up|introduce|confirm|collect|help|assist|listen|stay|act|offer to|offer the|thank|if|when|only|please|your (task|goal|job|role|aim|purpose|name|tone|style|voice|personality|objective|mission)|you (must|should|shall|will|can only|help|speak|answer|talk|work|assist|take calls|never|always|do not|don't|may)|the agent|this agent|under no|in no case|first,|then,|finally,|start by|begin by|get|find out|let|repeat|schedule|book|transfer|tell|say|explain|inform|mention|pretend|follow|write|no more than|at most)\b`)
	ours      = regexp.MustCompile(`(?i)\b(you are|you're|your|you have|you offer|you sell|you accept|you provide|you do|you open|you close|you take|you deliver|you serve|you speak|you charge|you)\b`)
	theirs    = regexp.MustCompile(`(?i)^(the )?(callers?|customers?|patients?|guests?|clients?|people) (can|may|must|should|need to|have to|are allowed to|will)\b`)
)

// retell is s as it may be said to a caller; empty when it is an instruction for the agent.
func retell(s string) string {
	s = strings.TrimSpace(s)
	if m := whenAsked.FindStringSubmatch(s); m != nil {
		return sentence(quoted(m[2]))
	}
	if m := hidden.FindStringSubmatch(s); m != nil {
		return sentence(quoted(m[5]))
	}
	if theirs.MatchString(s) {
		m := theirs.FindStringSubmatchIndex(s)
		return sentence("you " + s[m[6]:])
	}
	if conduct.MatchString(s) || role.MatchString(s) && !roleFact.MatchString(s) && !strings.HasPrefix(strings.ToLower(s), "this is") {
		return ""
	}
	return sentence(ours.ReplaceAllStringFunc(s, fromUs))
}

// fromUs turns what a prompt says of the agent into what the agent says of the house.
func fromUs(s string) string {
	lower := strings.ToLower(s)
	switch {
	case lower == "your":
		return "our"
	case lower == "you're":
		return "we're"
	default:
		return "we" + lower[len("you"):]
	}
}

// quoted drops the quotation marks around a ready-made answer.
func quoted(s string) string { return strings.Trim(strings.TrimSpace(s), `"“”'`) }

// sentence gives s a capital letter and an end.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	r := []rune(s)
	r[0] = unicode.ToUpper(r[0])
	if !strings.ContainsRune(".!?", r[len(r)-1]) {
		r = append(r, '.')
	}
	return string(r)
}

// The ways in which a prompt says who the agent is.
//
//nolint:gochecknoglobals // compiled once, never changed
var (
	namedOf   = regexp.MustCompile(`(?:You are|Your name is|You're)\s+(\p{Lu}[\p{L}'’-]*(?: \p{Lu}[\p{L}'’-]*)?)(?:,[^.,]*)?,?\s+(?:of|from|at|for|with)\s+((?:the )?\p{Lu}[^.,;!?\n]*)`)
	namedOnly = regexp.MustCompile(`(?:You are|Your name is|You're)\s+(\p{Lu}[\p{L}'’-]*(?: \p{Lu}[\p{L}'’-]*)?)\s*[.,]`)
	houseOnly = regexp.MustCompile(`(?:You are|You're)\s+(?:a|an|the)\s[^.]*?\b(?:of|from|at|for)\s+((?:the )?\p{Lu}[^.,;!?\n]*)`)
)

// identity is who the prompt says the agent is, as said in a greeting: "Anna of Acme Dental".
func identity(prompt string) string {
	who := ""
	if m := namedOf.FindStringSubmatch(prompt); m != nil {
		who = m[1] + " of " + m[2]
	} else if m := houseOnly.FindStringSubmatch(prompt); m != nil {
		who = m[1]
		if n := namedOnly.FindStringSubmatch(prompt); n != nil {
			who = n[1] + " of " + who
		}
	} else if m := namedOnly.FindStringSubmatch(prompt); m != nil {
		who = m[1]
	}
	if len(who) > 80 {
		return ""
	}
	return strings.TrimSpace(who)
}
