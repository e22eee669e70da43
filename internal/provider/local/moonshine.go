package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"talkstack/internal/onnx"
)

// Facts about Moonshine tiny.
const (
	asrRate   = 16000
	asrLayers = 6
	asrHeads  = 8
	asrHead   = 36 // width of an attention head
	beginText = 1
	endText   = 2

	asrPad         = 3 * asrRate / 4 // silence around an utterance: without it short words vanish
	tokensASecond  = 6.5             // nobody speaks faster
	maxAsrSamples  = 30 * asrRate
	minAsrSamples  = asrRate / 20
	cacheTensors   = 4 * asrLayers // keys and values of decoder and encoder
	ownCacheStride = 2             // the decoder's own cache takes every second place
)

// moonshine is the recogniser's networks. It serves many runs at once.
type moonshine struct {
	encoder *onnx.Session
	first   *onnx.Session
	later   *onnx.Session
	pieces  []string
}

func openMoonshine(dir string, threads int) (m *moonshine, err error) {
	m = &moonshine{}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if m.pieces, err = readPieces(filepath.Join(dir, "vocabulary.txt")); err != nil {
		return nil, err
	}
	open := func(file string, inputs, outputs []string) *onnx.Session {
		if err != nil {
			return nil
		}
		var s *onnx.Session
		s, err = onnx.Open(filepath.Join(dir, file), onnx.Options{Inputs: inputs, Outputs: outputs, Threads: threads})
		return s
	}
	firstOut, laterIn, laterOut := []string{"logits"}, []string{"input_ids"}, []string{"logits"}
	for layer := range asrLayers {
		for _, kind := range []string{"key", "value"} {
			for _, side := range []string{"decoder", "encoder"} {
				name := fmt.Sprintf("%d.%s.%s", layer, side, kind)
				firstOut = append(firstOut, "present."+name)
				laterIn = append(laterIn, "past_key_values."+name)
				if side == "decoder" {
					laterOut = append(laterOut, "present."+name)
				}
			}
		}
	}
	m.encoder = open("encoder.onnx", []string{"input_values"}, []string{"last_hidden_state"})
	m.first = open("decoder_first.onnx", []string{"input_ids", "encoder_hidden_states"}, firstOut)
	m.later = open("decoder_later.onnx", laterIn, laterOut)
	return m, err
}

func (m *moonshine) close() {
	m.encoder.Close()
	m.first.Close()
	m.later.Close()
}

// readPieces reads the vocabulary: one piece a line, the line's number is the token.
func readPieces(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("local: vocabulary: %w", err)
	}
	return strings.Split(string(b), "\n"), nil
}

// hearing is what the recogniser made of some audio.
type hearing struct {
	text       string
	confidence float64 // mean probability of its tokens, geometric
	nothing    float64 // probability that there is no text at all
}

// transcribe recognises pcm, mono at asrRate, full scale 1. The audio should begin and end near the speech; silence is
// added here. pcm is not kept.
func (m *moonshine) transcribe(ctx context.Context, pcm []float32) (hearing, error) {
	pcm = trimQuiet(pcm)
	if len(pcm) < minAsrSamples {
		return hearing{}, nil
	}
	if len(pcm) > maxAsrSamples {
		return hearing{}, fmt.Errorf("local: %d s of audio at once", len(pcm)/asrRate)
	}
	padded := make([]float32, len(pcm)+2*asrPad)
	copy(padded[asrPad:], pcm)
	input, err := onnx.NewFloats(padded, 1, int64(len(padded)))
	if err != nil {
		return hearing{}, err
	}
	defer input.Close()
	encoded := []*onnx.Tensor{nil}
	if err := m.encoder.Run(ctx, []*onnx.Tensor{input}, encoded); err != nil {
		return hearing{}, err
	}
	defer encoded[0].Close()
	limit := int(tokensASecond*float64(len(pcm))/asrRate) + 4
	d := decoding{model: m, encoded: encoded[0]}
	defer d.close()
	return d.run(ctx, limit)
}

// decoding is the state of one greedy decoding.
type decoding struct {
	model   *moonshine
	encoded *onnx.Tensor
	cache   []*onnx.Tensor
	token   []int64
	input   *onnx.Tensor
}

func (d *decoding) close() {
	for _, t := range d.cache {
		t.Close()
	}
	d.input.Close()
}

func (d *decoding) run(ctx context.Context, limit int) (hearing, error) {
	var err error
	d.token = []int64{beginText}
	if d.input, err = onnx.NewInts(d.token, 1, 1); err != nil {
		return hearing{}, err
	}
	var (
		h      hearing
		tokens []int64
		sum    float64
	)
	for len(tokens) < limit {
		logits, err := d.step(ctx)
		if err != nil {
			return hearing{}, err
		}
		scores := logits.Floats()
		if len(scores) <= endText {
			logits.Close()
			return hearing{}, errors.New("local: the recogniser's decoder gave no scores")
		}
		if len(tokens) == 0 {
			// The detector is sure that something was said, so "nothing" is not an answer.
			h.nothing = probability(scores, endText)
			scores[endText] = float32(math.Inf(-1))
		}
		best := largest(scores)
		sum += math.Log(max(probability(scores, best), 1e-9))
		logits.Close()
		if best == endText {
			break
		}
		tokens = append(tokens, int64(best))
		if cut := repetition(tokens); cut < len(tokens) {
			tokens = tokens[:cut]
			break
		}
		d.token[0] = int64(best)
	}
	h.text = joinPieces(d.model.pieces, tokens)
	h.confidence = math.Exp(sum / float64(len(tokens)+1))
	return h, nil
}

// step runs the decoder once. The caller closes the scores.
func (d *decoding) step(ctx context.Context) (*onnx.Tensor, error) {
	if d.cache == nil {
		out := make([]*onnx.Tensor, 1+cacheTensors)
		if err := d.model.first.Run(ctx, []*onnx.Tensor{d.input, d.encoded}, out); err != nil {
			return nil, err
		}
		d.cache = out[1:]
		return out[0], nil
	}
	in := append(make([]*onnx.Tensor, 0, 1+cacheTensors), d.input)
	in = append(in, d.cache...)
	out := make([]*onnx.Tensor, 1+cacheTensors/ownCacheStride)
	if err := d.model.later.Run(ctx, in, out); err != nil {
		return nil, err
	}
	for i, t := range out[1:] {
		d.cache[ownCacheStride*i].Close()
		d.cache[ownCacheStride*i] = t
	}
	return out[0], nil
}

func largest(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// probability is the softmax of scores at i.
func probability(scores []float32, i int) float64 {
	top := scores[largest(scores)]
	var sum float64
	for _, s := range scores {
		if d := float64(s - top); d > -20 { // less adds nothing
			sum += math.Exp(d)
		}
	}
	return math.Exp(float64(scores[i]-top)) / sum
}

// repetition finds the loops that a greedy decoder falls into on noise. It gives how many tokens to keep: all, or those
// up to the first round of a phrase that has come four times in a row (a single token: six times, as in "two two two").
func repetition(tokens []int64) int {
	for size := 1; size <= 8; size++ {
		rounds := 4
		if size == 1 {
			rounds = 6
		}
		if len(tokens) < size*rounds {
			return len(tokens)
		}
		loop := true
		for i := len(tokens) - size*(rounds-1); i < len(tokens) && loop; i++ {
			loop = tokens[i] == tokens[i-size]
		}
		if loop {
			return len(tokens) - size*(rounds-1)
		}
	}
	return len(tokens)
}

// joinPieces joins the pieces of tokens. Bytes are written as <0x41>, word beginnings as U+2581.
func joinPieces(pieces []string, tokens []int64) string {
	var b strings.Builder
	for _, t := range tokens {
		if t <= endText || int(t) >= len(pieces) {
			continue
		}
		p := pieces[t]
		if hex, ok := strings.CutPrefix(p, "<0x"); ok && len(p) == 6 {
			if v, err := strconv.ParseUint(strings.TrimSuffix(hex, ">"), 16, 8); err == nil {
				b.WriteByte(byte(v))
				continue
			}
		}
		b.WriteString(strings.ReplaceAll(p, "\u2581", " "))
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()), "")
}

// trimQuiet cuts off what is much quieter than the loudest part, at both ends, but for 50 ms.
func trimQuiet(pcm []float32) []float32 {
	var peak float32
	for _, x := range pcm {
		peak = max(peak, x, -x)
	}
	threshold := max(0.03*peak, 0.001)
	loud := func(x float32) bool { return x > threshold || x < -threshold }
	start, end := 0, len(pcm)
	for start < end && !loud(pcm[start]) {
		start++
	}
	for end > start && !loud(pcm[end-1]) {
		end--
	}
	if start == end {
		return nil
	}
	const margin = asrRate / 20
	return pcm[max(0, start-margin):min(len(pcm), end+margin)]
}
