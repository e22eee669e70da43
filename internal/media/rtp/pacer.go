package rtp

import (
	"time"

	"talkstack/internal/media"
)

// maxBurst is how many frames a late reader gets at once.
const maxBurst = 3

// pacer holds ReadFrame's deadlines. They are absolute, so that a late frame does not make the next ones late.
type pacer struct {
	due     time.Duration
	started bool
}

// next is how long to wait for the next frame, and how many frames to leave out before it because the reader was away.
func (p *pacer) next(now time.Duration) (wait time.Duration, missed int) {
	if !p.started {
		p.started, p.due = true, now
	}
	if behind := int((now - p.due) / media.FrameDuration); behind >= maxBurst {
		missed = behind - maxBurst + 1
		p.due += time.Duration(missed) * media.FrameDuration
	}
	wait = p.due - now
	p.due += media.FrameDuration
	return wait, missed
}
