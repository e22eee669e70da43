package voice

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"iter"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

// voiceOf is the audio the fake synthesizer makes of a text: sound in every sample, 60 ms a letter.
func voiceOf(text string) []int16 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, text)
	x := h.Sum32() | 1
	pcm := make([]int16, len([]rune(text))*testRate*60/1000)
	for i := range pcm {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		pcm[i] = int16(500 + x%4000)
	}
	return pcm
}

// loudness takes any loud frame for speech.
type loudness struct{}

func (loudness) Hear(f *media.Frame) bool { return f.Samples()[0] > 1000 }

// fakeTranscriber recognises what the test tells it to, a while after each flush.
type fakeTranscriber struct {
	out   chan talkstack.Transcript
	delay time.Duration

	mu        sync.Mutex
	heard     time.Duration
	utterance int
	coming    []string // recognised at the beginning of the next speech
	text      string
	mute      bool // answers no flush
	err       error
	closed    bool
	wg        sync.WaitGroup
}

func newFakeTranscriber() *fakeTranscriber {
	return &fakeTranscriber{out: make(chan talkstack.Transcript, 64), delay: 73 * time.Millisecond}
}

func (f *fakeTranscriber) expect(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coming = append(f.coming, text)
}

func (f *fakeTranscriber) Hear(_ *media.Frame, speech bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard += media.FrameDuration
	if speech && len(f.coming) > 0 {
		f.text = join(f.text, f.coming[0])
		f.coming = f.coming[1:]
	}
}

func (f *fakeTranscriber) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mute {
		return
	}
	f.send(talkstack.Transcript{Utterance: f.utterance, Text: f.text, Final: true, UpTo: f.heard, Err: f.err})
}

// interim sends what is recognised so far.
func (f *fakeTranscriber) interim() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.send(talkstack.Transcript{Utterance: f.utterance, Text: f.text, UpTo: f.heard})
}

func (f *fakeTranscriber) send(t talkstack.Transcript) {
	if t.Err != nil {
		t.Text = ""
	}
	f.wg.Go(func() {
		<-time.After(f.delay)
		f.out <- t
	})
}

func (f *fakeTranscriber) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.utterance++
	f.text = ""
}

func (f *fakeTranscriber) Transcripts() <-chan talkstack.Transcript { return f.out }

func (f *fakeTranscriber) Close() {
	f.wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.out)
	}
}

// fakeSynthesizer makes voiceOf each text, in stretches, after a delay.
type fakeSynthesizer struct {
	delay time.Duration

	mu    sync.Mutex
	asked []string
	fail  map[string]int // how many times a text fails; -1: always; key "": any text
}

var errFake = errors.New("the provider is away")

func (f *fakeSynthesizer) fails(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, text)
	for _, k := range []string{text, ""} {
		if n := f.fail[k]; n != 0 {
			f.fail[k]--
			return true
		}
	}
	return false
}

func (f *fakeSynthesizer) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *fakeSynthesizer) Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		fails := f.fails(req.Text)
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			yield(nil, ctx.Err())
			return
		}
		if fails {
			yield(nil, errFake)
			return
		}
		buf := make([]int16, testRate/10) // reused: whoever keeps it is caught
		for pcm := voiceOf(req.Text); len(pcm) > 0; {
			n := copy(buf, pcm)
			pcm = pcm[n:]
			if !yield(buf[:n], nil) {
				return
			}
		}
	}
}

// answer is what the fake brain says to an input.
type answer struct {
	to     string // the caller's text, "#1234" for keys, "" for a greeting
	pieces []brain.Piece
	err    error // after the pieces
	fails  int   // this many times, with err, before it works
	pause  time.Duration
}

// fakeBrain answers from a script; what is not in it is answered with "I heard: …".
type fakeBrain struct {
	delay  time.Duration
	script []answer
	digits int // wanted; -1: any number

	mu        sync.Mutex
	asked     []brain.Input
	committed []string
	retracted []string
	closed    []string
}

func (b *fakeBrain) answers(to, text string) {
	b.script = append(b.script, answer{to: to, pieces: []brain.Piece{{Text: text}}})
}

func (b *fakeBrain) Reply(ctx context.Context, in brain.Input) brain.Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, in)
	key := in.Text
	if in.Kind == brain.Keypad {
		key = "#" + in.Digits
	}
	a := answer{to: key, pieces: []brain.Piece{{Text: "I heard: " + key + "."}}}
	for i := range b.script {
		if b.script[i].to != key {
			continue
		}
		a = b.script[i]
		if a.fails > 0 {
			b.script[i].fails--
			a.pieces = nil
		} else if a.fails == 0 && len(a.pieces) > 0 && a.pause == 0 {
			a.err = nil
		}
		break
	}
	return &fakeReply{brain: b, answer: a, ctx: ctx, done: make(chan struct{})}
}

func (b *fakeBrain) inputs() []brain.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]brain.Input(nil), b.asked...)
}

func (b *fakeBrain) Slots() map[string]string { return nil }

func (b *fakeBrain) ExpectsDigits() (bool, int) { return b.digits != 0, max(0, b.digits) }

type fakeReply struct {
	brain  *fakeBrain
	answer answer
	ctx    context.Context //nolint:containedctx // as a real reply has it
	once   sync.Once
	done   chan struct{}
	n      int
}

func (r *fakeReply) Next() (brain.Piece, error) {
	delay := r.brain.delay
	if r.n > 0 {
		delay = r.answer.pause
	}
	select {
	case <-time.After(delay):
	case <-r.done:
		return brain.Piece{}, context.Canceled
	case <-r.ctx.Done():
		return brain.Piece{}, r.ctx.Err()
	}
	if r.n == len(r.answer.pieces) {
		if r.answer.err != nil {
			return brain.Piece{}, r.answer.err
		}
		return brain.Piece{}, io.EOF
	}
	r.n++
	return r.answer.pieces[r.n-1], nil
}

func (r *fakeReply) Commit() {
	r.brain.mu.Lock()
	defer r.brain.mu.Unlock()
	r.brain.committed = append(r.brain.committed, r.answer.to)
}

func (r *fakeReply) Retract() {
	r.brain.mu.Lock()
	defer r.brain.mu.Unlock()
	r.brain.retracted = append(r.brain.retracted, r.answer.to)
}

func (r *fakeReply) Close() {
	r.once.Do(func() {
		close(r.done)
		r.brain.mu.Lock()
		defer r.brain.mu.Unlock()
		r.brain.closed = append(r.brain.closed, r.answer.to)
	})
}
