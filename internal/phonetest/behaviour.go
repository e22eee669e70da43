package phonetest

import (
	"context"
	"errors"
	"math"
	"regexp"
	"time"
)

// The numbers of the test phone (reserved for tests, like Twilio's magic numbers).
const (
	NumberBooks      = "+15005550001" // a person who books an appointment
	NumberBusy       = "+15005550002"
	NumberNoAnswer   = "+15005550003"
	NumberMachine    = "+15005550004" // an answering machine with a beep
	NumberDeclines   = "+15005550005"
	NumberSilent     = "+15005550006" // answers and says nothing
	NumberInterrupts = "+15005550007" // interrupts the agent, then books
	NumberHangsUp    = "+15005550008" // hangs up in mid-sentence
)

// Standard gives the phone its eight numbers; any other number does not exist.
func (p *Phone) Standard() {
	p.On(NumberBooks, Book)
	p.On(NumberBusy, Busy)
	p.On(NumberNoAnswer, NeverAnswer)
	p.On(NumberMachine, Machine)
	p.On(NumberDeclines, Decline)
	p.On(NumberSilent, StaySilent)
	p.On(NumberInterrupts, Interrupt)
	p.On(NumberHangsUp, HangUpMidSentence)
	p.On("", Unknown)
}

// Busy answers 486.
func Busy(_ context.Context, r *Ringing) error { return r.Reject(486, "Busy Here") }

// Decline answers 603.
func Decline(_ context.Context, r *Ringing) error { return r.Reject(603, "Decline") }

// Unknown answers 404.
func Unknown(_ context.Context, r *Ringing) error { return r.Reject(404, "Not Found") }

// NeverAnswer rings until the caller gives up.
func NeverAnswer(ctx context.Context, r *Ringing) error {
	r.Ring()
	<-ctx.Done()
	return nil
}

// StaySilent answers and says nothing until the other side hangs up.
func StaySilent(ctx context.Context, r *Ringing) error {
	line, err := pickUp(ctx, r)
	if err != nil {
		return err
	}
	<-line.Gone()
	return nil
}

// Book is a person who books an appointment: answers what is asked, and lets the agent hang up.
func Book(ctx context.Context, r *Ringing) error {
	line, err := pickUp(ctx, r)
	if err != nil {
		return err
	}
	return Appointment(ctx, line)
}

// Appointment books an appointment on a line that is up, whoever called whom.
func Appointment(ctx context.Context, line *Line) error { return converse(ctx, line, patient()) }

// Interrupt talks over the agent's first sentence, and then books.
func Interrupt(ctx context.Context, r *Ringing) error {
	line, err := pickUp(ctx, r)
	if err != nil {
		return err
	}
	// Made ahead: the moment to cut in is a second into the agent's sentence.
	pcm, err := line.Voice(ctx, "Sorry, one moment please.")
	if err != nil {
		return err
	}
	if err := line.WaitSpeech(ctx); err != nil {
		return err
	}
	if err := line.Wait(ctx, time.Second); err != nil {
		return err
	}
	if err := line.Play(ctx, pcm); err != nil {
		return err
	}
	return converse(ctx, line, patient())
}

// HangUpMidSentence begins to speak and hangs up before the sentence is over.
func HangUpMidSentence(ctx context.Context, r *Ringing) error {
	line, err := pickUp(ctx, r)
	if err != nil {
		return err
	}
	pcm, err := line.Voice(ctx, "Hello there, I was just wondering whether you could tell me when exactly you are open.")
	if err != nil {
		return err
	}
	if _, err := line.Listen(ctx); err != nil {
		return err
	}
	return line.Play(ctx, pcm[:len(pcm)/2]) // the behaviour ends here, and with it the call
}

// Machine is an answering machine: its text, a beep, and the silence in which it records.
func Machine(ctx context.Context, r *Ringing) error {
	const announcement = "Hello. You have reached the voicemail of Anna Smith. I am not available right now. Please leave a message after the tone."
	r.Ring()
	if err := r.Rehearse(ctx, announcement); err != nil {
		return err
	}
	line, err := pickUp(ctx, r)
	if err != nil {
		return err
	}
	if err := line.Say(ctx, announcement); err != nil {
		return err
	}
	if err := line.Play(ctx, Beep(line.Rate())); err != nil {
		return err
	}
	select {
	case <-line.Gone():
		return nil
	case <-time.After(30 * time.Second): // the tape is full
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Beep is an answering machine's: 1 kHz for 0.4 s after a short pause.
func Beep(rate int) []int16 {
	pcm := make([]int16, rate*6/10)
	for i := rate * 2 / 10; i < len(pcm); i++ {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*1000*float64(i)/float64(rate)))
	}
	return pcm
}

// pickUp rings for a moment, as people do, and answers.
func pickUp(ctx context.Context, r *Ringing) (*Line, error) {
	r.Ring()
	select {
	case <-time.After(400 * time.Millisecond):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return r.Answer(ctx)
}

// answer is what a person says to a question.
type answer struct {
	question *regexp.Regexp
	say      string
}

// patient is who books: each answer for the question it belongs to, the most specific first.
func patient() []answer {
	on := func(words, say string) answer { return answer{regexp.MustCompile(`(?i)` + words), say} }
	return []answer{
		on(`(can|could|may|should|shall) (i|we) (send|call|text)|reminder|number you are on`, "Yes, please."),
		on(`\b(right|correct)\b|do i have (that|it)|shall i book|can i confirm`, "Yes, that is right."),
		on(`good ?bye|have a (nice|good|great) day|see you (then|on)`, ""),
		on(`how many|number of (people|persons|guests)|party of`, "Two people, please."),
		on(`(your|full|last|first) name|name please|what name`, "My name is Anna Smith."),
		on(`what time|which time|at what hour|time (suits|works|would)`, "Half past three in the afternoon."),
		on(`(which|what) (day|date)|day (suits|works|would)`, "Thursday, please."),
		on(`phone number|reach you|call you back`, "Four one five, five five five, zero one two three."),
		on(`check.?up|cleaning|reason for|what is it (for|about)|kind of|treatment`, "A check-up, please."),
		on(`(can|may|could) i (help|do)|how (can|may) (i|we)|appointment|anything else`, "I would like to book an appointment, please."),
		on(`still there|can you hear`, "Yes, I am still here."),
	}
}

// converse answers questions until the other side hangs up. Like a polite person it hears the other side out: what it
// was about to say is forgotten when the other side goes on.
func converse(ctx context.Context, line *Line, answers []answer) error {
	for range 60 { // a conversation that has not ended by then goes in circles
		u, err := line.Listen(ctx)
		if err != nil {
			return goneIsFine(err)
		}
		say, known := reply(answers, u.Text)
		if known && say == "" { // a goodbye: the agent hangs up
			continue
		}
		pcm, err := line.Voice(ctx, say)
		if err != nil {
			return goneIsFine(err)
		}
		if line.Talking() {
			continue
		}
		line.noteOwn(say)
		if err := line.Play(ctx, pcm); err != nil {
			return goneIsFine(err)
		}
	}
	return errors.New("the conversation goes in circles")
}

func goneIsFine(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

func reply(answers []answer, heard string) (say string, known bool) {
	for _, a := range answers {
		if a.question.MatchString(heard) {
			return a.say, true
		}
	}
	return "Could you say that again, please?", false
}
