package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
)

type (
	userKey    struct{}
	sessionKey struct{}
)

// caller is the account that asks. Only operations that need credentials may call it.
func caller(ctx context.Context) talkstack.User {
	return ctx.Value(userKey{}).(talkstack.User) //nolint:forcetypeassert // authenticate put it there
}

// session is the session that the caller's token is of; empty with an API key.
func session(ctx context.Context) string {
	s, _ := ctx.Value(sessionKey{}).(string)
	return s
}

// authenticate lets a request through whose credentials the operation accepts. A Bearer token, when there is one,
// is the only thing that counts (Q30). Unverified accounts are refused everywhere (Q5). It says who acts, for the audit
// log: where everybody may ask, it is somebody with what was mailed.
func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	need, _ := ctx.Operation().Metadata[accessKey].(access)
	if need == accessOpen {
		next(huma.WithContext(ctx, acting(ctx.Context(), talkstack.ActorLink)))
		return
	}
	token, key := bearerToken(ctx.Header("Authorization")), ctx.Header("X-Api-Key")
	if need == accessLink && token == "" && key == "" {
		next(ctx)
		return
	}
	if need == accessBearer {
		key = ""
	}
	who, err := a.Accounts.Authenticate(ctx.Context(), token, talkstack.Secret(key), originOf(ctx.Context()).client)
	if err != nil {
		_ = huma.WriteErr(a.huma, ctx, http.StatusInternalServerError, "", err) // writeError gives it its status
		return
	}
	kind := talkstack.ActorToken
	if token == "" {
		kind = talkstack.ActorAPIKey
	}
	c := context.WithValue(acting(ctx.Context(), kind), userKey{}, who.User)
	next(huma.WithContext(ctx, context.WithValue(c, sessionKey{}, who.Session)))
}

// mayStill reports whether the credentials of a request that lasts are still those of the account: a key may have been
// replaced and a session ended meanwhile.
func (a *API) mayStill(r *http.Request, user talkstack.UserID) bool {
	token, key := bearerToken(r.Header.Get("Authorization")), talkstack.Secret(r.Header.Get("X-Api-Key"))
	who, err := a.Accounts.Authenticate(r.Context(), token, key, originOf(r.Context()).client)
	return err == nil && who.User.ID == user
}

// acting says what kind of client acts, from where.
func acting(ctx context.Context, kind string) context.Context {
	actor := talkstack.Actor{Kind: kind}
	if addr := originOf(ctx).client; addr.IsValid() {
		actor.Address = addr.Unmap().WithZone("").String()
	}
	return talkstack.WithActor(ctx, actor)
}

// bearerToken is the token of an Authorization header; the scheme's case does not matter (RFC 9110 section 11.1).
func bearerToken(header string) string {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
