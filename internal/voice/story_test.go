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
