package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"talkstack"
)

func TestAPartIsReadToItsLimit(t *testing.T) {
	t.Parallel()
	const text = "<a><b>c</b></a>"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("part")
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for limit := range len(text) + 3 {
		in, err := openPart(r.File[0], limit)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = in.next()
		}
		if whole := errors.Is(err, io.EOF); whole != (limit > len(text)) {
			t.Errorf("limit %d ends with %v", limit, err)
		} else if !whole && (talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(err.Error(), "unpacks to more")) {
			t.Errorf("limit %d is told as %v", limit, err)
		}
		if err := in.close(); err != nil {
			t.Error(err)
		}
	}
}
