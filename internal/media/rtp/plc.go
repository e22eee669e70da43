package rtp

// The concealer follows ITU-T G.711 Appendix I: it repeats the last pitch period, then the last two, then the last
// three, fading to nothing over 60 ms, and blends into the real audio when that comes back. It differs in one thing:
// it adds no delay. The Appendix holds audio back by 3.75 ms to blend the first join; here the step at that join is
// faded out of the replica instead.
const (
	pitchMin    = 40  // samples: 200 Hz
	pitchMax    = 120 // 66 Hz
	pitchWindow = 160 // correlated when the period is looked for
	historySize = 3*pitchMax + pitchMax/4

	fadeStart = 80  // samples of concealment at full level
	fadeEnd   = 480 // silent from here on

	maxBlend  = 80 // longest blend back into real audio
	blendStep = 32 // added to the blend for each 10 ms concealed
)

// concealer makes up audio for what did not come. Samples are at 8 kHz.
type concealer struct {
	history [historySize]int16 // the last audio handed out, real or not

	gap     int // samples made up since the last real one; 0: none
	pitch   int // period found at the start of the gap
	periods int // how many periods are repeated: 1 to 3
	offset  int // place in the cycle
	source  [historySize]int16
	cycle   [3 * pitchMax]int16 // the stretch that is repeated, its end blended into its start

	step     int // what the last join would jump by; it is faded out over a quarter period
	stepLeft int // samples of that fade to come
}

// silent reports whether concealment has faded to nothing.
func (c *concealer) silent() bool { return c.gap >= fadeEnd }

// good takes real audio, and blends its start with the replica when it ends a gap.
func (c *concealer) good(pcm []int16) {
	if c.gap > 0 {
		n := min(c.pitch/4+c.gap/80*blendStep, maxBlend, len(pcm))
		for i := range n {
			old := c.next()
			pcm[i] = int16((int(old)*(n-i) + int(pcm[i])*i) / n)
		}
		c.gap = 0
	}
	c.remember(pcm)
}

// conceal fills dst with made-up audio that goes on where the last call ended.
func (c *concealer) conceal(dst []int16) {
	if c.gap == 0 {
		c.begin()
	}
	for i := range dst {
		dst[i] = c.next()
	}
	c.remember(dst)
}

func (c *concealer) remember(pcm []int16) {
	if len(pcm) >= historySize {
		copy(c.history[:], pcm[len(pcm)-historySize:])
		return
	}
	copy(c.history[:], c.history[len(pcm):])
	copy(c.history[historySize-len(pcm):], pcm)
}

// begin finds the period and prepares its repetition.
func (c *concealer) begin() {
	c.source = c.history
	c.pitch = findPitch(c.source[:])
	c.repeat(1)
	c.join(int(c.source[historySize-1]) - int(c.source[historySize-1-c.pitch]))
	c.offset = 0
}

// join starts to fade out a step between what was played and what will be.
func (c *concealer) join(step int) {
	c.step, c.stepLeft = step, c.pitch/4
}

// repeat makes the cycle of the last n periods. Its last quarter period is blended into what came before its first
// sample, so that going round makes no step.
func (c *concealer) repeat(n int) {
	c.periods = n
	length := n * c.pitch
	start := historySize - length
	cycle := c.cycle[:length]
	copy(cycle, c.source[start:])
	quarter := c.pitch / 4
	for i := range quarter {
		at := length - quarter + i
		before := int(c.source[start-quarter+i])
		cycle[at] = int16((int(cycle[at])*(quarter-i-1) + before*(i+1)) / quarter)
	}
}

// next makes one sample.
func (c *concealer) next() int16 {
	if c.gap >= fadeEnd {
		c.gap++
		return 0
	}
	if c.gap == fadeStart || c.gap == 2*fadeStart {
		c.widen()
	}
	v := int(c.cycle[c.offset])
	if c.stepLeft > 0 {
		v += c.step * c.stepLeft / (c.pitch / 4)
		c.stepLeft--
	}
	if c.gap > fadeStart {
		v = v * (fadeEnd - c.gap) / (fadeEnd - fadeStart)
	}
	if c.offset++; c.offset == c.periods*c.pitch {
		c.offset = 0
	}
	c.gap++
	return clip(v)
}

// widen goes on with one period more, at the same phase: a single one repeated for long sounds like a machine.
func (c *concealer) widen() {
	before := int(c.cycle[c.offset])
	phase := c.offset % c.pitch
	c.repeat(c.periods + 1)
	c.offset = phase
	c.join(before - int(c.cycle[phase]))
}

func clip(v int) int16 { return int16(min(max(v, -32768), 32767)) }

// findPitch is the lag of the greatest normalised correlation in the newest audio.
func findPitch(history []int16) int {
	recent := history[len(history)-pitchWindow:]
	best, bestScore := pitchMin, -2.0
	for lag := pitchMin; lag <= pitchMax; lag++ {
		if s := similarity(recent, history[len(history)-pitchWindow-lag:], 1); s > bestScore {
			best, bestScore = lag, s
		}
	}
	return best
}

// similarity is a normalised correlation that ranks like its square with its sign, which needs no root.
func similarity(a, b []int16, stride int) float64 {
	var cross, energyA, energyB int64
	b = b[:len(a)]
	for i := 0; i < len(a); i += stride {
		x, y := int64(a[i]), int64(b[i])
		cross += x * y
		energyA += x * x
		energyB += y * y
	}
	if energyA == 0 || energyB == 0 {
		return 0
	}
	s := float64(cross) * float64(cross) / (float64(energyA) * float64(energyB))
	if cross < 0 {
		return -s
	}
	return s
}
