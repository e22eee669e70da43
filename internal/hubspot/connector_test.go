package hubspot_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/hubspot/hubspottest"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func finish(w *world, c talkstack.Call) error {
	if err := w.db.FinishCall(w.Context(), c, store.Outcome{Ending: storetest.Completed()}); err != nil {
		return err
	}
	return w.db.StoreAnalysis(w.Context(), c.SID, store.AnalysisResult{Digest: "d", Schema: true, Analysis: talkstack.Analysis{Analyzer: "rules"}})
}

func (w *world) connection() talkstack.HubSpotConnection {
	w.Helper()
	c, err := w.db.HubSpotConnection(w.Context(), w.account.User.ID)
	w.must(err)
	return c
}

func TestConnectByPrivateApp(t *testing.T) {
	onEach(t, func(w *world) {
		user := w.account.User.ID
		if _, err := w.connector.ConnectToken(t.Context(), user, "pat-na1-nonsense"); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("a wrong token: %v", err)
		}
		_, err := w.connector.ConnectToken(t.Context(), user, talkstack.Secret(w.portal.PrivateToken()))
		w.must(err)
		if c := w.connection(); c.PortalID != "62515" || c.Kind != talkstack.HubSpotPrivateApp || !c.ExpiresAt.IsZero() {
			t.Errorf("the connection is %+v", c)
		}
		sid := w.call(number)
		w.settle(sid, 1)
		w.wantCounts(1, 1)

		w.portal.Uninstall()
		sid = w.call(number)
		w.snoozed(sid)
		if c := w.connection(); c.State != talkstack.HubSpotBroken || !strings.Contains(c.LastError, "Connect HubSpot again") {
			t.Errorf("after the token was revoked: %+v", c)
		}
		w.wantState(sid, talkstack.HubSpotSyncPending)
	})
}

func TestConnectByConsent(t *testing.T) {
	onEach(t, func(w *world) {
		address, expires, err := w.connector.AuthorizeURL(w.account.User.ID, redirect)
		w.must(err)
		u, err := url.Parse(address)
		w.must(err)
		q := u.Query()
		if u.Path != "/oauth/authorize" || q.Get("client_id") != w.hub.ClientID || q.Get("redirect_uri") != redirect ||
			!strings.Contains(q.Get("scope"), "crm.objects.contacts.write") || !expires.Equal(w.clock.Now().Add(10*time.Minute)) {
			t.Errorf("the address is %s, until %s", address, expires)
		}
		state := q.Get("state")
		for _, bad := range []string{"", "x", state + "x", "x" + state, strings.ToUpper(state)} {
			if _, err := w.connector.Callback(t.Context(), w.portal.Consent(redirect), bad); talkstack.ErrorCode(err) != talkstack.CodeForbidden {
				t.Errorf("state %q: %v", bad, err)
			}
		}
		if _, err := w.connector.Callback(t.Context(), "nonsense", state); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("a wrong code: %v", err)
		}
		code := w.portal.Consent(redirect)
		_, err = w.connector.Callback(t.Context(), code, state)
		w.must(err)
		if c := w.connection(); c.PortalID != "62515" || c.Kind != talkstack.HubSpotOAuth || !c.ExpiresAt.Equal(w.clock.Now().Add(30*time.Minute)) {
			t.Errorf("the connection is %+v", c)
		}
		if _, err := w.connector.Callback(t.Context(), code, state); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("a code works twice: %v", err)
		}
		w.clock.Advance(10 * time.Minute)
		if _, err := w.connector.Callback(t.Context(), w.portal.Consent(redirect), state); talkstack.ErrorCode(err) != talkstack.CodeForbidden {
			t.Errorf("an old state works: %v", err)
		}
		text := fmt.Sprintf("%v %+v %#v", w.connection(), w.connection(), w.connection())
		if strings.Contains(text, "CI-") {
			t.Errorf("a token is printed: %s", text)
		}
		entries, err := w.db.AuditLog(t.Context(), w.account.User.ID, store.AuditFilter{Resource: "hubspot"}, store.Cursor{}, 10)
		w.must(err)
		if len(entries) != 1 || entries[0].Action != "hubspot.connect" || entries[0].ResourceID != "62515" {
			t.Errorf("the audit log has %+v", entries)
		}
	})
}

func TestTokenIsRenewedOnce(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		var sids []talkstack.CallSID
		for i := range 4 {
			sids = append(sids, w.call(fmt.Sprintf("+1206555012%d", i)))
		}
		w.clock.Advance(hubspottest.TokenLifetime)
		asked := w.hub.Count("POST " + tokenURL)
		var wg sync.WaitGroup
		for _, sid := range sids {
			wg.Go(func() { _ = w.work(t.Context(), sid) }) // those who come second are put off
		}
		wg.Wait()
		for _, sid := range sids {
			w.settle(sid, 5)
			w.wantState(sid, talkstack.HubSpotSyncDone)
		}
		if n := w.hub.Count("POST "+tokenURL) - asked; n != 1 {
			t.Errorf("the token was renewed %d times", n)
		}
		w.wantCounts(4, 4)
	})
}

func TestTokenExpiresInTheMiddle(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		var once sync.Once
		w.hub.Inject(hubspottest.Fault{Match: func(r *http.Request) bool {
			if r.URL.Path == calls+"/batch/upsert" {
				once.Do(w.portal.ExpireTokens)
			}
			return false
		}})
		w.settle(sid, 1)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(1, 1)
	})
}

func TestRenewalFaultsAreWaitedOut(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		w.clock.Advance(hubspottest.TokenLifetime)
		w.hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", tokenURL), Status: http.StatusServiceUnavailable})
		w.hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", tokenURL), Status: http.StatusBadRequest, Body: `{"status":"BAD_CLIENT_SECRET","error":"invalid_client"}`})
		w.hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", tokenURL)})
		w.settle(sid, 10)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		if c := w.connection(); c.State != talkstack.HubSpotConnected {
			t.Errorf("the connection is %s: %s", c.State, c.LastError)
		}
	})
}

func TestReconnectionResumes(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		w.portal.Uninstall()
		sid := w.call(number)
		w.clock.Advance(hubspottest.TokenLifetime)
		if d := w.snoozed(sid); d < time.Hour {
			t.Errorf("a broken connection is tried again after %s", d)
		}
		c := w.connection()
		if c.State != talkstack.HubSpotBroken || c.LastError == "" {
			t.Errorf("the connection is %s: %q", c.State, c.LastError)
		}
		asked := len(w.hub.Requests())
		w.snoozed(sid)
		if len(w.hub.Requests()) != asked {
			t.Error("HubSpot was asked over a broken connection")
		}
		waiting := len(storetest.Jobs(w, w.db, store.HubSpotJob{}))
		w.connectOAuth(w.account.User.ID, w.portal)
		if n := len(storetest.Jobs(w, w.db, store.HubSpotJob{})) - waiting; n != 1 {
			t.Errorf("connecting again has woken %d calls, want 1", n)
		}
		w.settle(sid, 1)
		w.wantState(sid, talkstack.HubSpotSyncDone)
		w.wantCounts(1, 1)
	})
}

func TestDisconnectWhileCallsWait(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		revoked, err := w.connector.Disconnect(t.Context(), w.account.User.ID)
		w.must(err)
		if !revoked || w.portal.RefreshTokens() != 0 {
			t.Errorf("revoked %v; %d refresh tokens live on", revoked, w.portal.RefreshTokens())
		}
		w.settle(sid, 1)
		w.wantState(sid, talkstack.HubSpotSyncFailed)
		w.wantCounts(0, 0)
		if _, err := w.db.HubSpotConnection(t.Context(), w.account.User.ID); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			t.Errorf("the connection is there: %v", err)
		}
		if _, err := w.db.RetryHubSpotSync(t.Context(), w.account.User.ID, sid); talkstack.ErrorCode(err) != talkstack.CodeConflict {
			t.Errorf("a call can be retried without a connection: %v", err)
		}
		other := w.ended(w.account, number, storetest.Completed())
		if _, err := w.db.HubSpotSync(t.Context(), other); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			t.Errorf("a call of an account that is not connected waits: %v", err)
		}
		w.connectOAuth(w.account.User.ID, w.portal)
		_, err = w.db.RetryHubSpotSync(t.Context(), w.account.User.ID, sid)
		w.must(err)
		w.settle(sid, 1)
		w.wantCounts(1, 1)

		// HubSpot being away keeps nobody connected.
		w.hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", "/revoke")})
		if revoked, err := w.connector.Disconnect(t.Context(), w.account.User.ID); err != nil || revoked {
			t.Errorf("disconnected with HubSpot away: %v, %v", revoked, err)
		}
	})
}

func TestAnotherPortalIsWrittenAnew(t *testing.T) {
	onEach(t, func(w *world) {
		w.connectOAuth(w.account.User.ID, w.portal)
		sid := w.call(number)
		w.hub.Inject(hubspottest.Fault{Match: hubspottest.Path("POST", "/batch/upsert"), Status: http.StatusBadGateway})
		if err := w.work(t.Context(), sid); err == nil {
			t.Fatal("a fault of HubSpot ended the job")
		}
		second := w.hub.AddPortal(99)
		w.connectOAuth(w.account.User.ID, second)
		w.settle(sid, 1)
		if s := w.wantState(sid, talkstack.HubSpotSyncDone); s.PortalID != "99" || len(second.Calls()) != 1 || len(second.Calls()[0].Contacts) != 1 {
			t.Errorf("the sync is %+v", s)
		}
	})
}
