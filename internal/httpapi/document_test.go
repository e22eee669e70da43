package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// The tests of this file go through the served document, so that an endpoint which is added is tested by being there.

// documented is an operation of the served document.
type documented struct {
	method, path string
	*v3.Operation
}

func documentedOperations(t *testing.T, s *httpapitest.Server) ([]documented, *v3.Document) {
	t.Helper()
	doc, err := libopenapi.NewDocument(s.API.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	var all []documented
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			all = append(all, documented{strings.ToUpper(method), path, o})
		}
	}
	return all, &model.Model
}

func (o documented) String() string { return o.method + " " + o.path }

func (o documented) v1() bool { return strings.HasPrefix(o.path, "/v1/") }

// parameter is a parameter of the operation, or nil.
func (o documented) parameter(in, name string) *v3.Parameter {
	i := slices.IndexFunc(o.Parameters, func(p *v3.Parameter) bool { return p.In == in && p.Name == name })
	if i < 0 {
		return nil
	}
	return o.Parameters[i]
}

// example is the documented request, with ids that nobody has.
func (o documented) example(t *testing.T, key string) request {
	t.Helper()
	r := request{Method: o.method, Path: regexp.MustCompile(`{version}`).ReplaceAllString(o.path, "1"), Key: key}
	r.Path = regexp.MustCompile(`{\w+}`).ReplaceAllString(r.Path, "+12065550199")
	if o.RequestBody == nil {
		return r
	}
	if media, ok := o.RequestBody.Content.Get("application/json"); ok {
		r.Body = decoded(t, media.Example)
		return r
	}
	r.Body, r.Header = upload(object{"projectId": "94f53ecd-ec99-42fc-bc69-e79468550af2", "agentId": "232ac42a-2ea0-4276-a5d8-43c8c9f7b857"})
	return r
}

// decoded is the value of a node of the document.
func decoded[N any, P interface {
	*N
	Decode(v any) error
}](t *testing.T, n P) any {
	t.Helper()
	if n == nil {
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Error(err)
	}
	return v
}

// TestDocumentIsComplete: every operation says what it does, what it wants, and how it answers, with examples that keep
// their own schemas.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	operations, document := documentedOperations(t, newServer(t, store.SQLite))
	tags := map[string]bool{}
	for _, tag := range document.Tags {
		tags[tag.Name] = tag.Description != ""
	}
	checker := schema_validation.NewSchemaValidator()
	ids := map[string]bool{}
	for _, o := range operations {
		if o.Summary == "" || len(o.Tags) != 1 || !tags[o.Tags[0]] || ids[o.OperationId] || o.OperationId == "" {
			t.Errorf("%s: summary %q, tags %v (each with a description: %v), id %q", o, o.Summary, o.Tags, tags, o.OperationId)
		}
		ids[o.OperationId] = true
		if o.v1() != strings.HasPrefix(o.OperationId, "v1") {
			t.Errorf("%s is called %s", o, o.OperationId)
		}
		if o.RequestBody != nil {
			for kind, media := range o.RequestBody.Content.FromOldest() {
				checkExample(t, checker, fmt.Sprintf("%s, request as %s", o, kind), kind, media)
			}
		}
		for status, r := range o.Responses.Codes.FromOldest() {
			if r.Description == "" {
				t.Errorf("%s: %s has no description", o, status)
			}
			if r.Content == nil {
				continue
			}
			for kind, media := range r.Content.FromOldest() {
				checkExample(t, checker, fmt.Sprintf("%s, answer %s", o, status), kind, media)
			}
		}
	}
	for _, tag := range document.Tags {
		if !slices.ContainsFunc(operations, func(o documented) bool { return slices.Contains(o.Tags, tag.Name) }) {
			t.Errorf("no operation has the tag %s", tag.Name)
		}
	}
}

func checkExample(t *testing.T, checker schema_validation.SchemaValidator, where, kind string, media *v3.MediaType) {
	t.Helper()
	if !strings.HasSuffix(kind, "json") {
		return // a file
	}
	example := decoded(t, media.Example)
	if example == nil {
		t.Errorf("%s: no example", where)
		return
	}
	b, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), `"…"`) {
		t.Errorf("%s: an example has no value: %s", where, b)
	}
	if ok, errs := checker.ValidateSchemaString(schemaOf(media), string(b)); !ok {
		for _, e := range errs {
			t.Errorf("%s: the example is not what the schema says: %s", where, e.Reason)
			for _, f := range e.SchemaValidationErrors {
				t.Errorf("    %s: %s\n%s", f.FieldPath, f.Reason, b)
			}
		}
	}
}

func schemaOf(media *v3.MediaType) *base.Schema { return media.Schema.Schema() }

// TestEveryOperationAsksForCredentials: Q29, whatever else is wrong with the request.
func TestEveryOperationAsksForCredentials(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		operations, _ := documentedOperations(t, s)
		var open []string
		for _, o := range operations {
			if len(o.Security) == 0 {
				open = append(open, o.OperationId)
				continue
			}
			r := o.example(t, "")
			none := s.Do(t, r)
			expect(t, "Q29 no credentials: "+o.String(), none, http.StatusUnauthorized)
			if none.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("Q29 %s: no WWW-Authenticate header (RFC 9110 section 11.6.1)", o)
			}
			r.Key = strings.Repeat("0", 64)
			expect(t, "Q29 wrong key: "+o.String(), s.Do(t, r), http.StatusUnauthorized)
			r.Key, r.Token = "", "nonsense"
			expect(t, "Q29 wrong token: "+o.String(), s.Do(t, r), http.StatusUnauthorized)
		}
		slices.Sort(open)
		if want := []string{
			"forgotPassword", "health", "login", "previewVoice", "readiness", "refreshToken", "resendCode", "resetPassword", "signup",
			"v1HubSpotCallback", "v1HubSpotMakeCall", "verifyEmail",
		}; !slices.Equal(open, want) {
			t.Errorf("without credentials: %v; want %v", open, want)
		}
	})
}

// TestListsOfV1AreAlike: every list is {"data", "next_cursor"}, paged by limit, 1 to 100, and cursor.
func TestListsOfV1AreAlike(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		operations, _ := documentedOperations(t, s)
		lists := 0
		for _, o := range operations {
			if o.parameter("query", "cursor") == nil {
				continue
			}
			lists++
			limit := o.parameter("query", "limit")
			if limit == nil {
				t.Errorf("%s has a cursor and no limit", o)
				continue
			}
			if l := limit.Schema.Schema(); *l.Minimum != 1 || *l.Maximum != 100 || fmt.Sprint(decoded(t, l.Default)) != "20" {
				t.Errorf("%s: limit %v to %v, default %v", o, *l.Minimum, *l.Maximum, decoded(t, l.Default))
			}
			path := strings.NewReplacer("/agents/{id}", "/agents/"+string(w.agent), "{id}", "none").Replace(o.path)
			for _, bad := range []string{"limit=0", "limit=101", "limit=x", "cursor=x", "cursor=" + strings.Repeat("x", 5000)} {
				expectV1(t, o.String()+"?"+bad, s.Do(t, request{Method: "GET", Path: path + "?" + bad, Key: w.Key}), http.StatusBadRequest, "invalid")
			}
			r := s.Do(t, request{Method: "GET", Path: path + "?limit=100", Key: w.Key})
			if r.Status == http.StatusNotFound { // of a thing that there is not
				continue
			}
			expectKeys(t, o.String(), r.JSON, "data", "next_cursor")
		}
		if lists < 10 {
			t.Errorf("only %d lists were found", lists)
		}
	})
}

// TestNamesOfV1 are snake_case, plural collections, and times are RFC 3339.
func TestNamesOfV1(t *testing.T) {
	t.Parallel()
	operations, _ := documentedOperations(t, newServer(t, store.SQLite))
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for _, o := range operations {
		if !o.v1() || o.OperationId == "v1HubSpotMakeCall" { // HubSpot's own words
			continue
		}
		for _, p := range o.Parameters {
			if p.In != "header" && !snake.MatchString(p.Name) {
				t.Errorf("%s: the parameter %s is not snake_case", o, p.Name)
			}
		}
		seen := map[string]bool{}
		if o.RequestBody != nil {
			for _, media := range o.RequestBody.Content.FromOldest() {
				namesOf(t, o.String(), media.Schema, snake, seen)
			}
		}
		for _, r := range o.Responses.Codes.FromOldest() {
			if r.Content == nil {
				continue
			}
			for _, media := range r.Content.FromOldest() {
				namesOf(t, o.String(), media.Schema, snake, seen)
			}
		}
	}
}

func namesOf(t *testing.T, where string, proxy *base.SchemaProxy, form *regexp.Regexp, seen map[string]bool) {
	t.Helper()
	if proxy == nil || proxy.IsReference() && seen[proxy.GetReference()] {
		return
	}
	seen[proxy.GetReference()] = true
	s := proxy.Schema()
	if s.Properties != nil {
		for name, p := range s.Properties.FromOldest() {
			if !form.MatchString(name) {
				t.Errorf("%s: the field %s is not snake_case", where, name)
			}
			if strings.HasSuffix(name, "_at") && p.Schema().Format != "date-time" {
				t.Errorf("%s: %s is not a time", where, name)
			}
			namesOf(t, where, p, form, seen)
		}
	}
	if s.Items != nil && s.Items.IsA() {
		namesOf(t, where, s.Items.A, form, seen)
	}
	for _, part := range slices.Concat(s.AnyOf, s.OneOf, s.AllOf) {
		namesOf(t, where, part, form, seen)
	}
}

// TestRepeatedPosts: every POST that makes something or dials takes an Idempotency-Key; of the others each says why it
// need not.
func TestRepeatedPosts(t *testing.T) {
	t.Parallel()
	operations, _ := documentedOperations(t, newServer(t, store.SQLite))
	const (
		read   = "it reads"
		same   = "done twice it is as done once"
		signed = "HubSpot names each of its calls by callbackId, and the second is the first"
		secret = "it shows or mails something that only the latest counts of"
	)
	without := map[string]string{
		"signup": same, "verifyEmail": same, "resendCode": secret, "login": secret, "refreshToken": same, "changePassword": same, "forgotPassword": secret, "resetPassword": same,
		"setActiveProject": same, "addWebhookUrl": same, "getActiveAgent": read, "getAgent": read, "getCall": read, "getCallHistory": read, "getCallAnalysis": read, "getPhoneNumber": read,
		"v1AnalyzeCall": read, "v1AddDoNotCall": same, "v1PauseBatch": same, "v1ResumeBatch": same, "v1CancelBatch": same, "v1HangupCall": same, "v1RestoreAgentVersion": same,
		"v1ConnectHubSpot": same, "v1RetryHubSpotSync": same, "v1ReplayWebhookDelivery": same, "v1HubSpotMakeCall": signed, "v1RotateWebhookSecret": secret,
	}
	var with []string
	for _, o := range operations {
		if o.method != http.MethodPost {
			continue
		}
		p := o.parameter("header", "Idempotency-Key")
		_, excused := without[o.OperationId]
		delete(without, o.OperationId)
		switch {
		case p != nil:
			with = append(with, o.OperationId)
			if _, ok := o.Responses.Codes.Get("409"); !ok || *p.Schema.Schema().MaxLength != 255 || p.Required != nil && *p.Required {
				t.Errorf("%s: the header is not documented as elsewhere", o)
			}
			ok, _ := o.Responses.Codes.Get("200")
			if ok.Headers == nil || ok.Headers.GetOrZero("Idempotency-Replayed") == nil {
				t.Errorf("%s: the header of a repetition is not documented", o)
			}
			if excused {
				t.Errorf("%s takes an Idempotency-Key and need not be excused", o)
			}
		case !excused:
			t.Errorf("%s takes no Idempotency-Key", o)
		}
	}
	for id := range without {
		t.Errorf("%s is no POST", id)
	}
	slices.Sort(with)
	if want := []string{
		"assignPhoneNumber", "batchCall", "createAgent", "createProject", "makeCall", "v1AssignNumber", "v1CreateAgent", "v1CreateBatch", "v1CreateProject", "v1PlaceCall", "v1TestWebhook",
	}; !slices.Equal(with, want) {
		t.Errorf("with an Idempotency-Key: %v; want %v", with, want)
	}
}

// TestFaultsOfADatabaseThatIsAway: each operation says 5xx, and nothing of why.
func TestFaultsOfADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	a := s.Account(t, "john@host.example")
	operations, _ := documentedOperations(t, s)
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		if len(o.Security) == 0 || o.OperationId == "generateApiKey" { // which takes no key
			continue
		}
		if r := s.Do(t, o.example(t, a.Key)); r.Status < 500 || strings.Contains(string(r.Body), "sql") {
			t.Errorf("%s without a database: %s", o, r.Describe())
		}
	}
}

// TestQuirksAreNamed: each quirk of the contract has a test that names it.
func TestQuirksAreNamed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range regexp.MustCompile(`\bQ\d+\b`).FindAllString(string(text), -1) {
			named[q] = true
		}
	}
	for i := range 44 {
		if q := fmt.Sprint("Q", i+1); !named[q] {
			t.Errorf("no test names %s", q)
		}
	}
}
