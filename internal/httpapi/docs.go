package httpapi

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The page's program, scalar.js, is fetched when the product is built and not kept in version control. Without it
// everything else works, and the page says how to get it.
//
//go:embed all:docs
var docsFiles embed.FS

// docsPolicy is as strict as the page's program permits: it sets styles from script. It reaches nothing but this server.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages are the routes that are not operations of the API.
func (a *API) pages(mux *chi.Mux) {
	mux.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(a.document) // the client has gone
	})
	mux.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{Registry: a.Metrics}))
	a.resetPageRoutes(mux)
	docs, err := fs.Sub(docsFiles, "docs")
	if err != nil {
		panic(err) // the folder is embedded
	}
	a.docsRoutes(mux, docs)
}

// docsRoutes serves the page at /docs and its files below.
func (a *API) docsRoutes(mux *chi.Mux, docs fs.FS) {
	page := "index.html"
	if _, err := fs.Stat(docs, "scalar.js"); err != nil {
		page = "missing.html"
	}
	serve := func(name, cache string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("Cache-Control", cache)
			http.ServeFileFS(w, r, docs, name)
		}
	}
	// not /docs/index.html: net/http redirects that name to the folder
	mux.Get("/docs", func(w http.ResponseWriter, _ *http.Request) {
		data, err := fs.ReadFile(docs, page)
		if err != nil {
			panic(err) // both pages are embedded
		}
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(data) // the client has gone
	})
	mux.Get("/docs/", http.RedirectHandler("/docs", http.StatusMovedPermanently).ServeHTTP)
	mux.Get("/docs/page.js", serve("page.js", "no-cache"))
	mux.Get("/docs/page.css", serve("page.css", "no-cache"))
	if page == "index.html" {
		mux.Get("/docs/scalar.js", serve("scalar.js", "public, max-age=86400"))
	}
}

// humaConfig is the framework's configuration: our document, none of its own pages, no fields of its own in bodies.
func (a *API) humaConfig() huma.Config {
	c := huma.DefaultConfig("Talkstack", a.Version)
	c.CreateHooks = nil // no $schema, no Link header
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	jsonFormat := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: decode}
	c.Formats = map[string]huma.Format{jsonType: jsonFormat, "json": jsonFormat}
	c.Info.Description = "Two families on one server: the Talkstack API, and /v1 for everything it has no endpoint for.\n\n" +
		"Send `Authorization: Bearer <token>` (from login, valid for 2 hours) or `x-api-key: <key>`. " +
		"Every path is answered on every host name."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "This server."}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearerScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The token of login or refresh."},
		apiKeyScheme: {Type: "apiKey", In: "header", Name: "x-api-key", Description: "The account's API key, 64 hex digits."},
	}
	c.Tags = []*huma.Tag{
		{Name: "Authentication", Description: "Sign-up, email verification and tokens."},
		{Name: "User", Description: "The API key and the active project of the account."},
		{Name: "Project", Description: "Projects hold agents, numbers and calls."},
		{Name: "Agent", Description: "The AI agents of a project."},
		{Name: "Call", Description: "Outbound calls and the data of all calls."},
		{Name: "Voices", Description: "Voices an agent can speak with."},
		{Name: "Phone Number", Description: "Numbers an agent calls from and answers on."},
		{Name: "Account", Description: "/v1: the account that asks, and what was changed in it."},
		{Name: "Projects", Description: "/v1: projects and their limits."},
		{Name: "Agents", Description: "/v1: an agent's full configuration, and its versions."},
		{Name: "Numbers", Description: "/v1: phone numbers, whose they are and who answers."},
		{Name: "Calls", Description: "/v1: calls, live and over, with transcript and recording."},
		{Name: "Batches", Description: "/v1: calls to everybody on a list, with pace, hours and retries."},
		{Name: "Do not call", Description: "/v1: numbers that are never dialled."},
		{Name: "Analysis", Description: "/v1: questions about calls, and their answers."},
		{Name: "Webhooks", Description: "Messages about calls to an address of yours: where they go, how they fare, and what is in them."},
		{Name: "Usage", Description: "/v1: what calls add up to."},
		{Name: "HubSpot", Description: "/v1: calls written to a HubSpot portal, and placed by its workflows."},
		{Name: "Server", Description: "Whether the server lives and is ready."},
	}
	return c
}
