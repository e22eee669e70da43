package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

// The bounds of a request.
const (
	defaultTimeout = 5 * time.Second
	maxAnswer      = 1 << 20
)

// exchange is one request of an http node. It runs to its end even when the reply that began it is closed, for the
// caller has agreed to it; the next reply then goes on from its outcome.
type exchange struct {
	node   *talkstack.FlowNode
	cancel context.CancelFunc
	done   chan struct{} // closed at the end; what follows is readable then
	saved  map[string]string
	err    error
}

// exchange is the request that the committed state waits for, begun if it was not. Nil: it waits for none.
func (b *Brain) exchange() *exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.cfg.Flow.Node(b.state.request)
	if n == nil || b.running != nil {
		return b.running
	}
	timeout := defaultTimeout
	if n.Request != nil && n.Request.Timeout > 0 {
		timeout = n.Request.Timeout.Duration()
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	x := &exchange{node: n, cancel: cancel, done: make(chan struct{})}
	b.running = x
	t := turn{brain: b, reader: b.reader(), state: b.state}
	vars := t.values(false)
	go func() {
		defer close(x.done)
		defer cancel()
		x.saved, x.err = b.send(ctx, n.Request, vars)
	}()
	return x
}

// resume follows the flow on from the outcome of x. The second of two replies that waited for it gets nothing.
func (b *Brain) resume(x *exchange) ([]brain.Piece, *state) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running != x {
		return nil, nil
	}
	b.running = nil
	t := &turn{brain: b, reader: b.reader(), state: b.state.clone()}
	t.state.request = ""
	switch {
	case x.err == nil:
		for name, v := range x.saved {
			t.state.slots[name] = v
		}
		t.advance(x.node.Next)
	default:
		b.cfg.Log.Warn("flow request failed", "node", x.node.ID, "error", x.err)
		if x.node.OnFail == "" {
			t.say(sayFailed)
		}
		t.advance(x.node.OnFail)
	}
	b.state = t.state
	return t.out, t.state
}

// send makes the request and reads what is to be saved from its answer.
func (b *Brain) send(ctx context.Context, r *talkstack.FlowRequest, vars map[string]any) (map[string]string, error) {
	if r == nil || b.cfg.HTTP == nil {
		return nil, errors.New("requests are not possible here")
	}
	req, err := newRequest(ctx, r, vars)
	if err != nil {
		return nil, err
	}
	resp, err := b.cfg.HTTP.Do(req)
	if err != nil {
		return nil, hideURL(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, fmt.Errorf("answered with status %d", resp.StatusCode)
	case len(body) > maxAnswer:
		return nil, errors.New("answer is larger than 1 MB")
	case len(r.Save) == 0:
		return nil, nil
	}
	return saved(body, r.Save)
}

// hideURL drops the URL from an error of the client: it holds what the caller said.
func hideURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// newRequest fills the placeholders, each value escaped for where it stands.
func newRequest(ctx context.Context, r *talkstack.FlowRequest, vars map[string]any) (*http.Request, error) {
	path, query, hasQuery := strings.Cut(r.URL, "?")
	target, _ := talkstack.ParseTemplate(path).FillEscaped(vars, url.PathEscape)
	if hasQuery {
		q, _ := talkstack.ParseTemplate(query).FillEscaped(vars, url.QueryEscape)
		target += "?" + q
	}
	escape := func(s string) string { return s }
	if isJSON(r) {
		escape = jsonText
	} else if strings.Contains(strings.ToLower(header(r, "Content-Type")), "x-www-form-urlencoded") {
		escape = url.QueryEscape
	}
	body, _ := talkstack.ParseTemplate(r.Body).FillEscaped(vars, escape)
	req, err := http.NewRequestWithContext(ctx, r.Method, target, strings.NewReader(body))
	if err != nil {
		return nil, hideURL(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.Headers {
		v, _ := talkstack.ParseTemplate(value).FillEscaped(vars, oneLine)
		req.Header.Set(name, v)
	}
	return req, nil
}

func header(r *talkstack.FlowRequest, name string) string {
	for k, v := range r.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// isJSON reports whether the request's body is JSON, which it is unless a header says otherwise.
func isJSON(r *talkstack.FlowRequest) bool {
	t := header(r, "Content-Type")
	return t == "" || strings.Contains(strings.ToLower(t), "json")
}

// jsonText escapes s for the inside of a JSON string.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil || len(b) < 2 {
		return ""
	}
	return string(b[1 : len(b)-1])
}

// oneLine keeps a value from adding header lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// saved reads the wanted values from a JSON answer. What is not there stays unset.
func saved(body []byte, save map[string]string) (map[string]string, error) {
	var answer any
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	values := map[string]string{}
	for name, path := range save {
		if v, ok := follow(answer, path); ok && v != nil {
			values[name] = talkstack.FormatValue(v)
		}
	}
	return values, nil
}

// follow walks a dotted path: "appointment.id", "items.0.name", "items[0].name".
func follow(v any, path string) (any, bool) {
	path = strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimSpace(path))
	for part := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[part]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}
