package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"talkstack/internal/media/g711"
)

// Format tags of WAV files (RFC 2361).
const (
	wavPCM        = 1
	wavALaw       = 6
	wavULaw       = 7
	wavExtensible = 0xFFFE // the tag is in the first two bytes of the sub-format

	maxWAVBytes  = 512 << 20 // of audio: 46 minutes of stereo at 48 kHz, 9 hours of a call's side
	maxWAVHeader = 1 << 10   // of a format chunk
)

// Audio is PCM with its form. Samples of two channels are interleaved, the left one first.
type Audio struct {
	Rate     int // Hz
	Channels int // 1 or 2
	Samples  []int16
}

// Channel is one channel's samples: 0 is the left one.
func (a *Audio) Channel(n int) []int16 {
	out := make([]int16, 0, len(a.Samples)/a.Channels)
	for i := n; i < len(a.Samples); i += a.Channels {
		out = append(out, a.Samples[i])
	}
	return out
}

// ReadWAV reads a WAV file: 16-bit PCM in mono or stereo, or G.711 in mono. A file that is cut short gives what there
// is; anything else is an error.
func ReadWAV(r io.Reader) (*Audio, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, errors.New("media: not a WAV file")
	}
	var form *wavForm
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return nil, errors.New("media: WAV file has no audio")
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch id := string(chunk[:4]); {
		case id == "fmt ":
			var err error
			if form, err = readWAVForm(r, size); err != nil {
				return nil, err
			}
		case id == "data" && form == nil:
			return nil, errors.New("media: WAV file has audio before its format")
		case id == "data":
			return form.read(r, size)
		default:
			if err := skip(r, size+size%2); err != nil { // chunks are padded to even sizes
				return nil, err
			}
		}
	}
}

func skip(r io.Reader, n int64) error {
	if _, err := io.CopyN(io.Discard, r, n); err != nil {
		return errors.New("media: WAV file ends within a chunk")
	}
	return nil
}

// wavForm is a WAV file's format chunk.
type wavForm struct {
	tag      uint16
	channels int
	rate     int
	bits     int
}

func readWAVForm(r io.Reader, size int64) (*wavForm, error) {
	if size < 16 || size > maxWAVHeader {
		return nil, fmt.Errorf("media: WAV format of %d bytes", size)
	}
	b := make([]byte, size+size%2)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, errors.New("media: WAV file ends within its format")
	}
	f := &wavForm{
		tag:      binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible && size >= 26 {
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	if f.rate < minRate || f.rate > maxRate {
		return nil, fmt.Errorf("media: WAV sample rate of %d Hz", f.rate)
	}
	pcm := f.tag == wavPCM && f.bits == 16 && (f.channels == 1 || f.channels == 2)
	law := (f.tag == wavALaw || f.tag == wavULaw) && f.bits == 8 && f.channels == 1
	if !pcm && !law {
		return nil, fmt.Errorf("media: WAV format %d with %d channels of %d bits: only 16-bit PCM in mono or stereo and mono G.711 can be read",
			f.tag, f.channels, f.bits)
	}
	return f, nil
}

// read reads the audio. Sizes of 0 and of all ones are of writers that could not go back: the audio goes on to the end.
func (f *wavForm) read(r io.Reader, size int64) (*Audio, error) {
	limit := int64(maxWAVBytes)
	if size != 0 && size != math.MaxUint32 {
		limit = min(limit, size)
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1)) // grows with what is there, not with what the header says
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("media: read WAV: %w", err)
	}
	if int64(len(b)) > limit {
		if limit == maxWAVBytes {
			return nil, fmt.Errorf("media: WAV file has more than %d bytes of audio", maxWAVBytes)
		}
		b = b[:limit]
	}
	a := &Audio{Rate: f.rate, Channels: f.channels}
	if f.tag == wavPCM {
		b = b[:len(b)/(2*f.channels)*(2*f.channels)]
		a.Samples = make([]int16, len(b)/2)
		for i := range a.Samples {
			a.Samples[i] = int16(binary.LittleEndian.Uint16(b[2*i:])) //nolint:gosec // two's complement
		}
		return a, nil
	}
	codec := g711.PCMU
	if f.tag == wavALaw {
		codec = g711.PCMA
	}
	a.Samples = make([]int16, len(b))
	codec.Decode(a.Samples, b)
	return a, nil
}

// WAVHeaderSize is how many bytes come before the audio in the files written here.
const WAVHeaderSize = 44

// WAVHeader is the head of a WAV file of 16-bit PCM at that rate (Hz), with one channel or two, that holds size bytes
// of audio, at most 4 GiB less WAVHeaderSize. Who writes a file piece by piece writes it again as the audio grows.
func WAVHeader(rate, channels int, size uint32) [WAVHeaderSize]byte {
	block := 2 * channels
	var h [WAVHeaderSize]byte
	b := append(h[:0], "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, size+WAVHeaderSize-8)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, wavPCM)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))   //nolint:gosec // 1 or 2
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))       //nolint:gosec // a sample rate
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*block)) //nolint:gosec // at most 768,000
	b = binary.LittleEndian.AppendUint16(b, uint16(block))      //nolint:gosec // 2 or 4
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	binary.LittleEndian.AppendUint32(b, size)
	return h
}

// WriteWAV writes 16-bit PCM as a WAV file.
func WriteWAV(w io.Writer, a *Audio) error {
	size := 2 * len(a.Samples)
	if a.Channels < 1 || a.Channels > 2 || len(a.Samples)%a.Channels != 0 || size > math.MaxUint32-64 {
		return fmt.Errorf("media: cannot write %d samples in %d channels as WAV", len(a.Samples), a.Channels)
	}
	h := WAVHeader(a.Rate, a.Channels, uint32(size)) //nolint:gosec // checked above
	if _, err := w.Write(h[:]); err != nil {
		return fmt.Errorf("media: write WAV: %w", err)
	}
	var b []byte
	for part := range slices.Chunk(a.Samples, 1<<14) {
		b = b[:0]
		for _, s := range part {
			b = binary.LittleEndian.AppendUint16(b, uint16(s)) //nolint:gosec // two's complement
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("media: write WAV: %w", err)
		}
	}
	return nil
}
