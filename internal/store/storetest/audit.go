package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/store"
)

// actions are the actions of an account's log, oldest first.
func actions(t testing.TB, db *store.DB, user talkstack.UserID) []string {
	t.Helper()
	var out []string
	for _, e := range got[[]talkstack.AuditEntry](t)(db.AuditLog(t.Context(), user, store.AuditFilter{}, store.Cursor{}, 100)) {
		out = append(out, e.Action)
	}
	slices.Reverse(out)
	return out
}

func testAuditLog(t *testing.T, db *store.DB) {
	ctx := talkstack.WithActor(t.Context(), talkstack.Actor{Kind: talkstack.ActorAPIKey, Address: "192.0.2.7"})
	u := got[talkstack.User](t)(db.CreateUser(t.Context(), talkstack.User{Email: "a@example.com", Name: "A", PasswordHash: "hash-secret"}))
	other := got[talkstack.User](t)(db.CreateUser(t.Context(), talkstack.User{Email: "b@example.com", Name: "B"}))
	name := "Anna"
	got[talkstack.User](t)(db.UpdateUser(ctx, u.ID, store.UserUpdate{Name: &name}))
	project := got[talkstack.Project](t)(db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "P"}))
	_, _, err := db.SetActiveProject(ctx, u.ID, project.ID)
	must(t, err)
	must(t, db.SetAPIKey(ctx, u.ID, "digest-secret"))
	got[talkstack.User](t)(db.UpdatePassword(ctx, u.ID, "hash-secret-2", ""))
	entries := got[[]talkstack.AuditEntry](t)(db.AuditLog(ctx, u.ID, store.AuditFilter{}, store.Cursor{}, 100))
	var own []string // what other parts log of the same steps is theirs to test
	for _, e := range entries {
		if strings.Contains(fmt.Sprint(e), "secret") {
			t.Errorf("the entry %+v tells a secret", e)
		}
		if e.UserID != u.ID || e.CreatedAt.IsZero() || e.ID == "" || e.Resource == "" {
			t.Errorf("the entry %+v is not whole", e)
		}
		if e.Action != "user.create" && e.Actor != (talkstack.Actor{Kind: talkstack.ActorAPIKey, Address: "192.0.2.7"}) {
			t.Errorf("%s was done by %+v", e.Action, e.Actor)
		}
		if strings.HasPrefix(e.Action, "user.") || strings.HasPrefix(e.Action, "api_key.") || strings.HasPrefix(e.Action, "password.") {
			own = append(own, e.Action)
		}
	}
	equal(t, "newest first", own, []string{"password.update", "api_key.create", "user.update", "user.update", "user.create"})
	if first := entries[len(entries)-1]; first.Actor.Kind != talkstack.ActorSystem || first.Changes["email"] != "a@example.com" {
		t.Errorf("the first entry is %+v", first)
	}
	equal(t, "of somebody else", actions(t, db, other.ID), []string{"user.create"})
}

func testAuditFilters(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	for i := range 5 {
		name := fmt.Sprint("Name ", i)
		got[talkstack.User](t)(db.UpdateUser(ctx, u.ID, store.UserUpdate{Name: &name}))
	}
	must(t, db.SetAPIKey(ctx, u.ID, "k"))
	all := got[[]talkstack.AuditEntry](t)(db.AuditLog(ctx, u.ID, store.AuditFilter{}, store.Cursor{}, 100))
	if len(all) != 7 {
		t.Fatalf("%d entries, want 7", len(all))
	}
	for _, c := range []struct {
		what   string
		filter store.AuditFilter
		want   []talkstack.AuditEntry
	}{
		{"action", store.AuditFilter{Action: "user.update"}, all[1:6]},
		{"resource", store.AuditFilter{Resource: "user"}, all[1:]},
		{"both", store.AuditFilter{Resource: "api_key", Action: "user.update"}, []talkstack.AuditEntry{}},
		{"since", store.AuditFilter{Since: all[2].CreatedAt}, all[:3]},
		{"until", store.AuditFilter{Until: all[2].CreatedAt}, all[3:]},
		{"between", store.AuditFilter{Since: all[4].CreatedAt, Until: all[2].CreatedAt}, all[3:5]},
		{"what no database holds", store.AuditFilter{Action: "a\x00\xff"}, []talkstack.AuditEntry{}},
	} {
		equal(t, c.what, got[[]talkstack.AuditEntry](t)(db.AuditLog(ctx, u.ID, c.filter, store.Cursor{}, 100)), c.want)
	}
	var paged []talkstack.AuditEntry
	for after := (store.Cursor{}); ; {
		page := got[[]talkstack.AuditEntry](t)(db.AuditLog(ctx, u.ID, store.AuditFilter{}, after, 2))
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		last := page[len(page)-1]
		after = store.Cursor{At: last.CreatedAt, ID: last.ID}
	}
	equal(t, "page by page", paged, all)
}

// testAuditIsBounded: what people send is cut, and never keeps a change from being made.
func testAuditIsBounded(t *testing.T, db *store.DB) {
	ctx := talkstack.WithActor(t.Context(), talkstack.Actor{Kind: talkstack.ActorToken, Address: "2001:db8::1"})
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	long := strings.Repeat("ä", 5000)
	got[talkstack.User](t)(db.UpdateUser(ctx, u.ID, store.UserUpdate{Name: &long}))
	e := got[[]talkstack.AuditEntry](t)(db.AuditLog(ctx, u.ID, store.AuditFilter{Action: "user.update"}, store.Cursor{}, 1))[0]
	if name, _ := e.Changes["name"].(string); len(name) > 1100 || !strings.HasPrefix(name, "ää") || !strings.HasSuffix(name, "ä…") {
		t.Errorf("a text of 10,000 bytes is kept as %d", len(name))
	}
}
