package rtp

import (
	"context"
	"io"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// The shape of a digit we send: ITU-T Q.24 asks for at least 40 ms each, telephones make about 100.
const (
	digitHeld   = 5 * media.FrameDuration
	digitGap    = 4 * media.FrameDuration
	digitPause  = 500 * time.Millisecond // "," and "w"
	endPackets  = 3                      // RFC 4733 section 2.5.1.4
	digitLevel  = -9.0                   // dBFS of each of the two tones
	maxSequence = 128                    // keys in one SendDigits
)

// mode is what WriteFrame's audio gives way to.
type mode uint8

const (
	pressNone mode = iota
	pressEvents
	pressTones
)

// SendDigits presses keys ("0"-"9", "*", "#", "A"-"D"; "," and "w" pause for half a second) in place of audio, and
// returns when the last is released. They go as telephone events (RFC 4733), or as tones when the peer takes no
// events. The error is a talkstack.Error with CodeInvalid for other characters and CodeConflict on hold, io.EOF after
// Close, or ctx's cause.
func (s *Session) SendDigits(ctx context.Context, digits string) error {
	if err := checkDigits(digits); err != nil {
		return err
	}
	s.pressOne.Lock()
	defer s.pressOne.Unlock()
	m, err := s.beginDigits()
	if err != nil {
		return err
	}
	defer s.setPressing(pressNone)
	p := press{session: s, ctx: ctx, due: time.Now(), timer: time.NewTimer(time.Hour)}
	defer p.timer.Stop()
	for i := range len(digits) {
		code, isKey := eventCode(digits[i])
		switch {
		case !isKey:
			err = p.quiet(m, digitPause)
		case m == pressEvents:
			err = p.event(code)
		default:
			err = p.tone(keys[code])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkDigits(digits string) error {
	if len(digits) > maxSequence {
		return talkstack.Errorf(talkstack.CodeInvalid, "At most %d keys can be pressed at once.", maxSequence)
	}
	for i := range len(digits) {
		if _, ok := eventCode(digits[i]); !ok && strings.IndexByte(",wW", digits[i]) < 0 {
			return talkstack.Errorf(talkstack.CodeInvalid, "%q is not a key of a telephone: use 0-9, *, #, A-D, and a comma to pause.", digits[i])
		}
	}
	return nil
}

// beginDigits takes the line for digits, the way the peer wants them.
func (s *Session) beginDigits() (mode, error) {
	s.out.Lock()
	defer s.out.Unlock()
	if !s.sending {
		return pressNone, talkstack.Errorf(talkstack.CodeConflict, "Digits cannot be sent while the call is on hold.")
	}
	s.pressing = pressEvents
	if s.send.eventType == 0 {
		s.pressing = pressTones
	}
	return s.pressing, nil
}

func (s *Session) setPressing(m mode) {
	s.out.Lock()
	defer s.out.Unlock()
	s.pressing = m
}

// press is one SendDigits at work.
type press struct {
	session *Session
	ctx     context.Context //nolint:containedctx // lives for one call of SendDigits
	due     time.Time       // absolute, like all pacing
	timer   *time.Timer
	end     uint32 // where the last event ended: the next one cannot start before
	any     bool   // end is set
}

// wait sleeps until d after the last deadline.
func (p *press) wait(d time.Duration) error {
	p.due = p.due.Add(d)
	p.timer.Reset(time.Until(p.due))
	select {
	case <-p.timer.C:
		return nil
	case <-p.session.closed:
		return io.EOF
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// event sends one key as packets of growing duration, the last three times (RFC 4733 section 2.5.1). A key that was
// begun is ended, even when ctx does.
func (p *press) event(code byte) error {
	s := p.session
	s.out.Lock()
	s.send.sync(time.Since(s.epoch))
	s.send.pass(0)
	start := s.send.timestamp
	if p.any && int32(start-p.end) < 0 { //nolint:gosec // modulo 2^32
		start = p.end
	}
	s.out.Unlock()
	p.end, p.any = start+uint32(samples(digitHeld)), true //nolint:gosec // 800

	var err error
	for held := media.FrameDuration; held < digitHeld && err == nil; held += media.FrameDuration {
		if err = p.wait(media.FrameDuration); err == nil {
			p.sendEvent(code, start, held, held == media.FrameDuration, false)
		}
	}
	for range endPackets {
		if err == nil {
			err = p.wait(media.FrameDuration)
		}
		p.sendEvent(code, start, digitHeld, false, true)
	}
	if err != nil {
		return err
	}
	return p.wait(digitGap - (endPackets-1)*media.FrameDuration)
}

func (p *press) sendEvent(code byte, start uint32, held time.Duration, first, end bool) {
	s := p.session
	s.out.Lock()
	defer s.out.Unlock()
	if s.sending && s.send.eventType != 0 { // neither hold nor a new agreement came between
		s.transmit(s.send.event(code, start, held, first, end))
	}
}

// tone sends one key as its two tones, and the gap as silence.
func (p *press) tone(key byte) error {
	low, high := media.DTMFFrequencies(key)
	tone := media.NewTone(clockRate, digitLevel, low, high)
	for range digitHeld / media.FrameDuration {
		f := media.NewFrame(clockRate)
		tone.Read(f.Samples())
		if err := p.audio(&f); err != nil {
			return err
		}
	}
	return p.quiet(pressTones, digitGap)
}

// quiet lets time go by: nobody sends silence while events are sent, but tones need it.
func (p *press) quiet(m mode, d time.Duration) error {
	if m == pressEvents {
		return p.wait(d)
	}
	for range d / media.FrameDuration {
		f := media.NewFrame(clockRate)
		if err := p.audio(&f); err != nil {
			return err
		}
	}
	return nil
}

// audio sends one frame in place of WriteFrame's.
func (p *press) audio(f *media.Frame) error {
	s := p.session
	s.out.Lock()
	now := time.Since(s.epoch)
	s.send.sync(now)
	if s.sending {
		s.sendAudio(f.Samples())
	} else {
		s.send.pass(frameSamples)
	}
	s.send.tick(now)
	s.out.Unlock()
	return p.wait(media.FrameDuration)
}
