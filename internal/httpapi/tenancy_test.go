package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// Every operation of the served document that takes an id, in its path, query or body, must answer to the id of another
// account exactly as to one that nobody has: the same status, and the same body but for the id. The test is driven by the
// document: an operation that takes an id and has no case in tenancyCases fails it.

// tenancyCase is how to ask one operation for something. The test fills the ids in.
type tenancyCase struct {
	body   object // fields beside the ids
	query  string // parameters beside the ids
	alone  bool   // each of its ids is sent by itself: the first that is sent counts
	status int    // of the answer to the owner; any success by default
}

// tenant is an account, and one of each thing it can own.
type tenant struct {
	world
	ids map[string]string // kind of thing → its id
}

// tenancyKinds says of what kind the thing is that an id names: by its own name, or, where that is "id", by its collection.
func tenancyKinds() map[string]string {
	return map[string]string{
		"projectId": "project", "project_id": "project", "projects": "project", "active_project": "project",
		"agentId": "agent", "agent_id": "agent", "active_agent": "agent", "active_agent_id": "agent", "agents": "agent",
		"phoneNumberId": "number", "numbers": "number",
		"sid": "call", "callSid": "call", "call_id": "call", "call_sid": "call",
		"batches": "batch", "batch_id": "batch", "webhook-deliveries": "delivery", "number": "listed number",
	}
}

// notOwned are parameters that look like ids of an account's things, and name what is everybody's or nobody's.
func notOwned() []string { return []string{"voice_id", "version", "callbackId"} }

func newTenant(t *testing.T, s *httpapitest.Server, w world) tenant {
	t.Helper()
	numbers, err := s.DB.NumbersByAgent(t.Context(), w.ID, w.agent)
	if err != nil || len(numbers) != 1 {
		t.Fatalf("numbers of the agent: %v, %v", numbers, err)
	}
	if _, err := s.DB.SetActiveAgent(t.Context(), w.ID, w.project, w.agent); err != nil {
		t.Fatal(err)
	}
	hook := "https://example.com/hook"
	if _, err := s.DB.UpdateProject(t.Context(), w.ID, w.project, store.ProjectUpdate{WebhookURL: &hook}); err != nil {
		t.Fatal(err)
	}
	recording := "key-of-" + string(w.project)
	s.Recordings.Put(recording, []byte("RIFF\x24\x00\x00\x00WAVEfmt "))
	call := w.finished(t, s, object{"name": "John"}, recording)
	listed := "+1303555" + w.number[len(w.number)-4:]
	made := func(path string, body object) httpapitest.Response {
		r := s.Do(t, request{Method: "POST", Path: path, Key: w.Key, Body: body})
		if r.Status >= http.StatusMultipleChoices {
			t.Fatalf("POST %s: %s", path, r.Describe())
		}
		return r
	}
	made("/v1/do-not-call", object{"numbers": list{listed}})
	batch := made("/v1/batches", object{
		"project_id": w.project, "agent_id": w.agent, "recipients": list{object{"number": "+12065550124"}},
		"start_at": "2026-03-20T09:00:00Z", // not now: its call would be taken for the next tenant's
	})
	deliveries := s.Do(t, request{Method: "GET", Path: "/v1/webhook-deliveries?project_id=" + string(w.project), Key: w.Key})
	return tenant{w, map[string]string{
		"project": string(w.project), "agent": string(w.agent), "number": string(numbers[0].ID), "call": string(call),
		"batch": batch.Text("id"), "listed number": listed, "delivery": deliveries.Text("data", 0, "id"),
	}}
}

func unknownID(kind string) string {
	switch kind {
	case "call":
		return string(talkstack.NewCallSID())
	case "listed number":
		return "+13035559999"
	case "delivery":
		return string(talkstack.NewDeliveryID())
	}
	return string(talkstack.NewProjectID())
}

// tenancyOperation is an operation of the document, and the ids it takes.
type tenancyOperation struct {
	id, method, path string
	json, form       bool // how its body is sent
	fields           []idField
}

// idField is one id that an operation takes.
type idField struct {
	in   string // path, query or body
	name string
	kind string
}

func TestOtherPeoplesObjectsAreUnknown(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		john := newTenant(t, s, newWorld(t, s, "john@host.example", "+14155550148"))
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		before := belongings(t, s, john)
		cases := tenancyCases()
		operations := tenancyOperations(t, s)
		tenants := make([]tenant, len(operations)) // before anything is asked: calls that wait would be taken for theirs
		for i, op := range operations {
			if len(op.fields) > 0 {
				tenants[i] = freshTenant(t, s, eve, i)
			}
		}
		for i, op := range operations {
			c, ok := cases[op.id]
			delete(cases, op.id)
			switch {
			case len(op.fields) == 0:
			case !ok:
				t.Errorf("%s %s takes ids (%v) and has no case in tenancyCases: add one under %q", op.method, op.path, op.fields, op.id)
			default:
				op.try(t, s, c, john, tenants[i])
			}
		}
		for id := range cases {
			t.Errorf("tenancyCases has %q, which is no operation of the document", id)
		}
		if after := belongings(t, s, john); after != before {
			t.Errorf("what is John's was changed:\n%s\nwas\n%s", after, before)
		}
	})
}

// freshTenant is the account with new things of its own: an operation may delete them.
func freshTenant(t *testing.T, s *httpapitest.Server, w world, n int) tenant {
	t.Helper()
	w.number = fmt.Sprintf("+1212555%04d", n)
	w.project = s.Project(t, w.Account, fmt.Sprintf("Project %d", n))
	w.agent = s.Agent(t, w.Account, w.project, w.number)
	return newTenant(t, s, w)
}

// try asks an operation for each id that it takes: with one that nobody has, with John's, and last with Eve's own, which
// shows that it was the id that was refused.
func (op *tenancyOperation) try(t *testing.T, s *httpapitest.Server, c tenancyCase, john, eve tenant) {
	t.Helper()
	for _, f := range op.fields {
		nothing := unknownID(f.kind)
		unknown := s.Do(t, op.request(c, eve, &f, nothing))
		theirs := s.Do(t, op.request(c, eve, &f, john.ids[f.kind]))
		where := fmt.Sprintf("%s %s, %s in the %s", op.method, op.path, f.name, f.in)
		want := strings.ReplaceAll(string(unknown.Body), nothing, "ID")
		if got := strings.ReplaceAll(string(theirs.Body), john.ids[f.kind], "ID"); theirs.Status != unknown.Status || got != want {
			t.Errorf("%s: John's answers %s; one that nobody has answers %s", where, theirs.Describe(), unknown.Describe())
		}
		empty := op.method == http.MethodGet && unknown.Status == http.StatusOK && len(asList(unknown.At("data"))) == 0 && unknown.At("data") != nil
		if unknown.Status != http.StatusNotFound && unknown.Status != http.StatusBadRequest && !empty {
			t.Errorf("%s: one that nobody has answers %s", where, unknown.Describe())
		}
	}
	fields := []*idField{nil}
	if c.alone {
		fields = nil
		for i := range op.fields {
			fields = append(fields, &op.fields[i])
		}
	}
	for _, f := range fields {
		value := ""
		if f != nil {
			value = eve.ids[f.kind]
		}
		own := s.Do(t, op.request(c, eve, f, value))
		if success := own.Status/100 == 2; own.Status != c.status && (c.status != 0 || !success) {
			t.Errorf("%s %s: the owner's own request answers %s: the case proves nothing", op.method, op.path, own.Describe())
		}
	}
}

// request is Eve's, with her own ids but for one field. Of several that name a thing of the same kind one is sent.
func (op *tenancyOperation) request(c tenancyCase, eve tenant, instead *idField, value string) request {
	path, body := op.path, maps.Clone(c.body)
	query, _ := url.ParseQuery(c.query)
	if body == nil {
		body = object{}
	}
	sent := map[string]bool{}
	put := func(f idField, v string) {
		sent[f.kind] = true
		switch f.in {
		case "path":
			path = strings.ReplaceAll(path, "{"+f.name+"}", url.PathEscape(v))
		case "query":
			query.Set(f.name, v)
		case "body":
			body[f.name] = v
		}
	}
	if instead != nil {
		put(*instead, value)
	}
	for _, f := range op.fields {
		needed := f.in == "path" || !c.alone || instead == nil
		if (instead == nil || f != *instead) && needed && (f.in == "path" || !sent[f.kind]) {
			put(f, eve.ids[f.kind])
		}
	}
	path = strings.ReplaceAll(path, "{version}", "1")
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r := request{Method: op.method, Path: path, Key: eve.Key}
	switch {
	case op.json:
		r.Body = body
	case op.form:
		r.Body, r.Header = upload(body)
	}
	return r
}

// upload is a form with a sheet of one number.
func upload(fields object) ([]byte, map[string]string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		_ = w.WriteField(name, fmt.Sprint(value)) // a buffer takes everything
	}
	file, _ := w.CreateFormFile("file", "numbers.csv")
	_, _ = file.Write([]byte("number\n+12065550125\n"))
	_ = w.Close()
	return b.Bytes(), map[string]string{"Content-Type": w.FormDataContentType()}
}

// tenancyOperations are the operations of the served document, with the ids they take.
func tenancyOperations(t *testing.T, s *httpapitest.Server) []tenancyOperation {
	t.Helper()
	var doc document
	if err := json.Unmarshal(s.API.OpenAPI(), &doc.root); err != nil {
		t.Fatal(err)
	}
	var all []tenancyOperation
	paths := doc.root["paths"].(object) //nolint:forcetypeassert // it is a document
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(object) //nolint:forcetypeassert // as above
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			o, ok := methods[method].(object)
			if !ok {
				continue
			}
			op := tenancyOperation{id: fmt.Sprint(o["operationId"]), method: strings.ToUpper(method), path: path}
			documented := map[string]bool{}
			for _, p := range asList(o["parameters"]) {
				param := doc.resolve(p)
				documented[fmt.Sprint(param["name"])] = true
				op.take(t, fmt.Sprint(param["in"]), fmt.Sprint(param["name"]))
			}
			for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(path, -1) {
				if !documented[name[1]] { // its handler does not see it
					t.Errorf("%s %s: the parameter %s is not documented", op.method, path, name[1])
				}
			}
			content, _ := doc.resolve(o["requestBody"])["content"].(object)
			form, isForm := content["multipart/form-data"].(object)
			media, isJSON := content["application/json"].(object)
			schema := media["schema"]
			if op.json = isJSON; !isJSON && isForm {
				op.form, schema = true, form["schema"]
			}
			if schema != nil {
				for _, name := range slices.Sorted(maps.Keys(doc.shape(schema).properties)) {
					op.take(t, "body", name)
				}
			}
			all = append(all, op)
		}
	}
	return all
}

var idForm = regexp.MustCompile(`(^|_)s?id$|S?I[dD]$|Sid$|^active_(agent|project)$`) //nolint:gochecknoglobals // a constant in all but form

// take notes a parameter if it names something that an account owns.
func (op *tenancyOperation) take(t *testing.T, in, name string) {
	t.Helper()
	if slices.Contains(notOwned(), name) || in == "header" || in != "path" && !idForm.MatchString(name) {
		return
	}
	by := name
	if name == "id" {
		by = strings.Split(op.path, "/")[2] // /v1/<collection>/{id}
	}
	kind, ok := tenancyKinds()[by]
	if !ok {
		t.Errorf("%s %s: of what kind is the thing that %q in the %s names? Add %q to tenancyKinds, or %q to notOwned", op.method, op.path, name, in, by, name)
		return
	}
	op.fields = append(op.fields, idField{in, name, kind})
}

// belongings is all that an account has, as text.
func belongings(t *testing.T, s *httpapitest.Server, of tenant) string {
	t.Helper()
	ctx := t.Context()
	var parts []any
	add := func(v any, err error) {
		if err != nil {
			t.Error(err)
		}
		parts = append(parts, v)
	}
	user, err := s.DB.User(ctx, of.ID)
	add(user, err)
	projects, err := s.DB.Projects(ctx, of.ID)
	add(projects, err)
	agents, err := s.DB.Agents(ctx, of.ID, of.project)
	add(agents, err)
	numbers, err := s.DB.NumbersByProject(ctx, of.ID, of.project)
	add(numbers, err)
	call, err := s.DB.Call(ctx, of.ID, of.ids["call"])
	add(call, err)
	log, err := s.DB.AuditLog(ctx, of.ID, store.AuditFilter{}, store.Cursor{}, 1000)
	add(log, err)
	text, err := json.MarshalIndent(parts, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func post(path string, body object) request { return request{Method: "POST", Path: path, Body: body} }
