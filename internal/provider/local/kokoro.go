package local

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"talkstack/internal/onnx"
)

// Facts about Kokoro-82M v1.0.
const (
	kokoroRate     = 24000
	styleWidth     = 256
	styleRows      = 510 // one style for each number of phonemes
	maxPhonemes    = styleRows
	kokoroBoundary = 0 // token before and after the phonemes
)

// kokoro is the synthesiser's network with its voices. It serves many runs at once.
type kokoro struct {
	session *onnx.Session
	tokens  map[rune]int64
	dir     string

	mu     sync.Mutex
	styles map[string][]float32 // by voice, read on first use
}

func openKokoro(dir string, threads int) (*kokoro, error) {
	k := &kokoro{dir: dir, styles: map[string][]float32{}}
	var err error
	if k.tokens, err = readPhonemeTokens(filepath.Join(dir, "tokenizer.json")); err != nil {
		return nil, err
	}
	k.session, err = onnx.Open(filepath.Join(dir, "kokoro.onnx"), onnx.Options{
		Inputs:  []string{"input_ids", "style", "speed"},
		Outputs: []string{"waveform"},
		Threads: threads,
	})
	return k, err
}

func (k *kokoro) close() { k.session.Close() }

func readPhonemeTokens(path string) (map[rune]int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("local: phoneme tokens: %w", err)
	}
	var file struct {
		Model struct {
			Vocab map[string]int64 `json:"vocab"`
		} `json:"model"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("local: phoneme tokens: %w", err)
	}
	tokens := map[rune]int64{}
	for s, id := range file.Model.Vocab {
		if r := []rune(s); len(r) == 1 && id != kokoroBoundary {
			tokens[r[0]] = id
		}
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("local: phoneme tokens: %s holds none", path)
	}
	return tokens, nil
}

// encode turns phonemes into tokens; what the network does not know is left out.
func (k *kokoro) encode(phonemes string) []int64 {
	ids := []int64{kokoroBoundary}
	for _, r := range phonemes {
		if id, ok := k.tokens[r]; ok && len(ids) <= maxPhonemes {
			ids = append(ids, id)
		}
	}
	return append(ids, kokoroBoundary)
}

// style is the table of a voice.
func (k *kokoro) style(voice string) ([]float32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.styles[voice]; s != nil {
		return s, nil
	}
	b, err := os.ReadFile(filepath.Join(k.dir, "voices", voice+".bin"))
	if err != nil {
		return nil, fmt.Errorf("local: voice: %w", err)
	}
	if len(b) != 4*styleRows*styleWidth {
		return nil, fmt.Errorf("local: voice %s has %d bytes", voice, len(b))
	}
	s := make([]float32, styleRows*styleWidth)
	for i := range s {
		s[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	k.styles[voice] = s
	return s, nil
}

// speak makes audio at kokoroRate, full scale 1, from phonemes in Kokoro's alphabet.
func (k *kokoro) speak(ctx context.Context, phonemes, voice string, speed float64) ([]float32, error) {
	style, err := k.style(voice)
	if err != nil {
		return nil, err
	}
	ids := k.encode(phonemes)
	count := len(ids) - 2
	if count == 0 {
		return nil, nil
	}
	row := styleWidth * (count - 1)
	tokens, err := onnx.NewInts(ids, 1, int64(len(ids)))
	if err != nil {
		return nil, err
	}
	defer tokens.Close()
	styles, err := onnx.NewFloats(style[row:row+styleWidth:row+styleWidth], 1, styleWidth)
	if err != nil {
		return nil, err
	}
	defer styles.Close()
	speeds, err := onnx.NewFloats([]float32{float32(speed)}, 1)
	if err != nil {
		return nil, err
	}
	defer speeds.Close()
	out := []*onnx.Tensor{nil}
	if err := k.session.Run(ctx, []*onnx.Tensor{tokens, styles, speeds}, out); err != nil {
		return nil, err
	}
	defer out[0].Close()
	return append([]float32(nil), out[0].Floats()...), nil
}
