package recording_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/recording"
)

func open(t *testing.T) *recording.Store {
	t.Helper()
	s, err := recording.Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fill writes n ticks: the left channel counts up, the right one down.
func fill(w *recording.Writer, n int) {
	left, right := media.NewFrame(8000), media.NewFrame(8000)
	for tick := range n {
		for i := range left.Samples() {
			left.Samples()[i] = int16(tick)
			right.Samples()[i] = int16(-tick)
		}
		w.Write(&left, &right)
	}
}

func read(t *testing.T, s *recording.Store, key string) []byte {
	t.Helper()
	f, size, err := s.Open(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("read %d of %d bytes: %v", len(b), size, err)
	}
	return b
}

func TestBothPartiesLandOnTheirChannels(t *testing.T) {
	t.Parallel()
	s := open(t)
	key := recording.Key(talkstack.NewCallSID(), time.Now())
	w, err := s.Create(key, 8000)
	if err != nil {
		t.Fatal(err)
	}
	const ticks = 50*3 + 7 // three whole blocks and a part
	fill(w, ticks)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := read(t, s, key)
	data := b[44:]
	if want := ticks * 160 * 4; len(data) != want || int(binary.LittleEndian.Uint32(b[40:])) != want {
		t.Fatalf("%d bytes of audio, header says %d, want %d", len(data), binary.LittleEndian.Uint32(b[40:]), want)
	}
	for tick := range ticks {
		at := tick * 160 * 4
		left, right := int16(binary.LittleEndian.Uint16(data[at:])), int16(binary.LittleEndian.Uint16(data[at+2:]))
		if left != int16(tick) || right != int16(-tick) {
			t.Fatalf("tick %d: left %d, right %d", tick, left, right)
		}
	}
}

func TestKeysCannotLeaveTheFolder(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, key := range []string{"", "../x.wav", "2026/11/23/../../../etc/passwd", "/etc/passwd", "2026/11/23/CA.wav"} {
		if _, _, err := s.Open(context.Background(), key); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			t.Errorf("key %q: %v, want not_found", key, err)
		}
		if _, err := s.Create(key, 8000); err == nil {
			t.Errorf("key %q could be created", key)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s, err := recording.Open(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	w, err := s.Create(recording.Key(talkstack.NewCallSID(), time.Now()), 8000)
	if err != nil {
		b.Fatal(err)
	}
	left, right := media.NewFrame(8000), media.NewFrame(8000)
	b.ReportAllocs()
	for b.Loop() {
		w.Write(&left, &right)
	}
	_ = w.Close()
}
