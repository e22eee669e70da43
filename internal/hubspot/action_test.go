package hubspot_test

import (
	"encoding/base64"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/hubspot"
	"talkstack/internal/store/storetest"
)

func newConnector(t testing.TB, now func() time.Time) *hubspot.Connector {
	t.Helper()
	c, err := hubspot.New(t.Context(), hubspot.Config{
		DB: storetest.OpenSQLite(t), ClientID: "id", ClientSecret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", Now: now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signed(now time.Time) hubspot.SignedRequest {
	r := hubspot.SignedRequest{
		Method: "POST", URI: "https://www.example.com/webhook_uri?a=b%2Fc%20d", Body: []byte(`{"example_field":"example_value"}`),
		Timestamp: strconv.FormatInt(now.UnixMilli(), 10),
	}
	r.Signature = hubspot.Sign("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", r)
	return r
}

func TestSignature(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 11, 17, 0, 0, 0, time.UTC)
	c := newConnector(t, func() time.Time { return now })
	if err := c.Verify(signed(now)); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	unescaped := signed(now)
	unescaped.URI = "https://www.example.com/webhook_uri?a=b/c%20d" // HubSpot signs some characters unescaped, and no others
	if err := c.Verify(unescaped); err != nil {
		t.Errorf("with the slash unescaped: %v", err)
	}
	for name, change := range map[string]func(r *hubspot.SignedRequest){
		"body":            func(r *hubspot.SignedRequest) { r.Body = append(r.Body, ' ') },
		"method":          func(r *hubspot.SignedRequest) { r.Method = "PUT" },
		"path":            func(r *hubspot.SignedRequest) { r.URI += "x" },
		"host":            func(r *hubspot.SignedRequest) { r.URI = strings.Replace(r.URI, "www", "evil", 1) },
		"no signature":    func(r *hubspot.SignedRequest) { r.Signature = "" },
		"half":            func(r *hubspot.SignedRequest) { r.Signature = r.Signature[:20] },
		"no timestamp":    func(r *hubspot.SignedRequest) { r.Timestamp = "" },
		"other timestamp": func(r *hubspot.SignedRequest) { r.Timestamp = strconv.FormatInt(now.UnixMilli()+1, 10) },
		"odd timestamp":   func(r *hubspot.SignedRequest) { r.Timestamp = "+" + r.Timestamp },
		"other secret":    func(r *hubspot.SignedRequest) { r.Signature = hubspot.Sign("another", *r) },
		"old":             func(r *hubspot.SignedRequest) { *r = signed(now.Add(-5*time.Minute - time.Millisecond)) },
		"ahead":           func(r *hubspot.SignedRequest) { *r = signed(now.Add(5*time.Minute + time.Millisecond)) },
	} {
		r := signed(now)
		change(&r)
		if err := c.Verify(r); talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	now := time.Date(2026, 3, 11, 17, 0, 0, 0, time.UTC)
	c := newConnector(f, func() time.Time { return now })
	good := signed(now)
	f.Add(good.Signature, good.Timestamp, good.URI)
	f.Add("", "", "%2")
	f.Add("====", "9223372036854775807", "%2f%3A%zz")
	f.Fuzz(func(t *testing.T, signature, timestamp, uri string) {
		r := hubspot.SignedRequest{Method: "POST", URI: uri, Body: good.Body, Signature: signature, Timestamp: timestamp}
		if c.Verify(r) == nil && hubspot.Sign("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", r) != signature {
			t.Errorf("accepted %q for %q at %q", signature, uri, timestamp)
		}
		if _, err := base64.StdEncoding.DecodeString(signature); err != nil && c.Verify(r) == nil {
			t.Error("accepted what is not Base64")
		}
	})
}

func TestParseAction(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/action.json")
	if err != nil {
		t.Fatal(err)
	}
	a, err := hubspot.ParseAction(body)
	if err != nil {
		t.Fatal(err)
	}
	want := hubspot.Action{
		CallbackID: "ap-102670506-56776413549-7-0", PortalID: "102670506", Phone: "+1 206 555 0123",
		ProjectID: "94f53ecd-ec99-42fc-bc69-e79468550af2", AgentID: "232ac42a-2ea0-4276-a5d8-43c8c9f7b857",
		Variables: map[string]any{"email": "anna@example.com", "firstname": "Anna", "topic": "renewal", "amount": "1200"},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("have %+v\nwant %+v", a, want)
	}
	for name, bad := range map[string]string{
		"empty": ``, "list": `[]`, "no callback": `{"origin":{"portalId":1}}`, "no portal": `{"callbackId":"a"}`,
		"portal is text": `{"callbackId":"a","origin":{"portalId":"x"}}`, "portal is 0": `{"callbackId":"a","origin":{"portalId":0}}`,
		"inputs are text": `{"callbackId":"a","origin":{"portalId":1},"inputFields":"x"}`,
	} {
		if _, err := hubspot.ParseAction([]byte(bad)); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseAction(f *testing.F) {
	body, err := os.ReadFile("testdata/action.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"callbackId":"a","origin":{"portalId":1e3},"fields":{"phone_number":{"a":[1]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := hubspot.ParseAction(body)
		if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid {
				t.Errorf("the error is %v", err)
			}
			return
		}
		if a.CallbackID == "" || a.PortalID == "" || len(a.Variables) > 200 {
			t.Errorf("the action is %+v", a)
		}
	})
}
