package model

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"talkstack/internal/model/graph"
)

// splitDecoder cuts Moonshine's merged decoder, one If over two graphs, into its parts: the first step, which reads the
// encoder's output, and the later steps, which read the cache. Outside of an If onnxruntime can prepare the weights
// once instead of at each step. The output head of each is transposed ahead, see transposeHead.
func splitDecoder(src []byte) (first, later []byte, err error) {
	m, err := graph.Parse(src)
	if err != nil {
		return nil, nil, err
	}
	if len(m.Nodes) != 1 || m.Nodes[0].Op != "If" {
		return nil, nil, errors.New("model: moonshine: the decoder is not one If")
	}
	part := func(branch string, keep func(string) bool) ([]byte, error) {
		b, err := m.Branch(m.Nodes[0], branch, keep)
		if err != nil {
			return nil, err
		}
		if err := transposeHead(b); err != nil {
			return nil, fmt.Errorf("model: moonshine: %s: %w", branch, err)
		}
		return b.Encode(), nil
	}
	if first, err = part("else_branch", func(string) bool { return true }); err != nil {
		return nil, nil, err
	}
	// The encoder's part of the cache never changes after the first step.
	later, err = part("then_branch", func(output string) bool { return !strings.Contains(output, ".encoder.") })
	return first, later, err
}

// transposeHead replaces MatMul(x, DequantizeLinear(Transpose(W))), which turns the whole vocabulary into floats at each
// step, by an integer product with W transposed here.
func transposeHead(m *graph.Model) error {
	made, read := m.Producers(), m.Consumers()
	for i, n := range m.Nodes {
		if n.Op != "MatMul" || len(n.Inputs) != 2 || len(n.Outputs) != 1 {
			continue
		}
		dequantize := made[n.Inputs[1]]
		if dequantize == nil || dequantize.Op != "DequantizeLinear" || len(dequantize.Inputs) != 3 || len(read[n.Inputs[1]]) != 1 {
			continue
		}
		transpose := made[dequantize.Inputs[0]]
		if transpose == nil || transpose.Op != "Transpose" || len(transpose.Inputs) != 1 {
			continue
		}
		head, err := newHead(m, transpose.Inputs[0], dequantize.Inputs[1], dequantize.Inputs[2])
		if err != nil {
			return err
		}
		m.Nodes = slices.Replace(m.Nodes, i, i+1, head.nodes(n.Inputs[0], n.Outputs[0])...)
		m.Prune()
		return nil
	}
	return errors.New("no output head found")
}

type head struct{ weights, zero, scale string }

func newHead(m *graph.Model, weights, scale, zero string) (*head, error) {
	w, z := m.Constant(weights), m.Constant(zero)
	if w == nil || z == nil || m.Constant(scale) == nil || len(w.Dims) != 2 || w.Type != z.Type {
		return nil, errors.New("the output head is not a constant matrix")
	}
	values, err := w.Ints()
	if err != nil {
		return nil, err
	}
	zeros, err := z.Ints()
	if err != nil {
		return nil, err
	}
	if len(zeros) != 1 {
		return nil, errors.New("the output head is quantised row by row")
	}
	shift := int32(0)
	if w.Type == graph.Uint8 {
		shift = 128
	}
	rows, columns := w.Dims[0], w.Dims[1]
	turned := make([]int8, len(values))
	for r := range rows {
		for c := range columns {
			turned[c*rows+r] = int8(values[r*columns+c] - shift)
		}
	}
	m.Add(graph.NewInt8s("head_weights", []int64{columns, rows}, turned))
	m.Add(graph.NewInt8s("head_zero", nil, []int8{int8(zeros[0] - shift)}))
	return &head{"head_weights", "head_zero", scale}, nil
}

func (h *head) nodes(input, output string) []*graph.Node {
	node := func(op string, in []string, out ...string) *graph.Node {
		return graph.NewNode(op, "head_"+op+"_"+out[0], in, out)
	}
	return []*graph.Node{
		node("DynamicQuantizeLinear", []string{input}, "head_quantized", "head_input_scale", "head_input_zero"),
		node("MatMulInteger", []string{"head_quantized", h.weights, "head_input_zero", h.zero}, "head_product"),
		graph.NewNode("Cast", "head_Cast", []string{"head_product"}, []string{"head_float"}, graph.Int("to", int64(graph.Float))),
		node("Mul", []string{"head_input_scale", h.scale}, "head_scale"),
		node("Mul", []string{"head_float", "head_scale"}, output),
	}
}

// vocabularySize is how many pieces Moonshine's vocabulary, that of Llama, has.
const vocabularySize = 32000

// readVocabulary takes the vocabulary out of a JavaScript source that holds it as base64: one piece a line.
func readVocabulary(src []byte) ([]byte, error) {
	const mark = `llama_vocab_base64 = "`
	_, rest, ok := bytes.Cut(src, []byte(mark))
	if !ok {
		return nil, errors.New("model: moonshine: no vocabulary found")
	}
	text, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return nil, errors.New("model: moonshine: the vocabulary has no end")
	}
	pieces, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil, fmt.Errorf("model: moonshine: vocabulary: %w", err)
	}
	if n := bytes.Count(pieces, []byte("\n")) + 1; n < vocabularySize {
		return nil, fmt.Errorf("model: moonshine: vocabulary of %d pieces", n)
	}
	return pieces, nil
}
