package store_test

import (
	"fmt"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// TestAuditOfOneInstant: entries of the same instant come once each, whatever the size of the pages.
func TestAuditOfOneInstant(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		at := time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)
		cfg.Now = func() time.Time { return at }
		db := storetest.Open(t, cfg)
		u, err := db.CreateUser(t.Context(), talkstack.User{Email: "a@example.com", Name: "A"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			name := fmt.Sprint("Name ", i)
			if _, err := db.UpdateUser(t.Context(), u.ID, store.UserUpdate{Name: &name}); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]int{}
		for after := (store.Cursor{}); ; {
			entries, err := db.AuditLog(t.Context(), u.ID, store.AuditFilter{}, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				seen[e.ID]++
				after = store.Cursor{At: e.CreatedAt, ID: e.ID}
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d entries came, want 10", len(seen))
		}
	})
}
