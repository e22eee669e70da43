package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/media/g711"
)

//nolint:gochecknoglobals // loading takes a second: all tests share one engine, as all calls do
var shared struct {
	sync.Mutex
	engine *Engine
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.engine != nil {
		shared.engine.Close()
	}
	os.Exit(code)
}

// engine is the shared engine with the real models.
func engine(t testing.TB) *Engine {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil {
		e, err := Open(Config{Dir: modelDir()})
		if err != nil {
			t.Fatalf("%v (for tests: make models)", err)
		}
		shared.engine = e
	}
	return shared.engine
}

func modelDir() string {
	if dir := os.Getenv("TALKSTACK_MODELS_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "data", "models")
}

// say is a text as a caller on the telephone says it.
func say(t testing.TB, e *Engine, text, voice string) []int16 {
	t.Helper()
	return telephone(speak(t, e, request(text, voice)))
}

func request(text, voice string) talkstack.SpeechRequest {
	return talkstack.SpeechRequest{Text: text, Voice: talkstack.Voice{ID: voice}, Rate: 8000}
}

func speak(t testing.TB, e *Engine, req talkstack.SpeechRequest) []int16 {
	t.Helper()
	var all []int16
	for pcm, err := range e.Speak(context.Background(), req) {
		if err != nil {
			t.Fatalf("speak %q: %v", req.Text, err)
		}
		all = append(all, pcm...)
	}
	if len(all) == 0 {
		t.Fatalf("speak %q: no audio", req.Text)
	}
	return all
}

// telephone is what G.711 leaves of audio at 8000 Hz.
func telephone(pcm []int16) []int16 {
	out, code := make([]int16, len(pcm)), make([]byte, len(pcm))
	g711.PCMU.Encode(code, pcm)
	g711.PCMU.Decode(out, code)
	return out
}

func silence(seconds float64) []int16 { return make([]int16, int(seconds*8000)) }

// listen plays audio at 8000 Hz to a transcriber, as fast as it takes it. Frames that are loud count as speech: the
// audio of these tests has no noise.
func listen(tr *Transcriber, pcm []int16) {
	hold := 0
	for len(pcm) >= 160 {
		f := media.NewFrame(8000)
		copy(f.Samples(), pcm)
		if media.Level(f.Samples()) > -45 {
			hold = 4
		}
		tr.Hear(&f, hold > 0)
		hold--
		pcm = pcm[160:]
	}
}

// final flushes a transcriber and waits for the final transcript.
func final(t testing.TB, tr *Transcriber) talkstack.Transcript {
	t.Helper()
	tr.Flush()
	for r := range tr.Transcripts() {
		if r.Final {
			if r.Err != nil {
				t.Fatalf("final transcript: %v", r.Err)
			}
			return r
		}
	}
	t.Fatal("the transcriber ended without a final transcript")
	return talkstack.Transcript{}
}

// plainWords are the words of a text for comparison: lower case, no punctuation, figures apart.
func plainWords(text string) []string {
	text = strings.NewReplacer("good-bye", "goodbye", "i'm", "i am", "log into", "log in to").Replace(strings.ToLower(text))
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		case r >= '0' && r <= '9':
			b.WriteString(" " + string(r) + " ")
		case r == '\'' || r == '’':
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	figures := strings.Fields("zero one two three four five six seven eight nine")
	for i, w := range words {
		if len(w) == 1 && w[0] >= '0' && w[0] <= '9' {
			words[i] = figures[w[0]-'0']
		}
	}
	return words
}

// wordErrors is the least number of words to replace, insert or delete to get from one list to the other.
func wordErrors(want, got []string) int {
	row := make([]int, len(got)+1)
	for j := range row {
		row[j] = j
	}
	for i := range want {
		diagonal := row[0]
		row[0] = i + 1
		for j := range got {
			cost := diagonal
			if want[i] != got[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(got)]
}
