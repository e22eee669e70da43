package voice

import (
	"context"
	"errors"
	"sync"
	"time"

	"talkstack/internal/media"
)

const (
	// lookAhead bounds the audio that is synthesised before it is needed.
	lookAhead = 10 * time.Second
	// fadeTime is how long speech takes to fade when it is paused or cut: long enough not to click.
	fadeTime = 5 * time.Millisecond
	// maxFade is fadeTime at the highest rate of a frame.
	maxFade = 16000 / 200
)

// errCut tells the reply goroutine that nobody will hear the rest.
var errCut = errors.New("voice: the speech was cut")

// Playout is the agent's voice as the media loop hears it: silence, or the speech that the conversation has put
// on. Next may be called from one goroutine while the conversation pauses, resumes and cuts from another.
type Playout struct {
	rate int

	mu     sync.Mutex
	cur    *speech // nil: idle
	paused bool
	tail   fade // what still goes out of a speech that was paused or cut
	lead   fade // what goes before the first sample of a speech that goes on
}

// fade is a few milliseconds of audio with a ramp on it. It lies beside the speech and takes nothing from it:
// a speech that is paused and resumed still gives each of its samples once, at full level.
type fade struct {
	pcm [maxFade]int16
	n   int
}

// NewPlayout makes an idle playout at 8000 or 16000 Hz.
func NewPlayout(rate int) *Playout { return &Playout{rate: rate} }

// Next is the frame to send at the tick `at` of the media clock. It is silent when the agent is. It never blocks
// for longer than a copy and does not allocate.
func (p *Playout) Next(at time.Duration) media.Frame {
	f := media.NewFrame(p.rate)
	out := f.Samples()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.tail.drain(out)
	if p.cur == nil || p.paused {
		return f
	}
	n += p.lead.drain(out[n:])
	p.cur.take(out[n:], at, n)
	return f
}

func (f *fade) drain(out []int16) int {
	n := copy(out, f.pcm[:f.n])
	f.n = 0
	return n
}

// play puts s on; what was on before is dropped.
func (p *Playout) play(s *speech) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil && p.cur != s {
		p.cur.drop()
	}
	p.cur, p.paused, p.lead.n = s, false, 0
}

// pause stops the speech after the last sample sent. It can be undone by resume, which goes on with the very
// next sample.
func (p *Playout) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil || p.paused {
		return
	}
	p.paused = true
	p.fadeOut()
}

func (p *Playout) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil || !p.paused {
		return
	}
	p.paused = false
	if p.tail.n > 0 { // nothing has gone out since the pause
		p.tail.n = 0
		return
	}
	before := p.cur.before(p.fadeLen())
	for i, v := range before {
		p.lead.pcm[i] = int16(int(v) * (i + 1) / (len(before) + 1))
	}
	p.lead.n = len(before)
}

// rewind takes a paused speech back to its beginning, when that is still there.
func (p *Playout) rewind() {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cur
	if s == nil || !p.paused || s.head > 0 || len(s.clips) == 0 {
		return
	}
	s.queued += s.clips[0].pos
	s.played -= s.clips[0].pos
	s.clips[0].pos = 0
}

// cut ends the speech where it is and returns how much of it was heard.
func (p *Playout) cut() heardSpeech {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil && !p.paused {
		p.fadeOut()
	}
	return p.takeOff()
}

// finish takes a speech off that was heard to its end.
func (p *Playout) finish() heardSpeech {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeOff()
}

func (p *Playout) takeOff() heardSpeech {
	if p.cur == nil {
		return heardSpeech{}
	}
	h := p.cur.heard()
	p.cur.drop()
	p.cur, p.paused = nil, false
	return h
}

// heard is how much of the speech has been heard so far.
func (p *Playout) heard() heardSpeech {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil {
		return heardSpeech{}
	}
	return p.cur.heard()
}

// progress is the state of the speech that is on, for the loop to look at once a frame.
func (p *Playout) progress() progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cur
	if s == nil {
		return progress{}
	}
	return progress{
		started:  s.started,
		first:    s.first,
		played:   p.duration(s.played),
		queued:   p.duration(s.queued),
		finished: s.closed && s.queued == 0,
		end:      s.end,
	}
}

// progress describes a speech that is on.
type progress struct {
	started  bool
	first    time.Duration // tick of the first frame; valid when started
	played   time.Duration // audio sent
	queued   time.Duration // audio made and not yet sent
	finished bool          // complete, and all of it sent
	end      time.Duration // when the last sample so far was sent
}

func (p *Playout) fadeOut() {
	next := p.cur.after(p.fadeLen())
	for i, v := range next {
		p.tail.pcm[i] = int16(int(v) * (len(next) - i) / (len(next) + 1))
	}
	p.tail.n = len(next)
	p.lead.n = 0
}

func (p *Playout) fadeLen() int { return p.samples(fadeTime) }

func (p *Playout) samples(d time.Duration) int { return int(d * time.Duration(p.rate) / time.Second) }

func (p *Playout) duration(samples int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(p.rate)
}

// speech is the audio of one reply: the reply goroutine fills it, clause by clause, and the playout empties it.
// It exists before it is put on (speculation). All fields are guarded by the playout's mutex.
type speech struct {
	p       *Playout
	room    chan struct{} // signalled when audio was taken
	clips   []clip
	head    int  // the clip that is playing
	closed  bool // no clip will follow
	dropped bool
	started bool
	first   time.Duration
	end     time.Duration
	played  int
	queued  int
}

// clip is the audio of one clause.
type clip struct {
	text   string
	pcm    []int16 // nil once it has been heard
	pos    int     // samples sent
	length int     // samples of the clause itself, without the pause behind it
	done   bool    // all its audio is there
}

func (p *Playout) newSpeech() *speech { return &speech{p: p, room: make(chan struct{}, 1)} }

// begin opens a clip for a clause. The one before it gets the pause that its last character asks for, unless it
// has been heard already: then the caller has had a longer one.
func (s *speech) begin(text string) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.dropped {
		return
	}
	if n := len(s.clips); n > 0 && s.head < n {
		c := &s.clips[n-1]
		if missing := s.p.samples(pauseAfter(c.text)) - quietTail(c.pcm); missing > 0 {
			c.pcm = append(c.pcm, make([]int16, missing)...)
			s.queued += missing
		}
	}
	s.clips = append(s.clips, clip{text: text})
}

// pauseAfter is the pause a speaker makes behind a clause.
func pauseAfter(clause string) time.Duration {
	if endsSentence(clause) {
		return 240 * time.Millisecond
	}
	return 90 * time.Millisecond
}

// quietTail is how many samples at the end of pcm are silent already.
func quietTail(pcm []int16) int {
	const quiet = 48
	n := 0
	for i := len(pcm) - 1; i >= 0 && pcm[i] < quiet && pcm[i] > -quiet; i-- {
		n++
	}
	return n
}

// write adds audio to the clip that is open. It waits while enough is queued; errCut means nobody listens.
func (s *speech) write(ctx context.Context, pcm []int16) error {
	for {
		s.p.mu.Lock()
		switch {
		case s.dropped:
			s.p.mu.Unlock()
			return errCut
		case s.p.duration(s.queued) < lookAhead:
			c := &s.clips[len(s.clips)-1]
			c.pcm = append(c.pcm, pcm...)
			s.queued += len(pcm)
			s.p.mu.Unlock()
			return nil
		}
		s.p.mu.Unlock()
		select {
		case <-s.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// done says that the open clip is complete. One without audio was not said.
func (s *speech) done() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if len(s.clips) == 0 {
		return // dropped
	}
	c := &s.clips[len(s.clips)-1]
	c.done, c.length = true, len(c.pcm)
	if len(c.pcm) == 0 && c.pos == 0 {
		c.text = ""
	}
}

// close says that no clip will follow.
func (s *speech) close() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.closed = true
}

// discard frees a speech that was never put on.
func (s *speech) discard() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.drop()
}

// The methods below are called with the playout's mutex held.

func (s *speech) drop() {
	s.dropped, s.clips, s.queued = true, nil, 0
	s.signal()
}

func (s *speech) signal() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// take moves audio into out, whose first sample is `offset` samples into the frame of the tick `at`.
func (s *speech) take(out []int16, at time.Duration, offset int) {
	n := 0
	for n < len(out) && s.head < len(s.clips) {
		c := &s.clips[s.head]
		m := copy(out[n:], c.pcm[c.pos:])
		c.pos += m
		n += m
		if c.pos < len(c.pcm) {
			break // out is full
		}
		if !c.done {
			break // the rest of the clause is still being made
		}
		c.pcm = nil
		s.head++
	}
	if n == 0 {
		return
	}
	if !s.started {
		s.started, s.first = true, at
	}
	s.played += n
	s.queued -= n
	s.end = at + s.p.duration(offset+n)
	s.signal()
}

// after is up to n samples that come next, within the clip that is playing.
func (s *speech) after(n int) []int16 {
	if !s.started || s.head >= len(s.clips) {
		return nil
	}
	c := &s.clips[s.head]
	return c.pcm[c.pos:min(c.pos+n, len(c.pcm))]
}

// before is up to n samples that were sent last, within the clip that is playing.
func (s *speech) before(n int) []int16 {
	if s.head >= len(s.clips) {
		return nil
	}
	c := &s.clips[s.head]
	if c.pcm == nil {
		return nil
	}
	return c.pcm[max(0, c.pos-n):c.pos]
}

// spoken is how many samples of the clause there are so far.
func (c *clip) spoken() int {
	if c.done {
		return c.length
	}
	return len(c.pcm)
}

func (s *speech) heard() heardSpeech {
	h := heardSpeech{end: s.end}
	for i := range s.clips {
		c := &s.clips[i]
		switch {
		case i < s.head:
			h.add(c.text)
		case i == s.head && c.pos > 0:
			h.add(heardWords(c.text, c.pos, c.spoken(), c.done, s.p.rate))
		}
		h.addWhole(c.text)
	}
	return h
}
