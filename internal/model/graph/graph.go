// Package graph reads, edits and writes ONNX models at the level of nodes and constants.
//
// It works on the protobuf wire format (onnx.proto3 of the ONNX project) and keeps what it does not understand as it is.
// It knows operators only by name; what a rewrite means is its caller's business. Input that is cut off or malformed gives
// errors, never a panic.
package graph

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of ModelProto and GraphProto.
const (
	modelGraph = 7

	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphValueInfo   = 13
)

// maxDepth is how deep graphs may be nested in attributes: hostile input must not exhaust the stack.
const maxDepth = 16

// Model is an ONNX model with one main graph.
type Model struct {
	Nodes     []*Node // in topological order
	Inputs    []Value
	Outputs   []Value
	header    []byte // the model's fields but the graph
	rest      []byte // the graph's fields but those above and below
	constants map[string]*Tensor
	order     []string // names of constants, in file order
}

// Value is a graph's input or output.
type Value struct {
	Name string
	raw  []byte
}

// Parse reads a model. It refers to b, which must not change afterwards.
func Parse(b []byte) (*Model, error) {
	m := &Model{}
	found := false
	err := fields(b, func(f field) error {
		if f.num != modelGraph {
			m.header = append(m.header, f.raw...)
			return nil
		}
		if found {
			return errors.New("two graphs")
		}
		found = true
		return m.parseGraph(f)
	})
	if err == nil && !found {
		err = errors.New("no graph")
	}
	if err != nil {
		return nil, fmt.Errorf("graph: parse: %w", err)
	}
	return m, nil
}

func (m *Model) parseGraph(f field) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	m.constants = map[string]*Tensor{}
	return fields(b, func(f field) error {
		switch f.num {
		case graphNode:
			n, err := parseNode(f)
			if err != nil {
				return fmt.Errorf("node %d: %w", len(m.Nodes), err)
			}
			m.Nodes = append(m.Nodes, n)
		case graphInitializer:
			t, err := parseTensor(f)
			if err != nil {
				return fmt.Errorf("constant %d: %w", len(m.order), err)
			}
			if m.constants[t.Name] != nil {
				return fmt.Errorf("two constants %q", t.Name)
			}
			m.Add(t)
		case graphInput, graphOutput:
			v, err := parseValue(f)
			if err != nil {
				return err
			}
			if f.num == graphInput {
				m.Inputs = append(m.Inputs, v)
			} else {
				m.Outputs = append(m.Outputs, v)
			}
		case graphValueInfo: // shapes of inner values: only a hint, and wrong after an edit
		default:
			m.rest = append(m.rest, f.raw...)
		}
		return nil
	})
}

func parseValue(f field) (Value, error) {
	b, err := f.bytes()
	if err != nil {
		return Value{}, err
	}
	v := Value{raw: b}
	v.Name, err = stringField(b, 1)
	return v, err
}

// Encode writes the model.
func (m *Model) Encode() []byte {
	var g []byte
	for _, n := range m.Nodes {
		g = appendBytes(g, graphNode, n.encode())
	}
	g = append(g, m.rest...)
	for _, name := range m.order {
		g = appendBytes(g, graphInitializer, m.constants[name].raw)
	}
	for _, v := range m.Inputs {
		g = appendBytes(g, graphInput, v.raw)
	}
	for _, v := range m.Outputs {
		g = appendBytes(g, graphOutput, v.raw)
	}
	return appendBytes(slices.Clone(m.header), modelGraph, g)
}

// Constant is the named constant, nil when there is none.
func (m *Model) Constant(name string) *Tensor { return m.constants[name] }

// Add adds a constant; one of the same name is replaced.
func (m *Model) Add(t *Tensor) {
	if m.constants[t.Name] == nil {
		m.order = append(m.order, t.Name)
	}
	m.constants[t.Name] = t
}

// Producers maps each value to the node that makes it.
func (m *Model) Producers() map[string]*Node {
	made := make(map[string]*Node, len(m.Nodes))
	for _, n := range m.Nodes {
		for _, out := range n.Outputs {
			made[out] = n
		}
	}
	return made
}

// Consumers maps each value to the nodes that read it, once for each place they read it in.
func (m *Model) Consumers() map[string][]*Node {
	read := make(map[string][]*Node, len(m.Nodes))
	for _, n := range m.Nodes {
		for _, in := range n.Inputs {
			read[in] = append(read[in], n)
		}
		for _, in := range n.captured {
			read[in] = append(read[in], n)
		}
	}
	return read
}

// Prune drops the nodes and constants that no output needs.
func (m *Model) Prune() {
	made := m.Producers()
	needed := map[*Node]bool{}
	used := map[string]bool{}
	var stack []string
	for _, v := range m.Outputs {
		stack = append(stack, v.Name)
	}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		used[name] = true
		if n := made[name]; n != nil && !needed[n] {
			needed[n] = true
			stack = append(append(stack, n.Inputs...), n.captured...)
		}
	}
	m.Nodes = slices.DeleteFunc(m.Nodes, func(n *Node) bool { return !needed[n] })
	m.order = slices.DeleteFunc(m.order, func(name string) bool {
		if used[name] {
			return false
		}
		delete(m.constants, name)
		return true
	})
}

// Branch makes a model of its own out of a subgraph of node n: the branch of an If whose outputs are, in order, those of
// the model. Only outputs for which keep answers true stay. Constants and inputs that the branch takes from the model
// around it come along.
func (m *Model) Branch(n *Node, attribute string, keep func(output string) bool) (*Model, error) {
	sub, err := n.subgraph(attribute)
	if err != nil {
		return nil, fmt.Errorf("graph: branch %s of node %q: %w", attribute, n.Name, err)
	}
	b := &Model{header: m.header}
	if err := b.parseGraph(field{num: modelGraph, typ: protowire.BytesType, val: sub}); err != nil {
		return nil, fmt.Errorf("graph: branch %s of node %q: %w", attribute, n.Name, err)
	}
	if len(b.Outputs) != len(m.Outputs) {
		return nil, fmt.Errorf("graph: branch %s of node %q has %d outputs, the model %d", attribute, n.Name, len(b.Outputs), len(m.Outputs))
	}
	inner := b.Outputs
	b.Outputs, b.Inputs = nil, nil
	for i, out := range m.Outputs {
		if !keep(out.Name) {
			continue
		}
		if inner[i].Name != out.Name {
			b.Nodes = append(b.Nodes, NewNode("Identity", "out_"+out.Name, []string{inner[i].Name}, []string{out.Name}))
		}
		b.Outputs = append(b.Outputs, out)
	}
	read := b.Consumers()
	for _, name := range m.order {
		if len(read[name]) > 0 && b.constants[name] == nil {
			b.Add(m.constants[name])
		}
	}
	b.Prune()
	read = b.Consumers()
	for _, in := range m.Inputs {
		if len(read[in.Name]) > 0 {
			b.Inputs = append(b.Inputs, in)
		}
	}
	return b, nil
}
