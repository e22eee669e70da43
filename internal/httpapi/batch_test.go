package httpapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

// form is an upload: a request without its body and Content-Type set yet.
func form(t *testing.T, r request, fields map[string]string, fileName string, file []byte) request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(name, fields[name]); err != nil {
			t.Fatal(err)
		}
	}
	if file != nil {
		part, err := w.CreateFormFile("file", fileName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Header == nil {
		r.Header = map[string]string{}
	}
	r.Method, r.Body, r.Header["Content-Type"] = "POST", b.Bytes(), w.FormDataContentType()
	return r
}

func (w world) fields() map[string]string {
	return map[string]string{"projectId": string(w.project), "agentId": string(w.agent)}
}

const sheetOfFive = "number,name,dynamicVariables,timezone\r\n" +
	"+12065550123,Ada,\"{\"\"name\"\":\"\"Ada Lovelace\"\",\"\"visits\"\":3}\",Europe/London\r\n" +
	"4.15555E+10,Bob,,\r\n" +
	"+14155550149,=cmd,,\r\n" +
	"+1 206 555 0123,Eve,,\r\n" +
	"2065550124,Dan,,Nowhere/City\r\n"

// TestBatchCall: spec 6.5 and 12.5, from the sheet to the results.
func TestBatchCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		upload := form(t, request{Path: "/call/batch-call", Key: w.Key, Header: map[string]string{"Idempotency-Key": "monday"}}, w.fields(), "march.csv", []byte(sheetOfFive))
		r := s.Do(t, upload)
		expectEnvelope(t, r, "batch calls queued.")
		id := r.Text("data", "batch_id")
		if r.At("data", "total") != 5.0 || r.At("data", "queued") != 2.0 || r.Text("data", "calls", 0, "to") != "+12065550123" ||
			r.Text("data", "calls", 0, "from") != "+14155550148" || r.Text("data", "calls", 1, "to") != "+14155550149" || r.At("data", "calls", 2) != nil {
			t.Errorf("answer: %s", r.Body)
		}
		for i, want := range []struct {
			row    float64
			reason string
		}{{2, "shortened"}, {4, "on row 1 already"}, {5, "not a time zone"}} {
			if r.At("data", "rejected", i, "row") != want.row || !strings.Contains(r.Text("data", "rejected", i, "reason"), want.reason) {
				t.Errorf("rejected %d: %v", i, r.At("data", "rejected", i))
			}
		}
		again := s.Do(t, upload)
		if again.Header.Get("Idempotency-Replayed") != "true" || string(again.Body) != string(r.Body) {
			t.Errorf("sent again: %s\nfirst: %s", again.Body, r.Body)
		}
		other := form(t, request{Path: "/call/batch-call", Key: w.Key, Header: map[string]string{"Idempotency-Key": "monday"}}, w.fields(), "march.csv", []byte("number\n+12065550125\n"))
		expect(t, "another sheet with the same key", s.Do(t, other), http.StatusConflict)

		call := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": r.Text("data", "calls", 0, "call_id")}})
		if call.Text("dynamicVariables", "name") != "Ada Lovelace" || call.At("dynamicVariables", "visits") != 3.0 || call.Text("status") != "queued" {
			t.Errorf("call of row 1: %s", call.Body)
		}
		b := s.Do(t, request{Method: "GET", Path: "/v1/batches/" + id, Key: w.Key})
		if b.Text("state") != "running" || b.Text("name") != "march.csv" || b.At("progress", "waiting") != 2.0 || b.At("progress", "eta") != nil {
			t.Errorf("batch: %s", b.Body)
		}
		for _, move := range []struct{ verb, state string }{{"pause", "paused"}, {"pause", "paused"}, {"resume", "running"}, {"cancel", "cancelled"}, {"cancel", "cancelled"}} {
			if m := s.Do(t, request{Method: "POST", Path: "/v1/batches/" + id + "/" + move.verb, Key: w.Key}); m.Text("state") != move.state {
				t.Errorf("%s: %s", move.verb, m.Describe())
			}
		}
		expect(t, "resume after cancel", s.Do(t, request{Method: "POST", Path: "/v1/batches/" + id + "/resume", Key: w.Key}), http.StatusConflict)
		if err := s.DB.EndCancelled(t.Context(), talkstack.BatchID(id)); err != nil {
			t.Fatal(err)
		}
		list := s.Do(t, request{Method: "GET", Path: "/v1/batches/" + id + "/recipients?limit=3", Key: w.Key})
		rest := s.Do(t, request{Method: "GET", Path: "/v1/batches/" + id + "/recipients?limit=3&cursor=" + list.Text("next_cursor"), Key: w.Key})
		if list.Text("data", 0, "status") != "failed" || list.Text("data", 1, "status") != "rejected" || rest.At("data", 1, "row") != 5.0 || rest.At("next_cursor") != nil {
			t.Errorf("recipients: %s %s", list.Body, rest.Body)
		}
		csv := s.Do(t, request{Method: "GET", Path: "/v1/batches/" + id + "/recipients.csv", Key: w.Key})
		lines := strings.Split(strings.TrimSpace(string(csv.Body)), "\n")
		if csv.Status != http.StatusOK || len(lines) != 6 || !strings.HasPrefix(lines[1], "1,+12065550123,CA") || !strings.Contains(lines[2], "rejected") {
			t.Errorf("csv: %s", csv.Describe())
		}
		stranger := s.Account(t, "jane@host.example")
		for _, path := range []string{"", "/recipients", "/recipients.csv"} {
			expect(t, "somebody else's "+path, s.Do(t, request{Method: "GET", Path: "/v1/batches/" + id + path, Key: stranger.Key}), http.StatusNotFound)
		}
	})
}

// TestBatchUploadsThatAreRefused: each says why, and nothing is stored.
func TestBatchUploadsThatAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		with := func(name, value string) map[string]string {
			f := w.fields()
			f[name] = value
			return f
		}
		good := []byte("number\n+12065550123\n")
		for _, c := range []struct {
			name   string
			fields map[string]string
			file   []byte
			status int
		}{
			{"no project", map[string]string{"agentId": string(w.agent)}, good, 400},
			{"unknown project", with("projectId", "nobody's"), good, 404},
			{"unknown agent", with("agentId", "nobody"), good, 404},
			{"no file", w.fields(), nil, 400},
			{"empty file", w.fields(), []byte{}, 400},
			{"no column number", w.fields(), []byte("phone\n+12065550123\n"), 400},
			{"header alone", w.fields(), []byte("number\n"), 400},
			{"no usable row", w.fields(), []byte("number\n12\n+4\n"), 400},
			{"a picture", w.fields(), []byte("\x89PNG\r\n\x1a\n\x00\x00"), 400},
			{"half a workbook", w.fields(), workbook(t)[:3000], 400},
			{"pace", with("callsPerSecond", "quick"), good, 400},
			{"negative pace", with("callsPerSecond", "-1"), good, 400},
			{"not a number", with("callsPerSecond", "NaN"), good, 400},
			{"windows", with("windows", `[{"from":"18:00","to":"09:00"}]`), good, 400},
			{"windows are no JSON", with("windows", `always`), good, 400},
			{"time zone", with("timeZone", "Mars/Olympus"), good, 400},
			{"retry", with("retry", `[{"outcome":"completed","times":1,"after_seconds":60}]`), good, 400},
			{"start", with("startAt", "tomorrow"), good, 400},
		} {
			r := s.Do(t, form(t, request{Path: "/call/batch-call", Key: w.Key}, c.fields, "march.csv", c.file))
			expectError(t, c.name, r, c.status, "")
		}
		big := append([]byte("number,text\n"), bytes.Repeat([]byte("+12065550123,"+strings.Repeat("x", 1000)+"\n"), 27_000)...)
		expectError(t, "27 MB", s.Do(t, form(t, request{Path: "/call/batch-call", Key: w.Key}, w.fields(), "march.csv", big)), http.StatusRequestEntityTooLarge, "")
		expectError(t, "no form", s.Do(t, request{Method: "POST", Path: "/call/batch-call", Key: w.Key, Body: object{}}), http.StatusUnsupportedMediaType, "")
		expectError(t, "no credentials", s.Do(t, form(t, request{Path: "/call/batch-call"}, w.fields(), "march.csv", good)), http.StatusUnauthorized, "")
		if r := s.Do(t, request{Method: "GET", Path: "/v1/batches", Key: w.Key}); len(r.At("data").(list)) != 0 { //nolint:forcetypeassert // documented
			t.Errorf("a refused upload was stored: %s", r.Body)
		}
	})
}

// workbook is an Excel sheet of 1,200 recipients.
func workbook(t *testing.T) []byte {
	t.Helper()
	f := excelize.NewFile()
	if err := f.SetSheetRow("Sheet1", "A1", &[]any{"number", "name"}); err != nil {
		t.Fatal(err)
	}
	for i := range 1200 {
		if err := f.SetSheetRow("Sheet1", fmt.Sprint("A", i+2), &[]any{12060000000 + i, "n"}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestV1Batches: a workbook, a list of recipients, and the filters of the list.
func TestV1Batches(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		sheet := s.Do(t, form(t, request{Path: "/v1/batches", Key: w.Key}, map[string]string{
			"project_id": string(w.project), "agent_id": string(w.agent), "name": "all", "windows": `[{"days":["mon"],"from":"09:00","to":"18:00"}]`, "time_zone": "Europe/Berlin",
		}, "march.xlsx", workbook(t)))
		if sheet.Status != http.StatusOK || sheet.At("queued") != 1200.0 || sheet.Text("name") != "all" || sheet.Text("windows", 0, "days", 0) != "mon" {
			t.Fatalf("workbook: %s", sheet.Describe())
		}
		body := object{
			"project_id": w.project, "recipients": list{object{"number": "+12065550123", "dynamic_variables": object{"id": 12345678901234567}}, object{"number": "no"}},
			"agent_id": w.agent, "retry": list{object{"outcome": "busy", "times": 2, "after_seconds": 60}}, "calls_per_second": 1,
		}
		send := func(key string) httpapitest.Response {
			return s.Do(t, request{Method: "POST", Path: "/v1/batches", Key: w.Key, Body: body, Header: map[string]string{"Idempotency-Key": key}})
		}
		r := send("tuesday")
		if r.Status != http.StatusOK || r.At("queued") != 1.0 || r.At("rejected") != 1.0 || r.At("retry", 0, "times") != 2.0 {
			t.Fatalf("recipients: %s", r.Describe())
		}
		if again := send("tuesday"); again.Text("id") != r.Text("id") || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again: %s", again.Describe())
		}
		change := s.Do(t, request{Method: "PATCH", Path: "/v1/batches/" + r.Text("id"), Key: w.Key, Body: object{"calls_per_second": 5, "time_zone": "UTC", "windows": list{object{"from": "00:00", "to": "24:00", "days": list{}}}}})
		if change.At("calls_per_second") != 5.0 || change.Text("time_zone") != "UTC" || change.At("retry", 0, "times") != 2.0 {
			t.Errorf("change: %s", change.Describe())
		}
		for name, bad := range map[string]object{
			"no recipients": {"project_id": w.project, "agent_id": w.agent, "recipients": list{}},
			"unknown field": {"project_id": w.project, "agent_id": w.agent, "recipients": list{object{"number": "+12065550123"}}, "when": "now"},
			"all bad":       {"project_id": w.project, "agent_id": w.agent, "recipients": list{object{"number": "x"}}},
			"no project":    {"recipients": list{object{"number": "+12065550123"}}},
		} {
			if b := s.Do(t, request{Method: "POST", Path: "/v1/batches", Key: w.Key, Body: bad}); b.Status != http.StatusBadRequest || b.Text("code") != "invalid" {
				t.Errorf("%s: %s", name, b.Describe())
			}
		}
		for query, want := range map[string]int{"": 2, "?state=running": 2, "?state=paused": 0, "?project_id=" + string(w.project): 2, "?project_id=x": 0, "?limit=1": 1} {
			if l := s.Do(t, request{Method: "GET", Path: "/v1/batches" + query, Key: w.Key}); len(l.At("data").(list)) != want { //nolint:forcetypeassert // documented
				t.Errorf("list %s: %s", query, l.Describe())
			}
		}
	})
}

// TestV1DoNotCall: what goes on the list, and comes off it.
func TestV1DoNotCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		a := s.Account(t, "john@host.example")
		add := s.Do(t, request{Method: "POST", Path: "/v1/do-not-call", Key: a.Key, Body: object{"numbers": list{"+12065550123", "+1 206 555 0124", "+12065550123"}, "reason": "asked"}})
		if add.At("added") != 2.0 || add.At("already") != 0.0 {
			t.Errorf("add: %s", add.Describe())
		}
		expect(t, "not E.164", s.Do(t, request{Method: "POST", Path: "/v1/do-not-call", Key: a.Key, Body: object{"numbers": list{"12"}}}), http.StatusBadRequest)
		first := s.Do(t, request{Method: "GET", Path: "/v1/do-not-call?limit=1", Key: a.Key})
		second := s.Do(t, request{Method: "GET", Path: "/v1/do-not-call?limit=1&cursor=" + first.Text("next_cursor"), Key: a.Key})
		if first.Text("data", 0, "number") != "+12065550123" || second.Text("data", 0, "number") != "+12065550124" || second.At("next_cursor") != nil {
			t.Errorf("list: %s %s", first.Body, second.Body)
		}
		for _, path := range []string{"/v1/do-not-call/%2B12065550123", "/v1/do-not-call/12065550123"} {
			if r := s.Do(t, request{Method: "GET", Path: path, Key: a.Key}); r.Text("reason") != "asked" {
				t.Errorf("%s: %s", path, r.Describe())
			}
		}
		stranger := s.Account(t, "jane@host.example")
		expect(t, "somebody else's", s.Do(t, request{Method: "DELETE", Path: "/v1/do-not-call/12065550123", Key: stranger.Key}), http.StatusNotFound)
		expect(t, "remove", s.Do(t, request{Method: "DELETE", Path: "/v1/do-not-call/12065550123", Key: a.Key}), http.StatusNoContent)
		expect(t, "remove again", s.Do(t, request{Method: "DELETE", Path: "/v1/do-not-call/12065550123", Key: a.Key}), http.StatusNotFound)
	})
}
