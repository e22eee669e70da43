package model

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"talkstack/internal/model/graph"
	"talkstack/internal/onnx"
)

// message builds protobuf messages.
type message []byte

func (m message) bytes(num protowire.Number, v []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, num, protowire.BytesType), v)
}

func (m message) int(num protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, num, protowire.VarintType), uint64(v))
}

func (m message) string(num protowire.Number, v string) message { return m.bytes(num, []byte(v)) }

// tensor is a constant with raw data.
func tensor(name string, kind int64, dims []int64, data []byte) message {
	var m message
	for _, d := range dims {
		m = m.int(1, d)
	}
	return m.int(2, kind).string(8, name).bytes(9, data)
}

func floatTensor(name string, dims []int64, v ...float32) message {
	var data []byte
	for _, x := range v {
		b := math.Float32bits(x)
		data = append(data, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
	}
	return tensor(name, 1, dims, data)
}

func node(op, inputs, outputs string, attributes ...message) message {
	var m message
	for in := range strings.FieldsSeq(inputs) {
		m = m.string(1, in)
	}
	for out := range strings.FieldsSeq(outputs) {
		m = m.string(2, out)
	}
	m = m.string(3, op+"_"+outputs).string(4, op)
	for _, a := range attributes {
		m = m.bytes(5, a)
	}
	return m
}

func attribute(name string, v ...int64) message {
	m := message{}.string(1, name)
	for _, x := range v {
		m = m.int(8, x)
	}
	return m.int(20, 7)
}

func value(name string, dims ...int64) message {
	var shape message
	for _, d := range dims {
		shape = shape.bytes(1, message{}.int(1, d))
	}
	return message{}.string(1, name).bytes(2, message{}.bytes(1, message{}.int(1, 1).bytes(2, shape)))
}

const (
	channels = 3
	outs     = 5
	taps     = 3
	samples  = 40
)

// quantisedConvolution is the pattern of Kokoro: x is quantised on the fly, convolved with byte weights, the bias is added in
// integers, and the result is scaled back.
func quantisedConvolution() []byte {
	random := rand.New(rand.NewPCG(3, 4))
	weights := make([]byte, outs*channels*taps)
	for i := range weights {
		weights[i] = byte(random.IntN(256))
	}
	cast := func(to int64) message { return message{}.string(1, "to").int(3, to).int(20, 2) }
	g := message{}.
		bytes(1, node("DynamicQuantizeLinear", "x", "q qs qz")).
		bytes(1, node("ConvInteger", "q w qz wz", "ci", attribute("pads", 2, 2), attribute("dilations", 2), attribute("strides", 1))).
		bytes(1, node("Mul", "qs ws", "scale")).
		bytes(1, node("Div", "bias scale", "b1")).
		bytes(1, node("Floor", "b1", "b2")).
		bytes(1, node("Cast", "b2", "b3", cast(6))).
		bytes(1, node("Reshape", "b3 column", "b4")).
		bytes(1, node("Add", "ci b4", "sum")).
		bytes(1, node("Cast", "sum", "f", cast(1))).
		bytes(1, node("Mul", "f scale", "y")).
		string(2, "main").
		bytes(5, tensor("w", 2, []int64{outs, channels, taps}, weights)).
		bytes(5, tensor("wz", 2, nil, []byte{121})).
		bytes(5, floatTensor("ws", []int64{1}, 0.013)).
		bytes(5, floatTensor("bias", []int64{outs}, 0.1, -0.2, 0.3, 0, 1)).
		bytes(5, tensor("column", 7, []int64{3}, []byte{1, 0, 0, 0, 0, 0, 0, 0, outs, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})).
		bytes(11, value("x", 1, channels, samples)).
		bytes(12, value("y", 1, outs, samples))
	return message{}.int(1, 8).bytes(8, message{}.string(1, "").int(2, 17)).bytes(7, g)
}

// run runs a network from x to y.
func run(t *testing.T, net []byte) []float32 {
	t.Helper()
	if err := onnx.Start(filepath.Join("..", "..", "data", "models", "libonnxruntime.so")); err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := os.WriteFile(path, net, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := onnx.Open(path, onnx.Options{Inputs: []string{"x"}, Outputs: []string{"y"}, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]float32, channels*samples)
	for i := range data {
		data[i] = float32(random.NormFloat64())
	}
	x, err := onnx.NewFloats(data, 1, channels, samples)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	out := []*onnx.Tensor{nil}
	if err := s.Run(context.Background(), []*onnx.Tensor{x}, out); err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	return append([]float32(nil), out[0].Floats()...)
}

func TestTheRewrittenConvolutionComputesTheSame(t *testing.T) {
	t.Parallel()
	src := quantisedConvolution()
	want := run(t, src)
	if len(want) != outs*samples {
		t.Fatalf("%d outputs", len(want))
	}
	for name, test := range map[string]struct {
		vnni      bool
		tolerance float64 // the original rounds the bias to a step of the scale; in float nothing is rounded
		op        string
	}{
		"integers": {true, 0.001, "MatMulInteger"},
		"floats":   {false, 0.12, "Conv"},
	} {
		net, err := rewriteKokoro(src, test.vnni)
		if err != nil {
			t.Fatal(err)
		}
		m, err := graph.Parse(net)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, n := range m.Nodes {
			if n.Op == "ConvInteger" {
				t.Errorf("%s: a slow convolution is left", name)
			}
			found = found || n.Op == test.op
		}
		if !found {
			t.Errorf("%s: no %s", name, test.op)
		}
		worst := 0.0
		for i, got := range run(t, net) {
			worst = max(worst, math.Abs(float64(got-want[i])))
		}
		if worst > test.tolerance {
			t.Errorf("%s: differs by up to %g", name, worst)
		}
	}
}

func TestOtherNetworksAreNotRewritten(t *testing.T) {
	t.Parallel()
	src := quantisedConvolution()
	m, err := graph.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m.Add(graph.NewFloats("ws", []int64{2}, []float32{1, 2})) // a scale for each channel
	for name, b := range map[string][]byte{"empty": nil, "cut off": src[:len(src)/2], "scales by channel": m.Encode()} {
		if _, err := rewriteKokoro(b, true); err == nil {
			t.Errorf("%s: rewritten without an error", name)
		}
	}
	if _, _, err := splitDecoder(src); err == nil {
		t.Error("a network without an If was split")
	}
	if _, err := readVocabulary([]byte(`llama_vocab_base64 = "eA=="`)); err == nil {
		t.Error("a vocabulary of one piece was taken")
	}
}
