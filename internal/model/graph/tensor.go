package graph

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of TensorProto.
const (
	tensorDims   = 1
	tensorType   = 2
	tensorFloats = 4
	tensorInt32s = 5
	tensorName   = 8
	tensorData   = 9
)

// Type is what a tensor's elements are, numbered as in TensorProto.DataType.
type Type int32

// The types that can be read and made here.
const (
	Float Type = 1
	Uint8 Type = 2
	Int8  Type = 3
	Int32 Type = 6
	Int64 Type = 7
)

// Tensor is a constant. It is immutable.
type Tensor struct {
	Name string
	Type Type
	Dims []int64 // empty: a scalar
	raw  []byte
}

// NewFloats makes a constant of floats.
func NewFloats(name string, dims []int64, v []float32) *Tensor {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return newTensor(name, Float, dims, data)
}

// NewInt64s makes a constant list of integers.
func NewInt64s(name string, v ...int64) *Tensor {
	data := make([]byte, 0, 8*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint64(data, uint64(x))
	}
	return newTensor(name, Int64, []int64{int64(len(v))}, data)
}

// NewInt8s makes a constant of signed bytes; no dims make a scalar.
func NewInt8s(name string, dims []int64, v []int8) *Tensor {
	data := make([]byte, len(v))
	for i, x := range v {
		data[i] = byte(x)
	}
	return newTensor(name, Int8, dims, data)
}

func newTensor(name string, typ Type, dims []int64, data []byte) *Tensor {
	var b []byte
	for _, d := range dims {
		b = appendVarint(b, tensorDims, uint64(d))
	}
	b = appendVarint(b, tensorType, uint64(typ))
	b = appendString(b, tensorName, name)
	return &Tensor{Name: name, Type: typ, Dims: dims, raw: appendBytes(b, tensorData, data)}
}

func parseTensor(f field) (*Tensor, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	t := &Tensor{raw: b}
	err = fields(b, func(f field) error {
		switch f.num {
		case tensorDims:
			v, err := f.varints()
			for _, x := range v {
				t.Dims = append(t.Dims, int64(x))
			}
			return err
		case tensorType:
			v, err := f.varint()
			t.Type = Type(v)
			return err
		case tensorName:
			v, err := f.bytes()
			t.Name = string(v)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = count(t.Dims)
	return t, err
}

// Floats is the data of a tensor of floats.
func (t *Tensor) Floats() ([]float32, error) {
	if t.Type != Float {
		return nil, t.errorf("type %d, not float", t.Type)
	}
	var out []float32
	err := fields(t.raw, func(f field) error {
		switch f.num {
		case tensorData, tensorFloats:
			b := f.val // one float, packed floats and raw data are all little-endian words
			if len(b)%4 != 0 || f.typ == protowire.VarintType {
				return fmt.Errorf("%d bytes of floats", len(b))
			}
			for ; len(b) > 0; b = b[4:] {
				out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
			}
		}
		return nil
	})
	return out, t.check(len(out), err)
}

// Ints is the data of a tensor of bytes or 32-bit integers.
func (t *Tensor) Ints() ([]int32, error) {
	var out []int32
	err := fields(t.raw, func(f field) error {
		switch f.num {
		case tensorInt32s:
			v, err := f.varints()
			for _, x := range v {
				out = append(out, int32(x))
			}
			return err
		case tensorData:
			b, err := f.bytes()
			if err != nil {
				return err
			}
			out, err = t.appendInts(out, b)
			return err
		}
		return nil
	})
	return out, t.check(len(out), err)
}

func (t *Tensor) appendInts(out []int32, b []byte) ([]int32, error) {
	switch t.Type {
	case Uint8:
		for _, x := range b {
			out = append(out, int32(x))
		}
	case Int8:
		for _, x := range b {
			out = append(out, int32(int8(x)))
		}
	case Int32:
		if len(b)%4 != 0 {
			return nil, fmt.Errorf("%d bytes of integers", len(b))
		}
		for ; len(b) > 0; b = b[4:] {
			out = append(out, int32(binary.LittleEndian.Uint32(b)))
		}
	case Float, Int64:
		fallthrough
	default:
		return nil, fmt.Errorf("type %d, not bytes or 32-bit integers", t.Type)
	}
	return out, nil
}

func (t *Tensor) check(elements int, err error) error {
	if err != nil {
		return t.errorf("%w", err)
	}
	want, err := count(t.Dims)
	if err != nil {
		return t.errorf("%w", err)
	}
	if elements != want {
		return t.errorf("%d elements where %v needs %d", elements, t.Dims, want)
	}
	return nil
}

func (t *Tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("graph: constant %q: %w", t.Name, fmt.Errorf(format, args...))
}
