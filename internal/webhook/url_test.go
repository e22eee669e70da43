package webhook_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/webhook"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw, want string // an empty want: refused
		private   bool
	}{
		{raw: "https://example.com/hook?key=1", want: "https://example.com/hook?key=1"},
		{raw: " http://example.com:8080 ", want: "http://example.com:8080"},
		{raw: "HTTPS://EXAMPLE.com/", want: "https://EXAMPLE.com/"},
		{raw: "https://93.184.215.14/", want: "https://93.184.215.14/"},
		{raw: "http://127.0.0.1:9000/hook", private: true, want: "http://127.0.0.1:9000/hook"},
		{raw: "http://localhost/hook", private: true, want: "http://localhost/hook"},
		{raw: ""},
		{raw: "hook"},
		{raw: "example.com/hook"},
		{raw: "//example.com/"},
		{raw: "https:///hook"},
		{raw: "https:example.com"},
		{raw: "ftp://example.com/"},
		{raw: "file:///etc/passwd", private: true},
		{raw: "javascript:alert(1)"},
		{raw: "https://user@example.com/"},
		{raw: "https://user:password@example.com/", private: true},
		{raw: "https://example.com/#part"},
		{raw: "https://example.com/#"},
		{raw: "https://example.com:99999/"},
		{raw: "https://example.com:0/"},
		{raw: "https://example.com/a b"},
		{raw: "https://example.com\\@evil.example/"},
		{raw: "https://example.com/\r\nX: y"},
		{raw: "https://example.com/" + strings.Repeat("x", webhook.MaxURL)},
		{raw: "http://127.0.0.1/"},
		{raw: "http://127.8.9.1/"},
		{raw: "http://10.0.0.1/"},
		{raw: "http://192.168.1.1:8080/"},
		{raw: "http://169.254.169.254/latest"},
		{raw: "http://100.64.0.1/"},
		{raw: "http://0.0.0.0/"},
		{raw: "http://[::1]/"},
		{raw: "http://[fe80::1]/"},
		{raw: "http://[fd00::1]/"},
		{raw: "http://[::ffff:127.0.0.1]/"},
		{raw: "http://localhost:3000/"},
		{raw: "http://LOCALHOST./"},
		{raw: "http://api.localhost/"},
	} {
		got, err := webhook.CheckURL("url", c.raw, c.private)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%.60q: %q, %v; want %q", c.raw, got, err, c.want)
		}
		if err != nil && (talkstack.ErrorCode(err) != talkstack.CodeInvalid || strings.Contains(err.Error(), "password")) && !strings.Contains(err.Error(), "user name or password") {
			t.Errorf("%.60q: error %v", c.raw, err)
		}
	}
}

// FuzzCheckURL: what is accepted can be sent to, names no private address, and is accepted as it was returned.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.com/hook", "http://[::ffff:10.0.0.1]:80/", "https://u:p@h/", "http://a.example:1/?q=%20#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := webhook.CheckURL("url", raw, false)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
			t.Fatalf("%q became %q", raw, got)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.Unmap().IsPrivate() || a.Unmap().IsLoopback()) {
			t.Fatalf("%q leads to %v", raw, a)
		}
		if again, err := webhook.CheckURL("url", got, false); err != nil || again != got {
			t.Fatalf("%q became %q, and then %q, %v", raw, got, again, err)
		}
	})
}
