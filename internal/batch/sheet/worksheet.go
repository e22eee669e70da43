package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
)

// worksheet reads the rows of a worksheet as they come out of the archive.
type worksheet struct {
	*tokens
	texts    texts
	dates    []dateKind // by cell style
	date1904 bool

	inside bool // in sheetData
	line   int  // of the last row
}

func (w *worksheet) next() (record, error) {
	for {
		tok, err := w.tokens.next()
		if errors.Is(err, io.EOF) {
			return record{}, io.EOF
		}
		if err != nil {
			return record{}, err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			switch {
			case el.Name.Local == "sheetData":
				w.inside = true
			case w.inside && el.Name.Local == "row":
				return w.row(el)
			}
		case xml.EndElement:
			if el.Name.Local == "sheetData" {
				w.inside = false // what follows is read for the sake of the checksum alone
			}
		}
	}
}

// maxLine is the last row of a worksheet (ECMA-376 has no limit, but every spreadsheet program has this one).
const maxLine = 1 << 20

// row reads a row to its end.
func (w *worksheet) row(el xml.StartElement) (record, error) {
	w.line++
	if r, err := strconv.Atoi(attr(el, "r")); err == nil && r > 0 {
		w.line = r
	}
	if w.line > maxLine {
		return record{}, damaged(fmt.Errorf("the worksheet has a row %d", w.line))
	}
	rec := record{line: w.line, open: true}
	fault, column := "", 0
	for {
		tok, err := w.tokens.next()
		if errors.Is(err, io.EOF) {
			err = damaged(io.ErrUnexpectedEOF)
		}
		if err != nil {
			return record{}, err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			if el.Name.Local != "c" {
				continue
			}
			column++
			if n := columnOf(attr(el, "r")); n > 0 {
				column = n
			}
			value, reason, err := w.cell(el)
			if err != nil {
				return record{}, err
			}
			if reason != "" && fault == "" {
				fault = fmt.Sprintf("Cell %s%d %s", columnName(column), w.line, reason)
			}
			if value == "" {
				continue
			}
			at := min(column, MaxColumns+1) // one too many is enough to be told
			for len(rec.cells) < at {
				rec.cells = append(rec.cells, "")
			}
			rec.cells[at-1] = value
		case xml.EndElement:
			if el.Name.Local != "row" {
				continue
			}
			if fault != "" {
				return record{}, &RowError{Line: w.line, Reason: fault}
			}
			return rec, nil
		}
	}
}

// cell reads a cell to its end. The reason, when there is one, goes after "Cell C5".
func (w *worksheet) cell(c xml.StartElement) (value, reason string, err error) {
	var raw []byte
	text, phonetic, formula := false, 0, false
	for {
		tok, err := w.tokens.next()
		if errors.Is(err, io.EOF) {
			err = damaged(io.ErrUnexpectedEOF)
		}
		if err != nil {
			return "", "", err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			text = el.Name.Local == "v" || el.Name.Local == "t" && phonetic == 0
			formula = formula || el.Name.Local == "f"
			if el.Name.Local == "rPh" {
				phonetic++
			}
		case xml.CharData:
			if text && len(raw) <= MaxCell {
				raw = append(raw, el...)
			}
		case xml.EndElement:
			text = false
			switch el.Name.Local {
			case "rPh":
				phonetic--
			case "c":
				value, reason = w.value(c, string(raw), formula)
				return value, reason, nil
			}
		}
	}
}

// value is what a cell shows: text as it is, numbers with all their digits, dates in ISO 8601.
func (w *worksheet) value(c xml.StartElement, raw string, formula bool) (value, reason string) {
	switch kind := attr(c, "t"); kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(raw))
		text, ok := w.texts.text(i)
		switch {
		case raw == "":
			return "", ""
		case err != nil || !ok:
			return "", "refers to a text that the workbook does not hold: save it again in a spreadsheet program."
		}
		return unescape(text), ""
	case "inlineStr", "str", "d":
		return unescape(raw), ""
	case "b":
		return strconv.FormatBool(isTrue(raw)), ""
	case "e":
		return "", fmt.Sprintf("holds the error %s: correct its formula.", clip(raw))
	}
	if raw == "" {
		if formula {
			return "", "holds a formula that was never computed: open the workbook in a spreadsheet program and save it."
		}
		return "", ""
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return "", fmt.Sprintf("should hold a number, but holds %q.", clip(raw))
	}
	if style, err := strconv.Atoi(attr(c, "s")); err == nil && style >= 0 && style < len(w.dates) && w.dates[style] != notDate {
		if date, ok := dateText(x, w.dates[style], w.date1904); ok {
			return date, ""
		}
	}
	return digits(x), ""
}

// digits writes a number without an exponent, with the 15 significant digits that spreadsheet programs keep.
func digits(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return strconv.FormatInt(int64(x), 10)
	}
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 14, 64), 64); err == nil {
		x = rounded
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// columnOf is the column of a cell's name, 1 for "A7"; 0 when there is none. What is beyond the limit stays beyond it.
func columnOf(name string) int {
	n := 0
	for _, r := range name {
		if r < 'A' || r > 'Z' {
			break
		}
		n = min(n*26+int(r-'A')+1, 1<<20)
	}
	return n
}

func columnName(n int) string {
	name := ""
	for ; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

// unescape reads "_x000D_" as the character it stands for (ECMA-376 part 1, section 22.9.2.19, ST_Xstring).
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "_x")
		if i < 0 || len(s) < i+7 {
			break
		}
		code, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil || s[i+6] != '_' || utf16.IsSurrogate(rune(code)) {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteRune(rune(code))
		s = s[i+7:]
	}
	b.WriteString(s)
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// clip keeps what a file holds short enough to be repeated in a message.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
