package sheet

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// What one part of a workbook may hold. A zip file of 25 MB can unpack to 25 GB.
const (
	maxRowsPart = 160 << 20 // bytes of XML, unpacked: of the worksheet, and of the table of texts
	maxPart     = 8 << 20   // of any other
	maxToken    = 1 << 20   // bytes of one tag or text: a cell's 64 kB, escaped, and what the reader looks ahead
	maxDepth    = 64        // elements in elements
)

var errTooLarge = errors.New("the part unpacks to more than a workbook may hold")

// tokens reads the XML of one part of a workbook, one token in memory. encoding/xml expands no entities of a document's
// own, and checks that tags match; the limits on size and depth are ours.
type tokens struct {
	part  io.Closer
	d     *xml.Decoder
	in    *meter
	depth int
}

func openPart(f *zip.File, limit int) (*tokens, error) {
	part, err := f.Open()
	if err != nil {
		return nil, damaged(err)
	}
	t := &tokens{part: part, in: &meter{in: bufio.NewReader(part), total: limit}}
	t.d = xml.NewDecoder(t.in)
	return t, nil
}

func (t *tokens) close() error { return t.part.Close() }

// next is the next token; io.EOF comes only after the last element was closed and the part's checksum was right.
func (t *tokens) next() (xml.Token, error) {
	t.in.token = maxToken
	tok, err := t.d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, errTooLarge):
		return nil, invalid("The workbook unpacks to more than it may hold. %s", saveAs)
	case err != nil:
		return nil, damaged(err)
	}
	switch tok.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > maxDepth {
			return nil, damaged(errors.New("elements are nested too deep"))
		}
	case xml.EndElement:
		t.depth--
	}
	return tok, nil
}

// elements calls visit for every element that begins in a part, with the names of those around it, outermost first.
func elements(f *zip.File, visit func(around []string, el xml.StartElement)) error {
	t, err := openPart(f, maxPart)
	if err != nil {
		return err
	}
	defer func() { _ = t.close() }()
	var around []string
	for {
		tok, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			visit(around, el)
			around = append(around, el.Name.Local)
		case xml.EndElement:
			around = around[:len(around)-1]
		}
	}
}

// attr is an attribute's value. Names are matched without their namespace: strict and transitional workbooks differ in it.
func attr(el xml.StartElement, name string) string {
	for _, a := range el.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// within reports whether the innermost element around is called name.
func within(around []string, name string) bool {
	return len(around) > 0 && strings.EqualFold(around[len(around)-1], name)
}

// meter stops a part that is larger than its limit, and a token that is larger than a token's.
type meter struct {
	in           *bufio.Reader
	total, token int
}

// ReadByte is what encoding/xml reads with.
func (m *meter) ReadByte() (byte, error) {
	if m.total == 0 || m.token == 0 {
		return 0, errTooLarge
	}
	m.total--
	m.token--
	return m.in.ReadByte()
}

// Read makes it an io.Reader; encoding/xml does not call it.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
