// Package g711 is the telephone network's codec, ITU-T G.711: µ-law (PCMU) and A-law (PCMA), 8,000 samples per
// second, one byte a sample. It owns the companding tables and the codecs' names and numbers; it knows nothing of
// packets.
package g711

import "strings"

// ClockRate is both codecs' sample rate and RTP clock rate in Hz (RFC 3551 section 4.5.14).
const ClockRate = 8000

// Codec is one of the two companding laws. Its value is its static RTP payload type (RFC 3551 table 4).
type Codec uint8

// The codecs.
const (
	PCMU Codec = 0 // µ-law: North America, Japan
	PCMA Codec = 8 // A-law: the rest of the world
)

// Parse finds a codec by its encoding name as SDP writes it, in any case.
func Parse(name string) (Codec, bool) {
	switch {
	case strings.EqualFold(name, "PCMU"):
		return PCMU, true
	case strings.EqualFold(name, "PCMA"):
		return PCMA, true
	}
	return 0, false
}

// String is the codec's encoding name in SDP.
func (c Codec) String() string {
	if c == PCMA {
		return "PCMA"
	}
	return "PCMU"
}

// Silence is the code of a sample of zero.
func (c Codec) Silence() byte {
	if c == PCMA {
		return 0xD5
	}
	return 0xFF
}

// Encode writes a code for each sample of pcm to dst, which must be at least as long, and returns how many it wrote.
func (c Codec) Encode(dst []byte, pcm []int16) int {
	dst = dst[:len(pcm)]
	if c == PCMA {
		for i, s := range pcm {
			dst[i] = alawCodes[uint16(s)>>4]
		}
	} else {
		for i, s := range pcm {
			dst[i] = ulawCodes[uint16(s)>>2]
		}
	}
	return len(pcm)
}

// Decode writes a sample for each code of src to dst, which must be at least as long, and returns how many it wrote.
func (c Codec) Decode(dst []int16, src []byte) int {
	table := &ulawSamples
	if c == PCMA {
		table = &alawSamples
	}
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = table[b]
	}
	return len(src)
}
