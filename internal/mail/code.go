package mail

import (
	"fmt"
	"html"
	"strings"
	"time"

	"talkstack"
)

// VerificationCode is the mail that asks a new user to prove the address.
func VerificationCode(to, name string, code talkstack.Secret, valid time.Duration) Message {
	name = strings.Join(strings.Fields(name), " ")
	minutes := int(valid.Minutes())
	return Message{
		To:      to,
		Subject: "Your Talkstack verification code",
		Text: fmt.Sprintf(`Hello %s,

your verification code is: %s

It is valid for %d minutes. Enter it where you signed up, or send it to POST /auth/verify-email.

If you did not sign up, ignore this mail: without the code the account stays closed.
`, name, code.Reveal(), minutes),
		HTML: fmt.Sprintf(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Your Talkstack verification code</title></head>
<body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:16px;line-height:1.5;color:#1a1b1e;background:#ffffff">
<p>Hello %s,</p>
<p>your verification code is:</p>
<p style="font-size:28px;font-weight:600;letter-spacing:6px;font-family:ui-monospace,Menlo,Consolas,monospace">%s</p>
<p>It is valid for %d minutes. Enter it where you signed up, or send it to <code>POST /auth/verify-email</code>.</p>
<p style="color:#5c5f66">If you did not sign up, ignore this mail: without the code the account stays closed.</p>
</body>
</html>
`, html.EscapeString(name), html.EscapeString(code.Reveal()), minutes),
	}
}
