// Package httpapitest runs the API in tests. Its requests go through the real handler, and every answer is checked
// against the OpenAPI document that the handler serves: the document cannot promise what the code does not keep.
package httpapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"talkstack"
	"talkstack/internal/analysis"
	"talkstack/internal/auth"
	"talkstack/internal/batch"
	"talkstack/internal/httpapi"
	"talkstack/internal/hubspot"
	"talkstack/internal/mail"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
	"talkstack/internal/telemetry"
)

// Server is an API over a real database, with the parts beside it replaced by small stand-ins.
type Server struct {
	API        *httpapi.API
	DB         *store.DB
	Accounts   *auth.Accounts
	Signer     *auth.Signer
	Mailbox    *Mailbox
	Calls      *Calls
	Voices     *Voices
	Recordings *Recordings
	Metrics    telemetry.Metrics
	Log        *Log
	Clock      *storetest.Clock
	check      validator.Validator
}

// New starts an API. A change may replace parts of its configuration before it is made.
func New(t testing.TB, db *store.DB, clock *storetest.Clock, changes ...func(*httpapi.Config)) *Server {
	t.Helper()
	s := &Server{
		DB: db, Mailbox: &Mailbox{}, Calls: &Calls{DB: db}, Voices: NewVoices(), Recordings: &Recordings{},
		Metrics: telemetry.NewMetrics("test"), Log: &Log{}, Clock: clock,
	}
	log := slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	s.Accounts, err = auth.NewAccounts(t.Context(), auth.Config{
		DB: db, Mail: s.Mailbox, Log: log, Hasher: auth.NewFastHasher(), Now: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Signer, err = auth.LoadSigner(t.Context(), db, clock.Now); err != nil {
		t.Fatal(err)
	}
	connector, err := hubspot.New(t.Context(), hubspot.Config{DB: db, BaseURL: "https://hubspot.invalid", Now: clock.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	c := httpapi.Config{
		HubSpot: connector,
		DB:      db, Accounts: s.Accounts, Signer: s.Signer, Calls: s.Calls, Batches: batch.New(batch.Config{DB: db, Region: "US", Now: clock.Now, Log: log}), Analyses: analysis.New(analysis.Config{DB: db, Log: log, Now: clock.Now}), Voices: s.Voices, Recordings: s.Recordings,
		Ready: func(ctx context.Context) []httpapi.Check {
			return []httpapi.Check{{Name: "database", Err: db.Ping(ctx)}}
		},
		Metrics: s.Metrics, Version: "test", Log: log, Now: clock.Now,
	}
	for _, change := range changes {
		change(&c)
	}
	if s.API, err = httpapi.New(c); err != nil {
		t.Fatal(err)
	}
	s.check = validatorOf(t, s.API.OpenAPI())
	return s
}

//nolint:gochecknoglobals // reading a document takes long, and all servers of a test run serve the same one
var validators sync.Map // document → validator.Validator

func validatorOf(t testing.TB, document []byte) validator.Validator {
	t.Helper()
	if v, ok := validators.Load(string(document)); ok {
		return v.(validator.Validator) //nolint:forcetypeassert // stored below
	}
	doc, err := libopenapi.NewDocument(document)
	if err != nil {
		t.Fatalf("the OpenAPI document is malformed: %v", err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions())
	if len(errs) > 0 {
		t.Fatalf("the OpenAPI document is malformed: %v", errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("the document is not OpenAPI 3.1: %s: %s", e.Message, e.Reason)
			for _, f := range e.SchemaValidationErrors {
				t.Errorf("    %s: %s", f.FieldPath, f.Reason)
			}
		}
	}
	stored, _ := validators.LoadOrStore(string(document), v)
	return stored.(validator.Validator) //nolint:forcetypeassert // stored above
}

// Request is one HTTP request. A Body that is a string or bytes is sent as it is, anything else as JSON.
type Request struct {
	Method string
	Path   string // with its query
	Body   any
	Token  string // Authorization: Bearer
	Key    string // x-api-key
	Header map[string]string
	Remote string // address of the client; empty: 192.0.2.1
	Host   string
}

// Response is what came back.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	JSON   any // the decoded body when it is JSON
}

// Do sends a request and checks the answer against the document.
func (s *Server) Do(t testing.TB, r Request) Response {
	t.Helper()
	w, res := s.send(t, r)
	plain := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, nil)
	if ok, errs := s.check.ValidateHttpResponse(plain, w.Result()); !ok {
		for _, e := range errs {
			t.Errorf("%s %s: the answer %d is not what the document says: %s: %s\n%s", r.Method, r.Path, res.Status, e.Message, e.Reason, res.Body)
			for _, f := range e.SchemaValidationErrors {
				t.Errorf("    %s: %s", f.FieldPath, f.Reason)
			}
		}
	}
	return res
}

// DoUndocumented sends a request to a path that is no operation of the document.
func (s *Server) DoUndocumented(t testing.TB, r Request) Response {
	t.Helper()
	_, res := s.send(t, r)
	return res
}

func (s *Server) send(t testing.TB, r Request) (*httptest.ResponseRecorder, Response) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, r.reader(t))
	req.RemoteAddr = "192.0.2.1:40000"
	if r.Remote != "" {
		req.RemoteAddr = r.Remote + ":40000"
	}
	if r.Host != "" {
		req.Host = r.Host
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Key != "" {
		req.Header.Set("X-Api-Key", r.Key)
	}
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.API.ServeHTTP(w, req)
	res := Response{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && r.Method != http.MethodHead {
		if err := json.Unmarshal(res.Body, &res.JSON); err != nil {
			t.Errorf("%s %s: the answer is not JSON: %v\n%s", r.Method, r.Path, err, res.Body)
		}
	}
	return w, res
}

func (r Request) reader(t testing.TB) io.Reader {
	t.Helper()
	switch b := r.Body.(type) {
	case nil:
		return http.NoBody
	case string:
		return strings.NewReader(b)
	case []byte:
		return bytes.NewReader(b)
	}
	data, err := json.Marshal(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(data)
}

// Parse makes JSON that came another way readable as an answer is.
func Parse(t testing.TB, b []byte) Response {
	t.Helper()
	r := Response{Body: b}
	if err := json.Unmarshal(b, &r.JSON); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, b)
	}
	return r
}

// At is the value at a path of keys and indexes in the answer: At("data", 0, "id"). It is nil where there is none.
func (r Response) At(path ...any) any {
	v := r.JSON
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// Text is At as a string.
func (r Response) Text(path ...any) string {
	s, _ := r.At(path...).(string)
	return s
}

// Account is somebody who can ask.
type Account struct {
	Email    string
	Password string
	ID       talkstack.UserID
	Token    string
	Refresh  string
	Key      string
}

// Account signs a new user up, verifies the email with the code from the mail, logs in, and makes an API key.
func (s *Server) Account(t testing.TB, email string) Account {
	t.Helper()
	a := Account{Email: email, Password: "correct horse battery staple"}
	s.must(t, Request{Method: "POST", Path: "/auth/signup", Body: map[string]any{"email": email, "password": a.Password, "name": "John"}})
	s.must(t, Request{Method: "POST", Path: "/auth/verify-email", Body: map[string]any{"email": email, "code": s.Mailbox.Code(t, email)}})
	login := s.must(t, Request{Method: "POST", Path: "/auth/login", Body: map[string]any{"email": email, "password": a.Password}})
	a.ID = talkstack.UserID(login.Text("user", "id"))
	a.Token, a.Refresh = login.Text("token"), login.Text("refreshToken")
	a.Key = s.must(t, Request{Method: "GET", Path: "/user/generate-apikey", Token: a.Token}).Text("apiKey")
	return a
}

// Project makes a project.
func (s *Server) Project(t testing.TB, a Account, name string) talkstack.ProjectID {
	t.Helper()
	r := s.must(t, Request{Method: "POST", Path: "/project/create-project", Key: a.Key, Body: map[string]any{"name": name, "description": ""}})
	return talkstack.ProjectID(r.Text("data", "id"))
}

// Agent makes an agent, with a number unless it is empty.
func (s *Server) Agent(t testing.TB, a Account, project talkstack.ProjectID, number string) talkstack.AgentID {
	t.Helper()
	body := map[string]any{"name": "Jack", "systemInstruction": "You are {{agent}}.", "projectId": project}
	if number != "" {
		body["phoneNumber"] = number
	}
	r := s.must(t, Request{Method: "POST", Path: "/agent/create-agent", Key: a.Key, Body: body})
	return talkstack.AgentID(r.Text("agentId"))
}

func (s *Server) must(t testing.TB, r Request) Response {
	t.Helper()
	res := s.Do(t, r)
	if res.Status != http.StatusOK {
		t.Fatalf("%s %s: %d: %s", r.Method, r.Path, res.Status, res.Body)
	}
	return res
}

// Log keeps what is logged.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Mailbox is a mail.Sender that keeps the mails.
type Mailbox struct {
	mu    sync.Mutex
	mails []mail.Message
	err   error
}

// Send keeps a mail, or fails as Fail said.
func (m *Mailbox) Send(_ context.Context, msg mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.mails = append(m.mails, msg)
	return nil
}

// Fail makes every Send fail; nil: no longer.
func (m *Mailbox) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// Code is the verification code of the last mail to an address.
func (m *Mailbox) Code(t testing.TB, to string) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.mails) - 1; i >= 0; i-- {
		if m.mails[i].To != to {
			continue
		}
		if code := regexp.MustCompile(`code is: (\S{6})\n`).FindStringSubmatch(m.mails[i].Text); code != nil {
			return code[1]
		}
	}
	t.Fatalf("no code was mailed to %s", to)
	return ""
}

// Describe prints a response for a failure message.
func (r Response) Describe() string { return fmt.Sprintf("%d: %s", r.Status, r.Body) }
