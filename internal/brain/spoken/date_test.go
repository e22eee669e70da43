package spoken_test

import (
	"testing"

	"talkstack"
	"talkstack/internal/brain/spoken"
)

func TestDate(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotDate}, []row{
		{"Thursday.", "2026-11-26"},
		{"On Thursday, please.", "2026-11-26"},
		{"thursday", "2026-11-26"},
		{"Thirst day.", "2026-11-26"},
		{"This Thursday", "2026-11-26"},
		{"Choose day", "2026-11-24"},
		{"Tuesday.", "2026-11-24"},
		{"Next Tuesday.", "2026-12-01"},
		{"next Thursday would be good", "2026-12-03"},
		{"Thursday next week.", "2026-12-03"},
		{"Next week on Friday", "2026-12-04"},
		{"A week from Thursday.", "2026-12-03"},
		{"Thursday week", "2026-12-03"},
		{"Monday", "2026-11-30"},
		{"Next Monday.", "2026-11-30"},
		{"Today.", "2026-11-23"},
		{"Tonight, if possible.", "2026-11-23"},
		{"Tomorrow.", "2026-11-24"},
		{"Tomorrow morning", "2026-11-24"},
		{"The day after tomorrow.", "2026-11-25"},
		{"In three days.", "2026-11-26"},
		{"In two weeks", "2026-12-07"},
		{"In a week.", "2026-11-30"},
		{"The twenty-sixth.", "2026-11-26"},
		{"The 26th.", "2026-11-26"},
		{"the twenty sixth of november", "2026-11-26"},
		{"November 26th.", "2026-11-26"},
		{"November twenty six", "2026-11-26"},
		{"November the 26th, 2026.", "2026-11-26"},
		{"Thursday, November 26th.", "2026-11-26"},
		{"Thursday the 26th of November", "2026-11-26"},
		{"26 November", "2026-11-26"},
		{"December third.", "2026-12-03"},
		{"The third of December", "2026-12-03"},
		{"January 5th", "2027-01-05"},
		{"March the first, twenty twenty-seven", "2027-03-01"},
		{"May 1st", "2027-05-01"},
		{"The first.", "2026-12-01"},
		{"The first of next month.", "2026-12-01"},
		{"11/26", "2026-11-26"},
		{"2026-11-26", "2026-11-26"},
		{"Um, let me see, Thursday, I think.", "2026-11-26"},
		{"Tuesday. No, Thursday.", "2026-11-26"},
		{"Not Tuesday, Thursday.", "2026-11-26"},
		{"No, Thursday.", "2026-11-26"},
		{"Actually, make it Friday.", "2026-11-27"},
		{"I meant Friday.", "2026-11-27"},
		{"Thursday at half past three.", "2026-11-26"},
		{"Twenty six.", "2026-11-26"},
		{"On the second.", "2026-12-02"},
		{"Thursday or Friday.", ""},
		{"February thirtieth", ""},
		{"Thursday the 27th.", ""},
		{"Just a second.", ""},
		{"Whenever you like.", ""},
		{"I may come.", ""},
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	check(t, talkstack.FlowSlot{Type: talkstack.SlotTime}, []row{
		{"Three.", "15:00"},
		{"At three.", "15:00"},
		{"Three o'clock.", "15:00"},
		{"three oclock", "15:00"},
		{"Three thirty.", "15:30"},
		{"3:30.", "15:30"},
		{"3 30", "15:30"},
		{"At 330", "15:30"},
		{"Half past three.", "15:30"},
		{"half three", "15:30"},
		{"Half passed three", "15:30"},
		{"Quarter to four.", "15:45"},
		{"A quarter to for", "15:45"},
		{"Quarter two four", "15:45"},
		{"Quarter past nine.", "09:15"},
		{"Ten past four", "16:10"},
		{"Twenty to five.", "16:40"},
		{"Five minutes to four", "15:55"},
		{"Three in the afternoon.", "15:00"},
		{"Eight in the evening", "20:00"},
		{"Eight in the morning.", "08:00"},
		{"Eight.", "08:00"},
		{"Six AM", "06:00"},
		{"6 a.m.", "06:00"},
		{"3 p.m. please", "15:00"},
		{"3pm", "15:00"},
		{"3:30pm.", "15:30"},
		{"Three p m", "15:00"},
		{"Noon.", "12:00"},
		{"At midday", "12:00"},
		{"Midnight.", "00:00"},
		{"Twelve.", "12:00"},
		{"Twelve thirty.", "12:30"},
		{"Ten forty-five.", "10:45"},
		{"ten oh five", "10:05"},
		{"15:30", "15:30"},
		{"Fifteen thirty.", "15:30"},
		{"Fifteen hundred hours", "15:00"},
		{"Sixteen.", "16:00"},
		{"At for.", "16:00"},
		{"To thirty.", "14:30"},
		{"For o'clock", "16:00"},
		{"Around four.", "16:00"},
		{"Thursday at half past three.", "15:30"},
		{"On November twenty six at three thirty", "15:30"},
		{"Three. No, four.", "16:00"},
		{"Actually, make it four o'clock.", "16:00"},
		{"I meant nine in the morning.", "09:00"},
		{"Nine at night.", "21:00"},
		{"Seven thirty tonight.", "19:30"},
		{"In the afternoon.", ""},
		{"Any time.", ""},
		{"Half an hour.", ""},
		{"Thursday.", ""},
	})
}

func TestTimeChangesItsHalfOfTheDay(t *testing.T) {
	t.Parallel()
	slot := talkstack.FlowSlot{Name: "time", Type: talkstack.SlotTime}
	for text, want := range map[string]string{"No, in the evening.": "20:00", "No, PM.": "20:00", "In the morning": "08:00"} {
		if v, _ := reader().Answer(spoken.Parse(text), &slot, "08:00"); v.Text != want {
			t.Errorf("%s after 8 AM: got %q, want %q", text, v.Text, want)
		}
	}
}
