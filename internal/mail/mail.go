// Package mail sends the product's mails: over SMTP when a server is set, otherwise into an outbox folder that a person
// can read. It owns how a mail looks and how it travels; who gets one, and why, is decided elsewhere.
package mail

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"talkstack"
)

// Message is one mail to one person.
type Message struct {
	To      string // a bare address: "a@b.example"
	Subject string
	Text    string
	HTML    string
}

// Sender sends mails.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Config says how mails leave.
type Config struct {
	URL talkstack.Secret // smtp://user:password@host:port or smtps://…, optionally with ?from=Name <address>; empty: the outbox
	Dir string           // folder of the outbox
	Log *slog.Logger
}

// Open makes the Sender that the configuration asks for.
func Open(c Config) (Sender, error) {
	if c.URL == "" {
		return newOutbox(c.Dir, c.Log)
	}
	return newSMTP(c.URL, c.Log)
}

// compose makes the MIME form: text with an HTML alternative (RFC 2046 section 5.1.4).
func compose(from string, m Message) (*gomail.Msg, error) {
	if strings.ContainsAny(m.To+m.Subject, "\r\n\x00") {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "A mail's address and subject must be on one line.")
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "The mail address is not valid.")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(from); err != nil {
		return nil, fmt.Errorf("mail: sender address: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, talkstack.WrapError(talkstack.CodeInvalid, err, "The mail address is not valid.")
	}
	msg.Subject(m.Subject)
	msg.SetMessageID()
	msg.SetDate()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// render is the mail as it would travel.
func render(msg *gomail.Msg) ([]byte, error) {
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("mail: render: %w", err)
	}
	return b.Bytes(), nil
}

// maskAddress hides the name part of an address, for logs: "a•••@b.example".
func maskAddress(a string) string {
	name, host, ok := strings.Cut(a, "@")
	if !ok || name == "" {
		return "•••"
	}
	return string([]rune(name)[:1]) + "•••@" + host
}
