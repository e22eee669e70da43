package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"talkstack"
)

// Parameters of argon2id (RFC 9106, the second of OWASP's equivalent settings): about 45 ms of one core and 19 MiB a hash.
const (
	argonTime    = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// Bounds on concurrent hashing: memory first (8 × 19 MiB), then how long a request may wait.
const (
	maxHashing = 8
	maxWaiting = 64
)

// MaxPasswordLength is the longest password taken, in bytes: beyond it hashing is somebody else's lever.
const MaxPasswordLength = 1024

// Hasher hashes passwords with argon2id, a bounded number at once.
type Hasher struct {
	running chan struct{}
	waiting chan struct{}
	params  argonParams
	kdf     func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte // argon2.IDKey
}

type argonParams struct {
	time, memory uint32
	threads      uint8
}

// NewHasher makes a Hasher with the product's parameters.
func NewHasher() *Hasher {
	return newHasher(argonParams{time: argonTime, memory: argonMemory, threads: argonThreads})
}

// NewFastHasher makes a Hasher with parameters that protect nothing, for tests that sign up many accounts.
func NewFastHasher() *Hasher {
	return newHasher(argonParams{time: 1, memory: 8, threads: 1})
}

func newHasher(p argonParams) *Hasher {
	return &Hasher{
		running: make(chan struct{}, maxHashing),
		waiting: make(chan struct{}, maxHashing+maxWaiting),
		params:  p,
		kdf:     argon2.IDKey,
	}
}

// Hash makes the PHC string of a password. It fails with CodeLimited when too many are being hashed.
func (h *Hasher) Hash(ctx context.Context, password string) (talkstack.Secret, error) {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	key, err := h.derive(ctx, password, salt, h.params)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return talkstack.Secret(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.memory, h.params.time, h.params.threads, b64.EncodeToString(salt), b64.EncodeToString(key))), nil
}

// Matches reports whether password has this hash. An empty hash costs the same time and never matches:
// so an unknown account answers no faster than a wrong password.
func (h *Hasher) Matches(ctx context.Context, hash talkstack.Secret, password string) (bool, error) {
	params, salt, want := h.params, make([]byte, argonSalt), make([]byte, argonKey)
	if hash != "" {
		var err error
		if params, salt, want, err = parseHash(hash.Reveal()); err != nil {
			return false, err
		}
	}
	got, err := h.derive(ctx, password, salt, params)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && hash != "", nil
}

func (h *Hasher) derive(ctx context.Context, password string, salt []byte, p argonParams) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, &talkstack.Error{Code: talkstack.CodeLimited, Message: "Too many sign-ins at once. Try again in a moment."}
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return nil, fmt.Errorf("auth: wait for a hashing slot: %w", context.Cause(ctx))
	}
	return h.kdf([]byte(password), salt, p.time, p.memory, p.threads, argonKey), nil
}

// parseHash reads the PHC string form that Hash writes.
func parseHash(s string) (argonParams, []byte, []byte, error) {
	bad := errors.New("auth: stored password hash is malformed")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return argonParams{}, nil, nil, bad
	}
	var p argonParams
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil || n != 3 || p.time == 0 || p.threads == 0 {
		return argonParams{}, nil, nil, bad
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return argonParams{}, nil, nil, bad
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) != argonKey {
		return argonParams{}, nil, nil, bad
	}
	return p, salt, key, nil
}
