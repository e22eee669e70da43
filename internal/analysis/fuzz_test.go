package analysis

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"talkstack"
)

func FuzzReadAnswer(f *testing.F) {
	for _, s := range []string{
		`{"summary":"x","user_sentiment":"Positive","call_successful":null,"in_voicemail":false,"answers":{"q1":"Yes","q2":1e3,"q3":"a","q4":"t"}}`,
		"```json\n{\"answers\":{\"q2\":1e999}}\n```", `{"answers":[]}`, `{{{{`, `{"summary":5}`, `</think>{}`, `{"answers":{"q2":"0x10","q1":true,"q3":"A","q4":"null"}}`,
	} {
		f.Add(s)
	}
	questions := []talkstack.Question{
		{Type: talkstack.QuestionBoolean}, {Type: talkstack.QuestionNumber}, {Type: talkstack.QuestionSelector, Options: []string{"a", "b"}}, {Type: talkstack.QuestionText},
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := readAnswer(text, questions)
		for i, v := range r.answers {
			ok := v == nil
			switch value := v.(type) {
			case string:
				ok = questions[i].Type == talkstack.QuestionText && value != "" || questions[i].Type == talkstack.QuestionBoolean && (value == "Yes" || value == "No") || slices.Contains(questions[i].Options, value)
			case float64:
				ok = questions[i].Type == talkstack.QuestionNumber && !math.IsNaN(value) && !math.IsInf(value, 0)
			}
			if !ok {
				t.Errorf("answer %d is %#v", i, v)
			}
		}
		if len(r.answers) < len(questions) && len(r.wrong) == 0 {
			t.Error("something is missing, and nothing is wrong")
		}
		if _, err := json.Marshal(r.answers); err != nil {
			t.Error(err)
		}
	})
}

func FuzzReadFigures(f *testing.F) {
	for _, s := range []string{"twenty five", "two hundred and six", "minus four point five", "$1,200.50", "a dozen", "three thirty pm", "25k", "1e999", "two million million", "a hundred thousand million and", "5th of march", "%", "$", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := tokenize(text)
		figures, _ := readFigures(words)
		at := 0
		for _, g := range figures {
			if g.at < at || g.next <= g.at || g.next > len(words) || math.IsNaN(g.value) || math.IsInf(g.value, 0) {
				t.Errorf("%q: figure %+v", text, g)
			}
			at = g.next
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add("Do you have insurance?", "Yes. Actually, no.", "Does the caller have insurance?", "a")
	f.Add("When would you like to come?", "Next Thursday at three, no, Friday.", "When?", "Thursday")
	f.Add("What is your name?", "My name's O'Brien İ.", "What is the name?", "")
	f.Fuzz(func(t *testing.T, agent, caller, asked, option string) {
		in := Input{Turns: []talkstack.Turn{{Role: talkstack.RoleAgent, Text: agent}, {Role: talkstack.RoleUser, Text: caller}, {Role: talkstack.RoleAgent, Text: asked}, {Role: talkstack.RoleUser, Text: option}}}
		in.Call.Slots = map[string]string{option: caller}
		for _, kind := range talkstack.QuestionTypes() {
			in.Questions = append(in.Questions, talkstack.Question{Text: asked, Type: kind, Options: []string{option, "other " + option}})
		}
		a, err := Rules{}.Analyze(t.Context(), in)
		if err != nil || len(a.Answers) != len(in.Questions) {
			t.Fatalf("%+v, %v", a, err)
		}
		if v := a.Answers[0].Value; v != nil && v != "Yes" && v != "No" {
			t.Errorf("Boolean answer %#v", v)
		}
		if _, isNumber := a.Answers[2].Value.(float64); a.Answers[2].Value != nil && !isNumber {
			t.Errorf("Number answer %#v", a.Answers[2].Value)
		}
		if v := a.Answers[3].Value; v != nil && !slices.Contains(in.Questions[3].Options, v.(string)) {
			t.Errorf("Selector answer %#v", v)
		}
	})
}
