package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"talkstack"
	"talkstack/internal/store"
)

// The page that the mailed reset link opens. It is a plain form: no script, no cookie, nothing from elsewhere. Opening
// it uses nothing up, so that mail scanners which follow links do no harm.

//go:embed reset/page.html
var resetHTML string

//go:embed reset/page.css
var resetCSS string

// resetPage is the page with its policy: the one style that it holds, and forms to this server alone.
type resetPage struct {
	template *template.Template
	policy   string
}

type resetView struct {
	Style template.CSS
	Token string
	Error string
	Done  string
}

func newResetPage() resetPage {
	sum := sha256.Sum256([]byte(resetCSS))
	return resetPage{
		template: template.Must(template.New("reset").Parse(resetHTML)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}
}

func (p resetPage) show(w http.ResponseWriter, status int, v resetView) {
	v.Style = template.CSS(resetCSS) //nolint:gosec // embedded
	var b bytes.Buffer
	if err := p.template.Execute(&b, v); err != nil {
		panic(err) // the template is embedded, and tested
	}
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client has gone
}

func (a *API) resetPageRoutes(mux *chi.Mux) {
	p := newResetPage()
	mux.Get("/reset-password", func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("token")
		if token == "" {
			p.show(w, http.StatusBadRequest, resetView{Error: "The link has no token."})
			return
		}
		p.show(w, http.StatusOK, resetView{Token: token})
	})
	mux.Post("/reset-password", func(w http.ResponseWriter, r *http.Request) { a.postResetPage(p, w, r) })
}

// postResetPage does what POST /auth/reset-password does, for a form.
func (a *API) postResetPage(p resetPage, w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.show(w, http.StatusBadRequest, resetView{Error: "The form could not be read."})
		return
	}
	token, password := r.PostForm.Get("token"), r.PostForm.Get("newPassword")
	for _, text := range []string{token, password} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			p.show(w, http.StatusBadRequest, resetView{Error: "The form is not valid UTF-8."})
			return
		}
	}
	if password != r.PostForm.Get("repeat") {
		p.show(w, http.StatusBadRequest, resetView{Token: token, Error: "The two passwords are not the same."})
		return
	}
	ctx := acting(r.Context(), talkstack.ActorLink)
	err := a.Accounts.ResetPassword(ctx, talkstack.Secret(token), talkstack.Secret(password), originOf(ctx).client)
	if err == nil {
		p.show(w, http.StatusOK, resetView{Done: "Password has been reset successfully."})
		return
	}
	f := domain(err)
	if f.status >= http.StatusInternalServerError {
		logger(ctx).Error("request failed", "operation", "resetPage", "error", err)
	}
	if after := retryAfter(f); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(after))
	}
	if errors.Is(err, store.ErrBadReset) {
		token = "" // the form would lead nowhere
	}
	p.show(w, f.status, resetView{Token: token, Error: f.message})
}
