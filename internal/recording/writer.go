package recording

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"talkstack/internal/media"
)

const (
	bytesPerTick = 4                // two channels of 16 bits
	blockFrames  = 50               // a block is one second
	blockBacklog = 8                // seconds the disk may lag behind before blocks are dropped
	maxDataBytes = 1<<32 - 1 - 4096 // a WAV file's sizes have 32 bits
)

// Writer takes one recording's frames. Write is called by the call's media loop alone; one goroutine of the
// Writer's own does the disk work, so a slow disk never delays a frame.
type Writer struct {
	file   *os.File
	rate   int
	log    *slog.Logger
	failed *atomic.Int64

	block   []byte // being filled, by the media loop
	frames  int    // in block
	index   int64  // of block
	free    chan []byte
	full    chan numbered
	wg      sync.WaitGroup
	dropped int64
	broken  atomic.Bool
}

// numbered is a block with its place in the file: a dropped block leaves silence, and the rest stays in time.
type numbered struct {
	index int64
	data  []byte
}

func newWriter(f *os.File, rate int, log *slog.Logger, failed *atomic.Int64) *Writer {
	size := rate / 50 * bytesPerTick * blockFrames
	w := &Writer{
		file: f, rate: rate, log: log, failed: failed,
		block: make([]byte, 0, size),
		free:  make(chan []byte, blockBacklog),
		full:  make(chan numbered, blockBacklog),
	}
	return w
}

// Write appends one tick: what the other party said and what the agent said in the same 20 ms. It never blocks.
func (w *Writer) Write(other, agent *media.Frame) {
	if w.broken.Load() {
		return
	}
	left, right := other.Samples(), agent.Samples()
	for i := range min(len(left), len(right)) {
		w.block = binary.LittleEndian.AppendUint16(w.block, uint16(left[i]))
		w.block = binary.LittleEndian.AppendUint16(w.block, uint16(right[i]))
	}
	if w.frames++; w.frames == blockFrames {
		w.turn()
	}
}

// turn hands the block to the disk goroutine and starts an empty one.
func (w *Writer) turn() {
	select {
	case w.full <- numbered{w.index, w.block}:
		select {
		case b := <-w.free:
			w.block = b[:0]
		default:
			w.block = make([]byte, 0, cap(w.block))
		}
	default:
		w.dropped++
		w.block = w.block[:0]
	}
	w.index++
	w.frames = 0
}

// drain writes blocks to the disk. The header's sizes are brought up to date with each block, so that a
// recording is whole up to its last second even if the process is killed.
func (w *Writer) drain() {
	var end int64
	for b := range w.full {
		if w.broken.Load() {
			continue
		}
		at := b.index * int64(w.rate/50*bytesPerTick*blockFrames)
		if at+int64(len(b.data)) > maxDataBytes {
			w.fail(fmt.Errorf("a WAV file cannot hold more than 4 GiB"))
			continue
		}
		if _, err := w.file.WriteAt(b.data, media.WAVHeaderSize+at); err != nil {
			w.fail(err)
			continue
		}
		end = at + int64(len(b.data))
		if err := w.writeHeader(uint32(end)); err != nil {
			w.fail(err)
			continue
		}
		select {
		case w.free <- b.data:
		default:
		}
	}
}

// fail ends the recording but not the call: a full disk must not cut people off.
func (w *Writer) fail(err error) {
	if !w.broken.Swap(true) {
		w.failed.Add(1)
		w.log.Error("recording stopped", "error", err)
	}
}

// Close writes what is left and waits for the disk.
func (w *Writer) Close() error {
	if w.frames > 0 {
		w.full <- numbered{w.index, w.block}
	}
	close(w.full)
	w.wg.Wait()
	if w.dropped > 0 {
		w.log.Warn("recording has gaps", "seconds", w.dropped)
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("recording: close: %w", err)
	}
	return nil
}

// writeHeader writes the header of a stereo file with that many bytes of audio.
func (w *Writer) writeHeader(data uint32) error {
	h := media.WAVHeader(w.rate, 2, data)
	_, err := w.file.WriteAt(h[:], 0)
	return err
}
