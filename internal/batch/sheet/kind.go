package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

const saveAs = "Save the list as .xlsx or as CSV UTF-8, and send that."

// open finds what kind of file r is and opens its rows.
func open(r io.ReaderAt, size int64) (source, error) {
	if size > MaxFile {
		return nil, invalid("The file is larger than %d MB. Split it into several.", MaxFile>>20)
	}
	head := make([]byte, min(size, 4096))
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a sheet: %w", err)
	}
	head = head[:n]
	switch {
	case n == 0:
		return nil, invalid("The file is empty. Its first row must name the columns, one of them number.")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return openZip(r, size)
	case bytes.HasPrefix(head, []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}): // OLE compound file, MS-CFB 2.2
		return nil, oldWorkbook(r, size)
	}
	if err := notText(head); err != nil {
		return nil, err
	}
	return openText(r, size)
}

// notText says what a file is that can not be CSV.
func notText(head []byte) error {
	kind := http.DetectContentType(head)
	switch {
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return invalid("The file is a PDF. Export the list it was made from: %s", lower(saveAs))
	case strings.HasPrefix(kind, "text/html"), bytes.HasPrefix(head, []byte("<table")):
		return invalid("The file is a web page, though its name may end in .xls. Open it in a spreadsheet program. %s", saveAs)
	case strings.HasPrefix(kind, "text/xml"):
		return invalid("The file is XML. Open it in a spreadsheet program. %s", saveAs)
	case strings.HasPrefix(kind, "text/plain"):
		return nil
	case kind == "image/bmp" && mostlyText(head): // "BM" may begin a column's name
		return nil
	case kind == "application/octet-stream" && mostlyText(head): // with some stray byte, for which its row is refused
		return nil
	case strings.HasPrefix(kind, "image/"):
		return invalid("The file is a picture, not a list of rows. %s", saveAs)
	case strings.HasPrefix(kind, "audio/"), strings.HasPrefix(kind, "video/"), kind == "application/ogg":
		return invalid("The file is sound or video, not a list of rows. %s", saveAs)
	case kind == "application/x-gzip", kind == "application/x-rar-compressed":
		return invalid("The file is compressed. Unpack it, and send the .xlsx or CSV file itself.")
	}
	return invalid("The file is neither CSV nor an Excel workbook. %s", saveAs)
}

// mostlyText reports whether control characters are rare.
func mostlyText(head []byte) bool {
	controls := 0
	for _, b := range head {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			controls++
		}
	}
	return controls*20 <= len(head)
}

// oldWorkbook tells the two things apart that spreadsheet programs put into an OLE compound file.
func oldWorkbook(r io.ReaderAt, size int64) error {
	const marker = "EncryptedPackage" // the stream of an encrypted workbook, MS-OFFCRYPTO 2.3.4.4; names are in UTF-16
	var name []byte
	for _, c := range []byte(marker) {
		name = append(name, c, 0)
	}
	block := make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(block) - len(name)) {
		n, err := r.ReadAt(block, at)
		if bytes.Contains(block[:n], name) {
			return invalid("The workbook is protected by a password. Remove the password in Excel (File, Info, Protect Workbook), and send it again.")
		}
		if err != nil {
			break
		}
	}
	return invalid("The file is in the old Excel format (.xls). %s", saveAs)
}

// openZip opens a workbook, or says what else the archive is.
func openZip(r io.ReaderAt, size int64) (source, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, damaged(err)
	}
	files := make(map[string]*zip.File, len(archive.File))
	for _, f := range archive.File {
		files[partName(f.Name)] = f
	}
	has := func(name string) bool { return files[name] != nil }
	switch {
	case has("index/document.iwa"), has("index.zip"):
		return nil, invalid("The file is a Numbers document. In Numbers, choose File, Export To, Excel or CSV, and send that.")
	case has("content.xml") && has("mimetype"):
		return nil, invalid("The file is an OpenDocument file. %s", saveAs)
	case has("xl/workbook.bin"):
		return nil, invalid("The file is a binary workbook (.xlsb). %s", saveAs)
	case has("word/document.xml"):
		return nil, invalid("The file is a Word document, not a list of rows. %s", saveAs)
	case !has("[content_types].xml"):
		return nil, invalid("The file is a zip archive, not a workbook. Unpack it, and send the .xlsx or CSV file itself.")
	}
	return openWorkbook(files)
}

// partName is a part's name as it is looked up: names are matched without regard to case (ECMA-376 part 2, 6.2.2), and
// some writers use backslashes or begin with a slash.
func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean(strings.ReplaceAll(name, `\`, "/")), "/"))
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }
