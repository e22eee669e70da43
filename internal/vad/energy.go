package vad

import (
	"math"
	"slices"

	"talkstack/internal/media"
)

// The gate's levels in dB below full scale, and times in frames of 20 ms.
const (
	quietest  = -75.0 // a line that carries digital silence
	hearable  = -58.0 // quieter sound is never speech
	overFloor = 6.0   // how far speech stands out of the noise

	floorLimit  = -35.0 // no noise is thought to be louder: it may be speech that never pauses
	floorUnsure = -50.0 // the same, while the line has been heard for too short a time
	blockFrames = 10
	floorBlocks = 10 // two seconds: speech pauses within
	holdFrames  = 25 // how long the gate stays open after the last loud frame: the network must see speech end
)

// gate follows the noise on the line, by the quietest frame of the last seconds, and opens for what stands out of it.
type gate struct {
	blocks [floorBlocks]float64 // quietest level of each block, the latest in place
	block  int
	frames int64
	hold   int  // frames for which it stays open
	loud   bool // the last frame stood out
}

// hear takes a frame and reports whether the gate is open. While the network hears speech it never shuts.
func (g *gate) hear(samples []int16, speech bool) bool {
	level := level(samples)
	floor := g.floor()
	g.loud = level > hearable && level > floor+overFloor
	switch {
	case g.loud || speech:
		g.hold = holdFrames
	case g.hold > 0:
		g.hold--
	}
	if g.frames%blockFrames == 0 {
		g.block = int(g.frames/blockFrames) % floorBlocks
		g.blocks[g.block] = level
	}
	g.blocks[g.block] = min(g.blocks[g.block], level)
	g.frames++
	return g.hold > 0
}

// floor is the level of the noise.
func (g *gate) floor() float64 {
	if g.frames < blockFrames {
		return quietest
	}
	limit, blocks := floorLimit, g.blocks[:]
	if heard := g.frames / blockFrames; heard < floorBlocks {
		limit, blocks = floorUnsure, blocks[:heard]
	}
	return max(quietest, min(limit, slices.Min(blocks)))
}

// level is the mean power of samples in dB below full scale, never under quietest.
func level(samples []int16) float64 {
	var sum int64
	for _, s := range samples {
		sum += int64(s) * int64(s)
	}
	power := float64(sum) / float64(max(len(samples), 1)) / (32768 * 32768)
	return max(10*math.Log10(power+1e-12), quietest)
}

// Energy detects speech by level alone: the fallback when there is no network. It takes any sound that stands out of
// the noise for speech, for lack of better knowledge.
type Energy struct {
	gate   gate
	run    int // frames in a row that stood out
	speech bool
	quiet  int
}

// NewEnergy makes the detector of one call.
func NewEnergy() *Energy { return &Energy{} }

// Frames that a sound must last to be speech, and a pause to be silence.
const (
	energyOn  = 3
	energyOff = 4
)

// Hear takes the next frame and reports whether there is speech in it.
func (e *Energy) Hear(f *media.Frame) bool {
	e.gate.hear(f.Samples(), false)
	if e.gate.loud {
		e.run++
		e.quiet = 0
	} else {
		e.run = 0
		e.quiet++
	}
	switch {
	case e.run >= energyOn:
		e.speech = true
	case e.quiet >= energyOff:
		e.speech = false
	}
	return e.speech
}
