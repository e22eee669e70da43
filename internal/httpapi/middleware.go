package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"talkstack"
)

type loggerKey struct{}

type originKey struct{}

// origin is where a request came from and how its sender reached us.
type origin struct {
	client netip.Addr
	base   string // scheme and host that links start with
}

// logger is the request's logger: it carries the request id.
func logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

func originOf(ctx context.Context) origin {
	o, _ := ctx.Value(originKey{}).(origin)
	return o
}

func isV1(path string) bool { return path == "/v1" || strings.HasPrefix(path, "/v1/") }

// wrap puts around every handler what every request gets, outermost first.
func (a *API) wrap(mux *chi.Mux) {
	mux.Use(a.observe, secure, a.recover, a.locate, limitBody, limitTime, middleware.GetHead)
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeFailure(w, r, failure{status: http.StatusNotFound, code: talkstack.CodeNotFound, message: "There is no such endpoint: see /docs."})
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			known := method
			if known == http.MethodHead {
				known = http.MethodGet
			}
			if mux.Match(chi.NewRouteContext(), known, r.URL.Path) {
				w.Header().Add("Allow", method) // RFC 9110 section 15.5.6
			}
		}
		writeFailure(w, r, failure{status: http.StatusMethodNotAllowed, code: talkstack.CodeInvalid, message: "This endpoint does not know the method " + methodName(r) + ": see /docs."})
	})
}

func methodName(r *http.Request) string {
	if len(r.Method) > 16 {
		return r.Method[:16] + "…"
	}
	return r.Method
}

// writeFailure answers where no operation was reached.
func writeFailure(w http.ResponseWriter, r *http.Request, f failure) {
	shape := talkstackShape
	if isV1(r.URL.Path) {
		shape = v1Shape
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(shape(f)) // the client has gone
}

// observe gives the request its id and logger, counts it and logs it. Queries and headers are not logged: they hold secrets.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var id [8]byte
		_, _ = rand.Read(id[:])
		requestID := hex.EncodeToString(id[:])
		log := a.Log.With("request_id", requestID)
		w.Header().Set("X-Request-Id", requestID)
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		start := time.Now()
		ctx := context.WithValue(r.Context(), loggerKey{}, log)
		next.ServeHTTP(ww, r.WithContext(ctx))
		took := time.Since(start)
		route := chi.RouteContext(ctx).RoutePattern() // filled in while routing
		if route == "" {
			route = "unknown"
		}
		a.metrics.observe(r.Method, route, ww.Status(), took)
		level := slog.LevelDebug
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			level = slog.LevelInfo
		}
		log.Log(ctx, level, "request", "method", r.Method, "route", route, "status", ww.Status(),
			"bytes", ww.BytesWritten(), "took_ms", took.Milliseconds())
	})
}

// secure sets the headers that keep browsers from doing more with an answer than show it.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store") // answers hold credentials and personal data
		next.ServeHTTP(w, r)
	})
}

// recover turns a panic into a 500 in our own words.
func (a *API) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to drop a connection
			}
			logger(r.Context()).Error("request panicked", "panic", v, "stack", string(debug.Stack()))
			a.metrics.panics.Inc()
			writeFailure(w, r, failure{status: http.StatusInternalServerError, code: talkstack.CodeInternal, message: "Internal server error."})
		}()
		next.ServeHTTP(w, r)
	})
}

// locate works out the client's address and what links to us start with.
func (a *API) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := origin{client: clientAddr(r, a.TrustProxy), base: strings.TrimRight(a.PublicURL, "/")}
		if o.base == "" {
			base, ok := requestBase(r, a.TrustProxy)
			if !ok {
				writeFailure(w, r, failure{status: http.StatusBadRequest, code: talkstack.CodeInvalid, message: "The Host header is not a host."})
				return
			}
			o.base = base
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, o)))
	})
}

func clientAddr(r *http.Request, trustProxy bool) netip.Addr {
	if trustProxy {
		// the last entry is the one our own proxy wrote
		hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		if a, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
			return a
		}
	}
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address when it is none: all such share one limit
	return ap.Addr()
}

func requestBase(r *http.Request, trustProxy bool) (string, bool) {
	scheme, host := "http", r.Host
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && host == "" { // HTTP/1.0, as some health checks speak
		host = local.String()
	}
	if r.TLS != nil {
		scheme = "https"
	}
	if trustProxy {
		if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
			scheme = p
		}
		if h := r.Header.Get("X-Forwarded-Host"); h != "" {
			host = h
		}
	}
	return scheme + "://" + host, isHost(host)
}

// isHost reports whether s is a host name or address with an optional port, and nothing else: it goes into links.
func isHost(s string) bool {
	if s == "" || len(s) > 260 {
		return false
	}
	u, err := url.Parse("http://" + s)
	if err != nil || u.Host != s || u.User != nil || u.Hostname() == "" {
		return false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return true
	}
	return strings.IndexFunc(u.Hostname(), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) < 0
}

// refuseBadText refuses paths and queries that no database takes.
func (a *API) refuseBadText(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	query, err := url.QueryUnescape(u.RawQuery)
	if text := u.Path + query; err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		a.refuse(ctx, http.StatusBadRequest, "The address is not valid UTF-8.")
		return
	}
	next(ctx)
}

// limitBody stops a request that sends more than any endpoint takes, and drops its connection.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		if isUpload(r) {
			limit = maxForm
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// timeLimit is how long an answer may take to be made: a database that does not reply is away, and the client is told so.
// Sending it may take longer.
const timeLimit = 30 * time.Second

func limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isStream(r) { // it has limits of its own
			next.ServeHTTP(w, r)
			return
		}
		limit := timeLimit
		if longLasting(r) {
			limit = transferTimeout
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requestMetrics counts what the door does.
type requestMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newRequestMetrics(r prometheus.Registerer) *requestMetrics {
	m := &requestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "HTTP requests by method, route and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "http_panics_total", Help: "Requests that panicked.",
		}),
	}
	r.MustRegister(m.requests, m.duration, m.panics)
	return m
}

func (m *requestMetrics) observe(method, route string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other" // clients choose methods, and each label value lives for ever
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}
