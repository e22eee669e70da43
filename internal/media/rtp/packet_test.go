package rtp

import (
	"bytes"
	"testing"

	pion "github.com/pion/rtp"
)

func TestHeadersGoThereAndBack(t *testing.T) {
	t.Parallel()
	in := packet{payloadType: 101, marker: true, sequence: 65535, timestamp: 0xFFFFFFFF, ssrc: 0x12345678}
	b := make([]byte, headerSize, headerSize+3)
	putHeader(b, &in)
	b = append(b, 1, 2, 3)
	out, ok := parsePacket(b)
	if !ok || !bytes.Equal(out.payload, []byte{1, 2, 3}) {
		t.Fatalf("%v, payload % x", ok, out.payload)
	}
	in.payload = out.payload
	if out.payloadType != 101 || !out.marker || out.sequence != in.sequence || out.timestamp != in.timestamp || out.ssrc != in.ssrc {
		t.Errorf("%+v, want %+v", out, in)
	}
	var theirs pion.Packet
	if err := theirs.Unmarshal(b); err != nil || theirs.SequenceNumber != 65535 || !theirs.Marker || theirs.PayloadType != 101 {
		t.Errorf("another reader sees %v, %v", theirs, err)
	}
}

func TestSourcesExtensionsAndPaddingArePassedOver(t *testing.T) {
	t.Parallel()
	full := pion.Packet{
		Header: pion.Header{
			Version: 2, Padding: true, PayloadType: 8, SequenceNumber: 7, Timestamp: 8, SSRC: 9, CSRC: []uint32{1, 2},
			Extension: true, ExtensionProfile: 0xBEDE,
		},
		Payload: []byte{4, 5, 6}, PaddingSize: 5,
	}
	if err := full.SetExtension(1, []byte{0xAA, 0xBB}); err != nil {
		t.Fatal(err)
	}
	b, err := full.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p, ok := parsePacket(b)
	if !ok || !bytes.Equal(p.payload, []byte{4, 5, 6}) {
		t.Errorf("%v, payload % x", ok, p.payload)
	}
	for cut := range b { // whatever is cut off, nothing is read past the end
		_, _ = parsePacket(b[:cut])
	}
}

func TestWhatIsNotRTPIsNotRead(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"empty":              {},
		"short":              make([]byte, 11),
		"version 1":          append([]byte{0x40}, make([]byte, 20)...),
		"too many sources":   append([]byte{0x8F}, make([]byte, 20)...),
		"a long extension":   append([]byte{0x90}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF),
		"no extension":       append([]byte{0x90}, make([]byte, 12)...),
		"too much padding":   append([]byte{0xA0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9),
		"padding of nothing": append([]byte{0xA0}, make([]byte, 20)...),
	} {
		if _, ok := parsePacket(b); ok {
			t.Errorf("%s was read", name)
		}
	}
}

func TestSequenceCountsLossOnceAndFindsDuplicates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		numbers                []uint16
		lost, received, double int64
	}{
		"in order":          {[]uint16{1, 2, 3}, 0, 3, 0},
		"across the wrap":   {[]uint16{65534, 65535, 0, 1}, 0, 4, 0},
		"one lost":          {[]uint16{1, 3, 4}, 1, 3, 0},
		"reordered":         {[]uint16{1, 3, 2, 4}, 0, 4, 0},
		"twice":             {[]uint16{1, 2, 2, 3, 1}, 0, 3, 2},
		"a stray":           {[]uint16{1, 2, 40000, 3}, 0, 3, 0},
		"a restart":         {[]uint16{1, 2, 4, 40000, 40001, 40002}, 1, 5, 0},
		"a long gap":        {[]uint16{1, 1001}, 999, 2, 0},
		"an old one, again": {[]uint16{100, 200, 150}, 98, 3, 0},
		"before the first":  {[]uint16{100, 99, 101}, 0, 3, 0},
	} {
		var s sequence
		var received, double int64
		for _, n := range c.numbers {
			switch s.note(n) {
			case fresh:
				received++
			case duplicate:
				double++
			case stray:
			}
		}
		if s.total() != c.lost || received != c.received || double != c.double {
			t.Errorf("%s: lost %d, received %d, twice %d; want %d, %d, %d", name, s.total(), received, double, c.lost, c.received, c.double)
		}
	}
}

func TestFractionLostIsOfTheInterval(t *testing.T) {
	t.Parallel()
	var s sequence
	for n := range uint16(100) {
		if n%4 != 3 {
			s.note(n)
		}
	}
	if f := s.fraction(); f < 60 || f > 68 {
		t.Errorf("a quarter lost is %d/256", f)
	}
	for n := uint16(100); n < 200; n++ {
		s.note(n)
	}
	if f := s.fraction(); f > 3 {
		t.Errorf("nothing lost is %d/256", f)
	}
}
