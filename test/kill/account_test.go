package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// api speaks to whichever node answers.
type api struct {
	nodes []*node
	key   string
	next  int
}

// refusedError is an answer that says no; anything else that goes wrong may work at another node, or later.
type refusedError struct {
	status int
	body   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// try asks one node once.
func (a *api) try(ctx context.Context, method, path string, in, out any, header http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	a.next++
	req, err := http.NewRequestWithContext(ctx, method, a.nodes[a.next%len(a.nodes)].address()+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if a.key != "" {
		req.Header.Set("X-Api-Key", a.key)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusServiceUnavailable || resp.StatusCode/100 == 4 {
		return &refusedError{resp.StatusCode, string(answer)}
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// do asks until it has an answer. A request that makes something must carry an Idempotency-Key: it may be asked twice.
func (a *api) do(ctx context.Context, t testing.TB, method, path string, in, out any, header http.Header) {
	t.Helper()
	for {
		err := a.try(ctx, method, path, in, out, header)
		if err == nil {
			return
		}
		var refused *refusedError
		if errors.As(err, &refused) || ctx.Err() != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return
		}
	}
}

// copyOf is another caller of the same account.
func (a *api) copyOf() *api { return &api{nodes: a.nodes, key: a.key} }

// signUp makes an account the way a customer does: the code comes by mail.
func signUp(t testing.TB, nodes []*node, outboxes []string, n int) *api {
	t.Helper()
	ctx, a := t.Context(), &api{nodes: nodes}
	email, password := fmt.Sprintf("founder%d@clinic.example", n), "correct horse battery"
	a.do(ctx, t, http.MethodPost, "/auth/signup", map[string]string{"email": email, "password": password, "name": "Founder"}, nil, nil)
	a.do(ctx, t, http.MethodPost, "/auth/verify-email", map[string]string{"email": email, "code": mailedCode(t, outboxes, email)}, nil, nil)
	var login struct{ Token string }
	a.do(ctx, t, http.MethodPost, "/auth/login", map[string]string{"email": email, "password": password}, &login, nil)
	var key struct{ APIKey string }
	a.do(ctx, t, http.MethodGet, "/user/generate-apikey", nil, &key, http.Header{"Authorization": {"Bearer " + login.Token}})
	a.key = key.APIKey
	return a
}

// mailedCode is the code in the only mail to an address.
func mailedCode(t testing.TB, dataDirs []string, email string) string {
	t.Helper()
	code := regexp.MustCompile(`code is: ([A-Z0-9]{6})`)
	for _, dir := range dataDirs {
		mails, err := filepath.Glob(filepath.Join(dir, "outbox", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, mail := range mails {
			text, err := os.ReadFile(mail)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "<"+email+">") {
				continue
			}
			if m := code.FindStringSubmatch(string(text)); m != nil {
				return m[1]
			}
			t.Fatalf("no code in the mail:\n%s", text)
		}
	}
	t.Fatal("no mail was sent to " + email)
	return ""
}

// project is one customer's project with an agent and a number.
type project struct {
	ID, Agent, Number string
	owner             *api
}

func (a *api) makeProject(t testing.TB, n, maxCalls int, webhook string) project {
	t.Helper()
	ctx := t.Context()
	var made struct{ Data struct{ ID string } }
	a.do(ctx, t, http.MethodPost, "/project/create-project", map[string]string{"name": fmt.Sprintf("Clinic %d", n), "description": ""}, &made, nil)
	p := project{ID: made.Data.ID, Number: fmt.Sprintf("+1415555010%d", n), owner: a}
	a.do(ctx, t, http.MethodPost, "/agent/create-agent", map[string]string{
		"name": "Jack", "systemInstruction": "You are Jack. Say hello.", "projectId": p.ID, "phoneNumber": p.Number,
	}, &made, nil)
	p.Agent = made.Data.ID
	a.do(ctx, t, http.MethodPatch, "/v1/projects/"+p.ID, map[string]any{"max_calls": maxCalls}, nil, nil)
	if webhook == "" {
		return p
	}
	a.do(ctx, t, http.MethodPost, "/project/call-status/add-webhookurl", map[string]string{"projectId": p.ID, "webhookURL": webhook}, nil, nil)
	return p
}
