package talkstack

import (
	"strings"
	"testing"
)

func TestParseTrunk(t *testing.T) {
	t.Parallel()
	tests := []struct {
		uri, want, user, password string
	}{
		{"sip:bob:secret@sip.example.com:5080;transport=tcp", "sip:bob@sip.example.com:5080;transport=tcp", "bob", "secret"},
		{"sip:sip.example.com", "sip:sip.example.com:5060;transport=udp", "", ""},
		{"  SIP:10.0.0.1;Transport=UDP\n", "sip:10.0.0.1:5060;transport=udp", "", ""},
		{"sip:a%40b:p%3Aq%3Br@h", "sip:a@b@h:5060;transport=udp", "a@b", "p:q;r"},
		{"sip:u:p@w@host", "sip:u@host:5060;transport=udp", "u", "p@w"},
		{"sip:u:p@[2001:db8::1]:5070", "sip:u@[2001:db8::1]:5070;transport=udp", "u", "p"},
		{"sip:[::1]", "sip:[::1]:5060;transport=udp", "", ""},
		{"sip:host;register=false;srtp=off", "sip:host:5060;transport=udp", "", ""},
	}
	for _, test := range tests {
		got, err := ParseTrunk(test.uri)
		if err != nil {
			t.Errorf("ParseTrunk(%q): %v", test.uri, err)
			continue
		}
		if got.String() != test.want || got.User != test.user || got.Password.Reveal() != test.password {
			t.Errorf("ParseTrunk(%q) = %s, user %q, password %q; want %s, %q, %q",
				test.uri, got, got.User, got.Password.Reveal(), test.want, test.user, test.password)
		}
	}
}

func TestParseTrunkRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ uri, says string }{
		{"", "start with sip:"},
		{"example.com", "start with sip:"},
		{"http://example.com", "start with sip:"},
		{"sips:host", "TLS"},
		{"sip:", "host name"},
		{"sip:u:hunter2@", "host name"},
		{"sip::hunter2@host", "user name"},
		{"sip:host:0", "port"},
		{"sip:host:", "port"},
		{"sip:host:65536", "port"},
		{"sip:host:5060x", "port"},
		{"sip:2001:db8::1", "brackets"},
		{"sip:[2001:db8::1", "bracket"},
		{"sip:[bob]", "IPv6"},
		{"sip:[::1]5060", "port"},
		{"sip:u:hunter2@host;transport=tls", "transport=tls"},
		{"sip:u:hunter2@host;register=true", "register=true"},
		{"sip:host;srtp=sdes", "srtp=sdes"},
		{"sip:host;lr", "\"lr\""},
		{"sip:host?Subject=x", "?"},
		{"sip:u:hunter2%zz@host", "password"},
		{"sip:u:hun%0Ater2@host", "control"},
		{"sip:u:hunter2@ho st", "space"},
	}
	for _, test := range tests {
		got, err := ParseTrunk(test.uri)
		if err == nil {
			t.Errorf("ParseTrunk(%q) = %v, want an error", test.uri, got)
			continue
		}
		if ErrorCode(err) != CodeInvalid || !strings.Contains(err.Error(), test.says) {
			t.Errorf("ParseTrunk(%q): %q, want it to mention %q", test.uri, err, test.says)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("ParseTrunk(%q) shows the password: %q", test.uri, err)
		}
	}
}

func FuzzParseTrunk(f *testing.F) {
	f.Add("sip:user:password@host:5060;transport=udp;register=true")
	f.Add("sip:a%40b:c@[2001:db8::1]:5070;transport=tcp")
	f.Add("sip:;;;@:::")
	f.Fuzz(func(t *testing.T, uri string) {
		trunk, err := ParseTrunk(uri)
		if err != nil {
			if ErrorCode(err) != CodeInvalid {
				t.Fatalf("%q: code %q", uri, ErrorCode(err))
			}
			return
		}
		if trunk.Host == "" || trunk.Port < 1 || trunk.Port > 65535 {
			t.Fatalf("%q: host %q, port %d", uri, trunk.Host, trunk.Port)
		}
		// What is printed reads back as the same trunk, but for the password.
		again, err := ParseTrunk(trunk.String())
		if err != nil || again.String() != trunk.String() || again.User != trunk.User {
			t.Fatalf("%q prints as %q, which reads as %v, %v", uri, trunk, again, err)
		}
	})
}
