package client

import (
	"context"
	"net/http"
	"time"

	"talkstack"
)

// SignupStatus is the documented SIGNUP_STATUS.
type SignupStatus int

// The values of SIGNUP_STATUS.
const (
	SignupCredentialsMissing SignupStatus = 0
	SignupAccountExists      SignupStatus = 1
	SignupEmailNotVerified   SignupStatus = 2
	SignupSuccess            SignupStatus = 3
	SignupFailed             SignupStatus = 4
	SignupInvalidEmail       SignupStatus = 5
	SignupEmailNotSent       SignupStatus = 6
)

// VerificationStatus is the documented EMAIL_VERIFICATION_STATUS.
type VerificationStatus int

// The values of EMAIL_VERIFICATION_STATUS.
const (
	VerificationCredentialsMissing VerificationStatus = 0
	VerificationInvalidCode        VerificationStatus = 1
	VerificationSuccess            VerificationStatus = 2
	VerificationResendInvite       VerificationStatus = 3
	VerificationAccountExists      VerificationStatus = 4
	VerificationAccountNotFound    VerificationStatus = 5
)

// LoginStatus is the documented LOGIN_STATUS.
type LoginStatus int

// The values of LOGIN_STATUS. 1 is never sent.
const (
	LoginCredentialsMissing LoginStatus = 0
	LoginNotVerified        LoginStatus = 2
	LoginUserNotFound       LoginStatus = 3
	LoginInvalidPassword    LoginStatus = 4
	LoginHubSpotFailed      LoginStatus = 5 // logged in, but HubSpot is not connected
	LoginHubSpotConnected   LoginStatus = 6 // logged in, and HubSpot is connected
	LoginSuccess            LoginStatus = 7
	LoginFailed             LoginStatus = 8
	LoginInvalidEmail       LoginStatus = 9
)

// envelope is the frame of a success of the Talkstack API.
type envelope struct {
	Message string `json:"message"`
	Status  string `json:"status"`
}

// User is an account as the Talkstack API shows it.
type User struct {
	ID            talkstack.UserID    `json:"id"`
	Email         string              `json:"email"`
	Name          string              `json:"name"`
	Verified      bool                `json:"verified"`
	ActiveProject talkstack.ProjectID `json:"active_project"` // empty: none
	CompanyName   string              `json:"company_name"`
	CreatedAt     time.Time           `json:"created_at"`
	UpdatedAt     time.Time           `json:"updated_at"`
}

// Session is what a login or a sign-up gives.
type Session struct {
	User         User
	Token        talkstack.Secret // valid until Expires
	RefreshToken talkstack.Secret // for one use
	Expires      time.Time
	Signup       SignupStatus // of Signup
	Login        LoginStatus  // of Login: LoginSuccess, or how connecting HubSpot went
}

// SignupRequest makes an account.
type SignupRequest struct {
	Email       string
	Password    talkstack.Secret
	Name        string
	CompanyName string // optional
}

// Signup makes an account; a code is mailed to its address. The client is logged in with it, but a session of an address
// that is not verified opens little.
func (c *Client) Signup(ctx context.Context, req SignupRequest) (Session, error) {
	var answer struct {
		envelope
		tokens
		User   User         `json:"user"`
		Signup SignupStatus `json:"signupStatus"`
	}
	in := map[string]string{"email": req.Email, "password": req.Password.Reveal(), "name": req.Name}
	if req.CompanyName != "" {
		in["company_name"] = req.CompanyName
	}
	if err := c.call(ctx, opened("/auth/signup", in, &answer)); err != nil {
		return Session{}, err
	}
	s := answer.session(answer.User)
	s.Signup = answer.Signup
	c.session.keep(answer.tokens)
	return s, nil
}

// VerifyEmail confirms an account's address with the code that was mailed to it.
func (c *Client) VerifyEmail(ctx context.Context, email, code string) (User, error) {
	var answer struct {
		envelope
		User         User               `json:"userData"`
		Verification VerificationStatus `json:"verificationStatus"`
	}
	err := c.call(ctx, opened("/auth/verify-email", map[string]string{"email": email, "code": code}, &answer))
	return answer.User, err
}

// ResendCode mails a new verification code.
func (c *Client) ResendCode(ctx context.Context, email string) error {
	return c.call(ctx, opened("/auth/resend-code", map[string]string{"email": email}, &envelope{}))
}

// LoginOption adds to a login.
type LoginOption func(map[string]string)

// WithHubSpotCode connects HubSpot while logging in, with the code that its authorization page has sent to redirectURI.
// Session.Login says how that went.
func WithHubSpotCode(code, redirectURI string) LoginOption {
	return func(in map[string]string) { in["hubspotCode"], in["hubspotRedirectUri"] = code, redirectURI }
}

// Login signs in with a password. The client uses the token from then on, unless it has an API key, and renews it before
// it expires.
func (c *Client) Login(ctx context.Context, email string, password talkstack.Secret, options ...LoginOption) (Session, error) {
	var answer struct {
		envelope
		tokens
		User  User        `json:"user"`
		Login LoginStatus `json:"loginStatus"`
	}
	in := map[string]string{"email": email, "password": password.Reveal()}
	for _, o := range options {
		o(in)
	}
	if err := c.call(ctx, opened("/auth/login", in, &answer)); err != nil {
		return Session{}, err
	}
	s := answer.session(answer.User)
	s.Login = answer.Login
	c.session.keep(answer.tokens)
	return s, nil
}

// RefreshToken exchanges a refresh token, which is used up by it. The client does this by itself for a session that it has
// logged in; this is for one that was kept elsewhere, and the client uses it from then on.
func (c *Client) RefreshToken(ctx context.Context, token talkstack.Secret) (Session, error) {
	t, err := c.refresh(ctx, token)
	if err != nil {
		return Session{}, err
	}
	c.session.keep(t)
	return t.session(User{}), nil
}

// ChangePassword changes the password of the account that has logged in. A token only.
func (c *Client) ChangePassword(ctx context.Context, old, changed talkstack.Secret) error {
	in := map[string]string{"oldPassword": old.Reveal(), "newPassword": changed.Reveal()}
	r := send(http.MethodPost, "/auth/change-password", in, &envelope{})
	r.bearer = true
	return c.call(ctx, r)
}

// ForgotPassword mails a link to set a new password. It says nothing of whether there is such an account.
func (c *Client) ForgotPassword(ctx context.Context, email string) error {
	return c.call(ctx, opened("/auth/forgot-password", map[string]string{"email": email}, &envelope{}))
}

// ResetPassword sets a new password with the token of a mailed link.
func (c *Client) ResetPassword(ctx context.Context, token, changed talkstack.Secret) error {
	in := map[string]string{"token": token.Reveal(), "newPassword": changed.Reveal()}
	return c.call(ctx, opened("/auth/reset-password", in, &envelope{}))
}

// opened is a POST without credentials.
func opened(path string, in, out any) *request {
	r := send(http.MethodPost, path, in, out)
	r.open = true
	return r
}
