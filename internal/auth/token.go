package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"talkstack"
)

// Lifetimes. The access token's is documented (spec section 1).
const (
	AccessLifetime  = 2 * time.Hour
	RefreshLifetime = 30 * 24 * time.Hour
	CodeLifetime    = 30 * time.Minute
	ResetLifetime   = time.Hour
)

const (
	tokenIssuer   = "talkstack"
	tokenAudience = "talkstack-api"
)

// Tokens makes and reads access tokens: JWTs signed with HMAC-SHA256 (RFC 7519). They name an account
// and a session.
type Tokens struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
}

// NewTokens makes Tokens. The key must be 32 random bytes, the same on every node; now is the clock.
func NewTokens(key []byte, now func() time.Time) *Tokens {
	return &Tokens{key: key, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), // neither "none" nor a key confusion
		jwt.WithIssuer(tokenIssuer),
		jwt.WithAudience(tokenAudience),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(now),
	)}
}

// accessClaims are an access token's contents: whose it is, and of which session ("sid" as in OpenID Connect).
type accessClaims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// Issue makes an access token and says when it ends.
func (t *Tokens) Issue(user talkstack.UserID, session string) (string, time.Time, error) {
	now := t.now().Truncate(time.Second)
	expires := now.Add(AccessLifetime)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			Audience:  jwt.ClaimStrings{tokenAudience},
			Subject:   string(user),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(expires),
			ID:        randomHex(8),
		},
		Session: session,
	}).SignedString(t.key)
	return token, expires, err
}

// Read checks a token and returns whose it is, and the session. Anything wrong with it is CodeUnauthenticated.
func (t *Tokens) Read(token string) (user talkstack.UserID, session string, err error) {
	var claims accessClaims
	if _, err := t.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		return "", "", talkstack.WrapError(talkstack.CodeUnauthenticated, err, "Unauthorized.")
	}
	if claims.Subject == "" || claims.Session == "" {
		return "", "", talkstack.Errorf(talkstack.CodeUnauthenticated, "Unauthorized.")
	}
	return talkstack.UserID(claims.Subject), claims.Session, nil
}

// NewAPIKey makes a key in the documented form: 64 lowercase hex digits.
func NewAPIKey() talkstack.Secret { return talkstack.Secret(randomHex(32)) }

// IsAPIKey reports whether s has the form of an API key.
func IsAPIKey(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// NewRefreshToken makes an opaque token of 256 random bits.
func NewRefreshToken() talkstack.Secret { return newOpaqueToken() }

// NewResetToken makes the token of a link that sets a new password: 256 random bits, and fit for a URL.
func NewResetToken() talkstack.Secret { return newOpaqueToken() }

func newOpaqueToken() talkstack.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return talkstack.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// Digest is the form in which API keys, refresh and reset tokens are stored: their SHA-256 in hex.
// They are random, so a slow hash would protect nothing more, and a look-up by digest leaks no timing of the key.
func Digest(s talkstack.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}

// codeAlphabet has 32 characters that are not mistaken for one another: no 0, O, 1 or I.
const codeAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// NewCode makes an e-mail verification code: six characters, 30 bits.
func NewCode() talkstack.Secret {
	var b [6]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = codeAlphabet[b[i]%32]
	}
	return talkstack.Secret(b[:])
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
