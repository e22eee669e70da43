// Package sheet owns the reading of uploaded lists: CSV in the encodings and forms that spreadsheet programs write, and
// Excel workbooks, row by row, and the recipients of a batch in them. It holds one row in memory (and a workbook's table
// of texts), trusts nothing in the file, and does not know what becomes of the recipients.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"talkstack"
)

// The limits of a sheet. A file that breaks one of the first three is refused; a cell that is too long refuses its row.
const (
	MaxFile    = 25 << 20 // bytes
	MaxRows    = 200_000  // rows with content, below the header
	MaxColumns = 200
	MaxCell    = 64 << 10 // bytes of UTF-8
)

// Sheet is an uploaded list that is being read: a header, then rows. It is for one goroutine.
type Sheet struct {
	source source
	header []string
	width  int // of the header's row, with columns at its end that have no name
	rows   int
	done   error // what ended the reading: io.EOF, or what is wrong with the file
}

// source is a file format: it yields records until io.EOF. A *RowError spoils its record alone, any other error the rest.
type source interface {
	next() (record, error)
	close() error
}

// record is a row as a format yields it, blank ones too.
type record struct {
	line  int
	cells []string // no more than MaxColumns+1
	open  bool     // blank cells at its end are left out
}

func (r record) blank() bool {
	for _, c := range r.cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// Row is a row below the header.
type Row struct {
	Number int      // 1 for the first row with content below the header
	Line   int      // where a person finds it: the line of a CSV file it begins on, the row of a worksheet
	Cells  []string // one for each column of the header
}

// RowError says what is wrong with one row. The rows after it can be read.
type RowError struct {
	Number int    // as Row.Number
	Line   int    // as Row.Line
	Value  string // the telephone number as the row has it, shortened; empty when it was not read
	Reason string // for people, with what to do about it
}

func (e *RowError) Error() string {
	return fmt.Sprintf("row %d (line %d): %s", e.Number, e.Line, e.Reason)
}

// Open reads the header of a list of size bytes. What kind of file it is, is found from its content. The error is a
// talkstack.Error with CodeInvalid that says what to do when the file is of no kind that can be read, is damaged, or has
// no header. The Sheet reads from r until Close; r is the caller's to close.
func Open(r io.ReaderAt, size int64) (*Sheet, error) {
	src, err := open(r, size)
	if err != nil {
		return nil, err
	}
	s := &Sheet{source: src}
	if err := s.readHeader(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the reading.
func (s *Sheet) Close() error { return s.source.close() }

// Header are the columns' names as they are written, without the blanks around them.
func (s *Sheet) Header() []string { return s.header }

func (s *Sheet) readHeader() error {
	for {
		rec, err := s.source.next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return invalid("The file has no rows. Its first row must name the columns, one of them number.")
		case errors.As(err, &bad):
			return invalid("The header of the file (line %d) can not be read: %s", bad.Line, bad.Reason)
		case err != nil:
			return err
		case rec.blank():
			continue
		}
		for _, c := range rec.cells {
			s.header = append(s.header, strings.TrimSpace(c))
		}
		s.width = len(s.header)
		for s.header[len(s.header)-1] == "" {
			s.header = s.header[:len(s.header)-1]
		}
		if len(s.header) > MaxColumns {
			return invalid("The file has more than %d columns. Remove those that are not needed.", MaxColumns)
		}
		for _, name := range s.header {
			if reason := unfit(name); reason != "" {
				return invalid("The header of the file (line %d) can not be read: %s", rec.line, reason)
			}
		}
		return nil
	}
}

// Next is the next row with content. A *RowError is about one row; the next call goes on after it. io.EOF is the end;
// any other error is one too: a talkstack.Error about the file, or a failure to read it.
func (s *Sheet) Next() (Row, error) {
	for s.done == nil {
		rec, err := s.source.next()
		var bad *RowError
		switch {
		case errors.As(err, &bad):
		case err != nil:
			s.done = err
			return Row{}, err
		case rec.blank():
			continue
		}
		if s.rows == MaxRows {
			s.done = invalid("The file has more than %d rows. Split it into several.", MaxRows)
			break
		}
		s.rows++
		if bad != nil {
			bad.Number = s.rows
			return Row{}, bad
		}
		return s.fit(rec)
	}
	return Row{}, s.done
}

// fit checks a record and brings it to the width of the header. What stands below no name is left out. The cells of a
// worksheet have places; of text, only a row that is as long as the header's can be trusted to be in its columns.
func (s *Sheet) fit(rec record) (Row, error) {
	bad := func(format string, args ...any) (Row, error) {
		return Row{}, &RowError{Number: s.rows, Line: rec.line, Reason: fmt.Sprintf(format, args...)}
	}
	cells := rec.cells
	for len(cells) > len(s.header) && (rec.open || strings.TrimSpace(cells[len(cells)-1]) == "") {
		cells = cells[:len(cells)-1]
	}
	for rec.open && len(cells) < len(s.header) {
		cells = append(cells, "")
	}
	if len(cells) < len(s.header) || len(cells) > s.width {
		return bad("The row has not as many cells as the header: %d, not %d. Quote cells that hold the separator or a line break.", len(cells), s.width)
	}
	cells = cells[:len(s.header)]
	for _, c := range cells {
		if reason := unfit(c); reason != "" {
			return bad("%s", reason)
		}
	}
	return Row{Number: s.rows, Line: rec.line, Cells: cells}, nil
}

// unfit is why a cell can not be taken; empty when it can.
func unfit(cell string) string {
	switch {
	case len(cell) > MaxCell:
		return tooLong
	case strings.ContainsRune(cell, 0):
		return "A cell holds a NUL character: export the list again as CSV UTF-8 or .xlsx."
	}
	return ""
}

const tooLong = "A cell is longer than 64 kB."

func invalid(format string, args ...any) error {
	return talkstack.Errorf(talkstack.CodeInvalid, format, args...)
}

// damaged tells that a file breaks off or can not be decoded; err says how, for us.
func damaged(err error) error {
	return talkstack.WrapError(talkstack.CodeInvalid, err, "The file is damaged. Open it in a spreadsheet program, save it again as .xlsx or CSV UTF-8, and send that.")
}
