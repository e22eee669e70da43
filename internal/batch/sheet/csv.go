package sheet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// csvRows reads comma-separated values (RFC 4180) as spreadsheet programs do, not as encoding/csv does: a quote inside
// a plain cell is a character, text after a closing quote belongs to the cell, a lone CR ends a line too, and neither
// a cell nor a line is ever held in memory beyond the limits.
type csvRows struct {
	in        *bufio.Reader
	separator byte
	line      int // of the next byte
}

func (c *csvRows) close() error { return nil }

// csvCell says where in a cell the reader is.
type csvCell int

const (
	atStart csvCell = iota
	plain
	quoted
	closed // after the closing quote
)

func (c *csvRows) next() (record, error) {
	row := csvRecord{record: record{line: c.line}}
	at, opened := atStart, 0
	for {
		b, err := c.readByte()
		switch {
		case errors.Is(err, io.EOF) && at == quoted:
			return record{}, invalid("The quote that opens on line %d is never closed: everything after it would be one cell. Close it, or write it twice.", opened)
		case errors.Is(err, io.EOF) && at == atStart && row.count == 0:
			return record{}, io.EOF
		case errors.Is(err, io.EOF):
			row.end()
			return row.done()
		case err != nil:
			return record{}, fmt.Errorf("read a sheet: %w", err)
		}
		switch {
		case at == quoted && b == '"':
			at = closed
		case at == quoted:
			row.add(b)
		case at == closed && b == '"':
			row.add(b)
			at = quoted
		case b == c.separator:
			row.end()
			at = atStart
		case b == '\n':
			row.end()
			return row.done()
		case at == atStart && b == '"':
			at, opened = quoted, c.line
		default:
			row.add(b)
			if at == atStart {
				at = plain
			}
		}
	}
}

// readByte is the next byte, with each kind of line end as one LF.
func (c *csvRows) readByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if b == '\r' {
		if next, _ := c.in.Peek(1); len(next) == 1 && next[0] == '\n' {
			_, _ = c.in.Discard(1) // it was peeked
		}
		b = '\n'
	}
	if b == '\n' {
		c.line++
	}
	return b, nil
}

// csvRecord is the record that is being read.
type csvRecord struct {
	record
	cell  []byte
	count int // cells so far; those beyond the limit are counted, not kept
	long  bool
}

func (r *csvRecord) add(b byte) {
	if len(r.cell) == MaxCell {
		r.long = true
		return
	}
	r.cell = append(r.cell, b)
}

func (r *csvRecord) end() {
	if r.count <= MaxColumns {
		r.cells = append(r.cells, string(r.cell))
	}
	r.count++
	r.cell = r.cell[:0]
}

func (r *csvRecord) done() (record, error) {
	if r.long {
		return record{}, &RowError{Line: r.line, Reason: tooLong}
	}
	return r.record, nil
}
