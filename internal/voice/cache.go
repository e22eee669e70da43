package voice

import (
	"container/list"
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
	"sync"
	"unicode/utf8"

	"talkstack"
)

// maxCachedText is the longest clause that is kept, in bytes: longer ones are not fixed sentences.
const maxCachedText = 300

// maxOnce is how many texts are remembered that were asked for once.
const maxOnce = 2000

// Cache keeps the audio of fixed sentences (greetings, prompts, apologies, texts of a flow), the least recently
// used going first. It is a Synthesizer shared by all calls: what it holds is spoken at once, anything else is
// passed through. All methods may be used from many goroutines.
type Cache struct {
	synth    Synthesizer
	maxBytes int

	mu      sync.Mutex
	bytes   int
	entries map[cacheKey]*list.Element // of *cacheEntry
	order   *list.List                 // most recently used first
	filling map[cacheKey]*filling
	once    map[cacheKey]struct{} // texts that were asked for once

	ctx    context.Context //nolint:containedctx // the life of the cache, for what outlives its listener
	cancel context.CancelFunc
	making sync.WaitGroup
}

type cacheKey struct {
	text, voice string
	speed       float64
	rate        int
}

type cacheEntry struct {
	key cacheKey
	pcm []int16
}

// filling is a clause that is being synthesised for the cache. Whoever wants it hears it as it grows.
type filling struct {
	hurry chan struct{} // closed when somebody waits for what is made ahead

	mu    sync.Mutex
	pcm   []int16
	err   error
	ended bool
	grown chan struct{} // closed, and made anew, when there is more
}

// NewCache makes a cache of at most maxBytes of audio in front of s. Close ends it.
func NewCache(s Synthesizer, maxBytes int) *Cache {
	ctx, cancel := context.WithCancel(context.Background())
	return &Cache{
		ctx: ctx, cancel: cancel,
		synth: s, maxBytes: maxBytes,
		entries: map[cacheKey]*list.Element{}, order: list.New(), filling: map[cacheKey]*filling{},
		once: map[cacheKey]struct{}{},
	}
}

func keyOf(req talkstack.SpeechRequest) cacheKey {
	speed := req.Speed
	if speed == 0 {
		speed = 1
	}
	return cacheKey{text: strings.TrimSpace(req.Text), voice: req.Voice.ID, speed: speed, rate: req.Rate}
}

// Speak yields the audio of req: from the cache when it is there, otherwise as the synthesizer makes it. A text that
// is asked for a second time is kept: it is a fixed sentence that nobody announced.
func (c *Cache) Speak(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	key := keyOf(req)
	c.mu.Lock()
	pcm, ok := c.get(key)
	f := c.filling[key]
	again := !ok && f == nil && c.seen(key)
	c.mu.Unlock()
	switch {
	case ok:
		return func(yield func([]int16, error) bool) { yield(pcm, nil) }
	case f != nil, again:
		return c.SpeakFixed(ctx, req)
	}
	return func(yield func([]int16, error) bool) {
		made(req)
		c.synth.Speak(ctx, req)(yield)
	}
}

// made tells the request that its text is synthesised.
func made(req talkstack.SpeechRequest) {
	if req.Made != nil {
		req.Made(utf8.RuneCountInString(req.Text))
	}
}

// seen reports whether key was asked for before, and remembers it. c.mu is held.
func (c *Cache) seen(key cacheKey) bool {
	if len(key.text) > maxCachedText {
		return false
	}
	_, ok := c.once[key]
	if ok {
		delete(c.once, key)
		return true
	}
	if len(c.once) >= maxOnce {
		clear(c.once)
	}
	c.once[key] = struct{}{}
	return false
}

// Close breaks off what is made for nobody, and waits for it. What is kept can still be spoken.
func (c *Cache) Close() {
	c.cancel()
	c.making.Wait()
}

// SpeakFixed is Speak for a text that will be wanted again: it is kept. It is made to its end even when the listener
// leaves: a caller who asks again and again must not hear the same first half for ever, while the second half is begun
// anew each time.
func (c *Cache) SpeakFixed(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		pcm, f := c.find(req)
		if f == nil {
			yield(pcm, nil)
			return
		}
		f.stream(ctx, yield)
	}
}

// Warm synthesises a fixed text ahead, clause by clause as a conversation will speak it.
func (c *Cache) Warm(ctx context.Context, req talkstack.SpeechRequest) error {
	for _, clause := range Clauses(req.Text) {
		req.Text = clause
		for _, err := range c.SpeakFixed(ctx, req) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// find gives the audio of req from the cache, or what makes it: of many who want the same, the first has it made.
func (c *Cache) find(req talkstack.SpeechRequest) ([]int16, *filling) {
	key := keyOf(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if pcm, ok := c.get(key); ok {
		return pcm, nil
	}
	f := c.filling[key]
	if f == nil {
		f = &filling{hurry: make(chan struct{}), grown: make(chan struct{})}
		c.filling[key] = f
		made(req) // the first who wants it pays for it
		c.making.Go(func() { c.fill(key, req, f) })
	}
	if !req.Ahead && !closed(f.hurry) {
		close(f.hurry)
	}
	return nil, f
}

// fill makes the audio of f.
func (c *Cache) fill(key cacheKey, req talkstack.SpeechRequest, f *filling) {
	var err error
	defer func() { // a panic must not leave listeners waiting, nor end the process
		if v := recover(); v != nil {
			err = fmt.Errorf("voice: panic in a synthesizer: %v\n%s", v, debug.Stack())
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.filling, key)
		if err == nil && len(f.pcm) > 0 && len(key.text) <= maxCachedText {
			c.put(key, f.pcm)
		}
		f.grow(nil, err, true)
	}()
	req.Hurry = f.hurry
	for part, e := range c.synth.Speak(c.ctx, req) {
		if e != nil {
			err = e
			return
		}
		f.grow(part, nil, false)
	}
	err = c.ctx.Err()
}

func (f *filling) grow(part []int16, err error, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pcm = append(f.pcm, part...)
	f.err, f.ended = err, ended
	close(f.grown)
	f.grown = make(chan struct{})
}

// stream yields the audio as it is made.
func (f *filling) stream(ctx context.Context, yield func([]int16, error) bool) {
	for pos := 0; ; {
		f.mu.Lock()
		part, grown, ended, err := f.pcm[pos:len(f.pcm):len(f.pcm)], f.grown, f.ended, f.err
		f.mu.Unlock()
		switch {
		case len(part) > 0:
			pos += len(part)
			if !yield(part, nil) {
				return
			}
			continue
		case err != nil:
			yield(nil, err)
			return
		case ended:
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			yield(nil, context.Cause(ctx))
			return
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// get returns an entry and marks it as used. c.mu is held.
func (c *Cache) get(key cacheKey) ([]int16, bool) {
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheEntry).pcm, true
}

// put adds an entry and drops the oldest ones that no longer fit. c.mu is held.
func (c *Cache) put(key cacheKey, pcm []int16) {
	if _, ok := c.entries[key]; ok || 2*len(pcm) > c.maxBytes {
		return
	}
	c.entries[key] = c.order.PushFront(&cacheEntry{key: key, pcm: pcm})
	c.bytes += 2 * len(pcm)
	for c.bytes > c.maxBytes {
		last := c.order.Back()
		e := c.order.Remove(last).(*cacheEntry)
		delete(c.entries, e.key)
		c.bytes -= 2 * len(e.pcm)
	}
}
