package client

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"sync"
)

// Sheet is a CSV file or an Excel workbook (.xlsx) with a header row. Its column number is needed.
type Sheet struct {
	Name string // the file's name; says what kind it is: "march.csv"
	// Content is read as it is sent. One that is also an io.Seeker can be sent again when an answer is lost.
	Content io.Reader
}

// upload is a form with a sheet, written while it is sent.
type upload struct {
	fields [][2]string
	sheet  Sheet

	mu      sync.Mutex
	fault   error         // of reading the sheet
	written chan struct{} // closed when the writer of the last try has ended
	pipe    *io.PipeReader
}

// start begins to write the form for one try. Its writer ends when the form is sent or the reader is closed, which the HTTP
// client does in every case.
func (u *upload) start() (io.Reader, string) {
	out, in := io.Pipe()
	form := multipart.NewWriter(in)
	written := make(chan struct{})
	u.mu.Lock()
	u.written, u.pipe, u.fault = written, out, nil
	u.mu.Unlock()
	go func() {
		defer close(written)
		_ = in.CloseWithError(u.write(form)) // nil is the end of the form
	}()
	return out, form.FormDataContentType()
}

func (u *upload) write(form *multipart.Writer) error {
	for _, f := range u.fields {
		if err := form.WriteField(f[0], f[1]); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("file", u.sheet.Name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, faulty{u}); err != nil {
		return err
	}
	return form.Close()
}

// faulty reads the sheet and keeps what is wrong with it: no repetition helps.
type faulty struct{ u *upload }

func (f faulty) Read(p []byte) (int, error) {
	n, err := f.u.sheet.Content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.u.mu.Lock()
		f.u.fault = err
		f.u.mu.Unlock()
	}
	return n, err
}

// failed is what was wrong with reading the sheet.
func (u *upload) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fault
}

// stop waits until nobody reads the sheet any more, or the context ends.
func (u *upload) stop(ctx context.Context) bool {
	u.mu.Lock()
	pipe, written := u.pipe, u.written
	u.mu.Unlock()
	if pipe == nil {
		return true
	}
	_ = pipe.Close() // never fails
	select {
	case <-written:
		return true
	case <-ctx.Done():
		return false
	}
}

// rewind takes the sheet back to its beginning, if that is possible.
func (u *upload) rewind(ctx context.Context) bool {
	s, ok := u.sheet.Content.(io.Seeker)
	if !ok || !u.stop(ctx) {
		return false
	}
	_, err := s.Seek(0, io.SeekStart)
	return err == nil
}
