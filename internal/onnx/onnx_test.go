//go:build cgo && !noonnx

package onnx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func modelDir() string {
	if dir := os.Getenv("TALKSTACK_MODELS_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "data", "models")
}

// open loads the smallest of the real networks, the voice detector's.
func open(t *testing.T) *Session {
	t.Helper()
	if err := Start(filepath.Join(modelDir(), "libonnxruntime.so")); err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	s, err := Open(filepath.Join(modelDir(), "silero_vad_v5.onnx"), Options{Inputs: []string{"input", "state", "sr"}, Outputs: []string{"output", "stateN"}, Threads: 1})
	if err != nil {
		t.Fatalf("%v (for tests: make models)", err)
	}
	t.Cleanup(s.Close)
	return s
}

func inputs(t *testing.T) []*Tensor {
	t.Helper()
	window := make([]float32, 288)
	for i := range window {
		window[i] = float32(i%17)/17 - 0.5
	}
	input, err1 := NewFloats(window, 1, 288)
	state, err2 := NewFloats(make([]float32, 256), 2, 1, 128)
	rate, err3 := NewInts([]int64{8000}, 1)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return []*Tensor{input, state, rate}
}

func TestRunsOverlapAndAgree(t *testing.T) {
	t.Parallel()
	s := open(t)
	in := inputs(t)
	probability := func() float32 {
		out := []*Tensor{nil, nil}
		if err := s.Run(context.Background(), in, out); err != nil {
			t.Error(err)
			return -1
		}
		defer out[0].Close()
		defer out[1].Close()
		return out[0].Floats()[0]
	}
	want := probability()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				runtime.GC() // tensors' memory must not be collected under a run
				if got := probability(); got != want {
					t.Errorf("%v, wanted %v", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAnEndedContextBreaksOff(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, inputs(t), []*Tensor{nil, nil}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestMistakesAreErrors(t *testing.T) {
	t.Parallel()
	s := open(t)
	in := inputs(t)
	if err := s.Run(t.Context(), in[:2], []*Tensor{nil, nil}); err == nil {
		t.Error("a run with an input too few succeeded")
	}
	out := []*Tensor{nil, nil}
	if err := s.Run(t.Context(), []*Tensor{in[2], in[1], in[0]}, out); err == nil || out[0] != nil {
		t.Errorf("a run with inputs in the wrong order: %v, %v", err, out)
	}
	if _, err := NewFloats(nil, 1); err == nil {
		t.Error("an empty tensor was made")
	}
	if _, err := NewFloats([]float32{1}); err == nil {
		t.Error("a scalar was made")
	}
	if _, err := NewFloats([]float32{1}, 2); err == nil {
		t.Error("a tensor larger than its data was made")
	}
	broken := filepath.Join(t.TempDir(), "broken.onnx")
	if err := os.WriteFile(broken, []byte("no network"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(broken, Options{Inputs: []string{"x"}, Outputs: []string{"y"}}); err == nil || !strings.Contains(err.Error(), "broken.onnx") {
		t.Errorf("a broken network: %v", err)
	}
	if err := Start(broken); err == nil {
		t.Error("a second runtime was loaded")
	}
	if Version() == "" {
		t.Error("no version")
	}
	tensor, err := NewFloats([]float32{1, 2}, 2)
	if err != nil {
		t.Fatal(err)
	}
	tensor.Close()
	tensor.Close()
}
