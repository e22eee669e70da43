// Package media owns audio as numbers: frames, resampling, tones, levels and WAV files.
// It knows codecs and RTP only through its subpackages, and nothing of calls.
package media

import (
	"iter"
	"time"
)

// FrameDuration is the length of every frame.
const FrameDuration = 20 * time.Millisecond

// Frame is 20 ms of mono 16-bit PCM. It is a value: copying it copies the audio, so it has no owner
// and needs no pool. Rate is 8000 for G.711 and 16000 for G.722.
type Frame struct {
	Rate    int
	samples [maxFrameSamples]int16
}

const maxFrameSamples = 16000 / 50

// NewFrame makes a silent frame. Rate is 8000 or 16000.
func NewFrame(rate int) Frame {
	if rate/50 > maxFrameSamples || rate <= 0 {
		panic("media: a frame is 8 or 16 kHz")
	}
	return Frame{Rate: rate}
}

// Samples is the frame's audio, to read and to write.
func (f *Frame) Samples() []int16 { return f.samples[:f.Rate/50] }

// Digit is one DTMF key with how long it was held.
type Digit struct {
	Key      byte // '0'-'9', '*', '#', 'A'-'D'
	Duration time.Duration
}

// FrameSlicer cuts stretches of PCM of any length into frames. What does not fill a frame waits for the next stretch.
type FrameSlicer struct {
	rest Frame
	n    int // samples in rest
}

// NewFrameSlicer makes a slicer for audio of that rate, 8000 or 16000.
func NewFrameSlicer(rate int) *FrameSlicer { return &FrameSlicer{rest: NewFrame(rate)} }

// Slice yields the frames that pcm completes. A loop that stops early loses the rest of pcm.
func (s *FrameSlicer) Slice(pcm []int16) iter.Seq[Frame] {
	return func(yield func(Frame) bool) {
		for len(pcm) > 0 {
			n := copy(s.rest.Samples()[s.n:], pcm)
			pcm = pcm[n:]
			if s.n += n; s.n < len(s.rest.Samples()) {
				return
			}
			s.n = 0
			if !yield(s.rest) {
				return
			}
		}
	}
}

// Flush is the last frame, its end padded with silence; false: nothing was left. The slicer is empty then.
func (s *FrameSlicer) Flush() (Frame, bool) {
	if s.n == 0 {
		return Frame{}, false
	}
	clear(s.rest.Samples()[s.n:])
	s.n = 0
	return s.rest, true
}
