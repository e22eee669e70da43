package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// espeak runs espeak-ng, a program under the GPL, as a separate process: for phonemes and as the fallback voice.
// Starting it takes tens of milliseconds, so for each language one process stands ready and waits for its text.
type espeak struct {
	path  string
	ready map[string]chan *phonemizer // by language
	stop  chan struct{}
	wg    sync.WaitGroup
}

// phonemizer is a started espeak-ng that has not got its text yet.
type phonemizer struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bytes.Buffer
}

// The languages of espeak-ng that English voices use.
const (
	american = "en-us"
	british  = "en-gb"
)

// maxRun is the longest that one run of espeak-ng may take. It takes milliseconds; something else is broken.
const maxRun = 10 * time.Second

func openEspeak(languages ...string) (*espeak, error) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return nil, talkstack.WrapError(talkstack.CodeUnavailable, err, "Local speech needs espeak-ng. Install it (Debian: apt-get install espeak-ng).")
	}
	e := &espeak{path: path, ready: map[string]chan *phonemizer{}, stop: make(chan struct{})}
	for _, language := range languages {
		ready := make(chan *phonemizer)
		e.ready[language] = ready
		e.wg.Go(func() { e.provide(language, ready) })
	}
	return e, nil
}

// close ends the waiting processes.
func (e *espeak) close() {
	close(e.stop)
	e.wg.Wait()
}

// provide keeps one phonemizer standing ready.
func (e *espeak) provide(language string, ready chan<- *phonemizer) {
	for {
		p, err := e.start(language)
		if err != nil {
			select { // phonemes starts its own, and reports the error
			case <-time.After(time.Second):
				continue
			case <-e.stop:
				return
			}
		}
		select {
		case ready <- p:
		case <-e.stop:
			p.kill()
			return
		}
	}
}

func (e *espeak) start(language string) (*phonemizer, error) {
	// No context: the process outlives this function and is ended by finish or kill.
	cmd := exec.Command(e.path, "-q", "--ipa=3", "--tie=^", "-v", language, "--stdin") //nolint:noctx // see above
	p := &phonemizer{cmd: cmd, stdout: &bytes.Buffer{}}
	cmd.Stdout = p.stdout
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("local: start espeak-ng: %w", err)
	}
	return p, nil
}

func (p *phonemizer) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()         // killed: an error for certain
}

// finish gives the process its text and takes what it prints.
func (p *phonemizer) finish(ctx context.Context, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer stop()
	_, err := io.WriteString(p.stdin, text)
	err = errors.Join(err, p.stdin.Close(), p.cmd.Wait())
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("local: espeak-ng: %w", err)
	}
	return p.stdout.String(), nil
}

// phonemes gives the IPA of each fragment. A fragment holds words only: punctuation would make espeak-ng split it.
func (e *espeak) phonemes(ctx context.Context, language string, fragments []string) ([]string, error) {
	lines, err := e.lines(ctx, language, fragments)
	if err != nil || len(lines) == len(fragments) {
		return lines, err
	}
	// One of them was split or swallowed; ask for each alone and join its lines.
	out := make([]string, len(fragments))
	for i, f := range fragments {
		lines, err := e.lines(ctx, language, []string{f})
		if err != nil {
			return nil, err
		}
		out[i] = strings.Join(lines, " ")
	}
	return out, nil
}

func (e *espeak) lines(ctx context.Context, language string, fragments []string) ([]string, error) {
	p, err := e.take(ctx, language)
	if err != nil {
		return nil, err
	}
	out, err := p.finish(ctx, strings.Join(fragments, ".\n\n")+".\n\n")
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (e *espeak) take(ctx context.Context, language string) (*phonemizer, error) {
	select {
	case p := <-e.ready[language]:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	default: // several callers at once, or a language without a standing process
		return e.start(language)
	}
}

// espeakWords is the speed of espeak-ng's voice in words a minute; its own default of 175 is fast on the telephone.
const espeakWords = 160

// speak makes audio with espeak-ng's own voice. It gives the sample rate too.
func (e *espeak) speak(ctx context.Context, text, language string, speed float64) ([]float32, int, error) {
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.path, "-v", language, "-s", strconv.Itoa(int(espeakWords*speed)), "--stdin", "--stdout")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("local: espeak-ng: %w", err)
	}
	audio, err := media.ReadWAV(bytes.NewReader(out))
	if err != nil {
		return nil, 0, fmt.Errorf("local: espeak-ng: %w", err)
	}
	return floats(audio.Channel(0)), audio.Rate, nil
}
