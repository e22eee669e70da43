package voice

import (
	"strings"
	"time"
	"unicode/utf8"
)

// heardSpeech is how much of a speech reached the caller.
type heardSpeech struct {
	text  string        // the words that were heard
	whole string        // all clauses that were made
	end   time.Duration // when the last sample was sent
}

func (h *heardSpeech) add(text string)      { h.text = join(h.text, text) }
func (h *heardSpeech) addWhole(text string) { h.whole = join(h.whole, text) }

// join puts two stretches of text together with one space.
func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + " " + b
}

// perRune is how long a letter takes to say, where the length of a clause is not known yet (about 15 a second).
const perRune = 66 * time.Millisecond

// heardWords is the beginning of text that was heard when pos samples of its audio have been sent. Words are
// laid over the audio in proportion to their letters; a word counts when more than half of it was heard.
func heardWords(text string, pos, length int, complete bool, rate int) string {
	total := utf8.RuneCountInString(text) + 1
	if !complete {
		length = max(length, int(time.Duration(total)*perRune*time.Duration(rate)/time.Second))
	}
	if length == 0 {
		return ""
	}
	if complete && pos >= length {
		return text
	}
	heard := float64(pos) / float64(length) * float64(total)
	var b strings.Builder
	at := 0.0
	for _, w := range strings.Fields(text) {
		n := float64(utf8.RuneCountInString(w))
		if at+n/2 >= heard {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		at += n + 1
	}
	return b.String()
}
