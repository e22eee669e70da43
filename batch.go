package talkstack

import "time"

// BatchState is where a batch of calls is.
type BatchState string

// The states.
const (
	BatchLoading   BatchState = "loading" // its sheet is being read; nothing is dialled yet
	BatchRunning   BatchState = "running"
	BatchPaused    BatchState = "paused"    // calls in progress go on, no new one begins
	BatchCompleted BatchState = "completed" // every recipient has a final result
	BatchCancelled BatchState = "cancelled" // what was not dialled never will be
)

// Batch is a sheet of recipients that an agent calls. Its rows are calls.
type Batch struct {
	ID             BatchID
	UserID         UserID
	ProjectID      ProjectID
	AgentID        AgentID
	AgentVersion   int    // that speaks in all calls of the batch
	From           string // number that the calls come from
	Name           string
	State          BatchState
	Total          int     // rows of the sheet
	Queued         int     // rows that became calls
	Rejected       int     // rows that did not
	CallsPerSecond float64 // calls begun; 0: only the project's limit counts
	Windows        []CallingWindow
	TimeZone       string // of the windows, IANA; empty: each recipient's own, or every zone its number's prefix allows
	Retry          []RetryRule
	StartAt        time.Time // no call begins before
	CreatedAt      time.Time
	CompletedAt    time.Time // zero until completed or cancelled
}

// CallingWindow is a time of day in which calls may begin, on some days of the week.
type CallingWindow struct {
	Days []string `json:"days" nullable:"false" maxItems:"7" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"Days of the week; empty: every day."`
	From string   `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"09:00" doc:"Local time, HH:MM."`
	To   string   `json:"to" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" example:"18:00" doc:"Local time, HH:MM, after from; no call begins at or after it."`
}

// RetryRule says when a recipient of a batch is called again.
type RetryRule struct {
	Outcome CallStatus `json:"outcome" enum:"busy,no-answer,voicemail,failed" doc:"How the try ended."`
	Times   int        `json:"times" minimum:"1" maximum:"10" doc:"Tries after the first for this outcome, at most."`
	After   int        `json:"after_seconds" minimum:"10" maximum:"604800" doc:"Pause before the next try, seconds; a closed calling window makes it longer."`
}

// DoNotCall is a number that an account must not call.
type DoNotCall struct {
	Number    string // E.164
	Reason    string // for people
	CreatedAt time.Time
}
