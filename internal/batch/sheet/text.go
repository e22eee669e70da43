package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decodeText is a text as UTF-8: UTF-16 by its byte-order mark, as Excel writes "Unicode text"; else UTF-8, with or
// without a mark; and what is not valid UTF-8 is Windows-1252, Excel's "CSV" in the west.
func decodeText(r io.ReaderAt, size int64) (io.Reader, error) {
	mark := make([]byte, 3)
	if _, err := r.ReadAt(mark, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a sheet: %w", err)
	}
	text := func(from int64) io.Reader { return io.NewSectionReader(r, from, size-from) }
	switch {
	case mark[0] == 0xFF && mark[1] == 0xFE, mark[0] == 0xFE && mark[1] == 0xFF:
		return unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Reader(text(0)), nil
	case string(mark) == "\uFEFF":
		return unicode.UTF8.NewDecoder().Reader(text(3)), nil // what is not UTF-8 all the same becomes U+FFFD
	}
	valid, err := isUTF8(text(0))
	if err != nil || valid {
		return text(0), err
	}
	return charmap.Windows1252.NewDecoder().Reader(text(0)), nil
}

// isUTF8 reads r to its end.
func isUTF8(r io.Reader) (bool, error) {
	block := make([]byte, 64<<10)
	kept := 0 // bytes of a rune that the last block cut
	for {
		n, err := io.ReadFull(r, block[kept:])
		text := block[:kept+n]
		atEnd := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !atEnd {
			return false, fmt.Errorf("read a sheet: %w", err)
		}
		cut := len(text)
		for back := 1; !atEnd && back < utf8.UTFMax && back <= len(text); back++ {
			if b := text[len(text)-back]; utf8.RuneStart(b) {
				if !utf8.FullRune(text[len(text)-back:]) {
					cut = len(text) - back
				}
				break
			}
		}
		if !utf8.Valid(text[:cut]) {
			return false, nil
		}
		if atEnd {
			return true, nil
		}
		kept = copy(block, text[cut:])
	}
}

// openText opens a CSV file.
func openText(r io.ReaderAt, size int64) (source, error) {
	text, err := decodeText(r, size)
	if err != nil {
		return nil, err
	}
	c := &csvRows{in: bufio.NewReaderSize(text, 64<<10), line: 1}
	head, err := c.in.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a sheet: %w", err)
	}
	if sep, ok := announced(head); ok {
		c.separator = sep
		if _, err := c.in.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read a sheet: %w", err)
		}
		c.line++
		return c, nil
	}
	c.separator = detectSeparator(head)
	return c, nil
}

// announced is the separator of a first line "sep=;", which Excel reads and some exports write.
func announced(head []byte) (byte, bool) {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	line := strings.Trim(string(first), "\r\"")
	if len(line) == 5 && strings.EqualFold(line[:4], "sep=") {
		return line[4], true
	}
	return 0, false
}

// detectSeparator is what separates the cells of the first line with content: the comma, semicolon or tab that is there
// most often outside quotes.
func detectSeparator(head []byte) byte {
	counts := map[byte]int{}
	quoted, content := false, false
	for _, b := range head {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n', b == '\r':
			if content {
				return most(counts)
			}
			clear(counts) // a line of separators alone is blank
		case b == ',', b == ';', b == '\t':
			counts[b]++
		case b != ' ':
			content = true
		}
	}
	return most(counts)
}

func most(counts map[byte]int) byte {
	best := byte(',')
	for _, b := range []byte{';', '\t'} {
		if counts[b] > counts[best] {
			best = b
		}
	}
	return best
}
