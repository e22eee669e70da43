package hubspot

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"talkstack"
)

// stateLifetime is how long somebody may take to consent at HubSpot.
const stateLifetime = 10 * time.Minute

// maxState bounds the state of a request, in bytes.
const maxState = 4096

// stateSealer makes the state parameter of OAuth (RFC 6749 section 10.12): it says whose consent it is, and only we can
// make it.
type stateSealer struct {
	key []byte
	now func() time.Time
}

type sealedState struct {
	User     talkstack.UserID `json:"u"`
	Redirect string           `json:"r"`
	Expires  int64            `json:"e"` // Unix seconds
	Nonce    string           `json:"n"` // no two are alike
}

func (s *stateSealer) seal(user talkstack.UserID, redirectURI string) (state string, expires time.Time) {
	expires = s.now().Add(stateLifetime).Truncate(time.Second)
	b, _ := json.Marshal(sealedState{user, redirectURI, expires.Unix(), rand.Text()}) // texts and numbers can always be marshalled
	payload := base64.RawURLEncoding.EncodeToString(b)
	return payload + "." + s.mac(payload), expires
}

func (s *stateSealer) open(state string) (user talkstack.UserID, redirectURI string, err error) {
	payload, mac, ok := strings.Cut(state, ".")
	if !ok || len(state) > maxState || !hmac.Equal([]byte(mac), []byte(s.mac(payload))) {
		return "", "", talkstack.Errorf(talkstack.CodeForbidden, "This link was not made by us. Begin again with GET /v1/hubspot/authorize-url.")
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", "", talkstack.WrapError(talkstack.CodeForbidden, err, "This link is damaged.")
	}
	var v sealedState
	if err := json.Unmarshal(b, &v); err != nil {
		return "", "", talkstack.WrapError(talkstack.CodeForbidden, err, "This link is damaged.")
	}
	if s.now().Unix() >= v.Expires {
		return "", "", talkstack.Errorf(talkstack.CodeForbidden, "This link has expired. Begin again with GET /v1/hubspot/authorize-url.")
	}
	return v.User, v.Redirect, nil
}

func (s *stateSealer) mac(payload string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
