package g711

import (
	"math"
	"testing"
)

func golden(c Codec) *[256]int16 {
	if c == PCMA {
		return &goldenALaw
	}
	return &goldenULaw
}

func TestAllCodesDecodeToTheStandardsValues(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{PCMU, PCMA} {
		for code := range 256 {
			var got [1]int16
			c.Decode(got[:], []byte{byte(code)})
			if want := golden(c)[code]; got[0] != want {
				t.Errorf("%v code %#02x: %d, want %d", c, code, got[0], want)
			}
		}
	}
}

func TestAllValuesEncodeToTheirOwnCode(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{PCMU, PCMA} {
		for code := range 256 {
			var got [1]byte
			c.Encode(got[:], []int16{golden(c)[code]})
			want := byte(code)
			if c == PCMU && code == 0x7F {
				want = 0xFF // µ-law has two codes of zero; minus zero is not an integer
			}
			if got[0] != want {
				t.Errorf("%v of %d: %#02x, want %#02x", c, golden(c)[code], got[0], want)
			}
		}
	}
}

// TestEverySampleLandsOnANeighbour checks all 65,536 samples: the code's value is never farther away than the
// next code's would be, which is what quantisation error means.
func TestEverySampleLandsOnANeighbour(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{PCMU, PCMA} {
		for s := math.MinInt16; s <= math.MaxInt16; s++ {
			var code [1]byte
			var back [1]int16
			c.Encode(code[:], []int16{int16(s)})
			c.Decode(back[:], code[:])
			err := abs(int(back[0]) - s)
			// Half a step of the segment, plus the bits below the law's resolution.
			step := max(abs(s)/16, 16)
			if err > step/2+step/8+8 && abs(s) < 32124 {
				t.Fatalf("%v of %d comes back as %d", c, s, back[0])
			}
		}
	}
}

func TestSilenceDecodesToNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []Codec{PCMU, PCMA} {
		var got [1]int16
		c.Decode(got[:], []byte{c.Silence()})
		if abs(int(got[0])) > 8 {
			t.Errorf("%v silence is %d", c, got[0])
		}
		var code [1]byte
		if c.Encode(code[:], []int16{0}); code[0] != c.Silence() {
			t.Errorf("%v of 0 is %#02x, want %#02x", c, code[0], c.Silence())
		}
	}
}

func TestParseTakesNamesInAnyCase(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Codec{"PCMU": PCMU, "pcma": PCMA} {
		if got, ok := Parse(name); !ok || got != want {
			t.Errorf("Parse(%q) = %v, %v", name, got, ok)
		}
	}
	if _, ok := Parse("G722"); ok {
		t.Error("G722 is not a G.711 codec")
	}
}

func BenchmarkEncodeFrame(b *testing.B) {
	var pcm [160]int16
	var out [160]byte
	b.ReportAllocs()
	for b.Loop() {
		PCMU.Encode(out[:], pcm[:])
	}
}

func BenchmarkDecodeFrame(b *testing.B) {
	var pcm [160]int16
	var in [160]byte
	b.ReportAllocs()
	for b.Loop() {
		PCMA.Decode(pcm[:], in[:])
	}
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
