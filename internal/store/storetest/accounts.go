package storetest

import (
	"bytes"
	"errors"
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

	name, company := "Zoë Ç", ""
	changed := got[talkstack.User](t)(db.UpdateUser(ctx, u.ID, store.UserUpdate{Name: &name}))
	if changed.Name != name || changed.CompanyName != "Çelik" || changed.UpdatedAt.Before(u.UpdatedAt) {
		t.Errorf("the name was changed: %+v", changed)
	}
	changed = got[talkstack.User](t)(db.UpdateUser(ctx, u.ID, store.UserUpdate{CompanyName: &company}))
	equal(t, "without a company", got[talkstack.User](t)(db.User(ctx, u.ID)), changed)
	if changed.Name != name || changed.CompanyName != "" {
		t.Errorf("the company was removed: %+v", changed)
	}
	_, err = db.UpdateUser(ctx, talkstack.NewUserID(), store.UserUpdate{Name: &name})
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.User(ctx, talkstack.NewUserID())
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.UserByEmail(ctx, "nobody@example.com")
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
		id, _, err := db.RotateRefreshToken(ctx, old, next, later)
		if err == nil && id != u.ID {
			t.Errorf("token %q is of %q, want %q", old, id, u.ID)
		}
		return err
	}
	a := got[string](t)(db.CreateRefreshToken(ctx, u.ID, "a1", later))
	b := got[string](t)(db.CreateRefreshToken(ctx, u.ID, "b1", later))
	alive := func(what, session string, want bool) {
		t.Helper()
		found, err := db.UserBySession(ctx, u.ID, session)
		if want && (err != nil || found.ID != u.ID) {
			t.Errorf("%s: the session is gone: %v", what, err)
		}
		if !want {
			wantCode(t, err, talkstack.CodeNotFound)
		}
	}
	must(t, rotate("a1", "a2"))
	must(t, rotate("a2", "a3"))
	alive("rotated twice", a, true)
	wantCode(t, rotate("unknown", "x"), talkstack.CodeUnauthenticated)
	wantCode(t, rotate("a1", "x"), talkstack.CodeUnauthenticated) // used before
	wantCode(t, rotate("a3", "x"), talkstack.CodeUnauthenticated) // its family has ended
	alive("a token of it was used twice", a, false)
	must(t, rotate("b1", "b2")) // the other login goes on
	alive("the other login", b, true)
	other := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "b@example.com", Name: "B"}))
	_, err := db.UserBySession(ctx, other.ID, b)
	wantCode(t, err, talkstack.CodeNotFound)

	got[string](t)(db.CreateRefreshToken(ctx, u.ID, "c1", time.Now().Add(-time.Second)))
	wantCode(t, rotate("c1", "x"), talkstack.CodeUnauthenticated)
}

// testRefreshTokenRace: of several holders of one token, one gets the next one, and the others end the family.
func testRefreshTokenRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	later := time.Now().Add(time.Hour)
	session := got[string](t)(db.CreateRefreshToken(ctx, u.ID, "first", later))
	var winners atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, _, err := db.RotateRefreshToken(ctx, "first", fmt.Sprint("next", i), later)
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
		_, _, err := db.RotateRefreshToken(ctx, fmt.Sprint("next", i), "x", later)
		wantCode(t, err, talkstack.CodeUnauthenticated)
	}
	_, err := db.UserBySession(ctx, u.ID, session) // and what the winner holds has ended with it
	wantCode(t, err, talkstack.CodeNotFound)
}

func testPasswords(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A", PasswordHash: "old", Verified: true}))
	later := time.Now().Add(time.Hour)
	kept := got[string](t)(db.CreateRefreshToken(ctx, u.ID, "kept", later))
	got[string](t)(db.CreateRefreshToken(ctx, u.ID, "other", later))
	must(t, db.CreatePasswordReset(ctx, u.ID, "open", later))
	must(t, db.SetAPIKey(ctx, u.ID, "key"))
	if changed := got[talkstack.User](t)(db.UpdatePassword(ctx, u.ID, "newer", kept)); changed.PasswordHash.Reveal() != "newer" {
		t.Error("the password was not updated")
	}
	_, _, err := db.RotateRefreshToken(ctx, "other", "x", later)
	wantCode(t, err, talkstack.CodeUnauthenticated)
	if _, _, err := db.RotateRefreshToken(ctx, "kept", "kept2", later); err != nil {
		t.Errorf("the session that changed the password has ended: %v", err)
	}
	wantBadReset(t, db.CheckPasswordReset(ctx, "open"))
	got[talkstack.User](t)(db.UserByAPIKey(ctx, "key"))
	got[talkstack.User](t)(db.UpdatePassword(ctx, u.ID, "newest", ""))
	_, err = db.UserBySession(ctx, u.ID, kept)
	wantCode(t, err, talkstack.CodeNotFound)
	_, err = db.UpdatePassword(ctx, talkstack.NewUserID(), "x", "")
	wantCode(t, err, talkstack.CodeNotFound)
}

func wantBadReset(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrBadReset) {
		t.Errorf("error is %v, want ErrBadReset", err)
	}
}

func testPasswordResets(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A", PasswordHash: "old"}))
	later := time.Now().Add(time.Hour)
	session := got[string](t)(db.CreateRefreshToken(ctx, u.ID, "r1", later))
	must(t, db.SetEmailCode(ctx, u.ID, "code", later))
	refused := func(digest string) {
		t.Helper()
		wantBadReset(t, db.CheckPasswordReset(ctx, digest))
		_, err := db.ResetPassword(ctx, digest, "new")
		wantBadReset(t, err)
	}
	must(t, db.CreatePasswordReset(ctx, u.ID, "t1", later))
	refused("unknown")
	must(t, db.CreatePasswordReset(ctx, u.ID, "late", time.Now().Add(-time.Second)))
	refused("t1") // a newer one takes its place
	refused("late")
	if now := got[talkstack.User](t)(db.User(ctx, u.ID)); now.PasswordHash.Reveal() != "old" || now.Verified {
		t.Errorf("a refused reset changed the account: %+v", now)
	}
	must(t, db.CreatePasswordReset(ctx, u.ID, "t2", later))
	must(t, db.CheckPasswordReset(ctx, "t2"))
	changed := got[talkstack.User](t)(db.ResetPassword(ctx, "t2", "new"))
	if changed.ID != u.ID || changed.PasswordHash.Reveal() != "new" || !changed.Verified {
		t.Errorf("after the reset the account is %+v; want the new password, and verified", changed)
	}
	refused("t2") // used up
	_, err := db.UserBySession(ctx, u.ID, session)
	wantCode(t, err, talkstack.CodeNotFound)
	if verdict := got[store.CodeVerdict](t)(db.CheckEmailCode(ctx, u.ID, "code", 3)); verdict != store.CodeSpent {
		t.Errorf("the code of the sign-up is still open: %v", verdict)
	}
	wantAnyError(t, db.CreatePasswordReset(ctx, talkstack.NewUserID(), "t3", later))
}

// testPasswordResetRace: one token sets one password, however often it is used at once.
func testPasswordResetRace(t *testing.T, db *store.DB) {
	ctx := t.Context()
	u := got[talkstack.User](t)(db.CreateUser(ctx, talkstack.User{Email: "a@example.com", Name: "A"}))
	must(t, db.CreatePasswordReset(ctx, u.ID, "t", time.Now().Add(time.Hour)))
	var winners atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := db.ResetPassword(ctx, "t", talkstack.Secret(fmt.Sprint("hash", i)))
			if err == nil {
				winners.Add(1)
			} else if !errors.Is(err, store.ErrBadReset) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners.Load() != 1 {
		t.Errorf("one token reset the password %d times", winners.Load())
	}
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
	if at := got[time.Time](t)(db.APIKeyTime(ctx, a.ID)); time.Since(at) > time.Minute {
		t.Errorf("the key is of %v", at)
	}
	if at := got[time.Time](t)(db.APIKeyTime(ctx, talkstack.NewUserID())); !at.IsZero() {
		t.Errorf("a key that is none is of %v", at)
	}
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
