// Package batch owns how a list of people becomes calls: it reads the list, row by row, into the store, and decides what
// is wrong with a row and when its recipient may be called. It sees to the batches that were cancelled or left half
// loaded. It does not dial: the dispatcher claims a running batch's calls like any others. Package sheet reads the files.
package batch

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Bounds of a batch.
const (
	// MaxRecipients is the most that one request may list without a sheet.
	MaxRecipients = 1000
	// MaxCallsPerSecond is the quickest pace.
	MaxCallsPerSecond = 1000
	maxName           = 200 // characters
	maxRetryTimes     = 10
	minRetryPause     = 10            // seconds
	maxRetryPause     = 7 * 24 * 3600 // seconds
)

// Config is what Batches needs. DB must be set.
type Config struct {
	DB     *store.DB
	Region string           // of numbers without + and country code, ISO 3166-1; empty: such numbers are refused
	Wake   func()           // tells the dispatcher that calls may be due; nil: it finds out
	Now    func() time.Time // nil means time.Now
	Log    *slog.Logger     // nil means slog.Default
}

// Batches accepts batches and changes them. It holds no state of its own.
type Batches struct{ cfg Config }

// New makes Batches.
func New(cfg Config) *Batches {
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Batches{cfg: cfg}
}

// Order asks for a batch.
type Order struct {
	ID             talkstack.BatchID // the same id again goes on with, or repeats, what the first one began
	UserID         talkstack.UserID
	ProjectID      talkstack.ProjectID
	AgentID        talkstack.AgentID // empty: the project's active agent
	Name           string
	CallsPerSecond float64 // 0: no limit but the project's
	Windows        []talkstack.CallingWindow
	TimeZone       string // of the windows; empty: each recipient's own
	Retry          []talkstack.RetryRule
	StartAt        time.Time // zero: now
}

// CheckRules reports the first thing that is wrong with how a batch is to be dialled.
func CheckRules(callsPerSecond float64, windows []talkstack.CallingWindow, timeZone string, retry []talkstack.RetryRule) error {
	if math.IsNaN(callsPerSecond) || callsPerSecond < 0 || callsPerSecond > MaxCallsPerSecond || callsPerSecond > 0 && callsPerSecond < 0.001 {
		return invalid("calls_per_second", "must be 0 for no limit, or from 0.001 to 1000")
	}
	if err := talkstack.ValidateWindows(windows); err != nil {
		return err
	}
	if timeZone != "" {
		if _, err := talkstack.LoadZone(timeZone); err != nil {
			return err
		}
	}
	var seen []talkstack.CallStatus
	for _, r := range retry {
		switch r.Outcome {
		case talkstack.StatusBusy, talkstack.StatusNoAnswer, talkstack.StatusVoicemail, talkstack.StatusFailed:
		default:
			return invalid("retry", "must have the outcome busy, no-answer, voicemail or failed")
		}
		if slices.Contains(seen, r.Outcome) {
			return invalid("retry", "must not have two rules for one outcome")
		}
		seen = append(seen, r.Outcome)
		if r.Times < 1 || r.Times > maxRetryTimes {
			return invalid("retry", "must have times from 1 to 10")
		}
		if r.After < minRetryPause || r.After > maxRetryPause {
			return invalid("retry", "must have after_seconds from 10 to 604800")
		}
	}
	return nil
}

func invalid(field, message string) error {
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: field + " " + message + ".", Fields: []talkstack.FieldError{{Field: field, Message: message}},
	}
}

// check makes an order complete: what it leaves open is the agent and its number.
func (b *Batches) check(ctx context.Context, o Order) (talkstack.Batch, error) {
	if err := CheckRules(o.CallsPerSecond, o.Windows, o.TimeZone, o.Retry); err != nil {
		return talkstack.Batch{}, err
	}
	if len([]rune(o.Name)) > maxName {
		return talkstack.Batch{}, invalid("name", "must not be longer than 200 characters")
	}
	if o.StartAt.After(b.cfg.Now().AddDate(1, 0, 0)) {
		return talkstack.Batch{}, invalid("start_at", "must not be more than a year ahead")
	}
	project, err := b.cfg.DB.Project(ctx, o.UserID, o.ProjectID)
	if err != nil {
		return talkstack.Batch{}, err
	}
	if o.AgentID == "" {
		o.AgentID = project.ActiveAgent
	}
	if o.AgentID == "" {
		return talkstack.Batch{}, talkstack.Errorf(talkstack.CodeInvalid, "agentId is missing, and the project has no active agent to use instead.")
	}
	agent, err := b.cfg.DB.Agent(ctx, o.UserID, o.AgentID)
	if err != nil {
		return talkstack.Batch{}, err
	}
	if agent.ProjectID != project.ID {
		return talkstack.Batch{}, talkstack.Errorf(talkstack.CodeNotFound, "Agent not found.")
	}
	from, err := b.cfg.DB.CallerNumber(ctx, agent)
	if err != nil {
		return talkstack.Batch{}, err
	}
	return talkstack.Batch{
		ID: o.ID, UserID: o.UserID, ProjectID: project.ID, AgentID: agent.ID, AgentVersion: agent.Version, From: from, Name: o.Name,
		CallsPerSecond: o.CallsPerSecond, Windows: o.Windows, TimeZone: o.TimeZone, Retry: o.Retry, StartAt: o.StartAt,
	}, nil
}

// Resume lets a paused batch go on.
func (b *Batches) Resume(ctx context.Context, user talkstack.UserID, id talkstack.BatchID) (talkstack.Batch, error) {
	resumed, err := b.cfg.DB.ResumeBatch(ctx, user, id)
	if err == nil {
		b.cfg.Wake()
	}
	return resumed, err
}
