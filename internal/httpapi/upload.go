package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"talkstack"
)

// Limits on an upload.
const (
	maxUpload       = 25 << 20 // bytes of the file
	maxForm         = maxUpload + 1<<20
	maxPart         = 64 << 10 // bytes of a part that is not the file
	maxParts        = 50
	maxUploads      = 4                // of one account at once on a node
	uploadTimeout   = 5 * time.Minute  // for the upload to arrive
	transferTimeout = 15 * time.Minute // for it and its answer, and for a file that is sent
	stallTimeout    = time.Minute      // for one piece of an answer to be taken
)

// longLasting says of a request that it takes or sends a whole list: it has limits of its own.
func longLasting(r *http.Request) bool {
	return isUpload(r) || r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/batches/") && strings.HasSuffix(r.URL.Path, ".csv")
}

func isUpload(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/call/batch-call" && r.URL.Path != "/v1/batches" {
		return false
	}
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}

// Direct gives a handler the request and the answer as they are: for bodies that the framework does not read, and answers
// that are written piece by piece. It is embedded in the endpoint's input.
type Direct struct {
	exchange huma.Context
}

// Resolve keeps the exchange.
func (d *Direct) Resolve(ctx huma.Context) []error {
	d.exchange = ctx
	return nil
}

func (d *Direct) unwrap() (*http.Request, http.ResponseWriter) { return humachi.Unwrap(d.exchange) }

// written is the output of a handler that has written its answer itself.
type written struct {
	Body func(huma.Context)
}

func answered() *written { return &written{Body: func(huma.Context) {}} }

// upload is a form that has arrived, its file in a temporary one.
type upload struct {
	folder string            // of the temporary file
	leave  func()            // gives the account's place back; nil: it has none
	fields map[string]string // by their canonical names
	file   *os.File
	named  bool   // the file has a name still: not every system lets go of one that is open
	name   string // of the file, as it was sent
	size   int64
	sum    [sha256.Size]byte // of the file
}

// digest is what two uploads must have in common to be the same.
func (u *upload) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(u.fields)) {
		_, _ = fmt.Fprintf(h, "%q=%q\n", name, u.fields[name]) // a hash never fails
	}
	_, _ = h.Write(u.sum[:])
	return hex.EncodeToString(h.Sum(nil))
}

// discard lets the file go, and the account's place.
func (u *upload) discard() {
	if u.file != nil {
		_ = u.file.Close()
		if u.named {
			_ = os.Remove(u.file.Name())
		}
	}
	if u.leave != nil {
		u.leave()
	}
}

// receive reads a form with one file, which must be there. names are the fields' spellings → the canonical ones; other
// fields are ignored, unless strict. The caller discards it, also after an error.
func (a *API) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, names map[string]string, strict bool) (*upload, error) {
	u := &upload{folder: a.Uploads, fields: map[string]string{}}
	user := caller(ctx).ID
	if !a.uploads.enter(user) {
		return u, talkstack.Errorf(talkstack.CodeLimited, "The account has %d uploads under way: wait for one to end.", maxUploads)
	}
	u.leave = func() { a.uploads.leave(user) }
	if !isUpload(r) {
		return u, &statusError{talkstack.Errorf(talkstack.CodeInvalid, "The Content-Type must be multipart/form-data."), http.StatusUnsupportedMediaType}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTimeout)) // not every writer has deadlines
	form, err := r.MultipartReader()
	if err != nil {
		return u, talkstack.Errorf(talkstack.CodeInvalid, "The form can not be read: its Content-Type has no boundary.")
	}
	for n := 0; ; n++ {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u, unread(err)
		}
		if n == maxParts {
			return u, talkstack.Errorf(talkstack.CodeInvalid, "The form has more than %d parts.", maxParts)
		}
		if err := u.take(p, names, strict); err != nil {
			return u, err
		}
	}
	if u.file == nil {
		return u, invalid("file", "is required")
	}
	return u, nil
}

func (u *upload) take(p *multipart.Part, names map[string]string, strict bool) error {
	name := p.FormName()
	if name == "file" {
		return u.spool(p)
	}
	canonical, known := names[name]
	if !known {
		if strict {
			return invalid(shortText(name), "is not a known field")
		}
		_, err := io.Copy(io.Discard, p)
		return unread(err)
	}
	data, err := io.ReadAll(io.LimitReader(p, maxPart+1))
	switch {
	case err != nil:
		return unread(err)
	case len(data) > maxPart:
		return invalid(canonical, "is too long")
	case !utf8.Valid(data) || strings.ContainsRune(string(data), 0):
		return invalid(canonical, "must be UTF-8 without zero bytes")
	}
	if _, twice := u.fields[canonical]; twice {
		return invalid(canonical, "is there twice")
	}
	u.fields[canonical] = string(data)
	return nil
}

// spool keeps the file on the disk: a workbook is read from its end, and an upload must not fill the memory.
func (u *upload) spool(p *multipart.Part) error {
	if u.file != nil {
		return invalid("file", "is there twice")
	}
	f, err := os.CreateTemp(u.folder, "talkstack-upload-*")
	if err != nil {
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "The upload can not be stored. Try again in a moment.")
	}
	u.named = os.Remove(f.Name()) != nil // without a name it ends with this process, however that ends
	u.file, u.name = f, shortText(strings.ToValidUTF8(strings.ReplaceAll(p.FileName(), "\x00", ""), "\uFFFD"))
	sum := sha256.New()
	if u.size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(p, maxUpload+1)); err != nil {
		return unread(err)
	}
	if u.size > maxUpload {
		return tooLarge()
	}
	copy(u.sum[:], sum.Sum(nil))
	return nil
}

func tooLarge() error {
	return &statusError{talkstack.Errorf(talkstack.CodeInvalid, "The file is larger than 25 MB. Split it into several."), http.StatusRequestEntityTooLarge}
}

// unread is the error of a body that has not arrived whole.
func unread(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return &statusError{talkstack.Errorf(talkstack.CodeInvalid, "The upload did not arrive in time."), http.StatusRequestTimeout}
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return talkstack.WrapError(talkstack.CodeUnavailable, err, "The upload can not be stored. Try again in a moment.")
	}
	return talkstack.WrapError(talkstack.CodeInvalid, err, "The form could not be read to its end.")
}

// shortText keeps a text that somebody sent short enough for a message or a name.
func shortText(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}

// giveUp ends an answer that has begun and can not be finished: the connection is dropped, so that nobody takes half of
// it for the whole.
func giveUp(ctx context.Context, err error) {
	logger(ctx).Warn("answer broken off", "error", err)
	panic(http.ErrAbortHandler)
}
