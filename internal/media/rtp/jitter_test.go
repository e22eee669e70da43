package rtp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"talkstack/internal/media"
)

const ms = clockRate / 1000

// line is a peer and a network on virtual time: packets with their audio, each with the moment it arrives.
type line struct {
	t       *testing.T
	jitter  jitterBuffer
	packets []flight
	now     int64
	out     []int16 // all that was played
	delays  []int64 // the buffer's delay at each frame
}

type flight struct {
	timestamp uint32
	marker    bool
	pcm       []int16
	arrives   int64
}

func newLine(t *testing.T) *line {
	t.Helper()
	return &line{t: t}
}

// say sends audio in packets of ptime samples from sample time `from` on; delay gives each packet's way in samples,
// negative: lost.
func (l *line) say(from int64, pcm []int16, ptime int, delay func(i int) int64) {
	for i := 0; (i+1)*ptime <= len(pcm); i++ {
		sent := from + int64((i+1)*ptime) // a packet leaves when its last sample is there
		d := delay(i)
		if d < 0 {
			continue
		}
		l.packets = append(l.packets, flight{timestamp: uint32(from + int64(i*ptime)), pcm: pcm[i*ptime:][:ptime], arrives: sent + d})
	}
}

// run plays until the given time, a frame each 20 ms.
func (l *line) run(until int64) {
	slices.SortStableFunc(l.packets, func(a, b flight) int { return int(a.arrives - b.arrives) })
	for ; l.now < until; l.now += frameSamples {
		for len(l.packets) > 0 && l.packets[0].arrives <= l.now {
			p := l.packets[0]
			l.packets = l.packets[1:]
			l.jitter.put(p.timestamp, p.marker, p.pcm, p.arrives)
		}
		var dst [frameSamples]int16
		l.jitter.read(dst[:], l.now)
		l.out = append(l.out, dst[:]...)
		l.delays = append(l.delays, l.jitter.current)
	}
}

func even(d int64) func(int) int64 { return func(int) int64 { return d } }

func sine(seconds, level, frequency float64) []int16 {
	pcm := make([]int16, int(seconds*clockRate))
	media.NewTone(clockRate, level, frequency).Read(pcm)
	return pcm
}

// voice is something like speech: a gliding pitch with harmonics, in syllables with pauses between, over faint noise.
func voice(seconds float64) []int16 {
	pcm := make([]int16, int(seconds*clockRate))
	random := rand.New(rand.NewPCG(7, 7))
	phase := 0.0
	for i := range pcm {
		t := float64(i) / clockRate
		phase += 2 * math.Pi * (120 + 20*math.Sin(2*math.Pi*0.7*t)) / clockRate
		loud := math.Max(0, math.Sin(2*math.Pi*1.5*t)) // a syllable and a pause, each a third of a second
		var v float64
		for h := 1.0; h <= 12; h++ {
			v += math.Sin(h*phase+h*h) / h
		}
		pcm[i] = int16(3000*loud*v + 20*random.NormFloat64())
	}
	return pcm
}

func TestAnEvenStreamComesThroughUntouchedAndSoon(t *testing.T) {
	t.Parallel()
	for _, ptime := range []int{10 * ms, 20 * ms, 30 * ms, 40 * ms, 60 * ms} {
		l := newLine(t)
		in := voice(5)
		l.say(0, in, ptime, even(3*ms))
		l.run(5 * clockRate)
		if l.jitter.concealed != 0 || l.jitter.late != 0 {
			t.Errorf("ptime %d: %d samples concealed, %d packets late", ptime/ms, l.jitter.concealed, l.jitter.late)
		}
		shift := alignment(t, in, l.out)
		// A packet's first sample waits for the rest of the packet, 3 ms on the way, and the buffer's 20 to 40 ms. A
		// frame of two packets waits for the second.
		if limit := ptime + 3*ms + 40*ms + max(0, frameSamples-ptime); shift > limit {
			t.Errorf("ptime %d: %d ms late, want at most %d", ptime/ms, shift/ms, limit/ms)
		}
		for i := 2 * clockRate; i < 4*clockRate; i++ {
			if l.out[i+shift] != in[i] {
				t.Errorf("ptime %d: sample %d is %d, want %d", ptime/ms, i, l.out[i+shift], in[i])
				break
			}
		}
	}
}

// alignment is how far out lags behind in, in samples, measured in the third and fourth second.
func alignment(t *testing.T, in, out []int16) int {
	t.Helper()
	best, bestScore := 0, -2.0
	for shift := range 400 * ms {
		if 4*clockRate+shift > len(out) {
			break
		}
		if s := similarity(in[2*clockRate:4*clockRate], out[2*clockRate+shift:4*clockRate+shift], 7); s > bestScore {
			best, bestScore = shift, s
		}
	}
	if bestScore < 0.5 {
		t.Fatalf("what comes out is not what went in: similarity %.2f", bestScore)
	}
	return best
}

func TestReorderedAndDuplicatedPacketsAreNoLoss(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	in := voice(5)
	l.say(0, in, 160, func(i int) int64 { // every fifth packet is overtaken by the next
		if i%5 == 4 {
			return 24 * ms
		}
		return 2 * ms
	})
	for _, p := range append([]flight(nil), l.packets...) { // and everything comes twice
		p.arrives += ms
		l.packets = append(l.packets, p)
	}
	l.run(5 * clockRate)
	if seconds := float64(l.jitter.concealed) / clockRate; seconds > 0.1 {
		t.Errorf("%.2f s concealed", seconds)
	}
	alignment(t, in, l.out)
}

func TestTheDelayGrowsWithJitterAndShrinksAgain(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	in := voice(30)
	random := rand.New(rand.NewPCG(3, 3))
	l.say(0, in, 160, func(i int) int64 {
		if second := i / 50; second >= 5 && second < 15 {
			return 5*ms + int64(random.IntN(60*ms))
		}
		return 5 * ms
	})
	l.run(30 * clockRate)
	calm, rough, after := mean(l.delays[2*50:5*50]), mean(l.delays[10*50:15*50]), mean(l.delays[25*50:])
	if calm > 40*ms || rough < calm+25*ms || rough > 110*ms || after > calm+20*ms {
		t.Errorf("delay %d ms while calm, %d ms while rough, %d ms after", calm/ms, rough/ms, after/ms)
	}
	if seconds := float64(l.jitter.concealed) / clockRate; seconds > 0.6 { // 10 s were rough
		t.Errorf("%.2f s concealed", seconds)
	}
}

func mean(v []int64) int64 {
	var sum int64
	for _, x := range v {
		sum += x
	}
	return sum / int64(len(v))
}

func TestAStallInTheNetworkLosesLittleAndItsDelayGoesAway(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	in := voice(10)
	l.say(0, in, 160, func(i int) int64 {
		if i >= 100 && i < 108 { // 160 ms of packets come together
			return int64(108-i)*160 + 5*ms
		}
		return 5 * ms
	})
	l.run(10 * clockRate)
	if l.jitter.late > 2 {
		t.Errorf("%d packets came too late", l.jitter.late)
	}
	if after := mean(l.delays[7*50:]); after > 55*ms {
		t.Errorf("the delay is still %d ms", after/ms)
	}
}

func TestLossIsConcealedOncePerPacket(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	in := voice(20)
	random := rand.New(rand.NewPCG(5, 5))
	lost := int64(0)
	l.say(0, in, 160, func(i int) int64 {
		if i > 10 && i < 990 && random.IntN(20) == 0 {
			lost++
			return -1
		}
		return 4 * ms
	})
	l.run(20 * clockRate)
	if c := l.jitter.concealed; c < lost*150 || c > lost*175 {
		t.Errorf("%d packets lost, %d packets' worth concealed", lost, c/160)
	}
	if d := mean(l.delays[10*50 : 19*50]); d > 50*ms {
		t.Errorf("loss alone has raised the delay to %d ms", d/ms)
	}
}

func TestClockDriftNeverGrowsTheDelayNorRunsDry(t *testing.T) {
	t.Parallel()
	for _, ppm := range []int64{-500, 500} { // ten times what crystals do; a minute drifts by 30 ms
		l := newLine(t)
		in := voice(180)
		l.say(0, in, 160, func(i int) int64 { return 100*ms + int64(i)*160*ppm/1e6 })
		l.run(179 * clockRate)
		if d := mean(l.delays[170*50 : 179*50]); d < 9*ms || d > 55*ms {
			t.Errorf("%d ppm: the delay is %d ms after three minutes", ppm, d/ms)
		}
		if c := float64(l.jitter.concealed) / clockRate; c > 0.1 {
			t.Errorf("%d ppm: %.2f s concealed", ppm, c)
		}
		if l.jitter.late > 0 {
			t.Errorf("%d ppm: %d packets late", ppm, l.jitter.late)
		}
	}
}

func TestPausesAreSilenceAndSpeechAfterThemIsWhole(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]bool{"timestamps go on": true, "timestamps stand still": false} {
		l := newLine(t)
		in := sine(1, -10, 440)
		l.say(0, in, 160, even(5*ms))
		later := append([]flight(nil), l.packets...)
		for i := range later {
			later[i].arrives += 4 * clockRate
			if moves {
				later[i].timestamp += 4 * clockRate
			} else {
				later[i].timestamp += clockRate
			}
			later[i].marker = i == 0
		}
		l.packets = append(l.packets, later...)
		l.run(6 * clockRate)
		if level := media.Level(l.out[2*clockRate : 4*clockRate]); level > -90 {
			t.Errorf("%s: the pause has %.1f dBFS", name, level)
		}
		loud := 0
		for at := 4 * clockRate; at+80 <= len(l.out); at += 80 {
			if media.Level(l.out[at:at+80]) > -16 {
				loud++
			}
		}
		if loud < 98 { // of 100 stretches of 10 ms
			t.Errorf("%s: %d ms of 1000 came through after the pause", name, loud*10)
		}
		if l.jitter.late > 0 {
			t.Errorf("%s: %d packets late", name, l.jitter.late)
		}
	}
}

func TestAJumpOfTheClockIsFollowedAndAStrayIsNot(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	in := voice(8)
	l.say(0, in, 160, even(5*ms))
	for i := range l.packets {
		if i == 50 {
			l.packets[i].timestamp += 1 << 30 // one stray
		}
		if i >= 100 {
			l.packets[i].timestamp += 0xFFFFFFFF - 20000 // wraps around soon
		}
	}
	l.run(8 * clockRate)
	if c := float64(l.jitter.concealed) / clockRate; c > 0.15 {
		t.Errorf("%.2f s concealed", c)
	}
	alignment(t, in, l.out)
}

func TestHostileTimestampsDoNoHarm(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 9))
	var j jitterBuffer
	var dst [frameSamples]int16
	pcm := make([]int16, maxBytes)
	now := int64(0)
	for range 50000 {
		now += int64(random.IntN(200))
		ts := random.Uint32()
		if random.IntN(2) == 0 {
			ts = uint32(now) + uint32(random.IntN(9000)) - 4500
		}
		j.put(ts, random.IntN(4) == 0, pcm[:1+random.IntN(maxBytes)], now)
		if random.IntN(3) == 0 {
			j.read(dst[:], now)
		}
		if random.IntN(1000) == 0 {
			j.skip(int64(random.IntN(100)) * frameSamples)
		}
	}
	if d := j.waited(now); j.playing && (d < -ringSize*4 || d > ringSize*4) {
		t.Errorf("delay of %d ms", d/ms)
	}
}
