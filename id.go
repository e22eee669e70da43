package talkstack

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Typed identifiers. All but CallSID are UUIDs; users treat every one as an opaque string.
type (
	// UserID names a user.
	UserID string
	// ProjectID names a project.
	ProjectID string
	// AgentID names an agent.
	AgentID string
	// NumberID names a telephone number that is ours to assign.
	NumberID string
	// CallSID names a call: "CA" and 32 hex digits, made by us when the call is accepted.
	CallSID string
	// BatchID names a batch of calls.
	BatchID string
	// DeliveryID names a webhook message: what receivers see as webhook-id.
	DeliveryID string
	// NodeID names one running process.
	NodeID string
)

// NewUserID makes a random id.
func NewUserID() UserID { return UserID(newUUID()) }

// NewProjectID makes a random id.
func NewProjectID() ProjectID { return ProjectID(newUUID()) }

// NewAgentID makes a random id.
func NewAgentID() AgentID { return AgentID(newUUID()) }

// NewNumberID makes a random id.
func NewNumberID() NumberID { return NumberID(newUUID()) }

// NewBatchID makes a random id.
func NewBatchID() BatchID { return BatchID(newUUID()) }

// NewDeliveryID makes a random id.
func NewDeliveryID() DeliveryID { return DeliveryID("msg_" + rand.Text()) }

// NewNodeID makes a random id.
func NewNodeID() NodeID { return NodeID(newUUID()) }

// NewCallSID makes a random call id in the documented form (spec section 1).
func NewCallSID() CallSID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return CallSID("CA" + hex.EncodeToString(b[:]))
}

// newUUID is a version 4 UUID (RFC 9562 section 5.4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
