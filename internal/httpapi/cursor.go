package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"talkstack/internal/store"
)

const maxCursor = 500 // bytes, as the document says

// PageQuery is how a list of /v1 is asked for, embedded in an input. It is exported because the framework sees no other
// embedded fields. A handler reads one row more than Limit: it tells pageOf that there is another page.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Entries of a page."`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before."`
}

// page is a list of /v1.
type page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor" nullable:"true" doc:"Where the next page begins; null on the last one."`
}

// pageOf makes a page of rows, of which there may be one more than limit. wire is a row's form on the wire, cursor what
// sealCursor makes of it.
func pageOf[R, T any](rows []R, limit int, wire func(R) T, cursor func(R) string) page[T] {
	var next *string
	if len(rows) > limit {
		rows = rows[:limit]
		c := cursor(rows[limit-1])
		next = &c
	}
	p := page[T]{Data: make([]T, len(rows)), NextCursor: next}
	for i, r := range rows {
		p.Data[i] = wire(r)
	}
	return p
}

// sealCursor makes an opaque text of a row's place in a list: base64url of a checksum and the values it is ordered by.
// The checksum covers the list's name too: a cursor works nowhere else. It is no secret and no proof; a list is scoped
// by its owner whatever the cursor says.
func sealCursor(list string, values ...string) string {
	b, _ := json.Marshal(values) // texts can always be marshalled
	return base64.RawURLEncoding.EncodeToString(append(cursorSum(list, b), b...))
}

// openCursor is the reverse of sealCursor: nil for an empty cursor, invalid for one that is not of this list or does not
// hold n values.
func openCursor(list, cursor string, n int) ([]string, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := invalid("cursor", "is not a next_cursor of this list")
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(cursor) > maxCursor || len(b) < cursorSumSize || string(cursorSum(list, b[cursorSumSize:])) != string(b[:cursorSumSize]) {
		return nil, bad
	}
	var values []string
	if json.Unmarshal(b[cursorSumSize:], &values) != nil || len(values) != n {
		return nil, bad
	}
	return values, nil
}

const cursorSumSize = 6 // bytes

func cursorSum(list string, values []byte) []byte {
	sum := sha256.Sum256(append([]byte(list+"\n"), values...))
	return sum[:cursorSumSize]
}

// sealTimeCursor is sealCursor for a list that is ordered by time and id.
func sealTimeCursor(list string, at time.Time, id string) string {
	return sealCursor(list, at.UTC().Format(time.RFC3339Nano), id)
}

// openTimeCursor is the reverse of sealTimeCursor: the zero Cursor for an empty one.
func openTimeCursor(list, cursor string) (store.Cursor, error) {
	values, err := openCursor(list, cursor, 2)
	if err != nil || values == nil {
		return store.Cursor{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, values[0])
	if err != nil || at.IsZero() {
		return store.Cursor{}, invalid("cursor", "is not a next_cursor of this list")
	}
	return store.Cursor{At: at, ID: values[1]}, nil
}
