package voice

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/media"
)

func (s *scene) press(key byte) {
	s.digits <- media.Digit{Key: key, Duration: 100 * ms}
	synctest.Wait()
}

func TestKeypadEndsByHashByCountAndByPause(t *testing.T) {
	press := func(s *scene, keys string) {
		for i := range keys {
			s.press(keys[i])
			s.silent(200 * ms)
		}
	}
	for _, c := range []struct {
		name   string
		digits int
		keys   string
		turn   string
		within time.Duration
	}{
		{"hash", -1, "12#", "12", 0},
		{"count", 4, "0042", "0042", 0},
		{"pause", -1, "77", "77", 3 * time.Second},
		{"hash alone", 0, "#", "#", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) { s.brain.digits = c.digits }, func(s *scene) {
				press(s, c.keys)
				last := s.at - 200*ms
				s.until("the agent speaking", s.speaking)
				if took := s.at - last; took < c.within || took > c.within+200*ms {
					t.Errorf("answered %s after the last key", took)
				}
				s.hears()
				s.hangup()
				s.wantTurns("user: "+c.turn, "agent: I heard: #"+c.turn+".")
				if in := s.brain.inputs()[0]; in.Kind != brain.Keypad || in.Digits != c.turn {
					t.Errorf("the brain was asked %+v", in)
				}
			})
		})
	}
}

func TestWordsBeforeTheKeysAreATurn(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("My code is", 500*ms)
		s.silent(300 * ms)
		s.press('4')
		s.press('2')
		s.press('#')
		s.hears()
		s.hangup()
		s.wantTurns("user: My code is", "user: 42", "agent: I heard: #42.")
		if h := s.brain.inputs()[len(s.brain.inputs())-1].History; len(h) != 1 || h[0].Text != "My code is" {
			t.Errorf("the brain was told %+v", h)
		}
	})
}

func TestKeyInterruptsTheAgent(t *testing.T) {
	play(t, func(s *scene) { s.greets("Press one for sales or two for support.") }, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.silent(800 * ms)
		s.press('1')
		s.tick(media.NewFrame(testRate))
		s.tick(media.NewFrame(testRate))
		if s.speaking() {
			t.Error("the agent spoke on")
		}
		s.press('#')
		s.hears()
		s.hangup()
		s.wantTurns("agent: Press one for (interrupted)", "user: 1", "agent: I heard: #1.")
	})
}

func TestVoicemailByWords(t *testing.T) {
	play(t, outbound("Hello, this is Anna from the clinic."), func(s *scene) {
		s.silent(300 * ms)
		s.says("You have reached Bob. Please leave a message after the tone.", 3000*ms)
		s.wantEnding(s.ending(), talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached)
		s.wantTurns("agent: Hello, (interrupted)", "user: You have reached Bob. Please leave a message after the tone.")
	})
}

func outbound(greeting string) func(*scene) {
	return func(s *scene) {
		s.cfg.Direction = talkstack.Outbound
		s.greets(greeting)
	}
}

// beep lets the other party sound a tone, which the detector does not take for speech.
func (s *scene) beep(freq float64, d time.Duration) {
	pcm := sine(freq, int(d*testRate/time.Second), 8000)
	for len(pcm) >= 160 {
		f := media.NewFrame(testRate)
		copy(f.Samples(), pcm)
		f.Samples()[0] = 0
		pcm = pcm[160:]
		s.tick(f)
	}
}

func TestVoicemailByBeep(t *testing.T) {
	play(t, outbound("Hello."), func(s *scene) {
		s.silent(2 * time.Second)
		s.beep(1000, 400*ms)
		s.wantEnding(s.ending(), talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached)
	})
}

func TestMessageIsLeftAfterTheBeep(t *testing.T) {
	const message = "This is Anna. Please call us back."
	play(t, func(s *scene) {
		outbound("Hello.")(s)
		s.cfg.Settings.Voicemail = talkstack.Voicemail{Detect: true, Action: talkstack.VoicemailMessage, Message: message}
	}, func(s *scene) {
		s.says("Please leave a message after the tone.", 1500*ms)
		s.silent(600 * ms)
		s.beep(1000, 400*ms)
		end := s.at
		s.wantEnding(s.ending(), talkstack.StatusVoicemail, talkstack.PartyPlatform, talkstack.EndVoicemailReached)
		turns := s.transcript()
		last := turns[len(turns)-1]
		if last.Text != message || last.Interrupted {
			t.Errorf("the message was %q", last.Text)
		}
		if last.Start < end || last.Start > end+200*ms {
			t.Errorf("it began %s after the beep", last.Start-end)
		}
	})
}

func TestMessageIsLeftWithoutABeep(t *testing.T) {
	play(t, func(s *scene) {
		outbound("Hello.")(s)
		s.cfg.Settings.Voicemail = talkstack.Voicemail{Detect: true, Action: talkstack.VoicemailMessage, Message: "Call us."}
	}, func(s *scene) {
		s.says("This is the mailbox of Bob.", 1500*ms)
		spoken := s.at
		s.ending()
		turns := s.transcript()
		if wait := turns[len(turns)-1].Start - spoken; wait < 2500*ms || wait > 2700*ms {
			t.Errorf("the message began %s after the machine", wait)
		}
	})
}

func TestPersonWhoSpeaksOfMessagesIsNoMachine(t *testing.T) {
	play(t, outbound("Hello."), func(s *scene) {
		s.hears()
		s.says("Hello, this is Anna speaking.", 1000*ms)
		s.hears()
		s.says("Please leave a message after the tone is what my phone says.", 1000*ms)
		s.hears()
		s.beep(1000, 400*ms)
		s.silent(time.Second)
		s.wantEnding(s.hangup(), talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
	})
}

func TestInboundCallerIsNeverAMachine(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.says("Please leave a message after the tone.", 1000*ms)
		s.hears()
		s.wantEnding(s.hangup(), talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
	})
}

func TestRecogniserThatFailsOnce(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.ear.err = errFake
		s.says("I want a table.", 500*ms)
		s.hears()
		s.ear.mu.Lock()
		s.ear.err = nil
		s.ear.mu.Unlock()
		s.says("I want a table.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("agent: "+sayAgainSentence, "user: I want a table.", "agent: I heard: I want a table..")
	})
}

func TestRecogniserThatFailsWhileTheAgentSpeaks(t *testing.T) {
	const greeting = "Welcome to the very long greeting of our company."
	play(t, func(s *scene) {
		s.greets(greeting)
		s.ear.err = errFake
	}, func(s *scene) {
		s.until("the agent speaking", s.speaking)
		s.silent(600 * ms)
		s.says("What?", 300*ms)
		s.spoke(1)
		s.hangup()
		s.wantTurns("agent: " + greeting)
	})
}

func TestRecogniserThatIsGone(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(*scene)
	}{
		{"errors", func(s *scene) { s.ear.err = errFake }},
		{"answers nothing", func(s *scene) { s.ear.mute = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, c.setup, func(s *scene) {
				s.says("I want a table.", 500*ms)
				s.spoke(1)
				s.says("I want a table.", 500*ms)
				s.wantEnding(s.ending(), talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorASR)
				s.wantTurns("agent: "+sayAgainSentence, "agent: "+apologySentence)
			})
		})
	}
}

func TestLateFinalIsReplacedByTheInterim(t *testing.T) {
	play(t, func(s *scene) { s.ear.mute = true }, func(s *scene) {
		s.says("I want a table.", 500*ms)
		s.ear.interim()
		s.hears()
		s.hangup()
		s.wantTurns("user: I want a table.", "agent: I heard: I want a table..")
	})
}

func TestBrainThatFailsOnceIsAskedAgain(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Hello.", pieces: []brain.Piece{{Text: "Hi there."}}, err: errFake, fails: 2}} // ahead, and for real
	}, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: Hello.", "agent: Hi there.")
	})
}

func TestBrainThatIsGone(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Hello.", err: errFake, fails: 9}}
	}, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorLLM)
		s.wantTurns("user: Hello.", "agent: "+apologySentence)
	})
}

func TestBrainThatIsSlow(t *testing.T) {
	play(t, func(s *scene) { s.brain.delay = time.Hour }, func(s *scene) {
		s.says("Hello.", 500*ms)
		e := s.ending()
		s.wantEnding(e, talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorLLM)
		d := DefaultLimits().Words
		apology := s.transcript()[1]
		if wait := apology.Start - 800*ms; wait < d || wait > d+200*ms {
			t.Errorf("the caller waited %s", wait)
		}
	})
}

func TestBrainThatFailsAfterTheFirstWords(t *testing.T) {
	play(t, func(s *scene) {
		s.brain.script = []answer{{to: "Hello.", pieces: []brain.Piece{{Text: "Hi there, my friend. And then "}}, err: errFake, pause: 500 * ms}}
	}, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.hears()
		s.says("Go on.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: Hello.", "agent: Hi there, my friend.", "user: Go on.", "agent: I heard: Go on..")
	})
}

func TestSynthesizerThatFailsOnce(t *testing.T) {
	play(t, func(s *scene) { s.mouth.fail["I heard: Hello.."] = 1 }, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.hears()
		s.hangup()
		s.wantTurns("user: Hello.", "agent: I heard: Hello..")
	})
}

func TestSynthesizerThatIsGone(t *testing.T) {
	play(t, func(s *scene) { s.mouth.fail[""] = -1 }, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorTTS)
		s.wantTurns("user: Hello.") // not even the apology can be said
	})
}

func TestApologyComesFromTheCache(t *testing.T) {
	play(t, func(s *scene) {
		cache := NewCache(s.mouth, 1<<20)
		for _, text := range FixedSentences() {
			if err := cache.Warm(s.t.Context(), talkstack.SpeechRequest{Text: text, Speed: 1, Rate: testRate}); err != nil {
				t.Fatal(err)
			}
		}
		s.cfg.Synthesizer = cache
		s.mouth.fail[""] = -1
	}, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorTTS)
		s.wantTurns("user: Hello.", "agent: "+apologySentence)
	})
}

func TestTransfer(t *testing.T) {
	person := func(s *scene) {
		s.brain.script = []answer{{to: "A person please.", pieces: []brain.Piece{
			{Text: "One moment."}, {Action: brain.Action{Kind: brain.Transfer, Target: "+14155550148"}},
		}}}
	}
	t.Run("works", func(t *testing.T) {
		target := ""
		play(t, func(s *scene) {
			person(s)
			s.cfg.Transfer = func(_ context.Context, to string) error {
				<-time.After(1033 * ms)
				target = to
				return nil
			}
		}, func(s *scene) {
			s.says("A person please.", 500*ms)
			s.wantEnding(s.ending(), talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndCallTransfer)
			if target != "+14155550148" {
				t.Errorf("transferred to %q", target)
			}
		})
	})
	t.Run("fails", func(t *testing.T) {
		play(t, func(s *scene) {
			person(s)
			s.cfg.Transfer = func(context.Context, string) error { return errors.New("busy") }
		}, func(s *scene) {
			s.says("A person please.", 500*ms)
			s.spoke(2)
			s.hangup()
			s.wantTurns("user: A person please.", "agent: One moment.", "agent: "+failedTransferSentence)
		})
	})
}

func TestCancelledContextEndsTheCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newScene(t)
	conv := New(s.cfg)
	e := conv.Run(ctx, make(chan Heard), nil)
	s.wantEnding(e, talkstack.StatusFailed, talkstack.PartyPlatform, talkstack.EndShutdown)
}

func TestPanickingProviderEndsOneReplyOnly(t *testing.T) {
	play(t, func(s *scene) { s.cfg.Brain = &panickingBrain{fakeBrain: s.brain} }, func(s *scene) {
		s.says("Hello.", 500*ms)
		s.wantEnding(s.ending(), talkstack.StatusFailed, talkstack.PartyProvider, talkstack.EndErrorLLM)
	})
}

type panickingBrain struct{ *fakeBrain }

func (panickingBrain) Reply(context.Context, brain.Input) brain.Reply { return panickingReply{} }

type panickingReply struct{}

func (panickingReply) Next() (brain.Piece, error) { panic("a mistake") }
func (panickingReply) Commit()                    {}
func (panickingReply) Close()                     {}
