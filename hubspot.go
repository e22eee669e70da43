package talkstack

import "time"

// HubSpotKind is how an account is connected to HubSpot.
type HubSpotKind string

// The kinds.
const (
	HubSpotOAuth      HubSpotKind = "oauth"       // somebody has installed our app in the portal
	HubSpotPrivateApp HubSpotKind = "private_app" // by a token that was made in the portal: of a private app, or a service key
)

// HubSpotState is whether a connection to HubSpot works.
type HubSpotState string

// The states.
const (
	HubSpotConnected HubSpotState = "connected"
	HubSpotBroken    HubSpotState = "broken" // HubSpot refuses us until somebody connects again
)

// HubSpotConnection is the HubSpot portal that an account is connected to.
type HubSpotConnection struct {
	UserID       UserID
	Kind         HubSpotKind
	PortalID     string // HubSpot's number of the portal, also called Hub ID
	AccessToken  Secret
	RefreshToken Secret    // empty with a private app
	ExpiresAt    time.Time // of the access token; zero: never
	PausedUntil  time.Time // HubSpot has asked for a pause; zero: it has not
	// CallKey is whether the portal's calls have a property of ours that is unique; nil: not known yet.
	CallKey   *bool
	State     HubSpotState
	LastError string // for people; empty when all is well
	CreatedAt time.Time
	UpdatedAt time.Time
}

// HubSpotSyncState is how far the writing of a call to HubSpot has come.
type HubSpotSyncState string

// The states.
const (
	HubSpotSyncPending HubSpotSyncState = "pending"
	HubSpotSyncDone    HubSpotSyncState = "done"
	HubSpotSyncFailed  HubSpotSyncState = "failed" // given up; can be tried again
)

// HubSpotSync is the writing of one call to HubSpot.
type HubSpotSync struct {
	CallSID      CallSID
	UserID       UserID
	State        HubSpotSyncState
	PortalID     string    // that was written to; empty: none yet
	ContactID    string    // HubSpot's id of the contact; empty: not known yet
	EngagementID string    // HubSpot's id of its call; empty: not written yet
	AttemptedAt  time.Time // when the call was last about to be created, where that can not be repeated safely; zero: never
	LastError    string    // of the last try, for people
	GiveUpAt     time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}
