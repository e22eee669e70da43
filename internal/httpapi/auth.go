package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
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

// user is the account object: one shape everywhere (Q11).
type user struct {
	ID            talkstack.UserID `json:"id"`
	Email         string           `json:"email"`
	Name          string           `json:"name"`
	Verified      bool             `json:"verified"`
	ActiveProject *string          `json:"active_project" nullable:"true"`
	CompanyName   *string          `json:"company_name" nullable:"true"`
	CreatedAt     timestamp        `json:"created_at"`
	UpdatedAt     timestamp        `json:"updated_at"`
}

func wireUser(u talkstack.User) user {
	return user{
		ID: u.ID, Email: u.Email, Name: u.Name, Verified: u.Verified,
		ActiveProject: textOrNull(u.ActiveProject), CompanyName: textOrNull(u.CompanyName),
		CreatedAt: timestamp{u.CreatedAt}, UpdatedAt: timestamp{u.UpdatedAt},
	}
}

type signupRequest struct {
	_           struct{} `additionalProperties:"true"`
	Email       string   `json:"email" format:"email" maxLength:"254" example:"example@host.com"`
	Password    string   `json:"password" format:"password" maxLength:"1024" example:"XXXXXXXXXX"`
	Name        string   `json:"name" maxLength:"200" example:"John"`
	CompanyName string   `json:"company_name,omitempty" maxLength:"200"`
}

type signupResponse struct {
	Envelope
	User           user         `json:"user"`
	SignupStatus   signupStatus `json:"signupStatus"`
	Token          string       `json:"token" doc:"Works once the email is verified."`
	RefreshToken   string       `json:"refreshToken"`
	ExpirationTime timestamp    `json:"expirationTime"`
}

type verifyEmailRequest struct {
	_     struct{} `additionalProperties:"true"`
	Email string   `json:"email" format:"email" maxLength:"254" example:"example@host.com"`
	Code  string   `json:"code" maxLength:"100" example:"7KQ2XM"`
}

type verifyEmailResponse struct {
	Envelope
	UserData           user               `json:"userData"`
	VerificationStatus verificationStatus `json:"verificationStatus"`
}

type emailRequest struct {
	_     struct{} `additionalProperties:"true"`
	Email string   `json:"email" format:"email" maxLength:"254" example:"example@host.com"`
}

type loginRequest struct {
	_        struct{} `additionalProperties:"true"`
	Email    string   `json:"email" format:"email" maxLength:"254" example:"example@host.com"`
	Password string   `json:"password" format:"password" maxLength:"1024" example:"XXXXXXXXXX"`
}

type loginResponse struct {
	Envelope
	Token          string      `json:"token" doc:"Valid for 2 hours."`
	RefreshToken   string      `json:"refreshToken" doc:"Valid for 30 days, once."`
	ExpirationTime timestamp   `json:"expirationTime"`
	User           user        `json:"user"`
	LoginStatus    loginStatus `json:"loginStatus"`
}

type refreshTokenRequest struct {
	_             struct{} `additionalProperties:"true"`
	RefreshToken  string   `json:"refreshToken,omitempty" maxLength:"1024"`
	ResfreshToken string   `json:"resfreshToken,omitempty" maxLength:"1024" doc:"The documented misspelling; either will do."`
}

type refreshTokenResponse struct {
	Envelope
	Token          string    `json:"token"`
	RefreshToken   string    `json:"refreshToken"`
	ResfreshToken  string    `json:"resfreshToken" doc:"The documented misspelling; the same value as refreshToken."`
	ExpirationTime timestamp `json:"expirationTime"`
}

type apiKeyResponse struct {
	Envelope
	APIKey string `json:"apiKey" pattern:"^[0-9a-f]{64}$" doc:"Shown once; it replaces the one before."`
}

// messageResponse is an envelope with no payload.
type messageResponse struct {
	Envelope
}

func (a *API) authRoutes() {
	const tag = "Authentication"
	post(a, "/auth/signup", operation{
		ID: "signup", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Register a user and send an email verification code",
		Shape:   signupShape, ErrorType: reflect.TypeFor[signupError](),
		Errors: map[int]string{
			http.StatusBadRequest:          "A field is missing (0), the email is malformed (5) or registered: verified (1) or not yet (2).",
			http.StatusInternalServerError: "Signup failed (4), or the account was made but the mail could not be sent (6): ask for the code again.",
		},
	}, a.signup)
	post(a, "/auth/verify-email", operation{
		ID: "verifyEmail", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Verify the email address with the code that was sent",
		Shape:   verifyShape, ErrorType: reflect.TypeFor[verifyEmailError](), PlainFaults: true,
		Errors: map[int]string{
			http.StatusBadRequest: "A field is missing or malformed (0), the code is wrong (1) or no longer good (3), or the account is verified already (4).",
			http.StatusNotFound:   "The email never signed up (5).",
		},
	}, a.verifyEmail)
	post(a, "/auth/resend-code", operation{
		ID: "resendCode", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Send the verification code again",
		Errors: map[int]string{
			http.StatusBadRequest: "The email is missing or malformed, or verified already.",
			http.StatusNotFound:   "The email never signed up.",
		},
	}, a.resendCode)
	post(a, "/auth/login", operation{
		ID: "login", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Exchange email and password for a token pair",
		Shape:   loginShape, ErrorType: reflect.TypeFor[loginError](),
		Errors: map[int]string{
			http.StatusBadRequest:   "A field is missing (0), or the email is malformed (9).",
			http.StatusUnauthorized: "The password is wrong (4), or the email not verified (2).",
			http.StatusNotFound:     "There is no such user (3).",
		},
	}, a.login)
	post(a, "/auth/refresh-token", operation{
		ID: "refreshToken", Tag: tag, Access: accessOpen, Lenient: true,
		Summary: "Exchange a refresh token for a new token pair",
		Errors: map[int]string{
			http.StatusUnauthorized: "The token is unknown, used already or expired.",
			http.StatusNotFound:     "The user is gone.",
		},
	}, a.refreshToken)
	get(a, "/user/generate-apikey", operation{
		ID: "generateApiKey", Tag: "User", Access: accessBearer,
		Summary:     "Make a new API key, replacing the old one",
		Description: "Changes state although it is a GET: do not retry it. A Bearer token only.",
	}, a.generateAPIKey)
}

func (a *API) signup(ctx context.Context, in *struct{ Body signupRequest }) (*body[signupResponse], error) {
	s, err := a.Accounts.Signup(ctx, auth.Signup{
		Email: in.Body.Email, Password: talkstack.Secret(in.Body.Password), Name: in.Body.Name, CompanyName: in.Body.CompanyName,
	}, originOf(ctx).client)
	if err != nil {
		return nil, err
	}
	return reply(signupResponse{
		Envelope: success("User registered successfully"), User: wireUser(s.User), SignupStatus: signupSuccess,
		Token: s.Access, RefreshToken: s.Refresh.Reveal(), ExpirationTime: timestamp{s.Expires},
	}), nil
}

func (a *API) verifyEmail(ctx context.Context, in *struct{ Body verifyEmailRequest }) (*body[verifyEmailResponse], error) {
	u, err := a.Accounts.VerifyEmail(ctx, in.Body.Email, talkstack.Secret(in.Body.Code))
	if err != nil {
		return nil, err
	}
	return reply(verifyEmailResponse{
		Envelope: success("email verification successful."), UserData: wireUser(u), VerificationStatus: verifySuccess,
	}), nil
}

func (a *API) resendCode(ctx context.Context, in *struct{ Body emailRequest }) (*body[messageResponse], error) {
	if err := a.Accounts.ResendCode(ctx, in.Body.Email, originOf(ctx).client); err != nil {
		return nil, conflictIs400(err)
	}
	return reply(messageResponse{success("successfully sent verification code to mail")}), nil
}

func (a *API) login(ctx context.Context, in *struct{ Body loginRequest }) (*body[loginResponse], error) {
	s, err := a.Accounts.Login(ctx, in.Body.Email, talkstack.Secret(in.Body.Password), originOf(ctx).client)
	if err != nil {
		return nil, err
	}
	return reply(loginResponse{
		Envelope: success("successfully logged in."), Token: s.Access, RefreshToken: s.Refresh.Reveal(),
		ExpirationTime: timestamp{s.Expires}, User: wireUser(s.User), LoginStatus: loginSuccess,
	}), nil
}

// refreshToken takes either spelling, and answers with both (Q8).
func (a *API) refreshToken(ctx context.Context, in *struct{ Body refreshTokenRequest }) (*body[refreshTokenResponse], error) {
	token := in.Body.RefreshToken
	if token == "" {
		token = in.Body.ResfreshToken
	}
	if token == "" {
		return nil, invalid("refreshToken", "is required")
	}
	s, err := a.Accounts.Refresh(ctx, talkstack.Secret(token))
	if err != nil {
		return nil, err
	}
	return reply(refreshTokenResponse{
		Envelope: success("successfully refreshed token."), Token: s.Access,
		RefreshToken: s.Refresh.Reveal(), ResfreshToken: s.Refresh.Reveal(), ExpirationTime: timestamp{s.Expires},
	}), nil
}

func (a *API) generateAPIKey(ctx context.Context, _ *struct{}) (*body[apiKeyResponse], error) {
	key, err := a.Accounts.GenerateAPIKey(ctx, caller(ctx).ID)
	if err != nil {
		return nil, err
	}
	return reply(apiKeyResponse{Envelope: success("API key successfully generated and updated."), APIKey: key.Reveal()}), nil
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
	f.status = asBadRequest(f.status)
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
	return &loginError{TalkstackError: *newError(f), LoginStatus: status}
}

func asBadRequest(status int) int {
	if status == http.StatusConflict || status == http.StatusUnauthorized {
		return http.StatusBadRequest
	}
	return status
}
