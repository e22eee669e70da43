package contract

import (
	"errors"
	"strings"
	"testing"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/store"
)

// giveUp lets the next message of a project fail for good.
func (w *world) giveUp(t *testing.T, project talkstack.ProjectID) talkstack.DeliveryID {
	t.Helper()
	for lane := range store.Lanes {
		job := store.WebhookJob{ProjectID: project, Lane: lane}
		next := got(w.DB.NextDelivery(t.Context(), job, "test", nil, false))(t)
		if next == nil {
			continue
		}
		got(w.DB.NextDelivery(t.Context(), job, "test", &store.Attempt{ID: next.ID, State: talkstack.DeliveryDead, Status: 410, Error: "Gone."}, true))(t)
		return next.ID
	}
	t.Fatal("no message is due")
	return ""
}

const sheet = "number,name\n+12065550124,Anna\nnonsense,Bert\n"

func (w *world) batches(t *testing.T, project talkstack.ProjectID, agent talkstack.AgentID) {
	t.Helper()
	ctx, api, v1 := t.Context(), w.api, w.api.V1()
	req := client.BatchCallRequest{
		ProjectID: project, AgentID: agent, CallsPerSecond: 1.5, TimeZone: "Europe/Berlin", StartAt: w.Clock.Now(),
		Windows: []talkstack.CallingWindow{{Days: []string{"mon"}, From: "09:00", To: "18:00"}},
		Retry:   []talkstack.RetryRule{{Outcome: talkstack.StatusBusy, Times: 2, After: 600}},
	}
	done := got(api.BatchCall(ctx, req, client.Sheet{Name: "march.csv", Content: strings.NewReader(sheet)}))(t)
	if done.Total != 2 || done.Queued != 1 || len(done.Calls) != 1 || len(done.Rejected) != 1 || done.Rejected[0].Row != 2 {
		t.Errorf("batch call %+v", done)
	}
	b := got(v1.GetBatch(ctx, done.BatchID))(t)
	if b.Name != "march.csv" || b.CallsPerSecond != 1.5 || b.TimeZone != "Europe/Berlin" || len(b.Windows) != 1 || len(b.Retry) != 1 || b.Progress == nil {
		t.Errorf("batch %+v", b)
	}
	if b = got(v1.UpdateBatch(ctx, b.ID, client.V1BatchUpdate{Name: new("March")}))(t); b.Name != "March" {
		t.Errorf("changed batch %+v", b)
	}
	got(v1.PauseBatch(ctx, b.ID))(t)
	got(v1.ResumeBatch(ctx, b.ID))(t)
	if b = got(v1.CancelBatch(ctx, b.ID))(t); b.State != talkstack.BatchCancelled {
		t.Errorf("cancelled batch %+v", b)
	}
	if rows := got(client.Collect(v1.ListRecipients(ctx, b.ID)))(t); len(rows) != 2 || rows[1].RejectionReason == "" {
		t.Errorf("recipients %+v", rows)
	}
	if text := read(t, got(v1.GetRecipientsCSV(ctx, b.ID))(t)); strings.Count(strings.TrimSpace(text), "\n") != 2 {
		t.Errorf("recipients as CSV:\n%s", text)
	}
	got(v1.CreateBatchFromSheet(ctx, req, client.Sheet{Name: "april.csv", Content: strings.NewReader(sheet)}))(t)
	got(v1.CreateBatch(ctx, client.V1CreateBatch{ProjectID: project, AgentID: agent, Recipients: []client.V1Person{{Number: callee}}}))(t)
	if all := got(client.Collect(v1.ListBatches(ctx, client.BatchFilter{ProjectID: project})))(t); len(all) != 3 {
		t.Errorf("batches %+v", all)
	}
	if a := got(v1.AddDoNotCall(ctx, "asked", callee))(t); a.Added != 1 {
		t.Errorf("added %+v", a)
	}
	if d := got(v1.GetDoNotCall(ctx, callee))(t); d.Reason != "asked" || d.Number != callee {
		t.Errorf("do not call %+v", d)
	}
	if all := got(client.Collect(v1.ListDoNotCall(ctx)))(t); len(all) != 1 {
		t.Errorf("do-not-call list %+v", all)
	}
	must(t, v1.RemoveDoNotCall(ctx, callee))
}

func (w *world) connect(t *testing.T) {
	t.Helper()
	ctx, v1 := t.Context(), w.api.V1()
	h := got(v1.ConnectHubSpot(ctx, client.V1HubSpotConnect{Token: talkstack.Secret(w.portal.PrivateToken())}))(t)
	if !h.Connected || h.Kind != talkstack.HubSpotPrivateApp || h.PortalID != "62515" {
		t.Errorf("connected %+v", h)
	}
	target, expires, err := v1.GetHubSpotAuthorizeURL(ctx)
	if err != nil || !strings.Contains(target, "client_id=") || expires.IsZero() {
		t.Errorf("authorize URL %q until %v: %v", target, expires, err)
	}
}

// synced looks at the writing of a call that ended while HubSpot was connected.
func (w *world) synced(t *testing.T, sid talkstack.CallSID) {
	t.Helper()
	ctx, v1 := t.Context(), w.api.V1()
	if s := got(v1.RetryHubSpotSync(ctx, sid))(t); s.CallSID != sid || s.State != talkstack.HubSpotSyncPending {
		t.Errorf("sync %+v", s)
	}
	if all := got(client.Collect(v1.ListHubSpotSyncs(ctx, "")))(t); len(all) != 1 {
		t.Errorf("syncs %+v", all)
	}
	if h := got(v1.GetHubSpot(ctx))(t); h.Syncs.Pending != 1 || len(h.LastSyncs) != 1 {
		t.Errorf("connection %+v", h)
	}
	got(v1.DisconnectHubSpot(ctx))(t)
}

func (w *world) deletions(t *testing.T, project talkstack.ProjectID, agent talkstack.AgentID) {
	t.Helper()
	ctx, api := t.Context(), w.api
	must(t, api.DeleteAgent(ctx, project, agent))
	must(t, api.DeleteProject(ctx, project, true))
	_, err := api.V1().GetProject(ctx, project)
	if talkstack.ErrorCode(err) != talkstack.CodeNotFound {
		t.Errorf("a deleted project: %v", err)
	}
	if _, err := api.V1().CreateProject(ctx, client.V1CreateProjectRequest{}); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
		t.Errorf("a project without a name: %v", err)
	} else if e, ok := errors.AsType[*talkstack.Error](err); !ok || len(e.Fields) == 0 || e.Fields[0].Field != "name" {
		t.Errorf("a project without a name: %+v", err)
	}
}

func (w *world) passwords(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	const second, third = talkstack.Secret("battery staple correct horse"), talkstack.Secret("staple horse correct battery")
	must(t, w.user.ChangePassword(ctx, password, second))
	must(t, w.user.ForgotPassword(ctx, email))
	w.WorkResetMails(t)
	must(t, w.user.ResetPassword(ctx, talkstack.Secret(w.Mailbox.ResetToken(t, email)), third))
	_, err := w.user.Login(ctx, email, password)
	if e, ok := errors.AsType[*client.StatusError](err); !ok || e.Login == nil || *e.Login != client.LoginInvalidPassword {
		t.Errorf("a login with the old password: %v", err)
	}
	got(w.user.Login(ctx, email, third))(t)
}
