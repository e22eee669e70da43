package sheet

import (
	"archive/zip"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"
)

// dateKind says whether a cell style shows a number as a date.
type dateKind int

const (
	notDate dateKind = iota
	dateOnly
	timeOnly
	dateTime
)

// dateStyles tells for each cell style whether it shows dates (ECMA-376 part 1, sections 18.8.10 and 18.8.30).
func dateStyles(f *zip.File) ([]dateKind, error) {
	custom := map[string]dateKind{}
	var styles []dateKind
	err := elements(f, func(around []string, el xml.StartElement) {
		switch {
		case el.Name.Local == "numFmt" && within(around, "numFmts") && len(custom) < 1<<12:
			custom[attr(el, "numFmtId")] = formatKind(attr(el, "formatCode"))
		case el.Name.Local == "xf" && within(around, "cellXfs") && len(styles) < 1<<16:
			id := attr(el, "numFmtId")
			kind, ok := custom[id]
			if n, err := strconv.Atoi(id); err == nil && !ok {
				kind = builtInKind(n)
			}
			styles = append(styles, kind)
		}
	})
	return styles, err
}

// builtInKind is the kind of a number format that workbooks use without defining it; 27 to 58 are those of East Asia.
func builtInKind(id int) dateKind {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return dateOnly
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47, id == 55, id == 56:
		return timeOnly
	case id == 22:
		return dateTime
	}
	return notDate
}

// formatKind reads a format's code, such as "d.m.yyyy hh:mm". Text in quotes or brackets and escaped characters are not
// of it; [h] counts hours beyond a day, which is no time of day.
func formatKind(code string) dateKind {
	code, _, _ = strings.Cut(strings.ToLower(code), ";") // the part for positive numbers
	var day, clock bool
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '\\', '_', '*':
			i++
		case '"', '[':
			end := strings.IndexByte(code[i+1:], map[byte]byte{'"': '"', '[': ']'}[code[i]])
			if end < 0 {
				return notDate
			}
			if inner := strings.Trim(code[i+1:i+1+end], "hms"); code[i] == '[' && inner == "" {
				return notDate
			}
			i += 1 + end
		case 'd', 'y':
			day = true
		case 'h', 's':
			clock = true
		}
	}
	switch {
	case day && clock:
		return dateTime
	case day:
		return dateOnly
	case clock:
		return timeOnly
	}
	return notDate
}

// dateText writes a day number as a date in ISO 8601, to the minute, or to the second when it has seconds. It is false
// for numbers that are no date.
func dateText(serial float64, kind dateKind, date1904 bool) (string, bool) {
	const lastDay = 2_958_466 // of the year 9999
	if serial < 0 || serial >= lastDay {
		return "", false
	}
	seconds := math.Round((serial - math.Floor(serial)) * 86_400)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC) // so that the 29 February 1900, which Excel has, does no harm
	switch {
	case date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case serial < 60:
		epoch = epoch.AddDate(0, 0, 1)
	}
	t := epoch.AddDate(0, 0, int(serial)).Add(time.Duration(seconds) * time.Second)
	layout := "15:04"
	if t.Second() != 0 {
		layout = "15:04:05"
	}
	switch {
	case kind == timeOnly && serial < 1:
		return t.Format(layout), true
	case kind == dateOnly && seconds == 0:
		return t.Format(time.DateOnly), true
	}
	return t.Format(time.DateOnly + " " + layout), true
}
