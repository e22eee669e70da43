// Package media owns audio as numbers: frames, resampling, tones, levels and WAV files.
// It knows codecs and RTP only through its subpackages, and nothing of calls.
package media

import "time"

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
