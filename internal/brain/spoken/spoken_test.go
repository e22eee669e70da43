package spoken_test

import (
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

// monday is when all calls of these tests take place: Monday, November 23rd 2026, at ten in the morning.
func monday() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

func reader() spoken.Reader { return spoken.Reader{Now: monday(), Caller: "+14155550148"} }

// row is an utterance as a recogniser writes it, and the value it must give; empty: none.
type row struct{ text, want string }

func check(t *testing.T, slot talkstack.FlowSlot, rows []row) {
	t.Helper()
	slot.Name = "slot"
	for _, r := range rows {
		t.Run(r.text, func(t *testing.T) {
			t.Parallel()
			got, trouble := reader().Answer(spoken.Parse(r.text), &slot, "")
			if got.Text != r.want {
				t.Errorf("got %q (trouble %q), want %q", got.Text, trouble, r.want)
			}
			if got.Found() && !spoken.Valid(&slot, got.Text) {
				t.Errorf("%q is not the form in which a %s is kept", got.Text, slot.Type)
			}
		})
	}
}

func TestYesNo(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotYesNo}, []row{
		{"Yes.", "yes"},
		{"Yes", "yes"},
		{"Yeah, sure.", "yes"},
		{"Yep.", "yes"},
		{"Uh, yes please.", "yes"},
		{"That's right.", "yes"},
		{"That is correct.", "yes"},
		{"Correct.", "yes"},
		{"Yes, that's fine.", "yes"},
		{"Of course.", "yes"},
		{"Sounds good to me.", "yes"},
		{"I think so.", "yes"},
		{"Mm-hm.", "yes"},
		{"Uh-huh.", "yes"},
		{"OK.", "yes"},
		{"Yes, I don't mind.", "yes"},
		{"Please do.", "yes"},
		{"Please.", "yes"},
		{"A check-up, please.", ""},
		{"But you say that again, please.", ""},
		{"No.", "no"},
		{"Know.", "no"},
		{"No, thank you.", "no"},
		{"Nope.", "no"},
		{"No, that's not right.", "no"},
		{"That's not correct.", "no"},
		{"That's wrong.", "no"},
		{"Not really.", "no"},
		{"I don't think so.", "no"},
		{"Of course not.", "no"},
		{"I would rather not.", "no"},
		{"Um, no, I don't.", "no"},
		{"Oh no, sorry.", "no"},
		{"No, that's right.", ""},
		{"I don't know.", ""},
		{"On Thursday.", ""},
		{"", ""},
	})
}

func TestNumber(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotNumber}, []row{
		{"Four.", "4"},
		{"For.", "4"},
		{"For people.", "4"},
		{"To.", "2"},
		{"Two people, please.", "2"},
		{"There will be twelve of us.", "12"},
		{"Twenty-six.", "26"},
		{"twenty six", "26"},
		{"A hundred and five", "105"},
		{"One hundred twenty", "120"},
		{"Two thousand five hundred.", "2500"},
		{"12", "12"},
		{"1,200", "1200"},
		{"5 thousand", "5000"},
		{"Three point five", "3.5"},
		{"3.5", "3.5"},
		{"Two and a half.", "2.5"},
		{"Minus four", "-4"},
		{"A couple of people", "2"},
		{"A dozen.", "12"},
		{"Half a dozen", "6"},
		{"Three. No, four.", "4"},
		{"Three, sorry, I mean five.", "5"},
		{"Just me.", "1"},
		{"Tree.", "3"},
		{"ate", "8"},
		{"Zero.", "0"},
		{"Many.", ""},
		{"I'm not sure.", ""},
	})
}

func TestNumberOutsideItsBounds(t *testing.T) {
	t.Parallel()
	lo, hi := 1.0, 8.0
	slot := talkstack.FlowSlot{Name: "people", Type: talkstack.SlotNumber, Min: &lo, Max: &hi}
	for text, want := range map[string]string{"Twelve.": "It can be 8 at most.", "Zero": "It must be at least 1.", "Eight": ""} {
		if v, trouble := reader().Answer(spoken.Parse(text), &slot, ""); trouble != want || v.Found() != (want == "") {
			t.Errorf("%s: got %v, %q; want trouble %q", text, v, trouble, want)
		}
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotPhone}, []row{
		{"415-555-0148.", "4155550148"},
		{"415 555 0148", "4155550148"},
		{"415.555.0148", "4155550148"},
		{"(415) 555-0148", "4155550148"},
		{"+1 415 555 0148", "+14155550148"},
		{"Plus one four one five, five five five, oh one four eight.", "+14155550148"},
		{"four one five, triple five, oh one four eight", "4155550148"},
		{"My number is four one five double five five zero one four eight.", "4155550148"},
		{"Four one five, uh, five five five, zero one forty-eight", "4155550148"},
		{"for one five five five five oh one for eight", "4155550148"},
		{"Eight hundred five five five twelve twelve", "8005551212"},
		{"It's 5550148.", "5550148"},
		{"You can use this number.", "+14155550148"},
		{"The number I'm calling from.", "+14155550148"},
		{"415 555 0149, no, 415 555 0148", "4155550148"},
		{"Four one five.", ""},
		{"I don't have one.", ""},
	})
}

func TestDigits(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotDigits, Length: 6}, []row{
		{"0 0 4 2 1 7", "004217"},
		{"Zero zero four two one seven.", "004217"},
		{"double oh four two one seven", "004217"},
		{"Oh oh four two one seven", "004217"},
		{"oh oh for to won seven", "004217"},
		{"Oh, double zero four two one seven.", "004217"},
		{"004217.", "004217"},
		{"004-217", "004217"},
		{"00 42 17", "004217"},
		{"Four one five, triple two.", "415222"},
		{"415,222", "415222"},
		{"forty-one fifty-two twenty-two", "415222"},
		{"for one five two two too", "415222"},
		{"It's 415 and then 222.", "415222"},
		{"415 223. No, 415 222.", "415222"},
		{"Four one five.", ""},
	})
	check(t, talkstack.FlowSlot{Type: talkstack.SlotDigits}, []row{
		{"Double five.", "55"},
		{"oh four one five", "0415"},
		{"Oh, four one five.", "415"},
		{"Four one five, triple two", "415222"},
		{"no digits at all", ""},
	})
}

func TestName(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotName}, []row{
		{"Anna Smith.", "Anna Smith"},
		{"anna smith", "Anna Smith"},
		{"My name is Anna Smith.", "Anna Smith"},
		{"It's Anna.", "Anna"},
		{"Its Anna", "Anna"},
		{"This is Anna speaking.", "Anna"},
		{"Anna Smith speaking.", "Anna Smith"},
		{"I'm Anna Smith, thank you.", "Anna Smith"},
		{"I am Anna", "Anna"},
		{"The name's Smith. Anna Smith.", "Anna Smith"},
		{"Yes, hi, my name is Anna Smith and I'd like to book.", "Anna Smith"},
		{"Um, Anna Smith.", "Anna Smith"},
		{"A N N A", "Anna"},
		{"A-N-N-A.", "Anna"},
		{"A. N. N. A.", "Anna"},
		{"A.N.N.A.", "Anna"},
		{"Anna, A N N A.", "Anna"},
		{"Anna Smyth, S M I T H.", "Anna Smith"},
		{"A double N A", "Anna"},
		{"S as in Sam, M as in Mary, I, T, H", "Smith"},
		{"Patrick O'Brien", "Patrick O'Brien"},
		{"Ronald McDonald.", "Ronald McDonald"},
		{"ANNA SMITH", "Anna Smith"},
		{"Maria del Carmen Lopez", "Maria Del Carmen Lopez"},
		{"Anna Schmidt. No, Anna Smith.", "Anna Smith"},
		{"Sure, it's Peter Müller.", "Peter Müller"},
		{"Call me Bob.", "Bob"},
		{"April Jones", "April Jones"},
		{"I don't know.", ""},
		{"Why do you need that?", ""},
		{"Half past three.", ""},
		{"415", ""},
		{"Um.", ""},
	})
}

func TestChoice(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotChoice, Choices: []talkstack.FlowChoice{
		{Value: "check-up", Synonyms: []string{"checkup", "examination", "routine check"}, Key: "1"},
		{Value: "cleaning", Synonyms: []string{"hygiene", "teeth cleaned"}, Key: "2"},
		{Value: "toothache", Synonyms: []string{"pain", "emergency", "my tooth hurts"}, Key: "3"},
	}}, []row{
		{"A check-up, please.", "check-up"},
		{"Check up.", "check-up"},
		{"checkup", "check-up"},
		{"Check ups", "check-up"},
		{"A cleaning.", "cleaning"},
		{"cleanings", "cleaning"},
		{"Cleanin", "cleaning"},
		{"I want my teeth cleaned.", "cleaning"},
		{"Tooth ache.", "toothache"},
		{"I'm in pain.", "toothache"},
		{"It's an emergency!", "toothache"},
		{"The second one.", "cleaning"},
		{"Number three", "toothache"},
		{"One.", "check-up"},
		{"The last one.", "toothache"},
		{"A check-up. No, a cleaning.", "cleaning"},
		{"Not a cleaning, a check-up.", "check-up"},
		{"A check-up and a cleaning.", ""},
		{"Something else.", ""},
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotText}, []row{
		{" Tell him I called. ", "Tell him I called."},
		{"No, never mind.", "No, never mind."},
		{"Um.", ""},
	})
}

func TestMentionTakesOnlyWhatIsClear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       talkstack.FlowSlotType
		text, want string
	}{
		{talkstack.SlotTime, "Three.", ""},
		{talkstack.SlotTime, "Thursday at three.", "15:00"},
		{talkstack.SlotTime, "Three people.", ""},
		{talkstack.SlotTime, "The twenty-sixth at half past three.", "15:30"},
		{talkstack.SlotNumber, "Three.", ""},
		{talkstack.SlotNumber, "Thursday at three for two people.", "2"},
		{talkstack.SlotDate, "Twenty six.", ""},
		{talkstack.SlotDate, "For two people on Friday.", "2026-11-27"},
		{talkstack.SlotName, "Anna Smith.", ""},
		{talkstack.SlotName, "My name is Anna Smith.", "Anna Smith"},
		{talkstack.SlotName, "It's about my tooth.", ""},
		{talkstack.SlotPhone, "At three thirty.", ""},
		{talkstack.SlotYesNo, "Yes.", ""},
		{talkstack.SlotText, "Anything.", ""},
	} {
		v := reader().Mention(spoken.Parse(c.text), &talkstack.FlowSlot{Name: "slot", Type: c.kind})
		if v.Text != c.want {
			t.Errorf("%s in %q: got %q, want %q", c.kind, c.text, v.Text, c.want)
		}
	}
}

func TestIntent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]spoken.Intent{
		"Sorry, could you repeat that, please?": spoken.Repeat,
		"Pardon?":                               spoken.Repeat,
		"What?":                                 spoken.Repeat,
		"I didn't catch that.":                  spoken.Repeat,
		"I'd like to speak to a human, please.": spoken.Human,
		"Operator.":                             spoken.Human,
		"Help.":                                 spoken.Help,
		"One moment, please.":                   spoken.Hold,
		"Okay, bye.":                            spoken.Goodbye,
		"Hello?":                                spoken.Hello,
		"Thank you.":                            spoken.Thanks,
		"Thursday.":                             spoken.NoIntent,
		"":                                      spoken.NoIntent,
	} {
		if got := spoken.Parse(text).Intent(); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     talkstack.FlowSlotType
		v, aloud string
	}{
		{talkstack.SlotDate, "2026-11-26", "Thursday, November 26th"},
		{talkstack.SlotDate, "2026-12-01", "Tuesday, December 1st"},
		{talkstack.SlotDate, "2026-12-12", "Saturday, December 12th"},
		{talkstack.SlotDate, "2028-01-03", "Monday, January 3rd, 2028"},
		{talkstack.SlotTime, "15:30", "3:30 PM"},
		{talkstack.SlotTime, "09:00", "9 AM"},
		{talkstack.SlotTime, "12:00", "noon"},
		{talkstack.SlotTime, "00:00", "midnight"},
		{talkstack.SlotPhone, "+14155550148", "plus 1 4 1, 5 5 5, 5 0 1, 4 8"},
		{talkstack.SlotPhone, "4155550148", "4 1 5, 5 5 5, 0 1 4 8"},
		{talkstack.SlotDigits, "0415", "0 4 1 5"},
		{talkstack.SlotName, "Anna Smith", "Anna Smith"},
	} {
		if got := spoken.Say(c.kind, c.v, monday()); got != c.aloud {
			t.Errorf("%s %s: got %q, want %q", c.kind, c.v, got, c.aloud)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		slot       talkstack.FlowSlot
		keys, want string
	}{
		{talkstack.FlowSlot{Type: talkstack.SlotDigits, Length: 4}, "0415#", "0415"},
		{talkstack.FlowSlot{Type: talkstack.SlotDigits, Length: 4}, "041", ""},
		{talkstack.FlowSlot{Type: talkstack.SlotPhone}, "*4915112345678", "+4915112345678"},
		{talkstack.FlowSlot{Type: talkstack.SlotPhone}, "123", ""},
		{talkstack.FlowSlot{Type: talkstack.SlotNumber}, "007#", "7"},
		{talkstack.FlowSlot{Type: talkstack.SlotTime}, "1530", "15:30"},
		{talkstack.FlowSlot{Type: talkstack.SlotTime}, "2561", ""},
		{talkstack.FlowSlot{Type: talkstack.SlotYesNo}, "1", "yes"},
		{talkstack.FlowSlot{Type: talkstack.SlotName}, "1", ""},
	} {
		if v, _ := reader().Keys(c.keys, &c.slot); v.Text != c.want {
			t.Errorf("%s keyed %q: got %q, want %q", c.slot.Type, c.keys, v.Text, c.want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"Thursday at half past three", "plus four one five, double oh", "A N N A", "no, the 30th of February", "minus a hundred and and point", "1:99 p.m.", "\xff'- 12/31/99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []talkstack.FlowSlotType{
			talkstack.SlotYesNo, talkstack.SlotNumber, talkstack.SlotDate, talkstack.SlotTime, talkstack.SlotPhone,
			talkstack.SlotDigits, talkstack.SlotName, talkstack.SlotChoice, talkstack.SlotText,
		} {
			slot := talkstack.FlowSlot{Name: "slot", Type: kind}
			if kind == talkstack.SlotChoice {
				slot.Choices = []talkstack.FlowChoice{{Value: "check-up", Key: "1"}, {Value: "cleaning"}}
			}
			for _, v := range []spoken.Value{must(reader().Answer(spoken.Parse(text), &slot, "08:00")), reader().Mention(spoken.Parse(text), &slot)} {
				if v.Found() && !spoken.Valid(&slot, v.Text) {
					t.Errorf("%s in %q: %q is not the form in which it is kept", kind, text, v.Text)
				}
			}
		}
		spoken.Parse(text).Intent()
	})
}

func must(v spoken.Value, _ string) spoken.Value { return v }

func BenchmarkAnswer(b *testing.B) {
	slot := talkstack.FlowSlot{Name: "time", Type: talkstack.SlotTime}
	for b.Loop() {
		reader().Answer(spoken.Parse("Um, on Thursday the twenty-sixth of November at half past three, please."), &slot, "")
	}
}
