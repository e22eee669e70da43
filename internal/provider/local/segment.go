package local

import (
	"slices"
	"strings"
	"time"

	"talkstack"
)

// Lengths in the segmentation of an utterance, in samples at asrRate.
const (
	preRoll       = 300 * asrRate / 1000 // heard before the detector spoke up
	tail          = 160 * asrRate / 1000 // heard after it fell silent
	pauseClose    = 600 * asrRate / 1000 // a pause that ends a segment
	pauseLook     = 120 * asrRate / 1000 // a pause after which the segment is worth recognising
	interimEvery  = 700 * asrRate / 1000 // new speech that is worth another look
	longSegment   = 8 * asrRate          // a segment without a pause is cut at its quietest place
	cutWindow     = 3 * asrRate          // which is looked for in the last seconds
	quietStretch  = 60 * asrRate / 1000
	minVoiced     = 80 * asrRate / 1000 // less speech than this is a click
	frameLength   = asrRate / 50
	silentHistory = preRoll
)

// segment is a stretch of speech with the pauses in it that are shorter than pauseClose.
type segment struct {
	start  int64 // place of pcm[0] in the stream, in samples at asrRate
	pcm    []int16
	onset  int // in pcm: the first frame with speech
	end    int // in pcm: the end of the last frame with speech
	voiced int // samples in frames with speech
}

func (s *segment) speechEnd() int64 { return s.start + int64(s.end) }

// heard is the part of a segment to recognise: up to a little after the last speech.
func (s *segment) heard() []int16 { return s.pcm[:min(len(s.pcm), s.end+tail)] }

// passage is the segment with its text.
func (s *segment) passage(text string) passage {
	return passage{text, s.start + int64(s.onset), s.speechEnd()}
}

// floats converts PCM to full scale 1.
func floats(pcm []int16) []float32 {
	out := make([]float32, len(pcm))
	for i, x := range pcm {
		out[i] = float32(x) / 32768
	}
	return out
}

// split cuts a segment that has grown too long at the quietest place of its last seconds and gives both parts.
func (s *segment) split() (front, rest *segment) {
	from := max(0, s.end-cutWindow)
	best, place := int64(-1), s.end
	for i := from; i+quietStretch <= s.end; i += quietStretch / 4 {
		var sum int64
		for _, x := range s.pcm[i : i+quietStretch] {
			sum += int64(x) * int64(x)
		}
		if best < 0 || sum < best {
			best, place = sum, i+quietStretch/2
		}
	}
	share := int(float64(s.voiced) * float64(place) / float64(max(s.end, 1)))
	front = &segment{start: s.start, pcm: s.pcm[:place:place], onset: s.onset, end: place, voiced: share}
	rest = &segment{start: s.start + int64(place), pcm: slices.Clone(s.pcm[place:]), end: s.end - place, voiced: s.voiced - share}
	return front, rest
}

// passage is a recognised segment.
type passage struct {
	text       string
	start, end int64 // where its speech is, in samples at asrRate
}

// joinText is the text of passages in order.
func joinText(passages []passage) string {
	var parts []string
	for _, p := range passages {
		if p.text != "" {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(parts, " ")
}

// words spreads the words of each passage over its time by their length: an estimate, since the recogniser times nothing.
func words(passages []passage) []talkstack.Word {
	var out []talkstack.Word
	for _, p := range passages {
		fields := strings.Fields(p.text)
		total := 0
		for _, w := range fields {
			total += len(w) + 1
		}
		at := p.start
		done := 0
		for _, w := range fields {
			done += len(w) + 1
			end := p.start + (p.end-p.start)*int64(done)/int64(total)
			out = append(out, talkstack.Word{Text: w, Start: samplesTime(at), End: samplesTime(end)})
			at = end
		}
	}
	return out
}

func samplesTime(n int64) time.Duration { return time.Duration(n) * time.Second / asrRate }
