package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// page is a piece of a list of /v1.
type page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"`
}

const pageSize = 100 // the most that the API gives at once

// list reads a list page by page while its reader goes on. An error is the last thing it yields.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		q := url.Values{"limit": {strconv.Itoa(pageSize)}}
		for name, values := range query {
			q[name] = values
		}
		for {
			var p page[T]
			r := get(path, &p)
			r.query = q
			if err := c.call(ctx, r); err != nil {
				yield(none, err)
				return
			}
			for _, v := range p.Data {
				if !yield(v, nil) {
					return
				}
			}
			if p.NextCursor == nil {
				return
			}
			q.Set("cursor", *p.NextCursor)
		}
	}
}

// Collect reads an iterator to its end: all its values, or the first error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// filters makes query parameters of those values that are set.
func filters(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// instant is a time as a parameter; empty for the zero time.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
