package contract

import (
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
)

// notForClients are operations that others than clients ask for.
func notForClients() map[string]string {
	return map[string]string{
		"v1HubSpotMakeCall": "HubSpot's workflows send it, signed",
		"v1HubSpotCallback": "a browser comes there from HubSpot",
	}
}

// TestEveryOperationIsServedToTheClient calls a method of the client for every operation of the served document, and takes
// no answer with a field that the client does not have.
func TestEveryOperationIsServedToTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	must(t, json.Unmarshal(w.API.OpenAPI(), &doc))
	ids := map[string]string{}
	for path, item := range doc.Paths {
		for method, o := range item {
			ids[strings.ToUpper(method)+" "+path] = o.OperationID
		}
	}
	if len(ids) < 90 {
		t.Fatalf("the document has %d operations only", len(ids))
	}
	for route := range ids {
		w.routes = append(w.routes, route)
	}
	w.tour(t)
	for route, id := range ids {
		_, exempt := notForClients()[id]
		if !hasMethod(id) && !exempt {
			t.Errorf("%s: the client has no method for %s", route, id)
		}
		if !w.answered[route] && !exempt {
			t.Errorf("%s (%s) was never answered with success", route, id)
		}
	}
}

// hasMethod reports whether the client has a method of an operation's name, whatever the case of its letters.
func hasMethod(id string) bool {
	on := reflect.TypeFor[*client.Client]()
	if rest, v1 := strings.CutPrefix(id, "v1"); v1 {
		on, id = reflect.TypeFor[client.V1](), rest
	}
	for m := range on.Methods() {
		if strings.EqualFold(m.Name, id) {
			return true
		}
	}
	return false
}

// tour calls every method.
func (w *world) tour(t *testing.T) {
	t.Helper()
	w.signUpAgain(t)
	project, agent := w.talkstackCatalogue(t)
	w.v1Catalogue(t)
	w.connect(t)
	w.synced(t, w.calls(t, project, agent))
	w.batches(t, project, agent)
	w.deletions(t, project, agent)
	w.passwords(t)
}

// signUpAgain is for operations that were answered before anybody counted.
func (w *world) signUpAgain(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	other, err := client.New(w.base, "", client.WithStrictAnswers(), client.WithTries(1))
	must(t, err)
	const address = "jane@host.example"
	got(other.Signup(ctx, client.SignupRequest{Email: address, Password: password, Name: "Jane"}))(t)
	w.Clock.Advance(2 * time.Minute)
	must(t, other.ResendCode(ctx, address))
	got(other.VerifyEmail(ctx, address, w.Mailbox.Code(t, address)))(t)
	s := got(other.Login(ctx, address, password))(t)
	if r := got(other.RefreshToken(ctx, s.RefreshToken))(t); r.Token == "" || r.RefreshToken == s.RefreshToken {
		t.Errorf("refreshed: %+v", r)
	}
	got(other.GenerateAPIKey(ctx))(t)
	got(other.Health(ctx))(t)
	if r := got(other.Readiness(ctx))(t); r.Status != "ready" || len(r.Parts) == 0 {
		t.Errorf("readiness %+v", r)
	}
}

func (w *world) talkstackCatalogue(t *testing.T) (talkstack.ProjectID, talkstack.AgentID) {
	t.Helper()
	ctx, api := t.Context(), w.api
	p := got(api.CreateProject(ctx, "Clinic", "Calls patients"))(t)
	got(api.UpdateProject(ctx, p.ID, client.ProjectUpdate{Description: new("Calls patients back")}))(t)
	if p = got(api.GetProject(ctx, p.ID))(t); p.Description != "Calls patients back" || p.Name != "Clinic" || p.CreatedAt.IsZero() {
		t.Errorf("project %+v", p)
	}
	if agents := got(api.ListAgents(ctx, p.ID))(t); len(agents) != 0 {
		t.Errorf("agents of a new project: %v", agents)
	}
	if all := got(api.ListProjects(ctx))(t); len(all) != 1 {
		t.Errorf("projects %+v", all)
	}
	u, _, err := api.SetActiveProject(ctx, p.ID)
	must(t, err)
	if active := got(api.GetActiveProject(ctx))(t); active.ID != p.ID || u.ActiveProject != p.ID {
		t.Errorf("active project %+v of %+v", active, u)
	}
	a := got(api.CreateAgent(ctx, client.CreateAgentRequest{ProjectID: p.ID, Name: "Jack", SystemInstruction: "You are {{agent}}.", PhoneNumber: "+14155550148"}))(t)
	got(api.UpdateAgent(ctx, p.ID, a.ID, client.AgentUpdate{Name: new("Jim")}))(t)
	if a = got(api.GetAgent(ctx, p.ID, a.ID))(t); a.Name != "Jim" || a.PhoneNumber != "+14155550148" || a.VoiceID == "" {
		t.Errorf("agent %+v", a)
	}
	if agents := got(api.ListAgents(ctx, p.ID))(t); len(agents) != 1 || agents[0] != a {
		t.Errorf("agents %v", agents)
	}
	got(api.SetActiveAgent(ctx, p.ID, a.ID))(t)
	if active := got(api.GetActiveAgent(ctx, p.ID))(t); active != a.ID {
		t.Errorf("active agent %s", active)
	}
	must(t, api.RemoveActiveAgent(ctx, a.ID))
	must(t, api.AddWebhookURL(ctx, p.ID, "https://example.com/hook"))
	must(t, api.AssignPhoneNumber(ctx, p.ID, a.ID, "+14155550149"))
	if numbers := got(api.GetPhoneNumber(ctx, client.GetPhoneNumberRequest{AgentID: a.ID}))(t); len(numbers) != 2 || numbers[0].AgentID != a.ID || numbers[1].ProjectID != p.ID {
		t.Errorf("numbers %v", numbers)
	}
	voices := got(api.ListVoices(ctx))(t)
	if v := got(api.GetVoice(ctx, voices[0].ID))(t); v != voices[0] || v.Labels.Accent != "American" {
		t.Errorf("voice %+v", v)
	}
	if wav := read(t, got(api.PreviewVoice(ctx, voices[0].ID))(t)); !strings.HasPrefix(wav, "RIFF") {
		t.Errorf("preview %q", wav)
	}
	return p.ID, a.ID
}

func (w *world) v1Catalogue(t *testing.T) {
	t.Helper()
	ctx, v1 := t.Context(), w.api.V1()
	p := got(v1.CreateProject(ctx, client.V1CreateProjectRequest{Name: "Shop", MaxCalls: 7}))(t)
	p = got(v1.PatchProject(ctx, p.ID, client.V1ProjectPatch{CallsPerSecond: new(2.5)}))(t)
	if again := got(v1.GetProject(ctx, p.ID))(t); again != p || p.MaxCalls != 7 || p.CallsPerSecond != 2.5 {
		t.Errorf("project %+v, %+v", p, again)
	}
	if all := got(client.Collect(v1.ListProjects(ctx)))(t); len(all) != 2 {
		t.Errorf("projects %v", all)
	}
	a := got(v1.CreateAgent(ctx, client.V1AgentCreate{ProjectID: p.ID, Name: "Ann", Prompt: "Sell.", V1AgentSettings: client.V1AgentSettings{
		Greeting: new("Hello."), Recording: new(false), PhoneNumber: new("+14155550150"),
	}}))(t)
	a = got(v1.PatchAgent(ctx, a.ID, client.V1AgentPatch{Prompt: new("Buy."), Version: new(a.Version), Reset: []string{"recording"}}))(t)
	if a.Prompt != "Buy." || a.Greeting != "Hello." || !a.Recording || a.Version != 2 {
		t.Errorf("agent %+v", a)
	}
	_, err := v1.PatchAgent(ctx, a.ID, client.V1AgentPatch{Prompt: new("Rent."), Version: new(1)})
	if talkstack.ErrorCode(err) != talkstack.CodeConflict {
		t.Errorf("a change of an old version: %v", err)
	}
	if b := got(v1.GetAgent(ctx, a.ID))(t); !reflect.DeepEqual(a, b) {
		t.Errorf("agent %+v; want %+v", b, a)
	}
	if all := got(client.Collect(v1.ListAgents(ctx, client.AgentFilter{ProjectID: p.ID})))(t); len(all) != 1 || all[0].ID != a.ID {
		t.Errorf("agents %v", all)
	}
	if versions := got(client.Collect(v1.ListAgentVersions(ctx, a.ID)))(t); len(versions) != 2 {
		t.Errorf("versions %v", versions)
	}
	if old := got(v1.GetAgentVersion(ctx, a.ID, 1))(t); old.Prompt != "Sell." || old.Recording {
		t.Errorf("version 1 %+v", old)
	}
	if a = got(v1.RestoreAgentVersion(ctx, a.ID, 1))(t); a.Prompt != "Sell." || a.Version != 3 {
		t.Errorf("restored %+v", a)
	}
	n := got(v1.AssignNumber(ctx, client.V1AssignNumberRequest{E164: "+14155550151", ProjectID: p.ID}))(t)
	n = got(v1.PatchNumber(ctx, n.ID, client.V1NumberPatch{AgentID: &a.ID}))(t)
	if again := got(v1.GetNumber(ctx, n.ID))(t); again != n || n.AgentID != a.ID {
		t.Errorf("number %+v, %+v", n, again)
	}
	if all := got(client.Collect(v1.ListNumbers(ctx, client.NumberFilter{ProjectID: p.ID})))(t); len(all) != 2 {
		t.Errorf("numbers %v", all)
	}
	must(t, v1.ReleaseNumber(ctx, n.ID))
	must(t, v1.DeleteAgent(ctx, a.ID))
	must(t, v1.DeleteProject(ctx, p.ID, true))
	me := got(v1.UpdateMe(ctx, client.V1AccountPatch{CompanyName: new("Widgets")}))(t)
	if again := got(v1.GetMe(ctx))(t); again != me || me.CompanyName != "Widgets" || me.APIKeyCreatedAt.IsZero() {
		t.Errorf("account %+v", again)
	}
	if log := got(client.Collect(v1.ListAuditLog(ctx, client.AuditFilter{Resource: "agent"})))(t); len(log) < 4 || log[0].Action == "" {
		t.Errorf("audit log %+v", log)
	}
}

func (w *world) calls(t *testing.T, project talkstack.ProjectID, agent talkstack.AgentID) talkstack.CallSID {
	t.Helper()
	ctx, api, v1 := t.Context(), w.api, w.api.V1()
	questions := []talkstack.Question{{Name: "comes", Text: "Do they come?", Type: talkstack.QuestionBoolean}}
	got(v1.PutAnalysisSchema(ctx, project, questions))(t)
	if q := got(v1.GetAnalysisSchema(ctx, project))(t); !reflect.DeepEqual(q, questions) {
		t.Errorf("questions %v", q)
	}
	hook := got(v1.GetWebhook(ctx, project))(t)
	if rotated := got(v1.RotateWebhookSecret(ctx, project, time.Hour))(t); rotated.Secret == hook.Secret || rotated.PreviousSecretUntil.IsZero() {
		t.Error("the secret was not rotated")
	}
	got(v1.PatchWebhook(ctx, project, "https://example.com/other"))(t)

	doomed := got(v1.PlaceCall(ctx, client.V1PlaceCallRequest{To: callee, ProjectID: project, AgentID: agent}))(t)
	if c := got(v1.HangupCall(ctx, doomed.SID))(t); !c.Status.Final() {
		t.Errorf("a call that waited was hung up, and is %s", c.Status)
	}
	made := got(api.MakeCall(ctx, client.MakeCallRequest{
		Number: callee, ProjectID: project, AgentID: agent, DynamicVariables: map[string]any{"partnerId": "p-1", "shiftId": "s", "assignmentId": "a"},
	}, client.WithIdempotencyKey("one")))(t)
	w.finish(t, made.CallID)
	c := got(api.GetCall(ctx, made.CallID))(t)
	if c.Status != talkstack.StatusCompleted || c.PartnerID != "p-1" || len(c.RecordingURLs) != 1 || c.Analysis == nil || c.EndReason == nil || c.Data["day"] != "Monday" {
		t.Errorf("call %+v", c)
	}
	calls, more, err := api.GetCallHistory(ctx, client.CallHistoryRequest{ProjectID: project, PageSize: 1})
	if err != nil || len(calls) != 1 || !more {
		t.Errorf("history %v, %v, %v", calls, more, err)
	}
	if a := got(api.GetCallAnalysis(ctx, made.CallID))(t); a.SID != made.CallID || len(a.Answers) != 1 {
		t.Errorf("analysis %+v", a)
	}
	if a := got(v1.AnalyzeCall(ctx, made.CallID, questions...))(t); len(a.Answers) != 1 || a.Answers[0].Name != "comes" {
		t.Errorf("analysis %+v", a)
	}
	one := got(v1.GetCall(ctx, made.CallID))(t)
	if one.Analysis == nil || one.Recording == "" || one.Cost.Total != 0.05 || one.Slots["day"] != "Monday" {
		t.Errorf("call %+v", one)
	}
	if all := got(client.Collect(v1.ListCalls(ctx, client.V1CallFilter{ProjectID: project, Status: talkstack.StatusCompleted})))(t); len(all) != 1 || all[0].SID != one.SID {
		t.Errorf("calls %v", all)
	}
	if turns := got(v1.GetTranscript(ctx, one.SID))(t); len(turns) != 2 || len(turns[0].Words) != 1 || turns[1].Latency.Total != 1000 {
		t.Errorf("transcript %+v", turns)
	}
	if wav := read(t, got(v1.GetRecording(ctx, one.SID, client.WithHeader("Range", "bytes=0-3")))(t)); wav != "RIFF" {
		t.Errorf("a part of the recording: %q", wav)
	}
	var kinds []string
	for _, e := range got(client.Collect(v1.CallEvents(ctx, one.SID, "")))(t) {
		kinds = append(kinds, string(e.Type))
	}
	if want := "call.status turn turn call.ended call.analyzed"; strings.Join(kinds, " ") != want {
		t.Errorf("events %v; want %s", kinds, want)
	}
	if u := got(v1.Usage(ctx, client.UsageFilter{GroupBy: "project"}))(t); u.Total.Calls == 0 || u.Data[0].ProjectID != project {
		t.Errorf("usage %+v", u)
	}
	got(v1.Usage(ctx, client.UsageFilter{}))(t)
	w.messages(t, project)
	return one.SID
}

func (w *world) messages(t *testing.T, project talkstack.ProjectID) {
	t.Helper()
	ctx, v1 := t.Context(), w.api.V1()
	test := got(v1.TestWebhook(ctx, project))(t)
	all := got(client.Collect(v1.ListWebhookDeliveries(ctx, client.DeliveryFilter{ProjectID: project})))(t)
	if !slices.ContainsFunc(all, func(d client.V1Delivery) bool { return d.Type == talkstack.EventCallEnded && d.SID != "" }) {
		t.Errorf("messages %+v", all)
	}
	if _, err := w.DB.SetDeliveryBody(ctx, test.ID, []byte(`{"type":"webhook.test"}`)); err != nil {
		t.Fatal(err)
	}
	if d := got(v1.GetWebhookDelivery(ctx, test.ID))(t); d.Type != talkstack.EventTest || string(d.Body) != `{"type":"webhook.test"}` {
		t.Errorf("message %+v", d)
	}
	dead := w.giveUp(t, project)
	if d := got(v1.ReplayWebhookDelivery(ctx, dead))(t); d.ID != dead || d.State != talkstack.DeliveryPending {
		t.Errorf("replayed %+v", d)
	}
}

func read(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	b, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	return string(b)
}
