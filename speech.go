package talkstack

// SpeechRequest asks a provider to speak a text.
type SpeechRequest struct {
	Text  string
	Voice Voice
	Speed float64 // 1 is the voice's own; 0 means 1
	Rate  int     // sample rate of the wanted audio, in Hz
	Ahead bool    // nobody waits for it yet: everything else goes first
	// Hurry is closed when somebody waits after all for what was asked for ahead. It may be nil.
	Hurry <-chan struct{}
	// Made is told, from any goroutine, how many characters are really synthesised for this request: what a cache has
	// costs nothing. It may be nil, and must not block.
	Made func(characters int)
}
