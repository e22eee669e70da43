package talkstack

import (
	"fmt"
	"strings"
	"time"
)

// Agent is the configured AI speaker.
type Agent struct {
	ID        AgentID
	UserID    UserID
	ProjectID ProjectID
	Name      string
	Prompt    string // "systemInstruction" of the API; may hold {{variables}}
	VoiceID   string
	Settings  AgentSettings
	Version   int // grows by one at each change
	Deleted   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Milliseconds is a duration in settings and on the wire.
type Milliseconds int64

// Duration converts m.
func (m Milliseconds) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// FirstSpeaker is who opens the conversation.
type FirstSpeaker string

// The first speakers.
const (
	FirstSpeakerAgent  FirstSpeaker = "agent"
	FirstSpeakerCaller FirstSpeaker = "caller"
)

// AgentSettings is everything about an agent that the Talkstack API has no field for. Its JSON form is that of /v1.
type AgentSettings struct {
	Greeting      string       `json:"greeting" maxLength:"1000" doc:"First sentence of the agent; may hold {{variables}}. Empty: the brain decides."`
	FirstSpeaker  FirstSpeaker `json:"first_speaker" enum:"agent,caller" doc:"Who opens the conversation."`
	Flow          *Flow        `json:"flow" doc:"Dialogue graph for an agent that works without a language model. Null: none."`
	Recording     bool         `json:"recording" doc:"Whether calls are recorded, in stereo."`
	SilenceLimit  Milliseconds `json:"silence_limit_ms" minimum:"1000" maximum:"600000" doc:"Nobody speaking for longer than this ends the call with status silence."`
	IdlePrompts   []IdlePrompt `json:"idle_prompts" maxItems:"5" doc:"What the agent says when nobody has spoken for a while; each once, and the caller's next utterance makes them fresh."`
	MaxDuration   Milliseconds `json:"max_duration_ms" minimum:"5000" maximum:"14400000" doc:"Longest time a call may be connected."`
	RingTimeout   Milliseconds `json:"ring_timeout_ms" minimum:"5000" maximum:"180000" doc:"How long an outbound call may ring."`
	Endpointing   Endpointing  `json:"endpointing" doc:"When the caller counts as finished."`
	BargeIn       BargeIn      `json:"barge_in" doc:"How the caller may interrupt the agent."`
	EndPhrases    []string     `json:"end_call_phrases" maxItems:"20" doc:"Phrases of the agent after which it hangs up, matched without regard to case and punctuation."`
	Voicemail     Voicemail    `json:"voicemail" doc:"What to do when a machine answers."`
	Speed         float64      `json:"speed" minimum:"0.5" maximum:"2" doc:"Speed of speech; 1 is the voice's own."`
	KeypadTimeout Milliseconds `json:"keypad_timeout_ms" minimum:"500" maximum:"15000" doc:"A pause this long ends keypad input; # ends it at once."`
}

// IdlePrompt is a sentence for a silent caller.
type IdlePrompt struct {
	After Milliseconds `json:"after_ms" minimum:"500" doc:"Silence before the sentence; shorter than silence_limit_ms to matter."`
	Text  string       `json:"text" minLength:"1" maxLength:"500"`
}

// Endpointing holds the silences that end a caller's turn (design section 6).
type Endpointing struct {
	Complete   Milliseconds `json:"complete_ms" minimum:"100" maximum:"3000" doc:"Silence after text that sounds complete."`
	Incomplete Milliseconds `json:"incomplete_ms" minimum:"100" maximum:"5000" doc:"Silence after text that sounds unfinished."`
	Digits     Milliseconds `json:"digits_ms" minimum:"100" maximum:"5000" doc:"Silence while digits are dictated."`
	Limit      Milliseconds `json:"limit_ms" minimum:"100" maximum:"5000" doc:"No endpoint is ever later than this."`
}

// BargeIn holds how the caller interrupts.
type BargeIn struct {
	Enabled    bool         `json:"enabled" doc:"False: the agent finishes its sentence whatever the caller says."`
	PauseAfter Milliseconds `json:"pause_after_ms" minimum:"20" maximum:"1000" doc:"Caller speech before the agent pauses."`
}

// VoicemailAction is what the agent does when a machine answers.
type VoicemailAction string

// The voicemail actions.
const (
	VoicemailHangup  VoicemailAction = "hangup"
	VoicemailMessage VoicemailAction = "message" // after the beep
)

// Voicemail says what to do when a machine answers.
type Voicemail struct {
	Detect  bool            `json:"detect" doc:"False: a machine is spoken to like a person."`
	Action  VoicemailAction `json:"action" enum:"hangup,message"`
	Message string          `json:"message" maxLength:"2000" doc:"Left after the beep when action is message; may hold {{variables}}."`
}

// DefaultAgentSettings are the settings of a new agent: the documented 6 s of silence, and the design's times.
func DefaultAgentSettings() AgentSettings {
	return AgentSettings{
		FirstSpeaker:  FirstSpeakerAgent,
		Recording:     true,
		SilenceLimit:  6000,
		IdlePrompts:   []IdlePrompt{},
		MaxDuration:   30 * 60 * 1000,
		RingTimeout:   30 * 1000,
		Endpointing:   Endpointing{Complete: 300, Incomplete: 1200, Digits: 1500, Limit: 1600},
		BargeIn:       BargeIn{Enabled: true, PauseAfter: 100},
		EndPhrases:    []string{},
		Voicemail:     Voicemail{Detect: true, Action: VoicemailHangup},
		Speed:         1,
		KeypadTimeout: 3000,
	}
}

// Validate checks the rules that bounds on single fields do not express.
func (s *AgentSettings) Validate() error {
	var bad []FieldError
	add := func(field, format string, args ...any) {
		bad = append(bad, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	between := func(field string, v, lo, hi Milliseconds) {
		if v < lo || v > hi {
			add(field, "must be between %d and %d", lo, hi)
		}
	}
	between("silence_limit_ms", s.SilenceLimit, 1000, 600_000)
	between("max_duration_ms", s.MaxDuration, 5000, 4*3600*1000)
	between("ring_timeout_ms", s.RingTimeout, 5000, 180_000)
	between("endpointing.complete_ms", s.Endpointing.Complete, 100, 3000)
	between("endpointing.incomplete_ms", s.Endpointing.Incomplete, 100, 5000)
	between("endpointing.digits_ms", s.Endpointing.Digits, 100, 5000)
	between("endpointing.limit_ms", s.Endpointing.Limit, 100, 5000)
	between("barge_in.pause_after_ms", s.BargeIn.PauseAfter, 20, 1000)
	between("keypad_timeout_ms", s.KeypadTimeout, 500, 15_000)
	if s.Endpointing.Limit < s.Endpointing.Complete {
		add("endpointing.limit_ms", "must not be shorter than complete_ms")
	}
	if s.Speed < 0.5 || s.Speed > 2 {
		add("speed", "must be between 0.5 and 2")
	}
	switch s.FirstSpeaker {
	case FirstSpeakerAgent, FirstSpeakerCaller:
	default:
		add("first_speaker", "must be agent or caller")
	}
	switch s.Voicemail.Action {
	case VoicemailHangup:
	case VoicemailMessage:
		if strings.TrimSpace(s.Voicemail.Message) == "" {
			add("voicemail.message", "is needed when action is message")
		}
	default:
		add("voicemail.action", "must be hangup or message")
	}
	for i, p := range s.IdlePrompts {
		if strings.TrimSpace(p.Text) == "" {
			add(fmt.Sprintf("idle_prompts[%d].text", i), "must not be empty")
		}
	}
	if s.Flow != nil {
		for _, f := range s.Flow.Check() {
			add("flow."+f.Field, "%s", f.Message)
		}
	}
	if len(bad) > 0 {
		return &Error{Code: CodeInvalid, Message: "The agent's settings are not valid: " + bad[0].Field + " " + bad[0].Message + ".", Fields: bad}
	}
	return nil
}
