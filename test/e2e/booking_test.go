package e2e

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/media"
	"talkstack/internal/phonetest"
	"talkstack/internal/provider/local"
	"talkstack/test/program"
)

// TestBooking is the main job on real input: a person calls nobody knows how to answer but by listening. Every slot
// must be right, both parties' words in the transcript, and both channels whole in the recording.
func TestBooking(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	sid := s.place(t, phonetest.NumberBooks)
	call := s.wait(t, sid)
	turns := s.transcript(t, sid)
	expect(t, call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)

	var data struct {
		Data map[string]string `json:"data"`
	}
	s.ask(t, http.MethodPost, "/call", map[string]any{"sid": sid}, &data)
	want := map[string]string{
		"date": nextThursday(time.Now()).Format(time.DateOnly), "time": "15:30", "reason": "check-up",
		"name": "Anna Smith", "reminder": "yes", "confirmed": "yes",
	}
	for slot, value := range want {
		if data.Data[slot] != value {
			t.Errorf("slot %s is %q, want %q", slot, data.Data[slot], value)
		}
	}
	said := map[talkstack.Role]string{}
	for _, turn := range turns {
		said[turn.Role] += " " + plain(turn.Text)
	}
	for _, words := range []string{"thursday", "three", "anna smith", "yes"} {
		if !strings.Contains(said[talkstack.RoleUser], words) {
			t.Errorf("the caller's %q is not in the transcript: %s", words, said[talkstack.RoleUser])
		}
	}
	for _, words := range []string{"demo clinic", "which day", "what time", "goodbye"} {
		if !strings.Contains(said[talkstack.RoleAgent], words) {
			t.Errorf("the agent's %q is not in the transcript: %s", words, said[talkstack.RoleAgent])
		}
	}

	wav, err := media.ReadWAV(bytes.NewReader(program.Download(t, call.Recording)))
	if err != nil {
		t.Fatal(err)
	}
	checkRecording(t, wav, turns)
	checkLatency(t, wav, turns)
}

// nextThursday is the day that "Thursday" means: the coming one, in a week when today is one.
func nextThursday(now time.Time) time.Time {
	days := (int(time.Thursday) - int(now.Weekday()) + 7) % 7
	if days == 0 {
		days = 7
	}
	return now.AddDate(0, 0, days)
}

// checkRecording recognises each turn from the recording's channel: its first and last words must be there.
func checkRecording(t *testing.T, wav *media.Audio, turns []client.Turn) {
	t.Helper()
	if wav.Channels != 2 || wav.Rate != 8000 {
		t.Fatalf("the recording has %d channels at %d Hz, want 2 at 8000", wav.Channels, wav.Rate)
	}
	engine, err := local.Open(local.Config{Dir: modelsDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	channel := map[talkstack.Role][]int16{talkstack.RoleUser: wav.Channel(0), talkstack.RoleAgent: wav.Channel(1)}
	whole, missed := 0, 0
	for _, turn := range turns {
		pcm := channel[turn.Role]
		from := int(turn.Start.Duration() * 8 / time.Millisecond)
		to := min(len(pcm), int(turn.End.Duration()*8/time.Millisecond)+800)
		got := strings.Fields(plain(recognise(t, engine, pcm[max(0, from-800):to])))
		words := strings.Fields(plain(turn.Text))
		for _, w := range []string{words[0], words[len(words)-1]} {
			if slices.Contains(got, w) {
				whole++
			} else {
				missed++
				t.Logf("%s %q: %q is not heard in its channel of the recording: %q", turn.Role, turn.Text, w, got)
			}
		}
	}
	// The recogniser itself errs on a few words of a hundred; a clipped channel would miss most.
	if missed*10 > whole {
		t.Errorf("of the first and last words of %d turns %d are missing in the recording", len(turns), missed)
	}
}

// recognise hears audio as fast as the models go.
func recognise(t *testing.T, engine *local.Engine, pcm []int16) string {
	t.Helper()
	tr := engine.NewTranscriber(8000)
	defer tr.Close()
	f := media.NewFrame(8000)
	for ; len(pcm) > 0; pcm = pcm[min(160, len(pcm)):] {
		clear(f.Samples())
		copy(f.Samples(), pcm)
		tr.Hear(&f, true)
	}
	tr.Flush()
	for {
		select {
		case text := <-tr.Transcripts():
			if text.Err != nil {
				t.Fatal(text.Err)
			}
			if text.Final {
				return text.Text
			}
		case <-t.Context().Done():
			t.Fatal("the recogniser did not answer")
		}
	}
}

// latencyTolerance is how far a stored latency may be from what the recording shows.
const latencyTolerance = 60 * time.Millisecond

// checkLatency compares each stored latency with the recording: from the caller's last sound to the agent's first.
func checkLatency(t *testing.T, wav *media.Audio, turns []client.Turn) {
	t.Helper()
	caller, agent := wav.Channel(0), wav.Channel(1)
	measured := 0
	for _, turn := range turns {
		if turn.Latency == nil {
			continue
		}
		first := int(turn.Start.Duration() * 8 / time.Millisecond)
		for first < len(agent) && abs(agent[first]) < 150 {
			first++
		}
		last := first
		for last > 0 && level(caller, last) < 200 {
			last--
		}
		heard := time.Duration(first-last) * time.Second / 8000
		stored := turn.Latency.Total.Duration()
		if off := heard - stored; off < -latencyTolerance || off > latencyTolerance {
			t.Errorf("%q: stored %v, the recording says %v", turn.Text, stored, heard)
		} else {
			t.Logf("%q: stored %v, the recording says %v", turn.Text, stored, heard)
		}
		measured++
	}
	if measured < 4 {
		t.Errorf("%d turns have a latency, want at least 4", measured)
	}
}

// level is the RMS of the 5 ms that end at a sample.
func level(pcm []int16, end int) float64 { return rms(pcm[max(0, end-40):end]) }

func rms(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(1, len(pcm))))
}

func abs(s int16) int { return max(int(s), -int(s)) }

// plain is text without punctuation and case.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
