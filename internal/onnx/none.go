//go:build !cgo || noonnx

package onnx

import "context"

// Built reports whether this binary can run networks.
const Built = false

// Session is never made in this build.
type Session struct{}

// Tensor is never made in this build.
type Tensor struct{}

// Start answers ErrNotBuilt.
func Start(string) error { return ErrNotBuilt }

// Version is empty.
func Version() string { return "" }

// Open answers ErrNotBuilt.
func Open(string, Options) (*Session, error) { return nil, ErrNotBuilt }

// Run answers ErrNotBuilt.
func (*Session) Run(context.Context, []*Tensor, []*Tensor) error { return ErrNotBuilt }

// Close does nothing.
func (*Session) Close() {}

// NewFloats answers ErrNotBuilt.
func NewFloats([]float32, ...int64) (*Tensor, error) { return nil, ErrNotBuilt }

// NewInts answers ErrNotBuilt.
func NewInts([]int64, ...int64) (*Tensor, error) { return nil, ErrNotBuilt }

// Floats is nil.
func (*Tensor) Floats() []float32 { return nil }

// Close does nothing.
func (*Tensor) Close() {}
