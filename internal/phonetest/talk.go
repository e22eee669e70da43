package phonetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"talkstack/internal/media"
)

// Talk lets a person use a line by typing: each line of in is spoken, "/press 123#" presses keys and "/hangup" ends
// the call; what the other side says is printed. It returns when either side has hung up. The end of in only ends the
// typing: the call goes on until the other side hangs up.
func Talk(ctx context.Context, line *Line, in io.Reader, out io.Writer) error {
	typed := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a terminal's read cannot be cancelled: it ends with the process
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			select {
			case typed <- strings.TrimSpace(lines.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case text := <-typed:
			done, err := obey(ctx, line, text)
			if done || errors.Is(err, ErrGone) {
				return nil
			}
			if err != nil {
				_, _ = fmt.Fprintf(out, "! %v\n", err)
			}
		case u := <-line.heard:
			_, _ = fmt.Fprintf(out, "< %s\n", heardText(u))
		case <-line.Gone():
			for { // what was said last
				select {
				case u := <-line.heard:
					_, _ = fmt.Fprintf(out, "< %s\n", heardText(u))
					continue
				default:
				}
				_, _ = fmt.Fprintln(out, "The other side has hung up.")
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// obey does what was typed; done means that the person wants to hang up.
func obey(ctx context.Context, line *Line, text string) (done bool, err error) {
	command, rest, _ := strings.Cut(text, " ")
	switch {
	case text == "":
		return false, nil
	case command == "/hangup":
		return true, nil
	case command == "/press":
		return false, line.Press(ctx, strings.TrimSpace(rest))
	case strings.HasPrefix(command, "/"):
		return false, fmt.Errorf("%s is not known: type a sentence, /press 123# or /hangup", command)
	}
	return false, line.Say(ctx, text)
}

func heardText(u Utterance) string {
	if u.Text == "" {
		return fmt.Sprintf("(%.1f s of speech)", (u.End - u.Start).Seconds())
	}
	return u.Text
}

// Script is what a phone does without a person: it plays a recording, or says each sentence when the other side
// has finished its own, presses keys, and stays on the line until the other side hangs up.
type Script struct {
	Sentences []string
	Play      *media.Audio // at the line's rate, mono
	Press     string
	Stay      time.Duration // after the last sentence; 0: until the other side hangs up
}

// Run follows the script on a line, and prints what is heard.
func (s Script) Run(ctx context.Context, line *Line, out io.Writer) error {
	err := s.run(ctx, line, out)
	if errors.Is(err, ErrGone) {
		_, _ = fmt.Fprintln(out, "The other side has hung up.")
		return nil
	}
	return err
}

func (s Script) run(ctx context.Context, line *Line, out io.Writer) error {
	listen := func() error {
		u, err := line.Listen(ctx)
		if err == nil {
			_, _ = fmt.Fprintf(out, "< %s\n", heardText(u))
		}
		return err
	}
	if s.Play != nil {
		if s.Play.Rate != line.Rate() || s.Play.Channels != 1 {
			return fmt.Errorf("the recording must be mono at %d Hz, not %d channels at %d Hz", line.Rate(), s.Play.Channels, s.Play.Rate)
		}
		if err := line.Play(ctx, s.Play.Samples); err != nil {
			return err
		}
	}
	for _, text := range s.Sentences {
		if err := listen(); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "> %s\n", text)
		if err := line.Say(ctx, text); err != nil {
			return err
		}
	}
	if s.Press != "" {
		if err := line.Press(ctx, s.Press); err != nil {
			return err
		}
	}
	if s.Stay > 0 {
		return line.Wait(ctx, s.Stay)
	}
	for {
		if err := listen(); err != nil {
			return err
		}
	}
}
