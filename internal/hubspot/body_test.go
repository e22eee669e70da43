package hubspot

import (
	"strings"
	"testing"

	"talkstack"
)

// A long call is cut between two turns, within HubSpot's limit, and what stands at the end stays.
func TestBodyStaysWithinTheLimit(t *testing.T) {
	t.Parallel()
	w := written{recording: "https://talk.example/r", call: talkstack.Call{SID: "CA1", Analysis: &talkstack.Analysis{Summary: strings.Repeat("ü&", 9000)}}}
	for range 400 {
		w.call.Analysis.Answers = append(w.call.Analysis.Answers, talkstack.Answer{Question: talkstack.Question{Text: strings.Repeat("<q>", 30)}, Value: 4.5})
		w.turns = append(w.turns, talkstack.Turn{Role: talkstack.RoleUser, Text: strings.Repeat("& words ", 60)})
	}
	body := w.body()
	if len(body) > maxBody {
		t.Errorf("the body has %d bytes, the limit is %d", len(body), maxBody)
	}
	for _, part := range []string{cut, `<a href="https://talk.example/r">`, "Talkstack call CA1", "<li>…</li>"} {
		if !strings.Contains(body, part) {
			t.Errorf("the body lacks %q", part)
		}
	}
	if strings.Count(body, "<p>") != strings.Count(body, "</p>") || strings.Count(body, "<li>") != strings.Count(body, "</li>") || !strings.HasSuffix(body, "</p>") {
		t.Error("the HTML is cut within an element")
	}
}
