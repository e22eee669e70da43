package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"code.dny.dev/ssrf"

	"talkstack/internal/store"
)

const (
	// maxAnswer is how much of an answer is read, in bytes: enough to use the connection again, and for a look at it.
	maxAnswer = 4 << 10
	// maxShown is how much of a refusal's body the project's owner is shown, in bytes.
	maxShown = 200
)

// newClient makes requests to addresses that users give. Addresses of private networks are refused after the name was
// looked up, unless they are allowed; proxies are not used, redirects not followed.
func newClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !private {
		dialer.Control = ssrf.New(ssrf.WithAnyPort()).Safe
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, DisableCompression: true,
			MaxIdleConns: 1000, MaxIdleConnsPerHost: store.Lanes, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what came back from a receiver.
type answer struct {
	status     int           // 0: none came
	problem    string        // why it does not count as a success, for people; empty: it does
	retryAfter time.Duration // asked for; 0: not
}

// send makes one request.
func (w *Worker) send(ctx context.Context, s *store.Sending, body []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, w.RequestLimit)
	defer cancel()
	now := w.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Project.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return answer{problem: "The webhook URL is not a URL."}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Talkstack/"+w.Version)
	r.Header.Set("Webhook-Id", string(s.ID))
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	signed, err := signatures(&s.Project, s.ID, now, body)
	if err != nil {
		return answer{problem: "The project's webhook secret can not be used: rotate it."}
	}
	r.Header.Set("Webhook-Signature", signed)
	resp, err := w.client.Do(r)
	if err != nil {
		return answer{problem: w.explain(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status has come, and it alone counts
	a := answer{status: resp.StatusCode, retryAfter: retryAfter(resp, now)}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		a.problem = refusal(resp, text)
	}
	return a
}

// refusal describes an answer that is no success.
func refusal(resp *http.Response, body []byte) string {
	s := fmt.Sprintf("The receiver answered %d %s.", resp.StatusCode, http.StatusText(resp.StatusCode))
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		s += " Redirects are not followed: set the URL that it leads to."
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
	if len(text) > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	if text != "" {
		s += " Its body: " + text
	}
	return s
}

// explain says why no answer came, in the words of who set the URL.
func (w *Worker) explain(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL: it may hold a secret of the receiver's
	}
	if errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) {
		return "The receiver is in a private network, which webhooks may not reach."
	}
	if e, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout() {
		return fmt.Sprintf("No answer came within %v.", w.RequestLimit)
	}
	return fmt.Sprintf("The receiver could not be reached: %v.", err)
}

// retryAfter is when a receiver asks to be tried again, in seconds or as a date (RFC 9110 section 10.2.3).
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	v := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}
