package storetest

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

func testUsers(t *testing.T, db *store.DB) {
	ctx := t.Context()
	if empty, err := db.Empty(ctx); err != nil || !empty {
		t.Errorf("a new database is empty: %v, %v", empty, err)
	}
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "Zoë@Example.com", Name: "Zoë", CompanyName: "Çelik", PasswordHash: "secret"}))
	if u.ID == "" || u.Email != "zoë@example.com" {
		t.Errorf("created user is %+v", u)
	}
	if empty, err := db.Empty(ctx); err != nil || empty {
		t.Errorf("a database with an account is not empty: %v, %v", empty, err)
	}
	equal(t, "by id", got[talkstack.User](t)(db.User(ctx, u.ID)), u)
	equal(t, "by e-mail in other letters", got[talkstack.User](t)(db.UserByEmail(ctx, "ZOË@EXAMPLE.COM")), u)
	_, err := db.CreateUser(ctx, talkstack.User{Email: "zoË@example.COM", Name: "Another"})
	wantCode(t, err, talkstack.CodeConflict)

	v := got[talkstack.User](t)(db.MarkVerified(ctx, u.ID))
	if !v.Verified || v.UpdatedAt.Before(u.UpdatedAt) {
		t.Errorf("verified user is %+v", v)
	}
	_, err = db.User(ctx, talkstack.NewUserID())
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.UserByEmail(ctx, "nobody@example.com")
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.MarkVerified(ctx, talkstack.NewUserID())
	wantCode(t, err, talkstack.CodeNotFound)
}

func testEmailCodes(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	check := func(digest string, want store.CodeVerdict) {
		t.Helper()
		verdict, err := db.CheckEmailCode(ctx, u.ID, digest, 3)
		if err != nil || verdict != want {
			t.Errorf("checking %q: %v, %v; want %v", digest, verdict, err, want)
		}
	}
	check("right", store.CodeSpent) // none was sent
	must(t, db.SetEmailCode(ctx, u.ID, "right", time.Now().Add(time.Hour)))
	check("wrong", store.CodeWrong)
	check("wrong", store.CodeWrong)
	check("wrong", store.CodeWrong)
	check("right", store.CodeSpent) // no tries left
	must(t, db.SetEmailCode(ctx, u.ID, "late", time.Now().Add(-time.Second)))
	check("late", store.CodeSpent)
	must(t, db.SetEmailCode(ctx, u.ID, "new", time.Now().Add(time.Hour)))
	check("right", store.CodeWrong)
	if got[talkstack.User](t)(db.User(ctx, u.ID)).Verified {
		t.Error("verified before the right code came")
	}
	check("new", store.CodeRight)
	if !got[talkstack.User](t)(db.User(ctx, u.ID)).Verified {
		t.Error("not verified by the right code")
	}
	check("new", store.CodeSpent) // used up
	wantAnyError(t, db.SetEmailCode(ctx, talkstack.NewUserID(), "x", time.Now()))
}

func wantAnyError(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Error("want an error")
	}
}

func testEmailCodeTries(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	must(t, db.SetEmailCode(ctx, u.ID, "right", time.Now().Add(time.Hour)))
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				verdict, err := db.CheckEmailCode(ctx, u.ID, "guess", 6)
				if err != nil {
					t.Error(err)
				}
				if verdict == store.CodeWrong {
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if wrong.Load() != 6 {
		t.Errorf("%d guesses were compared, want 6", wrong.Load())
	}
}

func testRefreshTokens(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	later := time.Now().Add(time.Hour)
	rotate := func(old, next string) error {
		t.Helper()
		id, err := db.RotateRefreshToken(ctx, old, next, later)
		if err == nil && id != u.ID {
			t.Errorf("token %q is of %q, want %q", old, id, u.ID)
		}
		return err
	}
	must(t, db.CreateRefreshToken(ctx, u.ID, "a1", later))
	must(t, db.CreateRefreshToken(ctx, u.ID, "b1", later))
	must(t, rotate("a1", "a2"))
	must(t, rotate("a2", "a3"))
	wantCode(t, rotate("unknown", "x"), talkstack.CodeUnauthenticated)
	wantCode(t, rotate("a1", "x"), talkstack.CodeUnauthenticated) // used before
	wantCode(t, rotate("a3", "x"), talkstack.CodeUnauthenticated) // its family has ended
	must(t, rotate("b1", "b2"))                                   // the other login goes on
	must(t, db.RevokeFamily(ctx, "b2"))
	wantCode(t, rotate("b2", "x"), talkstack.CodeUnauthenticated)
	must(t, db.RevokeFamily(ctx, "unknown"))

	must(t, db.CreateRefreshToken(ctx, u.ID, "c1", time.Now().Add(-time.Second)))
	wantCode(t, rotate("c1", "x"), talkstack.CodeUnauthenticated)
}

// testRefreshTokenRace: of several holders of one token, one gets the next one, and the others end the family.
func testRefreshTokenRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	later := time.Now().Add(time.Hour)
	must(t, db.CreateRefreshToken(ctx, u.ID, "first", later))
	var winners atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := db.RotateRefreshToken(ctx, "first", fmt.Sprint("next", i), later)
			if err == nil {
				winners.Add(1)
			} else if talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d rotations of one token succeeded, want 1", winners.Load())
	}
	for i := range 8 {
		_, err := db.RotateRefreshToken(ctx, fmt.Sprint("next", i), "x", later)
		wantCode(t, err, talkstack.CodeUnauthenticated)
	}
}

func testPasswords(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A", PasswordHash: "old"}))
	later := time.Now().Add(time.Hour)
	must(t, db.CreateRefreshToken(ctx, u.ID, "r1", later))
	must(t, db.CreatePasswordReset(ctx, u.ID, "t1", later))
	must(t, db.CreatePasswordReset(ctx, u.ID, "t2", later))
	must(t, db.CreatePasswordReset(ctx, u.ID, "late", time.Now().Add(-time.Second)))
	_, err := db.ResetPassword(ctx, "unknown", "new")
	wantCode(t, err, talkstack.CodeInvalid)
	_, err = db.ResetPassword(ctx, "late", "new")
	wantCode(t, err, talkstack.CodeInvalid)
	if h := got[talkstack.User](t)(db.User(ctx, u.ID)).PasswordHash; h.Reveal() != "old" {
		t.Errorf("a refused reset changed the password")
	}
	changed := got[talkstack.User](t)(db.ResetPassword(ctx, "t1", "new"))
	if changed.ID != u.ID || changed.PasswordHash.Reveal() != "new" {
		t.Error("the reset did not change the password")
	}
	_, err = db.ResetPassword(ctx, "t1", "again")
	wantCode(t, err, talkstack.CodeInvalid)
	_, err = db.ResetPassword(ctx, "t2", "again") // made before the change
	wantCode(t, err, talkstack.CodeInvalid)
	_, err = db.RotateRefreshToken(ctx, "r1", "r2", later)
	wantCode(t, err, talkstack.CodeUnauthenticated)

	must(t, db.CreateRefreshToken(ctx, u.ID, "r3", later))
	if changed = got[talkstack.User](t)(db.UpdatePassword(ctx, u.ID, "newer")); changed.PasswordHash.Reveal() != "newer" {
		t.Error("the password was not updated")
	}
	_, err = db.RotateRefreshToken(ctx, "r3", "r4", later)
	wantCode(t, err, talkstack.CodeUnauthenticated)
	_, err = db.UpdatePassword(ctx, talkstack.NewUserID(), "x")
	wantCode(t, err, talkstack.CodeNotFound)
}

func testAPIKeys(t *testing.T, db *store.DB) {
	ctx := t.Context()
	a := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	b := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "b@example.com", Name: "B"}))
	must(t, db.SetAPIKey(ctx, a.ID, "key-a"))
	must(t, db.SetAPIKey(ctx, b.ID, "key-b"))
	equal(t, "owner", got[talkstack.User](t)(db.UserByAPIKey(ctx, "key-a")), a)
	must(t, db.SetAPIKey(ctx, a.ID, "key-a2"))
	_, err := db.UserByAPIKey(ctx, "key-a") // replaced
	wantCode(t, err, talkstack.CodeNotFound)
	equal(t, "owner of the new key", got[talkstack.User](t)(db.UserByAPIKey(ctx, "key-a2")), a)
	equal(t, "owner of the other key", got[talkstack.User](t)(db.UserByAPIKey(ctx, "key-b")), b)
	wantCode(t, db.SetAPIKey(ctx, b.ID, "key-a2"), talkstack.CodeConflict)
}

func testFailures(t *testing.T, db *store.DB) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := db.RecordFailure(ctx, "user:a", time.Hour); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f := got[store.Failures](t)(db.Failures(ctx, "user:a"))
	if f.Count != 40 || f.Until.Before(time.Now().Add(59*time.Minute)) {
		t.Errorf("failures are %+v, want 40 for an hour", f)
	}
	if f := got[store.Failures](t)(db.Failures(ctx, "user:b")); f.Count != 0 {
		t.Errorf("another key has %d failures", f.Count)
	}
	must(t, db.ClearFailures(ctx, "user:a"))
	if f := got[store.Failures](t)(db.Failures(ctx, "user:a")); f.Count != 0 {
		t.Errorf("%d failures after clearing", f.Count)
	}
	got[store.Failures](t)(db.RecordFailure(ctx, "user:c", -time.Second)) // its window is over at once
	if f := got[store.Failures](t)(db.Failures(ctx, "user:c")); f.Count != 0 {
		t.Errorf("%d failures after the window", f.Count)
	}
	if f := got[store.Failures](t)(db.RecordFailure(ctx, "user:c", time.Hour)); f.Count != 1 {
		t.Errorf("the count does not start anew: %d", f.Count)
	}
}

func testSecrets(t *testing.T, db *store.DB) {
	ctx := t.Context()
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = db.Secret(ctx, "jwt"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if len(k) != 32 || !bytes.Equal(k, keys[0]) {
			t.Errorf("first users of a secret got different keys: %x and %x", k, keys[0])
		}
	}
	if other := got[[]byte](t)(db.Secret(ctx, "url")); bytes.Equal(other, keys[0]) {
		t.Error("two secrets are the same")
	}
}
