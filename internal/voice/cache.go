package voice

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
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

// filling is a clause that is being synthesised for the cache; the others who want it wait.
type filling struct {
	done  chan struct{}
	hurry chan struct{} // closed when somebody waits for what is made ahead
	pcm   []int16
	err   error
}

// errAbandoned is the result of a filling whose maker went away: whoever waits for it makes it himself.
var errAbandoned = errors.New("voice: the call that made the audio is over")

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

// keep passes the synthesizer's audio through and keeps it. It is made to its end even when the listener leaves: a caller
// who asks again and again must not hear the same first half for ever, while the second half is begun anew each time.
func (c *Cache) keep(ctx context.Context, key cacheKey, req talkstack.SpeechRequest) iter.Seq2[[]int16, error] {
	return func(yield func([]int16, error) bool) {
		f := &filling{done: make(chan struct{}), hurry: make(chan struct{})}
		close(f.hurry)
		parts, left := make(chan []int16), make(chan struct{})
		defer close(left)
		if !c.begin(key, f, func(ctx context.Context) { c.fill(ctx, key, req, f, parts, left) }) {
			for part, err := range c.SpeakFixed(ctx, req) { // somebody was faster
				yield(part, err)
			}
			return
		}
		for {
			select {
			case part := <-parts:
				if part != nil && !yield(part, nil) {
					return
				}
			case <-f.done:
				if f.err != nil {
					yield(nil, f.err)
				}
				return
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}

// begin has make run on its own, unless the text is being made already. The context it is given ends with Close.
func (c *Cache) begin(key cacheKey, f *filling, make func(ctx context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filling[key] != nil || c.ctx.Err() != nil {
		return false
	}
	c.filling[key] = f
	c.making.Go(func() { make(c.ctx) })
	return true
}

// Close breaks off what is made for nobody, and waits for it. What is kept can still be spoken.
func (c *Cache) Close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.making.Wait()
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
		c.fill(ctx, key, req, f, nil, nil)
		if errors.Is(f.err, errAbandoned) {
			return nil, context.Cause(ctx)
		}
		return f.pcm, f.err
	}
}

// fill makes the audio of f. Its parts go to parts as well, as long as left is open.
func (c *Cache) fill(ctx context.Context, key cacheKey, req talkstack.SpeechRequest, f *filling, parts chan<- []int16, left <-chan struct{}) {
	defer func() { // a panic must not leave the others waiting, nor end the process
		if v := recover(); v != nil {
			f.err = fmt.Errorf("voice: panic in a synthesizer: %v\n%s", v, debug.Stack())
		}
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
		if parts == nil {
			continue
		}
		select {
		case parts <- part:
			select { // it is only valid until the next one is asked for
			case parts <- nil:
			case <-left:
			}
		case <-left:
		}
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
