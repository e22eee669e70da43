package analysis

import (
	"context"
	"strings"
	"time"

	"talkstack"
)

// Rules is the analyzer that needs no language model. It understands English, and answers only what was asked and
// answered in nearly the words of the question: everything else is nil, never a guess.
type Rules struct{}

// Name is AnalyzerRules.
func (Rules) Name() string { return talkstack.AnalyzerRules }

// Analyze never fails.
func (Rules) Analyze(_ context.Context, in Input) (talkstack.Analysis, error) {
	a := talkstack.Analysis{
		Sentiment: talkstack.SentimentUnknown, Successful: successOf(&in), Voicemail: voicemailOf(&in.Call),
		Answers: make([]talkstack.Answer, len(in.Questions)), Analyzer: talkstack.AnalyzerRules,
	}
	s := newScene(&in)
	if !a.Voicemail {
		a.Sentiment = s.sentiment()
	}
	for i, q := range in.Questions {
		a.Answers[i] = talkstack.Answer{Question: q, Value: s.answer(q, a.Voicemail)}
	}
	a.Summary = summaryOf(&in, &a)
	return a, nil
}

// scene is a call's conversation, prepared for reading.
type scene struct {
	call  *talkstack.Call
	zone  *time.Location
	lines []line
}

// line is what one party said without a word of the other between.
type line struct {
	role      talkstack.Role
	sentences []sentence
}

func newScene(in *Input) *scene {
	s := &scene{call: &in.Call, zone: zoneOf(&in.Call)}
	for _, t := range in.Turns {
		if t.Role != talkstack.RoleAgent && t.Role != talkstack.RoleUser || strings.TrimSpace(t.Text) == "" {
			continue
		}
		if n := len(s.lines); n > 0 && s.lines[n-1].role == t.Role {
			s.lines[n-1].sentences = append(s.lines[n-1].sentences, splitSentences(t.Text)...)
			continue
		}
		s.lines = append(s.lines, line{t.Role, splitSentences(t.Text)})
	}
	return s
}

// answer answers one question. A call that a machine took holds no answers of a person.
func (s *scene) answer(q talkstack.Question, voicemail bool) any {
	asked := newAsked(q.Text)
	if v, ok := s.slotAnswer(q, asked); ok {
		return v
	}
	if voicemail || asked.ofAgent {
		return nil
	}
	switch q.Type {
	case talkstack.QuestionBoolean:
		return orNil(s.boolean(asked))
	case talkstack.QuestionNumber:
		return s.number(asked)
	case talkstack.QuestionSelector:
		return orNil(s.selector(asked, q.Options))
	case talkstack.QuestionText:
		return orNil(s.text(asked))
	}
	return nil
}

// orNil is a text answer; empty is none.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// zoneOf is the zone that the other party lives in; UTC when it is not known for sure.
func zoneOf(c *talkstack.Call) *time.Location {
	if c.TimeZone == "" || strings.Contains(c.TimeZone, ",") {
		return time.UTC
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}
