package voice

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"talkstack"
)

func TestEndpointer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text       string
		punctuates bool
		expected   bool
		want       int
		manner     manner
	}{
		{"I want a table.", true, false, 0, soundsComplete},
		{"I want a table", false, false, 0, soundsComplete},
		{"I want a table", true, false, 0, soundsUnfinished},
		{"yes", true, false, 0, soundsComplete},
		{"Yes.", true, false, 0, soundsComplete},
		{"no thank you", true, false, 0, soundsComplete},
		{"Yes it is.", true, false, 0, soundsComplete},
		{"I am.", true, false, 0, soundsComplete},
		{"I think so.", true, false, 0, soundsComplete},
		{"I don't think so.", true, false, 0, soundsComplete},
		{"My number is", false, false, 0, soundsUnfinished},
		{"My number is.", true, false, 0, soundsUnfinished},
		{"My name is", false, false, 0, soundsUnfinished},
		{"I would like to", false, false, 0, soundsUnfinished},
		{"I'd like a table and", false, false, 0, soundsUnfinished},
		{"On Thursday but", false, false, 0, soundsUnfinished},
		{"Well, um", false, false, 0, soundsUnfinished},
		{"Let me see.", true, false, 0, soundsUnfinished},
		{"Hold on.", true, false, 0, soundsUnfinished},
		{"On Thursday,", false, false, 0, soundsUnfinished},
		{"I was thinking...", true, false, 0, soundsUnfinished},
		{"Yes, and", true, false, 0, soundsUnfinished},
		{"No, the", true, false, 0, soundsUnfinished},
		{"What is it for?", true, false, 0, soundsComplete},
		{"Where are you?", true, false, 0, soundsComplete},
		{"", false, false, 0, soundsUnfinished},
		{"five five five", false, false, 0, soundsDictated},
		{"My number is 555-12", false, false, 0, soundsDictated},
		{"At three.", true, false, 0, soundsComplete},
		{"At 10:30.", true, false, 0, soundsComplete},
		{"four two", false, true, 0, soundsDictated},
		{"four two", false, true, 4, soundsDictated},
		{"four two one seven", false, true, 4, soundsComplete},
		{"double four double five", false, true, 4, soundsComplete},
		{"42 17", false, true, 4, soundsComplete},
		{"I don't know.", true, true, 4, soundsComplete},
	} {
		e := endpointer{punctuates: c.punctuates}
		if got := e.judge(c.text, c.expected, c.want); got != c.manner {
			t.Errorf("%q (punctuates %t, expects digits %t %d) sounds %d, want %d", c.text, c.punctuates, c.expected, c.want, got, c.manner)
		}
	}
}

func TestEndpointerLearnsPunctuation(t *testing.T) {
	t.Parallel()
	var e endpointer
	if e.judge("I want a table", false, 0) != soundsComplete {
		t.Error("a recogniser that was not heard yet may not punctuate")
	}
	e.learn("Hello there.")
	if e.judge("I want a table", false, 0) != soundsUnfinished {
		t.Error("this one does punctuate")
	}
}

func TestNoEndpointIsLaterThanTheLimit(t *testing.T) {
	t.Parallel()
	s := talkstack.Endpointing{Complete: 300, Incomplete: 3000, Digits: 5000, Limit: 1600}
	for m, want := range map[manner]talkstack.Milliseconds{soundsComplete: 300, soundsUnfinished: 1600, soundsDictated: 1600} {
		if got := silence(&s, m); got != want.Duration() {
			t.Errorf("manner %d waits %s", m, got)
		}
	}
}

func TestBackchannel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Mm-hm.": true, "mhm": true, "Uh-huh": true, "Yeah.": true, "yeah, okay": true, "OK": true, "right right": true,
		"I see.": true, "Got it, yeah.": true, "of course": true,
		"": false, "no": false, "stop": false, "wait": false, "yeah but": false, "okay I want a table": false,
		"yes yes yes yes yes": false, "What?": false,
	} {
		if got := backchannel(plainWords(text)); got != want {
			t.Errorf("%q is a backchannel: %t", text, got)
		}
	}
}

func TestMachineWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Hi, you've reached Anna. Please leave a message.":                                    true,
		"Hello. You have reached the voicemail of Anna Smith. I am not available right now.":  true,
		"The person you are trying to reach is not available. At the tone, please record.":    true,
		"Sorry, I can't take your call right now.":                                            true,
		"Please leave your name and number after the beep.":                                   true,
		"Your call has been forwarded to an automated voice messaging system. The mailbox is": true,
		"We're unable to take your call. We'll get back to you.":                              true,
		"Hello, this is Anna speaking.":                                                       false,
		"Hello?":                                                                              false,
		"Anna is not available right now, who's calling?":                                     false,
		"She is not available, would you like to leave a message?":                            false,
		"Can I take a message?":                                                               false,
		"Good morning, you've reached the clinic, how can I help?":                            false,
		"Thank you for calling Acme, this is Bob speaking.":                                   false,
		"She's not available.":                                                                false,
	} {
		if got := machineWords(text); got != want {
			t.Errorf("%q is a machine: %t", text, got)
		}
	}
}

func TestClauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Sure.", "Sure."},
		{"Sure. What day would you like to come in for your appointment?", "Sure.|What day would you like to come in for your appointment?"},
		{"Hello, this is Anna from the clinic, how can I help?", "Hello, this is Anna from the clinic,|how can I help?"},
		{"Dr. Smith sees you at 3.5 hours, e.g. on Monday. Fine?", "Dr. Smith sees you at 3.5 hours,|e.g. on Monday. Fine?"},
		{"It costs 1,000 dollars. And 3.50 more.", "It costs 1,000 dollars.|And 3.50 more."},
		{"Call 415, 555, 0148 today. Or not at all, as you please.", "Call 415, 555, 0148 today.|Or not at all, as you please."},
		{"No. I cannot. See No. 5 on the list.", "No.|I cannot. See No. 5 on the list."},
		{"**Great!** Visit [our site](https://x.com/a?b=c) 😀 now.", "Great!|Visit our site now."},
		{"- first\n- second\n", "first|second"},
		{"See https://www.example.com/path?x=1. Then call.", "See example.com.|Then call."},
		{"Is it J. R. Smith? Yes.", "Is it J. R. Smith?|Yes."},
		{"\"Really?\" she said. \"Yes.\" That is all there is to say.", "\"Really?\"|she said. \"Yes.\" That is all there is to say."},
		{"😀", ""},
		{"1. Open it.\n2. Close it again, please.", "1. Open it.|2. Close it again, please."},
	} {
		if got := strings.Join(Clauses(c.text), "|"); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestClausesDoNotDependOnHowTheTextArrives(t *testing.T) {
	t.Parallel()
	const text = "Sure, I can do that. On Monday, Dr. Smith is here from 9.30 a.m. until noon, and on Tuesday all day long. Which one — Monday or Tuesday — would you prefer? Tell me…"
	want := Clauses(text)
	for size := 1; size < 20; size++ {
		var c clauseCutter
		var got []string
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got = append(got, c.add(rest[:n])...)
			rest = rest[n:]
		}
		got = append(got, c.rest()...)
		if !slices.Equal(got, want) {
			t.Errorf("in pieces of %d bytes: %q, want %q", size, got, want)
		}
	}
}

func TestLongTextIsCutBetweenWords(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("word ", 300)
	all := Clauses(text)
	if len(all) < 3 {
		t.Fatalf("%d clauses", len(all))
	}
	for _, c := range all {
		if utf8.RuneCountInString(c) > clauseLimit || strings.Trim(c, "word ") != "" || strings.HasSuffix(c, "wor") {
			t.Errorf("clause %q", c)
		}
	}
	if got := strings.Join(all, " "); got != strings.TrimSpace(text) {
		t.Error("words are lost")
	}
}

func FuzzClauses(f *testing.F) {
	for _, s := range []string{"Hello. World!", "a\xffb. c", "[x](y)", "https://a.b/c. d", "1. 2. 3.", "😀. x", strings.Repeat("a", 400)} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size <= 0 || len(text) > 4000 {
			return
		}
		want := Clauses(text)
		var c clauseCutter
		var got []string
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got = append(got, c.add(rest[:n])...)
			rest = rest[n:]
		}
		got = append(got, c.rest()...)
		if utf8.ValidString(text) && !slices.Equal(got, want) {
			t.Errorf("%q in pieces of %d: %q, whole: %q", text, size, got, want)
		}
	})
}

func TestHeardWords(t *testing.T) {
	t.Parallel()
	const text = "one two three four" // 19 with the end
	for pos, want := range map[int]string{0: "", 1: "", 300: "one", 800: "one two", 1100: "one two three", 1900: text, 1899: text} {
		if got := heardWords(text, pos, 1900, true, testRate); got != want {
			t.Errorf("at %d: %q, want %q", pos, got, want)
		}
	}
	if got := heardWords(text, 100, 100, false, testRate); got != "" {
		t.Errorf("of a clause that has only begun: %q", got)
	}
}
