package talkstack

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// EventType is the type of a webhook message (spec section 12.6).
type EventType string

// The event types.
const (
	EventCallStatus   EventType = "call.status"   // the status has changed
	EventCallEnded    EventType = "call.ended"    // once, when the call has ended
	EventCallAnalyzed EventType = "call.analyzed" // once, when recording and analysis are there
	EventTest         EventType = "webhook.test"  // somebody tries the receiver
)

// DeliveryState is where a webhook message is.
type DeliveryState string

// The states.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead" // given up; can be replayed
)

// Delivery is one webhook message and how it fared. The messages of one call are delivered in order.
type Delivery struct {
	ID            DeliveryID
	UserID        UserID
	ProjectID     ProjectID
	CallSID       CallSID // empty: of no call
	Seq           int     // place among the messages of its call
	Type          EventType
	Call          Call   // as it was when the event became true
	Body          []byte // as sent; nil until the first try
	State         DeliveryState
	Attempts      int
	NextAttemptAt time.Time
	LastStatus    int    // HTTP status of the last answer, 0: none came
	LastError     string // of the last try, for people
	CreatedAt     time.Time
	GiveUpAt      time.Time
	FinishedAt    time.Time // delivered or given up; zero until then
}

// WebhookSecretPrefix begins every webhook secret (Standard Webhooks, "Signature scheme").
const WebhookSecretPrefix = "whsec_"

// NewWebhookSecret makes a random signing secret of 32 bytes.
func NewWebhookSecret() Secret {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return Secret(WebhookSecretPrefix + base64.StdEncoding.EncodeToString(b[:]))
}
