package g711

import "math/bits"

// The tables are made once at start from the definitions below: 256 samples each way down, and up one code for each
// value of the bits a law looks at (14 of 16 for µ-law, 12 of 16 for A-law).
//
//nolint:gochecknoglobals // immutable tables
var (
	ulawSamples = decodeTable(expandULaw)
	alawSamples = decodeTable(expandALaw)
	ulawCodes   = ulawTable()
	alawCodes   = alawTable()
)

func decodeTable(expand func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = expand(byte(i))
	}
	return t
}

func ulawTable() (t [1 << 14]byte) {
	for i := range t {
		t[i] = compressULaw(int16(uint16(i) << 2))
	}
	return t
}

func alawTable() (t [1 << 12]byte) {
	for i := range t {
		t[i] = compressALaw(int16(uint16(i) << 4))
	}
	return t
}

const (
	ulawBias = 33     // in 14-bit units (G.711 table 2a, note 2)
	ulawMax  = 0x1FFF // largest biased magnitude
	evenBits = 0x55   // A-law inverts its even bits (G.711 section 3.2)
)

// compressULaw is G.711 table 2a: a sign, a segment and four bits of mantissa, all inverted.
func compressULaw(s int16) byte {
	sign := byte(0x80)
	if s < 0 {
		s, sign = ^s, 0
	}
	m := min(uint16(s)>>2+ulawBias, ulawMax)
	segment := bits.Len16(m >> 6) // 0 to 7
	mantissa := m >> (segment + 1) & 0xF
	return sign | byte(7-segment)<<4 | byte(0xF-mantissa)
}

// expandULaw is the middle of the interval a µ-law code stands for.
func expandULaw(code byte) int16 {
	segment := ^code >> 4 & 7
	mantissa := int(^code & 0xF)
	m := (mantissa<<1 + ulawBias) << segment // in half steps of 14-bit units
	v := int16((m - ulawBias) << 2)
	if code < 0x80 {
		return -v
	}
	return v
}

// compressALaw is G.711 table 1a: a sign, a segment and four bits of mantissa, the even bits inverted.
func compressALaw(s int16) byte {
	sign := byte(0x80)
	if s < 0 {
		s, sign = ^s, 0
	}
	m := uint16(s) >> 4
	segment := bits.Len16(m >> 4) // 0: the first segment, which is linear
	if segment > 1 {
		m >>= segment - 1
	}
	return (sign | byte(segment)<<4 | byte(m&0xF)) ^ evenBits
}

// expandALaw is the middle of the interval an A-law code stands for.
func expandALaw(code byte) int16 {
	code ^= evenBits
	segment := code >> 4 & 7
	m := int16(code & 0xF)
	if segment > 0 {
		m += 16
	}
	m = m<<4 + 8
	if segment > 1 {
		m <<= segment - 1
	}
	if code < 0x80 {
		return -m
	}
	return m
}
