package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"talkstack"
	"talkstack/internal/auth"
)

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

	HubSpotCode        string `json:"hubspotCode,omitempty" maxLength:"2048" doc:"An OAuth code of HubSpot: connects the account's portal once the password was right; loginStatus says how that went."`
	HubSpotRedirectURI string `json:"hubspotRedirectUri,omitempty" maxLength:"2048" doc:"Where the code was sent to; missing: this server's /v1/hubspot/callback."`
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

type changePasswordRequest struct {
	_           struct{} `additionalProperties:"true"`
	OldPassword string   `json:"oldPassword" format:"password" maxLength:"1024" example:"Old@1234"`
	NewPassword string   `json:"newPassword" format:"password" maxLength:"1024" example:"New@123"`
}

// resetPasswordRequest takes an email too, and ignores it (Q10).
type resetPasswordRequest struct {
	_           struct{} `additionalProperties:"true"`
	Token       string   `json:"token" maxLength:"1024" example:"xxxxxxxxxxxxxxxx"`
	NewPassword string   `json:"newPassword" format:"password" maxLength:"1024" example:"abc@123"`
	Email       string   `json:"email,omitempty" doc:"Accepted and ignored."`
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
	post(a, "/auth/change-password", operation{
		ID: "changePassword", Tag: tag,
		Summary:     "Change the password of the logged-in user",
		Description: "The session that the token is of goes on; all others end. The API key stays.",
		Errors: map[int]string{
			http.StatusBadRequest:   "A field is missing.",
			http.StatusUnauthorized: "The old password does not match, or no valid credentials.",
		},
	}, a.changePassword)
	post(a, "/auth/forgot-password", operation{
		ID: "forgotPassword", Tag: tag, Access: accessOpen, Lenient: true,
		Summary:     "Send a password reset link",
		Description: "The answer is the same whether the address has an account or not. The link works once, for one hour; a newer one takes its place.",
		Errors: map[int]string{
			http.StatusBadRequest: "The email is missing or malformed.",
			http.StatusNotFound:   "Documented for an unknown user; never sent.",
		},
	}, a.forgotPassword)
	post(a, "/auth/reset-password", operation{
		ID: "resetPassword", Tag: tag, Access: accessOpen, Lenient: true,
		Summary:     "Set a new password with the token of the reset link",
		Description: "Verifies the email too, and ends all sessions. The API key stays.",
		Errors:      map[int]string{http.StatusBadRequest: "The token is expired or invalid, or a field is missing."},
	}, a.resetPassword)
}

func (a *API) signup(ctx context.Context, in *struct{ Body signupRequest }) (*body[signupResponse], error) {
	ctx = acting(ctx, talkstack.ActorToken)
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
	u, err := a.Accounts.VerifyEmail(ctx, in.Body.Email, talkstack.Secret(in.Body.Code), originOf(ctx).client)
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
	ctx = acting(ctx, talkstack.ActorToken)
	s, err := a.Accounts.Login(ctx, in.Body.Email, talkstack.Secret(in.Body.Password), originOf(ctx).client)
	if err != nil {
		return nil, err
	}
	return reply(loginResponse{
		Envelope: success("successfully logged in."), Token: s.Access, RefreshToken: s.Refresh.Reveal(),
		ExpirationTime: timestamp{s.Expires}, User: wireUser(s.User),
		LoginStatus: a.connectAtLogin(ctx, s.User.ID, in.Body.HubSpotCode, in.Body.HubSpotRedirectURI),
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

func (a *API) changePassword(ctx context.Context, in *struct{ Body changePasswordRequest }) (*body[messageResponse], error) {
	who := auth.Caller{User: caller(ctx), Session: session(ctx)}
	err := a.Accounts.ChangePassword(ctx, who, talkstack.Secret(in.Body.OldPassword), talkstack.Secret(in.Body.NewPassword), originOf(ctx).client)
	if err != nil {
		return nil, err
	}
	return reply(messageResponse{success("successfully updated password.")}), nil
}

// forgotPassword says the same of every well-formed address (Q9).
func (a *API) forgotPassword(ctx context.Context, in *struct{ Body emailRequest }) (*body[messageResponse], error) {
	if err := a.Accounts.ForgotPassword(ctx, in.Body.Email, originOf(ctx).client); err != nil {
		return nil, err
	}
	return reply(messageResponse{success("If the email is registered, a reset link has been sent.")}), nil
}

func (a *API) resetPassword(ctx context.Context, in *struct{ Body resetPasswordRequest }) (*body[messageResponse], error) {
	if err := a.Accounts.ResetPassword(ctx, talkstack.Secret(in.Body.Token), talkstack.Secret(in.Body.NewPassword), originOf(ctx).client); err != nil {
		return nil, err
	}
	return reply(messageResponse{success("Password has been reset successfully.")}), nil
}
