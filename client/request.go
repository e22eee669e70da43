package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"talkstack"
)

const (
	// firstPause is the pause before the second try; each further one doubles it, up to maxPause.
	firstPause = 250 * time.Millisecond
	maxPause   = 4 * time.Second
	// maxRetryAfter is the longest pause that is made because the server asks for it. When it asks for more, its refusal
	// is returned.
	maxRetryAfter = 30 * time.Second
)

// RequestOption changes one request.
type RequestOption func(*request)

// WithIdempotencyKey names a request that makes something. Sent again with the same key and content within 24 hours, also
// by another process, it makes nothing new and answers with what the first one made. Without this option each call of a
// method has a random key of its own, which covers its own repetitions.
func WithIdempotencyKey(key string) RequestOption { return func(r *request) { r.idempotencyKey = key } }

// WithHeader sets a header of the request: "Range", for a part of a recording.
func WithHeader(name, value string) RequestOption {
	return func(r *request) { r.header.Set(name, value) }
}

// request is one request, which may take several tries.
type request struct {
	method, path   string
	query          url.Values
	in             any // sent as JSON; nil: no body
	out            any // decoded from the answer; nil: none is expected
	refused        any // decoded from a refusal; nil: its message is enough
	upload         *upload
	header         http.Header
	idempotencyKey string
	repeat         bool // sending it twice does no harm
	open           bool // without credentials
	bearer         bool // by a token only
	long           bool // it takes as long as it takes: the context alone ends it

	sent talkstack.Secret // the token that the last try went by
}

func get(path string, out any) *request {
	return &request{method: http.MethodGet, path: path, out: out, header: http.Header{}, repeat: true}
}

// send is a request with a body that is not safe to repeat; ask, set and del are.
func send(method, path string, in, out any) *request {
	return &request{method: method, path: path, in: in, out: out, header: http.Header{}}
}

// ask is a POST that only reads.
func ask(path string, in, out any) *request { return set(http.MethodPost, path, in, out) }

// set says what something becomes, so that saying it twice changes nothing more.
func set(method, path string, in, out any) *request {
	r := send(method, path, in, out)
	r.repeat = true
	return r
}

func del(path string, in, out any) *request { return set(http.MethodDelete, path, in, out) }

// create is a POST that makes something, once.
func create(path string, in, out any, options []RequestOption) *request {
	r := send(http.MethodPost, path, in, out)
	r.idempotencyKey, r.repeat = rand.Text(), true
	return r.with(options)
}

func (r *request) with(options []RequestOption) *request {
	for _, o := range options {
		o(r)
	}
	return r
}

// call sends a request and decodes its answer. Its errors are of type *talkstack.Error.
func (c *Client) call(ctx context.Context, r *request) error {
	answer, err := try(ctx, c, r, func(ctx context.Context) ([]byte, error) {
		if !r.long {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, requestLimit)
			defer stop()
		}
		resp, err := c.once(ctx, r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return nil, &lostError{talkstack.WrapError(talkstack.CodeUnavailable, err, "The server's answer broke off.")}
		}
		return answer, nil
	})
	if err != nil || r.out == nil || answer == nil {
		return err
	}
	return c.decode(answer, r.out)
}

// download sends a request and returns its answer, whose body is still to be read, for as long as that takes. The answer
// has requestLimit to begin.
func (c *Client) download(ctx context.Context, r *request) (*http.Response, error) {
	return try(ctx, c, r, func(ctx context.Context) (*http.Response, error) { return c.open(ctx, r) })
}

// open is download without repetition.
func (c *Client) open(ctx context.Context, r *request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	limit := time.AfterFunc(requestLimit, cancel)
	resp, err := c.once(ctx, r)
	limit.Stop()
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &body{resp.Body, cancel}
	return resp, nil
}

// body frees what its request holds when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func (c *Client) decode(answer []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(answer))
	if c.strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(out); err != nil {
		return talkstack.WrapError(talkstack.CodeInternal, err, "The server's answer is not what the API documents.")
	}
	return nil
}

// lostError is a failure without a whole answer: the request may have been carried out.
type lostError struct{ told *talkstack.Error }

func (e *lostError) Error() string { return e.told.Error() }
func (e *lostError) Unwrap() error { return e.told }

// try sends a request again and again while that may help.
func try[T any](ctx context.Context, c *Client, r *request, once func(context.Context) (T, error)) (T, error) {
	lost := false // whether a try before this one may have been carried out
	renewed := false
	for n := 1; ; n++ {
		answer, err := once(ctx)
		if err == nil {
			return answer, nil
		}
		if !renewed && talkstack.ErrorCode(err) == talkstack.CodeUnauthenticated && c.usesToken(r) && r.rewind(ctx) {
			renewed = true
			if c.renew(ctx, r.sent) == nil {
				n--
				continue
			}
		}
		if lost && r.method == http.MethodDelete && talkstack.ErrorCode(err) == talkstack.CodeNotFound {
			var gone T // by the try whose answer was lost
			return gone, nil
		}
		pause, ok := again(r, err, n)
		if !ok || n >= c.tries || ctx.Err() != nil || !r.rewind(ctx) {
			return answer, plain(err)
		}
		lost = true
		if wait(ctx, pause) != nil {
			return answer, plain(err)
		}
	}
}

// plain takes the mark of a lost answer off.
func plain(err error) error {
	if l, ok := errors.AsType[*lostError](err); ok {
		return l.told
	}
	return err
}

// again reports whether a failed request may be sent once more, and after which pause.
func again(r *request, err error, n int) (time.Duration, bool) {
	if !r.repeat {
		return 0, false
	}
	pause := pauseAfter(n)
	if _, ok := errors.AsType[*lostError](err); ok {
		return pause, true
	}
	refused, ok := errors.AsType[*StatusError](err)
	if !ok {
		return 0, false
	}
	switch refused.Status {
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return max(pause, refused.RetryAfter), refused.RetryAfter <= maxRetryAfter
	}
	return 0, false
}

// pauseAfter is the pause after the nth failure: spread, so that clients do not come back all at once.
func pauseAfter(n int) time.Duration {
	pause := min(firstPause<<(n-1), maxPause)
	return pause/2 + mathrand.N(pause/2+1)
}

// wait pauses, unless the context ends first.
func wait(ctx context.Context, pause time.Duration) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// once sends a request one time and returns an answer of 2xx.
func (c *Client) once(ctx context.Context, r *request) (*http.Response, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if r.upload != nil && r.upload.failed() != nil {
			return nil, talkstack.WrapError(talkstack.CodeInvalid, r.upload.failed(), "The sheet cannot be read.")
		}
		return nil, &lostError{talkstack.WrapError(talkstack.CodeUnavailable, err, "No server answers at "+c.base+".")}
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		answer = nil // its status says enough
	}
	if r.refused != nil {
		_ = json.Unmarshal(answer, r.refused) // a proxy's answer leaves it empty
	}
	return nil, refusal(resp, answer, time.Now())
}

// build makes the HTTP request of one try.
func (c *Client) build(ctx context.Context, r *request) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch {
	case r.upload != nil:
		body, kind = r.upload.start()
	case r.in != nil:
		b, err := json.Marshal(r.in)
		if err != nil {
			return nil, talkstack.WrapError(talkstack.CodeInvalid, err, "The request has no JSON form.")
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, talkstack.WrapError(talkstack.CodeInvalid, err, "The request cannot be made.")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", r.idempotencyKey)
	}
	switch {
	case r.open:
	case c.usesToken(r):
		token, err := c.token(ctx)
		if err != nil {
			return nil, err
		}
		if r.sent = token; token != "" {
			req.Header.Set("Authorization", "Bearer "+token.Reveal())
		}
	default:
		req.Header.Set("X-Api-Key", c.key.Reveal())
	}
	return req, nil
}

// rewind makes a request ready for another try.
func (r *request) rewind(ctx context.Context) bool { return r.upload == nil || r.upload.rewind(ctx) }

// segment is a value as a part of a path.
func segment[T ~string](v T) string { return url.PathEscape(string(v)) }
