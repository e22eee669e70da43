package talkstack

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// QuestionType is the kind of answer a question of an analysis wants (spec section 6.4).
type QuestionType string

// The question types.
const (
	QuestionBoolean  QuestionType = "Boolean" // "Yes" or "No"
	QuestionText     QuestionType = "Text"
	QuestionNumber   QuestionType = "Number" // a number only
	QuestionSelector QuestionType = "Selector"
)

// Question is one question that an analysis answers from a call's transcript.
type Question struct {
	Name    string       `json:"name"`     // key of the answer in the extracted data; empty: made from the text
	Text    string       `json:"question"` // "Did the caller confirm the appointment?"
	Type    QuestionType `json:"type"`     // Selector needs Options
	Options []string     `json:"options,omitempty"`
}

// Answer is what the transcript holds for a question.
type Answer struct {
	Question Question
	Value    any // string, float64, or nil when the transcript does not hold it
}

// Sentiment is the mood of the other party.
type Sentiment string

// The sentiments.
const (
	SentimentPositive Sentiment = "Positive"
	SentimentNegative Sentiment = "Negative"
	SentimentNeutral  Sentiment = "Neutral"
	SentimentUnknown  Sentiment = "Unknown" // there is too little to tell
)

// Analysis is what is known of a call once it has ended.
type Analysis struct {
	Summary    string
	Sentiment  Sentiment
	Successful *bool // nil: cannot be told
	Voicemail  bool  // a machine answered
	Answers    []Answer
	Analyzer   string    // AnalyzerRules, or the language model that answered
	Usage      ChatUsage // tokens of the language model, all its tries together
	CreatedAt  time.Time
}

// AnalyzerRules is the analyzer that needs no language model.
const AnalyzerRules = "rules"

// Data is the answers by name, as strings, as the call object shows them (spec Q32). A question without an answer is
// the empty string.
func (a *Analysis) Data() map[string]string {
	out := make(map[string]string, len(a.Answers))
	for key, value := range a.Values() {
		out[key] = FormatValue(value)
	}
	return out
}

// Values is the answers by name: a string, a float64, or nil where the transcript holds none.
func (a *Analysis) Values() map[string]any {
	questions := make([]Question, len(a.Answers))
	for i, answer := range a.Answers {
		questions[i] = answer.Question
	}
	out := make(map[string]any, len(a.Answers))
	for i, key := range QuestionKeys(questions) {
		out[key] = a.Answers[i].Value
	}
	return out
}

// QuestionKeys are the names of the questions' answers, each once: a key that was given already gets a number behind it.
func QuestionKeys(questions []Question) []string {
	keys := make([]string, 0, len(questions))
	for _, q := range questions {
		key := q.Key()
		for n := 2; slices.Contains(keys, key); n++ {
			key = fmt.Sprintf("%s_%d", q.Key(), n)
		}
		keys = append(keys, key)
	}
	return keys
}

// Key is the name of the question's answer among the extracted data: its name, or else its text in lower case with
// underscores, 60 characters at most.
func (q Question) Key() string {
	if q.Name != "" {
		return q.Name
	}
	var b strings.Builder
	for _, r := range strings.ToLower(q.Text) {
		switch {
		case b.Len() >= maxKey:
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	if key := strings.TrimRight(b.String(), "_"); key != "" {
		return key
	}
	return "question"
}

const maxKey = 60

// Limits on the questions of one analysis. Lengths are in characters.
const (
	MaxQuestions         = 50
	MaxQuestionText      = 1000
	MaxQuestionName      = 100
	MinQuestionOptions   = 1
	MaxQuestionOptions   = 50
	MaxQuestionOption    = 200
	MaxQuestionsTogether = 20_000 // texts and options of all questions
)

// QuestionTypes are all types of questions.
func QuestionTypes() []QuestionType {
	return []QuestionType{QuestionBoolean, QuestionText, QuestionNumber, QuestionSelector}
}

// CheckQuestions returns the questions in the form in which they are kept: trimmed, the type as documented whatever its
// case, no options but a Selector's. An error is of CodeInvalid and names each bad field.
func CheckQuestions(questions []Question) ([]Question, error) {
	var bad []FieldError
	add := func(i int, field, format string, args ...any) {
		bad = append(bad, FieldError{Field: fmt.Sprintf("questions[%d].%s", i, field), Message: fmt.Sprintf(format, args...)})
	}
	if len(questions) > MaxQuestions {
		bad = append(bad, FieldError{Field: "questions", Message: fmt.Sprintf("must have at most %d entries", MaxQuestions)})
		questions = nil
	}
	out := make([]Question, 0, len(questions))
	names, size := map[string]bool{}, 0
	for i, q := range questions {
		q.Name, q.Text = strings.TrimSpace(q.Name), strings.TrimSpace(q.Text)
		switch n := utf8.RuneCountInString(q.Text); {
		case n == 0:
			add(i, "question", "is required")
		case n > MaxQuestionText:
			add(i, "question", "must have at most %d characters", MaxQuestionText)
		}
		if utf8.RuneCountInString(q.Name) > MaxQuestionName {
			add(i, "name", "must have at most %d characters", MaxQuestionName)
		}
		if q.Name != "" && names[q.Name] {
			add(i, "name", "is used by another question")
		}
		names[q.Name] = true
		at := slices.IndexFunc(QuestionTypes(), func(t QuestionType) bool { return strings.EqualFold(string(t), strings.TrimSpace(string(q.Type))) })
		if at < 0 {
			add(i, "type", "must be one of: Boolean, Text, Number, Selector")
		} else {
			q.Type = QuestionTypes()[at]
		}
		var trouble string
		if q.Options, trouble = checkOptions(q); trouble != "" {
			add(i, "options", "%s", trouble)
		}
		size += utf8.RuneCountInString(q.Text + strings.Join(q.Options, ""))
		out = append(out, q)
	}
	if size > MaxQuestionsTogether {
		bad = append(bad, FieldError{Field: "questions", Message: fmt.Sprintf("must have at most %d characters together", MaxQuestionsTogether)})
	}
	if len(bad) > 0 {
		return nil, &Error{Code: CodeInvalid, Message: bad[0].Field + " " + bad[0].Message + ".", Fields: bad}
	}
	return out, nil
}

// checkOptions returns a question's options trimmed, and what is wrong with them.
func checkOptions(q Question) (options []string, trouble string) {
	if q.Type != QuestionSelector {
		return nil, ""
	}
	if len(q.Options) < MinQuestionOptions || len(q.Options) > MaxQuestionOptions {
		return nil, fmt.Sprintf("must have %d to %d entries for a Selector", MinQuestionOptions, MaxQuestionOptions)
	}
	for _, o := range q.Options {
		o = strings.TrimSpace(o)
		if n := utf8.RuneCountInString(o); n == 0 || n > MaxQuestionOption {
			return nil, fmt.Sprintf("must each have 1 to %d characters", MaxQuestionOption)
		}
		if slices.ContainsFunc(options, func(other string) bool { return strings.EqualFold(o, other) }) {
			return nil, "must differ from one another"
		}
		options = append(options, o)
	}
	return options, ""
}
