package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/auth"
	"talkstack/internal/batch"
	"talkstack/internal/event"
	"talkstack/internal/hubspot"
	"talkstack/internal/store"
	"talkstack/internal/telemetry"
)

// Calls places outbound calls.
type Calls interface {
	// Place stores the call as queued and returns it. Its errors: invalid (number, no number to call from, no agent),
	// not_found (project or agent), limited, unavailable.
	Place(ctx context.Context, p talkstack.Placement) (talkstack.Call, error)
}

// Voices are what agents can speak with.
type Voices interface {
	Voices() []talkstack.Voice // the first is the default of new agents
	// Preview is a sentence in this voice, as a WAV file.
	Preview(ctx context.Context, voiceID string) ([]byte, error)
}

// Recordings is where recorded calls are.
type Recordings interface {
	// Open reads a recording by its key and tells its size in bytes. One that is gone is not_found.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, int64, error)
}

// Check is the state of one part of the program.
type Check struct {
	Name string
	Err  error // nil: ready
}

// Config is what an API needs. Every field without "optional" must be set.
type Config struct {
	DB              *store.DB
	Accounts        *auth.Accounts
	Signer          *auth.Signer // of recording links
	Calls           Calls
	Batches         *batch.Batches
	Analyses        *analysis.Service
	Voices          Voices
	Recordings      Recordings
	HubSpot         *hubspot.Connector
	PublicURL       string                            // what links start with: "https://talk.example"; empty: from the request
	TrustProxy      bool                              // believe X-Forwarded-For, -Host and -Proto: only behind a proxy that sets them
	PrivateWebhooks bool                              // webhooks may be in private networks
	Ready           func(ctx context.Context) []Check // for /readyz
	Metrics         telemetry.Metrics
	Version         string
	Log             *slog.Logger
	Now             func() time.Time // optional: time.Now
	Events          *event.Bus       // optional: where event streams hear of changed calls; nil: they look now and then
	Heartbeat       time.Duration    // optional: of event streams; 0 means 15 s
	Uploads         string           // folder for sheets while they are read; empty: the system's for temporary files
}

// API serves both API families and everything beside them.
type API struct {
	Config
	handler  http.Handler
	document []byte
	huma     huma.API
	previews previewCache
	streams  *streams
	uploads  places
	metrics  *requestMetrics
}

// New makes the API. It fails when the public URL is not one.
func New(c Config) (*API, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, fmt.Errorf("httpapi: public URL %q: must be http:// or https:// and a host", c.PublicURL)
		}
	}
	if c.DB == nil || c.Accounts == nil || c.Signer == nil || c.Calls == nil || c.Batches == nil || c.Analyses == nil || c.Voices == nil || c.Recordings == nil || c.HubSpot == nil ||
		c.Ready == nil || c.Metrics.Registerer == nil || c.Log == nil {
		return nil, errors.New("httpapi: a part of the configuration is missing")
	}
	if c.Events == nil {
		c.Events = event.New("", c.Log)
	}
	installErrors()
	a := &API{Config: c, metrics: newRequestMetrics(c.Metrics), previews: newPreviewCache(), streams: newStreams(), uploads: places{limit: maxUploads}}
	mux := chi.NewMux()
	a.wrap(mux)
	a.huma = humachi.New(mux, a.humaConfig())
	a.huma.UseMiddleware(a.refuseBadText, a.authenticate, a.readBody)
	a.routes()
	a.pages(mux)
	a.documentWebhook()
	addExamples(a.huma.OpenAPI())
	doc, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("httpapi: openapi document: %w", err)
	}
	a.document, a.handler = doc, mux
	return a, nil
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// OpenAPI is the OpenAPI 3.1 document, as JSON.
func (a *API) OpenAPI() []byte { return a.document }

// routes is the API's index.
func (a *API) routes() {
	a.authRoutes()
	a.userRoutes()
	a.projectRoutes()
	a.agentRoutes()
	a.callRoutes()
	a.batchRoutes()
	a.analysisRoutes()
	a.voiceRoutes()
	a.numberRoutes()
	a.v1ProjectRoutes()
	a.v1NumberRoutes()
	a.v1AgentRoutes()
	a.v1CallRoutes()
	a.v1BatchRoutes()
	a.v1DoNotCallRoutes()
	a.v1AnalysisRoutes()
	a.v1AuditRoutes()
	a.v1WebhookRoutes()
	a.v1HubSpotRoutes()
	a.healthRoutes()
}
