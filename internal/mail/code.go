package mail

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"talkstack"
)

// VerificationCode is the mail that asks a new user to prove the address.
func VerificationCode(to, name string, code talkstack.Secret, valid time.Duration) Message {
	hello := greeting(name)
	minutes := int(valid.Minutes())
	return Message{
		To:      to,
		Subject: "Your Talkstack verification code",
		Text: fmt.Sprintf(`%s

your verification code is: %s

It is valid for %d minutes. Enter it where you signed up, or send it to POST /auth/verify-email.

If you did not sign up, ignore this mail: without the code the account stays closed.
`, hello, code.Reveal(), minutes),
		HTML: fmt.Sprintf(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Your Talkstack verification code</title></head>
<body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:16px;line-height:1.5;color:#1a1b1e;background:#ffffff">
<p>%s</p>
<p>your verification code is:</p>
<p style="font-size:28px;font-weight:600;letter-spacing:6px;font-family:ui-monospace,Menlo,Consolas,monospace">%s</p>
<p>It is valid for %d minutes. Enter it where you signed up, or send it to <code>POST /auth/verify-email</code>.</p>
<p style="color:#5c5f66">If you did not sign up, ignore this mail: without the code the account stays closed.</p>
</body>
</html>
`, html.EscapeString(hello), html.EscapeString(code.Reveal()), minutes),
	}
}

// greeting is a mail's first line. The name is what somebody typed at a sign-up, perhaps with another's address: one that
// could be read as a link, or as a message of its own, is left out.
func greeting(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || utf8.RuneCountInString(name) > 60 || strings.ContainsAny(name, "/:@") || linkLike(name) {
		return "Hello,"
	}
	return "Hello " + name + ","
}

// linkLike reports whether a text holds a dot between two letters or digits, as host names do: mail programs make links
// of them.
func linkLike(s string) bool {
	runes := []rune(s)
	for i := 1; i+1 < len(runes); i++ {
		if runes[i] == '.' && isWord(runes[i-1]) && isWord(runes[i+1]) {
			return true
		}
	}
	return false
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
