package rtp

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"talkstack/internal/media"
)

// pressing feeds event packets to a decoder and notes what it hears: "5/100ms".
type pressing struct {
	decoder eventDecoder
	heard   []string
	number  uint16
	now     int64
}

func newPressing() *pressing {
	p := &pressing{number: 65530} // wraps around soon
	p.decoder.emit = func(d media.Digit) { p.heard = append(p.heard, fmt.Sprintf("%c/%v", d.Key, d.Duration)) }
	return p
}

// send delivers one packet, in order, 20 ms after the one before.
func (p *pressing) send(key byte, timestamp uint32, length uint16, marker, end bool) {
	p.number++
	p.now += frameSamples
	p.deliver(p.number, key, timestamp, length, marker, end)
}

func (p *pressing) deliver(number uint16, key byte, timestamp uint32, length uint16, marker, end bool) {
	code, _ := eventCode(key)
	b := []byte{code, 10, 0, 0}
	if end {
		b[1] |= endBit
	}
	binary.BigEndian.PutUint16(b[2:], length)
	p.decoder.expire(p.now)
	p.decoder.packet(b, number, timestamp, marker, p.now)
}

// key sends a whole press of 100 ms the way the standard says.
func (p *pressing) key(key byte, timestamp uint32) {
	for n := uint16(160); n < 800; n += 160 {
		p.send(key, timestamp, n, n == 160, false)
	}
	for range 3 {
		p.send(key, timestamp, 800, false, true)
	}
}

func (p *pressing) quiet(ms int64) {
	p.now += ms * clockRate / 1000
	p.decoder.expire(p.now)
}

func TestEachKeyIsHeardOnceWhateverThePeerDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play func(p *pressing)
		want string
	}{
		"all sixteen keys": {func(p *pressing) {
			for i := range len(keys) {
				p.key(keys[i], uint32(10000*i))
			}
		}, "0/100ms 1/100ms 2/100ms 3/100ms 4/100ms 5/100ms 6/100ms 7/100ms 8/100ms 9/100ms */100ms #/100ms A/100ms B/100ms C/100ms D/100ms"},
		"the same key twice": {func(p *pressing) { p.key('5', 1000); p.key('5', 2440) }, "5/100ms 5/100ms"},
		"a short key sent as its end alone": {func(p *pressing) {
			for range 3 {
				p.send('7', 500, 400, true, true)
			}
		}, "7/50ms"},
		"the first packets are lost": {func(p *pressing) { p.send('1', 0, 640, false, false); p.send('1', 0, 800, false, true) }, "1/100ms"},
		"two of three ends are lost": {func(p *pressing) { p.send('1', 0, 160, true, false); p.send('1', 0, 800, false, true) }, "1/100ms"},
		"all ends are lost": {func(p *pressing) {
			p.send('1', 0, 160, true, false)
			p.send('1', 0, 320, false, false)
			p.quiet(300)
		}, "1/40ms"},
		"all ends are lost and the next key comes": {func(p *pressing) {
			p.send('1', 0, 160, true, false)
			p.send('1', 0, 320, false, false)
			p.key('2', 1600)
		}, "1/40ms 2/100ms"},
		"all but ends are lost, twice the same key": {func(p *pressing) {
			p.send('9', 0, 800, false, true)
			p.send('9', 1600, 800, false, true)
		}, "9/100ms 9/100ms"},
		"packets come twice": {func(p *pressing) {
			p.send('4', 0, 160, true, false)
			p.deliver(p.number, '4', 0, 160, true, false)
			p.send('4', 0, 800, false, true)
			p.deliver(p.number, '4', 0, 800, false, true)
		}, "4/100ms"},
		"a packet overtaken by the end": {func(p *pressing) {
			p.deliver(100, '4', 0, 160, true, false)
			p.deliver(102, '4', 0, 480, false, true)
			p.deliver(101, '4', 0, 320, false, false)
			p.deliver(103, '4', 0, 480, false, true)
		}, "4/60ms"},
		"different keys with one timestamp": {func(p *pressing) { p.key('1', 777); p.key('2', 777) }, "1/100ms 2/100ms"},
		"one key twice with one timestamp":  {func(p *pressing) { p.key('3', 777); p.quiet(100); p.key('3', 777) }, "3/100ms 3/100ms"},
		"a timestamp that moves with each packet": {func(p *pressing) {
			for i := range uint32(5) {
				p.send('6', 160*i, uint16(160*(i+1)), i == 0, false)
			}
			for i := range uint32(3) {
				p.send('6', 800+160*i, 960, false, true)
			}
		}, "6/120ms"},
		"a key held for twelve seconds": {func(p *pressing) {
			for held := 160; held <= 0xFFFF; held += 160 {
				p.send('0', 5000, uint16(held), held == 160, false)
			}
			p.send('0', 5000, 0xFFFF, false, false)
			for held := 160; held < 30465; held += 160 {
				p.send('0', 5000+0xFFFF, uint16(held), false, false)
			}
			for range 3 {
				p.send('0', 5000+0xFFFF, 30465, false, true)
			}
		}, "0/12s"},
		"timestamps wrap around": {func(p *pressing) { p.key('8', 0xFFFFFFF0); p.key('8', 1600) }, "8/100ms 8/100ms"},
		"other events": {func(p *pressing) {
			p.decoder.packet([]byte{16, 10, 1, 0}, 1, 0, true, 0)
			p.decoder.packet([]byte{255, 10, 1, 0}, 2, 0, true, 0)
		}, ""},
	} {
		p := newPressing()
		c.play(p)
		p.quiet(500)
		if got := strings.Join(p.heard, " "); got != c.want {
			t.Errorf("%s: heard %q, want %q", name, got, c.want)
		}
	}
}

func TestAKeyIsHeardWhenItIsReleasedNotLater(t *testing.T) {
	t.Parallel()
	p := newPressing()
	p.send('1', 0, 160, true, false)
	if len(p.heard) != 0 {
		t.Fatal("heard while it was down")
	}
	p.send('1', 0, 320, false, true)
	if len(p.heard) != 1 {
		t.Fatal("not heard at its first end packet")
	}
}

func TestEventPayload(t *testing.T) {
	t.Parallel()
	var b [eventSize]byte
	putEvent(b[:], 11, true, 100*time.Millisecond)
	if want := [eventSize]byte{11, 0x8A, 3, 0x20}; b != want {
		t.Errorf("% x, want % x", b, want)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte{5, 10, 0, 160, 0, 1, 0, 0, 5, 0x8A, 3, 0x20, 0, 2, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPressing()
		packets := int64(0)
		for len(b) >= 8 { // payload, step of the number, step of the timestamp, marker and time
			p.number += uint16(b[4])
			p.now += int64(b[7]&0x7F) * 16
			p.decoder.expire(p.now)
			p.decoder.packet(b[:4], p.number, uint32(b[5])<<8|uint32(b[6]), b[7]&0x80 != 0, p.now)
			b = b[8:]
			packets++
		}
		p.decoder.packet(b, 0, 0, false, p.now)
		p.quiet(10000)
		if int64(len(p.heard)) > packets+1 {
			t.Fatalf("%d keys from %d packets", len(p.heard), packets)
		}
		if p.decoder.active {
			t.Fatal("a key is still down")
		}
	})
}
