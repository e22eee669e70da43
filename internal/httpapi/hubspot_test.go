package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/hubspot"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/store"
)

const hubspotBase = "https://talk.example"

// onHubSpot runs a test on each database, beside a HubSpot with one portal.
func onHubSpot(t *testing.T, engines []store.Engine, test func(t *testing.T, s *httpapitest.Server, hub *hubspottest.Server, p *hubspottest.Portal)) {
	t.Helper()
	t.Parallel()
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			var hub *hubspottest.Server
			s := newServer(t, engine, func(c *httpapi.Config) {
				hub = hubspottest.New(c.Now)
				t.Cleanup(hub.Close)
				connector, err := hubspot.New(t.Context(), hubspot.Config{
					DB: c.DB, ClientID: hub.ClientID, ClientSecret: talkstack.Secret(hub.ClientSecret), BaseURL: hub.URL(), AppURL: hub.URL(),
					Now: c.Now, Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(connector.Close)
				c.HubSpot, c.PublicURL = connector, hubspotBase
			})
			test(t, s, hub, hub.AddPortal(62515))
		})
	}
}

func bothEngines() []store.Engine { return []store.Engine{store.SQLite, store.PostgreSQL} }

func TestHubSpotConnection(t *testing.T) {
	onHubSpot(t, bothEngines(), func(t *testing.T, s *httpapitest.Server, _ *hubspottest.Server, p *hubspottest.Portal) {
		a, b := s.Account(t, "a@example.com"), s.Account(t, "b@example.com")
		get := func(key string) httpapitest.Response {
			r := s.Do(t, request{Method: "GET", Path: "/v1/hubspot", Key: key})
			expect(t, "status", r, http.StatusOK)
			return r
		}
		if r := get(a.Key); r.Text("state") != "disconnected" {
			t.Errorf("a new account: %s", r.Body)
		}
		for _, body := range []object{{}, {"token": "x", "code": "y"}, {"token": "pat-nonsense"}, {"code": "nonsense"}} {
			expect(t, "bad connect", s.Do(t, request{Method: "POST", Path: "/v1/hubspot/connect", Key: a.Key, Body: body}), http.StatusBadRequest)
		}
		token := p.PrivateToken()
		r := s.Do(t, request{Method: "POST", Path: "/v1/hubspot/connect", Key: a.Key, Body: object{"token": token}})
		expect(t, "connect by token", r, http.StatusOK)
		if r.Text("kind") != "private_app" || r.Text("portal_id") != "62515" || r.Text("state") != "connected" {
			t.Errorf("connected by token: %s", r.Body)
		}
		if r := get(b.Key); r.Text("state") != "disconnected" {
			t.Errorf("another account: %s", r.Body)
		}

		r = s.Do(t, request{Method: "GET", Path: "/v1/hubspot/authorize-url", Key: a.Key})
		expect(t, "authorize-url", r, http.StatusOK)
		u, err := url.Parse(r.Text("url"))
		if err != nil || u.Query().Get("redirect_uri") != hubspotBase+"/v1/hubspot/callback" {
			t.Fatalf("authorize-url: %s", r.Body)
		}
		code := p.Consent(u.Query().Get("redirect_uri"))
		callback := func(code, state string) httpapitest.Response {
			return s.Do(t, request{Method: "GET", Path: "/v1/hubspot/callback?" + url.Values{"code": {code}, "state": {state}}.Encode()})
		}
		expect(t, "forged state", callback(code, "x.y"), http.StatusForbidden)
		expect(t, "no consent", s.Do(t, request{Method: "GET", Path: "/v1/hubspot/callback?error=access_denied"}), http.StatusBadRequest)
		r = callback(code, u.Query().Get("state"))
		expect(t, "callback", r, http.StatusOK)
		if !strings.Contains(string(r.Body), "connected to HubSpot") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			t.Errorf("the page is %s", r.Body)
		}
		if r := get(a.Key); r.Text("kind") != "oauth" || strings.Contains(string(r.Body), "CI-") || strings.Contains(string(r.Body), token) {
			t.Errorf("connected by consent: %s", r.Body)
		}

		r = s.Do(t, request{Method: "GET", Path: "/v1/hubspot/syncs", Key: a.Key})
		expect(t, "syncs", r, http.StatusOK)
		expect(t, "unknown sync", s.Do(t, request{Method: "POST", Path: "/v1/hubspot/syncs/CA00000000000000000000000000000000/retry", Key: a.Key}), http.StatusNotFound)

		r = s.Do(t, request{Method: "DELETE", Path: "/v1/hubspot", Key: a.Key})
		expect(t, "disconnect", r, http.StatusOK)
		if p.RefreshTokens() != 0 {
			t.Error("the refresh token lives on")
		}
		expect(t, "disconnect again", s.Do(t, request{Method: "DELETE", Path: "/v1/hubspot", Key: a.Key}), http.StatusNotFound)
	})
}

func TestLoginConnectsHubSpot(t *testing.T) {
	onHubSpot(t, bothEngines(), func(t *testing.T, s *httpapitest.Server, hub *hubspottest.Server, p *hubspottest.Portal) {
		a := s.Account(t, "a@example.com")
		login := func(password string, more object) httpapitest.Response {
			body := object{"email": a.Email, "password": password}
			for k, v := range more {
				body[k] = v
			}
			return s.Do(t, request{Method: "POST", Path: "/auth/login", Body: body})
		}
		const app = "https://app.example/hubspot"
		code := p.Consent(app)
		asked := len(hub.Requests())
		if r := login("wrong password", object{"hubspotCode": code, "hubspotRedirectUri": app}); r.Status != http.StatusUnauthorized || len(hub.Requests()) != asked {
			t.Errorf("a wrong password: %s; HubSpot was asked %d times", r.Describe(), len(hub.Requests())-asked)
		}
		for _, test := range []struct {
			name string
			more object
			want float64
		}{
			{"no code", object{}, 7},
			{"bad code", object{"hubspotCode": "nonsense"}, 5},
			{"other redirect", object{"hubspotCode": code}, 5},
			{"good", object{"hubspotCode": code, "hubspotRedirectUri": app}, 6},
			{"good, other case of names", object{"hubspot_code": p.Consent(app), "hubspot_redirect_uri": app}, 6},
		} {
			r := login(a.Password, test.more)
			expectEnvelope(t, r, "successfully logged in.")
			var have struct {
				LoginStatus float64 `json:"loginStatus"`
				Token       string  `json:"token"`
			}
			if err := json.Unmarshal(r.Body, &have); err != nil || have.LoginStatus != test.want || have.Token == "" {
				t.Errorf("%s: %s; want loginStatus %v", test.name, r.Body, test.want)
			}
		}
	})
}

// A HubSpot that does not answer holds nobody up: the login waits for its limit, and works.
func TestLoginDoesNotWaitForHubSpot(t *testing.T) {
	onHubSpot(t, []store.Engine{store.SQLite}, func(t *testing.T, s *httpapitest.Server, hub *hubspottest.Server, p *hubspottest.Portal) {
		a := s.Account(t, "a@example.com")
		never := make(chan struct{})
		t.Cleanup(func() { close(never) })
		hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", "/token"), Wait: never, Status: http.StatusBadGateway})
		r := s.Do(t, request{Method: "POST", Path: "/auth/login", Body: object{
			"email": a.Email, "password": a.Password, "hubspotCode": p.Consent(hubspotBase + "/v1/hubspot/callback"),
		}})
		expectEnvelope(t, r, "successfully logged in.")
		if !strings.Contains(string(r.Body), `"loginStatus":5`) {
			t.Errorf("the answer is %s", r.Body)
		}
	})
}

func TestHubSpotWorkflowMakesCalls(t *testing.T) {
	onHubSpot(t, bothEngines(), func(t *testing.T, s *httpapitest.Server, hub *hubspottest.Server, p *hubspottest.Portal) {
		w := newWorld(t, s, "a@example.com", "+14155550148")
		other := newWorld(t, s, "b@example.com", "+14155550149")
		expect(t, "connect", s.Do(t, request{Method: "POST", Path: "/v1/hubspot/connect", Key: w.Key, Body: object{"token": p.PrivateToken()}}), http.StatusOK)
		const path = "/v1/hubspot/actions/make-call"
		act := func(callback string, portal int64, inputs object, at time.Time, secret string) httpapitest.Response {
			body, err := json.Marshal(object{
				"callbackId": callback, "origin": object{"portalId": portal}, "inputFields": inputs,
				"object": object{"objectId": 904, "objectType": "CONTACT", "properties": object{"firstname": "Anna"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			r := hubspot.SignedRequest{Method: "POST", URI: hubspotBase + path, Body: body, Timestamp: strconv.FormatInt(at.UnixMilli(), 10)}
			return s.Do(t, request{Method: "POST", Path: path, Body: body, Header: map[string]string{
				"Content-Type": "application/json", "X-HubSpot-Request-Timestamp": r.Timestamp, "X-HubSpot-Signature-v3": hubspot.Sign(talkstack.Secret(secret), r),
			}})
		}
		now, good := s.Clock.Now(), object{"phone_number": "+1 206 555 0123", "agent_id": w.agent, "project_id": w.project, "topic": "renewal"}
		expect(t, "wrong secret", act("cb-0", 62515, good, now, "another"), http.StatusUnauthorized)
		expect(t, "old", act("cb-0", 62515, good, now.Add(-6*time.Minute), hub.ClientSecret), http.StatusUnauthorized)
		expect(t, "unsigned", s.Do(t, request{Method: "POST", Path: path, Body: object{"callbackId": "x"}}), http.StatusUnauthorized)
		expect(t, "not an action", act("", 62515, good, now, hub.ClientSecret), http.StatusBadRequest)

		first := act("cb-1", 62515, good, now, hub.ClientSecret)
		expect(t, "make-call", first, http.StatusOK)
		sid := first.Text("outputFields", "call_sid")
		if first.Text("outputFields", "hs_execution_state") != "SUCCESS" || sid == "" {
			t.Fatalf("the answer is %s", first.Body)
		}
		c, err := s.DB.Call(t.Context(), w.ID, sid)
		if err != nil || c.To != "+12065550123" || c.DynamicVariables["firstname"] != "Anna" || c.DynamicVariables["topic"] != "renewal" || len(c.DynamicVariables) != 2 {
			t.Errorf("the call is %+v, %v", c, err)
		}
		if again := act("cb-1", 62515, good, now, hub.ClientSecret); again.Text("outputFields", "call_sid") != sid || len(s.Calls.Placed()) != 1 {
			t.Errorf("the same callback again: %s, %d calls", again.Body, len(s.Calls.Placed()))
		}
		for name, test := range map[string]struct {
			portal int64
			inputs object
		}{
			"other portal":            {4711, good},
			"no number":               {62515, object{"agent_id": w.agent}},
			"bad number":              {62515, object{"phone_number": "call me", "agent_id": w.agent}},
			"another account's agent": {62515, object{"phone_number": "+12065550123", "agent_id": other.agent}},
			"unknown project":         {62515, object{"phone_number": "+12065550123", "project_id": "nonsense"}},
		} {
			r := act("cb-"+name, test.portal, test.inputs, now, hub.ClientSecret)
			expect(t, name, r, http.StatusOK)
			if r.Text("outputFields", "hs_execution_state") != "FAIL_CONTINUE" || r.Text("outputFields", "error") == "" || r.Text("outputFields", "call_sid") != "" {
				t.Errorf("%s: %s", name, r.Body)
			}
		}
		s.Calls.Fail(talkstack.Errorf(talkstack.CodeUnavailable, "Full."))
		expect(t, "full", act("cb-2", 62515, good, now, hub.ClientSecret), http.StatusServiceUnavailable)
		s.Calls.Fail(nil)
		if r := act("cb-2", 62515, good, now, hub.ClientSecret); r.Text("outputFields", "hs_execution_state") != "SUCCESS" {
			t.Errorf("HubSpot's next try: %s", r.Body)
		}
	})
}
