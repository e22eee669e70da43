package local

import (
	"context"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// Transcriber recognises one caller. It cuts what it hears into segments at the pauses, recognises the open segment
// again and again while the caller speaks and once more as soon as the caller pauses, so that the final text is usually
// there when it is asked for. Transcripts are cumulative: text of closed segments never changes until Reset.
//
// Hear, Flush and Reset are for one goroutine and never block. One goroutine inside recognises.
type Transcriber struct {
	recognise func(ctx context.Context, pcm []float32, deadline time.Time) (hearing, error)
	idle      func() bool
	out       chan talkstack.Transcript
	wake      chan struct{}
	cancel    context.CancelFunc
	wg        sync.WaitGroup

	resampler *media.Resampler // used by Hear alone

	mu        sync.Mutex
	utterance int
	position  int64   // samples heard since the start
	history   []int16 // the last samples outside of segments
	open      *segment
	ended     []*segment // closed, not yet recognised
	passages  []passage  // closed and recognised
	flushes   int
	last      *attempt // the latest, of the open segment or the first ended one
	running   *attempt
	err       error // of the latest attempt
}

// attempt is one recognition of a segment as far as it has been heard.
type attempt struct {
	utterance int
	segment   int64 // its start
	speechEnd int64
	length    int // samples of the segment that were heard
	position  int64
	took      time.Duration
	hearing   hearing
	cancel    context.CancelFunc
}

// covers reports whether the attempt heard all speech of s.
func (a *attempt) covers(s *segment) bool {
	return a != nil && a.segment == s.start && a.speechEnd == s.speechEnd()
}

func newTranscriber(rate int, recognise func(context.Context, []float32, time.Time) (hearing, error), idle func() bool) *Transcriber {
	resampler, err := media.NewResampler(rate, asrRate)
	if err != nil {
		panic(err) // frames are 8 or 16 kHz
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Transcriber{
		recognise: recognise,
		idle:      idle,
		out:       make(chan talkstack.Transcript, 4),
		wake:      make(chan struct{}, 1),
		cancel:    cancel,
		resampler: resampler,
	}
	t.wg.Go(func() { t.work(ctx) })
	return t
}

// Transcripts gives interims while the caller speaks and a final for each flush. It is closed by Close.
func (t *Transcriber) Transcripts() <-chan talkstack.Transcript { return t.out }

// Close ends the recognition and waits for it.
func (t *Transcriber) Close() {
	t.cancel()
	t.wg.Wait()
}

// Hear takes the next frame; speech is the voice detector's word on it.
func (t *Transcriber) Hear(f *media.Frame, speech bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.position += frameLength
	if t.open == nil {
		t.history = t.resampler.Resample(t.history, f.Samples())
		if extra := len(t.history) - silentHistory - frameLength; extra > 0 {
			t.history = t.history[:copy(t.history, t.history[extra:])]
		}
		if !speech {
			return
		}
		t.open = &segment{
			start: t.position - int64(len(t.history)),
			pcm:   append(make([]int16, 0, 2*asrRate), t.history...),
			onset: max(0, len(t.history)-frameLength),
		}
		t.history = t.history[:0]
	} else {
		t.open.pcm = t.resampler.Resample(t.open.pcm, f.Samples())
	}
	s := t.open
	if speech {
		s.end = len(s.pcm)
		s.voiced += frameLength
	}
	t.advance()
}

// advance closes or cuts the open segment when it is time, and wakes the worker when there is something to recognise.
func (t *Transcriber) advance() {
	s := t.open
	pause := len(s.pcm) - s.end
	switch {
	case pause >= pauseClose:
		t.ended = append(t.ended, s)
		t.open = nil
		t.history = append(t.history[:0], s.pcm[max(s.end+tail, len(s.pcm)-silentHistory):]...)
		t.interrupt(s)
	case s.end >= longSegment:
		front, rest := s.split()
		t.ended = append(t.ended, front)
		t.open = rest
		t.interrupt(front)
	default:
		if t.due() == nil {
			return
		}
	}
	t.signal()
}

// interrupt breaks off an attempt that is of no use for s, which is wanted now.
func (t *Transcriber) interrupt(s *segment) {
	if t.running != nil && !t.running.covers(s) {
		t.running.cancel()
	}
}

// Flush asks for a final transcript of everything heard so far.
func (t *Transcriber) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushes++
	if t.open != nil && len(t.ended) == 0 {
		t.interrupt(t.open)
	}
	t.signal()
}

// Reset begins a new utterance. What was heard is forgotten; speech that goes on belongs to the new one.
func (t *Transcriber) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open; s != nil {
		from := max(0, len(s.pcm)-silentHistory)
		if s.end < len(s.pcm) { // not in mid-word: what follows the last one may be the soft onset of the next
			from = min(max(from, s.end+tail), len(s.pcm))
		}
		t.history = append(t.history[:0], s.pcm[from:]...)
		t.open = nil
	}
	t.utterance++
	t.ended, t.passages, t.flushes, t.last, t.err = nil, nil, 0, nil, nil
	if t.running != nil {
		t.running.cancel()
	}
}

func (t *Transcriber) signal() {
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already
	}
}

// due gives the segment to recognise next, nil when there is none. It does not count what a flush wants.
func (t *Transcriber) due() *segment {
	if len(t.ended) > 0 {
		return t.ended[0]
	}
	s := t.open
	if s == nil || s.voiced < minVoiced || t.last.covers(s) {
		return nil
	}
	if len(s.pcm)-s.end >= pauseLook {
		return s
	}
	// The longer a segment, the dearer each look at it: looks never take more than a quarter of a core.
	heard, every := 0, interimEvery
	if t.last != nil && t.last.segment == s.start {
		heard = t.last.length
		every = max(every, int(4*t.last.took.Seconds()*asrRate))
	}
	if s.end-heard >= every && t.idle() {
		return s
	}
	return nil
}

// work recognises what is due until ctx ends.
func (t *Transcriber) work(ctx context.Context) {
	defer close(t.out)
	for ctx.Err() == nil {
		var transcript *talkstack.Transcript
		if task := t.next(); task == nil {
			select {
			case <-t.wake:
			case <-ctx.Done():
			}
		} else if transcript = task.transcript; transcript == nil {
			transcript = t.try(ctx, task)
		}
		if transcript == nil {
			continue
		}
		select {
		case t.out <- *transcript:
		case <-ctx.Done():
		}
	}
}

// task is either a transcript to send or an attempt to make.
type task struct {
	transcript *talkstack.Transcript
	attempt    *attempt
	pcm        []float32
	deadline   time.Time
}

// next decides what to do; nil is to wait.
func (t *Transcriber) next() *task {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for len(t.ended) > 0 {
		s := t.ended[0]
		if s.voiced >= minVoiced {
			if !t.last.covers(s) {
				return t.recognition(s, now)
			}
			t.passages = append(t.passages, s.passage(t.last.hearing.text))
		}
		t.ended = t.ended[1:]
	}
	if t.flushes > 0 {
		if s := t.open; s != nil && s.voiced >= minVoiced && !t.last.covers(s) {
			return t.recognition(s, now)
		}
		t.flushes--
		final := t.transcript(t.position)
		final.Final = true
		return &task{transcript: final}
	}
	if s := t.due(); s != nil {
		patience := time.Second
		if len(s.pcm)-s.end >= pauseLook {
			patience = 200 * time.Millisecond
		}
		return t.recognition(s, now.Add(patience))
	}
	return nil
}

func (t *Transcriber) recognition(s *segment, deadline time.Time) *task {
	heard := s.heard()
	return &task{
		attempt:  &attempt{utterance: t.utterance, segment: s.start, speechEnd: s.speechEnd(), length: len(heard), position: t.position},
		pcm:      floats(heard),
		deadline: deadline,
	}
}

// try makes an attempt. It gives the interim transcript that follows from it, if any.
func (t *Transcriber) try(ctx context.Context, task *task) *talkstack.Transcript {
	a := task.attempt
	ctx, a.cancel = context.WithCancel(ctx)
	defer a.cancel()
	t.mu.Lock()
	if a.utterance != t.utterance {
		t.mu.Unlock()
		return nil
	}
	t.running = a
	t.mu.Unlock()

	start := time.Now()
	h, err := t.recognise(ctx, task.pcm, task.deadline)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = nil
	if a.utterance != t.utterance || ctx.Err() != nil {
		return nil // overtaken: next sees to it
	}
	a.hearing, a.took = h, time.Since(start)
	t.last = a
	t.err = err
	if s := t.open; s == nil || s.start != a.segment || t.flushes > 0 || len(t.ended) > 0 {
		return nil // a final is on its way, or it is about a closed segment
	}
	return t.transcript(a.position)
}

// transcript is what is known of the utterance.
func (t *Transcriber) transcript(position int64) *talkstack.Transcript {
	r := &talkstack.Transcript{Utterance: t.utterance, UpTo: samplesTime(position), Err: t.err}
	if t.err != nil {
		return r
	}
	passages := t.passages
	if s := t.open; s != nil && t.last != nil && t.last.segment == s.start {
		passages = append(passages[:len(passages):len(passages)], s.passage(t.last.hearing.text))
	}
	r.Text, r.Words = joinText(passages), words(passages)
	return r
}
