package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"net/netip"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/mail"
	"talkstack/internal/store"
)

// What an account's owner may be told. Doors compare with errors.Is.
var (
	ErrMalformedEmail error = &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: "The email address is not valid.",
		Fields: []talkstack.FieldError{{Field: "email", Message: "is not a valid address"}},
	}
	ErrAccountExists  error = &talkstack.Error{Code: talkstack.CodeConflict, Message: "Account already exists."}
	ErrNotVerified    error = &talkstack.Error{Code: talkstack.CodeUnauthenticated, Message: "The email is not verified yet. Send the code from the mail to /auth/verify-email, or ask for a new one at /auth/resend-code."}
	ErrMailNotSent    error = &talkstack.Error{Code: talkstack.CodeInternal, Message: "The account was made, but the verification mail could not be sent. Ask for it again at /auth/resend-code."}
	ErrUnknownAccount error = &talkstack.Error{Code: talkstack.CodeNotFound, Message: "Account not found."}
	ErrWrongCode      error = &talkstack.Error{Code: talkstack.CodeInvalid, Message: "Invalid code."}
	ErrCodeUsedUp     error = &talkstack.Error{Code: talkstack.CodeInvalid, Message: "The code has expired or was tried too often. Ask for a new one at /auth/resend-code."}
	ErrWrongPassword  error = &talkstack.Error{Code: talkstack.CodeUnauthenticated, Message: "Invalid password."}
	ErrOldPassword    error = &talkstack.Error{Code: talkstack.CodeUnauthenticated, Message: "Old password does not match."}
)

// Config is what Accounts needs. Hasher and Now are optional.
type Config struct {
	DB     *store.DB
	Mail   mail.Sender
	Log    *slog.Logger
	Hasher *Hasher
	Now    func() time.Time
}

// Accounts signs people up and in, and tells who is asking.
type Accounts struct {
	db      *store.DB
	mail    mail.Sender
	log     *slog.Logger
	hasher  *Hasher
	tokens  *Tokens
	codeKey []byte
	badKeys *throttle // wrong API keys by address
	now     func() time.Time
}

// NewAccounts makes Accounts with the installation's keys, which it makes at the first start.
func NewAccounts(ctx context.Context, c Config) (*Accounts, error) {
	a := &Accounts{db: c.DB, mail: c.Mail, log: c.Log, hasher: c.Hasher, now: c.Now}
	if a.now == nil {
		a.now = time.Now
	}
	if a.hasher == nil {
		a.hasher = NewHasher()
	}
	key, err := c.DB.Secret(ctx, "access-token")
	if err != nil {
		return nil, fmt.Errorf("auth: key of access tokens: %w", err)
	}
	a.tokens = NewTokens(key, a.now)
	a.badKeys = newThrottle(badKeyLimit(), a.now)
	if a.codeKey, err = c.DB.Secret(ctx, "email-code"); err != nil {
		return nil, fmt.Errorf("auth: key of verification codes: %w", err)
	}
	return a, nil
}

// LoadSigner makes the Signer of recording links with the installation's key.
func LoadSigner(ctx context.Context, db *store.DB, now func() time.Time) (*Signer, error) {
	key, err := db.Secret(ctx, "recording-link")
	if err != nil {
		return nil, fmt.Errorf("auth: key of recording links: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return NewSigner(key, now), nil
}

// Session is what a sign-in gives.
type Session struct {
	User    talkstack.User
	Access  string // a JWT
	Refresh talkstack.Secret
	Expires time.Time // of Access
}

// Signup is what a new user says.
type Signup struct {
	Email       string
	Password    talkstack.Secret
	Name        string
	CompanyName string // optional
}

// Signup makes an account and mails its verification code. The session works once the email is verified (Q5).
func (a *Accounts) Signup(ctx context.Context, s Signup, from netip.Addr) (Session, error) {
	email, err := checkEmail(s.Email)
	if err != nil {
		return Session{}, err
	}
	s.Name, s.CompanyName = strings.TrimSpace(s.Name), strings.TrimSpace(s.CompanyName)
	if err := checkFields(
		field{"password", s.Password.Reveal(), MaxPasswordLength},
		field{"name", s.Name, 200},
	); err != nil {
		return Session{}, err
	}
	if len(s.CompanyName) > 200 {
		return Session{}, invalid("company_name", "must have at most 200 characters")
	}
	if err := a.taken(ctx, email); err != nil {
		return Session{}, err
	}
	_, perAddress := mailLimits()
	if err := a.take(ctx, "mail:address:"+clientKey(from), perAddress); err != nil {
		return Session{}, err
	}
	hash, err := a.hasher.Hash(ctx, s.Password.Reveal())
	if err != nil {
		return Session{}, err
	}
	u, err := a.db.CreateUser(ctx, talkstack.User{Email: email, Name: s.Name, CompanyName: s.CompanyName, PasswordHash: hash})
	if talkstack.ErrorCode(err) == talkstack.CodeConflict {
		if taken := a.taken(ctx, email); taken != nil {
			return Session{}, taken // somebody was quicker
		}
	}
	if err != nil {
		return Session{}, err
	}
	session, err := a.session(ctx, u)
	if err != nil {
		return Session{}, err
	}
	a.log.Info("account made", "user_id", u.ID)
	return session, a.sendCode(ctx, u)
}

// taken tells how an email address is in use already: nil when it is not.
func (a *Accounts) taken(ctx context.Context, email string) error {
	u, err := a.db.UserByEmail(ctx, email)
	switch {
	case talkstack.ErrorCode(err) == talkstack.CodeNotFound:
		return nil
	case err != nil:
		return err
	case u.Verified:
		return ErrAccountExists
	}
	return ErrNotVerified
}

// VerifyEmail takes the code that was mailed. A wrong one is ErrWrongCode and costs a try; with none left, or after
// CodeLifetime, it is ErrCodeUsedUp. Wrong ones are limited for each address too, whoever's they are.
func (a *Accounts) VerifyEmail(ctx context.Context, email string, code talkstack.Secret, from netip.Addr) (talkstack.User, error) {
	email, err := checkEmail(email)
	if err != nil {
		return talkstack.User{}, err
	}
	if err := checkFields(field{"code", code.Reveal(), 100}); err != nil {
		return talkstack.User{}, err
	}
	addressKey := "code:address:" + clientKey(from)
	if err := a.check(ctx, addressKey, guessLimit()); err != nil {
		return talkstack.User{}, err
	}
	u, err := a.byEmail(ctx, email)
	if errors.Is(err, ErrUnknownAccount) {
		return talkstack.User{}, errors.Join(err, a.fail(ctx, addressKey, guessLimit()))
	}
	if err != nil {
		return talkstack.User{}, err
	}
	if u.Verified {
		return talkstack.User{}, ErrAccountExists
	}
	verdict, err := a.db.CheckEmailCode(ctx, u.ID, a.codeDigest(u.ID, code), codeTries)
	if err != nil {
		return talkstack.User{}, err
	}
	switch verdict {
	case store.CodeRight:
		a.log.Info("account verified", "user_id", u.ID)
		return a.db.User(ctx, u.ID)
	case store.CodeWrong:
		return talkstack.User{}, errors.Join(ErrWrongCode, a.fail(ctx, addressKey, guessLimit()))
	case store.CodeSpent:
	}
	return talkstack.User{}, ErrCodeUsedUp
}

// ResendCode mails a new code in place of the old one. A verified account has nothing to verify: ErrAccountExists.
func (a *Accounts) ResendCode(ctx context.Context, email string, from netip.Addr) error {
	email, err := checkEmail(email)
	if err != nil {
		return err
	}
	u, err := a.byEmail(ctx, email)
	if err != nil {
		return err
	}
	if u.Verified {
		return ErrAccountExists
	}
	perAccount, perAddress := mailLimits()
	if err := a.take(ctx, "mail:address:"+clientKey(from), perAddress); err != nil {
		return err
	}
	if err := a.take(ctx, "mail:user:"+string(u.ID), perAccount); err != nil {
		return err
	}
	return a.sendCode(ctx, u)
}

func (a *Accounts) sendCode(ctx context.Context, u talkstack.User) error {
	code := NewCode()
	if err := a.db.SetEmailCode(ctx, u.ID, a.codeDigest(u.ID, code), a.now().Add(CodeLifetime)); err != nil {
		return err
	}
	if err := a.mail.Send(ctx, mail.VerificationCode(u.Email, u.Name, code, CodeLifetime)); err != nil {
		a.log.Error("verification mail not sent", "user_id", u.ID, "error", err)
		return ErrMailNotSent
	}
	return nil
}

// codeDigest is the stored form of a verification code. It is keyed: a plain hash of 30 bits is guessed in a second.
func (a *Accounts) codeDigest(id talkstack.UserID, code talkstack.Secret) string {
	h := hmac.New(sha256.New, a.codeKey)
	h.Write([]byte(string(id) + "\n" + strings.ToUpper(strings.TrimSpace(code.Reveal()))))
	return hex.EncodeToString(h.Sum(nil))
}

func (a *Accounts) byEmail(ctx context.Context, email string) (talkstack.User, error) {
	u, err := a.db.UserByEmail(ctx, email)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return talkstack.User{}, ErrUnknownAccount
	}
	return u, err
}

// checkEmail is the address in lower case. It must be nothing but an address: "Bob <a@b.example>" is none.
func checkEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", invalid("email", "is required")
	}
	parsed, err := netmail.ParseAddress(s)
	if err != nil || parsed.Address != s || len(s) > 254 || strings.ContainsAny(s, " \"\t") {
		return "", ErrMalformedEmail
	}
	return strings.ToLower(s), nil
}

type field struct {
	name, value string
	max         int // bytes
}

func checkFields(fields ...field) error {
	for _, f := range fields {
		switch {
		case f.value == "":
			return invalid(f.name, "is required")
		case len(f.value) > f.max:
			return invalid(f.name, fmt.Sprintf("must have at most %d characters", f.max))
		}
	}
	return nil
}

func invalid(field, message string) error {
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: field + " " + message + ".",
		Fields: []talkstack.FieldError{{Field: field, Message: message}},
	}
}
