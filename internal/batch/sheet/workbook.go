package sheet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

// openWorkbook opens the first visible worksheet of an Office Open XML workbook (ECMA-376 part 1, section 18).
func openWorkbook(files map[string]*zip.File) (source, error) {
	book, err := workbookPart(files)
	if err != nil {
		return nil, err
	}
	rels, err := relationships(files, book)
	if err != nil {
		return nil, err
	}
	listed, err := sheetsOf(files[book])
	if err != nil {
		return nil, err
	}
	var chosen *zip.File
	for _, id := range listed.visible {
		if rel := rels[id]; strings.HasSuffix(rel.kind, "/worksheet") && files[rel.target] != nil {
			chosen = files[rel.target]
			break
		}
	}
	if chosen == nil {
		return nil, invalid("The workbook has no visible worksheet with rows. %s", saveAs)
	}
	w := &worksheet{date1904: listed.date1904}
	for _, rel := range rels {
		part := files[rel.target]
		switch {
		case part == nil:
		case strings.HasSuffix(rel.kind, "/sharedStrings"):
			err = w.texts.load(part, maxTexts)
		case strings.HasSuffix(rel.kind, "/styles"):
			w.dates, err = dateStyles(part)
		}
		if err != nil {
			return nil, err
		}
	}
	if w.tokens, err = openPart(chosen, maxRowsPart); err != nil {
		return nil, err
	}
	return w, nil
}

// workbookPart finds the main part by the package's relationships.
func workbookPart(files map[string]*zip.File) (string, error) {
	rels, err := relationships(files, "")
	if err != nil {
		return "", err
	}
	for _, rel := range rels {
		if strings.HasSuffix(rel.kind, "/officeDocument") && files[rel.target] != nil {
			return rel.target, nil
		}
	}
	if files["xl/workbook.xml"] != nil {
		return "xl/workbook.xml", nil
	}
	return "", invalid("The file is not an Excel workbook. %s", saveAs)
}

// relationship is a link from one part to another (ECMA-376 part 2, section 6.5).
type relationship struct {
	kind   string // a URI; its last segment says what it is
	target string // as partName gives it
}

// relationships are those of a part by their ids; those of the package itself for "".
func relationships(files map[string]*zip.File, part string) (map[string]relationship, error) {
	folder, name := path.Split(part)
	f := files[folder+"_rels/"+name+".rels"]
	rels := map[string]relationship{}
	if f == nil {
		return rels, nil
	}
	err := elements(f, func(_ []string, el xml.StartElement) {
		if el.Name.Local != "Relationship" || strings.EqualFold(attr(el, "TargetMode"), "External") {
			return
		}
		target := attr(el, "Target")
		if !strings.HasPrefix(target, "/") {
			target = folder + target
		}
		rels[attr(el, "Id")] = relationship{kind: attr(el, "Type"), target: partName(target)}
	})
	return rels, err
}

// sheetList is what the workbook's main part says.
type sheetList struct {
	visible  []string // relationship ids, in the order of the tabs
	date1904 bool
}

func sheetsOf(f *zip.File) (sheetList, error) {
	var list sheetList
	err := elements(f, func(around []string, el xml.StartElement) {
		switch {
		case el.Name.Local == "workbookPr":
			list.date1904 = isTrue(attr(el, "date1904"))
		case el.Name.Local == "sheet" && within(around, "sheets"):
			if state := attr(el, "state"); state == "" || state == "visible" {
				list.visible = append(list.visible, attr(el, "id"))
			}
		}
	})
	return list, err
}

func isTrue(s string) bool { return s == "1" || s == "true" }

// maxTexts is how much text a workbook may share between its cells, all in memory.
const maxTexts = 32 << 20

// texts is a workbook's table of texts, which cells refer to by number: one block, so that a hundred thousand texts are
// no burden on the collector.
type texts struct {
	block []byte
	ends  []uint32
}

func (t *texts) text(i int) (string, bool) {
	if i < 0 || i >= len(t.ends) {
		return "", false
	}
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return string(t.block[start:t.ends[i]]), true
}

// load reads the table, of limit bytes and a 16th as many texts at most. A text may be in several runs; how it is pronounced (rPh) is not of it.
func (t *texts) load(f *zip.File, limit int) error {
	in, err := openPart(f, maxRowsPart)
	if err != nil {
		return err
	}
	defer func() { _ = in.close() }()
	phonetic, text := 0, false
	for {
		tok, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			text = el.Name.Local == "t"
			if el.Name.Local == "rPh" {
				phonetic++
			}
		case xml.EndElement:
			text = false
			switch el.Name.Local {
			case "rPh":
				phonetic--
			case "si":
				t.ends = append(t.ends, uint32(len(t.block)))
			}
		case xml.CharData:
			if text && phonetic == 0 {
				t.block = append(t.block, el...)
			}
		}
		if len(t.block) > limit || len(t.ends) > limit/16 {
			return invalid("The workbook holds too much text. Remove the columns that are not needed, or split it into several.")
		}
	}
}
