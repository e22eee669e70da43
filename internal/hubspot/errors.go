package hubspot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"talkstack"
)

// apiError is an answer of HubSpot that is not a success. All fields but the status may be missing (error handling guide).
type apiError struct {
	method, path string
	status       int
	Status       string `json:"status"` // "error", or a code such as BAD_REFRESH_TOKEN
	Code         string `json:"error"`  // of OAuth (RFC 6749 section 5.2)
	Message      string `json:"message"`
	Description  string `json:"error_description"`
	Category     string `json:"category"`
	SubCategory  any    `json:"subCategory"`
	Policy       string `json:"policyName"` // the limit that was passed
	Correlation  string `json:"correlationId"`
	retryAfter   time.Duration
}

// maxMessage bounds what is kept of HubSpot's words, in bytes.
const maxMessage = 500

func newAPIError(req *http.Request, resp *http.Response, body []byte) *apiError {
	e := &apiError{}
	_ = json.Unmarshal(body, e) // an answer that is no JSON, as of a proxy, has its status alone
	e.method, e.path, e.status = req.Method, req.URL.Path, resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.retryAfter = time.Duration(min(seconds, int(maxPause/time.Second))) * time.Second
	}
	return e
}

func (e *apiError) Error() string {
	// HubSpot's message is left out: it repeats values, which are personal data
	return fmt.Sprintf("hubspot: %s %s: status %d, category %q, correlation id %q", e.method, e.path, e.status, e.Category, e.Correlation)
}

// text is HubSpot's own explanation, for people.
func (e *apiError) text() string {
	for _, t := range []string{e.Message, e.Description, e.Category, e.Code, e.Status} {
		if t != "" && t != "error" {
			if len(t) > maxMessage {
				t = strings.ToValidUTF8(t[:maxMessage], "") + "…"
			}
			return t
		}
	}
	return http.StatusText(e.status)
}

// Statuses of HubSpot's own.
const (
	statusLocked    = 423 // the record is being worked on: at least 2 s
	statusMigration = 477 // the portal moves to another data centre: Retry-After
)

// Pauses that HubSpot's limits ask for. A 429 tells which limit was passed; Retry-After is not documented for clients,
// and honoured when it is there.
const (
	lockedPause   = 2 * time.Second
	secondPause   = time.Second      // the search's own limit, "secondly"
	rollingPause  = 10 * time.Second // TEN_SECONDLY_ROLLING
	dailyPause    = time.Hour        // DAILY: ends at midnight in the portal's time zone, which we do not know
	maxPause      = 24 * time.Hour
	migrationWait = 10 * time.Minute
)

// pause is how long the account must keep still; 0: HubSpot asks for none.
func (e *apiError) pause() time.Duration {
	if e.status != http.StatusTooManyRequests && e.status != statusMigration {
		return 0
	}
	switch {
	case e.retryAfter > 0:
		return e.retryAfter
	case e.status == statusMigration:
		return migrationWait
	case e.Policy == "DAILY":
		return dailyPause
	case e.Policy == "SECONDLY" || e.Policy == "" && strings.Contains(e.Message, "secondly limit") && !strings.Contains(e.Message, "ten_secondly"):
		return secondPause
	}
	return rollingPause
}

// refused reports whether the token is at fault: only connecting again helps.
func (e *apiError) refused() bool {
	return e.status == http.StatusUnauthorized || e.status == http.StatusForbidden && e.Category == "MISSING_SCOPES"
}

// grantRefused reports whether a token request failed because of the account's code or token, and not because of the
// app's own credentials, which are the operator's.
func (e *apiError) grantRefused() bool {
	if e.status < 400 || e.status > 499 || e.pause() > 0 {
		return false
	}
	for _, t := range []string{e.Code, e.Status, e.Category} {
		switch t {
		case "invalid_grant", "BAD_REFRESH_TOKEN", "BAD_AUTH_CODE", "EXPIRED_AUTH_CODE", "INVALID_GRANT":
			return true
		}
	}
	return false
}

// permanent reports whether the same request would be refused again.
func (e *apiError) permanent() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusConflict, statusLocked, http.StatusTooEarly, http.StatusTooManyRequests, statusMigration:
		return false
	}
	return e.status >= 400 && e.status <= 499
}

// answered reports whether HubSpot itself has refused a request, so that it is certain that nothing was made. After a
// fault of the network or the server it is not.
func answered(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.status >= 400 && e.status <= 499 && e.status != http.StatusRequestTimeout
}

// isPermanent reports whether HubSpot refuses the request, and neither the token nor the moment is at fault.
func isPermanent(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.permanent() && !e.refused()
}

func isStatus(err error, status int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.status == status
}

// explain is an error's text for the account's owner.
func explain(err error) string {
	if e, ok := errors.AsType[*apiError](err); ok {
		return fmt.Sprintf("HubSpot answered %d: %s", e.status, e.text())
	}
	if e, ok := errors.AsType[*talkstack.Error](err); ok {
		return e.Message
	}
	return "HubSpot could not be reached."
}
