package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

type health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

type readiness struct {
	Status string      `json:"status" enum:"ready,not ready"`
	Parts  []partState `json:"parts"`
}

type partState struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

type readinessResponse struct {
	Status int
	Body   readiness
}

func (a *API) healthRoutes() {
	const tag = "Server"
	get(a, "/healthz", operation{ID: "health", Tag: tag, Access: accessOpen, Summary: "The process lives"},
		func(context.Context, *struct{}) (*body[health], error) {
			return reply(health{Status: "ok", Version: a.Version}), nil
		})
	o := a.describe(http.MethodGet, "/readyz", operation{
		ID: "readiness", Tag: tag, Access: accessOpen, Summary: "The server takes calls and requests",
	}, reflect.TypeFor[struct{}]())
	o.Responses[strconv.Itoa(http.StatusServiceUnavailable)] = &huma.Response{
		Description: "Not ready: the log says why.",
		Content: map[string]*huma.MediaType{jsonType: {
			Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[readiness](), true, ""),
		}},
	}
	huma.Register(a.huma, o, a.readiness)
}

// readiness names the parts that are not ready. Why is for the log: everybody may ask here.
func (a *API) readiness(ctx context.Context, _ *struct{}) (*readinessResponse, error) {
	r := &readinessResponse{Status: http.StatusOK, Body: readiness{Status: "ready", Parts: []partState{}}}
	for _, c := range a.Ready(ctx) {
		r.Body.Parts = append(r.Body.Parts, partState{Name: c.Name, Ready: c.Err == nil})
		if c.Err != nil {
			r.Status, r.Body.Status = http.StatusServiceUnavailable, "not ready"
			logger(ctx).Warn("part not ready", "part", c.Name, "error", c.Err)
		}
	}
	return r, nil
}
