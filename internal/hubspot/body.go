package hubspot

import (
	"fmt"
	"html"
	"strings"

	"talkstack"
)

// Bounds of hs_call_body, in bytes of UTF-8. HubSpot counts characters, of which there are never more than bytes.
const (
	maxBody    = 65_536
	maxSummary = 8_000
	maxAnswers = 16_000
)

// cut ends a text that was too long.
const cut = "<p><i>The transcript goes on: it is too long for HubSpot.</i></p>"

// body is the engagement's text: outcome, summary, answers and transcript, as HTML. All that comes from a call is escaped.
// Of a long call the transcript ends early, between two turns.
func (w *written) body() string {
	var b, tail strings.Builder
	c := &w.call
	paragraph(&b, "Outcome", fmt.Sprintf("%s (%s)", w.ended(), seconds(c.Duration(c.EndedAt))))
	if a := c.Analysis; a != nil {
		paragraph(&b, "Summary", shorten(a.Summary, maxSummary))
		paragraph(&b, "Mood", string(a.Sentiment))
		if a.Successful != nil {
			paragraph(&b, "Successful", yesNo(*a.Successful))
		}
		writeAnswers(&b, a.Answers)
	}
	if w.recording != "" {
		fmt.Fprintf(&tail, `<p><a href="%s">Recording</a></p>`, html.EscapeString(w.recording))
	}
	fmt.Fprintf(&tail, "<p>Talkstack call %s</p>", html.EscapeString(string(c.SID)))
	w.writeTranscript(&b, maxBody-tail.Len())
	return b.String() + tail.String()
}

func (w *written) writeTranscript(b *strings.Builder, limit int) {
	if len(w.turns) == 0 {
		return
	}
	limit -= len(cut)
	b.WriteString("<p><b>Transcript</b></p>")
	for _, t := range w.turns {
		line := fmt.Sprintf("<p><b>%s:</b> %s</p>", speaker(t.Role), html.EscapeString(t.Text))
		if b.Len()+len(line) > limit {
			b.WriteString(cut)
			return
		}
		b.WriteString(line)
	}
}

func speaker(r talkstack.Role) string {
	switch r {
	case talkstack.RoleAgent:
		return "Agent"
	case talkstack.RoleUser:
		return "Contact"
	case talkstack.RoleTool:
	}
	return "Tool"
}

// writeAnswers writes what the analysis has found. A question without an answer says so.
func writeAnswers(b *strings.Builder, answers []talkstack.Answer) {
	if len(answers) == 0 {
		return
	}
	end := b.Len() + maxAnswers
	b.WriteString("<p><b>Answers</b></p><ul>")
	for _, a := range answers {
		value := talkstack.FormatValue(a.Value)
		if a.Value == nil {
			value = "not said"
		}
		question := a.Question.Text
		if question == "" {
			question = a.Question.Name
		}
		line := "<li>" + html.EscapeString(question) + " <b>" + html.EscapeString(value) + "</b></li>"
		if b.Len()+len(line) > end {
			b.WriteString("<li>…</li>")
			break
		}
		b.WriteString(line)
	}
	b.WriteString("</ul>")
}

func paragraph(b *strings.Builder, name, text string) {
	if text != "" {
		fmt.Fprintf(b, "<p><b>%s:</b> %s</p>", name, html.EscapeString(text))
	}
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// shorten cuts a text to so many bytes, between two characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
