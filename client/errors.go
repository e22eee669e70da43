package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"talkstack"
)

// StatusError is what HTTP says of a refusal: the cause of a *talkstack.Error, to be found by errors.AsType.
type StatusError struct {
	Status     int           // HTTP status
	RetryAfter time.Duration // the server asks to come back after it; 0: it does not
	// The enums of signing up, verifying and logging in; nil on other requests.
	Signup       *SignupStatus
	Verification *VerificationStatus
	Login        *LoginStatus
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d", e.Status) }

// refusal makes an error of an answer outside 2xx.
func refusal(resp *http.Response, answer []byte, now time.Time) *talkstack.Error {
	var told struct {
		Message      string                 `json:"message"`
		Code         talkstack.Code         `json:"code"` // /v1 only
		Errors       []talkstack.FieldError `json:"errors"`
		Signup       *SignupStatus          `json:"signupStatus"`
		Verification *VerificationStatus    `json:"verificationStatus"`
		Login        *LoginStatus           `json:"loginStatus"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || told.Message == "" {
		told.Message = "The server answered " + strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode) + "."
	}
	if told.Code == "" {
		told.Code = codeOf(resp.StatusCode)
	}
	return &talkstack.Error{
		Code: told.Code, Message: told.Message, Fields: told.Errors,
		Err: &StatusError{
			Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now),
			Signup: told.Signup, Verification: told.Verification, Login: told.Login,
		},
	}
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(n, 0), 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
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
