package e2e

import (
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/phonetest"
)

// TestEveryNumberOfTheTestPhone calls each number and checks the documented table of statuses and end reasons.
func TestEveryNumberOfTheTestPhone(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.patchAgent(t, map[string]any{"ring_timeout_ms": 6000})
	for _, c := range []struct {
		name, number string
		status       talkstack.CallStatus
		party        talkstack.Party
		code         talkstack.EndCode
	}{
		{"busy", phonetest.NumberBusy, talkstack.StatusBusy, talkstack.PartyCarrier, talkstack.EndDialBusy},
		{"declines", phonetest.NumberDeclines, talkstack.StatusFailed, talkstack.PartyCarrier, talkstack.EndDialFailed},
		{"never answers", phonetest.NumberNoAnswer, talkstack.StatusNoAnswer, talkstack.PartyCarrier, talkstack.EndDialNoAnswer},
		{"unknown number", "+15005550099", talkstack.StatusFailed, talkstack.PartyCarrier, talkstack.EndInvalidDestination},
		{"answering machine", phonetest.NumberMachine, talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached},
		{"silent", phonetest.NumberSilent, talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity},
		{"hangs up in mid-sentence", phonetest.NumberHangsUp, talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup},
		{"interrupts", phonetest.NumberInterrupts, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup},
	} {
		t.Run(c.name, func(t *testing.T) {
			sid := s.place(t, c.number)
			call := s.wait(t, sid)
			turns := s.transcript(t, sid)
			expect(t, call, c.status, c.party, c.code)
			n := 0
			for _, r := range s.Phone().Calls() {
				if strings.HasPrefix(r.CallID, string(sid)) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("the far end saw %d INVITEs of call %s, want 1", n, sid)
			}
			if c.number == phonetest.NumberInterrupts {
				cut := false
				for _, turn := range turns {
					cut = cut || turn.Role == talkstack.RoleAgent && turn.Interrupted
				}
				if !cut {
					t.Error("no turn of the agent is marked as interrupted")
				}
			}
		})
	}
}
