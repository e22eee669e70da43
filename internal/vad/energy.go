package vad

import (
	"math"

	"talkstack/internal/media"
)

// The gate's levels, in dB, and times, in frames of 20 ms.
const (
	quietest   = -75.0 // floor of a line that carries digital silence, dB below full scale
	hearable   = -58.0 // quieter sound is never speech
	overFloor  = 6.0   // how far speech stands out of the noise
	holdFrames = 25    // how long the gate stays open after the last loud frame: the network must see speech end
)

// gate follows the noise on the line and opens for what stands out of it.
type gate struct {
	floor float64 // level of the noise, dB below full scale
	hold  int     // frames for which it stays open
	loud  bool    // the last frame stood out
}

func newGate() gate { return gate{floor: quietest} }

// hear takes a frame, with what the network thought of the last ones, and reports whether the gate is open.
func (g *gate) hear(samples []int16, speech float32) bool {
	level := level(samples)
	g.loud = level > hearable && level > g.floor+overFloor
	if g.loud {
		g.hold = holdFrames
	} else if g.hold > 0 {
		g.hold--
	}
	switch {
	case level < g.floor: // what is quieter than the noise tells its level at once
		g.floor += 0.3 * (level - g.floor)
	case speech < 0.2: // louder, and no speech: the noise has grown
		g.floor += min(0.12, level-g.floor)
	default: // speech: the floor only creeps, in case the network is fooled for long
		g.floor += min(0.005, level-g.floor)
	}
	g.floor = max(g.floor, quietest)
	return g.hold > 0
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
func NewEnergy() *Energy { return &Energy{gate: newGate()} }

// Frames that a sound must last to be speech, and a pause to be silence.
const (
	energyOn  = 3
	energyOff = 4
)

// Hear takes the next frame and reports whether there is speech in it.
func (e *Energy) Hear(f *media.Frame) bool {
	var speech float32
	if e.speech {
		speech = 1
	}
	e.gate.hear(f.Samples(), speech)
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
