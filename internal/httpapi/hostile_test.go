package httpapi_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// withBody are the operations that read a body, with a good one of each.
func withBody(w world) []request {
	requests := []request{
		{Method: "POST", Path: "/auth/signup", Body: object{"email": "a@b.example", "password": "x", "name": "John"}},
		{Method: "POST", Path: "/auth/verify-email", Body: object{"email": "a@b.example", "code": "ABCDEF"}},
		{Method: "POST", Path: "/auth/resend-code", Body: object{"email": "a@b.example"}},
		{Method: "POST", Path: "/auth/login", Body: object{"email": "a@b.example", "password": "x"}},
		{Method: "POST", Path: "/auth/refresh-token", Body: object{"refreshToken": "x"}},
		{Method: "POST", Path: "/auth/forgot-password", Body: object{"email": "a@b.example"}},
		{Method: "POST", Path: "/auth/reset-password", Body: object{"token": "x", "newPassword": "abc@123"}},
	}
	for _, r := range secured(w.agent, w.project) {
		if r.Body != nil {
			r.Key = w.Key
			requests = append(requests, r)
		}
	}
	return requests
}

// Whatever is sent, the answer is a 4xx in the documented body; never a fault, and never a word of how we are made.
func TestHostileBodiesAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		bodies := map[string]string{
			"nothing":                "",
			"blanks":                 " \n\t ",
			"no JSON":                "hello",
			"half an object":         `{"email":"a`,
			"two objects":            `{}{}`,
			"a list":                 `[1,2,3]`,
			"a number":               `5`,
			"null":                   `null`,
			"an escaped NUL":         `{"email":"a\u0000@b.example","password":"x","name":"\u0000","projectId":"\u0000","agentId":"\u0000","sid":"\u0000"}`,
			"a raw NUL":              "{\"email\":\"a\x00\"}",
			"broken UTF-8":           "{\"email\":\"\xff\xfe\",\"name\":\"\xc3\x28\"}",
			"deep lists":             strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000),
			"deep objects":           strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
			"deep variables":         `{"number":"+12065550123","dynamicVariables":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + "}",
			"numbers for everything": `{"email":1,"password":1,"name":1,"code":1,"refreshToken":1,"description":1,"systemInstruction":1,"projectId":1,"agentId":1,"e164":1,"number":1,"sid":1,"callSid":1,"greeting":1}`,
			"lists for everything":   `{"email":[],"password":[],"name":[],"code":[],"refreshToken":[],"description":[],"systemInstruction":[],"projectId":[],"agentId":[],"e164":[],"number":[],"sid":[],"dynamicVariables":[],"greeting":[]}`,
			"nulls for everything":   `{"email":null,"password":null,"name":null,"code":null,"refreshToken":null,"description":null,"systemInstruction":null,"projectId":null,"e164":null,"number":null,"sid":null,"speed":[null]}`,
			"a huge number":          `{"projectId":"x","pageSize":1e999,"page":99999999999999999999,"dynamicVariables":1e999,"speed":1e999,"email":1e999,"refreshToken":1e999,"name":1e999,"number":1e999,"sid":1e999,"e164":1e999,"systemInstruction":1e999}`,
			"megabytes":              `{"name":"` + strings.Repeat("a", 2<<20) + `"}`,
		}
		for what, body := range bodies {
			for _, r := range withBody(w) {
				r.Body = []byte(body)
				res := s.Do(t, r)
				if res.Status < 400 || res.Status >= 500 {
					t.Errorf("%s to %s: %s", what, r.Path, res.Describe())
				}
				if what == "megabytes" && res.Status != http.StatusRequestEntityTooLarge {
					t.Errorf("%s to %s: %s; want 413", what, r.Path, res.Describe())
				}
				for _, inner := range []string{"Go struct", "json:", "SQL", "talkstack.", "httpapi", "pgx", "sqlite", "goroutine"} {
					if strings.Contains(string(res.Body), inner) {
						t.Errorf("%s to %s tells of our inside: %s", what, r.Path, res.Body)
					}
				}
			}
		}
		if strings.Contains(s.Log.String(), "panicked") {
			t.Error("a request panicked")
		}
	})
}

func TestOtherMediaTypesAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w := newWorld(t, s, "john@host.example", "+14155550148")
	for _, r := range withBody(w) {
		for _, contentType := range []string{"text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense;;", "application/cbor"} {
			r.Header = map[string]string{"Content-Type": contentType}
			expect(t, r.Path+" as "+contentType, s.Do(t, r), http.StatusUnsupportedMediaType)
		}
	}
	for _, contentType := range []string{"application/json; charset=utf-8", "Application/JSON"} {
		r := request{Method: "POST", Path: "/call/get-call-history", Key: w.Key, Body: object{"projectId": w.project}, Header: map[string]string{"Content-Type": contentType}}
		expect(t, contentType, s.Do(t, r), http.StatusOK)
	}
	bare := httptest.NewRequest("POST", "/call/get-call-history", strings.NewReader(`{"projectId":"`+string(w.project)+`"}`))
	bare.Header.Set("X-Api-Key", w.Key)
	rec := httptest.NewRecorder()
	s.API.ServeHTTP(rec, bare)
	if rec.Code != http.StatusOK {
		t.Errorf("no Content-Type at all: %d %s", rec.Code, rec.Body)
	}
}

func TestHostilePathsAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		for _, id := range []string{"%00", "%ff%fe", "..", "%2e%2e%2f", "a%2Fb", strings.Repeat("x", 5000), "'%20OR%201=1--", "%F0%9F%98%80"} {
			for _, path := range []string{"/project/", "/agent/", "/voices/", "/v1/agents/", "/v1/calls/", "/project/?x=%00&y="} {
				r := s.DoUndocumented(t, request{Method: "GET", Path: path + id, Key: w.Key})
				if r.Status < 300 || r.Status >= 500 {
					t.Errorf("GET %s%.40s: %d %.200s", path, id, r.Status, r.Body)
				}
			}
		}
	})
}

func TestUnknownPathsAndMethodsAnswerInOurWords(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	expectError(t, "unknown path", s.DoUndocumented(t, request{Method: "GET", Path: "/nope"}), http.StatusNotFound, "")
	expectError(t, "wrong method", s.DoUndocumented(t, request{Method: "DELETE", Path: "/auth/login"}), http.StatusMethodNotAllowed, "")
	expectV1Error(t, "unknown /v1 path", s.DoUndocumented(t, request{Method: "GET", Path: "/v1/nope"}), http.StatusNotFound, "not_found")
	expectV1Error(t, "wrong /v1 method", s.DoUndocumented(t, request{Method: "DELETE", Path: "/v1/calls/x"}), http.StatusMethodNotAllowed, "invalid")
}

func TestNothingRejectedIsRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w := newWorld(t, s, "john@host.example", "+14155550148")
	const secret = "hunter2-hunter2"
	for _, r := range withBody(w) {
		r.Body = object{"password": []string{secret}, "email": object{"x": secret}, "code": secret, "refreshToken": secret, "name": list{secret}, "greeting": object{"x": secret}}
		if res := s.Do(t, r); strings.Contains(string(res.Body), secret) {
			t.Errorf("%s repeats what it refused: %s", r.Path, res.Body)
		}
	}
	if strings.Contains(s.Log.String(), secret) {
		t.Error("the log holds it")
	}
}

func FuzzBodies(f *testing.F) {
	s := newServer(f, store.SQLite)
	a := s.Account(f, "john@host.example")
	paths := []string{"/project/create-project", "/call/makeCall", "/auth/login", "/auth/refresh-token", "/call", "/agent"}
	f.Add(uint8(0), []byte(`{"name":"a","description":""}`))
	f.Add(uint8(1), []byte(`{"number":"+12065550123","projectId":"x","dynamicVariables":{"a":[1,{"b":null}]}}`))
	f.Add(uint8(2), []byte(`{"email":"a@b.example","password":"\u0000"}`))
	f.Add(uint8(3), []byte("{\"resfreshToken\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		r := s.Do(t, request{Method: "POST", Path: paths[int(path)%len(paths)], Key: a.Key, Body: body})
		if r.Status >= 500 {
			t.Error(r.Describe())
		}
	})
}

// TestWrongRequestsAreToldWhatIsRight: what HTTP asks of such answers, and messages that name the fault.
func TestWrongRequestsAreToldWhatIsRight(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w := newWorld(t, s, "john@host.example", "+14155550148")
	for path, allow := range map[string][]string{
		"/call": {"POST"}, "/v1/agents/" + string(w.agent) + "/versions": {"GET", "HEAD"}, "/project": {"GET", "HEAD"}, "/healthz": {"GET", "HEAD"},
	} {
		r := s.DoUndocumented(t, request{Method: "DELETE", Path: path, Key: w.Key})
		expect(t, "DELETE "+path, r, http.StatusMethodNotAllowed)
		if got := r.Header.Values("Allow"); !slices.Equal(got, allow) {
			t.Errorf("DELETE %s: Allow %q; want %q", path, got, allow)
		}
	}
	big := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: `{"number":"+12065550123","dynamicVariables":{"n":1e400}}`})
	expectError(t, "a number beyond all bounds", big, http.StatusBadRequest, "The body holds a number that is too large.")
	bare := httptest.NewRequestWithContext(
		context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080})), "GET", "/healthz", nil)
	bare.Host = ""
	answer := httptest.NewRecorder()
	if s.API.ServeHTTP(answer, bare); answer.Code != http.StatusOK {
		t.Errorf("a health check without a Host header: %d", answer.Code)
	}
}

// hanging is a part that does not answer before its time is over; it does not wait for that.
type hanging struct{ limit chan time.Duration }

func (h hanging) Place(ctx context.Context, _ talkstack.Placement) (talkstack.Call, error) {
	deadline, _ := ctx.Deadline() // the zero time: it would be waited for without end
	h.limit <- time.Until(deadline)
	return talkstack.Call{}, talkstack.WrapError(talkstack.CodeUnavailable, context.DeadlineExceeded, "The database is not available.")
}

func TestRequestsAreNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	h := hanging{make(chan time.Duration, 1)}
	s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.Calls = h })
	w := newWorld(t, s, "john@host.example", "+14155550148")
	r := s.Do(t, request{Method: "POST", Path: "/call/makeCall", Key: w.Key, Body: object{"number": "+12065550123", "projectId": w.project}})
	expectError(t, "a database that hangs", r, http.StatusServiceUnavailable, "The database is not available.")
	if limit := <-h.limit; limit <= 0 || limit > time.Minute {
		t.Errorf("the request had %v, want at most a minute", limit)
	}
}
