package httpapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// sheetOf is a list of n people.
func sheetOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString("number,name\n")
	for i := range n {
		fmt.Fprintf(&b, "+1206555%04d,Name %d\n", i, i)
	}
	return b.Bytes()
}

// raw is a request of a form as net/http hands it over, with a body that the test reads out.
func raw(t *testing.T, r request, body io.Reader) *http.Request {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, body)
	req.Header.Set("X-Api-Key", r.Key)
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	return req
}

func formBody(t *testing.T, r request) []byte {
	t.Helper()
	b, ok := r.Body.([]byte)
	if !ok {
		t.Fatal("the body of the form is no bytes")
	}
	return b
}

// brokenWriter is a connection that breaks after some bytes of an answer.
type brokenWriter struct {
	*httptest.ResponseRecorder
	left int
}

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return w.ResponseRecorder.Write(b)
}

// TestBatchCallWhoseAnswerBreaksOff: a client that is cut off in the middle of the answer sends the same again, and gets
// the calls that were made, each once. Without that nothing is dialled.
func TestBatchCallWhoseAnswerBreaksOff(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		const people = 3*store.MaxLoadRows + 7
		w := newWorld(t, s, "john@host.example", "+14155550148")
		upload := form(t, request{Path: "/call/batch-call", Key: w.Key, Header: map[string]string{"Idempotency-Key": "monday"}}, w.fields(), "march.csv", sheetOf(people))
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					t.Errorf("the connection was not dropped: %v", err)
				}
			}()
			s.API.ServeHTTP(&brokenWriter{httptest.NewRecorder(), 20_000}, raw(t, upload, bytes.NewReader(formBody(t, upload))))
		}()
		list := s.Do(t, request{Method: "GET", Path: "/v1/batches", Key: w.Key})
		if list.Text("data", 0, "state") != "loading" {
			t.Fatalf("after the break: %s", list.Body)
		}
		if due, err := s.DB.NextDue(t.Context()); err != nil || !due.IsZero() {
			t.Errorf("calls of half a batch are due at %v, %v", due, err)
		}
		r := s.Do(t, upload)
		if r.Text("data", "batch_id") != list.Text("data", 0, "id") || r.At("data", "queued") != float64(people) {
			t.Fatalf("again: %.300s", r.Body)
		}
		seen := map[string]bool{}
		for i := range people {
			seen[r.Text("data", "calls", i, "call_id")] = true
		}
		if len(seen) != people {
			t.Errorf("%d calls are told, want %d", len(seen), people)
		}
	})
}

// slowReader is a body that stops coming.
type slowReader struct {
	io.Reader
	stalled func()
}

func (r *slowReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.stalled()
		return n, timeoutError{}
	}
	return n, err
}

// TestUploadThatStalls: a client that stops in the middle of its sheet is told so, and leaves nothing behind; neither
// would the death of the process, since the file has no name even while it is written.
func TestUploadThatStalls(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.Uploads = folder })
	w := newWorld(t, s, "john@host.example", "+14155550148")
	upload := form(t, request{Path: "/call/batch-call", Key: w.Key}, w.fields(), "march.csv", sheetOf(9000))
	body := formBody(t, upload)
	stalled := false
	rec := httptest.NewRecorder()
	s.API.ServeHTTP(rec, raw(t, upload, &slowReader{bytes.NewReader(body[:len(body)/2]), func() {
		stalled = true
		if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
			t.Errorf("while the sheet arrives there are %v, %v", files, err)
		}
	}}))
	if !stalled || rec.Code != http.StatusRequestTimeout || !strings.Contains(rec.Body.String(), "did not arrive in time") {
		t.Errorf("an upload that stalls: %d %s", rec.Code, rec.Body)
	}
	if list := s.Do(t, request{Method: "GET", Path: "/v1/batches", Key: w.Key}); len(list.At("data").([]any)) != 0 { //nolint:forcetypeassert // documented
		t.Errorf("a batch was made: %s", list.Body)
	}
	if r := s.Do(t, upload); r.Status != http.StatusOK {
		t.Errorf("the whole of it: %.300s", r.Describe())
	}
}

// TestUploadsOfAnAccountAreBounded: the files of one account cannot fill the disk, and hold up nobody else.
func TestUploadsOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite)
	w, other := newWorld(t, s, "john@host.example", "+14155550148"), newWorld(t, s, "eve@host.example", "+14155550149")
	upload := form(t, request{Path: "/call/batch-call", Key: w.Key}, w.fields(), "march.csv", sheetOf(3))
	theirs := form(t, request{Path: "/call/batch-call", Key: other.Key}, other.fields(), "march.csv", sheetOf(3))
	depth, refused := 0, 0
	var nest func()
	nest = func() { // each upload begins while the one before has not arrived yet
		if depth++; depth > 5 {
			return
		}
		rec := httptest.NewRecorder()
		s.API.ServeHTTP(rec, raw(t, upload, &slowReader{bytes.NewReader(formBody(t, upload)[:400]), nest}))
		if rec.Code == http.StatusTooManyRequests {
			refused++
			if r := s.Do(t, theirs); r.Status != http.StatusOK {
				t.Errorf("another account: %s", r.Describe())
			}
		}
	}
	nest()
	if depth != 5 || refused != 1 {
		t.Errorf("of %d uploads at once %d were refused, want the fifth", depth, refused)
	}
	if r := s.Do(t, upload); r.Status != http.StatusOK {
		t.Errorf("afterwards: %s", r.Describe())
	}
}
