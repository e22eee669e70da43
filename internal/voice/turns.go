package voice

import (
	"slices"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// turns is the record of the conversation.
type turns struct {
	done []talkstack.Turn
	// open is the caller's utterance whose answer has not been heard yet: when the caller goes on before that,
	// the two become one turn.
	open *talkstack.Turn
}

// history is what a brain is told: all turns before the one it answers.
func (t *turns) history() []talkstack.Turn { return slices.Clone(t.done) }

// record makes a turn final.
func (c *Conversation) record(t talkstack.Turn) {
	t.Seq = len(c.turns.done)
	c.turns.done = append(c.turns.done, t)
	if c.cfg.OnTurn != nil {
		c.cfg.OnTurn(t)
	}
}

// settle makes the caller's open turn final: the answer is being heard.
func (c *Conversation) settle() {
	if c.turns.open != nil {
		t := *c.turns.open
		c.turns.open = nil
		c.record(t)
	}
}

// merged is the caller's turn so far, with an utterance added to it.
func merged(open *talkstack.Turn, u talkstack.Turn) talkstack.Turn {
	if open == nil {
		return u
	}
	m := *open
	m.Text = join(m.Text, u.Text)
	m.End = u.End
	m.Words = append(slices.Clone(m.Words), u.Words...)
	return m
}

// milestones are the moments of a turn on the media clock, from the end of the caller's speech on. Each is a
// decision or an arrival; latency turns them into consecutive stages.
type milestones struct {
	speech     time.Duration // the caller's last sound
	endpoint   time.Duration // the silence was long enough
	transcript time.Duration // the final transcript was there, and the turn was given to the brain
	words      time.Duration // first words of the brain
	audio      time.Duration // first audio
	valid      bool
}

// latency splits the time up to the first frame of the reply. What was ready before the stage began counts as zero.
func (m milestones) latency(first time.Duration) *talkstack.TurnLatency {
	if !m.valid {
		return nil
	}
	at := m.speech
	stage := func(end time.Duration) time.Duration {
		end = max(at, min(end, first))
		d := end - at
		at = end
		return d
	}
	return &talkstack.TurnLatency{
		Endpointing:   stage(m.endpoint),
		ASRFinal:      stage(m.transcript),
		LLMFirstToken: stage(m.words),
		TTSFirstByte:  stage(m.audio),
		Playout:       stage(first),
		Total:         first - m.speech,
	}
}

// ceilFrame is the end of the frame that holds t.
func ceilFrame(t time.Duration) time.Duration {
	return (t + media.FrameDuration - 1) / media.FrameDuration * media.FrameDuration
}
