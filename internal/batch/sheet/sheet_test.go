package sheet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

func open(t testing.TB, file []byte) *sheet.Sheet {
	t.Helper()
	s, err := sheet.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// read gives the rows as "line: cell|cell", and those that are wrong as "line! reason"; then what ended it.
func read(s *sheet.Sheet) (rows []string, end error) {
	for {
		row, err := s.Next()
		var bad *sheet.RowError
		switch {
		case errors.As(err, &bad):
			rows = append(rows, fmt.Sprintf("%d! %s", bad.Line, bad.Reason))
		case err != nil:
			return rows, err
		default:
			rows = append(rows, fmt.Sprintf("%d: %s", row.Line, strings.Join(row.Cells, "|")))
		}
	}
}

func want(t *testing.T, file []byte, header string, rows ...string) {
	t.Helper()
	s := open(t, file)
	if got := strings.Join(s.Header(), "|"); got != header {
		t.Errorf("the header is %q, want %q", got, header)
	}
	got, end := read(s)
	if !errors.Is(end, io.EOF) {
		t.Errorf("the rows end with %v", end)
	}
	if !slices.Equal(got, rows) {
		t.Errorf("the rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

func TestCSVInEveryFormThatProgramsWrite(t *testing.T) {
	t.Parallel()
	utf16Text := func(order string, text string) []byte {
		var b []byte
		for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...) {
			if order == "LE" {
				b = append(b, byte(u), byte(u>>8))
			} else {
				b = append(b, byte(u>>8), byte(u))
			}
		}
		return b
	}
	for name, file := range map[string][]byte{
		"UTF-8":                 []byte("number,name\n+14155550101,Zoë €5\n+14155550102,Łukasz\n"),
		"byte-order mark":       []byte("\xEF\xBB\xBFnumber,name\n+14155550101,Zoë €5\n+14155550102,Łukasz\n"),
		"CRLF, no end":          []byte("number,name\r\n+14155550101,Zoë €5\r\n+14155550102,Łukasz"),
		"CR alone":              []byte("number,name\r+14155550101,Zoë €5\r+14155550102,Łukasz\r"),
		"semicolon":             []byte("number;name\n+14155550101;Zoë €5\n+14155550102;Łukasz\n"),
		"tab":                   []byte("number\tname\n+14155550101\tZoë €5\n+14155550102\tŁukasz\n"),
		"quoted":                []byte("\"number\",\"name\"\n\"+14155550101\",\"Zoë €5\"\n\"+14155550102\",\"Łukasz\"\n"),
		"separator named":       []byte("sep=;\r\nnumber;name\r\n+14155550101;Zoë €5\r\n+14155550102;Łukasz\r\n"),
		"UTF-16 little endian":  utf16Text("LE", "number\tname\r\n+14155550101\tZoë €5\r\n+14155550102\tŁukasz\r\n"),
		"UTF-16 big endian":     utf16Text("BE", "number\tname\r\n+14155550101\tZoë €5\r\n+14155550102\tŁukasz\r\n"),
		"blanks in the header":  []byte(" number , name \n+14155550101,Zoë €5\n+14155550102,Łukasz\n"),
		"blank columns at ends": []byte("number,name,,\n+14155550101,Zoë €5,,\n+14155550102,Łukasz,,\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := 2, 3
			if name == "separator named" {
				first, second = 3, 4
			}
			want(t, file, "number|name", fmt.Sprintf("%d: +14155550101|Zoë €5", first), fmt.Sprintf("%d: +14155550102|Łukasz", second))
		})
	}
	want(t, []byte("number;name\n1;Zo\xEB \x805\n"), "number|name", "2: 1|Zoë €5") // Windows-1252
}

// What is valid UTF-8 must be found so wherever the blocks of the reading are cut.
func TestEncodingIsFoundAcrossBlocks(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		long := "number,name\n1," + strings.Repeat("x", 40_000+shift) + "\n2," + strings.Repeat("€", 21_000) + "\n3,é\n"
		rows, end := read(open(t, []byte(long)))
		if !errors.Is(end, io.EOF) || len(rows) != 3 || rows[2] != "4: 3|é" {
			t.Fatalf("shift %d: %d rows, %v", shift, len(rows), end)
		}
	}
	latin := "number,name\n" + strings.Repeat("1,x\n", 50_000) + "2,Ren\xE9\n"
	if rows, _ := read(open(t, []byte(latin))); rows[len(rows)-1] != "50002: 2|René" {
		t.Errorf("the last row is %q", rows[len(rows)-1])
	}
}

func TestCSVQuotes(t *testing.T) {
	t.Parallel()
	want(t, []byte("number,note\n"+
		"1,\"two\r\nlines, \"\"quoted\"\"\"\n"+
		"2,5\" pipe\n"+ // as spreadsheet programs read it
		"3,\"Ada\" Lovelace\n"+
		"4,\"\"\n"+
		",\"\"\n"+ // blank
		"\n \n"+
		"5,\"{\"\"name\"\": \"\"Ada\"\", \"\"n\"\": 1}\"\n"),
		"number|note",
		"2: 1|two\nlines, \"quoted\"", "4: 2|5\" pipe", "5: 3|Ada Lovelace", "6: 4|", "10: 5|{\"name\": \"Ada\", \"n\": 1}")
	// The header decides by what is outside quotes.
	want(t, []byte("\"a,b,c\";number\n1;2\n"), "a,b,c|number", "2: 1|2")
	want(t, []byte("\n,,,\n\nnumber,name\n1,2\n"), "number|name", "5: 1|2")
}

func TestRaggedAndBadRowsAreToldAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	want(t, []byte("number,name\n1,a\n2\n3,b,c\n4,d,,\n5,\x00\n6,"+strings.Repeat("x", sheet.MaxCell+1)+"\n7,"+strings.Repeat("y", 5)+"\n"),
		"number|name",
		"2: 1|a",
		"3! The row has not as many cells as the header: 1, not 2. Quote cells that hold the separator or a line break.",
		"4! The row has not as many cells as the header: 3, not 2. Quote cells that hold the separator or a line break.",
		"5: 4|d",
		"6! A cell holds a NUL character: export the list again as CSV UTF-8 or .xlsx.",
		"7! A cell is longer than 64 kB.",
		"8: 7|yyyyy")
}

func TestQuoteThatIsNeverClosedIsTold(t *testing.T) {
	t.Parallel()
	rows, end := read(open(t, []byte("number,name\n1,a\n2,\"b\n3,c\n4,d\n")))
	if len(rows) != 1 || talkstack.ErrorCode(end) != talkstack.CodeInvalid || !strings.Contains(end.Error(), "line 3") {
		t.Errorf("rows %q end with %v", rows, end)
	}
}

func TestRowsAreNumbered(t *testing.T) {
	t.Parallel()
	s := open(t, []byte("number,name\n\n1,a\n2\n\n3,c\n"))
	var got []string
	for {
		row, err := s.Next()
		if bad, ok := errors.AsType[*sheet.RowError](err); ok {
			row = sheet.Row{Number: bad.Number, Line: bad.Line}
		} else if err != nil {
			break
		}
		got = append(got, fmt.Sprintf("%d in %d", row.Number, row.Line))
	}
	if strings.Join(got, ", ") != "1 in 3, 2 in 4, 3 in 6" {
		t.Errorf("got %v", got)
	}
	if _, err := s.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestFilesThatAreNoListsSayWhatToDo(t *testing.T) {
	t.Parallel()
	ole := append([]byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}, make([]byte, 70_000)...)
	locked := slices.Clone(ole)
	copy(locked[65_530:], "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty":           {nil, "is empty"},
		"blank":           {[]byte("\n\n  \n"), "has no rows"},
		"blank with mark": {[]byte("\xEF\xBB\xBF"), "has no rows"},
		"old Excel":       {ole, "old Excel format (.xls)"},
		"password":        {locked, "protected by a password"},
		"PDF":             {[]byte("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n"), "is a PDF"},
		"PNG":             {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "is a picture"},
		"JPEG":            {[]byte("\xFF\xD8\xFF\xE0\x00\x10JFIF"), "is a picture"},
		"web page":        {[]byte("<html><table><tr><td>number</td></tr></table></html>"), "is a web page"},
		"XML":             {[]byte("<?xml version=\"1.0\"?><Workbook></Workbook>"), "is XML"},
		"gzip":            {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "is compressed"},
		"sound":           {[]byte("RIFF\x00\x00\x00\x00WAVEfmt "), "is sound or video"},
		"binary":          {[]byte("\x00\x01\x02\x03number,name\n"), "neither CSV nor an Excel workbook"},
		"zip":             {archive(t, map[string]string{"list.csv": "number\n1\n"}), "is a zip archive"},
		"Numbers":         {archive(t, map[string]string{"Index/Document.iwa": "x"}), "In Numbers, choose File, Export To"},
		"OpenDocument":    {archive(t, map[string]string{"mimetype": "x", "content.xml": "<a/>"}), "OpenDocument"},
		"Word":            {archive(t, map[string]string{"[Content_Types].xml": "<a/>", "word/document.xml": "<a/>"}), "Word document"},
		"binary workbook": {archive(t, map[string]string{"[Content_Types].xml": "<a/>", "xl/workbook.bin": "x"}), ".xlsb"},
		"cut zip":         {archive(t, map[string]string{"[Content_Types].xml": "<a/>"})[:60], "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sheet.Open(bytes.NewReader(c.file), int64(len(c.file)))
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(talkstack.ErrorMessage(err), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	want(t, []byte("BMI,number\n22,1\n"), "BMI|number", "2: 22|1") // which looks like a picture's first bytes
}

// A failure to read is not the file's fault, and is not told as one.
func TestAFailingDiskIsNoBadFile(t *testing.T) {
	t.Parallel()
	disk := errors.New("input/output error")
	_, err := sheet.Open(failing{disk}, 100)
	if !errors.Is(err, disk) || talkstack.ErrorCode(err) == talkstack.CodeInvalid {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
