package voice

import (
	"slices"
	"testing"
	"time"
)

func TestCallerInterruptsAgent(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.answers("Tell me everything.", "We are open on Monday and Tuesday from nine to five, and on Friday until noon.")
	}, func(s *scene) {
		s.says("Tell me everything.", 1000*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(1000 * ms)
		from := s.at
		s.says("No, only Monday.", 800*ms)
		if got := s.when(EventAgentPaused, 0); got != from+100*ms {
			t.Errorf("paused %s after the caller began", got-from)
		}
		// Silent from the frame after the pause on, but for a fade of 5 ms.
		if at := int((from + 105*ms) / (time.Second / testRate)); slices.ContainsFunc(s.sent[at:], func(v int16) bool { return v != 0 }) {
			t.Error("the agent went on speaking")
		}
		s.hears()
		s.hangup()
		s.wantTurns("user: Tell me everything.", "agent: We are open on Monday (interrupted)",
			"user: No, only Monday.", "agent: I heard: No, only Monday..")
	})
}

func TestBackchannelResumesFromTheExactSample(t *testing.T) {
	const text = "We are open on Monday and Tuesday."
	play(t, func(s *scene) { s.brain.answers("When?", text) }, func(s *scene) {
		s.says("When?", 500*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.says("mm-hm", 300*ms)
		s.hears()
		s.hangup()
		if s.count(EventAgentPaused) != 1 || s.count(EventAgentResumed) != 1 {
			t.Fatalf("paused %d times, resumed %d times", s.count(EventAgentPaused), s.count(EventAgentResumed))
		}
		checkPaused(t, s.sent, voiceOf(text))
		s.wantTurns("user: When?", "agent: "+text)
	})
}

func TestBriefYeahIsABackchannelWhateverFollowsIt(t *testing.T) {
	t.Parallel()
	const text = "We are open on Monday and Tuesday."
	for said, c := range map[string]struct {
		lasting time.Duration
		goesOn  bool
	}{
		"Yeah, for.":       {480 * ms, true}, // what recognisers make of a single "yeah"
		"Yeah, no.":        {480 * ms, false},
		"Yeah for Friday.": {900 * ms, false},
		"Friday.":          {480 * ms, false},
	} {
		t.Run(said, func(t *testing.T) {
			play(t, func(s *scene) { s.brain.answers("When?", text) }, func(s *scene) {
				s.says("When?", 500*ms)
				s.until("the agent speaking", s.speaking)
				s.silent(600 * ms)
				s.says(said, c.lasting)
				s.hears()
				s.hangup()
				if c.goesOn {
					s.wantTurns("user: When?", "agent: "+text)
				} else if s.count(EventInterrupted) != 1 {
					t.Errorf("%q did not interrupt", said)
				}
			})
		})
	}
}

// checkPaused checks that sent is want with one pause in it: every sample once and at its full level, and nothing
// else but two fades of 5 ms.
func checkPaused(t *testing.T, sent, want []int16) {
	t.Helper()
	start := slices.IndexFunc(sent, func(v int16) bool { return v != 0 })
	n := 0
	for n < len(want) && sent[start+n] == want[n] {
		n++
	}
	if n == len(want) {
		t.Fatal("there was no pause")
	}
	const fade = testRate / 200
	rest := sent[start+n:]
	gap := rest[fade:]
	silence := slices.IndexFunc(gap, func(v int16) bool { return v != 0 })
	if silence < testRate/20 {
		t.Fatalf("the pause lasted %d samples", silence)
	}
	again := gap[silence+fade:]
	if !slices.Equal(again[:len(want)-n], want[n:]) {
		t.Error("the agent did not go on from the sample after the last one sent")
	}
	if slices.ContainsFunc(again[len(want)-n:], func(v int16) bool { return v != 0 }) {
		t.Error("there was more than the sentence")
	}
}

func TestNoisePausesOnly(t *testing.T) {
	const text = "We are open on Monday and Tuesday."
	play(t, func(s *scene) { s.brain.answers("When?", text) }, func(s *scene) {
		s.says("When?", 500*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.noise(200 * ms) // a cough: the recogniser has no words for it
		s.hears()
		s.hangup()
		checkPaused(t, s.sent, voiceOf(text))
		s.wantTurns("user: When?", "agent: "+text)
	})
}

func TestLongNoiseDoesNotKeepTheAgentMute(t *testing.T) {
	play(t, func(s *scene) { s.greets("We are open on Monday and Tuesday, and on all the other days.") }, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.noise(4000 * ms)
		if !s.speaking() {
			t.Error("the agent is still mute")
		}
		if got := s.when(EventAgentResumed, 0) - s.when(EventAgentPaused, 0); got > 2*time.Second {
			t.Errorf("it was mute for %s", got)
		}
	})
}

func TestSlowRecogniserDoesNotLoseAnInterruption(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Welcome to the very long greeting of our company.")
		s.ear.delay = 2411 * ms
	}, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.says("I want something else.", 2400*ms)
		s.hears()
		s.hangup()
		s.wantTurns("agent: Welcome to (interrupted)", "user: I want something else.", "agent: I heard: I want something else..")
	})
}

func TestYesAtTheEndOfAQuestionIsTheAnswer(t *testing.T) {
	play(t, func(s *scene) { s.brain.answers("Book it.", "Shall I book it now?") }, func(s *scene) {
		s.says("Book it.", 500*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(900 * ms) // of 1200 ms
		s.says("Yeah.", 300*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: Book it.", "agent: Shall I book it (interrupted)", "user: Yeah.", "agent: I heard: Yeah..")
	})
}

func TestAgentIsInterruptedTwice(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Welcome to the very long greeting of our company.")
	}, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.says("Stop it please.", 500*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.says("And again stop.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("agent: Welcome to (interrupted)", "user: Stop it please.", "agent: I heard: Stop (interrupted)",
			"user: And again stop.", "agent: I heard: And again stop..")
	})
}

func TestCallerGoesOnBeforeTheAnswerIsHeard(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.delay = 1011 * ms
	}, func(s *scene) {
		s.says("I want a table.", 1000*ms)
		s.silent(500 * ms) // past the endpoint; the agent thinks
		s.says("For two people.", 800*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: I want a table. For two people.", "agent: I heard: I want a table. For two people..")
		if r := s.brain.retracted; !slices.Equal(r, []string{"I want a table."}) {
			t.Errorf("retracted %q", r)
		}
		if h := s.brain.inputs(); len(h[len(h)-1].History) != 0 {
			t.Errorf("history holds %+v", h[len(h)-1].History)
		}
		turn := s.transcript()[0]
		if turn.Start != 0 || turn.End != 2300*ms {
			t.Errorf("the turn is from %s to %s", turn.Start, turn.End)
		}
	})
}

func TestWithoutBargeInTheSentenceIsFinished(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Welcome to the very long greeting of our company.")
		s.cfg.Settings.BargeIn.Enabled = false
	}, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.says("I want a table.", 800*ms)
		s.spoke(2)
		s.hangup()
		s.wantTurns("agent: Welcome to the very long greeting of our company.", "user: I want a table.", "agent: I heard: I want a table..")
		if l := s.transcript()[2].Latency; l != nil {
			t.Errorf("the agent's own sentence was measured: %+v", l)
		}
	})
}
