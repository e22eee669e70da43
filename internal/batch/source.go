package batch

import (
	"errors"
	"io"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

// Source is a list of people that can be read more than once: first to the end, to know that it has one, then into the
// store.
type Source interface {
	// open begins at the first row. Numbers without a country code are those of the region.
	open(region string) (rows, error)
}

// rows yields recipients until io.EOF. A *sheet.RowError spoils one row, any other error the list.
type rows interface {
	next() (sheet.Recipient, error)
	// skip is next for whom it is enough that the row can be read.
	skip() error
	close() error
}

// Sheet is a CSV file or an Excel workbook of size bytes.
func Sheet(r io.ReaderAt, size int64) Source { return file{r, size} }

type file struct {
	r    io.ReaderAt
	size int64
}

func (f file) open(region string) (rows, error) {
	s, err := sheet.Open(f.r, f.size)
	if err != nil {
		return nil, err
	}
	recipients, err := sheet.NewRecipients(s, region)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return sheetRows{s, recipients}, nil
}

type sheetRows struct {
	sheet      *sheet.Sheet
	recipients *sheet.Recipients
}

func (r sheetRows) next() (sheet.Recipient, error) { return r.recipients.Next() }

func (r sheetRows) skip() error {
	_, err := r.sheet.Next()
	return err
}

func (r sheetRows) close() error { return r.sheet.Close() }

// Person is a recipient that a request lists itself.
type Person struct {
	Number    string
	Variables map[string]any
	TimeZone  string // IANA; empty: by the number
}

// People is a list of at most MaxRecipients.
func People(list []Person) Source { return people(list) }

type people []Person

func (p people) open(region string) (rows, error) {
	if len(p) > MaxRecipients {
		return nil, invalid("recipients", "must not be more than 1000: send a sheet instead")
	}
	return &peopleRows{list: p, region: region}, nil
}

type peopleRows struct {
	list   people
	region string
	read   int
}

func (r *peopleRows) next() (sheet.Recipient, error) {
	if r.read == len(r.list) {
		return sheet.Recipient{}, io.EOF
	}
	p := r.list[r.read]
	r.read++
	bad := func(reason string) error {
		return &sheet.RowError{Number: r.read, Line: r.read, Value: clip(p.Number), Reason: reason}
	}
	e164, reason := sheet.ParseNumber(p.Number, r.region)
	if reason != "" {
		return sheet.Recipient{}, bad(reason)
	}
	if p.TimeZone != "" {
		if _, err := talkstack.LoadZone(p.TimeZone); err != nil {
			return sheet.Recipient{}, bad(talkstack.ErrorMessage(err))
		}
	}
	return sheet.Recipient{Row: r.read, Line: r.read, Number: e164, Variables: p.Variables, TimeZone: p.TimeZone}, nil
}

func (r *peopleRows) skip() error {
	_, err := r.next()
	return err
}

func (*peopleRows) close() error { return nil }

// clip keeps what a person wrote short enough to be repeated.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
