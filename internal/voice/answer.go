package voice

import (
	"context"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

const (
	// answerWindow is how late an utterance of the called party may begin and still tell what answered.
	answerWindow = 10 * time.Second
	// beepWindow is how late a beep may come.
	beepWindow = 60 * time.Second
	// humanWords is how many words a person answers with at most; more is a greeting read out, or a talker, and
	// what follows is listened to as well.
	humanWords = 12
	// sameBreath is the pause within a machine's greeting that could be mistaken for its end.
	sameBreath = 1500 * time.Millisecond
	// afterMachine is the silence after a machine's greeting that stands for a beep that was not heard.
	afterMachine = 2500 * time.Millisecond
	// leaveLimit bounds the wait for the beep.
	leaveLimit = 60 * time.Second
)

// answerKind is who answered an outbound call.
type answerKind string

const (
	answerOpen      answerKind = "" // not known yet
	answerHuman     answerKind = "human"
	answerVoicemail answerKind = "voicemail"
	answerUnknown   answerKind = "unknown"
)

// answerDetection finds out whether a person or a machine answered, from the first words and the beep. It is
// done when a person has answered: what is said later cannot make a machine of them, unless it is the same breath
// ("Hello. You have reached ...").
type answerDetection struct {
	on      bool
	verdict answerKind
	said    string        // earlier utterances
	end     time.Duration // of the last one
	beep    beepDetector
	beeped  bool

	leaving bool          // a machine answered, and the message is to be left
	since   time.Duration // when that was decided
}

func newAnswerDetection(cfg *Config) answerDetection {
	return answerDetection{on: cfg.Direction == talkstack.Outbound && cfg.Settings.Voicemail.Detect}
}

func (a *answerDetection) open() bool { return a.on && a.verdict == answerOpen }

func (a *answerDetection) decide(k answerKind) {
	if a.open() {
		a.verdict = k
	}
}

// listen looks for the beep. It returns true when that decides the matter.
func (a *answerDetection) listen(f *media.Frame, now time.Duration) bool {
	if !a.open() && !a.leaving {
		return false
	}
	if a.open() && now > beepWindow {
		a.decide(answerUnknown)
		return false
	}
	if !a.beep.hear(f) {
		return false
	}
	a.beeped = true
	if !a.open() {
		return false
	}
	a.decide(answerVoicemail)
	return true
}

// recognised looks at the words of an utterance that began at start. It returns true when they decide the matter.
func (a *answerDetection) recognised(text string, start time.Duration) bool {
	goesOn := a.on && a.verdict == answerHuman && start-a.end <= sameBreath
	if !a.open() && !goesOn || start > answerWindow || !machineWords(join(a.said, text)) {
		return false
	}
	a.verdict = answerVoicemail
	return true
}

// suspicious reports words that a machine may go on from: they are waited for.
func (a *answerDetection) suspicious(text string) bool {
	return a.open() && countHints(spaced(join(a.said, text))) > 0 && !personal(text)
}

// endpoint takes an utterance that is over. It returns true when that decides the matter.
func (a *answerDetection) endpoint(text string, end, now time.Duration) bool {
	if !a.open() {
		return false
	}
	words := plainWords(text)
	switch {
	case len(words) == 0:
	case personal(text), len(words) <= humanWords && !a.suspicious(text):
		a.decide(answerHuman)
	case now > answerWindow:
		a.decide(answerUnknown)
	}
	a.note(text, end)
	return !a.open()
}

// note remembers an utterance.
func (a *answerDetection) note(text string, end time.Duration) {
	a.said, a.end = join(a.said, text), end
}

// machineWords recognises the greeting of an answering machine.
func machineWords(text string) bool {
	s := spaced(text)
	if containsAny(s, " after the tone ", " after the beep ", " at the tone ", " at the beep ", " hear the tone ", " hear the beep ",
		" voicemail ", " voice mail ", " mailbox ", " answering machine ", " record your message ", " recording your message ") {
		return !personal(text) || strings.Contains(s, " the tone ") || strings.Contains(s, " the beep ")
	}
	if personal(text) {
		return false
	}
	if containsAny(s, " leave a message ", " leave me a message ", " leave us a message ", " leave your message ", " leave your name ",
		" leave a brief message ", " leave a short message ", " leave a detailed message ", " leave a voice message ",
		" can't take your call ", " cannot take your call ", " can not take your call ", " unable to take your call ", " not able to take your call ",
		" can't come to the phone ", " cannot come to the phone ", " unable to come to the phone ", " can't answer the phone ",
		" can't answer your call ", " cannot answer your call ", " unable to answer your call ", " sorry we missed your call ", " sorry i missed your call ") {
		return true
	}
	return countHints(s) > 1
}

// countHints counts what machines say and people do too.
func countHints(s string) int {
	n := 0
	for _, hint := range []string{
		" you've reached ", " you have reached ", " not available ", " unavailable ", " isn't available ", " get back to you ", " return your call ",
		" call you back ", " the person you ", " the party you ", " the customer you ", " the subscriber you ", " away from ", " please leave ", " your message ",
		" thank you for calling ", " as soon as possible ", " office hours ", " not here right now ", " not in right now ",
	} {
		if strings.Contains(s, hint) {
			n++
		}
	}
	return n
}

// personal recognises what only somebody who listens says.
func personal(text string) bool {
	return strings.Contains(text, "?") || containsAny(spaced(text), " who's calling ", " who is calling ", " who is this ", " who's this ", " can i take ", " can i help ",
		" may i ", " could i ", " shall i ", " would you like ", " do you want ", " how can i help ", " how may i help ", " with me ", " speaking ")
}

// spaced is text as words with one space around each.
func spaced(text string) string { return " " + strings.Join(plainWords(text), " ") + " " }

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// answered acts on the verdict that a machine has answered.
func (c *Conversation) answered() {
	c.emit(EventAnswerDetected, string(c.answer.verdict))
	c.stopSpeech()
	if c.cfg.Settings.Voicemail.Action != talkstack.VoicemailMessage || c.message() == "" {
		c.close(c.now, voicemailEnding())
		return
	}
	c.answer.leaving, c.answer.since = true, c.now
}

func (c *Conversation) message() string {
	if c.cfg.Message != "" {
		return c.cfg.Message
	}
	return c.cfg.Settings.Voicemail.Message
}

// leaveMessage waits for the end of the beep, or for a silence that stands for one, and speaks the message.
func (c *Conversation) leaveMessage(ctx context.Context) {
	if c.failing != nil { // it is being spoken
		c.watchLimits(ctx)
		return
	}
	a := &c.answer
	beep := a.beeped && !a.beep.sounding()
	still := !c.ear.speaking && !a.beep.sounding() && c.now-max(c.ear.end, a.since) >= afterMachine
	if beep || still || c.now-a.since >= leaveLimit {
		c.finalWords(ctx, c.message(), voicemailEnding())
	}
}
