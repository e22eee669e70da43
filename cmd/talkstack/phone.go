package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"talkstack/internal/config"
	"talkstack/internal/media"
	"talkstack/internal/media/rtp"
	"talkstack/internal/phonetest"
	"talkstack/internal/server"
	"talkstack/internal/telemetry"
)

// phoneCommand is the test phone at the command line: a way to try a server without a softphone.
type phoneCommand struct {
	Call   phoneCall   `cmd:"" help:"Call a number and talk by typing: each line is spoken, what the other side says is printed. /press 123# presses keys, /hangup ends the call."`
	Answer phoneAnswer `cmd:"" help:"Answer calls by typing, with a recording, or as the eight numbers of the test phone."`
}

// phoneOptions are common to both.
type phoneOptions struct {
	config.Folders

	Say    []string      `sep:"none" placeholder:"TEXT" help:"Say this when the other side has finished, instead of what is typed. May be repeated."`
	WAV    string        `type:"existingfile" placeholder:"FILE" help:"Play this WAV file after the answer, instead of what is typed."`
	Press  string        `placeholder:"KEYS" help:"Press these keys after the last sentence."`
	Stay   time.Duration `placeholder:"DURATION" help:"How long to stay after the last sentence. Default: until the other side hangs up."`
	Record string        `placeholder:"FILE" help:"Keep the call in this WAV file: the other side on the left, the phone on the right."`
}

type phoneCall struct {
	phoneOptions
	Target string `arg:"" help:"Whom to call: sip:+15005550100@127.0.0.1:5060"`
	From   string `default:"+15005550199" help:"The number to call from."`
	Listen string `default:"127.0.0.1:0" placeholder:"IP:PORT" help:"Address of the phone."`
}

type phoneAnswer struct {
	phoneOptions
	Listen   string `default:"127.0.0.1:5070" placeholder:"IP:PORT" help:"Address of the phone."`
	Standard bool   `help:"Behave by number, as the test phone of development mode: +15005550001 books an appointment, and so on."`
}

// phonePorts are the media ports of a phone at the command line, beside the server's own.
const (
	phonePortLow  = 17000
	phonePortHigh = 17999
)

// Run calls.
func (p *phoneCall) Run(ctx context.Context, c *console) error {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	phone, done, err := p.open(ctx, c, p.Listen, func(*phonetest.Phone) {})
	if err != nil {
		return err
	}
	defer done()
	line, err := phone.Dial(ctx, p.Target, p.From)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Answered.")
	return p.talk(ctx, c, line)
}

// Run answers until it is interrupted.
func (p *phoneAnswer) Run(ctx context.Context, c *console) error {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	phone, done, err := p.open(ctx, c, p.Listen, func(phone *phonetest.Phone) {
		if p.Standard {
			phone.Standard()
			return
		}
		phone.On("", func(ctx context.Context, r *phonetest.Ringing) error {
			fmt.Fprintf(c.out, "Call for %s.\n", r.To())
			line, err := r.Answer(ctx)
			if err != nil {
				return err
			}
			return p.talk(ctx, c, line)
		})
	})
	if err != nil {
		return err
	}
	defer done()
	fmt.Fprintf(c.out, "The phone is at sip:%s. Ctrl-C ends.\n", phone.Addr())
	<-ctx.Done()
	return nil
}

// open starts a phone.
func (p *phoneOptions) open(ctx context.Context, c *console, listen string, behave func(*phonetest.Phone)) (*phonetest.Phone, func(), error) {
	log, err := telemetry.NewLogger(c.err, "warn", "text")
	if err != nil {
		return nil, nil, err
	}
	speech, closeSpeech, err := server.PhoneSpeech(p.ModelsPath(), log)
	if err != nil {
		return nil, nil, err
	}
	speech.KeepAudio = p.Record != ""
	phone := phonetest.New(phonetest.Config{Addr: listen, Ports: rtp.NewPorts(phonePortLow, phonePortHigh), Speech: speech, Log: log})
	behave(phone)
	if err := phone.Start(ctx); err != nil {
		closeSpeech()
		return nil, nil, err
	}
	return phone, func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		phone.Stop(stop)
		closeSpeech()
	}, nil
}

// talk holds one call.
func (p *phoneOptions) talk(ctx context.Context, c *console, line *phonetest.Line) error {
	var err error
	if len(p.Say) > 0 || p.WAV != "" || p.Press != "" || p.Stay > 0 {
		err = p.script(ctx, c, line)
	} else {
		err = phonetest.Talk(ctx, line, os.Stdin, c.out)
	}
	line.Hangup()
	if p.Record != "" {
		err = errors.Join(err, record(p.Record, line))
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C
	}
	return err
}

func (p *phoneOptions) script(ctx context.Context, c *console, line *phonetest.Line) error {
	s := phonetest.Script{Sentences: p.Say, Press: p.Press, Stay: p.Stay}
	if p.WAV != "" {
		f, err := os.Open(p.WAV)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if s.Play, err = media.ReadWAV(f); err != nil {
			return fmt.Errorf("%s: %w", p.WAV, err)
		}
		if err := resample(s.Play, line.Rate()); err != nil {
			return fmt.Errorf("%s: %w", p.WAV, err)
		}
	}
	return s.Run(ctx, line, c.out)
}

// resample brings a recording to the line's rate.
func resample(a *media.Audio, rate int) error {
	if a.Rate == rate || a.Channels != 1 {
		return nil // a stereo file is refused by the script
	}
	r, err := media.NewResampler(a.Rate, rate)
	if err != nil {
		return err
	}
	a.Samples, a.Rate = r.Flush(r.Resample(nil, a.Samples)), rate
	return nil
}

// untilInterrupted returns a context that ends at Ctrl-C.
func untilInterrupted(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// record writes both sides of a call.
func record(path string, line *phonetest.Line) error {
	received, sent := line.Audio()
	a := media.Audio{Rate: line.Rate(), Channels: 2}
	for i := range received {
		a.Samples = append(a.Samples, received[i], sent[i])
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := media.WriteWAV(f, &a); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
