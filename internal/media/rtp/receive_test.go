package rtp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"talkstack/internal/media"
	"talkstack/internal/media/g711"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// source makes the packets of one peer.
type source struct {
	ssrc      uint32
	sequence  uint16
	timestamp uint32
	tone      *media.Tone
}

func newSource(ssrc uint32) *source {
	return &source{ssrc: ssrc, sequence: 100, timestamp: 5000, tone: media.NewTone(clockRate, -10, 440)}
}

func (s *source) packet(payloadType uint8, n int) []byte {
	pcm, b := make([]int16, n), make([]byte, headerSize+n)
	s.tone.Read(pcm)
	g711.Codec(payloadType).Encode(b[headerSize:], pcm)
	putHeader(b, &packet{payloadType: payloadType, sequence: s.sequence, timestamp: s.timestamp, ssrc: s.ssrc})
	s.sequence++
	s.timestamp += uint32(n)
	return b
}

func newReceiver(remote Remote) *receiver {
	r := &receiver{}
	r.events.emit = func(media.Digit) {}
	r.update(remote, 0)
	return r
}

// hear feeds n packets of a source, a frame read after each, and returns what was played.
func hear(r *receiver, s *source, from string, now *int64, n int) []int16 {
	var out []int16
	for range n {
		*now += frameSamples
		r.packet(s.packet(0, 160), addr(from), *now)
		f := media.NewFrame(clockRate)
		r.read(&f, *now+80)
		out = append(out, f.Samples()...)
	}
	return out
}

func TestThePeerIsWhoSendsFirst(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	var now int64
	peer := newSource(1)
	hear(r, peer, "198.51.100.7:9999", &now, 10) // behind NAT: not where the description says
	if got := r.target(); got != addr("198.51.100.7:9999") {
		t.Errorf("packets go to %v", got)
	}
	hear(r, newSource(2), "203.0.113.9:4000", &now, 10) // somebody else
	if r.foreign != 10 || r.packets != 10 {
		t.Errorf("%d foreign, %d taken", r.foreign, r.packets)
	}
	if got := r.target(); got != addr("198.51.100.7:9999") {
		t.Errorf("after another source, packets go to %v", got)
	}
}

func TestTheAddressInTheDescriptionWinsWheneverItSpeaks(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	var now int64
	hear(r, newSource(2), "203.0.113.9:4000", &now, 3) // an attacker was faster
	hear(r, newSource(1), "192.0.2.1:4000", &now, 10)
	hear(r, newSource(2), "203.0.113.9:4000", &now, 3)
	if got := r.target(); got != addr("192.0.2.1:4000") || r.foreign != 3 {
		t.Errorf("packets go to %v, %d foreign", got, r.foreign)
	}
}

func TestOnlyWhatWasAgreedNamesThePeer(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	wrong := newSource(3)
	for _, b := range [][]byte{nil, {0x80}, make([]byte, 200), wrong.packet(96, 160), wrong.packet(0, 0), wrong.packet(0, maxBytes+1), wrong.packet(101, 3)} {
		r.packet(b, addr("203.0.113.9:4000"), 0)
	}
	if r.known || r.malformed != 7 {
		t.Errorf("known %v, %d malformed", r.known, r.malformed)
	}
}

func TestUpdateLetsThePeerMove(t *testing.T) {
	t.Parallel()
	remote := agreed(addr("192.0.2.1:4000"))
	r := newReceiver(remote)
	var now int64
	peer := newSource(1)
	hear(r, peer, "198.51.100.7:9999", &now, 10)
	r.update(remote, now) // a session refresh: the same address
	if got := r.target(); got != addr("198.51.100.7:9999") {
		t.Errorf("before its next packet, the peer is sought at %v", got)
	}
	hear(r, peer, "198.51.100.7:7777", &now, 10) // its NAT gave it another port
	if got := r.target(); got != addr("198.51.100.7:7777") {
		t.Errorf("packets go to %v", got)
	}
	remote.RTP = addr("192.0.2.44:6000")
	r.update(remote, now)
	if got := r.target(); got != remote.RTP {
		t.Errorf("after a new address, packets go to %v", got)
	}
}

func TestARefreshDoesNotCutTheAudio(t *testing.T) {
	t.Parallel()
	remote := agreed(addr("192.0.2.1:4000"))
	r := newReceiver(remote)
	var now int64
	peer := newSource(1)
	hear(r, peer, "192.0.2.1:4000", &now, 20)
	r.update(remote, now)
	out := hear(r, peer, "192.0.2.1:4000", &now, 20)
	expectTone(t, "the receiver", out, 440, 0.2)
	if level := media.Level(out[:800]); level < -14 || r.jitter.concealed > 0 {
		t.Errorf("%.1f dBFS after the refresh, %d samples concealed", level, r.jitter.concealed)
	}
}

func TestANewSourceIsFollowedAfterTwoPackets(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	var now int64
	hear(r, newSource(1), "192.0.2.1:4000", &now, 10)
	stray := newSource(77)
	r.packet(stray.packet(0, 160), addr("192.0.2.1:4000"), now)
	if r.ssrc != 1 {
		t.Error("one stray packet was enough")
	}
	next := newSource(2)
	next.timestamp = 1 << 31
	out := hear(r, next, "192.0.2.1:4000", &now, 50)
	if r.ssrc != 2 {
		t.Error("the new source was not followed")
	}
	expectTone(t, "the receiver", out, 440, 0.2)
}

func TestHoldPlaysNothing(t *testing.T) {
	t.Parallel()
	remote := agreed(addr("192.0.2.1:4000"))
	r := newReceiver(remote)
	var now int64
	peer := newSource(1)
	hear(r, peer, "192.0.2.1:4000", &now, 20)
	remote.Receive = false
	r.update(remote, now)
	if level := media.Level(hear(r, peer, "192.0.2.1:4000", &now, 50)); level != media.SilenceLevel {
		t.Errorf("on hold: %.1f dBFS", level)
	}
	remote.Receive = true
	r.update(remote, now)
	expectTone(t, "after hold, the receiver", hear(r, peer, "192.0.2.1:4000", &now, 50), 440, 0.2)
	if r.sequence.total() != 0 {
		t.Errorf("%d packets counted lost", r.sequence.total())
	}
}

func TestThePeerMayChangeBetweenTheCodecs(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	var now int64
	peer := newSource(1)
	var out []int16
	for i := range 100 {
		now += frameSamples
		r.packet(peer.packet(uint8(i/50*8), 160), addr("192.0.2.1:4000"), now)
		f := media.NewFrame(clockRate)
		r.read(&f, now+80)
		out = append(out, f.Samples()...)
	}
	expectTone(t, "the receiver", out, 440, 0.2)
}

func TestComfortNoiseIsNoLoss(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	var now int64
	peer := newSource(1)
	hear(r, peer, "192.0.2.1:4000", &now, 20)
	b := peer.packet(comfortNoiseType, 1)
	r.packet(b, addr("192.0.2.1:4000"), now+80)
	for range 50 {
		now += frameSamples
		f := media.NewFrame(clockRate)
		r.read(&f, now+80)
	}
	if r.jitter.concealed != 0 || r.malformed != 0 {
		t.Errorf("%d samples concealed, %d malformed", r.jitter.concealed, r.malformed)
	}
}

func TestInterarrivalJitter(t *testing.T) {
	t.Parallel()
	r := newReceiver(agreed(addr("192.0.2.1:4000")))
	peer := newSource(1)
	for i := range int64(500) {
		r.packet(peer.packet(0, 160), addr("192.0.2.1:4000"), i*160+i%2*80) // 10 ms early or late by turns
	}
	if got := duration(int64(r.spread)); got < 9*time.Millisecond || got > 11*time.Millisecond {
		t.Errorf("%v, want 10ms", got)
	}
}

func FuzzIngest(f *testing.F) {
	good := newSource(1)
	f.Add(append(good.packet(0, 160), good.packet(8, 80)...), uint16(172))
	f.Add(append(good.packet(101, 4), good.packet(13, 1)...), uint16(16))
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(28))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		s := &Session{digits: make(chan media.Digit, 1), epoch: time.Now()}
		s.receive.events.emit = s.pressed
		peer := addr("127.0.0.1:4000")
		s.receive.update(agreed(peer), 0)
		random := rand.New(rand.NewPCG(uint64(size), 1))
		now, packets := int64(0), int64(0)
		for len(b) > 0 {
			n := min(int(size)+1, len(b))
			if isRTCP(b[:n]) {
				s.takeReport(b[:n], peer, time.Now())
			} else {
				s.receive.packet(b[:n], peer, now)
			}
			packets++
			b = b[n:]
			now += int64(random.IntN(400))
			frame := media.NewFrame(clockRate)
			s.receive.read(&frame, now)
		}
		r := &s.receive
		if r.packets+r.malformed+r.foreign+r.duplicates > packets || r.sequence.total() < 0 || r.jitter.concealed > r.jitter.played {
			t.Fatalf("%d packets: %d taken, %d malformed, %d lost, %d of %d samples concealed",
				packets, r.packets, r.malformed, r.sequence.total(), r.jitter.concealed, r.jitter.played)
		}
	})
}

func FuzzReports(f *testing.F) {
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 64, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 8, 1, 2, 3, 4, 0, 1, 0, 0})
	f.Add([]byte{0x81, 203, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Session{epoch: time.Now()}
		s.send.ssrc = 9
		s.receive.update(agreed(addr("127.0.0.1:4000")), 0)
		s.takeReport(b, addr("127.0.0.1:4001"), time.Now())
		if p := s.reports.peer; p.RoundTrip < 0 || p.RoundTrip > time.Minute || p.FractionLost < 0 || p.FractionLost >= 1 || p.Lost < 0 {
			t.Fatalf("%+v", p)
		}
	})
}
