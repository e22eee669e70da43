package mail

import (
	"fmt"
	"html"
	"time"

	"talkstack"
)

// PasswordReset is the mail with the link that sets a new password. The link is a secret: whoever has it, has the account.
func PasswordReset(to, name string, link talkstack.Secret, valid time.Duration) Message {
	minutes := int(valid.Minutes())
	hello := greeting(name)
	return Message{
		To:      to,
		Subject: "Set a new Talkstack password",
		Text: fmt.Sprintf(`%s

somebody, hopefully you, asked for a new password for the Talkstack account of this address. To set one, open:

%s

The link works once, for %d minutes, and only the newest one works.

If it was not you, ignore this mail: the password stays as it is.
`, hello, link.Reveal(), minutes),
		HTML: fmt.Sprintf(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Set a new Talkstack password</title></head>
<body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:16px;line-height:1.5;color:#1a1b1e;background:#ffffff">
<p>%s</p>
<p>somebody, hopefully you, asked for a new password for the Talkstack account of this address.</p>
<p><a href="%s" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#1a1b1e;color:#ffffff;text-decoration:none">Set a new password</a></p>
<p>Or copy this link into a browser:<br>%s</p>
<p>It works once, for %d minutes, and only the newest one works.</p>
<p style="color:#5c5f66">If it was not you, ignore this mail: the password stays as it is.</p>
</body>
</html>
`, html.EscapeString(hello), html.EscapeString(link.Reveal()), html.EscapeString(link.Reveal()), minutes),
	}
}
