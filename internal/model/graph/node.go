package graph

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of NodeProto and AttributeProto.
const (
	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOp        = 4
	nodeAttribute = 5

	attributeName   = 1
	attributeInt    = 3
	attributeGraph  = 6
	attributeInts   = 8
	attributeGraphs = 11
	attributeType   = 20

	attributeTypeInt  = 2
	attributeTypeInts = 7
)

// Node is one operation.
type Node struct {
	Op      string
	Name    string
	Inputs  []string // an empty name is an input left out
	Outputs []string

	attributes [][]byte
	rest       []byte   // domain, doc string and whatever comes later
	captured   []string // values that graphs in the attributes read from outside
}

// NewNode makes a node.
func NewNode(op, name string, inputs, outputs []string, attributes ...Attribute) *Node {
	n := &Node{Op: op, Name: name, Inputs: inputs, Outputs: outputs}
	for _, a := range attributes {
		n.attributes = append(n.attributes, a.raw)
	}
	return n
}

// Attribute is a constant setting of a node.
type Attribute struct{ raw []byte }

// Int makes an attribute of one integer.
func Int(name string, v int64) Attribute {
	b := appendString(nil, attributeName, name)
	b = appendVarint(b, attributeInt, uint64(v))
	return Attribute{appendVarint(b, attributeType, attributeTypeInt)}
}

// Ints makes an attribute of a list of integers.
func Ints(name string, v ...int64) Attribute {
	b := appendString(nil, attributeName, name)
	for _, x := range v {
		b = appendVarint(b, attributeInts, uint64(x))
	}
	return Attribute{appendVarint(b, attributeType, attributeTypeInts)}
}

// Int is an integer attribute of the node, or fallback when it has none of that name.
func (n *Node) Int(name string, fallback int64) (int64, error) {
	v := fallback
	err := n.attribute(name, func(f field) error {
		if f.num != attributeInt {
			return nil
		}
		x, err := f.varint()
		v = int64(x)
		return err
	})
	return v, err
}

// Ints is an attribute of a list of integers, nil when the node has none of that name.
func (n *Node) Ints(name string) ([]int64, error) {
	var v []int64
	err := n.attribute(name, func(f field) error {
		if f.num != attributeInts {
			return nil
		}
		x, err := f.varints()
		for _, x := range x {
			v = append(v, int64(x))
		}
		return err
	})
	return v, err
}

func (n *Node) attribute(name string, visit func(field) error) error {
	for _, raw := range n.attributes {
		got, err := stringField(raw, attributeName)
		if err != nil {
			return err
		}
		if got == name {
			return fields(raw, visit)
		}
	}
	return nil
}

func (n *Node) subgraph(name string) ([]byte, error) {
	var sub []byte
	err := n.attribute(name, func(f field) error {
		if f.num != attributeGraph {
			return nil
		}
		var err error
		sub, err = f.bytes()
		return err
	})
	if err == nil && sub == nil {
		err = errors.New("no such graph")
	}
	return sub, err
}

func parseNode(f field) (*Node, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	n := &Node{}
	err = fields(b, func(f field) error {
		switch f.num {
		case nodeInput, nodeOutput, nodeName, nodeOp, nodeAttribute:
			v, err := f.bytes()
			if err != nil {
				return err
			}
			switch f.num {
			case nodeInput:
				n.Inputs = append(n.Inputs, string(v))
			case nodeOutput:
				n.Outputs = append(n.Outputs, string(v))
			case nodeName:
				n.Name = string(v)
			case nodeOp:
				n.Op = string(v)
			case nodeAttribute:
				n.attributes = append(n.attributes, v)
				n.captured, err = captures(n.captured, v, 0)
				return err
			}
		default:
			n.rest = append(n.rest, f.raw...)
		}
		return nil
	})
	return n, err
}

// captures collects the values that the graphs inside an attribute read. Values made inside are among them, which is
// harmless: it can only keep something that could go.
func captures(names []string, attribute []byte, depth int) ([]string, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("graphs nested deeper than %d", maxDepth)
	}
	err := fields(attribute, func(f field) error {
		if f.num != attributeGraph && f.num != attributeGraphs {
			return nil
		}
		g, err := f.bytes()
		if err != nil {
			return err
		}
		return fields(g, func(f field) error {
			if f.num != graphNode && f.num != graphOutput {
				return nil
			}
			b, err := f.bytes()
			if err != nil {
				return err
			}
			if f.num == graphOutput { // a branch may answer with a value from outside
				name, err := stringField(b, 1)
				names = append(names, name)
				return err
			}
			return fields(b, func(f field) error {
				if f.num != nodeInput && f.num != nodeAttribute {
					return nil
				}
				v, err := f.bytes()
				if err != nil {
					return err
				}
				if f.num == nodeInput {
					names = append(names, string(v))
					return nil
				}
				names, err = captures(names, v, depth+1)
				return err
			})
		})
	})
	return names, err
}

func (n *Node) encode() []byte {
	var b []byte
	for _, v := range n.Inputs {
		b = appendString(b, nodeInput, v)
	}
	for _, v := range n.Outputs {
		b = appendString(b, nodeOutput, v)
	}
	b = appendString(b, nodeName, n.Name)
	b = appendString(b, nodeOp, n.Op)
	for _, a := range n.attributes {
		b = appendBytes(b, nodeAttribute, a)
	}
	return append(b, n.rest...)
}

// field is one field of a protobuf message.
type field struct {
	num protowire.Number
	typ protowire.Type
	raw []byte // tag and value
	val []byte // value; without the length when typ is BytesType
}

// fields visits the fields of a message in order.
func fields(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		l := protowire.ConsumeFieldValue(num, typ, b[n:])
		if l < 0 {
			return protowire.ParseError(l)
		}
		f := field{num: num, typ: typ, raw: b[:n+l], val: b[n : n+l]}
		if typ == protowire.BytesType {
			v, l := protowire.ConsumeBytes(f.val)
			if l < 0 {
				return protowire.ParseError(l)
			}
			f.val = v
		}
		if err := visit(f); err != nil {
			return err
		}
		b = b[n+l:]
	}
	return nil
}

func (f field) bytes() ([]byte, error) {
	if f.typ != protowire.BytesType {
		return nil, fmt.Errorf("field %d is not a message or string", f.num)
	}
	return f.val, nil
}

func (f field) varint() (uint64, error) {
	if f.typ != protowire.VarintType {
		return 0, fmt.Errorf("field %d is not a number", f.num)
	}
	v, n := protowire.ConsumeVarint(f.val)
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	return v, nil
}

// varints reads a repeated number, packed or one at a time.
func (f field) varints() ([]uint64, error) {
	if f.typ != protowire.BytesType {
		v, err := f.varint()
		return []uint64{v}, err
	}
	var out []uint64
	for b := f.val; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		out = append(out, v)
		b = b[n:]
	}
	return out, nil
}

// stringField is the last string field of that number in a message, empty when there is none.
func stringField(b []byte, num protowire.Number) (string, error) {
	var s string
	err := fields(b, func(f field) error {
		if f.num != num {
			return nil
		}
		v, err := f.bytes()
		s = string(v)
		return err
	})
	return s, err
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendString(b []byte, num protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

// count multiplies dimensions; negative ones and products beyond 32 bits are errors.
func count(dims []int64) (int, error) {
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > math.MaxInt32 {
			return 0, fmt.Errorf("dimension %d", d)
		}
		n *= d
		if n > math.MaxInt32 {
			return 0, errors.New("too many elements")
		}
	}
	return int(n), nil
}
