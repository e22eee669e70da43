package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"talkstack/internal/config"
)

// load parses args with the given environment, as the program does.
func load(t *testing.T, env map[string]string, args ...string) (config.Config, error) {
	t.Helper()
	var c config.Config
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	parser, err := kong.New(&c, append(config.Options(lookup), kong.Name("talkstack"))...)
	if err != nil {
		t.Fatalf("kong.New: %v", err)
	}
	_, err = parser.Parse(args)
	return c, err
}

func mustLoad(t *testing.T, env map[string]string, args ...string) config.Config {
	t.Helper()
	c, err := load(t, env, args...)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "talkstack.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, nil)
	for _, tc := range []struct{ name, got, want string }{
		{"http", c.HTTPAddr, "127.0.0.1:8080"},
		{"sip", c.SIPAddr, "127.0.0.1:5060"},
		{"rtp", c.RTPPorts.String(), "20000-29999"},
		{"asr", c.ASR.String(), "local"},
		{"tts", c.TTS.String(), "local"},
		{"llm", c.LLM.String(), "flow"},
		{"data", filepath.Base(c.DataDir), "data"},
		{"models", c.ModelsPath(), filepath.Join(c.DataDir, "models")},
		{"drain", c.DrainLimit.String(), (5 * time.Minute).String()},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	if c.PrivateWebhooks() {
		t.Error("webhooks may reach private addresses outside of development mode")
	}
	if n := c.CallLimit(); n < 100 || n > c.RTPPorts.Pairs() {
		t.Errorf("CallLimit is %d", n)
	}
}

func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "http_addr: 127.0.0.1:1\nsip_addr: 127.0.0.1:2\nmax_calls: 7\nllm: [openai/a/b:c]\nallow_private_webhooks: true\n")
	env := map[string]string{
		"TALKSTACK_CONFIG":    file,
		"TALKSTACK_HTTP_ADDR": "127.0.0.1:3",
		"TALKSTACK_SIP_ADDR":  "127.0.0.1:4",
		"TALKSTACK_MAX_CALLS": "", // empty counts as not set
		"OPENAI_API_KEY":      "sk-test",
	}
	c := mustLoad(t, env, "--http-addr", "127.0.0.1:5")
	if c.HTTPAddr != "127.0.0.1:5" || c.SIPAddr != "127.0.0.1:4" || c.MaxCalls != 7 {
		t.Errorf("http %s, sip %s, max calls %d; want flag, environment and file in turn", c.HTTPAddr, c.SIPAddr, c.MaxCalls)
	}
	if got := c.LLM.String(); got != "openai/a/b:c" || c.LLM[0].Model != "a/b:c" {
		t.Errorf("LLM chain is %s", got)
	}
	if !c.PrivateWebhooks() {
		t.Error("allow_private_webhooks of the file is lost")
	}
	if got := c.OpenAIAPIKey.Reveal(); got != "sk-test" {
		t.Errorf("OpenAI key is %q", got)
	}
	if c := mustLoad(t, nil, "--config", file, "--openai-base-url", "http://127.0.0.1:11434"); c.HTTPAddr != "127.0.0.1:1" {
		t.Errorf("http is %s, want the file's", c.HTTPAddr)
	}
}

func TestDevelopmentModeOpensPrivateWebhooks(t *testing.T) {
	t.Parallel()
	if c := mustLoad(t, nil, "--dev"); !c.PrivateWebhooks() {
		t.Error("--dev keeps webhooks from private addresses")
	}
	env := map[string]string{"TALKSTACK_ALLOW_PRIVATE_WEBHOOKS": "false"}
	if c := mustLoad(t, env, "--dev"); c.PrivateWebhooks() {
		t.Error("an explicit false does not hold with --dev")
	}
}

func TestBadSettingsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"TALKSTACK_HTTP_ADDR": "8080"}, "TALKSTACK_HTTP_ADDR: \"8080\" is not a host and a port, for example 127.0.0.1:8080"},
		{map[string]string{"TALKSTACK_SIP_ADDR": "phone:5060"}, "0.0.0.0:5060"},
		{map[string]string{"TALKSTACK_RTP_PORTS": "20000"}, "20000-29999"},
		{map[string]string{"TALKSTACK_RTP_PORTS": "20001-20002"}, "no room for a call"},
		{map[string]string{"TALKSTACK_RTP_PORTS": "80-90"}, "not a port from 1024"},
		{map[string]string{"TALKSTACK_RTP_PORTS": "30000-20000"}, "no room for a call"},
		{map[string]string{"TALKSTACK_RTP_PORTS": "20000-20003", "TALKSTACK_MAX_CALLS": "3"}, "room for 2 calls"},
		{map[string]string{"TALKSTACK_MAX_CALLS": "-1"}, "0 for the default by cores"},
		{map[string]string{"TALKSTACK_MAX_CALLS": "many"}, "--max-calls"},
		{map[string]string{"TALKSTACK_DRAIN_LIMIT": "-1s"}, "TALKSTACK_DRAIN_LIMIT"},
		{map[string]string{"TALKSTACK_DATABASE_URL": "mysql://u:hunter2@h/db"}, "postgres://user:password@host"},
		{map[string]string{"TALKSTACK_SMTP_URL": "mail.example.com:25"}, "smtps://"},
		{map[string]string{"TALKSTACK_PUBLIC_URL": "phone.example.com"}, "https://phone.example.com"},
		{map[string]string{"TALKSTACK_PUBLIC_IP": "0.0.0.0"}, "203.0.113.10"},
		{map[string]string{"TALKSTACK_SIP_ADDR": "0.0.0.0:5060", "TALKSTACK_SIP_TRUNK": "sip:host"}, "TALKSTACK_PUBLIC_IP: is needed"},
		{map[string]string{"TALKSTACK_SIP_TRUNK": "sip:u:hunter2@host;register=true"}, "TALKSTACK_SIP_TRUNK: "},
		{map[string]string{"TALKSTACK_ASR": "deepgram/nova-3"}, "TALKSTACK_ASR: deepgram/nova-3 is not supported; this version supports local"},
		{map[string]string{"TALKSTACK_TTS": "local/kokoro"}, "write local alone"},
		{map[string]string{"TALKSTACK_LLM": "anthropic/claude"}, "this version supports flow, openai"},
		{map[string]string{"TALKSTACK_LLM": "openai"}, "OPENAI_API_KEY: is needed"},
		{map[string]string{"TALKSTACK_LLM": "flow,openai"}, "this version uses one"},
		{map[string]string{"TALKSTACK_LLM": "flow,,"}, "separated by commas"},
		{map[string]string{"TALKSTACK_LOG_LEVEL": "loud"}, "log-level"},
		{map[string]string{"OPENAI_BASE_URL": "localhost:11434"}, "OPENAI_BASE_URL"},
		{map[string]string{"TALKSTACK_CONFIG": "/nowhere/talkstack.yaml"}, "settings file"},
	} {
		_, err := load(t, tc.env)
		if err == nil {
			t.Errorf("%v is accepted", tc.env)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: error %q does not say %q", tc.env, err, tc.want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: the error shows the password", tc.env)
		}
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{"TALKSTACK_HTTP_ADDR": "x", "TALKSTACK_ASR": "x", "TALKSTACK_PUBLIC_URL": "x"})
	for _, name := range []string{"TALKSTACK_HTTP_ADDR", "TALKSTACK_ASR", "TALKSTACK_PUBLIC_URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
}

func TestBadSettingsFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"htp_addr: x\n", `line 1: "htp_addr" is not a setting`},
		{"dev: true\n", `"dev" is not a setting`},
		{"config: other.yaml\n", `"config" is not a setting`},
		{"- a\n", "not a YAML mapping"},
		{"http_addr: {host: a}\n", "line 1: http_addr: a setting is a plain value"},
		{"llm: [[flow]]\n", "plain values alone"},
		{"http_addr: [\n", "not a YAML mapping"},
	} {
		_, err := load(t, nil, "--config", writeFile(t, tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("file %q: error %v does not say %q", tc.text, err, tc.want)
		}
	}
	if c := mustLoad(t, nil, "--config", writeFile(t, "# nothing\npublic_url:\n")); c.PublicURL != "" {
		t.Errorf("an empty value reads as %q", c.PublicURL)
	}
}

func TestSecretsAreNeverDescribedOrPrinted(t *testing.T) {
	t.Parallel()
	secrets := 0
	for _, s := range config.Settings() {
		if strings.HasSuffix(s.Env, "_KEY") || strings.Contains(s.Doc, "password") && s.Env != "" {
			secrets++
			if !s.Secret {
				t.Errorf("%s may hold a password but is no secret", s.Env)
			}
		}
	}
	if secrets < 4 {
		t.Errorf("only %d settings were recognised as secrets", secrets)
	}
}

func TestEverySettingIsDescribed(t *testing.T) {
	t.Parallel()
	var text, page strings.Builder
	if err := config.Describe(&text); err != nil {
		t.Fatal(err)
	}
	if err := config.DescribeMarkdown(&page); err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		if s.Doc == "" || s.Type == "" {
			t.Errorf("%s has no documentation or no type", s.Flag)
		}
		for _, out := range []string{text.String(), page.String()} {
			if !strings.Contains(out, s.Flag) || !strings.Contains(out, s.Env) {
				t.Errorf("%s is missing from a description", s.Flag)
			}
		}
	}
}

func TestReferencePageIsUpToDate(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	if err := config.DescribeMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Error("docs/configuration.md differs from the settings: run make generate")
	}
}

func FuzzSettingsFile(f *testing.F) {
	f.Add("http_addr: 127.0.0.1:8080\nllm: [openai/x, flow]\n")
	f.Add("a: &a 1\nb: *a\n")
	f.Add("rtp_ports: 1-2\n- x")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load(t, nil, "--config", writeFile(t, text))
		if err == nil && c.Validate() != nil {
			t.Error("an invalid configuration was accepted")
		}
	})
}

func FuzzRTPPorts(f *testing.F) {
	for _, s := range []string{"20000-29999", "-", "1024-65535", "65535-65535", "2000-1999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r config.PortRange
		if r.UnmarshalText([]byte(s)) == nil && (r.Low < 1024 || r.High > 65535 || r.Pairs() < 1) {
			t.Errorf("%q is accepted as %s", s, r)
		}
	})
}

// A provider without a model means its default one: the endpoint must never be asked for a model without a name.
func TestLanguageModel(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"flow": "", "openai": "openai/" + config.DefaultOpenAIModel, "openai/a/b:c": "openai/a/b:c"} {
		c := mustLoad(t, map[string]string{"TALKSTACK_LLM": value, "OPENAI_API_KEY": "sk-test"})
		p, ok := c.LanguageModel()
		if ok != (want != "") || p.String() != want {
			t.Errorf("TALKSTACK_LLM=%s means %q, %v; want %q", value, p, ok, want)
		}
	}
}
