package mail

import (
	"strings"
	"testing"
	"time"

	"talkstack"
)

func TestPasswordResetCarriesItsLinkTwice(t *testing.T) {
	t.Parallel()
	const link = "https://talk.example/reset-password?token=a_-b&x=1"
	m := PasswordReset("a@b.example", "John <b>", link, time.Hour)
	if !strings.Contains(m.Text, "\n"+link+"\n") || !strings.Contains(m.Text, "60 minutes") || !strings.HasPrefix(m.Text, "Hello John <b>,\n") {
		t.Errorf("text:\n%s", m.Text)
	}
	escaped := "https://talk.example/reset-password?token=a_-b&amp;x=1"
	if !strings.Contains(m.HTML, `<a href="`+escaped+`"`) || !strings.Contains(m.HTML, "<br>"+escaped) || !strings.Contains(m.HTML, "Hello John &lt;b&gt;,") {
		t.Errorf("html:\n%s", m.HTML)
	}
	if strings.Contains(m.HTML, "src=") {
		t.Error("the mail fetches something: its sender would learn when it is read")
	}
	msg, err := compose("Talkstack <no-reply@talk.example>", m)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := render(msg)
	if err != nil {
		t.Fatal(err)
	}
	_, texts := parts(t, string(raw))
	if got := strings.ReplaceAll(texts["text/plain"], "\r\n", "\n"); !strings.Contains(got, link) {
		t.Errorf("what arrives:\n%s", got)
	}
}

// TestGreetingsCarryNoMessages: names are typed by strangers, and mailed to others.
func TestGreetingsCarryNoMessages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"John": "Hello John,", " Dr.  Jane\nDoe Jr. ": "Hello Dr. Jane Doe Jr.,", "": "Hello,", "José 李": "Hello José 李,",
		"win at evil.example": "Hello,", "http://x": "Hello,", "a@b": "Hello,", strings.Repeat("x", 61): "Hello,", "your code: 1": "Hello,",
	} {
		if got := greeting(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if code := VerificationCode("a@b.example", name, talkstack.Secret("ABCDEF"), time.Minute); !strings.HasPrefix(code.Text, want+"\n") {
			t.Errorf("%q: the mail with the code begins %.40q", name, code.Text)
		}
	}
}
