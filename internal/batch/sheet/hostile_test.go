package sheet_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

// bomb is a workbook in which one part unpacks to size bytes of the same text between a beginning and an end.
func bomb(t *testing.T, part, begin, middle, end string, size int) []byte {
	t.Helper()
	base, err := zip.NewReader(bytes.NewReader(handmade(t, headerRow, nil)), int64(len(handmade(t, headerRow, nil))))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name string, write func(w io.Writer) error) {
		w, err := z.Create(name)
		if err == nil {
			err = write(w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range base.File {
		if f.Name == part {
			continue
		}
		put(f.Name, func(w io.Writer) error {
			r, err := f.Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(w, r)
			return err
		})
	}
	put(part, func(w io.Writer) error {
		block := []byte(strings.Repeat(middle, 1+(64<<10)/len(middle)))
		_, err := io.WriteString(w, begin)
		for n := 0; n < size && err == nil; n += len(block) {
			_, err = w.Write(block)
		}
		if err == nil {
			_, err = io.WriteString(w, end)
		}
		return err
	})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that is small and unpacks to much, or is large in a way that lists are not, is refused with a reason, and costs
// memory of the order of its own size at most.
func TestHostileFilesAreRefusedInLittleMemory(t *testing.T) {
	const sheetPart = "xl/worksheets/sheet1.xml"
	const tooMuch = 12 << 20
	long := bytes.Repeat([]byte("x"), 6<<20)
	files := map[string]struct {
		file []byte
		says string
	}{
		"one cell of 12 MB": {bomb(t, sheetPart, `<worksheet><sheetData><row><c t="str"><v>`, "aaaaaaaa", `</v></c></row></sheetData></worksheet>`, tooMuch), "unpacks to more"},
		"one tag of 12 MB":  {bomb(t, sheetPart, `<worksheet x="`, "aaaaaaaa", `"/>`, tooMuch), "unpacks to more"},
		"12 MB of depth":    {bomb(t, sheetPart, `<worksheet>`, "<a>", ``, tooMuch), "is damaged"},
		"12 MB of sheets":   {bomb(t, "xl/workbook.xml", `<workbook><sheets>`, "<sheet/>", `</sheets></workbook>`, tooMuch), "unpacks to more"},
		"a row far away":    {handmade(t, `<row r="1048577"><c r="A1"><v>1</v></c></row>`, nil), "is damaged"},
		"billion laughs": {handmade(t, headerRow, map[string]string{sheetPart: `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>` +
			`<worksheet><sheetData><row><c t="str"><v>&lol2;</v></c></row></sheetData></worksheet>`}), "is damaged"},
		"an entity from a file": {handmade(t, headerRow, map[string]string{sheetPart: `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>` +
			`<worksheet><sheetData><row><c t="str"><v>&x;</v></c></row></sheetData></worksheet>`}), "is damaged"},
		"a million columns in a header": {[]byte(strings.Repeat("c,", 1_000_000) + "number\n1\n"), "more than 200 columns"},
		"100,000 columns in a workbook": {handmade(t, `<row r="1">`+strings.Repeat(`<c><v>1</v></c>`, 100_000)+`</row>`, nil), "more than 200 columns"},
		"one line of 6 MB":              {long, "longer than 64 kB"},
		"one quote of 6 MB":             {append([]byte(`"`), long...), "never closed"},
		"one line of 30 MB":             {make([]byte, 30<<20), "larger than 25 MB"},
		"nothing but zeros":             {make([]byte, 1<<20), "neither CSV nor an Excel workbook"},
		"a column far away":             {handmade(t, `<row><c r="ZZZZZZZZZ1"><v>1</v></c></row>`, nil), "more than 200 columns"},
	}
	for name, c := range files {
		t.Run(name, func(t *testing.T) {
			if len(c.file) > 25<<20 && !strings.Contains(c.says, "25 MB") {
				t.Fatalf("the file has %d bytes", len(c.file))
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s, err := sheet.Open(bytes.NewReader(c.file), int64(len(c.file)))
			runtime.ReadMemStats(&after)
			if err == nil {
				_ = s.Close()
			}
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(talkstack.ErrorMessage(err), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 200<<20 {
				t.Errorf("the heap has grown by %d MB", grown>>20)
			}
		})
	}
}

func TestTooManyRowsAreRefusedWhereTheyBegin(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("number\n")
	for range sheet.MaxRows + 1 {
		b.WriteString("1\n")
	}
	s := open(t, b.Bytes())
	rows := 0
	for {
		_, err := s.Next()
		if err != nil {
			if rows != sheet.MaxRows || talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(err.Error(), "more than 200000 rows") {
				t.Errorf("after %d rows: %v", rows, err)
			}
			break
		}
		rows++
	}
	if _, err := s.Next(); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
		t.Errorf("asked again: %v", err)
	}
}

// Reading a long list holds no more of it than reading a short one.
func TestMemoryIsFlat(t *testing.T) {
	for _, kind := range []string{"CSV", "workbook"} {
		file := list(t, kind, 6_000)
		r, err := sheet.NewRecipients(open(t, file), "")
		if err != nil {
			t.Fatal(err)
		}
		var start, now runtime.MemStats
		var most uint64
		for rows := 0; ; rows++ {
			if _, err := r.Next(); err != nil {
				if rows != 6_000 {
					t.Errorf("%s: %d rows, then %v", kind, rows, err)
				}
				break
			}
			if rows%1_000 == 100 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				if rows == 100 {
					start = now
				}
				most = max(most, now.HeapAlloc)
			}
		}
		if grown := int64(most) - int64(start.HeapAlloc); grown > 2<<20 {
			t.Errorf("%s: the heap has grown by %d kB", kind, grown>>10)
		} else {
			t.Logf("%s: file of %d kB, heap grown by %d kB", kind, len(file)>>10, grown>>10)
		}
	}
}

// list is a file of rows recipients.
func list(t testing.TB, kind string, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	if kind == "CSV" {
		b.WriteString("number,name,amount,dynamicVariables\n")
		for i := range rows {
			fmt.Fprintf(&b, "+1415555%04d,Customer %d,%d,\"{\"\"id\"\": %d}\"\n", i%10_000, i, i, i)
		}
		return b.Bytes()
	}
	b.WriteString(`<row r="1"><c t="inlineStr"><is><t>number</t></is></c><c t="inlineStr"><is><t>name</t></is></c><c t="inlineStr"><is><t>amount</t></is></c></row>`)
	for i := range rows {
		fmt.Fprintf(&b, `<row r="%d"><c r="A%d" t="s"><v>%d</v></c><c r="B%d" t="inlineStr"><is><t>Customer %d</t></is></c><c r="C%d"><v>%d</v></c></row>`, i+2, i+2, i%10_000, i+2, i, i+2, i)
	}
	var texts strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&texts, "<si><t>+1415555%04d</t></si>", i)
	}
	return handmade(t, b.String(), map[string]string{"xl/sharedStrings.xml": "<sst>" + texts.String() + "</sst>"})
}

func BenchmarkRecipients(b *testing.B) {
	for _, kind := range []string{"CSV", "workbook"} {
		file := list(b, kind, 100_000)
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := sheet.Open(bytes.NewReader(file), int64(len(file)))
				if err != nil {
					b.Fatal(err)
				}
				r, err := sheet.NewRecipients(s, "")
				for err == nil {
					_, err = r.Next()
				}
				if err != io.EOF { //nolint:errorlint // it is never wrapped
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
