package talkstack

import (
	"slices"
	"time"
)

// Direction says who called whom.
type Direction string

// The directions.
const (
	Outbound Direction = "outbound"
	Inbound  Direction = "inbound"
)

// CallStatus is a call's status as the API documents it (spec section 10).
type CallStatus string

// The statuses. The first four are temporary, the rest permanent.
const (
	StatusQueued     CallStatus = "queued"      // accepted, not yet handed to the carrier
	StatusInitiated  CallStatus = "initiated"   // handed to the carrier, not ringing yet
	StatusRinging    CallStatus = "ringing"     // ringing
	StatusInProgress CallStatus = "in-progress" // answered, conversation running
	StatusCompleted  CallStatus = "completed"   // conversation ended normally
	StatusBusy       CallStatus = "busy"        // line busy
	StatusFailed     CallStatus = "failed"      // could not be placed, or broke off
	StatusNoAnswer   CallStatus = "no-answer"   // rang out
	StatusVoicemail  CallStatus = "voicemail"   // a machine answered
	StatusSilence    CallStatus = "silence"     // nobody spoke for the agent's limit; we hung up
)

// CallStatuses are all statuses in the order of a call's life.
func CallStatuses() []CallStatus {
	return []CallStatus{
		StatusQueued, StatusInitiated, StatusRinging, StatusInProgress,
		StatusCompleted, StatusBusy, StatusFailed, StatusNoAnswer, StatusVoicemail, StatusSilence,
	}
}

// Final reports whether s never changes again.
func (s CallStatus) Final() bool {
	switch s {
	case StatusCompleted, StatusBusy, StatusFailed, StatusNoAnswer, StatusVoicemail, StatusSilence:
		return true
	case StatusQueued, StatusInitiated, StatusRinging, StatusInProgress:
	}
	return false
}

// CanTransition reports whether a call may go from one status to another (spec section 10).
// Steps may be skipped: a carrier that never rings takes a call from initiated to in-progress.
func CanTransition(from, to CallStatus) bool {
	next := map[CallStatus][]CallStatus{
		StatusQueued:     {StatusInitiated, StatusRinging, StatusInProgress, StatusFailed, StatusBusy, StatusNoAnswer},
		StatusInitiated:  {StatusRinging, StatusInProgress, StatusFailed, StatusBusy, StatusNoAnswer},
		StatusRinging:    {StatusInProgress, StatusFailed, StatusBusy, StatusNoAnswer},
		StatusInProgress: {StatusCompleted, StatusVoicemail, StatusSilence, StatusFailed},
	}
	return slices.Contains(next[from], to)
}

// CallState is where the dispatcher has a call. The row is committed in StateDialing before the INVITE leaves.
type CallState string

// The states. An inbound call starts live.
const (
	StateHeld    CallState = "held"    // what it belongs to was deleted: it waits for its end
	StateQueued  CallState = "queued"  // due at NotBefore; a batch's while the batch is running
	StateClaimed CallState = "claimed" // a node has taken it; nothing was sent
	StateDialing CallState = "dialing" // an INVITE may have left: this attempt is never dialled again
	StateLive    CallState = "live"    // answered
	StateEnded   CallState = "ended"   // final
)

// Party is who ended a call.
type Party string

// The parties.
const (
	PartyCaller   Party = "caller" // the other party of the agent, whoever dialled
	PartyAgent    Party = "agent"
	PartyCarrier  Party = "carrier"
	PartyProvider Party = "provider" // a speech or language provider
	PartyPlatform Party = "platform" // us
)

// EndCode says why a call ended. Codes follow Retell's disconnection reasons where they have one.
type EndCode string

// The end codes.
const (
	EndUserHangup         EndCode = "user_hangup"
	EndAgentHangup        EndCode = "agent_hangup"
	EndCallTransfer       EndCode = "call_transfer"
	EndVoicemailReached   EndCode = "voicemail_reached"
	EndInactivity         EndCode = "inactivity"
	EndMaxDuration        EndCode = "max_duration_reached"
	EndConcurrencyLimit   EndCode = "concurrency_limit_reached"
	EndDialBusy           EndCode = "dial_busy"
	EndDialFailed         EndCode = "dial_failed"
	EndDialNoAnswer       EndCode = "dial_no_answer"
	EndInvalidDestination EndCode = "invalid_destination"
	EndPermissionDenied   EndCode = "telephony_provider_permission_denied"
	EndErrorASR           EndCode = "error_asr"
	EndErrorLLM           EndCode = "error_llm"
	EndErrorTTS           EndCode = "error_tts"
	EndMediaTimeout       EndCode = "media_timeout" // no packet from the other party for too long
	EndDoNotCall          EndCode = "do_not_call"   // the number is on the account's do-not-call list
	EndInterrupted        EndCode = "interrupted"   // our process died in the call
	EndShutdown           EndCode = "shutdown"      // our process was told to stop and the drain limit passed
	EndErrorInternal      EndCode = "error_internal"
)

// EndReason says who ended a call and why. Alerts count PartyPlatform and PartyProvider only.
type EndReason struct {
	Party   Party   `json:"party"`
	Code    EndCode `json:"code"`
	Message string  `json:"message"` // for people: "The line was busy (486 Busy Here)."
}

// Ending is a final status with its reason.
type Ending struct {
	Status CallStatus
	Reason EndReason
}

// Call is one phone conversation as it is stored.
type Call struct {
	SID              CallSID
	CarrierSID       string // the carrier's own id: the SIP Call-ID
	UserID           UserID
	ProjectID        ProjectID
	AgentID          AgentID
	AgentVersion     int
	Direction        Direction
	From, To         string
	Status           CallStatus
	State            CallState
	EndReason        *EndReason // nil until ended
	DynamicVariables map[string]any
	MissingVariables []string           // placeholders of the prompt without a value
	Slots            map[string]string  // what a flow filled
	Cost             float64            // US dollars
	CostParts        map[string]float64 // US dollars by part: carrier, asr, llm, tts, analysis
	Usage            Usage
	Analysis         *Analysis      // by the project's questions; nil until it is there
	Latency          LatencySummary // of an ended call; one that runs has its turns alone
	Recording        string         // key in the recording store; empty: none
	Node             NodeID
	Attempt          int
	BatchID          BatchID // empty: not of a batch
	BatchRow         int     // row of the batch's sheet, from 1
	TimeZone         string  // the recipient's, IANA; several, by commas, where the number's prefix allows several; empty: unknown
	Try              int     // 1; more for a recipient who is called again, each try a call of its own
	RetryOf          CallSID // the try before; empty for the first
	NotBefore        time.Time
	CreatedAt        time.Time
	DialedAt         time.Time // zero until then, as the following
	AnsweredAt       time.Time
	EndedAt          time.Time
}

// Duration is the connected time: zero for a call that was never answered.
func (c *Call) Duration(now time.Time) time.Duration {
	if c.AnsweredAt.IsZero() {
		return 0
	}
	if c.EndedAt.IsZero() {
		return max(0, now.Sub(c.AnsweredAt))
	}
	return max(0, c.EndedAt.Sub(c.AnsweredAt)) // whoever ended it may have another clock
}

// Counterpart is the number of the agent's other party.
func (c *Call) Counterpart() string {
	if c.Direction == Inbound {
		return c.From
	}
	return c.To
}
