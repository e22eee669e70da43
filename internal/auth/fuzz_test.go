package auth

import (
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"talkstack"
)

func FuzzAccessToken(f *testing.F) {
	tokens := NewTokens([]byte(strings.Repeat("k", 32)), func() time.Time { return time.Unix(1_800_000_000, 0) })
	good, _, err := tokens.Issue("user-1", "session-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		user, session, err := tokens.Read(s)
		if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if user != "user-1" || session != "session-1" {
			t.Errorf("%q names %q and %q: nobody signed that", s, user, session)
		}
	})
}

func FuzzEmail(f *testing.F) {
	for _, s := range []string{"a@b.example", " A@B.example ", "Bob <a@b.example>", `"a b"@c.example`, "a@[192.0.2.1]", "a@b.example\r\nBcc: c@d.example", "ä@ö.example", "a@b\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := checkEmail(s)
		if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if strings.ContainsAny(email, "\r\n\x00 \t<>\"") || len(email) > 254 {
			t.Errorf("%q passes as %q", s, email)
		}
		if a, err := netmail.ParseAddress(email); err != nil || a.Address != email {
			t.Errorf("%q becomes %q, which is no address: %v", s, email, err)
		}
		if again, err := checkEmail(email); err != nil || again != email {
			t.Errorf("%q becomes %q, then %q (%v)", s, email, again, err)
		}
	})
}
