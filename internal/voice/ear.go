package voice

import (
	"time"

	"talkstack/internal/media"
)

const (
	// openFrames is how many frames of speech in a row begin a segment: a single one is a click.
	openFrames = 2
	// closeFrames is how many frames without speech end a segment: a stop consonant is shorter.
	closeFrames = 3
	// tailLimit is how far back from the detector's last frame of speech the true end is looked for: detectors
	// hold on for a while after a word.
	tailLimit = 160 * time.Millisecond
	// releaseLimit is how long after the detector's last frame of speech a sound still belongs to the last word: the
	// "t" of "right" is let go up to a fifth of a second after its vowel, and an "s" fades.
	releaseLimit = 240 * time.Millisecond
	// onsetLimit is how far before the detector's first frame of speech the true beginning is looked for: detectors
	// notice a soft onset late.
	onsetLimit = 100 * time.Millisecond
	// quietestSpeech is the lowest level that counts as sound when the end of speech is located.
	quietestSpeech = 64
)

// ear finds speech segments in the caller's audio and locates their ends on the sample clock.
type ear struct {
	rate int

	speaking bool          // a segment is open
	start    time.Duration // of the segment
	spoken   time.Duration // end of what the detector took for speech; a transcript that reaches it has all words
	end      time.Duration // where speech last ended, its release included; while a segment is open, where it would end now
	voiced   time.Duration // speech in the segment
	last     time.Duration // end of the detector's last frame of speech in a segment

	run   int           // frames of speech in a row
	still int           // frames without speech in a row
	onset time.Duration // where the sound that is on now began, in whole frames
	sound bool          // a sound above the floor is on
	floor int           // typical loudest sample of a frame without speech
	loud  time.Duration // end of the last sound above the floor
}

// segmentChange says what a frame did.
type segmentChange int

const (
	noChange segmentChange = iota
	segmentStarted
	segmentEnded
)

// hear takes the frame at `at`, with the detector's word on it.
func (e *ear) hear(f *media.Frame, at time.Duration, speech bool) segmentChange {
	e.measure(f, at, speech)
	if !speech {
		e.run = 0
		e.still++
		if e.last > 0 && e.loud > e.end && e.loud <= e.last+releaseLimit {
			e.end = e.loud
		}
		if e.speaking && e.still == closeFrames {
			e.speaking = false
			return segmentEnded
		}
		return noChange
	}
	e.run++
	e.still = 0
	if !e.speaking && e.run < openFrames {
		return noChange
	}
	change := noChange
	if !e.speaking {
		detected := at - time.Duration(e.run-1)*media.FrameDuration
		e.start = detected
		if e.sound && detected-e.onset <= onsetLimit {
			e.start = min(e.start, max(e.onset, e.end))
		}
		e.speaking, e.voiced = true, at-e.start
		change = segmentStarted
	}
	e.voiced += media.FrameDuration
	e.last = at + media.FrameDuration
	e.spoken = e.endOfSpeech(e.last)
	e.end = e.spoken
	return change
}

// maybe reports speech that is not yet long enough to be a segment.
func (e *ear) maybe() bool { return !e.speaking && e.run > 0 }

// measure follows the levels, and where sound was last heard.
func (e *ear) measure(f *media.Frame, at time.Duration, speech bool) {
	samples := f.Samples()
	if !speech && !e.speaking {
		top := 0
		for _, v := range samples {
			top = max(top, int(v), -int(v))
		}
		// It rises slowly, for the detector is late: the first frames of a word look like silence.
		e.floor = min(top, e.floor+8+e.floor/8)
	}
	limit := max(quietestSpeech, 2*e.floor)
	for i := len(samples) - 1; i >= 0; i-- {
		if v := int(samples[i]); v >= limit || -v >= limit {
			e.loud = at + time.Duration(i+1)*time.Second/time.Duration(e.rate)
			if !e.sound {
				e.sound, e.onset = true, at
			}
			return
		}
	}
	e.sound = false
}

// endOfSpeech is the last sound before the end of the detector's last frame of speech. A detector that says
// speech where nothing is loud for long is believed.
func (e *ear) endOfSpeech(last time.Duration) time.Duration {
	if last-e.loud > tailLimit {
		return last
	}
	return e.loud
}
