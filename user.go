package talkstack

import "time"

// User is an account: the owner of projects, agents, numbers and calls.
type User struct {
	ID            UserID
	Email         string // lower case
	Name          string
	CompanyName   string // empty: none given
	PasswordHash  Secret // argon2id in PHC form
	Verified      bool
	ActiveProject ProjectID // empty: none
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Project groups agents, numbers and calls. Names are unique among an owner's live projects.
type Project struct {
	ID          ProjectID
	UserID      UserID
	Name        string
	Description string
	WebhookURL  string  // empty: none
	ActiveAgent AgentID // empty: none; answers and dials when no agent is named
	MaxCalls    int     // live calls the project may have at once
	// CallsPerSecond bounds how fast outbound calls begin; 0: no limit.
	CallsPerSecond float64
	// RedialInterrupted is how often a call that a crash of ours cut off is dialled again, as a new call; 0: never.
	RedialInterrupted int
	AnalysisSchema    []Question // what is asked of each call that ends
	WebhookSecret     Secret     // whsec_ and base64: messages are signed with it
	WebhookOldSecret  Secret     // the one before it, signed with too until WebhookOldUntil; empty: none
	WebhookOldUntil   time.Time
	Deleted           bool
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// DefaultProjectMaxCalls is MaxCalls of a new project.
const DefaultProjectMaxCalls = 20

// NumberStatusAvailable is the only number status that is documented.
const NumberStatusAvailable = "AVAILABLE"

// Number is an E.164 number that an account owns: agents call from it and answer on it.
type Number struct {
	ID        NumberID
	UserID    UserID
	ProjectID ProjectID
	AgentID   AgentID // empty: the project's active agent answers
	E164      string
	Status    string
	CreatedAt time.Time
}

// Voice is a voice an agent can speak with.
type Voice struct {
	ID       string            // what the API calls voice_id
	Name     string            // "Heart"
	Provider string            // "kokoro", "espeak", ...
	Key      string            // the provider's own name for it
	Language string            // BCP 47: "en-US"
	Labels   map[string]string // accent, description, age, gender, use_case
}
