package voice

import (
	"container/list"
	"context"
	"errors"
	"iter"
	"strings"
	"sync"

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

// filling is a clause that is being synthesised for the cache; the others who want it wait.
type filling struct {
	done  chan struct{}
	hurry chan struct{} // closed when somebody waits for what is made ahead
	pcm   []int16
	err   error
}

// errAbandoned is the result of a filling whose maker went away: whoever waits for it makes it himself.
var errAbandoned = errors.New("voice: the call that made the audio is over")

// NewCache makes a cache of at most maxBytes of audio in front of s.
func NewCache(s Synthesizer, maxBytes int) *Cache {
	return &Cache{
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
	case f != nil:
		return c.SpeakFixed(ctx, req)
	case again:
		return c.keep(ctx, key, req)
	}
	return c.synth.Speak(ctx, req)
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

// keep passes the synthesizer's audio through and keeps it when it came to its end.
func (c *Cache) keep(ctx context.Context, key cacheKey, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		var pcm []int16
		for part, err := range c.synth.Speak(ctx, req) {
			pcm = append(pcm, part...)
			if !yield(part, err) || err != nil {
				return
			}
		}
		if ctx.Err() == nil && len(pcm) > 0 {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.put(key, pcm)
		}
	}
}

// SpeakFixed is Speak for a text that will be wanted again: it is kept.
func (c *Cache) SpeakFixed(ctx context.Context, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) { yield(c.fetch(ctx, req)) }
}

// Warm synthesises a fixed text ahead, clause by clause as a conversation will speak it.
func (c *Cache) Warm(ctx context.Context, req talkstack.SpeechRequest) error {
	for _, clause := range Clauses(req.Text) {
		req.Text = clause
		if _, err := c.fetch(ctx, req); err != nil {
			return err
		}
	}
	return nil
}

// fetch returns the audio of req from the cache, or makes it; of many who want the same, one makes it.
func (c *Cache) fetch(ctx context.Context, req talkstack.SpeechRequest) ([]int16, error) {
	key := keyOf(req)
	for {
		c.mu.Lock()
		if pcm, ok := c.get(key); ok {
			c.mu.Unlock()
			return pcm, nil
		}
		if f := c.filling[key]; f != nil {
			if !req.Ahead && !closed(f.hurry) {
				close(f.hurry)
			}
			c.mu.Unlock()
			pcm, err := f.wait(ctx)
			if errors.Is(err, errAbandoned) {
				continue
			}
			return pcm, err
		}
		f := &filling{done: make(chan struct{}), hurry: make(chan struct{})}
		c.filling[key] = f
		c.mu.Unlock()
		c.fill(ctx, key, req, f)
		if errors.Is(f.err, errAbandoned) {
			return nil, context.Cause(ctx)
		}
		return f.pcm, f.err
	}
}

func (c *Cache) fill(ctx context.Context, key cacheKey, req talkstack.SpeechRequest, f *filling) {
	defer func() { // a panic must not leave the others waiting
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.filling, key)
		if f.err == nil && len(f.pcm) > 0 && len(key.text) <= maxCachedText {
			c.put(key, f.pcm)
		}
		close(f.done)
	}()
	f.err = errAbandoned // unless the loop below says otherwise
	var pcm []int16
	req.Hurry = f.hurry
	for part, err := range c.synth.Speak(ctx, req) {
		if err != nil {
			if ctx.Err() == nil {
				f.err = err
			}
			return
		}
		pcm = append(pcm, part...)
	}
	if ctx.Err() == nil {
		f.pcm, f.err = pcm, nil
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

func (f *filling) wait(ctx context.Context) ([]int16, error) {
	select {
	case <-f.done:
		return f.pcm, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
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
