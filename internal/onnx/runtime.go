//go:build cgo && !noonnx

package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Built reports whether this binary can run networks.
const Built = true

//nolint:gochecknoglobals // onnxruntime has one environment a process
var environment struct {
	sync.Mutex
	library string
}

// Start loads the onnxruntime library at path. The first call decides; later calls with another path are refused,
// because a process has one onnxruntime. It stays loaded until the process ends.
func Start(path string) error {
	environment.Lock()
	defer environment.Unlock()
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("onnx: load runtime: %w", err)
	}
	if environment.library == path {
		return nil
	}
	if environment.library != "" {
		return fmt.Errorf("onnx: %s is already loaded, not loading %s", environment.library, path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("onnx: load runtime: %w", err)
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("onnx: load runtime: %w", err)
	}
	// The vendor's telemetry exists on Windows only; it is switched off everywhere so that this needs no knowledge of it.
	if err := ort.DisableTelemetry(); err != nil {
		return fmt.Errorf("onnx: disable telemetry: %w", err)
	}
	environment.library = path
	return nil
}

// Version is the version of the loaded runtime, empty before Start.
func Version() string {
	environment.Lock()
	defer environment.Unlock()
	if environment.library == "" {
		return ""
	}
	return ort.GetVersion()
}

// Session is a loaded network. Runs may overlap.
type Session struct {
	session *ort.DynamicAdvancedSession
	inputs  int
	outputs int
}

// Open loads the network in the file at path. Start must have succeeded.
func Open(path string, opts Options) (*Session, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("onnx: session options: %w", err)
	}
	defer func() { _ = o.Destroy() }() // fails only when nil
	err = errors.Join(
		o.SetIntraOpNumThreads(max(opts.Threads, 1)),
		o.SetInterOpNumThreads(1),
		// Spinning threads would burn the cores that other calls need.
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, fmt.Errorf("onnx: session options: %w", err)
	}
	s, err := ort.NewDynamicAdvancedSession(path, opts.Inputs, opts.Outputs, o)
	if err != nil {
		return nil, fmt.Errorf("onnx: load %s: %w", path, err)
	}
	return &Session{session: s, inputs: len(opts.Inputs), outputs: len(opts.Outputs)}, nil
}

// Run computes outputs from inputs, in the order of Options. A nil output is allocated, and is the caller's to Close.
// When ctx ends the run is broken off between two operators of the network, and ctx's error is returned.
func (s *Session) Run(ctx context.Context, inputs, outputs []*Tensor) error {
	if len(inputs) != s.inputs || len(outputs) != s.outputs {
		return fmt.Errorf("onnx: run with %d inputs and %d outputs, the session has %d and %d", len(inputs), len(outputs), s.inputs, s.outputs)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	in, out := make([]ort.Value, len(inputs)), make([]ort.Value, len(outputs))
	for i, t := range inputs {
		in[i] = t.value
	}
	for i, t := range outputs {
		if t != nil {
			out[i] = t.value
		}
	}
	err := s.run(ctx, in, out)
	// The values point into memory that only the tensors keep alive.
	runtime.KeepAlive(inputs)
	runtime.KeepAlive(outputs)
	for i, v := range out {
		switch {
		case outputs[i] != nil || v == nil:
		case err == nil:
			outputs[i] = newTensor(v)
		default: // a failed run hands out nothing half-made
			_ = v.Destroy()
		}
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("onnx: run: %w", err)
}

// run is a run that ctx can break off. Contexts that never end take the cheap way.
func (s *Session) run(ctx context.Context, in, out []ort.Value) error {
	if ctx.Done() == nil {
		return s.session.Run(in, out)
	}
	opts, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	var mu sync.Mutex // Terminate must not meet a destroyed RunOptions
	done := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			_ = opts.Terminate() // the run's own error says that it ended
		}
	})
	err = s.session.RunWithOptions(in, out, opts)
	stop()
	mu.Lock()
	done = true
	mu.Unlock()
	return errors.Join(err, opts.Destroy())
}

// Close frees the network. No run may be going on.
func (s *Session) Close() {
	if s != nil && s.session != nil {
		_ = s.session.Destroy() // fails only when closed already
		s.session = nil
	}
}

// Tensor is an array that a network reads or writes. One that is forgotten is freed by the garbage collector.
type Tensor struct {
	*memory
	cleanup runtime.Cleanup
}

// memory is what a tensor owns outside of the Go heap.
type memory struct {
	value ort.Value
	pin   runtime.Pinner // onnxruntime keeps a pointer to the Go data between calls
}

func (m *memory) free() {
	_ = m.value.Destroy() // fails only when freed already
	m.pin.Unpin()
}

// NewFloats wraps data, which is not copied, in a tensor of the given shape.
func NewFloats(data []float32, shape ...int64) (*Tensor, error) { return wrap(data, shape) }

// NewInts wraps data, which is not copied, in a tensor of the given shape.
func NewInts(data []int64, shape ...int64) (*Tensor, error) { return wrap(data, shape) }

func wrap[T float32 | int64](data []T, shape []int64) (*Tensor, error) {
	if len(data) == 0 || len(shape) == 0 { // scalar and empty shapes crash the binding
		return nil, errors.New("onnx: a tensor needs at least one dimension and one element")
	}
	v, err := ort.NewTensor(ort.NewShape(shape...), data)
	if err != nil {
		return nil, fmt.Errorf("onnx: tensor: %w", err)
	}
	t := newTensor(v)
	t.pin.Pin(&data[0])
	return t, nil
}

func newTensor(v ort.Value) *Tensor {
	t := &Tensor{memory: &memory{value: v}}
	t.cleanup = runtime.AddCleanup(t, (*memory).free, t.memory)
	return t
}

// Floats is the tensor's data, nil when it holds no floats. It is valid until Close.
func (t *Tensor) Floats() []float32 {
	if v, ok := t.value.(*ort.Tensor[float32]); ok {
		return v.GetData()
	}
	return nil
}

// Close frees the tensor; it cannot be used any more. Closing nil, or again, is fine.
func (t *Tensor) Close() {
	if t == nil || t.memory == nil {
		return
	}
	t.cleanup.Stop()
	t.free()
	t.memory = nil
}
