package talkstack

import (
	"context"
	"time"
)

// Actor is who changes something: the audit log names it.
type Actor struct {
	Kind    string // one of the kinds below
	Address string // of the network; empty for the system
}

// The kinds of actors.
const (
	ActorToken  = "token"   // a person who has logged in
	ActorAPIKey = "api_key" // a program
	ActorLink   = "link"    // somebody with a link or code that was mailed
	ActorSystem = "system"  // us
)

type actorKey struct{}

// WithActor says who acts in a context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is who acts in a context: the system, when nobody is named.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Kind: ActorSystem}
}

// AuditEntry is one change of an account, as it is kept for its owner. Entries never change.
type AuditEntry struct {
	ID         string
	UserID     UserID
	Actor      Actor
	Action     string // "agent.update"
	Resource   string // "agent"
	ResourceID string
	Changes    map[string]any // field → what it became; long values are cut, secrets are not told
	CreatedAt  time.Time
}
