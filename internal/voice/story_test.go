package voice

import (
	"slices"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

const ms = time.Millisecond

func TestAgentGreetsAndAnswers(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Hello, this is Anna.")
		s.brain.answers("I want a table.", "Sure. For how many people?")
	}, func(s *scene) {
		s.hears()
		s.says("I want a table.", 1000*ms)
		s.hears()
		e := s.hangup()
		s.wantEnding(e, talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
		s.wantTurns("agent: Hello, this is Anna.", "user: I want a table.", "agent: Sure. For how many people?")
		turns := s.transcript()
		if turns[0].Latency != nil || turns[2].Latency == nil {
			t.Fatalf("latency belongs to the answer alone: %+v %+v", turns[0].Latency, turns[2].Latency)
		}
		history := s.brain.inputs()[0].History
		if len(history) != 1 || history[0].Text != "Hello, this is Anna." {
			t.Errorf("the brain was told %+v", history)
		}
	})
}

func TestLatencyStagesAddUp(t *testing.T) {
	play(t, func(s *scene) {
		s.cfg.NoSpeculation = true
	}, func(s *scene) {
		s.silent(500 * ms)
		s.says("I want a table.", 1000*ms) // ends at 1500 ms
		s.hears()
		s.hangup()
		turn := s.transcript()[1]
		// Endpoint at 300 ms, then 31 ms of brain and 47 ms of synthesizer, heard with the first frame after them.
		want := talkstack.TurnLatency{Endpointing: 300 * ms, LLMFirstToken: 20 * ms, TTSFirstByte: 40 * ms, Total: 360 * ms}
		got := *turn.Latency
		if got.Endpointing+got.ASRFinal+got.LLMFirstToken+got.TTSFirstByte+got.Playout != got.Total {
			t.Errorf("stages of %+v do not add up", got)
		}
		if got != want {
			t.Errorf("latency %+v, want %+v", got, want)
		}
		if turn.Start != 1860*ms {
			t.Errorf("the agent began at %s", turn.Start)
		}
		if first := firstSound(s.sent); first != turn.Start {
			t.Errorf("the first sound was sent at %s, the turn says %s", first, turn.Start)
		}
	})
}

// firstSound is where the first sample that is not silent lies.
func firstSound(pcm []int16) time.Duration {
	i := slices.IndexFunc(pcm, func(v int16) bool { return v != 0 })
	return time.Duration(i) * time.Second / testRate
}

func TestSpeculationAnswersAtTheEndpoint(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("I want a table.", 1000*ms)
		s.hears()
		s.hangup()
		got := *s.transcript()[1].Latency
		want := talkstack.TurnLatency{Endpointing: 300 * ms, Total: 300 * ms}
		if got != want {
			t.Errorf("latency %+v, want %+v", got, want)
		}
		if s.count(EventSpeculationUsed) != 1 {
			t.Error("the reply was not made ahead")
		}
		if c := s.brain.committed; !slices.Equal(c, []string{"I want a table."}) {
			t.Errorf("committed %q", c)
		}
	})
}

func TestSpeculationLeavesNoTraceWhenTheCallerGoesOn(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("I want a table.", 1000*ms)
		s.silent(280 * ms) // the answer is ready, the endpoint is one frame away
		if len(s.mouth.texts()) == 0 {
			t.Fatal("nothing was made ahead")
		}
		s.says("For two.", 600*ms)
		if len(s.transcript()) != 0 || firstSound(s.sent) >= 0 {
			t.Error("something of the discarded answer came out")
		}
		s.hears()
		s.hangup()
		s.wantTurns("user: I want a table. For two.", "agent: I heard: I want a table. For two..")
		if c := s.brain.committed; !slices.Equal(c, []string{"I want a table. For two."}) {
			t.Errorf("committed %q", c)
		}
	})
}

func TestSpeculationMakesTheFirstClauseAndNoMore(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.answers("What do you have?", "Many things. Some are large and some are small. Others are neither of the two.")
	}, func(s *scene) {
		s.says("What do you have?", 1000*ms)
		s.silent(280 * ms)
		if got := s.mouth.texts(); !slices.Equal(got, []string{"Many things."}) {
			t.Errorf("made ahead: %q", got)
		}
		s.noise(100 * ms) // the caller goes on: it is given up at once, not at the next endpoint
		if got := s.brain.closed; !slices.Equal(got, []string{"What do you have?"}) {
			t.Errorf("closed %q", got)
		}
	})
}

func TestFinalOfTheFirstHalfDoesNotEndTheTurn(t *testing.T) {
	play(t, func(s *scene) { s.ear.delay = 411 * ms }, func(s *scene) {
		s.says("I want a table.", 500*ms)
		s.silent(200 * ms) // the final is on its way
		s.says("For two.", 600*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: I want a table. For two.", "agent: I heard: I want a table. For two..")
		got := *s.transcript()[1].Latency
		want := talkstack.TurnLatency{Endpointing: 300 * ms, ASRFinal: 220 * ms, LLMFirstToken: 40 * ms, TTSFirstByte: 40 * ms, Total: 600 * ms}
		if got != want {
			t.Errorf("latency %+v, want %+v", got, want)
		}
	})
}

func TestUnfinishedSentenceIsWaitedFor(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("My number is", 1000*ms)
		s.silent(1180 * ms)
		if s.count(EventEndpoint) != 0 {
			t.Error("the caller was cut off")
		}
		s.silent(20 * ms)
		if got := s.when(EventEndpoint, 0); got != 2200*ms {
			t.Errorf("endpoint at %s", got)
		}
	})
}

func TestDictatedDigitsAreWaitedFor(t *testing.T) {
	play(t, func(s *scene) { s.brain.digits = 6 }, func(s *scene) {
		s.says("five five one", 1000*ms)
		s.silent(900 * ms)
		s.says("two three four", 1000*ms) // that makes six
		s.silent(400 * ms)
		if got := s.when(EventEndpoint, 0); got != 3200*ms || s.count(EventEndpoint) != 1 {
			t.Errorf("endpoint at %s (%d)", got, s.count(EventEndpoint))
		}
	})
}

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

func TestSilentCallerEndsTheCall(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Hello.")
		s.cfg.Settings.SilenceLimit = 6000
	}, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		e := s.ending()
		s.wantEnding(e, talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity)
		if quiet := s.at - s.transcript()[0].End; quiet != 6*time.Second {
			t.Errorf("the call ended %s after the agent's last word", quiet)
		}
	})
}

func TestIdlePromptsAreFreshAfterTheCallerSpoke(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Hello.")
		s.cfg.Settings.SilenceLimit = 6000
		s.cfg.Settings.IdlePrompts = []talkstack.IdlePrompt{{After: 3000, Text: "Are you there?"}}
	}, func(s *scene) {
		s.hears()
		s.hears() // the prompt
		s.says("Yes I am.", 500*ms)
		s.hears()
		s.hears()
		e := s.ending()
		s.wantEnding(e, talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity)
		s.wantTurns("agent: Hello.", "agent: Are you there?", "user: Yes I am.", "agent: I heard: Yes I am..", "agent: Are you there?")
		turns := s.transcript()
		if wait := turns[1].Start - turns[0].End; wait < 3*time.Second || wait > 3100*ms {
			t.Errorf("prompted after %s", wait)
		}
	})
}

func TestAgentOpensWhenTheCallerDoesNot(t *testing.T) {
	play(t, func(s *scene) { s.cfg.Greeting = "Is anybody there?" }, func(s *scene) {
		s.hears()
		s.hangup()
		s.wantTurns("agent: Is anybody there?")
		if at := s.transcript()[0].Start; at < 4*time.Second || at > 4100*ms {
			t.Errorf("the agent opened at %s", at)
		}
	})
}

func TestMaximumDuration(t *testing.T) {
	play(t, func(s *scene) { s.cfg.Settings.MaxDuration = 12_000 }, func(s *scene) {
		s.says("Hello there.", 500*ms)
		e := s.ending()
		s.wantEnding(e, talkstack.StatusCompleted, talkstack.PartyPlatform, talkstack.EndMaxDuration)
		if s.at > 12*time.Second || s.at < 11*time.Second {
			t.Errorf("the call lasted %s", s.at)
		}
		turns := s.transcript()
		if last := turns[len(turns)-1]; last.Text != durationSentence {
			t.Errorf("the last words were %q", last.Text)
		}
	})
}

func TestAgentHangsUp(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Bye.", pieces: []brain.Piece{{Text: "Goodbye!"}, {Action: brain.Action{Kind: brain.Hangup}}}}}
	}, func(s *scene) {
		s.says("Bye.", 500*ms)
		e := s.ending()
		s.wantEnding(e, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
		s.wantTurns("user: Bye.", "agent: Goodbye!")
		if wait := s.at - s.transcript()[1].End; wait != 200*ms {
			t.Errorf("hung up %s after the last word", wait)
		}
	})
}

func TestEndPhraseHangsUp(t *testing.T) {
	play(t, func(s *scene) {
		s.cfg.Settings.EndPhrases = []string{"have a nice day"}
		s.brain.answers("That is all.", "Thank you. Have a NICE day!")
	}, func(s *scene) {
		s.says("That is all.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	})
}

func TestGoodbyeIsNotInterruptedByGoodbye(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Done.", pieces: []brain.Piece{{Text: "Thank you for calling us today, goodbye!"}, {Action: brain.Action{Kind: brain.Hangup}}}}}
	}, func(s *scene) {
		s.says("Done.", 500*ms)
		s.until("the agent speaking", s.speaking)
		s.silent(500 * ms)
		s.says("Thanks, bye bye.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
		s.wantTurns("user: Done.", "agent: Thank you for calling us today, goodbye!")
	})
}

func TestTransferThatTheLegCannotDo(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "A person please.", pieces: []brain.Piece{
			{Text: "I will put you through."}, {Action: brain.Action{Kind: brain.Transfer, Target: "+14155550148"}},
		}}}
	}, func(s *scene) {
		s.says("A person please.", 500*ms)
		s.spoke(2)
		s.says("Never mind.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: A person please.", "agent: I will put you through.", "agent: "+noTransferSentence,
			"user: Never mind.", "agent: I heard: Never mind..")
	})
}

func TestCallerHangsUpInTheMiddleOfAReply(t *testing.T) {
	play(t, func(s *scene) { s.greets("Welcome to the very long greeting of our company.") }, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.wantEnding(s.hangup(), talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
		s.wantTurns("agent: Welcome to (interrupted)")
	})
}

func TestDroppedFramesKeepTheClock(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.silent(200 * ms)
		s.at += 400 * ms // twenty frames that never came
		s.says("I want a table.", 1000*ms)
		s.hears()
		s.hangup()
		turns := s.transcript()
		if turns[0].Start != 600*ms || turns[0].End != 1600*ms {
			t.Errorf("the turn is from %s to %s", turns[0].Start, turns[0].End)
		}
		if got := turns[1].Latency.Total; got != 300*ms {
			t.Errorf("latency %s", got)
		}
	})
}
