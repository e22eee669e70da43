package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"talkstack"
)

func TestPasswordHashIsArgon2id(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	hash, err := h.Hash(t.Context(), "Old@1234")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash.Reveal())
	}
	again, err := h.Hash(t.Context(), "Old@1234")
	if err != nil || again == hash {
		t.Errorf("two hashes of one password are equal: no salt (%v)", err)
	}
	for _, c := range []struct {
		hash     talkstack.Secret
		password string
		want     bool
	}{
		{hash, "Old@1234", true},
		{hash, "old@1234", false},
		{hash, "", false},
		{"", "Old@1234", false},
		{"", "", false},
	} {
		if got, err := h.Matches(t.Context(), c.hash, c.password); err != nil || got != c.want {
			t.Errorf("%q matches %q: %v, %v; want %v", c.password, c.hash.Reveal(), got, err, c.want)
		}
	}
	for _, bad := range []talkstack.Secret{"x", "$argon2i$v=19$m=8,t=1,p=1$AA$AA", "$argon2id$v=19$m=8,t=0,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1,p=1$!$AAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"} {
		if _, err := h.Matches(t.Context(), bad, "x"); err == nil {
			t.Errorf("the stored hash %q was taken", bad.Reveal())
		}
	}
}

func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	h := NewFastHasher()
	for range maxHashing {
		h.running <- struct{}{} // all slots are taken
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	errs := make(chan error, maxHashing+maxWaiting)
	for range maxHashing + maxWaiting {
		waiting.Go(func() {
			_, err := h.Hash(ctx, "x")
			errs <- err
		})
	}
	for len(h.waiting) < cap(h.waiting) {
		runtime.Gosched() // until they all stand in line
	}
	if _, err := h.Hash(t.Context(), "x"); talkstack.ErrorCode(err) != talkstack.CodeLimited {
		t.Errorf("one too many: %v; want limited", err)
	}
	cancel()
	waiting.Wait()
	close(errs)
	for err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a request that was given up got %v", err)
		}
	}
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 11, 12, 0, 0, 500, time.UTC)
	clock := func() time.Time { return now }
	key := []byte(strings.Repeat("k", 32))
	tokens := NewTokens(key, clock)
	good, expires, err := tokens.Issue("user-1", "session-1")
	if err != nil || expires != now.Truncate(time.Second).Add(2*time.Hour) {
		t.Fatalf("issue: %v, expires %v", err, expires)
	}
	if id, session, err := tokens.Read(good); err != nil || id != "user-1" || session != "session-1" {
		t.Errorf("read: %q, %q, %v", id, session, err)
	}
	claims := func(change func(*accessClaims)) accessClaims {
		c := accessClaims{
			RegisteredClaims: jwt.RegisteredClaims{Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenAudience}, Subject: "user-1", ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))},
			Session:          "session-1",
		}
		change(&c)
		return c
	}
	sign := func(m jwt.SigningMethod, key any, c accessClaims) string {
		s, err := jwt.NewWithClaims(m, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := func(*accessClaims) {}
	parts := strings.Split(good, ".")
	for what, token := range map[string]string{
		"empty":            "",
		"no token":         "abc",
		"algorithm none":   sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(same)),
		"HS512":            sign(jwt.SigningMethodHS512, key, claims(same)),
		"another key":      sign(jwt.SigningMethodHS256, []byte("other"), claims(same)),
		"another issuer":   sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.Issuer = "evil" })),
		"another audience": sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.Audience = jwt.ClaimStrings{"evil"} })),
		"no expiry":        sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.ExpiresAt = nil })),
		"expired":          sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Second)) })),
		"nobody's":         sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.Subject = "" })),
		"of no session":    sign(jwt.SigningMethodHS256, key, claims(func(c *accessClaims) { c.Session = "" })),
		"other claims":     parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"user-2"}`)) + "." + parts[2],
		"no signature":     parts[0] + "." + parts[1] + ".",
	} {
		if _, _, err := tokens.Read(token); talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
			t.Errorf("%s: %v; want unauthenticated", what, err)
		}
	}
	if _, _, err := tokens.Read(sign(jwt.SigningMethodHS256, key, claims(same))); err != nil {
		t.Errorf("the token that the bad ones are made from is bad itself: %v", err)
	}
}

func TestKeysAndCodesHaveTheirForm(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		key, code := NewAPIKey().Reveal(), NewCode().Reveal()
		if !IsAPIKey(key) || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(key) {
			t.Fatalf("API key %q", key)
		}
		if !regexp.MustCompile(`^[A-HJ-NP-Z2-9]{6}$`).MatchString(code) {
			t.Fatalf("code %q", code)
		}
		for _, s := range []string{key, NewRefreshToken().Reveal()} {
			if seen[s] {
				t.Fatalf("%q was made twice", s)
			}
			seen[s] = true
		}
	}
	for _, s := range []string{"", strings.Repeat("0", 63), strings.Repeat("A", 64), strings.Repeat("g", 64)} {
		if IsAPIKey(s) {
			t.Errorf("%q passes for an API key", s)
		}
	}
}

func TestSignedLinks(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	signer := NewSigner([]byte(strings.Repeat("k", 32)), func() time.Time { return now })
	q, err := url.ParseQuery(signer.Sign("/v1/calls/CA1/recording", now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	expires, signature := q.Get("expires"), q.Get("signature")
	if err := signer.Check("/v1/calls/CA1/recording", expires, signature); err != nil {
		t.Errorf("a good link: %v", err)
	}
	for what, c := range map[string][3]string{
		"another path":      {"/v1/calls/CA2/recording", expires, signature},
		"a later expiry":    {"/v1/calls/CA1/recording", "9" + expires, signature},
		"no signature":      {"/v1/calls/CA1/recording", expires, ""},
		"a moved line feed": {"/v1/calls/CA1/recording\n" + expires, "", signature},
	} {
		if err := signer.Check(c[0], c[1], c[2]); talkstack.ErrorCode(err) != talkstack.CodeForbidden {
			t.Errorf("%s: %v; want forbidden", what, err)
		}
	}
	other := NewSigner([]byte(strings.Repeat("x", 32)), func() time.Time { return now })
	if err := other.Check("/v1/calls/CA1/recording", expires, signature); err == nil {
		t.Error("another installation's link was taken")
	}
	now = now.Add(time.Hour)
	if err := signer.Check("/v1/calls/CA1/recording", expires, signature); talkstack.ErrorCode(err) != talkstack.CodeForbidden {
		t.Errorf("an expired link: %v; want forbidden", err)
	}
}

func TestEmailAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@b.example": "a@b.example", " John.Smith+tag@Host.Example ": "john.smith+tag@host.example", "o'brien@host.example": "o'brien@host.example",
		"": "", "a": "", "a@": "", "@b": "", "Bob <a@b.example>": "", "<a@b.example>": "", `"a b"@c.example`: "", "a@b.example,c@d.example": "",
		"a@b.example\nBcc: c@d.example": "", strings.Repeat("a", 250) + "@b.example": "",
	} {
		got, err := checkEmail(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestClientKeyGroupsWhatOneCustomerHolds(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"198.51.100.7": "198.51.100.7", "::ffff:198.51.100.7": "198.51.100.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
	} {
		if got := clientKey(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s; want %s", in, got, want)
		}
	}
	_ = clientKey(netip.Addr{}) // an address that was none
}

func BenchmarkPasswordHash(b *testing.B) {
	h := NewHasher()
	for b.Loop() {
		if _, err := h.Hash(context.Background(), "Old@1234"); err != nil {
			b.Fatal(err)
		}
	}
}
