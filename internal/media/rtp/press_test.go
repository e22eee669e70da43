package rtp

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// collect gathers n digits.
func collect(t *testing.T, s *Session, n int) string {
	t.Helper()
	var b strings.Builder
	for range n {
		select {
		case d := <-s.Digits():
			if d.Duration != digitHeld {
				t.Errorf("%c was held for %v", d.Key, d.Duration)
			}
			b.WriteByte(d.Key)
		case <-t.Context().Done():
			t.Fatal("no more digits came")
		}
	}
	return b.String()
}

// loop keeps a leg's media loop going until the test ends.
func loop(t *testing.T, s *Session) {
	t.Helper()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		tone := media.NewTone(clockRate, -10, 440)
		for {
			f, err := s.ReadFrame(ctx)
			if err != nil {
				return
			}
			tone.Read(f.Samples())
			if s.WriteFrame(f) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestDigitsArriveOnceEach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		decide func(n int) fate
		talks  bool
	}{
		"between audio":      {func(int) fate { return fate{} }, true},
		"without audio":      {func(int) fate { return fate{} }, false},
		"over a bad network": {func(n int) fate { return fate{drop: n%4 == 1, double: n%3 == 0} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessions := [2]*Session{open(t, loopback), open(t, loopback)}
			through(t, sessions, agreed(netip.AddrPort{}), c.decide)
			if c.talks {
				loop(t, sessions[0])
			}
			loop(t, sessions[1]) // the receiver's clock ends keys whose end is lost
			if err := sessions[0].SendDigits(context.Background(), "11,2a#"); err != nil {
				t.Fatal(err)
			}
			if c.decide(1).drop { // a lost packet shortens a key, but loses none
				var b strings.Builder
				for range 5 {
					b.WriteByte((<-sessions[1].Digits()).Key)
				}
				if b.String() != "112A#" {
					t.Errorf("%q", b.String())
				}
			} else if got := collect(t, sessions[1], 5); got != "112A#" {
				t.Errorf("%q", got)
			}
			select {
			case d := <-sessions[1].Digits():
				t.Errorf("%c came from nowhere", d.Key)
			default:
			}
		})
	}
}

func TestDigitsAreTonesForAPeerWithoutEvents(t *testing.T) {
	t.Parallel()
	a, b := open(t, loopback), open(t, loopback)
	remote := agreed(b.LocalAddr())
	remote.TelephoneEventType = 0
	a.Start(remote)
	remote.RTP = a.LocalAddr()
	b.Start(remote)
	sent := make(chan error, 1)
	go func() { sent <- a.SendDigits(context.Background(), "55555") }()
	loop(t, a)
	pcm := <-talk(t, b, 1000, 60)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	best := media.SilenceLevel
	for at := 0; at+320 <= len(pcm); at += 80 {
		low, lowShare := media.MeasureTone(pcm[at:at+320], clockRate, 770)
		_, highShare := media.MeasureTone(pcm[at:at+320], clockRate, 1336)
		if lowShare+highShare > 0.95 {
			best = max(best, low)
		}
	}
	if best < digitLevel-1 || best > digitLevel+1 {
		t.Errorf("the key's lower tone has %.1f dBFS at best", best)
	}
}

func TestDigitsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	a, b := open(t, loopback), open(t, loopback)
	remote := agreed(b.LocalAddr())
	a.Start(remote)
	for _, digits := range []string{"1x", "+1", "ä", strings.Repeat("1", maxSequence+1)} {
		if err := a.SendDigits(context.Background(), digits); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("%.10q: %v", digits, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := a.SendDigits(ctx, "123456789"); err == nil {
		t.Error("ctx has ended, SendDigits has not")
	}
	remote.Send = false
	a.Update(remote)
	if err := a.SendDigits(context.Background(), "1"); talkstack.ErrorCode(err) != talkstack.CodeConflict {
		t.Errorf("on hold: %v", err)
	}
}

// TestAKeyInTheMiddleOfAudio looks at the packets themselves.
func TestAKeyInTheMiddleOfAudio(t *testing.T) {
	t.Parallel()
	var s sender
	s.update(&Remote{TelephoneEventType: 101})
	f := media.NewFrame(clockRate)
	var got []packet
	take := func(b []byte) {
		p, ok := parsePacket(b)
		if !ok {
			t.Fatal("not RTP")
		}
		p.payload = append([]byte(nil), p.payload...)
		got = append(got, p)
	}
	now := time.Duration(0)
	write := func(pressed bool) {
		s.sync(now)
		if pressed {
			s.pass(frameSamples)
		} else {
			s.add(f.Samples())
			for b, ok := s.next(); ok; b, ok = s.next() {
				take(b)
			}
		}
		s.tick(now)
		now += media.FrameDuration
	}
	write(false)
	write(false)
	start := s.timestamp
	for i := range 5 {
		write(true)
		take(s.event(5, start, time.Duration(i+1)*media.FrameDuration, i == 0, i == 4))
	}
	write(false)
	now += 10 * media.FrameDuration // the caller pauses
	write(false)
	for i, want := range []struct {
		payloadType uint8
		marker      bool
		timestamp   uint32
	}{
		{0, true, 0},
		{0, false, 160},
		{101, true, 320},
		{101, false, 320},
		{101, false, 320},
		{101, false, 320},
		{101, false, 320},
		{0, true, 1120},
		{0, true, 2880},
	} {
		p := got[i]
		if p.payloadType != want.payloadType || p.marker != want.marker || p.timestamp != want.timestamp || p.sequence != uint16(i) {
			t.Errorf("packet %d: type %d, marker %v, timestamp %d, number %d; want %+v", i, p.payloadType, p.marker, p.timestamp, p.sequence, want)
		}
	}
}
