package voice

import (
	"slices"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/brain"
)

func TestHelloIntoTheGreetingDoesNotCutIt(t *testing.T) {
	const greeting = "Good morning, this is Anna calling."
	for _, hello := range []string{"Hello?", "Yes, hello.", "Hello, this is Bob Miller."} {
		t.Run(hello, func(t *testing.T) {
			play(t, outbound(greeting), func(s *scene) {
				s.silent(100 * ms)
				s.says(hello, 500*ms)
				s.hears()
				s.says("I want a table.", 500*ms)
				s.hears()
				s.hangup()
				s.wantTurns("agent: "+greeting, "user: I want a table.", "agent: I heard: I want a table..")
				// Broken off in its first word, the greeting was begun again: all of it is there in one stretch.
				if want := voiceOf(Clauses(greeting)[0]); !contains(s.sent, want) {
					t.Error("the greeting was not heard in one piece")
				}
			})
		})
	}
}

func contains(all, part []int16) bool {
	for i := range all {
		if len(all)-i >= len(part) && slices.Equal(all[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

func TestMachineThatPausesAfterHelloIsAMachine(t *testing.T) {
	for _, c := range []struct {
		name  string
		first talkstack.FirstSpeaker
		pause time.Duration
	}{
		{"a breath into the greeting", talkstack.FirstSpeakerAgent, 260 * ms},
		{"a pause into the greeting", talkstack.FirstSpeakerAgent, 700 * ms},
		{"long enough to be answered", talkstack.FirstSpeakerCaller, 700 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) {
				outbound("Good morning, this is Anna calling.")(s)
				s.cfg.Settings.FirstSpeaker = c.first
			}, func(s *scene) {
				s.silent(100 * ms)
				s.says("Hello.", 400*ms)
				s.silent(c.pause)
				s.says("You have reached the voicemail of Bob.", 1500*ms)
				s.wantEnding(s.ending(), talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached)
			})
		})
	}
}

func TestAgentDoesNotTalkIntoAMachinesPause(t *testing.T) {
	play(t, func(s *scene) {
		s.cfg.Direction = talkstack.Outbound
	}, func(s *scene) {
		s.says("Hi, you've reached Bob Miller.", 1000*ms)
		s.silent(900 * ms)
		if s.count(EventEndpoint) != 0 {
			t.Error("the agent took the floor")
		}
		s.says("Please leave a message.", 1000*ms)
		s.wantEnding(s.ending(), talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached)
		s.wantTurns("user: Hi, you've reached Bob Miller. Please leave a message.")
	})
}

func TestNoiseDoesNotKeepASilentCallAlive(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("Hello.")
		s.cfg.Settings.SilenceLimit = 6000
	}, func(s *scene) {
		s.hears()
		for range 20 { // a dog, every two seconds
			if len(s.ended) > 0 {
				break
			}
			s.noise(200 * ms)
			s.silent(1800 * ms)
		}
		s.wantEnding(s.ending(), talkstack.StatusSilence, talkstack.PartyPlatform, talkstack.EndInactivity)
		quiet := s.at - s.transcript()[0].End
		if quiet < 6*time.Second || quiet > 11*time.Second {
			t.Errorf("the call ended after %s", quiet)
		}
	})
}

func TestSentenceIsSpokenWhileTheBrainWorks(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Am I booked?", pause: 3001 * ms, pieces: []brain.Piece{
			{Text: "Let me check that."}, {Text: " Yes, you are booked."},
		}}}
	}, func(s *scene) {
		s.says("Am I booked?", 500*ms)
		s.until("the agent speaking", s.speaking)
		if wait := s.at - 500*ms; wait > 500*ms {
			t.Errorf("the caller waited %s for the first sentence", wait)
		}
		s.spoke(1)
		s.hangup()
		s.wantTurns("user: Am I booked?", "agent: Let me check that. Yes, you are booked.")
	})
}

func TestLongAnswerHasNoGapBetweenClauses(t *testing.T) {
	const text = "Sure, we have many things. The first is a long sentence about the first thing. The second is a long sentence about the second thing, and it goes on."
	play(t, func(s *scene) { s.brain.answers("What do you have?", text) }, func(s *scene) {
		s.says("What do you have?", 500*ms)
		s.spoke(1)
		s.hangup()
		s.wantTurns("user: What do you have?", "agent: "+text)
		start, end := s.transcript()[1].Start, s.transcript()[1].End
		spoken := s.sent[int(start*testRate/time.Second):int(end*testRate/time.Second)]
		longest, run := 0, 0
		for _, v := range spoken {
			if run++; v != 0 {
				run = 0
			}
			longest = max(longest, run)
		}
		if gap := time.Duration(longest) * time.Second / testRate; gap != pauseAfter("One.") {
			t.Errorf("the longest pause in it is %s", gap)
		}
	})
}

func TestWordsSpokenAtTheHangupAreKept(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("I was just wondering", 1000*ms)
		s.ear.interim()
		s.silent(100 * ms)
		s.wantEnding(s.hangup(), talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
		s.wantTurns("user: I was just wondering")
	})
}

func TestPeerThatHangsUpAfterTheAgentsGoodbye(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Bye.", pieces: []brain.Piece{{Text: "Goodbye!"}, {Action: brain.Action{Kind: brain.Hangup}}}}}
	}, func(s *scene) {
		s.says("Bye.", 500*ms)
		s.spoke(1)
		s.wantEnding(s.hangup(), talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	})
}

func TestAgentGreetsByItsBrain(t *testing.T) {
	play(t, func(s *scene) {
		s.greets("")
		s.brain.answers("", "Welcome.")
	}, func(s *scene) {
		s.hears()
		s.hangup()
		s.wantTurns("agent: Welcome.")
		if in := s.brain.inputs()[0]; in.Kind != brain.Greeting {
			t.Errorf("the brain was asked %+v", in)
		}
	})
}
