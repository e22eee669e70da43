package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/phonetest"
)

// The tests that speak and listen do not run in parallel: both ends of a call recognise and synthesise on the same
// processors, and on two cores a second conversation would make people wait in the first.

// newAgent makes an agent with a number of its own in the demo project; settings are those of PATCH /v1/agents.
func (s *system) newAgent(t testing.TB, name, prompt, number string, settings map[string]any) talkstack.AgentID {
	t.Helper()
	var made struct {
		Data struct {
			ID talkstack.AgentID `json:"id"`
		} `json:"data"`
	}
	s.ask(t, http.MethodPost, "/agent/create-agent", map[string]any{
		"name": name, "systemInstruction": prompt, "projectId": s.demo.ProjectID, "phoneNumber": number,
	}, &made)
	if made.Data.ID == "" {
		t.Fatal("the new agent has no id")
	}
	s.ask(t, http.MethodPatch, "/v1/agents/"+string(made.Data.ID), settings, nil)
	return made.Data.ID
}

// party is what the test phone does in one call, once it has answered.
type party func(ctx context.Context, line *phonetest.Line) error

// scene is one call as the other party lived it.
type scene struct {
	sid   talkstack.CallSID
	call  client.V1Call
	turns []client.Turn
	said  []phonetest.Utterance // by both sides, as the phone heard them
}

// heard are the words of the agent that the phone understood.
func (s scene) heard() string {
	var b strings.Builder
	for _, u := range s.said {
		if !u.Mine {
			b.WriteString(" " + plain(u.Text))
		}
	}
	return b.String()
}

// stored are the words of one side in the transcript.
func (s scene) stored(role talkstack.Role) string {
	var b strings.Builder
	for _, turn := range s.turns {
		if turn.Role == role {
			b.WriteString(" " + plain(turn.Text))
		}
	}
	return b.String()
}

// play has an agent call the test phone, where p answers, and waits for the end of the call.
func (s *system) play(t testing.TB, agent talkstack.AgentID, vars map[string]any, p party) scene {
	t.Helper()
	const number = "+15005550050"
	over := make(chan error, 1)
	var said []phonetest.Utterance
	s.Phone().On(number, func(ctx context.Context, r *phonetest.Ringing) error {
		line, err := r.Answer(ctx)
		if err == nil {
			err = p(ctx, line)
			line.Hangup()
			said = line.Conversation()
		}
		over <- err
		return nil
	})
	made, err := s.api.MakeCall(t.Context(), client.MakeCallRequest{
		Number: number, ProjectID: s.demo.ProjectID, AgentID: agent, DynamicVariables: vars,
	})
	if err != nil {
		t.Fatal(err)
	}
	sid := made.CallID
	sc := scene{sid: sid, call: s.wait(t, sid)}
	select {
	case err := <-over:
		if err != nil && err != phonetest.ErrGone { //nolint:errorlint // lines return it as it is
			t.Errorf("the other party: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the call ended %s (%+v), but the phone does not know", sc.call.Status, sc.call.EndReason)
	}
	sc.said, sc.turns = said, s.transcript(t, sid)
	for _, u := range said {
		if !u.Mine {
			t.Logf("the phone heard: %s", u.Text)
		}
	}
	return sc
}

// untilGone stays silent until the agent hangs up.
func untilGone(_ context.Context, line *phonetest.Line) error {
	<-line.Gone()
	return nil
}

// listen waits until the agent has said something that matches words.
func listen(ctx context.Context, line *phonetest.Line, words string) error {
	want := regexp.MustCompile(words)
	var all []string
	for {
		u, err := line.Listen(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %q, heard %q: %w", words, all, err)
		}
		all = append(all, u.Text)
		if want.MatchString(plain(u.Text)) {
			return nil
		}
	}
}

// wantWords checks that a text holds each of the words; a word may be given in several forms: "nine|9".
func wantWords(t testing.TB, who, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !regexp.MustCompile(`\b(` + w + `)\b`).MatchString(text) {
			t.Errorf("%s: %q is not in %q", who, w, text)
		}
	}
}

// object reads an object of one of the two APIs.
func (s *system) object(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	var out map[string]any
	s.ask(t, method, path, body, &out)
	return out
}

// send sends a body as it is and returns the status and the decoded error body.
func (s *system) send(t testing.TB, method, path string, body io.Reader) (int, map[string]any) {
	t.Helper()
	status, answer := s.exchange(t, method, path, body)
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%s %s answered %d without a JSON object: %s", method, path, status, bytes.TrimSpace(answer))
	}
	return status, out
}

// end is a flow's last node.
func end(id, text string) talkstack.FlowNode {
	return talkstack.FlowNode{ID: id, Kind: talkstack.FlowEnd, Text: text}
}

// ask is a flow's question.
func ask(id, next, text string, slot talkstack.FlowSlot) talkstack.FlowNode {
	slot.Name = id
	return talkstack.FlowNode{ID: id, Kind: talkstack.FlowAsk, Text: text, Next: next, Slot: &slot}
}
