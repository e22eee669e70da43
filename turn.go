package talkstack

import (
	"slices"
	"time"
)

// Role is who a turn belongs to.
type Role string

// The roles.
const (
	RoleAgent Role = "agent"
	RoleUser  Role = "user"
	RoleTool  Role = "tool"
)

// Word is one word of a transcript with its place in the call.
type Word struct {
	Text  string
	Start time.Duration // from the start of the call's media
	End   time.Duration
}

// Turn is what one party said, as stored. An agent's text is what was really heard.
type Turn struct {
	Seq         int // from 0, in the order in which turns began
	Role        Role
	Text        string
	Start, End  time.Duration // from the start of the call's media; the recording has the same zero
	Words       []Word        // may be empty: not every recogniser times words
	Interrupted bool          // the caller barged in, and Text is cut to what was heard
	Latency     *TurnLatency  // agent turns that answer a caller's utterance
}

// TurnLatency is how long the caller waited, split into the consecutive segments of the critical path.
// Work that speculation did ahead counts as zero in its stage, so the stages add up to Total.
type TurnLatency struct {
	Endpointing   time.Duration // end of the caller's speech → decision that the caller has finished
	ASRFinal      time.Duration // → final transcript
	LLMFirstToken time.Duration // → first words of the reply
	TTSFirstByte  time.Duration // → first audio of the reply
	Playout       time.Duration // → first frame sent
	Total         time.Duration
}

// LatencySummary is a call's voice-to-voice latency.
type LatencySummary struct {
	P50   time.Duration
	P95   time.Duration
	Turns int // turns that were measured
}

// SummarizeLatency computes the percentiles (nearest rank) over the turns that have a latency.
func SummarizeLatency(turns []Turn) LatencySummary {
	var all []time.Duration
	for _, t := range turns {
		if t.Latency != nil {
			all = append(all, t.Latency.Total)
		}
	}
	if len(all) == 0 {
		return LatencySummary{}
	}
	slices.Sort(all)
	rank := func(p int) time.Duration { return all[(len(all)*p+99)/100-1] }
	return LatencySummary{P50: rank(50), P95: rank(95), Turns: len(all)}
}

// Transcript is what a recogniser made of the caller's current utterance, from its beginning.
type Transcript struct {
	Utterance int // counts the recogniser's resets, from 0: tells a late transcript of the last utterance apart
	Text      string
	Words     []Word        // may be empty
	Final     bool          // covers all that was heard before a flush; false: interim, may still change
	UpTo      time.Duration // audio taken in when it was decided, from the start of the call's media
	Err       error         // the recogniser failed; Text is empty
}
