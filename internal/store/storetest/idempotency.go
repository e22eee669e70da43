package storetest

import (
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/store"
)

func testReserveKey(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a, b := NewAccount(t, db, 1), NewAccount(t, db, 1)
	key := store.IdempotencyKey{UserID: a.User.ID, Operation: "makeCall", Key: "order 66", Digest: "d1"}
	reserve := func(k store.IdempotencyKey, id, want string, wantFresh bool) {
		t.Helper()
		id, fresh, err := db.ReserveKey(ctx, k, id)
		must(t, err)
		if id != want || fresh != wantFresh {
			t.Errorf("reserved %s, fresh %v; want %s, %v", id, fresh, want, wantFresh)
		}
	}
	reserve(key, "CA1", "CA1", true)
	reserve(key, "CA2", "CA1", false) // the process may have died before CA1 was made
	other := key
	other.Operation = "v1PlaceCall"
	reserve(other, "CA3", "CA3", true)
	theirs := key
	theirs.UserID = b.User.ID
	reserve(theirs, "CA4", "CA4", true)
	changed := key
	changed.Digest = "d2"
	_, _, err := db.ReserveKey(ctx, changed, "CA5")
	wantCode(t, err, talkstack.CodeConflict)
	bad := key
	bad.Key = "a\x00b"
	_, _, err = db.ReserveKey(ctx, bad, "CA6")
	wantCode(t, err, talkstack.CodeInvalid)
}

// testReserveKeyRace lets many ask for the same key at once: all must get one id.
func testReserveKeyRace(t *testing.T, db *store.DB) {
	a := NewAccount(t, db, 1)
	const clients = 16
	ids := make([]string, clients)
	fresh := make([]bool, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			key := store.IdempotencyKey{UserID: a.User.ID, Operation: "makeCall", Key: "same", Digest: "d"}
			ids[i], fresh[i], errs[i] = db.ReserveKey(t.Context(), key, string(talkstack.NewCallSID()))
		})
	}
	wg.Wait()
	first := 0
	for i := range clients {
		must(t, errs[i])
		if ids[i] != ids[0] {
			t.Errorf("two ids for one key: %s and %s", ids[0], ids[i])
		}
		if fresh[i] {
			first++
		}
	}
	equal(t, "clients that were the first", first, 1)
}
