package httpapi

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"talkstack/internal/auth"
)

// The documented enums (spec section 9). The same word has different numbers in different enums.
type (
	signupStatus       int
	verificationStatus int
	loginStatus        int
)

// Values of SIGNUP_STATUS.
const (
	signupCredentialsMissing signupStatus = 0
	signupAccountExists      signupStatus = 1
	signupEmailNotVerified   signupStatus = 2
	signupSuccess            signupStatus = 3
	signupFailed             signupStatus = 4
	signupInvalidEmail       signupStatus = 5
	signupEmailNotSent       signupStatus = 6
)

// Values of EMAIL_VERIFICATION_STATUS.
const (
	verifyCredentialsMissing verificationStatus = 0
	verifyInvalidCode        verificationStatus = 1
	verifySuccess            verificationStatus = 2
	verifyResendInvite       verificationStatus = 3
	verifyAccountExists      verificationStatus = 4
	verifyAccountNotFound    verificationStatus = 5
)

// Values of LOGIN_STATUS. ACCOUNT_ALREADY_EXISTS (1) is never sent.
const (
	loginCredentialsMissing loginStatus = 0
	loginNotVerified        loginStatus = 2
	loginUserNotFound       loginStatus = 3
	loginInvalidPassword    loginStatus = 4
	loginHubSpotFailed      loginStatus = 5
	loginHubSpotConnected   loginStatus = 6
	loginSuccess            loginStatus = 7
	loginFailed             loginStatus = 8
	loginInvalidEmail       loginStatus = 9
)

func enumSchema(description string, last int) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeInteger, Description: description}
	for i := range last + 1 {
		s.Enum = append(s.Enum, i)
	}
	return s
}

// Schema documents the values.
func (signupStatus) Schema(huma.Registry) *huma.Schema {
	return enumSchema("0 CREDENTIALS_MISSING, 1 ACCOUNT_ALREADY_EXISTS, 2 EMAIL_NOT_VERIFIED, 3 SUCCESS, 4 SIGNUP_FAILED, 5 INVALID_EMAIL, 6 EMAIL_NOT_SENT", 6)
}

// Schema documents the values.
func (verificationStatus) Schema(huma.Registry) *huma.Schema {
	return enumSchema("0 CREDENTIALS_MISSING, 1 INVALID_CODE, 2 SUCCESS, 3 RESEND_INVITE, 4 ACCOUNT_EXISTS, 5 ACCOUNT_NOT_FOUND", 5)
}

// Schema documents the values.
func (loginStatus) Schema(huma.Registry) *huma.Schema {
	return enumSchema("0 CREDENTIALS_MISSING, 1 ACCOUNT_ALREADY_EXISTS, 2 ACCOUNT_NOT_VERIFIED, 3 USER_NOT_FOUND, 4 INVALID_PASSWORD, 5 HUBSPOT_INTEGRATION_FAILED, 6 HUBSPOT_INTEGRATION_SUCCESS, 7 SUCCESS, 8 LOGIN_FAILED, 9 INVALID_EMAIL", 9)
}

// The shapes below add the endpoint's enum to an error. The table of HTTP statuses is the one of spec section 9:
// the Talkstack API knows no 409, so a clash is a 400.

func signupShape(f failure) huma.StatusError {
	status := signupFailed
	switch {
	case errors.Is(f.cause, auth.ErrAccountExists):
		status = signupAccountExists
	case errors.Is(f.cause, auth.ErrNotVerified):
		status = signupEmailNotVerified
	case errors.Is(f.cause, auth.ErrMalformedEmail):
		status = signupInvalidEmail
	case errors.Is(f.cause, auth.ErrMailNotSent):
		status = signupEmailNotSent
	case f.status < http.StatusInternalServerError && f.status != http.StatusTooManyRequests:
		status = signupCredentialsMissing
	}
	f.status = asInternal(asBadRequest(f.status))
	return &signupError{TalkstackError: *newError(f), SignupStatus: status}
}

func verifyShape(f failure) huma.StatusError {
	if f.status >= http.StatusInternalServerError {
		return talkstackShape(f) // the enum has no value for a fault of ours
	}
	status := verifyCredentialsMissing
	switch {
	case errors.Is(f.cause, auth.ErrUnknownAccount):
		status = verifyAccountNotFound
	case errors.Is(f.cause, auth.ErrAccountExists):
		status = verifyAccountExists
	case errors.Is(f.cause, auth.ErrWrongCode):
		status = verifyInvalidCode
	case errors.Is(f.cause, auth.ErrCodeUsedUp), f.status == http.StatusTooManyRequests:
		status = verifyResendInvite
	}
	f.status = asBadRequest(f.status)
	return &verifyEmailError{TalkstackError: *newError(f), VerificationStatus: status}
}

func loginShape(f failure) huma.StatusError {
	status := loginFailed
	switch {
	case errors.Is(f.cause, auth.ErrUnknownAccount):
		status = loginUserNotFound
	case errors.Is(f.cause, auth.ErrWrongPassword):
		status = loginInvalidPassword
	case errors.Is(f.cause, auth.ErrNotVerified):
		status = loginNotVerified
	case errors.Is(f.cause, auth.ErrMalformedEmail):
		status = loginInvalidEmail
	case f.status < http.StatusInternalServerError && f.status != http.StatusTooManyRequests:
		status = loginCredentialsMissing
	}
	f.status = asInternal(f.status)
	return &loginError{TalkstackError: *newError(f), LoginStatus: status}
}

func asBadRequest(status int) int {
	if status == http.StatusConflict || status == http.StatusUnauthorized {
		return http.StatusBadRequest
	}
	return status
}

// asInternal makes a part that is away a 500 too: SIGNUP_FAILED and LOGIN_FAILED have no other status. Retry-After is sent
// all the same.
func asInternal(status int) int {
	if status == http.StatusServiceUnavailable {
		return http.StatusInternalServerError
	}
	return status
}
