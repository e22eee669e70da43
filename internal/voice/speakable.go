package voice

import (
	"net/url"
	"strings"
	"unicode"
)

// speakable is text as it can be said aloud: markdown marks, emoji and the technical parts of links are taken
// out, white space is single. Empty when nothing is left to say.
func speakable(text string) string {
	text = plainLinks(text)
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, word := range strings.Fields(bullet(line)) {
			word = plainWord(word)
			if word == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(word)
		}
	}
	out := b.String()
	if strings.IndexFunc(out, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return ""
	}
	return out
}

// bullet takes the marks of a heading, a list or a quotation off a line.
func bullet(line string) string {
	line = strings.TrimSpace(line)
	line = strings.TrimLeft(line, "#> ")
	for _, mark := range []string{"- ", "* ", "+ ", "• ", "– "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return rest
		}
	}
	return line
}

// plainLinks turns [text](address) into text.
func plainLinks(s string) string {
	for {
		mid := strings.Index(s, "](")
		if mid < 0 {
			return s
		}
		open := strings.LastIndexByte(s[:mid], '[')
		end := strings.IndexByte(s[mid:], ')')
		if open < 0 || end < 0 {
			return strings.Replace(s, "](", " ", 1)
		}
		head := strings.TrimSuffix(s[:open], "!") // an image
		s = head + s[open+1:mid] + s[mid+end+1:]
	}
}

// plainWord is one word without marks and emoji; a web address becomes its host name.
func plainWord(w string) string {
	if host, ok := hostOf(w); ok {
		return host
	}
	if strings.Trim(w, "-–—_=*") == "" {
		if w == "–" || w == "—" || w == "-" {
			return w
		}
		return "" // a ruler
	}
	w = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("*`~|", r), unsayable(r):
			return -1
		case r == '_':
			return ' '
		}
		return r
	}, w)
	return strings.TrimSpace(w)
}

// hostOf recognises a web address and returns what people say of it, with the punctuation that follows it.
func hostOf(w string) (string, bool) {
	core := strings.Trim(w, "()<>[]*_`\"'.,;:!?")
	if !strings.HasPrefix(core, "http://") && !strings.HasPrefix(core, "https://") && !strings.HasPrefix(core, "www.") {
		return "", false
	}
	tail := ""
	if i := strings.LastIndexFunc(w, func(r rune) bool { return !strings.ContainsRune(".,;:!?", r) }); i >= 0 && i < len(w)-1 {
		tail = w[i+1:]
	}
	if !strings.Contains(core, "://") {
		core = "https://" + core
	}
	u, err := url.Parse(core)
	if err != nil || u.Hostname() == "" {
		return "the link" + tail, true
	}
	return strings.TrimPrefix(u.Hostname(), "www.") + tail, true
}

// unsayable reports emoji, their joiners and other pictures.
func unsayable(r rune) bool {
	switch {
	case r == 0x200d, r >= 0xfe00 && r <= 0xfe0f, r == 0x20e3, r >= 0xe0020 && r <= 0xe007f:
		return true
	case r >= 0x1f000, r >= 0x2600 && r <= 0x27bf, r >= 0x2b00 && r <= 0x2bff, r >= 0x2190 && r <= 0x21ff:
		return unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) || unicode.Is(unicode.Sm, r)
	}
	return unicode.IsControl(r)
}
