package client

import "context"

// Health says that the server's process lives.
type Health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// Health asks whether the server's process lives.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	r := get("/healthz", &h)
	r.open, r.repeat = true, false
	err := c.call(ctx, r)
	return h, err
}

// Readiness says which parts of the server are ready.
type Readiness struct {
	Status string      `json:"status"`
	Parts  []PartState `json:"parts"`
}

// PartState is a part of the server.
type PartState struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

// Readiness asks whether the server takes calls and requests. When it does not, the error is unavailable, and the parts
// say what is missing.
func (c *Client) Readiness(ctx context.Context) (Readiness, error) {
	var answer Readiness
	r := get("/readyz", &answer)
	r.open, r.repeat, r.refused = true, false, &answer
	err := c.call(ctx, r)
	return answer, err
}
