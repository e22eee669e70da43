package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"talkstack"
)

// SettingErrors are what is wrong with a configuration: every setting at once, so that a person mends them in one go.
type SettingErrors []talkstack.FieldError

// Error lists the problems, one on a line, each with the name of its setting.
func (p SettingErrors) Error() string {
	var b strings.Builder
	b.WriteString("the settings cannot be used:")
	for _, f := range p {
		fmt.Fprintf(&b, "\n  %s: %s", f.Field, f.Message)
	}
	return b.String()
}

func (p *SettingErrors) add(setting, format string, args ...any) {
	*p = append(*p, talkstack.FieldError{Field: setting, Message: fmt.Sprintf(format, args...)})
}

// Validate checks what a single value's type does not. The error is a SettingErrors; it never holds a secret.
// The command line parser calls it for every command that takes settings.
func (c *Config) Validate() error {
	var p SettingErrors
	c.validateAddresses(&p)
	c.validateURLs(&p)
	c.validateProviders(&p)
	if c.MaxCalls < 0 {
		p.add("TALKSTACK_MAX_CALLS", "%d is not a number of calls: use 1 or more, or 0 for the default by cores", c.MaxCalls)
	}
	if n := c.RTPPorts.Pairs(); c.MaxCalls > n {
		p.add("TALKSTACK_MAX_CALLS", "%d calls need %d RTP ports, and TALKSTACK_RTP_PORTS=%s has room for %d calls: lower the one or widen the other", c.MaxCalls, 2*c.MaxCalls, c.RTPPorts, n)
	}
	if c.DrainLimit < 0 {
		p.add("TALKSTACK_DRAIN_LIMIT", "%s is negative: use a time such as 5m, or 0s to end calls at once", c.DrainLimit)
	}
	if strings.TrimSpace(c.DataDir) == "" {
		p.add("TALKSTACK_DATA_DIR", "is empty: name a folder, for example ./data")
	}
	if c.DefaultRegion != "" && !phonenumbers.GetSupportedRegions()[c.DefaultRegion] {
		p.add("TALKSTACK_DEFAULT_REGION", "%q is not a country with telephone numbers: use two capital letters of ISO 3166-1, for example US or DE", clip(c.DefaultRegion))
	}
	if len(p) > 0 {
		return p
	}
	return nil
}

func (c *Config) validateAddresses(p *SettingErrors) {
	if err := checkHostPort(c.HTTPAddr); err != nil {
		p.add("TALKSTACK_HTTP_ADDR", "%v, for example 127.0.0.1:8080", err)
	}
	sip, err := netip.ParseAddrPort(c.SIPAddr)
	if err != nil {
		p.add("TALKSTACK_SIP_ADDR", "%q is not an IP address and a port, for example 127.0.0.1:5060 or 0.0.0.0:5060", clip(c.SIPAddr))
	}
	if c.PublicIP != "" {
		if ip, err := netip.ParseAddr(c.PublicIP); err != nil || ip.IsUnspecified() || ip.Zone() != "" {
			p.add("TALKSTACK_PUBLIC_IP", "%q is not an address that carriers can send to, for example 203.0.113.10", clip(c.PublicIP))
		}
	} else if err == nil && sip.Addr().IsUnspecified() && c.SIPTrunk != "" {
		p.add("TALKSTACK_PUBLIC_IP", "is needed with TALKSTACK_SIP_ADDR=%s: it is the address the carrier sends calls and audio to, for example 203.0.113.10", c.SIPAddr)
	}
	if _, err := c.Trunk(); err != nil {
		p.add("TALKSTACK_SIP_TRUNK", "%s", talkstack.ErrorMessage(err))
	}
}

func (c *Config) validateURLs(p *SettingErrors) {
	if c.PublicURL != "" && !isWebURL(c.PublicURL) {
		p.add("TALKSTACK_PUBLIC_URL", "%q is not an http or https URL without query, for example https://phone.example.com", clip(c.PublicURL))
	}
	if c.OpenAIBaseURL != "" && !isWebURL(c.OpenAIBaseURL) {
		p.add("OPENAI_BASE_URL", "is not an http or https URL without query, for example http://127.0.0.1:11434/v1")
	}
	if c.HubSpotBaseURL != "" && !isWebURL(c.HubSpotBaseURL) {
		p.add("HUBSPOT_BASE_URL", "%q is not an http or https URL without query, for example https://api.hubapi.com", clip(c.HubSpotBaseURL))
	}
	if c.HubSpotAppURL != "" && !isWebURL(c.HubSpotAppURL) {
		p.add("HUBSPOT_APP_URL", "%q is not an http or https URL without query, for example https://app.hubspot.com", clip(c.HubSpotAppURL))
	}
	if (c.HubSpotClientID == "") != (c.HubSpotClientSecret == "") {
		p.add("HUBSPOT_CLIENT_ID", "and HUBSPOT_CLIENT_SECRET go together: set both, or neither")
	}
	if c.DatabaseURL != "" && !hasScheme(c.DatabaseURL.Reveal(), "postgres", "postgresql") {
		p.add("TALKSTACK_DATABASE_URL", "does not read as postgres://user:password@host:5432/name; leave it empty for SQLite in the data folder")
	}
	if c.SMTPURL != "" && !hasScheme(c.SMTPURL.Reveal(), "smtp", "smtps") {
		p.add("TALKSTACK_SMTP_URL", "does not read as smtp://user:password@host:587 or smtps://user:password@host:465; leave it empty to write mails to the outbox folder")
	}
}

// The providers that this version has, by role.
const (
	ProviderLocal  = "local"  // speech models on this machine
	ProviderFlow   = "flow"   // no language model
	ProviderOpenAI = "openai" // any OpenAI-compatible endpoint
)

// DefaultOpenAIModel is the model of a plain "openai".
const DefaultOpenAIModel = "gpt-5-mini"

func (c *Config) validateProviders(p *SettingErrors) {
	check := func(setting string, chain Chain, supported ...string) {
		if len(chain) == 0 {
			p.add(setting, "is empty; this version supports %s", strings.Join(supported, ", "))
		}
		if len(chain) > 1 {
			p.add(setting, "names %d providers, and this version uses one: a list in which the next takes over is not supported yet", len(chain))
		}
		for _, link := range chain {
			switch {
			case !slices.Contains(supported, link.Name):
				p.add(setting, "%s is not supported; this version supports %s", clip(link.String()), strings.Join(supported, ", "))
			case link.Model != "" && link.Name != ProviderOpenAI:
				p.add(setting, "%s takes no model: write %s alone", link.Name, link.Name)
			}
		}
	}
	check("TALKSTACK_ASR", c.ASR, ProviderLocal)
	check("TALKSTACK_TTS", c.TTS, ProviderLocal)
	check("TALKSTACK_LLM", c.LLM, ProviderFlow, ProviderOpenAI)
	if _, ok := c.LanguageModel(); ok && c.OpenAIAPIKey == "" && c.OpenAIBaseURL == "" {
		p.add("OPENAI_API_KEY", "is needed by TALKSTACK_LLM=%s; for a server that needs no key set OPENAI_BASE_URL", clip(c.LLM.String()))
	}
}

func checkHostPort(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not a host and a port", clip(s))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port from 0 to 65535", clip(port))
	}
	return nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

func hasScheme(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains(schemes, u.Scheme) && u.Host != ""
}
