// Package hubspottest plays HubSpot in tests: OAuth, contacts, calls, their search, properties and associations, as its
// developer documentation describes them, with the ways in which they fail. It is strict: what HubSpot would refuse, it
// refuses. A search does not find what is younger than the lag.
//
// It owns no production code, and knows nothing of ours.
package hubspottest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Version is the dated API version that it speaks.
const Version = "2026-03"

// TokenLifetime is how long an OAuth access token works.
const TokenLifetime = 30 * time.Minute

// Fault is what happens to a request instead of, or after, what it asks for.
type Fault struct {
	Match  func(r *http.Request) bool // nil: every request
	Times  int                        // how often; 0: once
	After  bool                       // the request is carried out first: its answer is lost
	Status int                        // of the answer; 0: the connection breaks
	Body   string
	Header http.Header
	// Wait holds the answer back until it is closed, or the client goes.
	Wait <-chan struct{}
}

// Path matches requests of a method whose path ends so.
func Path(method, suffix string) func(r *http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

// The answers to too many requests (usage guidelines, "Error responses").
const (
	LimitedRolling = `{"status":"error","message":"You have reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","correlationId":"c033cdaa-2c40-4a64-ae48-b4cec88dad24","policyName":"TEN_SECONDLY_ROLLING","requestId":"3d3e35b7-0dae-4b9f-a6e3-9c230cbcf8dd"}`
	LimitedDaily   = `{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","correlationId":"c033cdaa-2c40-4a64-ae48-b4cec88dad24","policyName":"DAILY","requestId":"3d3e35b7-0dae-4b9f-a6e3-9c230cbcf8dd"}`
)

// Server is a HubSpot with some portals.
type Server struct {
	ClientID, ClientSecret string

	http *httptest.Server

	mu       sync.Mutex
	now      func() time.Time
	lag      time.Duration
	portals  []*Portal
	codes    map[string]*grant // OAuth codes
	refresh  map[string]*grant
	access   map[string]*token
	faults   []*Fault
	requests []string
	nextID   int64
}

// grant is somebody's consent.
type grant struct {
	portal   *Portal
	redirect string
	scopes   []string
}

type token struct {
	grant   *grant
	expires time.Time // zero: never
}

// New starts a HubSpot. now is its clock; nil is time.Now.
func New(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	s := &Server{
		ClientID: "7fff1e36-2d40-4ae1-bbb1-5266d59564fb", ClientSecret: "4b2a9e3c-secret-of-the-app", now: now,
		codes: map[string]*grant{}, refresh: map[string]*grant{}, access: map[string]*token{}, nextID: 1000,
	}
	s.http = httptest.NewServer(s.routes())
	return s
}

// URL is where it is reached: the API, and the page where people consent.
func (s *Server) URL() string { return s.http.URL }

// Close stops it.
func (s *Server) Close() { s.http.Close() }

// SetLag makes searches find only what is at least this old.
func (s *Server) SetLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = d
}

// Inject adds a fault. Faults are tried in the order in which they came.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Requests are the requests so far: "POST /crm/objects/2026-03/calls".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// Count is how many of the requests so far begin so.
func (s *Server) Count(prefix string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// Portal is one customer of HubSpot.
type Portal struct {
	ID int64

	s          *Server
	contacts   []*object
	calls      []*object
	properties map[string]bool // of calls, ours: name → unique
	noSchemas  bool
}

// AddPortal adds a customer.
func (s *Server) AddPortal(id int64) *Portal {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Portal{ID: id, s: s, properties: map[string]bool{}}
	s.portals = append(s.portals, p)
	return p
}

// Consent is what happens when the portal's owner lets the app in at the authorize URL: the code that they are sent back
// with.
func (p *Portal) Consent(redirectURI string, scopes ...string) (code string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	code = rand.Text()
	p.s.codes[code] = &grant{portal: p, redirect: redirectURI, scopes: scopes}
	return code
}

// PrivateToken is the token of a new private app.
func (p *Portal) PrivateToken() string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	t := "pat-na1-" + rand.Text()
	p.s.access[t] = &token{grant: &grant{portal: p}}
	return t
}

// DenySchemas keeps the portal's apps from making properties.
func (p *Portal) DenySchemas() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.noSchemas = true
}

// DropProperty removes a property of calls, with its values.
func (p *Portal) DropProperty(name string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	delete(p.properties, name)
	for _, c := range p.calls {
		delete(c.Properties, name)
	}
}

// ExpireTokens ends the access tokens of the portal before their time.
func (p *Portal) ExpireTokens() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for _, t := range p.s.access {
		if t.grant.portal == p {
			t.expires = p.s.now().Add(-time.Second)
		}
	}
}

// Uninstall takes the app out of the portal: no token of it works any more.
func (p *Portal) Uninstall() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for text, t := range p.s.access {
		if t.grant.portal == p {
			delete(p.s.access, text)
		}
	}
	for text, g := range p.s.refresh {
		if g.portal == p {
			delete(p.s.refresh, text)
		}
	}
}

// RefreshTokens is how many refresh tokens of the portal work.
func (p *Portal) RefreshTokens() int {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	n := 0
	for _, g := range p.s.refresh {
		if g.portal == p {
			n++
		}
	}
	return n
}

// wrap wraps the endpoints in what goes wrong.
func (s *Server) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		faults := append([]*Fault(nil), s.faults...)
		s.mu.Unlock()
		hit := s.take(faults, r)
		if hit == nil {
			next.ServeHTTP(w, r)
			return
		}
		if hit.Wait != nil {
			select {
			case <-hit.Wait:
			case <-r.Context().Done():
			}
		}
		if hit.After {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		if hit.Status == 0 {
			if hit.Wait != nil && !hit.After {
				next.ServeHTTP(w, r)
				return
			}
			panic(http.ErrAbortHandler)
		}
		for name, values := range hit.Header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(hit.Status)
		_, _ = w.Write([]byte(hit.Body))
	})
}

// take finds the first fault that a request meets, and counts it. Matching is done without the lock: it may look at the server.
func (s *Server) take(faults []*Fault, r *http.Request) *Fault {
	for _, f := range faults {
		if f.Match != nil && !f.Match(r) {
			continue
		}
		s.mu.Lock()
		hit := f.Times > 0
		if hit {
			f.Times--
		}
		s.mu.Unlock()
		if hit {
			return f
		}
	}
	return nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/"+Version+"/token", s.token)
	mux.HandleFunc("POST /oauth/"+Version+"/token/introspect", s.introspect)
	mux.HandleFunc("POST /oauth/"+Version+"/token/revoke", s.revoke)
	crm := map[string]func(p *Portal, w http.ResponseWriter, r *http.Request){
		"GET /account-info/" + Version + "/details":                                           (*Portal).details,
		"GET /crm/properties/" + Version + "/calls/{name}":                                    (*Portal).getProperty,
		"POST /crm/properties/" + Version + "/calls":                                          (*Portal).createProperty,
		"POST /crm/objects/" + Version + "/contacts":                                          (*Portal).createContact,
		"GET /crm/objects/" + Version + "/contacts/{id}":                                      (*Portal).getContact,
		"POST /crm/objects/" + Version + "/contacts/search":                                   (*Portal).searchContacts,
		"GET /crm/objects/" + Version + "/contacts/{id}/associations/calls":                   (*Portal).callsOfContact,
		"POST /crm/objects/" + Version + "/calls":                                             (*Portal).createCall,
		"POST /crm/objects/" + Version + "/calls/search":                                      (*Portal).searchCalls,
		"POST /crm/objects/" + Version + "/calls/batch/read":                                  (*Portal).readCalls,
		"POST /crm/objects/" + Version + "/calls/batch/upsert":                                (*Portal).upsertCalls,
		"PUT /crm/objects/" + Version + "/calls/{id}/associations/default/contacts/{contact}": (*Portal).associate,
	}
	for pattern, handle := range crm {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			t, ok := s.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
			switch {
			case !ok:
				fail(w, http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
			case !t.expires.IsZero() && !s.now().Before(t.expires):
				fail(w, http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.")
			default:
				handle(t.grant.portal, w, r)
			}
		})
	}
	return s.wrap(mux)
}

func (p *Portal) details(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"portalId": p.ID, "accountType": "STANDARD", "timeZone": "US/Eastern", "companyCurrency": "USD", "additionalCurrencies": []string{},
		"utcOffset": "-05:00", "utcOffsetMilliseconds": -18000000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
	})
}

func (s *Server) newID() string {
	s.nextID++
	return strconv.FormatInt(s.nextID, 10)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

// fail answers with an error as the error handling guide shows it.
func fail(w http.ResponseWriter, status int, category, message string) {
	answer(w, status, map[string]any{
		"status": "error", "message": message, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf", "category": category,
	})
}

// read decodes a JSON body; false: it has answered.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if r.Header.Get("Content-Type") != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "Content-Type must be application/json")
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "Invalid input JSON: "+err.Error())
		return false
	}
	return true
}
