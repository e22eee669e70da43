// Package config owns the settings of the program: one struct from which flags, environment variables, the settings
// file and their reference page are made. It reads and checks settings; what they switch on is other packages' work.
package config

import (
	"path/filepath"
	"runtime"
	"time"

	"talkstack"
)

// Config is every setting. Each field's tags are its documentation: `talkstack config describe` and
// docs/configuration.md are printed from them. A setting is looked for in this order: flag, environment variable (set
// and not empty), settings file, default.
type Config struct {
	Folders

	Dev bool `name:"dev" help:"Development mode: on an empty database a demo account, project, agent and number; a test phone that outbound calls go to while no carrier is configured; webhooks may reach private addresses."`

	HTTPAddr    string           `name:"http-addr" envar:"TALKSTACK_HTTP_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the API, its documentation and the metrics are served."`
	PublicURL   string           `name:"public-url" envar:"TALKSTACK_PUBLIC_URL" placeholder:"URL" help:"What links in mails and recording URLs start with, for example https://phone.example.com. Empty: taken from each request."`
	TrustProxy  bool             `name:"trust-proxy" envar:"TALKSTACK_TRUST_PROXY" help:"Believe X-Forwarded-For, -Host and -Proto. Only behind a reverse proxy that sets them."`
	DatabaseURL talkstack.Secret `name:"database-url" envar:"TALKSTACK_DATABASE_URL" placeholder:"URL" help:"postgres://user:password@host/name to keep the data in PostgreSQL. Empty: SQLite in the data folder."`
	SMTPURL     talkstack.Secret `name:"smtp-url" envar:"TALKSTACK_SMTP_URL" placeholder:"URL" help:"smtp://user:password@host:587 or smtps://user:password@host:465 to send mail. Empty: each mail is written to outbox/ in the data folder."`

	SIPAddr  string           `name:"sip-addr" envar:"TALKSTACK_SIP_ADDR" default:"127.0.0.1:5060" placeholder:"IP:PORT" help:"Where SIP is spoken, over UDP and TCP. Outside of a trial this is the server's own address, such as 0.0.0.0:5060."`
	PublicIP string           `name:"public-ip" envar:"TALKSTACK_PUBLIC_IP" placeholder:"IP" help:"Address that SIP and SDP name to carriers, when it is not the one listened on. Needed when the SIP address is 0.0.0.0 or behind NAT."`
	RTPPorts PortRange        `name:"rtp-ports" envar:"TALKSTACK_RTP_PORTS" default:"20000-29999" placeholder:"LOW-HIGH" help:"UDP ports for audio. Each call takes two."`
	SIPTrunk talkstack.Secret `name:"sip-trunk" envar:"TALKSTACK_SIP_TRUNK" placeholder:"URI" help:"Carrier that calls go out through and come in from: sip:user:password@host:5060;transport=udp. Empty: no carrier."`

	ASR Chain `name:"asr" envar:"TALKSTACK_ASR" default:"local" placeholder:"CHAIN" help:"Speech recognition: local."`
	TTS Chain `name:"tts" envar:"TALKSTACK_TTS" default:"local" placeholder:"CHAIN" help:"Speech synthesis: local."`
	LLM Chain `name:"llm" envar:"TALKSTACK_LLM" default:"flow" placeholder:"CHAIN" help:"What decides the agent's words: flow (no language model: the agent's flow, or its prompt) or openai/<model> for any OpenAI-compatible endpoint; an agent with a flow follows it either way."`

	OpenAIAPIKey  talkstack.Secret `name:"openai-api-key" envar:"OPENAI_API_KEY" placeholder:"KEY" help:"Key of the OpenAI-compatible endpoint. Servers that need none, such as Ollama, leave it empty."`
	OpenAIBaseURL string           `name:"openai-base-url" envar:"OPENAI_BASE_URL" placeholder:"URL" help:"Address of the OpenAI-compatible endpoint, with or without /v1. Empty: OpenAI's own."`

	HubSpotClientID     string           `name:"hubspot-client-id" envar:"HUBSPOT_CLIENT_ID" placeholder:"ID" help:"Client id of your HubSpot app. With it accounts connect to HubSpot by OAuth, and workflows there can place calls; without it accounts connect by a private app's token."`
	HubSpotClientSecret talkstack.Secret `name:"hubspot-client-secret" envar:"HUBSPOT_CLIENT_SECRET" placeholder:"SECRET" help:"Client secret of your HubSpot app."`
	HubSpotBaseURL      string           `name:"hubspot-base-url" envar:"HUBSPOT_BASE_URL" placeholder:"URL" help:"Address of HubSpot's API. Empty: https://api.hubapi.com."`
	HubSpotAppURL       string           `name:"hubspot-app-url" envar:"HUBSPOT_APP_URL" placeholder:"URL" help:"Where people let your app into their HubSpot portal. Empty: https://app.hubspot.com."`

	MaxCalls             int           `name:"max-calls" envar:"TALKSTACK_MAX_CALLS" default:"0" placeholder:"N" help:"Live calls this node takes; more are queued (outbound) or answered 503 with Retry-After (inbound). 0: 100 for each core."`
	AllowPrivateWebhooks *bool         `name:"allow-private-webhooks" envar:"TALKSTACK_ALLOW_PRIVATE_WEBHOOKS" help:"Whether webhooks and HTTP requests of agents may reach loopback and private addresses. Default: false, and true in development mode."`
	DrainLimit           time.Duration `name:"drain-limit" envar:"TALKSTACK_DRAIN_LIMIT" default:"5m" placeholder:"DURATION" help:"How long live calls may go on after SIGTERM or Ctrl-C; then they are ended. A second signal ends at once."`

	Prices        talkstack.Prices `name:"prices" envar:"TALKSTACK_PRICES" placeholder:"LIST" help:"What calls cost you, in US dollars, such as carrier=0.0085/min, carrier:+44=0.02/started-min, carrier_in=0.004/min, asr=0.0043/min, llm_input=0.15/Mtok, llm_output=0.60/Mtok, tts=15/Mchar. Time is priced by the min or hour to the second, or by the started-min; a price for a number's prefix wins over that for all. Empty: calls cost 0."`
	DefaultRegion string           `name:"default-region" envar:"TALKSTACK_DEFAULT_REGION" placeholder:"REGION" help:"Country of telephone numbers in uploaded lists that are written without + and country code: two letters of ISO 3166-1, such as US. Empty: such numbers are refused."`

	LogLevel  string `name:"log-level" envar:"TALKSTACK_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least important log lines that are written."`
	LogFormat string `name:"log-format" envar:"TALKSTACK_LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log lines."`
}

// Folders says where the program's files are. It is a part of Config, and all that some commands need.
type Folders struct {
	File      string `name:"config" envar:"TALKSTACK_CONFIG" type:"path" placeholder:"FILE" help:"Settings file in YAML; keys are the flags' names with underscores. Without it ./talkstack.yaml is read when it is there."`
	DataDir   string `name:"data-dir" envar:"TALKSTACK_DATA_DIR" type:"path" default:"./data" placeholder:"DIR" help:"Folder of the SQLite file, recordings, models and the mail outbox. It is made when it is not there."`
	ModelsDir string `name:"models-dir" aliases:"dir" envar:"TALKSTACK_MODELS_DIR" type:"path" placeholder:"DIR" help:"Folder of the speech models. Empty: models/ in the data folder."`
}

// callsPerCore is the default of MaxCalls for each core. The media path itself carries more; what a call's
// recogniser, model and voice need comes on top, and the local speech engine refuses calls on its own when it is full.
const callsPerCore = 100

// CallLimit is how many live calls this node takes: MaxCalls, or the default by cores, and never more than
// the RTP ports can carry.
func (c *Config) CallLimit() int {
	n := c.MaxCalls
	if n == 0 {
		n = callsPerCore * runtime.GOMAXPROCS(0)
	}
	return min(n, c.RTPPorts.Pairs())
}

// PrivateWebhooks reports whether webhooks may reach loopback and private addresses.
func (c *Config) PrivateWebhooks() bool {
	if c.AllowPrivateWebhooks != nil {
		return *c.AllowPrivateWebhooks
	}
	return c.Dev
}

// DatabasePath is the SQLite file, used when DatabaseURL is empty.
func (f *Folders) DatabasePath() string { return filepath.Join(f.DataDir, "talkstack.db") }

// RecordingsPath is the folder of the recordings.
func (f *Folders) RecordingsPath() string { return filepath.Join(f.DataDir, "recordings") }

// OutboxPath is the folder that mails are written to when SMTPURL is empty.
func (f *Folders) OutboxPath() string { return filepath.Join(f.DataDir, "outbox") }

// ModelsPath is the folder of the speech models.
func (f *Folders) ModelsPath() string {
	if f.ModelsDir != "" {
		return f.ModelsDir
	}
	return filepath.Join(f.DataDir, "models")
}

// LanguageModel is what thinks for agents without a flow, with its model's name filled in; false: nothing does.
func (c *Config) LanguageModel() (Provider, bool) {
	for _, p := range c.LLM {
		if p.Name != ProviderOpenAI {
			continue
		}
		if p.Model == "" {
			p.Model = DefaultOpenAIModel
		}
		return p, true
	}
	return Provider{}, false
}

// Trunk is the configured carrier, nil when there is none.
func (c *Config) Trunk() (*talkstack.Trunk, error) {
	if c.SIPTrunk == "" {
		return nil, nil //nolint:nilnil // no carrier is a configuration, not a failure
	}
	return talkstack.ParseTrunk(c.SIPTrunk.Reveal())
}
