package hubspottest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
)

// credentials checks the form of an OAuth endpoint; false: it has answered.
func (s *Server) credentials(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		fail(w, http.StatusUnsupportedMediaType, "VALIDATION_ERROR", "The body must be a form.")
		return false
	}
	for _, name := range []string{"client_id", "client_secret", "code", "refresh_token", "token"} {
		if r.URL.Query().Has(name) {
			oauthError(w, "invalid_request", "BAD_REQUEST", name+" belongs in the body")
			return false
		}
	}
	if r.PostForm.Get("client_id") != s.ClientID || r.PostForm.Get("client_secret") != s.ClientSecret {
		oauthError(w, "invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")
		return false
	}
	return true
}

func oauthError(w http.ResponseWriter, code, hubspot, message string) {
	answer(w, http.StatusBadRequest, map[string]any{
		"status": hubspot, "message": message, "correlationId": "a3b5f871-7f07-4993-9211-075dc63e7cbf", "error": code, "error_description": message,
	})
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.credentials(w, r) {
		return
	}
	switch form := r.PostForm; form.Get("grant_type") {
	case "authorization_code":
		s.codeGrant(w, form)
	case "refresh_token":
		g, ok := s.refresh[form.Get("refresh_token")]
		if !ok {
			oauthError(w, "invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
			return
		}
		s.issue(w, g, form.Get("refresh_token"))
	default:
		oauthError(w, "unsupported_grant_type", "BAD_GRANT_TYPE", "missing or unknown grant type")
	}
}

func (s *Server) codeGrant(w http.ResponseWriter, form url.Values) {
	g, ok := s.codes[form.Get("code")]
	if !ok {
		oauthError(w, "invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
		return
	}
	if g.redirect != form.Get("redirect_uri") {
		oauthError(w, "invalid_grant", "BAD_REDIRECT_URI", "redirect URI mismatch")
		return
	}
	delete(s.codes, form.Get("code")) // it works once
	refresh := rand.Text()
	s.refresh[refresh] = g
	s.issue(w, g, refresh)
}

// issue answers with a new access token.
func (s *Server) issue(w http.ResponseWriter, g *grant, refresh string) {
	access := "CI-" + rand.Text()
	s.access[access] = &token{grant: g, expires: s.now().Add(TokenLifetime)}
	answer(w, http.StatusOK, map[string]any{
		"token_type": "bearer", "token_use": "access_token", "access_token": access, "refresh_token": refresh,
		"expires_in": int(TokenLifetime.Seconds()), "hub_id": g.portal.ID, "user_id": 26715312, "scopes": g.scopes,
	})
}

func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.credentials(w, r) {
		return
	}
	text := r.PostForm.Get("token")
	t, ok := s.access[text]
	if !ok || !t.expires.IsZero() && !s.now().Before(t.expires) {
		answer(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"active": true, "token_use": "access_token", "token_type": "bearer", "token": text, "hub_id": t.grant.portal.ID, "app_id": 111,
		"client_id": s.ClientID, "user_id": 26715312, "scopes": slices.Clone(t.grant.scopes), "expires_in": 1800,
	})
}

// revoke ends a refresh token; access tokens live on.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.credentials(w, r) {
		return
	}
	delete(s.refresh, r.PostForm.Get("token"))
	w.WriteHeader(http.StatusOK)
}
