package mail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"talkstack"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// parts reads a mail as a mail program does: the headers, and the text of each alternative.
func parts(t *testing.T, raw string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("not a mail: %v\n%s", err, raw)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type %q, %v; want multipart/alternative", m.Header.Get("Content-Type"), err)
	}
	texts := map[string]string{}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(p)
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		texts[kind] = string(text)
	}
}

func TestOutboxHoldsWholeMailsForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "outbox")
	var log strings.Builder
	sender, err := Open(Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), VerificationCode("john@host.example", "Zoë <b>", "7KQ2XM", 30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files: %v, %v", files, err)
	}
	if !regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}\.eml$`).MatchString(files[0].Name()) {
		t.Errorf("file name %q", files[0].Name())
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	header, texts := parts(t, string(raw))
	if to, err := header.AddressList("To"); err != nil || to[0].Address != "john@host.example" {
		t.Errorf("To: %v, %v", to, err)
	}
	for _, name := range []string{"From", "Date", "Message-Id", "Subject", "Mime-Version"} {
		if header.Get(name) == "" {
			t.Errorf("the header %s is missing", name)
		}
	}
	if !strings.Contains(texts["text/plain"], "Hello Zoë <b>,") || !strings.Contains(texts["text/plain"], "code is: 7KQ2XM\r\n") {
		t.Errorf("text: %q", texts["text/plain"])
	}
	if !strings.Contains(texts["text/html"], "Zoë &lt;b&gt;") || !strings.Contains(texts["text/html"], ">7KQ2XM<") {
		t.Errorf("html: %q", texts["text/html"])
	}
	if strings.Contains(log.String(), "7KQ2XM") || strings.Contains(log.String(), "john@") || !strings.Contains(log.String(), "j•••@host.example") {
		t.Errorf("log: %s", log.String())
	}
}

func TestHeaderInjectionIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sender, err := Open(Config{Dir: dir, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Message{
		{To: "a@b.example\r\nBcc: c@d.example", Subject: "x", Text: "x"},
		{To: "a@b.example, c@d.example", Subject: "x", Text: "x"},
		{To: "Bob <a@b.example>", Subject: "x", Text: "x"},
		{To: "", Subject: "x", Text: "x"},
		{To: "a@b.example", Subject: "x\r\nBcc: c@d.example", Text: "x"},
		{To: "a@b.example", Subject: "x\nBcc: c@d.example", Text: "x"},
	} {
		if err := sender.Send(t.Context(), m); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%q, %q: %v; want invalid", m.To, m.Subject, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("refused mails left files: %v", files)
	}
	hostile := VerificationCode("a@b.example", "x\r\nBcc: c@d.example", "7KQ2XM", time.Minute)
	if strings.Contains(hostile.Text, "\r") || strings.Contains(hostile.Text, "\nBcc") {
		t.Errorf("a name broke the text: %q", hostile.Text)
	}
}

// smtpServer speaks as much SMTP (RFC 5321) as a mail needs, and hands out what it was given.
func smtpServer(t *testing.T) (addr string, got chan string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got = make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		got <- converse(conn)
	}()
	return l.Addr().String(), got
}

func converse(conn net.Conn) string {
	r := textproto.NewReader(bufio.NewReader(conn))
	say := func(s string) { _, _ = fmt.Fprintf(conn, "%s\r\n", s) }
	var heard strings.Builder
	say("220 test")
	for {
		line, err := r.ReadLine()
		if err != nil {
			return heard.String()
		}
		heard.WriteString(line + "\n")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			say("250-test\r\n250 AUTH PLAIN")
		case "AUTH":
			say("235 ok")
		case "DATA":
			say("354 go on")
			data, err := r.ReadDotBytes()
			if err != nil {
				return heard.String()
			}
			heard.Write(data)
			say("250 queued")
		case "QUIT":
			say("221 bye")
			return heard.String()
		default:
			say("250 ok")
		}
	}
}

func TestMailLeavesBySMTP(t *testing.T) {
	t.Parallel()
	addr, got := smtpServer(t)
	sender, err := Open(Config{URL: talkstack.Secret("smtp://" + addr + "?from=Talkstack+%3Cbot%40talk.example%3E"), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), VerificationCode("john@host.example", "John", "7KQ2XM", 30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	heard := <-got
	for _, want := range []string{"MAIL FROM:<bot@talk.example>", "RCPT TO:<john@host.example>", "7KQ2XM", "Your Talkstack verification code"} {
		if !strings.Contains(heard, want) {
			t.Errorf("the server did not hear %q:\n%s", want, heard)
		}
	}
}

func TestServerThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	sender, err := Open(Config{URL: talkstack.Secret("smtp://" + addr), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), Message{To: "a@b.example", Subject: "x", Text: "x"}); err == nil {
		t.Error("a mail to nowhere was sent")
	}
}

func TestBadURLsAreRefusedWithoutTheirPassword(t *testing.T) {
	t.Parallel()
	for _, u := range []talkstack.Secret{
		"http://user:hunter2@host", "smtp://", "smtp://user:hunter2@", "://user:hunter2@host", "smtp://user:hunter2@host:x%zz", "smtp://user:hunter2@host:99999999",
		"smtp://user:hunter2@host?from=nobody",
	} {
		_, err := Open(Config{URL: u, Log: quiet()})
		if err == nil {
			t.Errorf("%s was taken", u.Reveal())
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	if _, err := Open(Config{Log: quiet()}); err == nil {
		t.Error("an outbox without a folder was opened")
	}
}

func TestSenderAddress(t *testing.T) {
	t.Parallel()
	for u, want := range map[talkstack.Secret]string{
		"smtp://mail.example":                               `"Talkstack" <no-reply@mail.example>`,
		"smtps://bot%40talk.example:x@mail.example":         `"Talkstack" <bot@talk.example>`,
		"smtp://user:x@mail.example":                        `"Talkstack" <no-reply@mail.example>`,
		"smtp://127.0.0.1:25":                               `"Talkstack" <no-reply@[127.0.0.1]>`,
		"smtp://mail.example?from=Acme+%3Ca%40b.example%3E": "Acme <a@b.example>",
	} {
		s, err := newSMTP(u, quiet())
		if err != nil {
			t.Errorf("%s: %v", u.Reveal(), err)
			continue
		}
		if s.from != want {
			t.Errorf("%s: from %q; want %q", u.Reveal(), s.from, want)
		}
	}
}
