package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"talkstack"
	"talkstack/internal/store/query"
)

// Bounds on what the audit log keeps of one change, in bytes of JSON: it says what changed, and is no copy of it.
const (
	maxAuditValue   = 1000
	maxAuditChanges = 8000
)

// audit notes a change in the transaction that makes it: who (of the context), what, and what the fields became. Secrets
// must not be among the changes. action is "<resource>.<verb>".
func (db *DB) audit(ctx context.Context, q *tx, user talkstack.UserID, action, resource, id string, changes map[string]any) error {
	text, err := auditText(changes)
	if err != nil {
		return err
	}
	actor := talkstack.ActorOf(ctx)
	return q.InsertAuditEntry(ctx, query.InsertAuditEntryParams{
		ID: rand.Text(), UserID: user, Actor: actor.Kind, Address: cleanText(actor.Address), Action: action,
		Resource: resource, ResourceID: cleanText(id), Changes: text, CreatedAt: db.now(),
	})
}

// auditText is the JSON of the changes, each value and the whole kept within their bounds.
func auditText(changes map[string]any) (string, error) {
	kept := make(map[string]json.RawMessage, len(changes))
	size := len("{}")
	for _, field := range slices.Sorted(maps.Keys(changes)) {
		value, err := auditValue(changes[field])
		if err != nil {
			return "", err
		}
		if size += len(field) + len(value) + len(`"":,`); size > maxAuditChanges {
			break
		}
		kept[cleanText(field)] = value
	}
	b, err := json.Marshal(kept)
	return string(b), err
}

func auditValue(v any) (json.RawMessage, error) {
	if s, ok := v.(string); ok {
		v = shorten(cleanText(s), maxAuditValue)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(b) > 2*maxAuditValue || holdsNUL(b) { // twice: a text may grow by its escapes
		return json.Marshal("…")
	}
	return b, nil
}

// shorten cuts a text to so many bytes, between two characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimSpace(s[:limit]) + "…"
}

// AuditFilter says which entries of the audit log are wanted. Zero fields want all.
type AuditFilter struct {
	Action   string
	Resource string
	Since    time.Time // at this instant or later
	Until    time.Time // before it
}

// AuditLog returns up to limit changes of an account, newest first, from behind the cursor on.
func (db *DB) AuditLog(ctx context.Context, user talkstack.UserID, f AuditFilter, after Cursor, limit int) ([]talkstack.AuditEntry, error) {
	if f.Until.IsZero() {
		f.Until = endOfTime()
	}
	at, id := after.before()
	rows, err := db.reader().AuditLog(ctx, query.AuditLogParams{
		UserID: user, Since: f.Since.UTC(), Until: f.Until.UTC(), BeforeAt: at, BeforeID: cleanText(id),
		Action: cleanText(f.Action), Resource: cleanText(f.Resource), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, wrap("read the audit log", err)
	}
	entries := make([]talkstack.AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = talkstack.AuditEntry{
			ID: r.ID, UserID: r.UserID, Actor: talkstack.Actor{Kind: r.Actor, Address: r.Address}, Action: r.Action,
			Resource: r.Resource, ResourceID: r.ResourceID, CreatedAt: r.CreatedAt.UTC(),
		}
		if err := decode("changes", r.Changes, &entries[i].Changes); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
