// Package client is a Go client of the Talkstack API and of /v1: signing in, placing a call and following it. It owns
// requests and answers on the wire; it keeps nothing between calls but the credentials.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"talkstack"
)

// Client talks to one server with one account's credentials. It may be used by many goroutines, but Login must not run
// beside other methods.
type Client struct {
	base  string
	key   talkstack.Secret // sent as x-api-key
	token talkstack.Secret // sent as Bearer when there is no key
	http  *http.Client
}

// requestLimit bounds each request. Placing a call answers as soon as the call is stored.
const requestLimit = 30 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 20

// New makes a client of the server at base ("http://127.0.0.1:8080"). An empty key is for a client that logs in.
func New(base string, key talkstack.Secret) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, talkstack.Errorf(talkstack.CodeInvalid, "%q is not the http or https address of a server.", base)
	}
	return &Client{base: strings.TrimRight(base, "/"), key: key, http: &http.Client{Timeout: requestLimit}}, nil
}

// Login signs in with a password; the token it gets is valid for 2 hours.
func (c *Client) Login(ctx context.Context, email string, password talkstack.Secret) error {
	var answer struct {
		Token string `json:"token"`
	}
	body := map[string]string{"email": email, "password": password.Reveal()}
	if err := c.do(ctx, http.MethodPost, "/auth/login", body, &answer); err != nil {
		return err
	}
	c.token = talkstack.Secret(answer.Token)
	return nil
}

// Project is one of the account's projects.
type Project struct {
	ID   talkstack.ProjectID `json:"id"`
	Name string              `json:"name"`
}

// Projects are the account's projects.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	var answer struct {
		Data []Project `json:"data"`
	}
	if err := c.do(ctx, http.MethodGet, "/project", nil, &answer); err != nil {
		return nil, err
	}
	return answer.Data, nil
}

// MakeCallRequest asks for an outbound call.
type MakeCallRequest struct {
	Number           string              `json:"number"` // E.164
	ProjectID        talkstack.ProjectID `json:"projectId"`
	AgentID          talkstack.AgentID   `json:"agentId,omitempty"` // empty: the project's active agent
	DynamicVariables map[string]any      `json:"dynamicVariables,omitempty"`
}

// MakeCall places a call and returns its id. The call is stored and queued when it returns, not answered.
func (c *Client) MakeCall(ctx context.Context, req MakeCallRequest) (talkstack.CallSID, error) {
	var answer struct {
		Call struct {
			ID talkstack.CallSID `json:"call_id"`
		} `json:"call"`
	}
	if err := c.do(ctx, http.MethodPost, "/call/makeCall", req, &answer); err != nil {
		return "", err
	}
	return answer.Call.ID, nil
}

// Call is a call as /v1 shows it.
type Call struct {
	SID       talkstack.CallSID    `json:"sid"`
	Direction talkstack.Direction  `json:"direction"`
	Status    talkstack.CallStatus `json:"status"`
	EndReason *talkstack.EndReason `json:"end_reason"` // nil until it has ended
	From      string               `json:"from"`
	To        string               `json:"to"`
	Seconds   float64              `json:"duration_seconds"`
	Recording string               `json:"recording_url"` // a link that expires; empty: none
	Latency   struct {
		P50   *int64 `json:"p50_ms"` // nil: no turn was measured
		P95   *int64 `json:"p95_ms"`
		Turns int    `json:"turns"`
	} `json:"latency"`
}

// Call reads a call.
func (c *Client) Call(ctx context.Context, sid talkstack.CallSID) (Call, error) {
	var call Call
	err := c.do(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(string(sid)), nil, &call)
	return call, err
}

// Turn is what one party said.
type Turn struct {
	Role        talkstack.Role         `json:"role"`
	Text        string                 `json:"text"`
	Start       talkstack.Milliseconds `json:"start_ms"` // from the start of the call's media
	End         talkstack.Milliseconds `json:"end_ms"`
	Interrupted bool                   `json:"interrupted"`
	Latency     *TurnLatency           `json:"latency"` // agent turns that answer the caller; nil for others
}

// TurnLatency is how long the caller waited for an answer. The stages follow each other and add up to Total.
type TurnLatency struct {
	Endpointing   talkstack.Milliseconds `json:"endpointing_ms"`
	ASRFinal      talkstack.Milliseconds `json:"asr_final_ms"`
	LLMFirstToken talkstack.Milliseconds `json:"llm_first_token_ms"`
	TTSFirstByte  talkstack.Milliseconds `json:"tts_first_byte_ms"`
	Playout       talkstack.Milliseconds `json:"playout_ms"`
	Total         talkstack.Milliseconds `json:"total_ms"`
}

// Transcript reads what was said in a call so far.
func (c *Client) Transcript(ctx context.Context, sid talkstack.CallSID) ([]Turn, error) {
	var answer struct {
		Data []Turn `json:"data"`
	}
	err := c.do(ctx, http.MethodGet, "/v1/calls/"+url.PathEscape(string(sid))+"/transcript", nil, &answer)
	return answer.Data, err
}

// Watch reads a call again and again until it has ended, and gives each state that differs from the one before to seen.
// A server that is away for a moment is asked again; the error of the third failure in a row is returned.
func (c *Client) Watch(ctx context.Context, sid talkstack.CallSID, every time.Duration, seen func(Call)) (Call, error) {
	const patience = 3
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last talkstack.CallStatus
	for failures := 0; ; {
		call, err := c.Call(ctx, sid)
		switch {
		case err == nil:
			failures = 0
			if call.Status != last {
				last = call.Status
				seen(call)
			}
			if call.Status.Final() {
				return call, nil
			}
		case talkstack.ErrorCode(err) != talkstack.CodeUnavailable:
			return call, err
		default:
			if failures++; failures == patience {
				return call, err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return call, context.Cause(ctx)
		}
	}
}

// do sends a request and decodes the answer into out. Its errors are of type *talkstack.Error.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return talkstack.WrapError(talkstack.CodeInvalid, err, "The request has no JSON form.")
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return talkstack.WrapError(talkstack.CodeInvalid, err, "The request cannot be made.")
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case c.key != "":
		req.Header.Set("X-Api-Key", c.key.Reveal())
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "No server answers at "+c.base+".")
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "The server's answer broke off.")
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return talkstack.WrapError(talkstack.CodeInternal, err, "The server's answer is not what the API documents.")
	}
	return nil
}

// refusal makes an error of an answer outside 2xx.
func refusal(resp *http.Response, answer []byte) error {
	var told struct {
		Message string                 `json:"message"`
		Errors  []talkstack.FieldError `json:"errors"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || told.Message == "" {
		told.Message = "The server answered " + resp.Status + "."
	}
	return &talkstack.Error{
		Code: codeOf(resp.StatusCode), Message: told.Message, Fields: told.Errors,
		Err: errors.New(fmt.Sprint("status ", resp.StatusCode)),
	}
}

func codeOf(status int) talkstack.Code {
	switch status {
	case http.StatusUnauthorized:
		return talkstack.CodeUnauthenticated
	case http.StatusForbidden:
		return talkstack.CodeForbidden
	case http.StatusNotFound:
		return talkstack.CodeNotFound
	case http.StatusConflict:
		return talkstack.CodeConflict
	case http.StatusTooManyRequests:
		return talkstack.CodeLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return talkstack.CodeUnavailable
	}
	if status >= http.StatusInternalServerError {
		return talkstack.CodeInternal
	}
	return talkstack.CodeInvalid
}
