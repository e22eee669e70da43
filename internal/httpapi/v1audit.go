package httpapi

import (
	"context"
	"net/http"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

const auditList = "audit-log" // for cursors

// v1AuditEntry is one change of the account.
type v1AuditEntry struct {
	ID         string         `json:"id"`
	Action     string         `json:"action" doc:"What was done: the resource and a verb." example:"agent.update"`
	Resource   string         `json:"resource" example:"agent"`
	ResourceID string         `json:"resource_id"`
	Actor      v1Actor        `json:"actor"`
	Changes    map[string]any `json:"changes" doc:"Each changed field, and what it became. Long values are cut; secrets are not told." example:"{\"name\":\"Jack\"}"`
	CreatedAt  timestamp      `json:"created_at"`
}

type v1Actor struct {
	Kind    string  `json:"kind" enum:"token,api_key,link,system" doc:"token: somebody logged in; api_key: a program; link: whoever had a mailed link or code; system: the server."`
	Address *string `json:"address" nullable:"true" doc:"Network address; null for the system." example:"198.51.100.7"`
}

type auditQuery struct {
	PageQuery
	Action   string    `query:"action" maxLength:"100" example:"agent.update"`
	Resource string    `query:"resource" maxLength:"100" example:"agent"`
	Since    time.Time `query:"since" doc:"Entries of this instant or later (RFC 3339)." example:"2026-03-01T00:00:00Z"`
	Until    time.Time `query:"until" doc:"Entries before this instant (RFC 3339)." example:"2026-04-01T00:00:00Z"`
}

func (a *API) v1AuditRoutes() {
	get(a, "/v1/audit-log", operation{
		ID: "v1ListAuditLog", Tag: "Account",
		Summary:     "Who changed what in the account, and when; newest first",
		Description: "Logins are entries too, as session.create. What calls do by themselves is not.",
		Errors:      map[int]string{http.StatusBadRequest: "A parameter is malformed, or the cursor is not of this list."},
	}, a.v1ListAuditLog)
}

func (a *API) v1ListAuditLog(ctx context.Context, in *auditQuery) (*body[page[v1AuditEntry]], error) {
	after, err := openTimeCursor(auditList, in.Cursor)
	if err != nil {
		return nil, err
	}
	filter := store.AuditFilter{Action: in.Action, Resource: in.Resource, Since: in.Since, Until: in.Until}
	entries, err := a.DB.AuditLog(ctx, caller(ctx).ID, filter, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(entries, in.Limit, wireAuditEntry, func(e talkstack.AuditEntry) string {
		return sealTimeCursor(auditList, e.CreatedAt, e.ID)
	})), nil
}

func wireAuditEntry(e talkstack.AuditEntry) v1AuditEntry {
	if e.Changes == nil {
		e.Changes = map[string]any{}
	}
	return v1AuditEntry{
		ID: e.ID, Action: e.Action, Resource: e.Resource, ResourceID: e.ResourceID,
		Actor:   v1Actor{Kind: e.Actor.Kind, Address: textOrNull(e.Actor.Address)},
		Changes: e.Changes, CreatedAt: timestamp{e.CreatedAt},
	}
}
