package webhook

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"

	"talkstack"
)

// MaxURL is the longest webhook URL, in bytes.
const MaxURL = 2000

// CheckURL checks the URL of a webhook and returns it as it is to be stored. It is http or https with a host, without
// user name, password or fragment. Unless private networks are allowed, an address in one is refused when it is written
// out; a name that leads there is refused when it is used, since it may lead elsewhere by then. The error's field is the
// given one.
func CheckURL(field, raw string, private bool) (string, error) {
	bad := func(message string) (string, error) {
		return "", &talkstack.Error{
			Code: talkstack.CodeInvalid, Message: field + " " + message + ".",
			Fields: []talkstack.FieldError{{Field: field, Message: message}},
		}
	}
	raw = strings.TrimSpace(raw)
	if len(raw) > MaxURL {
		return bad("must have at most " + strconv.Itoa(MaxURL) + " characters")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsAny(raw, " \t\r\n\\") {
		return bad("must be a URL, for example https://example.com/hook")
	}
	if scheme := strings.ToLower(u.Scheme); scheme != "http" && scheme != "https" {
		return bad("must begin with https:// or http://")
	}
	if u.User != nil {
		return bad("must not hold a user name or password: check the signature of the messages instead")
	}
	if u.Fragment != "" || strings.HasSuffix(raw, "#") {
		return bad("must not have a part behind #")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return bad("has a port that is none")
		}
	}
	if !private && isPrivate(u.Hostname()) {
		return bad("must not be in a private network")
	}
	return u.String(), nil
}

// isPrivate reports whether a host is an address of a private network, or this machine by name.
func isPrivate(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && ssrf.New(ssrf.WithAnyPort()).SafeAddr(addr) != nil
}
