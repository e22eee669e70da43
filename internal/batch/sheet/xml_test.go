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

// part is a part of a workbook.
func part(t *testing.T, text string) *zip.File {
	t.Helper()
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
	return r.File[0]
}

func TestAPartIsReadToItsLimit(t *testing.T) {
	t.Parallel()
	const text = "<a><b>c</b></a>"
	file := part(t, text)
	for limit := range len(text) + 3 {
		in, err := openPart(file, limit)
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

func TestSharedTextsHaveALimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		part string
		fits bool
	}{
		"three of 160 bytes": {strings.Repeat("<si><t>"+strings.Repeat("a", 53)+"</t></si>", 3), true},
		"too long":           {strings.Repeat("<si><t>"+strings.Repeat("a", 53)+"</t></si>", 4), false},
		"too many":           {strings.Repeat("<si/>", 11), false},
	} {
		var table texts
		err := table.load(part(t, "<sst>"+c.part+"</sst>"), 160)
		if (err == nil) != c.fits || err != nil && (talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(err.Error(), "too much text")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
