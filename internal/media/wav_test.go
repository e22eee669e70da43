package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
)

func TestWAVGoesThereAndBack(t *testing.T) {
	t.Parallel()
	for _, channels := range []int{1, 2} {
		in := &Audio{Rate: 8000, Channels: channels, Samples: []int16{1, -2, 300, -400, 32767, -32768}}
		var b bytes.Buffer
		if err := WriteWAV(&b, in); err != nil {
			t.Fatal(err)
		}
		out, err := ReadWAV(&b)
		if err != nil {
			t.Fatal(err)
		}
		if out.Rate != 8000 || out.Channels != channels || !slices.Equal(out.Samples, in.Samples) {
			t.Errorf("%d channels: %+v", channels, out)
		}
	}
	stereo := &Audio{Rate: 8000, Channels: 2, Samples: []int16{1, 2, 3, 4}}
	if left, right := stereo.Channel(0), stereo.Channel(1); !slices.Equal(left, []int16{1, 3}) || !slices.Equal(right, []int16{2, 4}) {
		t.Errorf("channels %v and %v", left, right)
	}
}

// chunk is one chunk of a RIFF file.
func chunk(id string, body ...byte) []byte {
	b := append([]byte(id), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func format(tag, channels uint16, rate uint32, bits uint16, extra ...byte) []byte {
	var b []byte
	b = binary.LittleEndian.AppendUint16(b, tag)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels)*uint32(bits/8))
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	b = binary.LittleEndian.AppendUint16(b, bits)
	return chunk("fmt ", append(b, extra...)...)
}

func wav(chunks ...[]byte) []byte {
	return append([]byte("RIFF\xff\xff\xff\xffWAVE"), bytes.Join(chunks, nil)...)
}

func TestWAVForms(t *testing.T) {
	t.Parallel()
	pcm := []byte{1, 0, 2, 0}
	subformat := append([]byte{22, 0, 16, 0, 4, 0, 0, 0}, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113)
	unfinished := chunk("data", pcm...)
	binary.LittleEndian.PutUint32(unfinished[4:], 0)
	for name, c := range map[string]struct {
		file []byte
		want []int16
	}{
		"other chunks are passed over":    {wav(chunk("LIST", 1, 2, 3), format(1, 1, 8000, 16), chunk("xxxx", 1), chunk("data", pcm...)), []int16{1, 2}},
		"µ-law":                           {wav(format(7, 1, 8000, 8), chunk("data", 0xFF, 0x80)), []int16{0, 32124}},
		"A-law":                           {wav(format(6, 1, 8000, 8, 0, 0), chunk("data", 0xD5, 0xAA)), []int16{8, 32256}},
		"extensible":                      {wav(format(0xFFFE, 1, 8000, 16, subformat...), chunk("data", pcm...)), []int16{1, 2}},
		"a writer that could not go back": {wav(format(1, 1, 8000, 16), unfinished), []int16{1, 2}},
		"cut short":                       {wav(format(1, 1, 8000, 16), chunk("data", 1, 0, 2, 0, 3, 0, 4, 0)[:13]), []int16{1, 2}},
		"half a sample":                   {wav(format(1, 2, 8000, 16), chunk("data", 1, 0, 2, 0, 3, 0)), []int16{1, 2}},
	} {
		got, err := ReadWAV(bytes.NewReader(c.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !slices.Equal(got.Samples, c.want) {
			t.Errorf("%s: %v, want %v", name, got.Samples, c.want)
		}
	}
}

func TestHostileWAVIsAnError(t *testing.T) {
	t.Parallel()
	huge := chunk("fmt ")
	binary.LittleEndian.PutUint32(huge[4:], 0xFFFFFFFF)
	for name, file := range map[string][]byte{
		"empty":                nil,
		"not RIFF":             []byte("ID3 something that is no WAV"),
		"no chunks":            wav(),
		"no data":              wav(format(1, 1, 8000, 16)),
		"data before format":   wav(chunk("data", 1, 2)),
		"a format of 4 GiB":    wav(huge),
		"a short format":       wav(chunk("fmt ", 1, 0, 1, 0)),
		"no channels":          wav(format(1, 0, 8000, 16), chunk("data", 1, 2)),
		"six channels":         wav(format(1, 6, 8000, 16), chunk("data", 1, 2)),
		"24 bits":              wav(format(1, 1, 8000, 24), chunk("data", 1, 2)),
		"a rate of zero":       wav(format(1, 1, 0, 16), chunk("data", 1, 2)),
		"stereo µ-law":         wav(format(7, 2, 8000, 8), chunk("data", 1, 2)),
		"MP3 in WAV":           wav(format(0x55, 1, 8000, 16), chunk("data", 1, 2)),
		"a chunk past the end": wav(chunk("LIST", 1, 2, 3)[:9]),
	} {
		if a, err := ReadWAV(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: read as %+v", name, a)
		}
	}
}

func TestWriteWAVRefusesWhatIsNoAudio(t *testing.T) {
	t.Parallel()
	for _, a := range []*Audio{{Rate: 8000}, {Rate: 8000, Channels: 3, Samples: make([]int16, 3)}, {Rate: 8000, Channels: 2, Samples: make([]int16, 3)}} {
		if err := WriteWAV(io.Discard, a); err == nil {
			t.Errorf("%+v was written", a)
		}
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(wav(format(1, 1, 8000, 16), chunk("data", 1, 0, 2, 0)))
	f.Add(wav(format(7, 1, 8000, 8), chunk("data", 1, 0, 2, 0)))
	f.Add(wav(chunk("LIST", 1), format(0xFFFE, 2, 48000, 16, make([]byte, 24)...), chunk("data", 1, 0, 2, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ReadWAV(bytes.NewReader(b))
		if err != nil {
			return
		}
		if a.Rate <= 0 || a.Channels < 1 || a.Channels > 2 || len(a.Samples)%a.Channels != 0 || len(a.Samples) > len(b) {
			t.Fatalf("%d samples at %d Hz in %d channels from %d bytes", len(a.Samples), a.Rate, a.Channels, len(b))
		}
		var out bytes.Buffer
		if err := WriteWAV(&out, a); err != nil {
			t.Fatal(err)
		}
		back, err := ReadWAV(&out)
		if err != nil || !slices.Equal(back.Samples, a.Samples) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}
