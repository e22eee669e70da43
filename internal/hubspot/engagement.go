package hubspot

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"talkstack"
)

// HubSpot's default call outcomes: the values of hs_call_disposition (calls guide).
const (
	outcomeBusy        = "9d9162e7-6cf3-4944-bf63-4dff82258764"
	outcomeConnected   = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
	outcomeVoicemail   = "b2cf5968-551e-4856-9783-52b3da59a7d0" // "Left voicemail"
	outcomeNoAnswer    = "73a0d17f-1163-4015-bdd5-ec830791da20"
	outcomeWrongNumber = "17b47fee-58de-441e-a44c-c6300d46f273"
)

// Values of hs_call_status that an ended call can have.
const (
	callCompleted = "COMPLETED"
	callBusy      = "BUSY"
	callNoAnswer  = "NO_ANSWER"
	callMissed    = "MISSED"
	callFailed    = "FAILED"
)

// written is a call as it is written to HubSpot.
type written struct {
	call      talkstack.Call
	turns     []talkstack.Turn
	recording string // a link; empty: none
}

// properties are those of the engagement (calls guide, "Properties").
func (w *written) properties() map[string]string {
	c := &w.call
	status, outcome := w.outcome()
	p := map[string]string{
		"hs_timestamp":        strconv.FormatInt(w.startedAt().UnixMilli(), 10),
		"hs_call_title":       w.title(),
		"hs_call_body":        w.body(),
		"hs_call_duration":    strconv.FormatInt(c.Duration(c.EndedAt).Milliseconds(), 10),
		"hs_call_direction":   strings.ToUpper(string(c.Direction)),
		"hs_call_status":      status,
		"hs_call_from_number": c.From,
		"hs_call_to_number":   c.To,
		externalID:            string(c.SID),
	}
	if outcome != "" {
		p["hs_call_disposition"] = outcome
	}
	if strings.HasPrefix(w.recording, "https://") { // HubSpot takes no other
		p["hs_call_recording_url"] = w.recording
	}
	return p
}

// startedAt is where the call stands on the contact's timeline.
func (w *written) startedAt() time.Time {
	for _, t := range []time.Time{w.call.DialedAt, w.call.AnsweredAt} {
		if !t.IsZero() {
			return t
		}
	}
	return w.call.CreatedAt
}

func (w *written) title() string {
	direction := "Outbound"
	if w.call.Direction == talkstack.Inbound {
		direction = "Inbound"
	}
	return fmt.Sprintf("%s call with the agent (%s)", direction, w.call.Status)
}

// outcome is a call's status and outcome in HubSpot's terms. An empty outcome is none.
func (w *written) outcome() (status, outcome string) {
	c := &w.call
	switch c.Status {
	case talkstack.StatusCompleted, talkstack.StatusSilence:
		return callCompleted, outcomeConnected
	case talkstack.StatusVoicemail:
		for _, t := range w.turns {
			if t.Role == talkstack.RoleAgent {
				return callCompleted, outcomeVoicemail
			}
		}
		return callCompleted, outcomeNoAnswer // a machine answered, and nothing was left on it
	case talkstack.StatusBusy:
		return callBusy, outcomeBusy
	case talkstack.StatusNoAnswer:
		if c.Direction == talkstack.Inbound {
			return callMissed, ""
		}
		return callNoAnswer, outcomeNoAnswer
	case talkstack.StatusFailed, talkstack.StatusQueued, talkstack.StatusInitiated, talkstack.StatusRinging, talkstack.StatusInProgress:
	}
	switch {
	case c.EndReason != nil && c.EndReason.Code == talkstack.EndInvalidDestination:
		return callFailed, outcomeWrongNumber
	case !c.AnsweredAt.IsZero():
		return callFailed, outcomeConnected
	}
	return callFailed, ""
}

// seconds is a length of time for people: "1 min 12 s".
func seconds(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
}

// ended is why the call ended, for people.
func (w *written) ended() string {
	if w.call.EndReason == nil {
		return string(w.call.Status)
	}
	return string(w.call.Status) + ": " + cmp.Or(w.call.EndReason.Message, string(w.call.EndReason.Code))
}
