// Package client is a Go client of the Talkstack API and of /v1. Every operation of the server's OpenAPI document has a
// method of its name: those of the Talkstack API on Client, those of /v1 on V1. It owns requests, their repetition and
// the tokens of a login; it keeps nothing else between calls.
//
//	api, err := client.New("http://127.0.0.1:8080", key)
//	call, err := api.V1().PlaceCall(ctx, client.V1PlaceCallRequest{To: "+14155550148", ProjectID: project})
//	for event, err := range api.V1().CallEvents(ctx, call.SID, "") { … }
//
// Errors are of type *talkstack.Error: its code says what kind of failure it is, its fields which ones are wrong, and
// errors.AsType[*client.StatusError] what HTTP said. A request that cannot do harm twice is sent again when its answer is
// lost or the server answers 502, 503 or 504: reads, and what makes something, which carries an Idempotency-Key.
package client

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"talkstack"
)

// Client talks to one server with one account's credentials. It may be used by many goroutines.
type Client struct {
	base    string
	key     talkstack.Secret // sent as x-api-key
	session *session         // of a login; used when there is no key, and where the API wants a token
	http    *http.Client
	strict  bool
	tries   int
}

// V1 is the /v1 family: everything the Talkstack API has no endpoint for, in a style of its own.
type V1 struct{ c *Client }

// Option changes how a Client works.
type Option func(*Client)

const (
	// requestLimit bounds each try of a request, but for uploads, downloads and events. Placing a call answers as soon as
	// the call is stored.
	requestLimit = 30 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 20
	// defaultTries is how often a request is sent at most.
	defaultTries = 4
)

// WithHTTPClient sets what sends the requests, for a proxy or certificates of your own. Its redirects are not followed,
// because they would carry the key elsewhere; a Timeout of it would cut off streams of events.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) {
		own := *h
		c.http = &own
	}
}

// WithTries sets how often a request that may be repeated is sent at most; 1: never again.
func WithTries(n int) Option { return func(c *Client) { c.tries = max(n, 1) } }

// WithStrictAnswers makes an answer with a field that this client does not know an error: for tests against a server. A
// client in use ignores such fields, so that servers may add some.
func WithStrictAnswers() Option { return func(c *Client) { c.strict = true } }

// New makes a client of the server at base ("http://127.0.0.1:8080"). An empty key is for a client that logs in.
func New(base string, key talkstack.Secret, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "%q is not the http or https address of a server.", base)
	}
	c := &Client{
		base: strings.TrimRight(base, "/"), key: key, session: newSession(), http: &http.Client{}, tries: defaultTries,
	}
	for _, o := range options {
		o(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// V1 is the /v1 family with the same credentials.
func (c *Client) V1() V1 { return V1{c} }
