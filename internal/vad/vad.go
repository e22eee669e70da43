// Package vad says of each frame of a caller's audio whether there is speech in it.
//
// Detector asks the Silero network, behind an energy gate so that silence costs nothing; Energy has the gate alone and
// needs no model. The package owns the network and each call's state of it. What follows from speech and silence
// (endpointing, barge-in) is the business of voice.
package vad

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"talkstack/internal/media"
	"talkstack/internal/onnx"
)

// Files in the models folder.
const (
	libraryFile = "libonnxruntime.so"
	networkFile = "silero_vad_v5.onnx"
)

// The thresholds of the network's probability. Between them what was said last holds.
const (
	speechAbove  = 0.5
	silenceBelow = 0.35
)

// Model is the loaded network. One serves all calls.
type Model struct {
	session *onnx.Session
	rate8   *onnx.Tensor
	rate16  *onnx.Tensor
	windows atomic.Int64
	skipped atomic.Int64
}

// Open loads the network from a models folder.
func Open(dir string) (*Model, error) {
	if err := onnx.Start(filepath.Join(dir, libraryFile)); err != nil {
		return nil, err
	}
	s, err := onnx.Open(filepath.Join(dir, networkFile), onnx.Options{
		Inputs:  []string{"input", "state", "sr"},
		Outputs: []string{"output", "stateN"},
		Threads: 1,
	})
	if err != nil {
		return nil, err
	}
	rate8, err8 := onnx.NewInts([]int64{8000}, 1)
	rate16, err16 := onnx.NewInts([]int64{16000}, 1)
	if err := errors.Join(err8, err16); err != nil {
		s.Close()
		return nil, err
	}
	return &Model{session: s, rate8: rate8, rate16: rate16}, nil
}

// Close frees the network. Its detectors must not be used any more.
func (m *Model) Close() { m.session.Close() }

// Stats counts the frames that detectors of this model have heard, by what they cost.
type Stats struct {
	Windows int64 // runs of the network
	Skipped int64 // frames for which the gate saved it
}

// Stats are the counts since Open.
func (m *Model) Stats() Stats { return Stats{m.windows.Load(), m.skipped.Load()} }

const stateSize = 2 * 128

// warmWindows is how many windows before the present the network hears when the gate opens.
const warmWindows = 3

// Detector hears one call. It is for one goroutine.
type Detector struct {
	model   *Model
	rate    int
	window  int // samples the network takes at a time: 32 ms
	overlap int // samples of the window before that it takes again

	gate        gate
	open        bool
	history     []float32 // the last samples, oldest first; the end of it is the present
	fresh       int       // samples at the end of history that the network has not heard
	probability float32
	speech      bool
	err         error

	input, state, next, output *onnx.Tensor
}

// NewDetector makes the detector of one call, for frames of 8000 or 16000 Hz.
func (m *Model) NewDetector(rate int) (*Detector, error) {
	d := &Detector{model: m, rate: rate}
	switch rate {
	case 8000:
		d.window, d.overlap = 256, 32
	case 16000:
		d.window, d.overlap = 512, 64
	default:
		return nil, fmt.Errorf("vad: no network for %d Hz", rate)
	}
	d.history = make([]float32, warmWindows*d.window+d.overlap)
	var errs [4]error
	d.input, errs[0] = onnx.NewFloats(make([]float32, d.overlap+d.window), 1, int64(d.overlap+d.window))
	d.state, errs[1] = onnx.NewFloats(make([]float32, stateSize), 2, 1, 128)
	d.next, errs[2] = onnx.NewFloats(make([]float32, stateSize), 2, 1, 128)
	d.output, errs[3] = onnx.NewFloats(make([]float32, 1), 1, 1)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return d, nil
}

// Hear takes the next frame and reports whether there is speech in it. It answers within a frame or two of the onset
// of speech, and of its end.
func (d *Detector) Hear(f *media.Frame) bool {
	samples := f.Samples()
	d.remember(samples)
	was := d.open
	d.open = d.gate.hear(samples, d.speech)
	switch {
	case !d.open:
		d.model.skipped.Add(1)
		d.probability, d.speech = 0, false
	case d.err != nil:
		d.speech = d.gate.loud // without the network the energy must do
	case !was:
		d.warm()
	case d.fresh >= d.window:
		d.run(d.fresh)
	}
	return d.speech
}

// Probability is the network's last word, from 0 to 1; 0 while the gate is shut.
func (d *Detector) Probability() float32 { return d.probability }

// Err is why the network failed, if it did. The detector then goes by the energy alone.
func (d *Detector) Err() error { return d.err }

// Close frees the detector's share of memory outside of the Go heap. Without it the garbage collector does.
func (d *Detector) Close() {
	for _, t := range []*onnx.Tensor{d.input, d.state, d.next, d.output} {
		t.Close()
	}
	d.err = errors.New("vad: detector is closed")
}

func (d *Detector) remember(samples []int16) {
	keep := copy(d.history, d.history[len(samples):])
	for i, s := range samples {
		d.history[keep+i] = float32(s) / 32768
	}
	d.fresh += len(samples)
}

// warm starts the network anew and lets it hear the last windows, the last of which ends now: so the onset is not late
// by the rest of a window.
func (d *Detector) warm() {
	clear(d.state.Floats())
	d.fresh = warmWindows * d.window
	for d.fresh >= d.window && d.err == nil {
		d.run(d.fresh)
	}
}

// run has the network hear the oldest window of what is fresh.
func (d *Detector) run(fresh int) {
	end := len(d.history) - fresh + d.window
	start := end - d.window - d.overlap
	copy(d.input.Floats(), d.history[start:end])
	rate := d.model.rate8
	if d.rate == 16000 {
		rate = d.model.rate16
	}
	inputs := [...]*onnx.Tensor{d.input, d.state, rate}
	outputs := [...]*onnx.Tensor{d.output, d.next}
	if err := d.model.session.Run(context.Background(), inputs[:], outputs[:]); err != nil {
		d.err = err
		return
	}
	d.model.windows.Add(1)
	d.state, d.next = d.next, d.state
	d.fresh -= d.window
	d.probability = d.output.Floats()[0]
	switch {
	case d.probability >= speechAbove:
		d.speech = true
	case d.probability < silenceBelow:
		d.speech = false
	}
}
