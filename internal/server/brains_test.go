package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What an agent's flow asks for must not reach this machine's own network, unless that is allowed.
func TestRequestsOfAgentsStayOutside(t *testing.T) {
	t.Parallel()
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer inside.Close()
	get := func(private bool) (*http.Response, error) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, inside.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return outsideClient(private).Do(req)
	}
	if resp, err := get(false); err == nil {
		_ = resp.Body.Close()
		t.Fatal("a request reached the loopback address")
	}
	if asked != 0 {
		t.Fatal("the refused request arrived")
	}
	resp, err := get(true)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if asked != 1 || resp.StatusCode != http.StatusFound {
		t.Errorf("%d requests, status %d: want one, and its redirect not followed", asked, resp.StatusCode)
	}
}
