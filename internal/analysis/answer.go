package analysis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"talkstack"
)

// Bounds on what is kept of an answer, in bytes.
const (
	maxSummary = 4_000
	maxText    = 4_000
)

// questionID is a question's key in the model's answer: names of people's own could be anything.
func questionID(i int) string { return "q" + strconv.Itoa(i+1) }

// maxEnumOptions is how many options the schema lists; more are only told in words, for endpoints bound schemas.
const maxEnumOptions = 200

// answerFormat is the schema of an answer in the subset for strict structured outputs: all properties are required, no
// others allowed.
func answerFormat(questions []talkstack.Question) talkstack.ChatFormat {
	options := 0
	for _, q := range questions {
		options += len(q.Options)
	}
	properties, required := map[string]any{}, make([]string, 0, len(questions))
	for i, q := range questions {
		required = append(required, questionID(i))
		p := map[string]any{"type": []string{"string", "null"}, "description": q.Text}
		switch q.Type {
		case talkstack.QuestionBoolean:
			p["enum"] = []any{"Yes", "No", nil}
		case talkstack.QuestionNumber:
			p["type"] = []string{"number", "null"}
		case talkstack.QuestionSelector:
			if options <= maxEnumOptions {
				enum := []any{nil}
				for _, o := range q.Options {
					enum = append(enum, o)
				}
				p["enum"] = enum
			}
		case talkstack.QuestionText:
		}
		properties[questionID(i)] = p
	}
	object := func(properties map[string]any, required []string) map[string]any {
		return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	}
	schema := object(map[string]any{
		"summary":         map[string]any{"type": "string"},
		"user_sentiment":  map[string]any{"type": "string", "enum": sentiments()},
		"call_successful": map[string]any{"type": []string{"boolean", "null"}},
		"in_voicemail":    map[string]any{"type": "boolean"},
		"answers":         object(properties, required),
	}, []string{"summary", "user_sentiment", "call_successful", "in_voicemail", "answers"})
	b, err := json.Marshal(schema)
	if err != nil {
		panic("analysis: schema does not marshal: " + err.Error()) // plain data always does
	}
	return talkstack.ChatFormat{Name: "call_analysis", Schema: b}
}

func sentiments() []talkstack.Sentiment {
	return []talkstack.Sentiment{talkstack.SentimentPositive, talkstack.SentimentNegative, talkstack.SentimentNeutral, talkstack.SentimentUnknown}
}

// reading is what a model's answer holds that is right, and what is wrong with the rest.
type reading struct {
	summary    string
	sentiment  talkstack.Sentiment
	successful *bool
	hasSuccess bool
	voicemail  *bool
	answers    map[int]any // by the question's place; nil where the model says that there is none
	wrong      []string    // for the model
}

func (r *reading) empty() bool {
	return r.summary == "" && r.sentiment == "" && !r.hasSuccess && r.voicemail == nil && len(r.answers) == 0
}

// with is r with what a later answer holds: the later counts where both are right.
func (r reading) with(later reading) reading {
	if later.summary == "" {
		later.summary = r.summary
	}
	if later.sentiment == "" {
		later.sentiment = r.sentiment
	}
	if !later.hasSuccess {
		later.successful, later.hasSuccess = r.successful, r.hasSuccess
	}
	if later.voicemail == nil {
		later.voicemail = r.voicemail
	}
	answers := maps.Clone(r.answers)
	if answers == nil {
		answers = map[int]any{}
	}
	maps.Copy(answers, later.answers)
	later.answers = answers
	return later
}

// readAnswer checks a model's answer.
func readAnswer(text string, questions []talkstack.Question) reading {
	r := reading{answers: map[int]any{}}
	bad := func(format string, args ...any) { r.wrong = append(r.wrong, fmt.Sprintf(format, args...)) }
	fields := extractObject(text)
	if fields == nil {
		bad("it holds no JSON object")
		return r
	}
	if s, ok := fields["summary"].(string); ok && strings.TrimSpace(s) != "" {
		r.summary = clip(s, maxSummary)
	} else {
		bad("summary must be a text")
	}
	at := slices.IndexFunc(sentiments(), func(s talkstack.Sentiment) bool {
		said, _ := fields["user_sentiment"].(string)
		return strings.EqualFold(string(s), strings.TrimSpace(said))
	})
	if at >= 0 {
		r.sentiment = sentiments()[at]
	} else {
		bad(`user_sentiment must be "Positive", "Negative", "Neutral" or "Unknown"`)
	}
	switch v, there := fields["call_successful"]; v := v.(type) {
	case bool:
		r.successful, r.hasSuccess = &v, true
	case nil:
		if r.hasSuccess = there; !there {
			bad("call_successful is missing")
		}
	default:
		bad("call_successful must be true, false or null")
	}
	if v, ok := fields["in_voicemail"].(bool); ok {
		r.voicemail = &v
	} else {
		bad("in_voicemail must be true or false")
	}
	answers, ok := fields["answers"].(map[string]any)
	if !ok && len(questions) > 0 {
		bad("answers must be an object")
		return r
	}
	for i, q := range questions {
		v, there := answers[questionID(i)]
		if !there {
			bad("answers.%s is missing", questionID(i))
			continue
		}
		value, trouble := checkAnswer(v, q)
		if trouble != "" {
			bad("answers.%s %s", questionID(i), trouble)
			continue
		}
		r.answers[i] = value
	}
	return r
}

// checkAnswer is an answer in the form of its type: nil, "Yes" or "No", a float64, an option, or a text.
func checkAnswer(v any, q talkstack.Question) (value any, trouble string) {
	said, isText := v.(string)
	said = strings.TrimSpace(said)
	if v == nil || isText && isNothing(said, q) {
		return nil, ""
	}
	switch q.Type {
	case talkstack.QuestionBoolean:
		switch b, isBool := v.(bool); {
		case strings.EqualFold(said, "yes"), isBool && b:
			return "Yes", ""
		case strings.EqualFold(said, "no"), isBool && !b:
			return "No", ""
		}
		return nil, `must be "Yes", "No" or null`
	case talkstack.QuestionNumber:
		n, isNumber := v.(json.Number)
		if isText {
			n, isNumber = json.Number(said), true
		}
		if f, err := strconv.ParseFloat(string(n), 64); isNumber && err == nil && isDecimal(string(n)) && !math.IsInf(f, 0) {
			return f, ""
		}
		return nil, "must be a JSON number or null"
	case talkstack.QuestionSelector:
		if slices.Contains(q.Options, said) {
			return said, ""
		}
		for _, o := range q.Options {
			if strings.EqualFold(o, said) {
				return o, ""
			}
		}
		options, err := json.Marshal(q.Options)
		if err != nil {
			return nil, "must be one of the question's options or null"
		}
		return nil, "must be null or one of " + string(options)
	case talkstack.QuestionText:
		if isText {
			return clip(said, maxText), ""
		}
	}
	return nil, "must be a text or null"
}

// isNothing reports whether a model says in words that there is no answer, and the words are no option.
func isNothing(s string, q talkstack.Question) bool {
	switch strings.ToLower(strings.Trim(s, ". ")) {
	case "", "null", "n/a", "not mentioned", "not specified", "not provided":
		return !slices.ContainsFunc(q.Options, func(o string) bool { return strings.EqualFold(o, s) })
	}
	return false
}

// isDecimal reports whether s is a number as JSON writes them: ParseFloat also takes hexadecimal and "infinity".
func isDecimal(s string) bool { return s != "" && strings.Trim(s, "0123456789+-.eE") == "" }

// clip trims a text and cuts it to so many bytes, between two characters.
func clip(s string, limit int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit]) + "…"
}

// maxObjects bounds how many places in a text are tried as the beginning of an object.
const maxObjects = 64

// extractObject finds the JSON object of an answer in a text that may hold more: thoughts, fences, kind words. The one
// with the most fields that are asked for counts, the last of equals. Numbers stay json.Number. Nil: there is none.
func extractObject(text string) map[string]any {
	if _, after, ok := strings.Cut(text, "</think>"); ok {
		text = after
	}
	var best map[string]any
	score := -1
	data := []byte(text)
	for tries := 0; tries < maxObjects; tries++ {
		i := bytes.IndexByte(data, '{')
		if i < 0 {
			break
		}
		data = data[i:]
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var object map[string]any
		if err := d.Decode(&object); err != nil {
			data = data[1:]
			continue
		}
		known := 0
		for _, name := range []string{"summary", "user_sentiment", "call_successful", "in_voicemail", "answers"} {
			if _, ok := object[name]; ok {
				known++
			}
		}
		if known >= score {
			best, score = object, known
		}
		data = data[d.InputOffset():]
	}
	return best
}
