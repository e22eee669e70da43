package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	down := error(nil)
	s := newServer(t, store.SQLite, func(c *httpapi.Config) {
		c.Ready = func(context.Context) []httpapi.Check {
			return []httpapi.Check{{Name: "database"}, {Name: "sip", Err: down}}
		}
	})
	if r := s.Do(t, request{Method: "GET", Path: "/healthz"}); r.Text("status") != "ok" || r.Text("version") != "test" {
		t.Errorf("healthz: %s", r.Describe())
	}
	if r := s.Do(t, request{Method: "GET", Path: "/readyz"}); r.Status != http.StatusOK || r.Text("status") != "ready" || r.At("parts", 1, "ready") != true {
		t.Errorf("readyz: %s", r.Describe())
	}
	down = errors.New("listen udp 10.1.2.3:5060: address in use")
	r := s.Do(t, request{Method: "GET", Path: "/readyz"})
	if r.Status != http.StatusServiceUnavailable || r.At("parts", 1, "ready") != false || strings.Contains(string(r.Body), "10.1.2.3") {
		t.Errorf("readyz with a part down: %s", r.Describe())
	}
	if !strings.Contains(s.Log.String(), "10.1.2.3") {
		t.Error("the log does not say why")
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite, func(c *httpapi.Config) {
		c.Ready = func(context.Context) []httpapi.Check { panic("a bug with a secret") }
	})
	r := s.DoUndocumented(t, request{Method: "GET", Path: "/readyz"})
	expectError(t, "panic", r, http.StatusInternalServerError, "Internal server error.")
	if !strings.Contains(s.Log.String(), "a bug with a secret") || strings.Contains(string(r.Body), "secret") {
		t.Errorf("the panic must be in the log alone: %s", r.Body)
	}
	if m := s.DoUndocumented(t, request{Method: "GET", Path: "/metrics"}); !strings.Contains(string(m.Body), "talkstack_http_panics_total 1") {
		t.Error("the panic was not counted")
	}
}

func TestFaultsBehindTheDoorAreTold(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w := newWorld(t, s, "john@host.example", "+14155550148")
	place := request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: object{"number": "+12065550123", "projectId": w.project, "agentId": w.agent}}
	s.Calls.Fail(talkstack.WrapError(talkstack.CodeUnavailable, errors.New("dial tcp 10.0.0.1: refused"), "The database is not available."))
	r := s.Do(t, place)
	expectError(t, "away", r, http.StatusServiceUnavailable, "The database is not available.")
	if r.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	s.Calls.Fail(errors.New("some inner fault of 10.0.0.1"))
	expectError(t, "unknown fault", s.Do(t, place), http.StatusInternalServerError, "Internal error.")
	if !strings.Contains(s.Log.String(), "some inner fault of 10.0.0.1") {
		t.Error("the log does not hold the cause")
	}
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range secured(w.agent, w.project) {
		r.Key = w.Key
		if res := s.Do(t, r); res.Status < 500 && r.Path != "/user/generate-apikey" {
			t.Errorf("%s without a database: %s", r.Path, res.Describe())
		}
	}
}

func TestAnswersCarrySecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	r := s.Do(t, request{Method: "GET", Path: "/healthz"})
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if len(r.Header.Get("X-Request-Id")) != 16 || !strings.Contains(s.Log.String(), r.Header.Get("X-Request-Id")) {
		t.Errorf("X-Request-Id %q is not in the log", r.Header.Get("X-Request-Id"))
	}
	for _, name := range []string{"Link", "Server", "X-Powered-By"} {
		if v := r.Header.Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
}

func TestEveryClientGetsJSON(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	for _, accept := range []string{"", "*/*", "text/html", "application/xml;q=0.9", "nonsense"} {
		r := s.Do(t, request{Method: "GET", Path: "/healthz", Header: map[string]string{"Accept": accept}})
		if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %s", accept, r.Status, r.Header.Get("Content-Type"))
		}
	}
}

func TestRequestThatIsGivenUpIsNoFault(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	a := s.Account(t, "john@host.example")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/project", nil)
	r.Header.Set("X-Api-Key", a.Key)
	s.API.ServeHTTP(httptest.NewRecorder(), r)
	if log := s.Log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "request given up by its client") {
		t.Errorf("the log says: %s", log)
	}
}

func TestHostMustBeOne(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	for _, host := range []string{`x"><script>`, "a b", "user@host", "host/path", "host:port", "host:99999", "host?x", strings.Repeat("a", 300)} {
		expectError(t, host, s.DoUndocumented(t, request{Method: "GET", Path: "/voices", Host: host}), http.StatusBadRequest, "")
	}
}

func TestProxyHeadersCountOnlyWhereTrusted(t *testing.T) {
	t.Parallel()
	for _, trust := range []bool{false, true} {
		s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.TrustProxy = trust })
		a := s.Account(t, "john@host.example")
		r := s.Do(t, request{Method: "GET", Path: "/voices", Key: a.Key, Header: map[string]string{
			"X-Forwarded-Host": "talk.example", "X-Forwarded-Proto": "https",
		}})
		want := "http://example.com/voices/"
		if trust {
			want = "https://talk.example/voices/"
		}
		if got := r.Text("voices", 0, "preview_url"); !strings.HasPrefix(got, want) {
			t.Errorf("trusted %v: preview_url %q; want %s…", trust, got, want)
		}
	}
}

func TestWrongPasswordsAreLimited(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		john := s.Account(t, "john@host.example")
		jane := s.Account(t, "jane@host.example")
		login := func(email, password, remote string) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/auth/login", Remote: remote, Body: object{"email": email, "password": password}})
		}
		for range 10 {
			expect(t, "wrong", login(john.Email, "wrong", "198.51.100.7"), http.StatusUnauthorized)
		}
		limited := login(john.Email, john.Password, "198.51.100.7")
		expectError(t, "the eleventh", limited, http.StatusTooManyRequests, "")
		if limited.Header.Get("Retry-After") != "900" || limited.At("loginStatus") != 8.0 {
			t.Errorf("the eleventh: Retry-After %q, %s", limited.Header.Get("Retry-After"), limited.Body)
		}
		expect(t, "the owner from elsewhere", login(john.Email, john.Password, "203.0.113.5"), http.StatusOK)
		expect(t, "somebody else from there", login(jane.Email, jane.Password, "198.51.100.7"), http.StatusOK)
		s.Clock.Advance(15*time.Minute + time.Second)
		expect(t, "a quarter of an hour later", login(john.Email, john.Password, "198.51.100.7"), http.StatusOK)
		// a right password gives the tries back
		for range 3 {
			for range 9 {
				expect(t, "wrong", login(john.Email, "wrong", "198.51.100.8"), http.StatusUnauthorized)
			}
			expect(t, "right", login(john.Email, john.Password, "198.51.100.8"), http.StatusOK)
		}
		// one address that guesses at many accounts
		for i := range 100 {
			login(strings.Repeat("x", i%50+1)+"@host.example", "wrong", "198.51.100.9")
		}
		expect(t, "many accounts from one address", login(jane.Email, jane.Password, "198.51.100.9"), http.StatusTooManyRequests)
	})
}

func TestMailsToOnePersonAreLimited(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	s.Do(t, request{Method: "POST", Path: "/auth/signup", Body: object{"email": "john@host.example", "password": "x", "name": "John"}})
	resend := func() httpapitest.Response {
		t.Helper()
		return s.Do(t, request{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "john@host.example"}})
	}
	for range 5 {
		expect(t, "resend", resend(), http.StatusOK)
	}
	expectError(t, "the sixth in an hour", resend(), http.StatusTooManyRequests, "")
	s.Clock.Advance(time.Hour + time.Second)
	expect(t, "an hour later", resend(), http.StatusOK)
}

func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w := newWorld(t, s, "john@host.example", "+14155550148")
	_, link, _ := recorded(t, s, w)
	s.Do(t, request{Method: "GET", Path: link})
	code := s.Mailbox.Code(t, w.Email)
	log := s.Log.String()
	signature := link[strings.Index(link, "signature=")+len("signature="):]
	for what, secret := range map[string]string{
		"password": w.Password, "token": w.Token, "refresh token": w.Refresh, "API key": w.Key, "code": code,
		"signature": signature, "number": "+12065550123", "name in a transcript": "Good morning",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
	if !strings.Contains(log, "route=/v1/calls/{sid}/recording") {
		t.Error("the log does not hold the route")
	}
}

func TestDocumentAndItsPage(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	doc := s.DoUndocumented(t, request{Method: "GET", Path: "/openapi.json"})
	var parsed object
	if err := json.Unmarshal(doc.Body, &parsed); err != nil || parsed["openapi"] != "3.1.0" {
		t.Errorf("openapi.json: %v, %.100s", err, doc.Body)
	}
	page := s.DoUndocumented(t, request{Method: "GET", Path: "/docs"})
	html := string(page.Body)
	if page.Status != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(html, "/openapi.json") {
		t.Errorf("docs: %s", page.Describe())
	}
	if strings.Contains(html, "https://") || strings.Contains(html, "http://") || strings.Contains(html, "//cdn") {
		t.Errorf("the page reaches another server: %s", html)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe-eval") {
		t.Errorf("docs: Content-Security-Policy %q", policy)
	}
	for _, path := range []string{"/docs/page.css", "/docs/page.js"} {
		if r := s.DoUndocumented(t, request{Method: "GET", Path: path}); r.Status != http.StatusOK {
			t.Errorf("%s: %d", path, r.Status)
		}
	}
	if r := s.DoUndocumented(t, request{Method: "GET", Path: "/docs/.gitignore"}); r.Status != http.StatusNotFound {
		t.Errorf("a file that is no part of the page is served: %d", r.Status)
	}
}

func TestSlowBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	r := httptest.NewRequest("POST", "/auth/login", failingReader{})
	rec := httptest.NewRecorder()
	s.API.ServeHTTP(rec, r)
	if rec.Code != http.StatusRequestTimeout || !strings.Contains(rec.Body.String(), `"loginStatus"`) {
		t.Errorf("a body that does not come: %d %s", rec.Code, rec.Body)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, timeoutError{} }

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// BenchmarkAuthenticatedGet asks by API key, from many clients at once, for one project, one call, and a page of calls.
func BenchmarkAuthenticatedGet(b *testing.B) {
	for _, engine := range []store.Engine{store.SQLite, store.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) {
			s := newServer(b, engine)
			a := s.Account(b, "john@host.example")
			project := s.Project(b, a, "Demo")
			agent := s.Agent(b, a, project, "+14155550148")
			var sid string
			for range 25 {
				r := s.Do(b, request{Method: "POST", Path: "/v1/calls", Key: a.Key, Body: object{"to": "+12065550123", "project_id": project, "agent_id": agent}})
				sid = r.Text("sid")
			}
			for name, path := range map[string]string{"project": "/project/" + string(project), "call": "/v1/calls/" + sid, "page of calls": "/v1/calls"} {
				b.Run(name, func(b *testing.B) { benchGet(b, s, path, a.Key) })
			}
		})
	}
}

func benchGet(b *testing.B, s *httpapitest.Server, path, key string) {
	b.Helper()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("X-Api-Key", key)
			rec := httptest.NewRecorder()
			s.API.ServeHTTP(rec, r)
			if rec.Code != http.StatusOK {
				b.Fatal(rec.Code)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
