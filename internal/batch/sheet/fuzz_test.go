package sheet_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

// readAll reads whatever file is and checks what every reader promises.
func readAll(t *testing.T, file []byte, region string) {
	s, err := sheet.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		if talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Fatalf("not told as the file's fault: %v", err)
		}
		return
	}
	defer func() { _ = s.Close() }()
	if len(s.Header()) == 0 || len(s.Header()) > sheet.MaxColumns {
		t.Fatalf("a header of %d columns", len(s.Header()))
	}
	next := func() (int, error) {
		row, err := s.Next()
		if err == nil && len(row.Cells) != len(s.Header()) {
			t.Fatalf("%d cells for %d columns", len(row.Cells), len(s.Header()))
		}
		for _, c := range row.Cells {
			if len(c) > sheet.MaxCell || strings.ContainsRune(c, 0) {
				t.Fatalf("a bad cell of %d bytes was let through", len(c))
			}
		}
		return row.Number, err
	}
	if r, err := sheet.NewRecipients(s, region); err == nil {
		next = func() (int, error) {
			to, err := r.Next()
			if _, bad := talkstack.ParseE164(to.Number); err == nil && bad != nil {
				t.Fatalf("%q was taken for a number", to.Number)
			}
			return to.Row, err
		}
	}
	for last := 0; ; {
		n, err := next()
		if bad, ok := errors.AsType[*sheet.RowError](err); ok {
			if n = bad.Number; bad.Reason == "" || bad.Line < 1 {
				t.Fatalf("a row error without reason or line: %+v", bad)
			}
		} else if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid {
				t.Fatalf("not told as the file's fault: %v", err)
			}
			return
		}
		if n != last+1 {
			t.Fatalf("row %d follows row %d", n, last)
		}
		last = n
	}
}

func FuzzOpenCSV(f *testing.F) {
	f.Add([]byte("number,name\n+14155550101,\"a\"\"b\"\r\n\n\"c\nd\",e"))
	f.Add([]byte("\xEF\xBB\xBFnumber;name;dynamicVariables;timezone\n1;2;{};UTC\n"))
	f.Add([]byte("\xFF\xFEn\x00u\x00m\x00b\x00e\x00r\x00\n\x001\x00\n\x00"))
	f.Add([]byte("sep=;\nnumber;\xE9\n"))
	f.Add([]byte("number\n4.15555E+10\n\x00\n'0"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if bytes.HasPrefix(file, []byte("PK")) {
			return
		}
		readAll(t, file, "US")
		sameAsStandardLibrary(t, file)
	})
}

// sameAsStandardLibrary checks that what encoding/csv takes as well formed is read as it reads it.
func sameAsStandardLibrary(t *testing.T, file []byte) {
	text := string(file)
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00;\t") || strings.HasPrefix(text, "\uFEFF") || !strings.HasPrefix(text, "a,b\n") ||
		strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
		return // where the two differ on purpose
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return
	}
	s := open(t, file)
	for _, want := range records[1:] {
		if strings.TrimSpace(strings.Join(want, "")) == "" {
			continue
		}
		got, err := s.Next()
		if err != nil || !slices.Equal(got.Cells, want) {
			t.Fatalf("got %q, %v; want %q", got.Cells, err, want)
		}
	}
	if _, err := s.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("the end is %v", err)
	}
}

func FuzzOpenWorkbook(f *testing.F) {
	const rows = `<row r="2"><c r="A2" t="s"><v>0</v></c><c s="1"><v>46350.5</v></c></row>`
	f.Add(headerRow+rows, `<si><t>+14155550101</t></si>`, `<xf numFmtId="14"/>`)
	f.Add(`<row r="9"><c r="ZZ9" t="e"><v>#N/A</v></c><c t="b"><v>1</v></c><c><f>A1</f></c></row>`, `<si><r><t>a</t></r><rPh><t>b</t></rPh></si>`, `<xf numFmtId="x"/>`)
	f.Add(headerRow+`<row><c t="str"><v>_x0041_&#65;</v></c>`, ``, ``)
	f.Fuzz(func(t *testing.T, rows, texts, styles string) {
		readAll(t, handmade(t, rows, map[string]string{
			"xl/sharedStrings.xml": "<sst>" + texts + "</sst>", "xl/styles.xml": "<styleSheet><cellXfs><xf/>" + styles + "</cellXfs></styleSheet>",
		}), "")
	})
}

func FuzzOpenArchive(f *testing.F) {
	f.Add(handmade(f, headerRow, nil))
	f.Add(archive(f, map[string]string{"[Content_Types].xml": "<a/>"}))
	f.Fuzz(func(t *testing.T, file []byte) { readAll(t, file, "") })
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"+14155550101", "4.15555E+10", "(030) 901820", "14155550101.0", "'+49", "tel:+1;ext=5"} {
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, region string) {
		number, reason := sheet.ParseNumber(s, region)
		if (number == "") == (reason == "") {
			t.Fatalf("%q: number %q and reason %q", s, number, reason)
		}
		if number == "" {
			return
		}
		if again, reason := sheet.ParseNumber(number, ""); again != number {
			t.Fatalf("%q gives %s, which gives %q, %q", s, number, again, reason)
		}
	})
}
