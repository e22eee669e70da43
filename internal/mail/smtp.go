package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"talkstack"
)

// sendTimeout bounds one mail, from connecting to the server's last word.
const sendTimeout = 20 * time.Second

// smtpSender hands mails to an SMTP server, one connection a mail.
type smtpSender struct {
	client *gomail.Client
	from   string
	log    *slog.Logger
}

// newSMTP reads the server's URL. smtps is TLS from the first byte (RFC 8314 section 3.3); smtp upgrades by STARTTLS
// when the server offers it, and must where a password is sent to another machine.
func newSMTP(raw talkstack.Secret, log *slog.Logger) (*smtpSender, error) {
	u, err := url.Parse(raw.Reveal())
	if err != nil { // the parser's message would hold the password
		return nil, errors.New("mail: the SMTP URL is malformed: use smtp://user:password@host:port")
	}
	host := u.Hostname()
	if host == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return nil, errors.New("mail: the SMTP URL must be smtp://user:password@host:port or smtps://user:password@host:port")
	}
	from, err := senderOf(u)
	if err != nil {
		return nil, err
	}
	opts := []gomail.Option{gomail.WithTimeout(sendTimeout)}
	_, hasPassword := u.User.Password()
	switch {
	case u.Scheme == "smtps":
		opts = append(opts, gomail.WithSSLPort(false))
	case hasPassword && !isLoopback(host):
		opts = append(opts, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	default:
		opts = append(opts, gomail.WithTLSPortPolicy(gomail.TLSOpportunistic))
	}
	if p := u.Port(); p != "" {
		port, err := strconv.Atoi(p)
		if err != nil {
			return nil, errors.New("mail: the SMTP URL's port is not a number")
		}
		opts = append(opts, gomail.WithPort(port))
	}
	if hasPassword {
		password, _ := u.User.Password()
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(host, opts...)
	if err != nil {
		return nil, fmt.Errorf("mail: smtp server %s: %w", host, err)
	}
	return &smtpSender{client: client, from: from, log: log}, nil
}

// Send delivers one mail to the server. An error means that the server did not take it.
func (s *smtpSender) Send(ctx context.Context, m Message) error {
	msg, err := compose(s.from, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := s.client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("mail: send: %w", err)
	}
	s.log.Info("mail sent", "to", maskAddress(m.To), "subject", m.Subject)
	return nil
}

// senderOf is the From address: ?from=, else the user name when it is an address, else no-reply at the host.
func senderOf(u *url.URL) (string, error) {
	if from := u.Query().Get("from"); from != "" {
		if _, err := mail.ParseAddress(from); err != nil {
			return "", fmt.Errorf("mail: from in the SMTP URL: %w", err)
		}
		return from, nil
	}
	if a, err := mail.ParseAddress(u.User.Username()); err == nil {
		return (&mail.Address{Name: "Talkstack", Address: a.Address}).String(), nil
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		host = "[" + ip.String() + "]" // an address literal (RFC 5321 section 4.1.3)
		if ip.Is6() {
			host = "[IPv6:" + ip.String() + "]"
		}
	}
	return (&mail.Address{Name: "Talkstack", Address: "no-reply@" + host}).String(), nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
