package graph

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// model makes the wire format of a small model: y = Relu(x) + c, with a node and a constant that nothing needs.
func model() []byte {
	var g []byte
	put := func(num protowire.Number, b []byte) { g = appendBytes(g, num, b) }
	put(graphNode, NewNode("Relu", "relu", []string{"x"}, []string{"a"}).encode())
	put(graphNode, NewNode("Add", "add", []string{"a", "c"}, []string{"y"}, Int("axis", -1), Ints("pads", 1, 2)).encode())
	put(graphNode, NewNode("Neg", "unused", []string{"a"}, []string{"b"}).encode())
	put(2, []byte("main"))
	put(graphInitializer, NewFloats("c", []int64{2}, []float32{1, 2}).raw)
	put(graphInitializer, NewInt64s("d", 7).raw)
	put(graphInput, appendString(nil, 1, "x"))
	put(graphOutput, appendString(nil, 1, "y"))
	b := appendVarint(nil, 1, 8) // ir_version
	return appendBytes(b, modelGraph, g)
}

func parse(t *testing.T, b []byte) *Model {
	t.Helper()
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ops(m *Model) []string {
	var out []string
	for _, n := range m.Nodes {
		out = append(out, n.Op)
	}
	return out
}

func TestEncodeKeepsTheModel(t *testing.T) {
	t.Parallel()
	m := parse(t, model())
	again := parse(t, m.Encode())
	if !reflect.DeepEqual(m.Nodes, again.Nodes) || !reflect.DeepEqual(m.constants, again.constants) || !reflect.DeepEqual(m.header, again.header) {
		t.Errorf("%+v came back as %+v", m, again)
	}
	if !bytes.Equal(again.Encode(), m.Encode()) {
		t.Error("a second encoding differs")
	}
	add := again.Nodes[1]
	if v, err := add.Int("axis", 0); v != -1 || err != nil {
		t.Errorf("axis %d %v", v, err)
	}
	if v, err := add.Ints("pads"); !slices.Equal(v, []int64{1, 2}) || err != nil {
		t.Errorf("pads %v %v", v, err)
	}
	if v, err := add.Int("nothing", 5); v != 5 || err != nil {
		t.Errorf("attribute left out %d %v", v, err)
	}
}

func TestPruneDropsWhatNoOutputNeeds(t *testing.T) {
	t.Parallel()
	m := parse(t, model())
	m.Prune()
	m = parse(t, m.Encode())
	if got := ops(m); !slices.Equal(got, []string{"Relu", "Add"}) {
		t.Errorf("nodes %v", got)
	}
	if m.Constant("c") == nil || m.Constant("d") != nil {
		t.Errorf("constants %v", m.order)
	}
}

// conditional is a model of one If, whose branches read a constant and an input of the model around them.
func conditional() *Model {
	branch := func(op string) []byte {
		g := appendBytes(nil, graphNode, NewNode(op, op, []string{"x", "c"}, []string{op + "_out"}).encode())
		return appendBytes(g, graphOutput, appendString(nil, 1, op+"_out"))
	}
	attribute := func(name string, g []byte) Attribute {
		return Attribute{appendBytes(appendString(nil, attributeName, name), attributeGraph, g)}
	}
	n := NewNode("If", "if", []string{"choice"}, []string{"y"}, attribute("then_branch", branch("Add")), attribute("else_branch", branch("Sub")))
	g := appendBytes(nil, graphNode, n.encode())
	g = appendBytes(g, graphInitializer, NewFloats("c", []int64{1}, []float32{1}).raw)
	for _, in := range []string{"x", "choice"} {
		g = appendBytes(g, graphInput, appendString(nil, 1, in))
	}
	g = appendBytes(g, graphOutput, appendString(nil, 1, "y"))
	m, err := Parse(appendBytes(nil, modelGraph, g))
	if err != nil {
		panic(err)
	}
	return m
}

func TestBranchBecomesAModelOfItsOwn(t *testing.T) {
	t.Parallel()
	m := conditional()
	b, err := m.Branch(m.Nodes[0], "else_branch", func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	b = parse(t, b.Encode())
	if got := ops(b); !slices.Equal(got, []string{"Sub", "Identity"}) {
		t.Errorf("nodes %v", got)
	}
	if len(b.Inputs) != 1 || b.Inputs[0].Name != "x" || b.Outputs[0].Name != "y" || b.Constant("c") == nil {
		t.Errorf("inputs %v, outputs %v, constants %v", b.Inputs, b.Outputs, b.order)
	}
	if _, err := m.Branch(m.Nodes[0], "body", func(string) bool { return true }); err == nil {
		t.Error("a branch that is not there gave no error")
	}
	m.Prune()
	if m.Constant("c") == nil {
		t.Error("a constant that only branches read was dropped")
	}
}

func TestTensors(t *testing.T) {
	t.Parallel()
	if v, err := NewFloats("f", []int64{2}, []float32{1.5, -2}).Floats(); err != nil || !slices.Equal(v, []float32{1.5, -2}) {
		t.Errorf("floats %v %v", v, err)
	}
	if v, err := NewInt8s("i", nil, []int8{-3}).Ints(); err != nil || !slices.Equal(v, []int32{-3}) {
		t.Errorf("scalar %v %v", v, err)
	}
	if _, err := NewFloats("short", []int64{3}, []float32{1}).Floats(); err == nil || !strings.Contains(err.Error(), "short") {
		t.Errorf("a tensor with too little data: %v", err)
	}
	if _, err := NewInt64s("i", 1).Floats(); err == nil {
		t.Error("integers were read as floats")
	}
	if _, err := parseTensor(field{typ: protowire.BytesType, val: NewFloats("huge", []int64{1 << 30, 1 << 30}, nil).raw}); err == nil {
		t.Error("a tensor of 2^60 elements was taken")
	}
}

func TestMalformedModelsAreErrors(t *testing.T) {
	t.Parallel()
	whole := model()
	for n := 1; n < len(whole); n++ {
		if m, err := Parse(whole[:n]); err == nil && len(m.Nodes) == 3 && len(m.Outputs) == 1 {
			t.Errorf("the first %d of %d bytes were taken for a whole model", n, len(whole))
		}
	}
	for name, b := range map[string][]byte{
		"empty":             nil,
		"two graphs":        slices.Concat(whole, appendBytes(nil, modelGraph, nil)),
		"graph as a number": appendVarint(nil, modelGraph, 3),
		"deep": func() []byte {
			g := []byte{}
			for range 100 {
				n := NewNode("If", "", nil, nil, Attribute{appendBytes(appendString(nil, attributeName, "a"), attributeGraph, g)})
				g = appendBytes(nil, graphNode, n.encode())
			}
			return appendBytes(nil, modelGraph, g)
		}(),
	} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(model())
	f.Add(conditional().Encode())
	f.Add([]byte{0x3a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		for _, n := range m.Nodes {
			_, _ = n.Int("axis", 0)
			_, _ = n.Ints("pads")
			_, _ = m.Branch(n, "then_branch", func(string) bool { return true })
		}
		for _, name := range m.order {
			_, _ = m.Constant(name).Floats()
			_, _ = m.Constant(name).Ints()
		}
		again, err := Parse(m.Encode())
		if err != nil {
			t.Fatalf("what was encoded cannot be parsed: %v", err)
		}
		if len(again.Nodes) != len(m.Nodes) || len(again.order) != len(m.order) {
			t.Fatalf("%d nodes and %d constants came back as %d and %d", len(m.Nodes), len(m.order), len(again.Nodes), len(again.order))
		}
		m.Prune()
		_ = m.Encode()
	})
}
