package hubspot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"talkstack"
)

// apiVersion is the dated version in all paths (developers.hubspot.com, "API versioning"). Each is supported for 18 months.
const apiVersion = "2026-03"

// Where HubSpot is, unless the settings say otherwise.
const (
	DefaultBaseURL = "https://api.hubapi.com"
	DefaultAppURL  = "https://app.hubspot.com"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// client speaks HTTP with HubSpot. It knows nothing of accounts: each request names its token.
type client struct {
	http   *http.Client
	base   string // without a slash at its end
	id     string // of our app, for OAuth
	secret talkstack.Secret
}

// call sends a JSON request with a token and decodes the answer into out. in and out may be nil. Any status but 2xx is an
// *apiError.
func (c *client) call(ctx context.Context, token talkstack.Secret, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("hubspot: %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("hubspot: %s: %w", path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	return c.send(req, out)
}

// form sends the form of an OAuth endpoint, with the app's credentials in it.
func (c *client) form(ctx context.Context, path string, values url.Values, out any) error {
	values.Set("client_id", c.id)
	values.Set("client_secret", c.secret.Reveal())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(values.Encode()))
	if err != nil {
		return fmt.Errorf("hubspot: %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(req, out)
}

func (c *client) send(req *http.Request, out any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		// a *url.Error names the address, which is the operator's, and never the body or a header
		return fmt.Errorf("hubspot: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("hubspot: read the answer of %s: %w", req.URL.Path, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return newAPIError(req, resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("hubspot: answer of %s: %w", req.URL.Path, err)
	}
	return nil
}
