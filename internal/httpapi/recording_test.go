package httpapi_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"talkstack/internal/httpapi"
	"talkstack/internal/httpapi/httpapitest"
	"talkstack/internal/store"
)

// recorded is a call with a recording of 1,000 bytes, and the link to it.
func recorded(t *testing.T, s *httpapitest.Server, w world) (path, link string, wav []byte) {
	t.Helper()
	wav = bytes.Repeat([]byte("RIFF....WAVE...."), 100)[:1000]
	sid := w.finished(t, s, nil, "2026/rec.wav")
	s.Recordings.Put("2026/rec.wav", wav)
	r := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(sid), Key: w.Key})
	link = r.Text("recording_url")
	u, err := url.Parse(link)
	if err != nil || u.Path != "/v1/calls/"+string(sid)+"/recording" {
		t.Fatalf("recording_url %q", link)
	}
	old := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid}})
	if old.Text("recordingUrls", 0) != link {
		t.Errorf("recordingUrls %v; recording_url %s", old.At("recordingUrls"), link)
	}
	return u.Path, u.RequestURI(), wav
}

func TestRecordingIsServedInRanges(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path, link, wav := recorded(t, s, w)
		whole := s.Do(t, request{Method: "GET", Path: link})
		expect(t, "whole", whole, http.StatusOK)
		if !bytes.Equal(whole.Body, wav) || whole.Header.Get("Content-Type") != "audio/wav" || whole.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("whole: %d bytes, %v", len(whole.Body), whole.Header)
		}
		for _, c := range []struct {
			header, contentRange string
			body                 []byte
		}{
			{"bytes=0-99", "bytes 0-99/1000", wav[:100]},
			{"bytes=900-", "bytes 900-999/1000", wav[900:]},
			{"bytes=-16", "bytes 984-999/1000", wav[984:]},
			{"bytes=500-5000", "bytes 500-999/1000", wav[500:]},
		} {
			r := s.Do(t, request{Method: "GET", Path: path, Key: w.Key, Header: map[string]string{"Range": c.header}})
			expect(t, c.header, r, http.StatusPartialContent)
			if !bytes.Equal(r.Body, c.body) || r.Header.Get("Content-Range") != c.contentRange {
				t.Errorf("%s: %d bytes, Content-Range %q; want %q", c.header, len(r.Body), r.Header.Get("Content-Range"), c.contentRange)
			}
		}
		beyond := s.Do(t, request{Method: "GET", Path: path, Key: w.Key, Header: map[string]string{"Range": "bytes=1000-"}})
		expectV1Error(t, "beyond the end", beyond, http.StatusRequestedRangeNotSatisfiable, "invalid")
		if beyond.Header.Get("Content-Range") != "bytes */1000" {
			t.Errorf("beyond the end: Content-Range %q", beyond.Header.Get("Content-Range"))
		}
		same := s.Do(t, request{Method: "GET", Path: path, Key: w.Key, Header: map[string]string{"If-None-Match": whole.Header.Get("Etag")}})
		expect(t, "the same copy", same, http.StatusNotModified)
		head := s.DoUndocumented(t, request{Method: "HEAD", Path: link})
		if head.Status != http.StatusOK || head.Header.Get("Content-Length") != "1000" {
			t.Errorf("HEAD: %d, Content-Length %q", head.Status, head.Header.Get("Content-Length"))
		}
	})
}

func TestRecordingLinkExpiresAndIsNotForged(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		path, link, _ := recorded(t, s, w)
		expectV1Error(t, "no credentials", s.Do(t, request{Method: "GET", Path: path}), http.StatusUnauthorized, "unauthenticated")
		expectV1Error(t, "bad credentials", s.Do(t, request{Method: "GET", Path: path, Key: "x"}), http.StatusUnauthorized, "unauthenticated")
		expectV1Error(t, "somebody else", s.Do(t, request{Method: "GET", Path: path, Key: eve.Key}), http.StatusNotFound, "not_found")
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		forge := func(what, key, value string) {
			t.Helper()
			f := url.Values{"expires": q["expires"], "signature": q["signature"]}
			f.Set(key, value)
			expectV1Error(t, what, s.Do(t, request{Method: "GET", Path: path + "?" + f.Encode()}), http.StatusForbidden, "forbidden")
		}
		forge("a later expiry", "expires", "9999999999")
		forge("an expiry that is none", "expires", "")
		forge("another signature", "signature", strings.Repeat("A", len(q.Get("signature"))))
		other := strings.Replace(link, string(path[len("/v1/calls/"):len("/v1/calls/")+34]), "CA00000000000000000000000000000000", 1)
		expectV1Error(t, "the signature of another call", s.Do(t, request{Method: "GET", Path: other}), http.StatusForbidden, "forbidden")
		s.Clock.Advance(22 * time.Hour)
		expect(t, "after 22 hours", s.Do(t, request{Method: "GET", Path: link}), http.StatusOK)
		s.Clock.Advance(3 * time.Hour)
		expectV1Error(t, "after 25 hours", s.Do(t, request{Method: "GET", Path: link}), http.StatusForbidden, "forbidden")
	})
}

func TestCallWithoutRecordingHasNone(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		sid := w.finished(t, s, nil, "")
		expectV1Error(t, "not recorded", s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(sid) + "/recording", Key: w.Key}), http.StatusNotFound, "not_found")
		lost := w.finished(t, s, nil, "lost.wav")
		expectV1Error(t, "the file is gone", s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(lost) + "/recording", Key: w.Key}), http.StatusNotFound, "not_found")
	})
}

func TestLinksStartWithThePublicURL(t *testing.T) {
	t.Parallel()
	s := newServer(t, store.SQLite, func(c *httpapi.Config) { c.PublicURL = "https://talk.example/" })
	a := s.Account(t, "john@host.example")
	r := s.Do(t, request{Method: "GET", Path: "/voices", Key: a.Key, Host: "evil.example"})
	if got := r.Text("voices", 0, "preview_url"); !strings.HasPrefix(got, "https://talk.example/voices/") {
		t.Errorf("preview_url %q", got)
	}
	if _, err := httpapi.New(httpapi.Config{PublicURL: "talk.example"}); err == nil {
		t.Error("a public URL without a scheme was taken")
	}
}
