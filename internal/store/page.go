package store

import "time"

// Cursor is the last row of a page of a list that is ordered by time and id, newest first: the next page begins behind
// it. The zero Cursor begins at the newest row.
type Cursor struct {
	At time.Time
	ID string
}

// endOfTime is later than anything stored, and still a time to both databases.
func endOfTime() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// before is the cursor as the two parameters of a query.
func (c Cursor) before() (at time.Time, id string) {
	if c.At.IsZero() {
		return endOfTime(), ""
	}
	return c.At.UTC().Truncate(time.Microsecond), c.ID
}
