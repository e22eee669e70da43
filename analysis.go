package talkstack

import (
	"strings"
	"time"
	"unicode"
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
	Analyzer   string // "rules", or the provider and model that was asked
	CreatedAt  time.Time
}

// Data is the answers by name, as strings, as the call object shows them (spec Q32). A question without an answer is
// the empty string.
func (a *Analysis) Data() map[string]string {
	out := make(map[string]string, len(a.Answers))
	for _, answer := range a.Answers {
		out[answer.Question.Key()] = FormatValue(answer.Value)
	}
	return out
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
	return strings.TrimRight(b.String(), "_")
}

const maxKey = 60
