//go:build quality

package local

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"talkstack/internal/media"
)

// TestQualityOfRecognition measures word errors over the telephone sentences in three voices through G.711, with and
// without noise, and writes the figures to the file that TALKSTACK_QUALITY_FILE names.
func TestQualityOfRecognition(t *testing.T) {
	e := engine(t)
	var report strings.Builder
	type clip struct {
		text string
		pcm  []int16
	}
	var clips []clip
	for _, voice := range []string{"kokoro-af_heart", "kokoro-am_michael", "kokoro-bf_emma"} {
		var mine []clip
		for _, text := range phoneSentences() {
			mine = append(mine, clip{text, speak(t, e, request(text, voice))})
		}
		clips = append(clips, mine...)
		wrong, all := 0, 0
		for _, c := range mine {
			w, n := errorsOf(t, e, c.text, c.pcm, math.Inf(1))
			wrong, all = wrong+w, all+n
		}
		fmt.Fprintf(&report, "| %s, no noise | %d of %d | %.1f%% |\n", voice, wrong, all, 100*float64(wrong)/float64(all))
	}
	for _, ratio := range []float64{math.Inf(1), 20, 10, 5} {
		name := fmt.Sprintf("pink noise %.0f dB below the speech", ratio)
		if math.IsInf(ratio, 1) {
			name = "no noise"
		}
		wrong, all := 0, 0
		for _, c := range clips {
			w, n := errorsOf(t, e, c.text, c.pcm, ratio)
			wrong, all = wrong+w, all+n
		}
		fmt.Fprintf(&report, "| **all voices, %s** | %d of %d | %.1f%% |\n", name, wrong, all, 100*float64(wrong)/float64(all))
	}
	t.Log("\n" + report.String())
	if file := os.Getenv("TALKSTACK_QUALITY_FILE"); file != "" {
		if err := os.WriteFile(file, []byte(report.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func errorsOf(t *testing.T, e *Engine, text string, pcm []int16, ratio float64) (wrong, all int) {
	t.Helper()
	noisy := telephone(addPink(pcm, ratio))
	r, err := media.NewResampler(8000, asrRate)
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.recognise(t.Context(), floats(r.Flush(r.Resample(nil, noisy))), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := plainWords(text)
	return wordErrors(want, plainWords(h.text)), len(want)
}

// addPink adds noise that falls by 3 dB an octave (three poles after P. Kellet), ratio dB below the speech.
func addPink(pcm []int16, ratio float64) []int16 {
	if math.IsInf(ratio, 1) {
		return pcm
	}
	random := rand.New(rand.NewPCG(5, 6))
	noise := make([]float64, len(pcm))
	var a, b, c, power float64
	for i := range noise {
		white := random.NormFloat64()
		a = 0.99765*a + white*0.0990460
		b = 0.96300*b + white*0.2965164
		c = 0.57000*c + white*1.0526913
		noise[i] = a + b + c + white*0.1848
		power += noise[i] * noise[i]
	}
	gain := media.RMS(pcm) * math.Pow(10, -ratio/20) / math.Sqrt(power/float64(len(noise)))
	out := make([]int16, len(pcm))
	for i, x := range pcm {
		out[i] = int16(max(-32768, min(32767, float64(x)+gain*noise[i])))
	}
	return out
}
