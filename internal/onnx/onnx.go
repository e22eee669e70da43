// Package onnx runs neural networks through the onnxruntime shared library. It is the only package that uses cgo.
//
// It owns the process-wide runtime, sessions and tensors; it knows nothing of what the networks mean. The library is
// opened by path at run time, so a binary carries no path to it. With the build tag noonnx (or without cgo) the
// package is left out and everything answers ErrNotBuilt.
package onnx

import "errors"

// ErrNotBuilt is the answer of every function in a binary built without onnxruntime.
var ErrNotBuilt = errors.New("onnx: this binary is built without onnxruntime (build tag noonnx, or no cgo)")

// Options of a session.
type Options struct {
	Inputs  []string // names, in the order Run takes them
	Outputs []string
	Threads int // threads a single run may use; at least 1
}
