package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/phonetest"
)

// TestConversations calls agents of several kinds, one after the other on one server.
func TestConversations(t *testing.T) {
	dataDir := t.TempDir()
	s := start(t, settings(t, dataDir))
	t.Run("keypad, and no recording", func(t *testing.T) { testKeypad(t, s, dataDir) })
	t.Run("caller first, answers from the prompt", func(t *testing.T) { testRetrieval(t, s) })
	t.Run("idle prompt, then silence; variables", func(t *testing.T) { testSilence(t, s) })
	t.Run("longest duration", func(t *testing.T) { testLongest(t, s) })
	t.Run("hold", func(t *testing.T) { testHold(t, s) })
}

func testKeypad(t *testing.T, s *system, dataDir string) {
	flow := &talkstack.Flow{Start: "customer", Nodes: []talkstack.FlowNode{
		ask("customer", "bye", "Please key in your customer number.", talkstack.FlowSlot{Type: talkstack.SlotDigits, Length: 6}),
		end("bye", "Thank you. Goodbye."),
	}}
	agent := s.newAgent(t, "Keypad", "You ask for a number.", "+15005550110", map[string]any{"flow": flow, "recording": false})
	sc := s.play(t, agent, nil, func(ctx context.Context, line *phonetest.Line) error {
		if err := listen(ctx, line, "number"); err != nil {
			return err
		}
		if err := line.Press(ctx, "004217"); err != nil {
			return err
		}
		return untilGone(ctx, line)
	})
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	c := s.object(t, http.MethodPost, "/call", map[string]any{"sid": sc.sid})
	if data, _ := c["data"].(map[string]any); data["customer"] != "004217" {
		t.Errorf("the slots are %v, want customer 004217", c["data"])
	}
	if urls, ok := c["recordingUrls"].([]any); !ok || len(urls) != 0 || sc.call.Recording != "" {
		t.Errorf("recordingUrls %v and recording_url %q of a call that was not to be recorded", c["recordingUrls"], sc.call.Recording)
	}
	err := filepath.WalkDir(filepath.Join(dataDir, "recordings"), func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, string(sc.sid)) {
			t.Errorf("there is a file %s", filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// testRetrieval asks an agent that has only a prompt. The called party opens the conversation.
func testRetrieval(t *testing.T, s *system) {
	const prompt = `You are Grace, the receptionist of the Riverside dental practice.
We are open from Monday to Friday, nine in the morning to five in the afternoon.
Our address is 12 Main Street.`
	agent := s.newAgent(t, "Grace", prompt, "+15005550111", map[string]any{"first_speaker": "caller"})
	sc := s.play(t, agent, nil, func(ctx context.Context, line *phonetest.Line) error {
		for _, step := range []struct{ say, answer string }{
			{"When are you open?", "monday|friday"},
			{"And what is your address?", "main street"},
		} {
			if err := line.Say(ctx, step.say); err != nil {
				return err
			}
			if err := listen(ctx, line, step.answer); err != nil {
				return err
			}
		}
		if err := line.Say(ctx, "Thank you. Goodbye."); err != nil {
			return err
		}
		return untilGone(ctx, line)
	})
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	if len(sc.turns) == 0 || sc.turns[0].Role != talkstack.RoleUser {
		t.Errorf("the first turn is not the caller's: %+v", sc.turns)
	}
	wantWords(t, "the phone heard", sc.heard(), "monday", "friday", "nine|9", "five|5", "main street")
	wantWords(t, "the caller in the transcript", sc.stored(talkstack.RoleUser), "open", "address", "goodbye|bye")
}

// testSilence calls somebody who never speaks. The greeting holds variables, of which one has no value.
func testSilence(t *testing.T, s *system) {
	agent := s.newAgent(t, "Idle", "You talk to {{name}} of {{company}}.", "+15005550112", map[string]any{
		"greeting": "Hello {{name}}, this is the library {{branch}}.", "silence_limit_ms": 4000,
		"idle_prompts": []map[string]any{{"after_ms": 2000, "text": "Are you still there?"}},
	})
	sc := s.play(t, agent, map[string]any{"name": "Anna"}, untilGone)
	expect(t, sc.call, talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity)
	wantWords(t, "the phone heard", sc.heard(), "anna|ana|hannah|anne", "library", "still there")
	if got := sc.stored(talkstack.RoleAgent); strings.Contains(got, "{") || strings.Count(got, "still there") != 1 {
		t.Errorf("the agent said %q, want each variable filled and the prompt once", got)
	}
	if n := len(sc.turns); n != 2 {
		t.Errorf("%d turns, want the greeting and the prompt", n)
	}
	for api, missing := range map[string]any{
		"missingVariables":  s.object(t, http.MethodPost, "/call", map[string]any{"sid": sc.sid})["missingVariables"],
		"missing_variables": s.object(t, http.MethodGet, "/v1/calls/"+string(sc.sid), nil)["missing_variables"],
	} {
		names, _ := missing.([]any)
		if len(names) != 2 || names[0] != "company" || names[1] != "branch" {
			t.Errorf("%s is %v, want company and branch", api, missing)
		}
	}
}

func testLongest(t *testing.T, s *system) {
	agent := s.newAgent(t, "Brief", "You say little.", "+15005550113", map[string]any{
		"greeting": "Hello. What can I do for you?", "silence_limit_ms": 60_000, "max_duration_ms": 5000,
	})
	sc := s.play(t, agent, nil, untilGone)
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyPlatform, talkstack.EndMaxDuration)
	if d := sc.call.Seconds; d < 4.9 {
		t.Errorf("the call was connected for %.1f s, want 5", d)
	}
}

// testHold puts the agent on hold in mid-call; afterwards each side must hear the other again.
func testHold(t *testing.T, s *system) {
	flow := &talkstack.Flow{Start: "ready", Nodes: []talkstack.FlowNode{
		ask("ready", "name", "Are you ready to begin?", talkstack.FlowSlot{Type: talkstack.SlotYesNo}),
		ask("name", "bye", "Wonderful. What is your name, please?", talkstack.FlowSlot{Type: talkstack.SlotName}),
		end("bye", "Goodbye."),
	}}
	agent := s.newAgent(t, "Patient", "You wait.", "+15005550114", map[string]any{"flow": flow, "silence_limit_ms": 30_000})
	sc := s.play(t, agent, nil, func(ctx context.Context, line *phonetest.Line) error {
		if err := listen(ctx, line, "ready|begin"); err != nil {
			return err
		}
		if err := line.Hold(ctx, true); err != nil {
			return err
		}
		// Nothing of what is said on hold may reach the agent.
		if err := line.Say(ctx, "No, I am not ready."); err != nil {
			return err
		}
		if err := line.Wait(ctx, time.Second); err != nil {
			return err
		}
		if err := line.Hold(ctx, false); err != nil {
			return err
		}
		if err := line.Say(ctx, "Yes, I am ready."); err != nil {
			return err
		}
		return listen(ctx, line, "name")
	})
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
	slots, _ := s.object(t, http.MethodGet, "/v1/calls/"+string(sc.sid), nil)["slots"].(map[string]any)
	if slots["ready"] != "yes" {
		t.Errorf("the slots are %v, want ready: yes", slots)
	}
	if users := sc.stored(talkstack.RoleUser); strings.Contains(users, "not") {
		t.Errorf("the agent heard %q, which was said while it was held", users)
	}
}
