package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

// archive makes a zip file.
func archive(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// handmade is a workbook of one sheet with the given sheetData, and more parts over it.
func handmade(t testing.TB, sheetData string, more map[string]string) []byte {
	t.Helper()
	const rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	parts := map[string]string{
		"[Content_Types].xml": `<Types/>`,
		"_rels/.rels":         `<Relationships><Relationship Id="rId1" Type="` + rel + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":     `<workbook xmlns:r="` + rel + `"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="` + rel + `/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="` + rel + `/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type="` + rel + `/styles" Target="/xl/styles.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + sheetData + `</sheetData></worksheet>`,
	}
	for name, text := range more {
		parts[name] = text
	}
	return archive(t, parts)
}

const headerRow = `<row r="1"><c r="A1" t="inlineStr"><is><t>number</t></is></c><c r="B1" t="inlineStr"><is><t>name</t></is></c></row>`

// written is a workbook as the excelize library writes it.
func written(t testing.TB, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func set(t testing.TB, f *excelize.File, sheetName, cell string, value any) {
	t.Helper()
	if err := f.SetCellValue(sheetName, cell, value); err != nil {
		t.Fatal(err)
	}
}

func style(t testing.TB, f *excelize.File, cell string, s *excelize.Style) {
	t.Helper()
	id, err := f.NewStyle(s)
	if err == nil {
		err = f.SetCellStyle("Sheet1", cell, cell, id)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWorkbookCellsAsTheyAreShown(t *testing.T) {
	t.Parallel()
	format := func(code string) *excelize.Style { return &excelize.Style{CustomNumFmt: &code} }
	file := written(t, func(f *excelize.File) {
		for i, name := range []string{"number", "name", "date", "ok", "amount", "at"} {
			cell, _ := excelize.CoordinatesToCellName(i+1, 2) // the first row is empty
			set(t, f, "Sheet1", cell, name)
		}
		day := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
		set(t, f, "Sheet1", "A4", int64(447911123456))
		set(t, f, "Sheet1", "B4", "Zoë\nof London")
		set(t, f, "Sheet1", "C4", day) // with the format 22, m/d/yy h:mm
		set(t, f, "Sheet1", "D4", true)
		set(t, f, "Sheet1", "E4", 0.1+0.2)
		set(t, f, "Sheet1", "F4", 0.5)
		style(t, f, "F4", format("hh:mm"))
		set(t, f, "Sheet1", "A5", 14155550101.0)
		style(t, f, "A5", &excelize.Style{NumFmt: 11}) // 0.00E+00
		set(t, f, "Sheet1", "C5", 46350)
		style(t, f, "C5", format(`[$-407]dd. mmmm "day" yyyy;@`))
		set(t, f, "Sheet1", "E5", 12)
		style(t, f, "E5", format(`0 "days"`)) // not a date, whatever letters are quoted
		set(t, f, "Sheet1", "F5", 46350.75)
		style(t, f, "F5", format("yyyy-mm-dd hh:mm:ss"))
	})
	want(t, file, "number|name|date|ok|amount|at",
		"4: 447911123456|Zoë\nof London|2026-11-24 09:30|true|0.3|12:00",
		"5: 14155550101||2026-11-24||12|2026-11-24 18:00")
}

func TestFirstVisibleSheetIsRead(t *testing.T) {
	t.Parallel()
	file := written(t, func(f *excelize.File) {
		for _, name := range []string{"Second", "Third"} {
			if _, err := f.NewSheet(name); err != nil {
				t.Fatal(err)
			}
			set(t, f, name, "A1", "number")
			set(t, f, name, "A2", name)
		}
		set(t, f, "Sheet1", "A1", "hidden")
		f.SetActiveSheet(1)
		if err := f.SetSheetVisible("Sheet1", false); err != nil {
			t.Fatal(err)
		}
	})
	want(t, file, "number", "2: Second")
}

func TestWorkbookFormsThatOtherProgramsWrite(t *testing.T) {
	t.Parallel()
	shared := map[string]string{"xl/sharedStrings.xml": `<sst><si><t>plain</t></si><si><r><t>rich </t></r><r><t xml:space="preserve">text </t></r><rPh><t>x</t></rPh></si><si><t>a_x000D_
b_x0041_</t></si></sst>`}
	want(t, handmade(t, headerRow+
		`<row r="2"><c r="A2"><v>4.4791112345600001E+11</v></c><c r="B2" t="s"><v>1</v></c></row>`+
		`<row><c><v>14155550101</v></c><c t="str"><f>A1</f><v>of a formula</v></c></row>`+ // without places
		`<row r="7"><c r="B7" t="s"><v>2</v></c><c r="A7"><v>3</v></c></row>`+ // out of order
		`<row r="8"><c r="A8" t="s"><v></v></c><c r="B8" s="1"/></row>`+ // blank
		`<row r="9"><c r="A9"><v>1</v></c><c r="B9" t="e"><v>#REF!</v></c></row>`+
		`<row r="10"><c r="A10"><v>1</v></c><c r="B10"><f>A1</f></c></row>`+
		`<row r="11"><c r="A11"><v>1</v></c><c r="B11" t="s"><v>99</v></c></row>`+
		`<row r="12"><c r="A12"><v>abc</v></c></row>`+
		`<row r="13"><c r="A13" t="d"><v>2026-11-24</v></c><c r="XFD13"><v>1</v></c></row>`+
		`<row r="14"><c r="A14" t="b"><v>0</v></c></row>`, shared),
		"number|name",
		"2: 447911123456|rich text ", "3: 14155550101|of a formula", "7: 3|a\nbA",
		"9! Cell B9 holds the error #REF!: correct its formula.",
		"10! Cell B10 holds a formula that was never computed: open the workbook in a spreadsheet program and save it.",
		"11! Cell B11 refers to a text that the workbook does not hold: save it again in a spreadsheet program.",
		`12! Cell A12 should hold a number, but holds "abc".`,
		"13: 2026-11-24|",
		"14: false|")
}

func TestDaysOfBothCalendars(t *testing.T) {
	t.Parallel()
	styles := map[string]string{"xl/styles.xml": `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`}
	days := headerRow
	for _, serial := range []string{"1", "59", "61", "46350", "-1", "2958466"} {
		days += `<row><c s="1"><v>` + serial + `</v></c></row>`
	}
	want(t, handmade(t, days, styles), "number|name",
		"2: 1900-01-01|", "3: 1900-02-28|", "4: 1900-03-01|", "5: 2026-11-24|", "6: -1|", "7: 2958466|")
	styles["xl/workbook.xml"] = `<workbook xmlns:r="r"><workbookPr date1904="1"/><sheets><sheet name="A" r:id="rId1"/></sheets></workbook>`
	want(t, handmade(t, headerRow+`<row><c s="1"><v>44888</v></c></row>`, styles), "number|name", "2: 2026-11-24|")
}

func TestDamageLaterInAWorkbookIsTold(t *testing.T) {
	t.Parallel()
	good := `<row r="2"><c r="A2"><v>1</v></c></row>`
	for name, data := range map[string]string{
		"tags that do not match": headerRow + good + `<row><c><v>2</c></v></row>`,
		"cut":                    headerRow + good + `<row><c></sheetData>`,
		"unknown entity":         headerRow + good + `<row><c t="str"><v>&who;</v></c></row>`,
		"no text":                headerRow + good + "<row><c t=\"str\"><v>\x01</v></c></row>",
		"too deep":               headerRow + good + strings.Repeat("<row>", 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, end := read(open(t, handmade(t, data, nil)))
			if len(rows) != 1 || talkstack.ErrorCode(end) != talkstack.CodeInvalid || !strings.Contains(talkstack.ErrorMessage(end), "is damaged") {
				t.Errorf("rows %q end with %v", rows, end)
			}
		})
	}
	t.Run("bytes that were changed on the way", func(t *testing.T) {
		t.Parallel()
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		whole, err := zip.NewReader(bytes.NewReader(handmade(t, headerRow+strings.Repeat(good, 100), nil)), int64(len(handmade(t, headerRow+strings.Repeat(good, 100), nil))))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range whole.File { // stored, so that a changed digit is found by the checksum alone
			w, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
			if err != nil {
				t.Fatal(err)
			}
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		file := b.Bytes()
		at := bytes.LastIndex(file, []byte("<v>1</v>"))
		file[at+3] = '7'
		if _, end := read(open(t, file)); errors.Is(end, io.EOF) || !strings.Contains(talkstack.ErrorMessage(end), "is damaged") {
			t.Errorf("the end is %v", end)
		}
	})
}

func TestWorkbookWithoutASheetToRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty sheet": {written(t, func(*excelize.File) {}), "has no rows"},
		"all hidden":  {handmade(t, headerRow, map[string]string{"xl/workbook.xml": `<workbook xmlns:r="r"><sheets><sheet name="A" state="hidden" r:id="rId1"/></sheets></workbook>`}), "no visible worksheet"},
		"no workbook": {archive(t, map[string]string{"[Content_Types].xml": "<a/>"}), "not an Excel workbook"},
	} {
		_, err := sheet.Open(bytes.NewReader(c.file), int64(len(c.file)))
		if talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(talkstack.ErrorMessage(err), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}
